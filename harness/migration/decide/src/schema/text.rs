//! The snapshot: a schema as text that can be committed and read as a diff by line.
//!
//! A thing is a line `[kind name]`, its attributes and parts are indented below it, everything is sorted. A text of
//! several lines stands below its attribute, each line after a `|`.

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
};

use super::{Fact, Facts, Id, Kind};

const HEAD: &str = "# schema snapshot of stagegate, format 1";
const UNMODELLED: &str = "# not modelled: ";

/// A snapshot that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}; write it again with `gate schema accept`")]
pub struct SnapshotError {
    line: usize,
    reason: String,
}

/// Returns where the snapshot of a database is committed; `root` is the folder of stagegate.toml.
#[must_use]
pub fn snapshot_path(root: &Path, database: &str) -> PathBuf {
    root.join("snapshots/schema").join(format!("{database}.txt"))
}

/// Writes a schema.
#[must_use]
pub fn write(facts: &Facts) -> String {
    let mut out = format!("{HEAD}\n");
    for (catalog, count) in facts.unmodelled() {
        let _ = writeln!(out, "{UNMODELLED}{catalog} {count}");
    }
    for id in facts.children(None) {
        out.push('\n');
        put(&mut out, facts, id, 0);
    }
    out
}

fn put(out: &mut String, facts: &Facts, id: &Id, depth: usize) {
    let Some(fact) = facts.get(id) else { return };
    let indent = "  ".repeat(depth);
    let _ = writeln!(out, "{indent}{}", head(id));
    for (key, value) in &fact.payload {
        let value = escaped(value);
        let key = escaped_key(key);
        if value.contains('\n') {
            let _ = writeln!(out, "{indent}  {key}:");
            for line in value.split('\n') {
                let _ = writeln!(out, "{indent}    |{line}");
            }
        } else {
            let _ = writeln!(out, "{indent}  {key}: {value}");
        }
    }
    for child in facts.children(Some(id)) {
        put(out, facts, child, depth + 1);
    }
}

/// Returns the line of a snapshot, from 1, that tells of a thing.
#[must_use]
pub fn line_of(text: &str, id: &Id) -> Option<usize> {
    let wanted = head(id);
    text.lines().position(|line| line.trim_start() == wanted).map(|index| index + 1)
}

fn head(id: &Id) -> String {
    format!("[{} {}]", id.kind, escaped(&id.name).replace('\n', "\\n"))
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// [`SnapshotError`] with the line that is none.
pub fn parse(text: &str) -> Result<Facts, SnapshotError> {
    let mut read = Reader::default();
    for (number, line) in text.lines().enumerate() {
        read.line(line).map_err(|reason| SnapshotError { line: number + 1, reason })?;
    }
    if !read.has_head {
        return Err(SnapshotError { line: 1, reason: format!("a snapshot begins with `{HEAD}`") });
    }
    read.end_block();
    Ok(Facts::new(read.facts, read.unmodelled))
}

#[derive(Default)]
struct Reader {
    has_head: bool,
    facts: Vec<Fact>,
    /// The things that the current line is within, outermost first.
    open: Vec<Id>,
    unmodelled: BTreeMap<String, u64>,
    block: Option<(String, Vec<String>)>,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let text = line.trim_start_matches(' ');
        if let Some((_, lines)) = &mut self.block
            && let Some(more) = text.strip_prefix('|')
        {
            lines.push(unescaped(more));
            return Ok(());
        }
        self.end_block();
        let depth = (line.len() - text.len()) / 2;
        match text {
            "" => Ok(()),
            _ if text == HEAD => {
                self.has_head = true;
                Ok(())
            }
            _ if text.starts_with(UNMODELLED) => self.count(&text[UNMODELLED.len()..]),
            _ if text.starts_with('#') => Ok(()),
            _ if text.starts_with('[') => self.fact(text, depth),
            _ => self.attribute(text),
        }
    }

    fn count(&mut self, text: &str) -> Result<(), String> {
        let (catalog, count) = text.rsplit_once(' ').ok_or("a count is missing")?;
        self.unmodelled.insert(catalog.to_owned(), count.parse().map_err(|_| format!("`{count}` is not a number"))?);
        Ok(())
    }

    fn fact(&mut self, text: &str, depth: usize) -> Result<(), String> {
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or("`]` is missing")?;
        let kind = Kind::ALL.iter().filter(|kind| begins(inner, kind.word())).max_by_key(|kind| kind.word().len());
        let kind = *kind.ok_or_else(|| format!("`{inner}` does not start with a known kind"))?;
        if depth > self.open.len() {
            return Err("it is indented more than a part of the line above".to_owned());
        }
        self.open.truncate(depth);
        let id = Id::new(kind, unescaped(&inner[kind.word().len() + 1..]));
        self.facts.push(Fact { id: id.clone(), parent: self.open.last().cloned(), payload: BTreeMap::new() });
        self.open.push(id);
        Ok(())
    }

    fn attribute(&mut self, text: &str) -> Result<(), String> {
        let (key, value) = text.split_once(':').ok_or_else(|| format!("`{text}` is not an attribute"))?;
        let fact = self.facts.last_mut().ok_or("an attribute comes before the first object")?;
        fact.payload.insert(unescaped(key), unescaped(value.strip_prefix(' ').unwrap_or(value)));
        if value.is_empty() {
            self.block = Some((unescaped(key), Vec::new()));
        }
        Ok(())
    }

    fn end_block(&mut self) {
        if let Some((key, lines)) = self.block.take()
            && let Some(fact) = self.facts.last_mut()
        {
            fact.payload.insert(key, lines.join("\n"));
        }
    }
}

fn begins(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|rest| rest.starts_with(' '))
}

/// Writes what a text file or a reader's eye would lose: a backslash, controls, marks of direction.
fn escaped(text: &str) -> String {
    if !text.chars().any(|c| c == '\\' || needs_escape(c)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\r' => out.push_str("\\r"),
            c if needs_escape(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Writes an attribute's name so that its line is no other kind of line and ends at the right colon.
fn escaped_key(key: &str) -> String {
    let key = escaped(key).replace('\n', "\\n").replace(':', "\\u{3a}");
    match key.chars().next() {
        Some(first @ ('[' | '#' | '|' | ' ')) => format!("\\u{{{:x}}}{}", u32::from(first), &key[1..]),
        _ => key,
    }
}

fn needs_escape(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn unescaped(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, c == '\\') {
            (_, false) => out.push(c),
            (_, true) => match rest.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('u') => {
                    let code: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    out.extend(u32::from_str_radix(&code, 16).ok().and_then(char::from_u32));
                }
                Some(other) => out.push(other),
                None => {}
            },
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_of_any_name_is_read_as_it_was_written() {
        for key in
            ["a:b", "a: b", "two\nlines", "[table x]", "# not modelled: x 1", "|", " indented", "\\n", "", "\u{3}:"]
        {
            let payload = BTreeMap::from([(key.to_owned(), "a value: \\ of\ntwo lines".to_owned())]);
            let id = Id::new(Kind::Table, "shop.item".to_owned());
            let fact = Fact { id: id.clone(), parent: None, payload: payload.clone() };
            let text = write(&Facts::new(vec![fact], BTreeMap::new()));
            let again = parse(&text).unwrap();
            assert_eq!(again.get(&id).map(|fact| &fact.payload), Some(&payload), "{text}");
        }
    }
}
