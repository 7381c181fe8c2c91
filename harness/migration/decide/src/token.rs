//! Cuts SQL into tokens, as PostgreSQL and psql do.
//!
//! Comments and blanks are left out. A string, a quoted name or a dollar-quoted body is one token, whatever stands in it.
// Source: PostgreSQL manual, 4.1 (lexical structure).

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key word or a name without quotes.
    Word,
    /// A name in double quotes.
    Quoted,
    /// A string constant of any form, a dollar-quoted one too.
    String,
    /// A number or a parameter.
    Number,
    /// Anything else, one character.
    Symbol(u8),
    /// A command of psql, to the end of its line.
    Meta,
    /// A quote or comment that never ends.
    Unterminated(&'static str),
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
}

/// Reads tokens one after the other.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// A backslash escapes in a plain string: `standard_conforming_strings` is off.
    pub(super) escapes: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Lexer { text, at: 0, escapes: false }
    }

    /// Goes on at a byte.
    pub(super) fn jump(&mut self, to: usize) {
        self.at = to;
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn offset(&self, from: usize, what: &str) -> Option<usize> {
        self.text.get(from..)?.find(what).map(|found| from + found)
    }

    fn while_at(&self, mut at: usize, holds: fn(u8) -> bool) -> usize {
        while self.byte(at).is_some_and(holds) {
            at += 1;
        }
        at
    }

    fn token(&mut self, kind: Kind, end: usize) -> Option<Token> {
        let range = self.at..end;
        self.at = end;
        Some(Token { kind, range })
    }

    fn until(&mut self, end: Option<usize>, kind: Kind, what: &'static str) -> Option<Token> {
        match end {
            Some(end) => self.token(kind, end),
            None => self.token(Kind::Unterminated(what), self.text.len()),
        }
    }

    /// Skips blanks and comments; gives the start of a block comment that never ends.
    fn skip_blank(&mut self) -> Option<usize> {
        loop {
            self.at = self.while_at(self.at, |b| b.is_ascii_whitespace() || b == 0x0b);
            if self.text[self.at..].starts_with('\u{feff}') {
                self.at += '\u{feff}'.len_utf8();
                continue;
            }
            match (self.byte(self.at), self.byte(self.at + 1)) {
                (Some(b'-'), Some(b'-')) => self.at = self.offset(self.at, "\n").unwrap_or(self.text.len()),
                (Some(b'/'), Some(b'*')) => match self.comment_end(self.at) {
                    Some(end) => self.at = end,
                    None => return Some(self.at),
                },
                _ => return None,
            }
        }
    }

    /// Finds the end of a block comment; they nest.
    fn comment_end(&self, start: usize) -> Option<usize> {
        let (mut depth, mut at) = (0_usize, start);
        loop {
            match (self.byte(at)?, self.byte(at + 1)) {
                (b'/', Some(b'*')) => (depth, at) = (depth + 1, at + 2),
                (b'*', Some(b'/')) if depth == 1 => return Some(at + 2),
                (b'*', Some(b'/')) => (depth, at) = (depth - 1, at + 2),
                _ => at += 1,
            }
        }
    }

    /// Finds the byte behind a closing quote; `quote` stands at `start`, two of them are one within.
    fn quote_end(&self, start: usize, quote: u8, escapes: bool) -> Option<usize> {
        let mut at = start + 1;
        loop {
            match self.byte(at)? {
                b'\\' if escapes => at += 2,
                found if found == quote && self.byte(at + 1) == Some(quote) => at += 2,
                found if found == quote => return Some(at + 1),
                _ => at += 1,
            }
        }
    }

    /// Reads a string, also one that goes on after a line break.
    fn string(&mut self, quote: usize, escapes: bool) -> Option<Token> {
        let Some(mut end) = self.quote_end(quote, b'\'', escapes) else {
            return self.until(None, Kind::String, "string");
        };
        while let Some(next) = self.continued(end) {
            match self.quote_end(next, b'\'', escapes) {
                Some(found) => end = found,
                None => return self.until(None, Kind::String, "string"),
            }
        }
        self.token(Kind::String, end)
    }

    fn continued(&self, end: usize) -> Option<usize> {
        let next = self.while_at(end, |b| b.is_ascii_whitespace());
        let breaks = self.text.as_bytes()[end..next].contains(&b'\n');
        (breaks && self.byte(next) == Some(b'\'')).then_some(next)
    }

    /// Reads `$tag$ .. $tag$`, `$1`, or a lone dollar.
    fn dollar(&mut self) -> Option<Token> {
        let start = self.at;
        let tag_end = self.while_at(start + 1, is_tag);
        let digit = self.byte(start + 1).is_some_and(|b| b.is_ascii_digit());
        if digit {
            return self.token(Kind::Number, self.while_at(start + 1, |b| b.is_ascii_digit()));
        }
        if self.byte(tag_end) != Some(b'$') {
            return self.token(Kind::Symbol(b'$'), start + 1);
        }
        let tag = &self.text[start..=tag_end];
        let end = self.offset(tag_end + 1, tag).map(|found| found + tag.len());
        self.until(end, Kind::String, "dollar-quoted body")
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        if self.skip_blank().is_some() {
            return self.until(None, Kind::String, "comment");
        }
        let (first, second) = (self.byte(self.at)?, self.byte(self.at + 1));
        match (first, second) {
            (b'\'', _) => self.string(self.at, self.escapes),
            (b'e' | b'E', Some(b'\'')) => self.string(self.at + 1, true),
            (b'b' | b'B' | b'x' | b'X' | b'n' | b'N', Some(b'\'')) => self.string(self.at + 1, false),
            (b'u' | b'U', Some(b'&')) if self.byte(self.at + 2) == Some(b'\'') => self.string(self.at + 2, false),
            (b'u' | b'U', Some(b'&')) if self.byte(self.at + 2) == Some(b'"') => {
                let end = self.quote_end(self.at + 2, b'"', false);
                self.until(end, Kind::Quoted, "quoted name")
            }
            (b'"', _) => {
                let end = self.quote_end(self.at, b'"', false);
                self.until(end, Kind::Quoted, "quoted name")
            }
            (b'$', _) => self.dollar(),
            (b'\\', _) => {
                let end = self.offset(self.at, "\n").unwrap_or(self.text.len());
                self.token(Kind::Meta, end)
            }
            (first, _) if starts_word(first) => self.token(Kind::Word, self.while_at(self.at, is_word)),
            (first, _) if first.is_ascii_digit() => {
                let end = self.while_at(self.at, |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
                self.token(Kind::Number, end)
            }
            (first, _) => self.token(Kind::Symbol(first), self.at + 1),
        }
    }
}

fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_tag(byte: u8) -> bool {
    starts_word(byte) || byte.is_ascii_digit()
}

fn is_word(byte: u8) -> bool {
    is_tag(byte) || byte == b'$'
}
