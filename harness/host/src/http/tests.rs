use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use rstest::rstest;

use super::*;

/// No test may take longer; a hang is a failure.
const SOON: Duration = Duration::from_secs(5);

/// Serves one connection on a thread: reads the request's head, then lets `answer` write; returns the address.
fn server(response: impl FnOnce(TcpStream, String) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
            head.push(byte[0]);
        }
        response(stream, String::from_utf8(head).unwrap());
    });
    address
}

fn says(text: &'static str) -> SocketAddr {
    server(move |mut stream, _| stream.write_all(text.as_bytes()).unwrap())
}

fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

async fn get(http: &Http, address: SocketAddr) -> Result<HttpResponse, HttpError> {
    tokio::time::timeout(SOON, http.get(address, "/x?y=1", Some("shop.example"))).await.expect("a request that hangs")
}

fn http() -> Http {
    Http::new().unwrap().deadline(Duration::from_millis(400))
}

#[tokio::test]
async fn a_response_has_status_headers_body_and_the_request_was_as_requested() {
    let address = server(|mut stream, head| {
        let line = head.lines().next().unwrap().to_owned();
        let host = head.lines().find(|l| l.to_ascii_lowercase().starts_with("host:")).unwrap().to_owned();
        let body = format!("{line}|{host}");
        write!(stream, "HTTP/1.1 201 Created\r\nX-Kind: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    });
    let response = get(&http(), address).await.unwrap();
    assert_eq!((response.status, response.header("x-KIND"), response.truncated), (201, Some("a"), false));
    assert_eq!(response.text().to_ascii_lowercase(), "get /x?y=1 http/1.1|host: shop.example");
}

#[tokio::test]
async fn a_body_beyond_the_cap_is_cut_and_states_so() {
    let address = server(|mut stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n").unwrap();
        while stream.write_all(&[b'a'; 4096]).is_ok() {}
    });
    let response = get(&http().body_cap(5000), address).await.unwrap();
    assert_eq!((response.body.len(), response.truncated), (5000, true));
}

#[tokio::test]
async fn a_body_of_exactly_the_cap_is_whole() {
    let response = get(&http().body_cap(3), says("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")).await.unwrap();
    assert_eq!((response.text().as_str(), response.truncated), ("abc", false));
}

#[tokio::test]
async fn a_redirect_is_reported_and_not_followed() {
    let location = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n";
    let response = get(&http(), says(location)).await.unwrap();
    assert_eq!((response.status, response.header("location")), (302, Some("http://127.0.0.1:9/")));
}

#[tokio::test]
async fn a_body_that_drips_ends_at_the_deadline() {
    let address = server(|mut stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n").unwrap();
        while stream.write_all(b"a").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let error = get(&http(), address).await.unwrap_err();
    assert!(matches!(error, HttpError::TooSlow { read: Some(1..60), .. }), "{error}");
}

#[tokio::test]
async fn headers_that_drip_end_at_the_deadline() {
    let address = server(|mut stream, _| {
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".iter().cycle() {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    let error = get(&http(), address).await.unwrap_err();
    assert!(matches!(error, HttpError::TooSlow { read: None, .. }), "{error}");
}

#[rstest]
#[case::too_short("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "ended early, after 3 bytes")]
#[case::broken_chunk(
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz",
    "ended early, after 3 bytes"
)]
#[case::no_http("SSH-2.0-OpenSSH_9.2\r\n", "sent no HTTP response")]
#[case::no_word("", "sent no HTTP response")]
#[tokio::test]
async fn a_broken_response_states_how(#[case] answer: &'static str, #[case] want: &str) {
    let error = get(&http(), says(answer)).await.unwrap_err().to_string();
    assert!(error.contains(want), "{error}");
}

#[tokio::test]
async fn too_many_headers_are_no_response() {
    let address = server(|mut stream, _| {
        let headers: String = (0..1000).map(|i| format!("X-{i}: a\r\n")).collect();
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n{headers}\r\n");
    });
    assert!(matches!(get(&http(), address).await.unwrap_err(), HttpError::NotHttp { .. }));
}

#[tokio::test]
async fn a_refused_port_is_named() {
    let address = closed();
    let error = get(&http(), address).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot connect to {address}: connection refused"));
}

#[tokio::test]
async fn the_first_address_that_accepts_is_requested() {
    let (gone, open) = (closed(), says("HTTP/1.1 204 No Content\r\n\r\n"));
    let (requested, response) = http().send_first(&[gone, open], &Request::get("/")).await.unwrap();
    assert_eq!((requested, response.status), (open, 204));
}

#[tokio::test]
async fn an_address_that_accepts_and_fails_is_not_passed_over() {
    let error = http().send_first(&[says(""), says("HTTP/1.1 204 No Content\r\n\r\n")], &Request::get("/")).await;
    assert!(matches!(error.unwrap_err(), HttpError::NotHttp { .. }));
}

#[tokio::test]
async fn no_address_is_an_error() {
    assert!(matches!(http().send_first(&[], &Request::get("/")).await.unwrap_err(), HttpError::NoAddress));
}

#[tokio::test]
async fn a_path_cannot_lead_to_another_host() {
    let response = http().get(says("HTTP/1.1 204 No Content\r\n\r\n"), "@127.0.0.2:1/", None).await.unwrap();
    assert_eq!(response.status, 204);
}

#[rstest]
#[case::url("GET", "http://u:hush@[bad/", "x", "`GET [bad/` cannot be sent")]
#[case::method("G T", "http://127.0.0.1/", "x", "`G T http://127.0.0.1/`")]
#[case::header("GET", "http://127.0.0.1/", "a\nb", "cannot be sent")]
#[tokio::test]
async fn a_request_that_cannot_be_sent_is_reported_without_a_password(
    #[case] method: &str,
    #[case] url: &str,
    #[case] value: &str,
    #[case] want: &str,
) {
    let request = Request::new(method, "/").header("x-a", value);
    let error = http().send_url(url, &request).await.unwrap_err().to_string();
    assert!(error.contains(want) && !error.contains("hush"), "{error}");
}

#[rstest]
#[case::many_headers("X-N: a\r\n", 100_000)]
#[case::an_endless_header("X-N: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 100_000)]
#[tokio::test]
async fn a_head_without_an_end_is_no_response(#[case] part: &'static str, #[case] times: usize) {
    let address = server(move |mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        let _ = (0..times).all(|_| stream.write_all(part.as_bytes()).is_ok());
    });
    let error = get(&http().deadline(SOON), address).await.unwrap_err();
    assert!(matches!(error, HttpError::NotHttp { .. }), "{error}");
}

#[tokio::test]
async fn a_body_without_an_end_is_cut_at_the_cap() {
    let address = server(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'['; 4096]).is_ok() {}
    });
    let response = get(&http().deadline(SOON), address).await.unwrap();
    assert_eq!((response.body.len(), response.truncated), (BODY_CAP, true));
}

