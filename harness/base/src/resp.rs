//! What Redis speaks (RESP 2): requests as bytes, and replies out of bytes. Does no I/O.
//!
//! Invariant: a reply that is cut anywhere is no reply yet, and never a shorter one.
// Source: Redis, serialization protocol specification: `+` status, `-` error, `:` integer, `$` bulk, `*` array.

use std::fmt;

/// The longest line that announces something, in bytes.
const LINE: usize = 4 << 10;
/// How deep lists may be nested.
const DEPTH: usize = 8;
/// How much of a line that is no reply is kept, in characters.
const SHOWN: usize = 120;

/// What a server replied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A short text, such as `OK`.
    Status(String),
    /// The server refuses, in its own words.
    Refusal(String),
    /// A whole number.
    Integer(i64),
    /// A value of any bytes.
    Bulk(Vec<u8>),
    /// There is no such value.
    Nil,
    /// Several replies.
    List(Vec<Reply>),
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shortened = |text: &str| text.chars().take(SHOWN).collect::<String>();
        match self {
            Reply::Status(text) => write!(f, "+{}", shortened(text)),
            Reply::Refusal(text) => write!(f, "-{}", shortened(text)),
            Reply::Integer(number) => write!(f, ":{number}"),
            Reply::Bulk(bytes) => write!(f, "a value of {} bytes", bytes.len()),
            Reply::Nil => f.write_str("no value"),
            Reply::List(items) => write!(f, "a list of {}", items.len()),
        }
    }
}

/// Bytes that are no reply, or more of one than is read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RespError {
    /// Something else speaks here; the line, shortened.
    #[error("`{0}` is not a Redis reply")]
    Foreign(String),
    /// It holds more than is read.
    #[error("the reply is longer than {bytes} bytes or {values} values")]
    TooLong {
        /// The limit of its values together, in bytes.
        bytes: usize,
        /// The limit of their number.
        values: usize,
    },
    /// Lists in lists in lists.
    #[error("the reply is nested deeper than {DEPTH}")]
    TooDeep,
}

/// How much of a reply is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all values together.
    pub bytes: usize,
    /// Number of values in lists.
    pub values: usize,
}

/// Writes a command as an array of bulk strings, the one form that carries any byte.
#[must_use]
pub fn request(words: &[&str]) -> Vec<u8> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    text.into_bytes()
}

/// Reads a reply and the number of its bytes; `None` where more bytes are needed.
///
/// # Errors
/// [`RespError`] where no further byte would make it a reply.
pub fn reply(bytes: &[u8], limits: Limits) -> Result<Option<(Reply, usize)>, RespError> {
    let mut reader = Reader { bytes, at: 0, limits, left: limits };
    let reply = reader.reply(DEPTH)?;
    Ok(reply.map(|reply| (reply, reader.at)))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: Limits,
    left: Limits,
}

