//! The stream of a COPY with some columns replaced. Pieces may end anywhere; what is not whole waits.

use super::{key::Key, mask::Mask};
use crate::sync::Format;

/// The stream is not what a server sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rows of a COPY cannot be read: {0}")]
pub struct StreamError(&'static str);

impl StreamError {
    pub(crate) const fn new(reason: &'static str) -> Self {
        StreamError(reason)
    }
}

// Source: PostgreSQL manual, COPY, binary format: signature, flags, length of the extension.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const HEAD: usize = SIGNATURE.len() + 8;

/// Replaces columns of a stream.
#[derive(Debug)]
pub struct Rewriter<'a> {
    key: &'a Key,
    masks: &'a [Option<Mask>],
    format: Format,
    has_begun: bool,
    has_ended: bool,
    waiting: Vec<u8>,
    field: Vec<u8>,
}

impl<'a> Rewriter<'a> {
    /// Makes one for a stream with one place in `masks` for each column.
    #[must_use]
    pub fn new(key: &'a Key, masks: &'a [Option<Mask>], format: Format) -> Self {
        let (waiting, field) = (Vec::new(), Vec::new());
        Rewriter { key, masks, format, has_begun: false, has_ended: false, waiting, field }
    }

    /// Takes a piece and writes what is whole.
    ///
    /// # Errors
    /// [`StreamError`] where it is no such stream; nothing of it may be used then.
    pub fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), StreamError> {
        if self.waiting.is_empty() {
            let used = self.take(piece, out)?;
            self.waiting.extend_from_slice(&piece[used..]);
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.waiting);
        all.extend_from_slice(piece);
        let used = self.take(&all, out)?;
        all.drain(..used);
        self.waiting = all;
        Ok(())
    }

    /// Returns whether the stream ended with a whole row.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.waiting.is_empty() && (self.format == Format::Text || self.has_ended)
    }

    fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, StreamError> {
        match self.format {
            Format::Binary => self.binary(bytes, out),
            Format::Text => self.text(bytes, out),
        }
    }

    fn binary(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, StreamError> {
        let mut at = 0;
        if !self.has_begun {
            if bytes.len() < HEAD {
                return Ok(0);
            }
            if !bytes.starts_with(SIGNATURE) || bytes[SIGNATURE.len()..HEAD] != [0; 8] {
                return Err(StreamError("it does not begin as one"));
            }
            out.extend_from_slice(&bytes[..HEAD]);
            (self.has_begun, at) = (true, HEAD);
        }
        while at < bytes.len() {
            let start = out.len();
            let Some(used) = self.row(&bytes[at..], out)? else {
                out.truncate(start);
                break;
            };
            at += used;
        }
        Ok(at)
    }

    /// Writes one row; `None` where it is not whole.
    fn row(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Option<usize>, StreamError> {
        let Some(count) = bytes.first_chunk::<2>().map(|two| i16::from_be_bytes(*two)) else { return Ok(None) };
        out.extend_from_slice(&bytes[..2]);
        if count == -1 {
            self.has_ended = true;
            return Ok(Some(2));
        }
        if usize::try_from(count) != Ok(self.masks.len()) {
            return Err(StreamError("a row has another number of columns"));
        }
        let mut at = 2;
        for mask in self.masks {
            let Some(size) = bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(i32::from_be_bytes) else {
                return Ok(None);
            };
            let end = at + 4 + usize::try_from(size).unwrap_or_default();
            let Some(field) = bytes.get(at..end) else { return Ok(None) };
            match mask {
                Some(mask) if size >= 0 => {
                    self.field.clear();
                    mask.apply(self.key, &field[4..], &mut self.field);
                    let size = i32::try_from(self.field.len()).map_err(|_| StreamError("a value is too long"))?;
                    out.extend_from_slice(&size.to_be_bytes());
                    out.extend_from_slice(&self.field);
                }
                _ => out.extend_from_slice(field),
            }
            at = end;
        }
        Ok(Some(at))
    }

    fn text(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, StreamError> {
        let mut at = 0;
        while let Some(length) = bytes[at..].iter().position(|byte| *byte == b'\n') {
            let line = &bytes[at..at + length];
            let fields: Vec<&[u8]> = line.split(|byte| *byte == b'\t').collect();
            if fields.len() != self.masks.len() {
                return Err(StreamError("a line has another number of columns"));
            }
            for (number, (field, mask)) in fields.iter().zip(self.masks).enumerate() {
                if number > 0 {
                    out.push(b'\t');
                }
                match mask {
                    Some(mask) if *field != b"\\N" => {
                        self.field.clear();
                        mask.apply(self.key, &unescaped(field), &mut self.field);
                        escape(&self.field, out);
                    }
                    _ => out.extend_from_slice(field),
                }
            }
            out.push(b'\n');
            at += length + 1;
        }
        Ok(at)
    }
}

// Source: PostgreSQL manual, COPY, text format: what follows a backslash.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        let plain = match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'r') => b'\r',
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'v') => 11,
                Some(other) => *other,
                None => b'\\',
            },
            other => *other,
        };
        out.push(plain);
    }
    out
}

fn escape(value: &[u8], out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            other => out.push(*other),
        }
    }
}
