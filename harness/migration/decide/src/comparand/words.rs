//! A statement as tokens, and the columns and constants that stand at a place.

use std::collections::BTreeSet;

use super::super::token::{Kind, Lexer, Token};

/// More tokens than any condition needs; rows of an INSERT are not read to their end.
const MOST: usize = 2_000;

/// Functions of one column whose result is compared in its place.
const TRANSPARENT: [&str; 9] = ["lower", "upper", "trim", "btrim", "ltrim", "rtrim", "coalesce", "date", "any"];

/// The tokens of a statement.
pub(super) struct Words<'a> {
    text: &'a str,
    tokens: Vec<Token>,
}

/// A column, and the keys within it where it is JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Operand {
    pub(super) column: String,
    /// SQL strings, the outermost key first.
    pub(super) keys: Vec<String>,
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Words { text, tokens: Lexer::new(text).take(MOST).collect() }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn word(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| &self.text[token.range.clone()])
    }

    pub(super) fn is(&self, at: usize, word: &str) -> bool {
        self.word(at).eq_ignore_ascii_case(word)
    }

    pub(super) fn are(&self, at: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(nth, word)| self.is(at + nth, word))
    }

    fn is_kind(&self, at: usize, kind: Kind) -> bool {
        self.tokens.get(at).is_some_and(|token| token.kind == kind)
    }

    /// Returns the name at a place, without quotes.
    pub(super) fn name(&self, at: usize) -> Option<String> {
        let is_name = self.is_kind(at, Kind::Word) || self.is_kind(at, Kind::Quoted);
        is_name.then(|| unquoted(self.word(at)))
    }

    /// Returns the SQL string at a place; a body between `$$` is none that a column has.
    pub(super) fn string(&self, at: usize) -> Option<&'a str> {
        let text = self.word(at);
        (self.is_kind(at, Kind::String) && !text.starts_with('$')).then_some(text)
    }

    /// Returns the bodies between `$$`.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &'a str> {
        let text = (0..self.len()).filter(|at| self.is_kind(*at, Kind::String)).map(|at| self.word(at));
        text.filter(|text| text.starts_with('$')).filter_map(|text| {
            let tag = text[1..].find('$')? + 2;
            text.get(tag..text.len() - tag)
        })
    }

    /// Returns the number at a place, with its sign.
    pub(super) fn number(&self, at: usize) -> Option<String> {
        if self.word(at) == "-" && self.is_kind(at + 1, Kind::Number) {
            return Some(format!("-{}", self.word(at + 1)));
        }
        (self.is_kind(at, Kind::Number) && !self.word(at).starts_with('$')).then(|| self.word(at).to_owned())
    }

    /// Returns the constant at a place.
    pub(super) fn constant(&self, at: usize) -> Option<String> {
        self.string(at).map(str::to_owned).or_else(|| self.number(at))
    }

    /// Returns the constants from a place on to the parenthesis or bracket that closes.
    pub(super) fn list(&self, from: usize) -> Vec<String> {
        (from..self.len())
            .take_while(|at| ![")", "]"].contains(&self.word(*at)))
            .filter_map(|at| self.constant(at))
            .collect()
    }

    /// Returns the column that ends in front of a place: `a`, `t.a`, `a::text`, `lower(a)`, `a ->> 'key'`.
    pub(super) fn before(&self, at: usize) -> Option<Operand> {
        let last = at.checked_sub(1)?;
        if last >= 3 && self.are(last - 2, &[":", ":"]) {
            return self.before(last - 2);
        }
        if self.is(last, "not") {
            return self.before(last);
        }
        if self.word(last) == ")" {
            return self.within(self.opening(last)?, last);
        }
        if let Some(key) = self.string(last) {
            let arrow = if self.are(last.checked_sub(2)?, &["-", ">"]) { last - 2 } else { last.checked_sub(3)? };
            if !self.are(arrow, &["-", ">"]) {
                return None;
            }
            let mut found = self.before(arrow)?;
            found.keys.push(key.to_owned());
            return Some(found);
        }
        self.name(last).map(|column| Operand { column, keys: Vec::new() })
    }

    /// Returns the column of a parenthesis, or of a function that is looked through.
    fn within(&self, open: usize, close: usize) -> Option<Operand> {
        let before = open.checked_sub(1);
        // `a::varchar(3)`.
        if let Some(of) = before.filter(|of| *of >= 3 && self.are(of - 2, &[":", ":"])) {
            return self.before(of - 2);
        }
        let function = before.and_then(|at| self.name(at)).unwrap_or_default();
        let is_keyword = ["where", "and", "or", "when", "not", "set", "on"].contains(&function.as_str());
        if !function.is_empty() && !is_keyword && !TRANSPARENT.contains(&function.as_str()) {
            return None;
        }
        let first = (open + 1..close).find(|at| self.word(*at) == ",").unwrap_or(close);
        self.before(first)
    }

    /// Returns the places of `=` that assign: between SET and WHERE, outside of parentheses.
    pub(super) fn assignments(&self) -> BTreeSet<usize> {
        let (mut depth, mut is_setting, mut found) = (0_usize, false, BTreeSet::new());
        for at in 0..self.len() {
            match self.word(at) {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                "=" if depth == 0 && is_setting => drop(found.insert(at)),
                word if depth == 0 && word.eq_ignore_ascii_case("set") => is_setting = true,
                word if depth == 0 && ["where", "from", "when"].iter().any(|end| word.eq_ignore_ascii_case(end)) => {
                    is_setting = false;
                }
                _ => {}
            }
        }
        found
    }

    fn opening(&self, close: usize) -> Option<usize> {
        let mut depth = 0_usize;
        (0..=close).rev().find(|at| {
            match self.word(*at) {
                ")" => depth += 1,
                "(" => depth -= 1,
                _ => {}
            }
            depth == 0
        })
    }

    /// Returns the column that begins at a place, and whether it stands in `ANY (..)`.
    pub(super) fn after(&self, at: usize) -> Option<(String, bool)> {
        let is_any = self.is(at, "any");
        let at = if self.word(at + 1) == "(" && TRANSPARENT.iter().any(|name| self.is(at, name)) { at + 2 } else { at };
        let last = if self.word(at + 1) == "." { at + 2 } else { at };
        let is_call = self.word(last + 1) == "(";
        self.name(last).filter(|_| !is_call).map(|column| (column, is_any))
    }
}

fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_lowercase(),
    }
}
