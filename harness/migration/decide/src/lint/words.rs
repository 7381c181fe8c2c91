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

    /// Returns the name at `at`, without quotes.
    pub(super) fn part(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at)?;
        let text = &self.text[token.range.clone()];
        match token.kind {
            Kind::Word => Some(text.to_lowercase()),
            Kind::Quoted => Some(text.trim_matches('"').replace("\"\"", "\"")),
            _ => None,
        }
    }

    /// Returns the name of a table at `at`, `public.` put before one without a schema.
    pub(super) fn name(&self, at: usize) -> Option<String> {
        self.name_in("public", at)
    }

    fn name_in(&self, schema: &str, at: usize) -> Option<String> {
        let first = self.part(at)?;
        match self.is(at + 1, ".").then(|| self.part(at + 2)).flatten() {
            Some(second) => Some(format!("{first}.{second}")),
            None => Some(format!("{schema}.{first}")),
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

    /// Returns the tables that the statement makes, materialized views included.
    pub(super) fn created_tables(&self) -> Vec<String> {
        if self.are(0, &["create", "schema"]) {
            return self.tables_of_schema();
        }
        let table = match self.first() {
            "create" if self.are(1, &["materialized", "view"]) => Some(3),
            "create" => self.position("table", 1).filter(|at| *at <= 3).map(|at| at + 1),
            "select" | "with" => self.selected_into(),
            _ => None,
        };
        table.and_then(|at| self.name(self.behind_if_not_exists(at))).into_iter().collect()
    }

    /// The elements of `CREATE SCHEMA` are made in that schema.
    fn tables_of_schema(&self) -> Vec<String> {
        let at = self.behind_if_not_exists(2);
        let Some(schema) = self.part(at + usize::from(self.is(at, "authorization"))) else { return Vec::new() };
        let created = (at..self.len()).filter(|at| self.is(*at, "create"));
        let table = |at: usize| self.position("table", at + 1).filter(|table| *table <= at + 3).map(|table| table + 1);
        created.filter_map(|at| self.name_in(&schema, self.behind_if_not_exists(table(at)?))).collect()
    }

    /// Returns the place of the name in `SELECT .. INTO name`.
    fn selected_into(&self) -> Option<usize> {
        let into = self.outside(0..self.len()).find(|at| self.is(*at, "into"))?;
        let is_before_name = |word: &str| ["temporary", "temp", "unlogged", "table"].contains(&word);
        (into + 1..self.len()).find(|at| !is_before_name(&self.lower[*at]))
    }

    fn behind_if_not_exists(&self, at: usize) -> usize {
        if self.are(at, &["if", "not", "exists"]) { at + 3 } else { at }
    }

    /// Returns the place of the table's name in `ALTER TABLE`.
    pub(super) fn altered_table(&self) -> Option<usize> {
        let mut at = self.follows(&["alter", "table"])?;
        if self.are(at, &["if", "exists"]) {
            at += 2;
        }
        Some(at + usize::from(self.is(at, "only")))
    }

    /// Returns a table's name before and after `ALTER TABLE .. RENAME TO` or `SET SCHEMA`.
    pub(super) fn renamed_table(&self) -> Option<(String, String)> {
        let at = self.altered_table()?;
        let (old, rest) = (self.name(at)?, at + self.name_length(at));
        let (schema, name) = old.split_once('.')?;
        let new = if self.are(rest, &["rename", "to"]) {
            format!("{schema}.{}", self.part(rest + 2)?)
        } else if self.are(rest, &["set", "schema"]) {
            format!("{}.{name}", self.part(rest + 2)?)
        } else {
            return None;
        };
        Some((old, new))
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

    /// Returns the places outside of parentheses.
    pub(super) fn outside(&self, range: Range<usize>) -> impl Iterator<Item = usize> {
        let mut depth = 0_usize;
        range.filter(move |at| {
            match self.lower.get(*at).map(String::as_str) {
                Some("(") => depth += 1,
                Some(")") => depth = depth.saturating_sub(1),
                _ => return depth == 0,
            }
            false
        })
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
