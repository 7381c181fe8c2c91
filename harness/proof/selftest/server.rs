//! A small server whose answers cost a known amount of work: the thing that is measured.
//!
//! HTTP/1.1 with keep-alive, a thread a connection. The work is arithmetic over a buffer, so that it costs processor
//! time as a service's own code does, and so that 10 % more of it is 10 % more.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
};

/// Words of the buffer that is worked on: 64 KiB, which does not fit a first-level cache.
const WORDS: usize = 8_192;

/// Serves until the process's standard input ends, so that no server outlives the one who started it.
///
/// Prints its port on the first line of standard output. Each response costs `steps` steps of work.
pub(crate) fn serve(steps: u64) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", listener.local_addr()?.port())?;
    out.flush()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream, steps));
        }
    });
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    Ok(())
}

fn answer(stream: TcpStream, steps: u64) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer: Vec<u64> = (0..WORDS as u64).collect();
    let (mut reader, mut writer) = (BufReader::new(stream.try_clone()?), stream);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line != "\r\n" {
            continue;
        }
        let body = format!("{:016x}", work(&mut buffer, steps));
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 16\r\n\r\n";
        writer.write_all(format!("{head}{body}").as_bytes())?;
    }
}

fn work(buffer: &mut [u64], steps: u64) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..steps {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let place = usize::try_from(state % WORDS as u64).unwrap_or_default();
        state = state.wrapping_add(buffer[place]);
        buffer[place] = state;
    }
    state
}

/// A server in a process of its own, as a release is. It ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(steps: u64) -> std::io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--steps", &steps.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out.take(16)).read_line(&mut line)?;
        }
        let port = line.trim().parse().map_err(std::io::Error::other)?;
        Ok(Server { child, port })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
