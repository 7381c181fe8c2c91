//! The server: pages, the metrics, and a stream of changes.

use std::{convert::Infallible, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::get,
};
use futures_util::stream;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};

use crate::Access;

/// How many streams there may be at once.
const STREAMS: usize = 64;
/// How often it is looked whether a journal has grown.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// A proxy that hears nothing for longer may close the stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What served pages may do next to what they may from a file: run the one script of this server, and ask this server.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// A response's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its media type.
    pub media: &'static str,
    /// Its text.
    pub text: String,
}

/// What is served.
pub trait Pages: Send + Sync + 'static {
    /// Returns what is at a path, such as `index.html` or `runs/ID.html`; `None` where there is nothing.
    fn page(&self, path: String) -> impl Future<Output = Option<Page>> + Send;

    /// Returns a number that is another one after each change.
    fn version(&self) -> u64;
}

/// Where and for whom pages are served.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The address to listen at; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who may read.
    pub access: Access,
}

struct Shared<P> {
    pages: P,
    changes: watch::Receiver<u64>,
    streams: Arc<Semaphore>,
}

/// Serves until `until` is over; `started` gets the address.
///
/// # Errors
/// The system's, where it cannot listen.
pub async fn serve<P: Pages>(
    pages: P,
    serving: Serving,
    until: impl Future<Output = ()> + Send + 'static,
    started: impl FnOnce(SocketAddr),
) -> io::Result<()> {
    let listener = TcpListener::bind(serving.listen).await?;
    started(listener.local_addr()?);
    let (changed, changes) = watch::channel(pages.version());
    let shared = Arc::new(Shared { pages, changes, streams: Arc::new(Semaphore::new(STREAMS)) });
    let looking = Arc::clone(&shared);
    let look = async move {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let version = looking.pages.version();
            changed.send_if_modified(|known| std::mem::replace(known, version) != version);
        }
    };
    let router = Router::new()
        .route("/", get(index::<P>))
        .route("/live.js", get(script))
        .route("/events", get(events::<P>))
        .route("/{*path}", get(at::<P>))
        .layer(middleware::from_fn_with_state(Arc::new(serving.access), guarded))
        .with_state(shared);
    // Streams have no end of their own, so that the end is not waited for.
    tokio::select! {
        served = async { axum::serve(listener, router).await } => served,
        () = look => Ok(()),
        () = until => Ok(()),
    }
}

/// Lets through who may read, and tells the browser what the pages may do.
async fn guarded(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let mut response = match access.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    let is_refused = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_refused {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"stagegate\""));
    }
    response
}

async fn index<P: Pages>(State(shared): State<Arc<Shared<P>>>) -> Response {
    response(shared.pages.page("index.html".to_owned()).await)
}

async fn at<P: Pages>(State(shared): State<Arc<Shared<P>>>, Path(path): Path<String>) -> Response {
    response(shared.pages.page(path).await)
}

async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("live.js"))
}

fn response(page: Option<Page>) -> Response {
    let Some(Page { media, text }) = page else {
        return (StatusCode::NOT_FOUND, "there is no such page; the first one is /\n").into_response();
    };
    let text = if media.starts_with("text/html") { live(&text) } else { text };
    ([(header::CONTENT_TYPE, media)], text).into_response()
}

/// Makes a page of a file one that renews itself: its own policy, which allows no script, gives way to the response's.
fn live(page: &str) -> String {
    let script = "<script src=\"/live.js\" defer></script>\n</head>";
    let (Some(from), Some(head)) = (page.find("<meta http-equiv=\"Content-Security-Policy\""), page.find("</head>"))
    else {
        return page.to_owned();
    };
    let to = page[from..].find('>').map_or(head, |length| from + length + 1);
    if to > head {
        return page.to_owned();
    }
    format!("{}{}{script}{}", &page[..from], &page[to..head], &page[head + "</head>".len()..])
}