impl Reader<'_> {
    fn reply(&mut self, depth: usize) -> Result<Option<Reply>, RespError> {
        let Some(line) = self.line()? else { return Ok(None) };
        let foreign = || RespError::Foreign(line.chars().take(SHOWN).collect());
        let (kind, rest) = line.split_at_checked(1).ok_or_else(foreign)?;
        let rest = rest.to_owned();
        // A sign is written for negative numbers only.
        let number = || rest.parse::<i64>().ok().filter(|_| !rest.starts_with('+')).ok_or_else(foreign);
        match kind {
            "+" => Ok(Some(Reply::Status(rest))),
            "-" => Ok(Some(Reply::Refusal(rest))),
            ":" => number().map(|number| Some(Reply::Integer(number))),
            "$" => match number()? {
                -1 => Ok(Some(Reply::Nil)),
                length => self.bulk(usize::try_from(length).map_err(|_| foreign())?),
            },
            "*" => match number()? {
                -1 => Ok(Some(Reply::Nil)),
                length => self.list(usize::try_from(length).map_err(|_| foreign())?, depth),
            },
            _ => Err(foreign()),
        }
    }

    /// Takes a line without its end.
    fn line(&mut self) -> Result<Option<String>, RespError> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().take(LINE).position(|byte| *byte == b'\n');
        let text = |line: &[u8]| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned();
        match end {
            Some(end) => {
                self.at += end + 1;
                Ok(Some(text(&rest[..end])))
            }
            None if rest.len() >= LINE => Err(RespError::Foreign(text(rest).chars().take(SHOWN).collect())),
            None => Ok(None),
        }
    }

    fn take(&mut self, bytes: usize, values: usize) -> Result<(), RespError> {
        let Limits { bytes: all, values: number } = self.limits;
        let too_long = RespError::TooLong { bytes: all, values: number };
        match (self.left.bytes.checked_sub(bytes), self.left.values.checked_sub(values)) {
            (Some(bytes), Some(values)) => self.left = Limits { bytes, values },
            _ => return Err(too_long),
        }
        Ok(())
    }

    fn bulk(&mut self, length: usize) -> Result<Option<Reply>, RespError> {
        self.take(length, 0)?;
        let rest = &self.bytes[self.at..];
        let Some((value, end)) = rest.get(..length + 2).map(|whole| whole.split_at(length)) else { return Ok(None) };
        if end != b"\r\n" {
            return Err(RespError::Foreign("a value longer than its announced length".to_owned()));
        }
        self.at += length + 2;
        Ok(Some(Reply::Bulk(value.to_vec())))
    }

    fn list(&mut self, length: usize, depth: usize) -> Result<Option<Reply>, RespError> {
        if depth == 0 {
            return Err(RespError::TooDeep);
        }
        self.take(0, length)?;
        let mut items = Vec::new();
        for _ in 0..length {
            match self.reply(depth - 1)? {
                Some(item) => items.push(item),
                None => return Ok(None),
            }
        }
        Ok(Some(Reply::List(items)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const LIMITS: Limits = Limits { bytes: 1_000, values: 100 };

    fn written(reply: &Reply) -> Vec<u8> {
        match reply {
            Reply::Status(text) => format!("+{text}\r\n").into_bytes(),
            Reply::Refusal(text) => format!("-{text}\r\n").into_bytes(),
            Reply::Integer(number) => format!(":{number}\r\n").into_bytes(),
            Reply::Bulk(bytes) => [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat(),
            Reply::Nil => b"$-1\r\n".to_vec(),
            Reply::List(items) => {
                let length = format!("*{}\r\n", items.len()).into_bytes();
                [length, items.iter().flat_map(written).collect()].concat()
            }
        }
    }

    fn replies() -> impl Strategy<Value = Reply> {
        let leaf = prop_oneof![
            "[ -~äö]{0,12}".prop_map(Reply::Status),
            "[ -~äö]{0,12}".prop_map(Reply::Refusal),
            any::<i64>().prop_map(Reply::Integer),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(Reply::Bulk),
            Just(Reply::Nil),
        ];
        leaf.prop_recursive(4, 12, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Reply::List))
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in "[-+$*:0-9\r\n]{0,20}\\PC{0,4}") {
            if let Ok(Some((_, length))) = reply(bytes.as_bytes(), LIMITS) {
                prop_assert!(length <= bytes.len());
            }
        }

        #[test]
        fn a_reply_is_read_as_it_was_written_and_not_before_it_is_whole(
            one in replies(),
            behind in prop::collection::vec(any::<u8>(), 0..5),
            cut in any::<prop::sample::Index>(),
        ) {
            let bytes = written(&one);
            let length = bytes.len();
            prop_assert_eq!(reply(&bytes[..cut.index(length)], LIMITS), Ok(None));
            prop_assert_eq!(reply(&[bytes, behind].concat(), LIMITS), Ok(Some((one, length))));
        }
    }

    #[test]
    fn a_request_counts_bytes_not_characters() {
        assert_eq!(request(&["AUTH", "pä"]), "*2\r\n$4\r\nAUTH\r\n$3\r\npä\r\n".as_bytes());
    }

    #[rstest]
    #[case::other("HTTP/1.1 400 Bad Request\r\n", "`HTTP/1.1 400 Bad Request` is not a Redis reply")]
    #[case::empty("\r\n", "`` is not a Redis reply")]
    #[case::sign(":+5\r\n", "`:+5` is not a Redis reply")]
    #[case::length("$-2\r\n", "`$-2` is not a Redis reply")]
    #[case::huge("$99999999999\r\n", "is longer than 1000 bytes")]
    #[case::many("*101\r\n", "is longer than 1000 bytes or 100 values")]
    #[case::deep("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "nested deeper than 8")]
    #[case::longer("$2\r\nabcd\r\n", "longer than its announced length")]
    fn what_is_no_reply_is_refused(#[case] text: &str, #[case] want: &str) {
        let error = reply(text.as_bytes(), LIMITS).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}
