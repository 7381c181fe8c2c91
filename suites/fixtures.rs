//! The folder of fixtures, and a server that responds what a file of it holds.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
};

/// Returns the folder of a suite's fixtures.
pub(crate) fn folder(suite: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(suite)
}

/// Lists the files of a folder, by name.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let read = |error| panic!("{}: {error}", folder.display());
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap_or_else(read).map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// Answers everybody with what the file holds and closes; an empty file closes at once.
///
/// Lines of an HTTP head end in one byte there, and its length is added where it states none. A line `----` stands between
/// the responses to one request after the other; the last one is given to all that follow.
pub(crate) fn served_by(file: &Path) -> SocketAddr {
    let bytes = std::fs::read(file).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let mut responses: Vec<Vec<u8>> = match text.contains("\n----\n") {
        true => text.split("\n----\n").map(|response| sent(response.as_bytes())).collect(),
        false => vec![sent(&bytes)],
    };
    responses.reverse();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            read_request(&mut stream);
            let _ = stream.write_all(responses.last().unwrap());
            if responses.len() > 1 {
                responses.pop();
            }
        }
    });
    address
}

/// Reads a request to its end: what is left unread would reset the connection, and the response with it.
fn read_request(stream: &mut TcpStream) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"PING\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    let _ = stream.read_exact(&mut body);
}

fn sent(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n");
    let Some(end) = end.filter(|_| bytes.starts_with(b"HTTP/1.1 ")) else {
        return String::from_utf8_lossy(bytes).replace('\n', "\r\n").into_bytes();
    };
    let (head, body) = (String::from_utf8_lossy(&bytes[..end]), &bytes[end + 2..]);
    let reported = head.to_ascii_lowercase().contains("content-length:") || head.starts_with("HTTP/1.1 204");
    let length = if reported { String::new() } else { format!("\r\nContent-Length: {}", body.len()) };
    [format!("{}{length}\r\n\r\n", head.replace('\n', "\r\n")).as_bytes(), body].concat()
}
