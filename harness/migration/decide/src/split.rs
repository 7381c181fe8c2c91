//! Cuts a script into statements at the semicolons that end one, as psql does.
//!
//! A semicolon inside of quotes, comments, dollar quotes, parentheses or a `BEGIN ATOMIC` body ends nothing. The lines
//! behind `COPY .. FROM STDIN;` are its data, up to the line `\.`.
// Source: PostgreSQL's psqlscan: its rule for BEGIN .. END inside of CREATE FUNCTION and PROCEDURE counts words alike.

use std::ops::Range;

use super::{
    statement::{Statement, Trait},
    token::{Kind, Lexer, Token},
};

/// Words that are kept of a statement: enough to know what it is.
const KEPT_WORDS: usize = 12;

/// Returns the statements of a text whose first line is `first_line` of its file.
#[must_use]
pub fn statements(text: &str, first_line: usize) -> Vec<Statement> {
    let mut cutter = Cutter::new(text, first_line);
    while let Some(token) = cutter.lexer.next() {
        cutter.take(token);
    }
    cutter.end(text.len());
    cutter.found
}

struct Cutter<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    found: Vec<Statement>,
    open: Open,
    /// Where lines were last counted, and the line there.
    counted: (usize, usize),
}

/// The statement that has begun.
#[derive(Default)]
struct Open {
    start: Option<usize>,
    end: usize,
    words: Vec<Range<usize>>,
    last_word: Range<usize>,
    reads_stdin: bool,
    detaches: bool,
    parentheses: usize,
    bodies: usize,
    body: Option<Range<usize>>,
    unterminated: Option<&'static str>,
}

impl<'a> Cutter<'a> {
    fn new(text: &'a str, first_line: usize) -> Self {
        let open = Open::default();
        Cutter { text, lexer: Lexer::new(text), found: Vec::new(), open, counted: (0, first_line) }
    }

    fn word(&self, range: &Range<usize>) -> &'a str {
        &self.text[range.clone()]
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.open.words.get(at).is_some_and(|range| self.word(range).eq_ignore_ascii_case(word))
    }

    fn take(&mut self, token: Token) {
        match token.kind {
            Kind::Symbol(b';') if self.open.parentheses == 0 && self.open.bodies == 0 => {
                return self.end(token.range.start);
            }
            Kind::Meta => return self.meta(&token.range),
            Kind::Symbol(b'(') => self.open.parentheses += 1,
            Kind::Symbol(b')') => self.open.parentheses = self.open.parentheses.saturating_sub(1),
            Kind::Word => self.take_word(&token.range),
            Kind::String if self.is(0, "do") => self.open.body = Some(token.range.clone()),
            Kind::Unterminated(what) => self.open.unterminated = Some(what),
            _ => {}
        }
        self.open.start.get_or_insert(token.range.start);
        self.open.end = token.range.end;
    }

    fn take_word(&mut self, range: &Range<usize>) {
        if self.open.words.len() < KEPT_WORDS {
            self.open.words.push(range.clone());
        }
        let word = self.word(range);
        if self.open.parentheses == 0 && self.creates_routine() {
            match word {
                _ if word.eq_ignore_ascii_case("begin") => self.open.bodies += 1,
                _ if word.eq_ignore_ascii_case("case") && self.open.bodies > 0 => self.open.bodies += 1,
                _ if word.eq_ignore_ascii_case("end") => self.open.bodies = self.open.bodies.saturating_sub(1),
                _ => {}
            }
        }
        if word.eq_ignore_ascii_case("stdin") && self.word(&self.open.last_word).eq_ignore_ascii_case("from") {
            self.open.reads_stdin = true;
        }
        self.open.detaches |= word.eq_ignore_ascii_case("concurrently") && self.is(0, "alter");
        self.open.last_word = range.clone();
    }

    fn creates_routine(&self) -> bool {
        let at = if self.is(1, "or") && self.is(2, "replace") { 3 } else { 1 };
        self.is(0, "create") && (self.is(at, "function") || self.is(at, "procedure"))
    }

    /// A command of psql stands by itself; `\g` and its kin end the statement before them.
    fn meta(&mut self, range: &Range<usize>) {
        let line = self.word(range);
        let name: String = line[1..].chars().take_while(|c| !c.is_ascii_whitespace()).collect();
        if matches!(name.as_str(), "g" | "gx" | "gset" | "gexec" | "gdesc" | "crosstabview" | "watch") {
            self.end(range.start);
        }
        let text = line.trim_ascii_end();
        let line = self.line(range.start);
        self.found.push(Statement {
            range: range.start..range.start + text.len(),
            line,
            traits: vec![Trait::MetaCommand(name)],
        });
    }

    fn end(&mut self, at: usize) {
        let open = std::mem::take(&mut self.open);
        let Some(start) = open.start else { return };
        let line = self.line(start);
        let range = start..open.end;
        let mut traits = self.traits(&open);
        if open.reads_stdin && open.words.first().is_some_and(|word| self.word(word).eq_ignore_ascii_case("copy")) {
            let data = self.copy_data(at + 1);
            traits.push(Trait::CopyFromStdin(data));
        }
        self.lexer.escapes = escapes_after(self.word(&range)).unwrap_or(self.lexer.escapes);
        self.found.push(Statement { range, line, traits });
    }

    fn line(&mut self, at: usize) -> usize {
        let (from, line) = self.counted;
        let breaks = |range: Range<usize>| self.text.as_bytes()[range].iter().filter(|b| **b == b'\n').count();
        // A command of psql inside of a statement is reported before the statement.
        self.counted = if at >= from { (at, line + breaks(from..at)) } else { (at, line - breaks(at..from)) };
        self.counted.1
    }

    /// Takes the lines behind a COPY as its data.
    fn copy_data(&mut self, behind: usize) -> Range<usize> {
        let start =
            self.text.get(behind..).and_then(|rest| rest.find('\n')).map_or(self.text.len(), |at| behind + at + 1);
        let mut at = start;
        for line in self.text[start..].split_inclusive('\n') {
            if line.trim_end_matches(['\r', '\n']) == "\\." {
                self.lexer.jump(at + line.len());
                return start..at;
            }
            at += line.len();
        }
        self.lexer.jump(at);
        start..at
    }

    fn traits(&self, open: &Open) -> Vec<Trait> {
        let words: Vec<String> = open.words.iter().map(|word| self.word(word).to_ascii_lowercase()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut traits = Vec::new();
        let commits = |body: &Range<usize>| may_commit(self.word(body));
        if controls_transaction(&words) || open.body.as_ref().is_some_and(commits) || words.first() == Some(&"call") {
            traits.push(Trait::TransactionControl);
        }
        if is_concurrent(&words) || open.detaches && words.contains(&"detach") {
            traits.push(Trait::Concurrently);
        }
        if runs_outside(&words) {
            traits.push(Trait::OutsideTransaction);
        }
        if let Some(what) = open.unterminated {
            traits.push(Trait::Unterminated(what));
        } else if open.bodies > 0 {
            traits.push(Trait::Unterminated("BEGIN ATOMIC body"));
        }
        traits
    }
}

