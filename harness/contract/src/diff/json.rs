//! JSON with lines. The grammar is checked by `serde_json` first, so that this scanner meets sound texts only.

use std::{borrow::Cow, collections::HashSet};

use serde::de::IgnoredAny;

use super::{
    super::{error::ContractError, format::not_json},
    tree::{Datum, Node},
};

/// Reads a JSON text.
pub(super) fn read(text: &str) -> Result<Node<'_>, ContractError> {
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| not_json(text, &error))?;
    let mut scanner = Scanner { text, at: 0, line: 1, next_id: 0, twice: None };
    let root = scanner.node();
    match scanner.twice {
        None => Ok(root),
        Some((key, line)) => {
            let message = format!("the key `{key}` is defined twice");
            Err(ContractError::Syntax { line: u64::from(line), column: 1, message })
        }
    }
}

/// How many keys are compared with each other one by one.
const FEW: usize = 16;

/// Returns the first key that a map has twice, and the line of the second one.
pub(super) fn twice<'t>(entries: &[(Cow<'t, str>, Node<'t>)]) -> Option<(String, u32)> {
    let mut known = HashSet::new();
    let mut is_new = |at: usize, key: &Cow<'t, str>| match entries.len() > FEW {
        true => known.insert(key.clone()),
        false => entries[..at].iter().all(|(other, _)| other != key),
    };
    let found = entries.iter().enumerate().find(|(at, (key, _))| !is_new(*at, key));
    found.map(|(_, (key, node))| (key.to_string(), node.line))
}

struct Scanner<'t> {
    text: &'t str,
    at: usize,
    line: u32,
    next_id: u32,
    /// A key that a map has twice, which readers of JSON take in different ways.
    twice: Option<(String, u32)>,
}

impl<'t> Scanner<'t> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    /// Goes to the next byte that is no blank and no punctuation between values.
    fn skip_blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n' | b',' | b':') {
            self.line += u32::from(self.peek() == b'\n');
            self.at += 1;
        }
    }

    fn node(&mut self) -> Node<'t> {
        self.skip_blanks();
        let (id, line) = (self.next_id, self.line);
        self.next_id += 1;
        let value = match self.peek() {
            b'{' => self.map(),
            b'[' => self.list(),
            b'"' => Datum::Text(self.string()),
            _ => self.word(),
        };
        Node { id, line, value }
    }

    fn map(&mut self) -> Datum<'t> {
        let mut entries = Vec::new();
        self.at += 1;
        loop {
            self.skip_blanks();
            if self.peek() != b'"' {
                break;
            }
            let line = self.line;
            let key = self.string();
            let mut node = self.node();
            // A member is where its key is, as a person looks for it.
            node.line = line;
            entries.push((key, node));
        }
        self.at += 1;
        entries.shrink_to_fit();
        self.twice = self.twice.take().or_else(|| twice(&entries));
        Datum::Map(entries)
    }

    fn list(&mut self) -> Datum<'t> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.skip_blanks();
            if matches!(self.peek(), b']' | 0) {
                break;
            }
            items.push(self.node());
        }
        self.at += 1;
        items.shrink_to_fit();
        Datum::List(items)
    }

    fn string(&mut self) -> Cow<'t, str> {
        let start = self.at;
        let (mut end, mut escaped) = (start + 1, false);
        let bytes = self.text.as_bytes();
        while end < bytes.len() && bytes[end] != b'"' {
            escaped |= bytes[end] == b'\\';
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        self.at = end + 1;
        if escaped {
            let quoted = self.text.get(start..self.at).unwrap_or_default();
            return Cow::Owned(serde_json::from_str(quoted).unwrap_or_default());
        }
        Cow::Borrowed(self.text.get(start + 1..end).unwrap_or_default())
    }

    fn word(&mut self) -> Datum<'t> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
        // At least one byte, so that no text can hold the scanner.
        self.at += len.max(1);
        match rest.get(..len).unwrap_or_default() {
            "null" | "" => Datum::Null,
            "true" => Datum::Bool(true),
            "false" => Datum::Bool(false),
            number => Datum::Number(Cow::Borrowed(number)),
        }
    }
}
