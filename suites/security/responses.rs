//! The answers that several checks look at, asked for once a run.

use std::{net::SocketAddr, sync::Arc};

use futures_util::{StreamExt, future::join_all, stream};
use stagegate_base::config::{Kind, Service};
use stagegate_contract::{Document, calls};
use stagegate_host::{
    error::with_causes,
    http::{Http, HttpError, HttpResponse, Request},
};
use stagegate_policy_decide::security::{self, ORIGINS, Response};
use tokio::sync::OnceCell;

use crate::{session::Session, trial::Scope};

/// How many operations of a contract are asked for as they are: one answer is like another here.
const OPERATIONS: usize = 5;
/// How many requests one service gets at a time.
const AT_A_TIME: usize = 4;

/// What one service responded.
pub(super) struct ServiceResponses {
    pub(super) service: String,
    /// Its responses reach browsers.
    pub(super) is_front: bool,
    /// To requests as anybody makes them.
    pub(super) usual: Vec<Response>,
    /// To requests that provoke errors.
    pub(super) provoked: Vec<Response>,
    /// To requests of strange origins.
    pub(super) foreign: Vec<(&'static str, Response)>,
}

/// A service that is to be asked, with what its contract offers.
struct Target {
    service: Service,
    document: Option<Arc<Document>>,
}

/// The HTTP services, and what they answered once somebody has asked.
pub(super) struct ServiceResponsesOnce {
    targets: Vec<Target>,
    asked: OnceCell<Result<Vec<ServiceResponses>, String>>,
}

impl ServiceResponsesOnce {
    pub(super) fn new(scope: Scope<'_>) -> Self {
        let contracts = crate::contracts::documents(scope);
        let document = |service: &Service| {
            contracts.iter().find(|(owner, _)| owner.name == service.name).map(|(_, document)| Arc::clone(document))
        };
        let http = scope.config.services.values().filter(|service| service.kind == Kind::Http);
        let targets = http.map(|service| Target { document: document(service), service: service.clone() }).collect();
        ServiceResponsesOnce { targets, asked: OnceCell::new() }
    }

    /// Returns what the services answered, without those that do not answer at all: health tells of them.
    ///
    /// # Errors
    /// A text, where no service responds.
    pub(super) async fn get(&self, session: &Session) -> Result<&[ServiceResponses], String> {
        let requested = self.asked.get_or_init(|| self.fetch(session)).await;
        requested.as_deref().map_err(Clone::clone)
    }

