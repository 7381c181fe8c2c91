//! A statement as words, for rules to look at.

use std::ops::Range;

use super::super::token::{Kind, Lexer, Token};

/// The tokens of a statement, key words in small letters.
pub(super) struct Words<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    lower: Vec<String>,
}

/// More tokens than any statement of DDL that a rule looks at; rows of an INSERT are not read to their end.
const MOST: usize = 2_000;

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let tokens: Vec<Token> = Lexer::new(text).take(MOST).collect();
        let lower = tokens
            .iter()
            .map(|token| match token.kind {
                Kind::Word | Kind::Symbol(_) => text[token.range.clone()].to_ascii_lowercase(),
                // Neither a quoted name nor a string is ever a key word.
                _ => String::new(),
            })
            .collect();
        Words { text, tokens, lower }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn first(&self) -> &str {
        self.lower.first().map_or("", String::as_str)
    }

    pub(super) fn is(&self, at: usize, word: &str) -> bool {
        self.lower.get(at).is_some_and(|found| found == word)
    }

    /// Returns whether words follow each other from `at` on.
    pub(super) fn are(&self, at: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(index, word)| self.is(at + index, word))
    }

    /// Returns the place behind these words, where the statement begins with them.
    pub(super) fn follows(&self, words: &[&str]) -> Option<usize> {
        self.are(0, words).then_some(words.len())
    }

    /// Returns the place of a word from `from` on.
    pub(super) fn position(&self, word: &str, from: usize) -> Option<usize> {
        (from..self.len()).find(|at| self.is(*at, word))
    }

    pub(super) fn has(&self, word: &str, range: Range<usize>) -> bool {
        range.into_iter().any(|at| self.is(at, word))
    }

    /// Returns the name of a table at `at`, `public.` put before one without a schema.
    pub(super) fn name(&self, at: usize) -> Option<String> {
        let part = |at: usize| {
            let token = self.tokens.get(at)?;
            let text = &self.text[token.range.clone()];
            match token.kind {
                Kind::Word => Some(text.to_lowercase()),
                Kind::Quoted => Some(text.trim_matches('"').replace("\"\"", "\"")),
                _ => None,
            }
        };
        let first = part(at)?;
        match self.is(at + 1, ".").then(|| part(at + 2)).flatten() {
            Some(second) => Some(format!("{first}.{second}")),
            None => Some(format!("public.{first}")),
        }
    }

    /// Returns how many tokens the name at `at` takes.
    pub(super) fn name_length(&self, at: usize) -> usize {
        if self.is(at + 1, ".") { 3 } else { 1 }
    }

    pub(super) fn has_string(&self, literal: &str) -> bool {
        self.tokens.iter().any(|token| token.kind == Kind::String && &self.text[token.range.clone()] == literal)
    }

    pub(super) fn sets_lock_timeout(&self) -> bool {
        self.first() == "set" && self.has("lock_timeout", 1..3)
            || self.first() == "select" && self.is(1, "set_config") && self.has_string("'lock_timeout'")
    }

    /// Returns the table that the statement makes.
    pub(super) fn created_table(&self) -> Option<String> {
        let table = self.position("table", 1).filter(|at| *at <= 3 && self.first() == "create")?;
        let at = if self.are(table + 1, &["if", "not", "exists"]) { table + 4 } else { table + 1 };
        self.name(at)
    }

    /// Returns the literal of the value that `ALTER TYPE .. ADD VALUE` adds.
    pub(super) fn added_enum_value(&self) -> Option<String> {
        let at = self.follows(&["alter", "type"])?;
        let add = at + self.name_length(at);
        if !self.are(add, &["add", "value"]) {
            return None;
        }
        let value = if self.are(add + 2, &["if", "not", "exists"]) { add + 5 } else { add + 2 };
        let token = self.tokens.get(value).filter(|token| token.kind == Kind::String)?;
        Some(self.text[token.range.clone()].to_owned())
    }

    /// Returns the parts between commas outside of parentheses, from `from` on.
    pub(super) fn parts(&self, from: usize) -> Vec<Range<usize>> {
        let (mut parts, mut start, mut depth) = (Vec::new(), from, 0_usize);
        for at in from..self.len() {
            match self.lower[at].as_str() {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                "," if depth == 0 => {
                    parts.push(start..at);
                    start = at + 1;
                }
                _ => {}
            }
        }
        parts.push(start..self.len());
        parts
    }
}