/// Reports of each change, with its number; a browser that comes back gets the newest at once.
async fn events<P: Pages>(State(shared): State<Arc<Shared<P>>>, request: Request) -> Response {
    let Ok(permit) = Arc::clone(&shared.streams).try_acquire_owned() else {
        let text = format!("{STREAMS} streams are open; close a tab, or reload this page by hand\n");
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    let known = request.headers().get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let mut changes = shared.changes.clone();
    let now = *changes.borrow_and_update();
    let first = known.filter(|known: &u64| *known != now).map(|_| now);
    let state = (changes, first, permit);
    let stream = stream::unfold(state, |(mut changes, first, permit)| async move {
        let version = match first {
            Some(version) => version,
            None => {
                changes.changed().await.ok()?;
                *changes.borrow_and_update()
            }
        };
        let event = Event::default().id(version.to_string()).data("changed");
        Some((Ok::<_, Infallible>(event), (changes, None, permit)))
    });
    let mut response = Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_served_page_has_the_one_script_and_no_policy_that_forbids_it() {
        let page = stagegate_base::report::html_page("x", "<p>y</p>");
        let live = live(&page);
        assert_eq!(live.matches("<script").count(), 1);
        assert!(live.contains("<script src=\"/live.js\" defer></script>\n</head>"), "{live}");
        assert!(
            !live.contains("http-equiv") && live.contains("<p>y</p>") && live.contains("<title>x</title>"),
            "{live}"
        );
    }

    /// One page, and a number that the test changes.
    struct One(Arc<std::sync::atomic::AtomicU64>);

    impl Pages for One {
        async fn page(&self, path: String) -> Option<Page> {
            (path == "index.html").then(|| Page { media: "text/plain", text: "the first page".to_owned() })
        }

        fn version(&self) -> u64 {
            self.0.load(std::sync::atomic::Ordering::Relaxed)
        }
    }

    /// Sends the head of a request and returns the connection with what came first.
    async fn asked(at: SocketAddr, path: &str) -> (tokio::net::TcpStream, String) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut connection = tokio::net::TcpStream::connect(at).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        let mut bytes = [0_u8; 4096];
        let length = connection.read(&mut bytes).await.unwrap();
        (connection, String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    #[test]
    fn a_change_is_reported_and_no_more_than_so_many_streams_are_open() {
        use std::sync::atomic::{AtomicU64, Ordering};
        use tokio::io::AsyncReadExt;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let version = Arc::new(AtomicU64::new(1));
            let (sender, at) = tokio::sync::oneshot::channel();
            let access = Access { hosts: vec!["localhost".into()], token: None };
            let serving = Serving { listen: "127.0.0.1:0".parse().unwrap(), access };
            let pages = One(Arc::clone(&version));
            let server =
                tokio::spawn(serve(pages, serving, std::future::pending(), move |at| sender.send(at).unwrap()));
            let at = at.await.unwrap();
            assert!(asked(at, "/").await.1.ends_with("the first page"));
            assert!(asked(at, "/../x").await.1.starts_with("HTTP/1.1 404"));
            let mut streams = Vec::new();
            for _ in 0..STREAMS {
                streams.push(asked(at, "/events").await);
            }
            assert!(streams.iter().all(|(_, head)| head.starts_with("HTTP/1.1 200")));
            assert!(asked(at, "/events").await.1.starts_with("HTTP/1.1 503"));
            version.store(2, Ordering::Relaxed);
            let (mut last, _) = streams.pop().unwrap();
            let mut bytes = [0_u8; 256];
            let length = tokio::time::timeout(Duration::from_secs(20), last.read(&mut bytes)).await.unwrap().unwrap();
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            assert!(text.contains("id: 2") && text.contains("data: changed"), "{text}");
            server.abort();
        });
    }

    #[test]
    fn a_page_of_another_form_stays_as_it_is() {
        assert_eq!(live("<p>x</p>"), "<p>x</p>");
    }
}