    async fn fetch(&self, session: &Session) -> Result<Vec<ServiceResponses>, String> {
        let requested = join_all(self.targets.iter().map(|target| of_service(session, target))).await;
        let (answered, errors): (Vec<_>, Vec<_>) = requested.into_iter().partition(Result::is_ok);
        let answered: Vec<ServiceResponses> = answered.into_iter().flatten().collect();
        match errors.into_iter().find_map(Result::err) {
            Some(error) if answered.is_empty() => Err(error),
            _ => Ok(answered),
        }
    }
}

async fn of_service(session: &Session, target: &Target) -> Result<ServiceResponses, String> {
    let Target { service, document } = target;
    let addresses = session.addresses(service).await.map_err(|error| with_causes(&error))?;
    let base = service.base();
    let provoking = security::probes(document.as_deref())
        .into_iter()
        .map(|path| Request { headers: service.headers(), ..Request::get(&format!("{base}{path}")) });
    let foreign = ORIGINS.into_iter().flat_map(|origin| {
        let front = usual(service, None).into_iter().take(2).map(move |request| request.header("origin", origin));
        front.flat_map(move |request| [(origin, preflight(&request)), (origin, request)])
    });
    let (origins, foreign): (Vec<&str>, Vec<Request>) = foreign.unzip();
    let usual = all(&addresses, usual(service, document.as_deref()), &|_| false).await?.into_iter().flatten().collect();
    // It answers: a request that makes it close the connection has nothing to show.
    let provoked = all(&addresses, provoking.collect(), &is_closed).await?.into_iter().flatten().collect();
    let foreign = all(&addresses, foreign, &is_closed).await?;
    let foreign = origins.into_iter().zip(foreign).filter_map(|(origin, seen)| Some((origin, seen?))).collect();
    Ok(ServiceResponses {
        service: service.name.clone(),
        is_front: is_front(session, service).await,
        usual,
        provoked,
        foreign,
    })
}

/// Returns whether a service's answers reach browsers: the configuration states so, or it publishes a port.
///
/// The files as they are written are asked: a throw-away copy publishes nothing.
async fn is_front(session: &Session, service: &Service) -> bool {
    match &session.project.config.security.front {
        Some(named) => named.contains(&service.name),
        None => session.files().await.own().is_some_and(|model| model.publishes(&service.name)),
    }
}

/// Lists the requests that anybody makes: the root first, then what the configuration and the contract name.
fn usual(service: &Service, document: Option<&Document>) -> Vec<Request> {
    let named = ["/".to_owned()].into_iter().chain(service.health.clone()).chain(service.version.clone());
    let calls = document.map(|document| calls(document, false)).unwrap_or_default();
    let calls = calls.into_iter().filter_map(|call| call.request.ok()).take(OPERATIONS);
    let mut paths: Vec<String> = named.chain(calls.map(|call| format!("{}{}", service.base(), call.target))).collect();
    let mut seen = std::collections::BTreeSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    paths.iter().map(|path| Request { headers: service.headers(), ..Request::get(path) }).collect()
}

/// Makes the question that a browser asks before it sends another site's request.
fn preflight(request: &Request) -> Request {
    let requested = Request { method: "OPTIONS".to_owned(), ..request.clone() };
    requested.header("access-control-request-method", "POST")
}

/// Returns whether a service closed the connection instead of responding, as some do with a method or a path that they do not know.
fn is_closed(error: &HttpError) -> bool {
    matches!(error, HttpError::NotHttp { .. })
}

/// Sends requests and returns the responses in their order; none where the error is one that `may_be` there.
async fn all(
    addresses: &[SocketAddr],
    requests: Vec<Request>,
    may_be: &(dyn Fn(&HttpError) -> bool + Sync),
) -> Result<Vec<Option<Response>>, String> {
    let http = Http::shared().map_err(|error| with_causes(&error))?;
    let send = |request: Request| {
        let http = http.clone();
        async move {
            match http.send_first(addresses, &request).await {
                Ok((_, reply)) => Ok(Some(response(&request, &reply))),
                Err(error) if may_be(&error) => Ok(None),
                Err(error) => Err(with_causes(&error)),
            }
        }
    };
    let responses: Vec<_> = stream::iter(requests.into_iter().map(send)).buffered(AT_A_TIME).collect().await;
    responses.into_iter().collect()
}

fn response(request: &Request, reply: &HttpResponse) -> Response {
    Response {
        request: format!("{} {}", request.method, request.path),
        status: reply.status,
        headers: reply.headers.clone(),
        body: reply.text(),
        encrypted: false,
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Responds to GET, and closes the connection on any other method, as kiwix-serve does.
    async fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut head = [0; 4096];
                    let read = stream.read(&mut head).await.unwrap_or(0);
                    if head[..read].starts_with(b"GET ") {
                        let reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                        let _ = stream.write_all(reply).await;
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_method_at_which_the_connection_is_closed_has_no_response_and_breaks_nothing() {
        let address = [server().await];
        let get = || Request::get("/").header("origin", ORIGINS[0]);
        let seen = all(&address, vec![get(), preflight(&get()), get()], &is_closed).await.unwrap();
        assert_eq!(seen.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
        assert!(all(&address, vec![preflight(&get())], &|_| false).await.is_err());
    }
}