/// Returns whether a statement ends or begins a transaction; savepoints stay within one.
fn controls_transaction(words: &[&str]) -> bool {
    match words {
        ["begin" | "commit" | "end" | "abort", ..] | ["start" | "prepare", "transaction", ..] => true,
        ["rollback", rest @ ..] => !rest.contains(&"to"),
        _ => false,
    }
}

/// Returns whether the body of a DO block or procedure has a word that ends a transaction.
fn may_commit(body: &str) -> bool {
    let inner = body.trim_matches(|c: char| c == '$' || c.is_alphanumeric() || c == '_' || c == '\'');
    Lexer::new(inner).any(|token| {
        let word = &inner[token.range.clone()];
        token.kind == Kind::Word && (word.eq_ignore_ascii_case("commit") || word.eq_ignore_ascii_case("rollback"))
    })
}

// REFRESH MATERIALIZED VIEW CONCURRENTLY is left out: it may stand in a transaction.
fn is_concurrent(words: &[&str]) -> bool {
    let index = matches!(words, ["create", "index", ..] | ["create", "unique", "index", ..] | ["drop", "index", ..]);
    (index || words.first() == Some(&"reindex")) && words.contains(&"concurrently")
}

fn runs_outside(words: &[&str]) -> bool {
    matches!(
        words,
        ["vacuum", ..]
            | ["create" | "drop", "database" | "tablespace", ..]
            | ["alter", "system", ..]
            | ["create" | "drop", "subscription", ..]
            | ["reindex", "database" | "system" | "schema", ..]
    )
}

/// Returns whether a statement turns `standard_conforming_strings` off (then a backslash escapes) or on.
fn escapes_after(statement: &str) -> Option<bool> {
    if statement.len() > 120 {
        return None;
    }
    let lower = statement.to_ascii_lowercase();
    let value = lower.strip_prefix("set")?.split_once("standard_conforming_strings")?.1;
    let value =
        value.trim_start_matches([' ', '=', '\t', '\n', '\'']).trim_start_matches("to ").trim_matches([' ', '\'']);
    match value {
        "off" | "false" | "0" | "no" => Some(true),
        "on" | "true" | "1" | "yes" => Some(false),
        _ => None,
    }
}

/// Returns whether a statement changes nothing: BEGIN, COMMIT, or a SELECT of constants.
pub(super) fn is_idle(statement: &str) -> bool {
    let mut tokens = Lexer::new(statement);
    let Some(first) = tokens.next() else { return true };
    if first.kind != Kind::Word {
        return false;
    }
    match statement[first.range].to_ascii_lowercase().as_str() {
        "begin" | "commit" | "end" | "rollback" | "abort" => true,
        "start" => statement.len() < 80,
        "select" => tokens.all(|token| match token.kind {
            Kind::Number | Kind::String | Kind::Symbol(b',' | b'+' | b'-') => true,
            Kind::Word => {
                let word = statement[token.range].to_ascii_lowercase();
                matches!(word.as_str(), "null" | "true" | "false")
            }
            _ => false,
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod properties;