#[tokio::test]
async fn a_redirect_to_itself_is_requested_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let requested = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&requested);
    thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n");
        }
    });
    assert_eq!(get(&http(), address).await.unwrap().status, 302);
    assert_eq!(requested.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_is_packed_stays_packed() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n";
    // An empty file, as gzip packs it.
    let packed = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let address = server(move |mut stream, _| stream.write_all(&[&head[..], &packed].concat()).unwrap());
    let response = get(&http(), address).await.unwrap();
    assert_eq!((response.body.as_slice(), response.header("content-encoding")), (&packed[..], Some("gzip")));
}

#[tokio::test]
async fn bytes_that_are_no_utf_8_are_kept_in_the_body_and_replaced_in_texts() {
    let bytes = b"HTTP/1.1 200 OK\r\nX-Name: \xff\r\nContent-Length: 2\r\n\r\n\xff\xfe";
    let address = server(move |mut stream, _| stream.write_all(bytes).unwrap());
    let response = get(&http(), address).await.unwrap();
    assert_eq!((response.body.as_slice(), response.header("x-name")), (&b"\xff\xfe"[..], Some("\u{fffd}")));
    assert_eq!(response.text(), "\u{fffd}\u{fffd}");
}

#[rstest]
#[case::two_lengths("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")]
#[case::no_number("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nabcd")]
#[case::negative("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabcd")]
#[tokio::test]
async fn a_length_that_is_none_is_no_response(#[case] answer: &'static str) {
    let error = get(&http(), says(answer)).await.unwrap_err();
    assert!(matches!(error, HttpError::NotHttp { .. }), "{error}");
}

#[tokio::test]
async fn a_body_ends_where_its_length_states() {
    let response = get(&http(), says("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef")).await.unwrap();
    assert_eq!((response.text().as_str(), response.truncated), ("abc", false));
}
