//! Answers that are meant to hurt: each has to end in a named failure, soon, and in little memory.

use std::{fs, net::SocketAddr, process::Stdio, time::Instant};

use stagegate_contract::{Document, Format, ServiceResponse, check};
use stagegate_host::{
    error::with_causes,
    http::{Http, Request},
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    runtime::Runtime,
    time::{Duration, sleep},
};

use super::{Ended, own, print_line, server::Server};

const KINDS: [&str; 9] = [
    "endless-body",
    "one-byte-a-second",
    "redirect-to-itself",
    "no-utf-8",
    "length-too-long",
    "length-too-short",
    "100000-headers",
    "endless-header",
    "gzip-bomb",
];

const CONTRACT: &str = r#"{"openapi": "3.1.0", "paths": {"/": {"get": {"responses": {"200": {"content": {"application/json":
    {"schema": {"type": "object", "required": ["id"]}}}}}}}}}"#;

/// Requests every hostile response, each in a process of its own, and reports what came of it.
pub(super) fn all() -> Ended {
    let server = Server::start()?;
    for kind in KINDS {
        let output = own(&["hostile", &server.address, kind])?.stderr(Stdio::inherit()).output()?;
        print_line(String::from_utf8_lossy(&output.stdout).trim());
        if !output.status.success() {
            return Err(format!("{kind}: {}", output.status).into());
        }
    }
    Ok(())
}

/// Requests one hostile response and reports its end, its time and the memory of this process.
pub(super) fn request(address: &str, kind: &str) -> Ended {
    let address: SocketAddr = address.parse()?;
    let document = Document::parse(CONTRACT, Format::Json)?;
    let http = Http::new()?;
    let begun = Instant::now();
    let requested = Runtime::new()?.block_on(http.send_first(&[address], &Request::get(&format!("/{kind}"))));
    let reported = match requested {
        Err(error) => with_causes(&error),
        Ok((_, answer)) => {
            let facts = ServiceResponse {
                status: answer.status,
                headers: &answer.headers,
                body: &answer.body,
                truncated: answer.truncated,
            };
            let checked = check(&document, &document.operations()[0], &facts);
            let first = checked.findings.first().map(|one| one.finding());
            let first =
                first.map(|one| format!("{}: expected {}, found {}", one.place.object, one.expected, one.found));
            first.or(checked.unchecked).ok_or_else(|| format!("{kind} was taken for sound"))?
        }
    };
    let seconds = begun.elapsed().as_secs_f64();
    let reported: String = reported.chars().filter(|c| !c.is_control()).take(110).collect();
    print_line(&format!("{kind:<20} {seconds:>6.2} s {:>5.1} MiB   {reported}", peak()?));
    Ok(())
}

/// Returns the most memory that this process ever held, in MiB.
// Source: proc(5), VmHWM: the peak of the resident set.
fn peak() -> Result<f64, Box<dyn std::error::Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

/// Answers a request in the way that `kind` names.
pub(super) async fn respond(stream: &mut TcpStream, kind: &str) {
    let json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let _ = match kind {
        "endless-body" => {
            endless(stream, &format!("{json}Content-Length: 100000000000\r\n\r\n"), &[b'['; 65_536]).await
        }
        "endless-header" => endless(stream, json, &[b'x'; 65_536]).await,
        "one-byte-a-second" => drip(stream, &format!("{json}Content-Length: 1000\r\n\r\n")).await,
        "redirect-to-itself" => {
            whole(stream, b"HTTP/1.1 302 Found\r\nLocation: /redirect-to-itself\r\nContent-Length: 0\r\n\r\n").await
        }
        "no-utf-8" => {
            whole(stream, &[format!("{json}Content-Length: 4\r\n\r\n").as_bytes(), b"\"\xff\xfe\""].concat()).await
        }
        "length-too-long" => whole(stream, format!("{json}Content-Length: 99\r\n\r\n{{}}").as_bytes()).await,
        "length-too-short" => whole(stream, format!("{json}Content-Length: 3\r\n\r\n{{\"id\": 1}}").as_bytes()).await,
        "100000-headers" => {
            let headers: String = (0..100_000).map(|n| format!("X-{n}: a\r\n")).collect();
            whole(stream, format!("HTTP/1.1 200 OK\r\n{headers}\r\n").as_bytes()).await
        }
        // What 1 GiB of spaces is packed to is about 1 MiB; nobody unpacks it, so that zeros will do.
        "gzip-bomb" => {
            let bomb = [&[0x1f, 0x8b, 8][..], &vec![0; 1 << 20]].concat();
            let head = format!("{json}Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", bomb.len());
            whole(stream, &[head.as_bytes(), &bomb].concat()).await
        }
        _ => whole(stream, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await,
    };
}

async fn whole(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.shutdown().await
}

async fn endless(stream: &mut TcpStream, head: &str, part: &[u8]) -> std::io::Result<()> {
    stream.write_all(head.as_bytes()).await?;
    loop {
        stream.write_all(part).await?;
    }
}

async fn drip(stream: &mut TcpStream, head: &str) -> std::io::Result<()> {
    stream.write_all(head.as_bytes()).await?;
    loop {
        stream.write_all(b" ").await?;
        sleep(Duration::from_secs(1)).await;
    }
}
