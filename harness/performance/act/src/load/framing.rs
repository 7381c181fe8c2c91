//! Where does an HTTP/1.1 answer end? Reads heads and the framing of bodies out of bytes; does no I/O.

use super::Fault;

/// How many headers a response may have.
const HEADERS: usize = 128;
/// How long a line with the size of a chunk, or of a trailer, may be.
const LINE: usize = 8 * 1024;

/// The head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Status code.
    pub(super) status: u16,
    /// The connection may be used again.
    pub(super) keep: bool,
    /// How the end of the body is reported.
    pub(super) body: Body,
    /// Bytes of the head.
    pub(super) length: usize,
}

/// How the end of a body is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// By a number of bytes; 0 where there is none.
    Sized(u64),
    /// By an empty chunk.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// Reads the head of a response; `None` where more bytes are needed. Interim answers (1xx) are heads too.
///
/// # Errors
/// [`Fault::Malformed`] where the bytes are no HTTP/1.1, or the length of the body is reported twice and differently.
// Source: RFC 9112, 6.3: how the length of a message's body is found.
pub(super) fn head(bytes: &[u8], answers_head: bool) -> Result<Option<Head>, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes).map_err(|_| Fault::Malformed)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let status = response.code.unwrap_or_default();
    let mut keep = response.version == Some(1);
    let (mut chunked, mut size) = (false, None);
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let reported = number(header.value)?;
            if size.is_some_and(|before| before != reported) {
                return Err(Fault::Malformed);
            }
            size = Some(reported);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = has_word(header.value, b"chunked");
        } else if header.name.eq_ignore_ascii_case("connection") {
            keep = (keep || has_word(header.value, b"keep-alive")) && !has_word(header.value, b"close");
        }
    }
    let body = match (status, chunked, size) {
        (100..=199 | 204 | 304, ..) => Body::Sized(0),
        _ if answers_head => Body::Sized(0),
        (_, true, _) => Body::Chunked,
        (_, false, Some(size)) => Body::Sized(size),
        (_, false, None) => Body::UntilClose,
    };
    Ok(Some(Head { status, keep: keep && body != Body::UntilClose, body, length }))
}

fn number(value: &[u8]) -> Result<u64, Fault> {
    let text = value.trim_ascii();
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(Fault::Malformed);
    }
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Fault::Malformed)
}

fn has_word(value: &[u8], word: &[u8]) -> bool {
    value.split(|&b| b == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(word))
}

/// A chunked body that is read piece by piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunks {
    state: State,
    line: Vec<u8>,
    /// Bytes of content so far.
    pub(super) content: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Content(u64),
    /// The line break behind a chunk's content.
    Break,
    Trailer,
    Done,
}

impl Chunks {
    /// Takes bytes and returns whether the body is whole; what lies behind its end is not looked at.
    ///
    /// # Errors
    /// [`Fault::Malformed`] where a size is none.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<bool, Fault> {
        while self.state != State::Done && !bytes.is_empty() {
            bytes = match self.state {
                State::Content(left) => self.content(left, bytes),
                _ => self.lines(bytes)?,
            };
        }
        Ok(self.state == State::Done)
    }

    fn content<'a>(&mut self, left: u64, bytes: &'a [u8]) -> &'a [u8] {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        self.content += taken as u64;
        let left = left - taken as u64;
        self.state = if left == 0 { State::Break } else { State::Content(left) };
        &bytes[taken..]
    }

    fn lines<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Fault> {
        let end = bytes.iter().position(|&b| b == b'\n');
        self.line.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
        if self.line.len() > LINE {
            return Err(Fault::Malformed);
        }
        let Some(end) = end else { return Ok(&[]) };
        self.state = self.after_line()?;
        self.line.clear();
        Ok(&bytes[end + 1..])
    }

    fn after_line(&self) -> Result<State, Fault> {
        let line = self.line.trim_ascii();
        match self.state {
            State::Break if line.is_empty() => Ok(State::Size),
            State::Trailer if line.is_empty() => Ok(State::Done),
            State::Trailer => Ok(State::Trailer),
            State::Size => {
                let size = line.split(|&b| b == b';').next().unwrap_or_default().trim_ascii();
                // Source: RFC 9112, 7.1: digits, to which no sign belongs.
                let digits = Some(size).filter(|size| size.iter().all(u8::is_ascii_hexdigit));
                let size = digits.and_then(|size| std::str::from_utf8(size).ok()).ok_or(Fault::Malformed)?;
                match u64::from_str_radix(size, 16).map_err(|_| Fault::Malformed)? {
                    0 => Ok(State::Trailer),
                    size => Ok(State::Content(size)),
                }
            }
            _ => Err(Fault::Malformed),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::sized("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Body::Sized(5), true)]
    #[case::close("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", Body::Sized(5), false)]
    #[case::chunked("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n", Body::Chunked, true)]
    #[case::chunked_wins(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        Body::Chunked,
        true
    )]
    #[case::no_length("HTTP/1.1 200 OK\r\n\r\n", Body::UntilClose, false)]
    #[case::old("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", Body::Sized(0), false)]
    #[case::old_kept("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", Body::Sized(0), true)]
    #[case::no_content("HTTP/1.1 204 No Content\r\n\r\n", Body::Sized(0), true)]
    #[case::not_modified("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", Body::Sized(0), true)]
    fn the_head_reports_how_the_body_ends(#[case] text: &str, #[case] body: Body, #[case] keep: bool) {
        let head = head(text.as_bytes(), false).unwrap().unwrap();
        assert_eq!((head.body, head.keep, head.length), (body, keep, text.len()));
    }

    #[test]
    fn the_response_to_a_head_request_has_no_body() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n";
        assert_eq!(head(text, true).unwrap().unwrap().body, Body::Sized(0));
    }

    #[rstest]
    #[case::two_lengths("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n")]
    #[case::no_number("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n")]
    #[case::no_http("SSH-2.0-OpenSSH_9.2\r\n")]
    fn what_is_no_http_is_refused(#[case] text: &str) {
        assert_eq!(head(text.as_bytes(), false), Err(Fault::Malformed));
    }

    #[test]
    fn a_head_that_is_not_whole_waits_for_more() {
        assert_eq!(head(b"HTTP/1.1 200 OK\r\nContent-Le", false), Ok(None));
    }

    #[rstest]
    #[case(1)]
    #[case(2)]
    #[case(7)]
    #[case(1000)]
    fn a_chunked_body_ends_at_its_empty_chunk_however_it_is_cut(#[case] piece: usize) {
        let text = b"5;name=x\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nTrailer: x\r\n\r\n";
        let mut chunks = Chunks::default();
        let reported: Vec<bool> = text.chunks(piece).map(|part| chunks.feed(part).unwrap()).collect();
        assert_eq!(reported.iter().position(|&done| done), Some(reported.len() - 1));
        assert_eq!(chunks.content, 31);
    }

    #[rstest]
    #[case("zz\r\n")]
    #[case("2\r\nabc\r\n")]
    fn a_chunk_without_a_size_is_refused(#[case] text: &str) {
        assert_eq!(Chunks::default().feed(text.as_bytes()), Err(Fault::Malformed));
    }
}

#[cfg(test)]
mod properties;
