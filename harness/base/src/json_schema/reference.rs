//! The annotated reference of a file: what its comments report of each key.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::trace::PathStep;

/// Comments that begin so hold lines of TOML that cannot stand in the example, because they exclude others of it.
const EXAMPLE: &str = "#   ";

/// A key as it is written somewhere in the reference, by the names of the tables above it.
#[derive(Debug)]
struct Written {
    path: Vec<Part>,
    description: Option<String>,
    /// The statement in the text; `None` for a table with a header of its own.
    statement: Option<Range<usize>>,
    type_of: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Name(String),
    Item,
}

/// The reference, read.
pub(super) struct Reference {
    text: String,
    written: Vec<Written>,
}

impl Reference {
    pub(super) fn read(text: &str) -> Result<Self, toml::de::Error> {
        // The same length, so that places in it are those of the text.
        let whole: Vec<String> = text
            .lines()
            .map(|line| line.strip_prefix(EXAMPLE).map_or_else(|| line.to_owned(), |rest| format!("    {rest}")))
            .collect();
        let whole = whole.join("\n");
        let table = DeTable::parse(&whole)?;
        let mut written = Vec::new();
        walk(&whole, table.get_ref(), &mut Vec::new(), &mut written);
        Ok(Reference { text: text.to_owned(), written })
    }

    /// Returns what is written in the tables at a place, as if they were the file.
    pub(super) fn below(self, place: &[PathStep]) -> Self {
        let is_inside = |one: &Written| one.path.len() > place.len() && fits(&one.path[..place.len()], place);
        let written = self.written.into_iter().filter(is_inside);
        let written = written.map(|one| Written { path: one.path[place.len()..].to_vec(), ..one }).collect();
        Reference { text: self.text, written }
    }

    /// Returns where a key is written; items of lists of one name have the same keys wherever the lists are.
    fn at(&self, path: &[PathStep]) -> impl Iterator<Item = &Written> {
        let exact = self.written.iter().filter(move |one| fits(&one.path, path));
        exact.chain(self.written.iter().filter(move |one| is_alike(&one.path, path)))
    }

    /// Returns what the comments report of a key: above it, above the keys it is grouped with, or where another key of the
    /// same table mentions it.
    pub(super) fn description(&self, path: &[PathStep]) -> Option<String> {
        if let Some(text) = self.at(path).find_map(|one| one.description.clone()) {
            return Some(text);
        }
        let (PathStep::Key(key), above) = path.split_last()? else { return None };
        let mentions = [format!("`{key}`"), format!("`{key} =")];
        let of_table =
            |one: &&Written| one.path.split_last().is_some_and(|(_, of)| fits(of, above) || is_alike(of, above));
        let siblings = self.written.iter().filter(of_table);
        let mut texts = siblings.filter_map(|one| one.description.clone());
        let mention = texts.find(|text| mentions.iter().any(|mention| text.contains(mention)));
        let is_written = self.at(path).next().is_some();
        mention.or_else(|| is_written.then(|| self.at(above).find_map(|one| one.description.clone())).flatten())
    }

    /// Returns the types of the values that the reference shows at a place.
    pub(super) fn types(&self, path: &[PathStep]) -> Vec<&'static str> {
        let mut types: Vec<&'static str> = self.at(path).map(|one| one.type_of).collect();
        types.sort_unstable();
        types.dedup();
        types
    }

    /// Returns whether the reader refuses the reference without a key, because it is missing.
    pub(super) fn is_required<T: DeserializeOwned>(&self, path: &[PathStep]) -> bool {
        let Some(PathStep::Key(key)) = path.last() else { return false };
        let missing = format!("missing field `{key}`");
        let reports = |text: &str| toml::from_str::<T>(text).is_err_and(|error| error.message() == missing);
        match self.at(path).find_map(|one| one.statement.clone()) {
            Some(range) => {
                let mut without = self.text.clone();
                // Blank: the same length, and still UTF-8.
                let blanks = " ".repeat(range.len());
                without.replace_range(range, &blanks);
                reports(&without)
            }
            None => path.len() == 1 && reports(""),
        }
    }
}

/// Returns whether a key of the reference is one at a place, whatever names the user chose.
fn fits(written: &[Part], path: &[PathStep]) -> bool {
    let fits = |(part, place): (&Part, &PathStep)| match (part, place) {
        (Part::Name(name), PathStep::Key(key)) => name == key,
        (Part::Name(_), PathStep::AnyName) | (Part::Item, PathStep::Item) => true,
        _ => false,
    };
    written.len() == path.len() && written.iter().zip(path).all(fits)
}

/// Returns whether the shorter one of two paths begins with a list and is the end of the other: `step[].http` of
/// `login.owner.step[].http`.
fn is_alike(written: &[Part], path: &[PathStep]) -> bool {
    let shorter = written.len().min(path.len());
    let (written_end, path_end) = (&written[written.len() - shorter..], &path[path.len() - shorter..]);
    let is_list = matches!(path_end, [PathStep::Key(_), PathStep::Item, _, ..]);
    written.len() != path.len() && is_list && fits(written_end, path_end)
}

fn walk(text: &str, table: &DeTable<'_>, path: &mut Vec<Part>, written: &mut Vec<Written>) {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        path.push(Part::Name(key.get_ref().to_string()));
        value_at(text, key.span(), value, path, written);
        path.pop();
    }
}

fn value_at(
    text: &str,
    key: Range<usize>,
    value: &Spanned<DeValue<'_>>,
    path: &mut Vec<Part>,
    written: &mut Vec<Written>,
) {
    let line = text[..key.start].rfind('\n').map_or(0, |at| at + 1);
    let has_header = text[line..].trim_start().starts_with('[');
    written.push(Written {
        path: path.clone(),
        description: comment_above(text, line),
        statement: (!has_header && value.span().end > key.start).then(|| key.start..value.span().end),
        type_of: type_of(value.get_ref()),
    });
    match value.get_ref() {
        DeValue::Table(table) => walk(text, table, path, written),
        DeValue::Array(items) => {
            path.push(Part::Item);
            for item in items.iter() {
                if let DeValue::Table(table) = item.get_ref() {
                    walk(text, table, path, written);
                }
            }
            path.pop();
        }
        _ => {}
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) | DeValue::Datetime(_) => "string",
        DeValue::Integer(_) | DeValue::Float(_) => "number",
        DeValue::Boolean(_) => "boolean",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
    }
}

/// Returns the comment above the line that begins at `start`. Keys that follow each other share one; a header's may be
/// apart by an empty line.
fn comment_above(text: &str, start: usize) -> Option<String> {
    let is_header = text[start..].trim_start().starts_with('[');
    let mut above: Vec<&str> = text[..start].lines().rev().collect();
    if is_header {
        let empty = usize::from(above.first().is_some_and(|line| line.is_empty()));
        drop(above.drain(..empty));
    } else {
        let is_key = |line: &&str| !line.is_empty() && !line.trim_start().starts_with(['#', '[']);
        let keys = above.iter().take_while(|line| is_key(line)).count();
        drop(above.drain(..keys));
    }
    let mut lines: Vec<&str> = above.into_iter().map_while(|line| line.strip_prefix('#')).collect();
    lines.reverse();
    let (titles, lines): (Vec<_>, Vec<_>) = lines.into_iter().map(str::trim).partition(|line| line.starts_with("---"));
    let joined = lines.into_iter().map(|line| if line.is_empty() { "\n" } else { line }).collect::<Vec<_>>().join(" ");
    let paragraphs: Vec<&str> = joined.split('\n').map(str::trim).filter(|part| !part.is_empty()).collect();
    let title = titles.last().map(|line| line.trim_matches(['-', ' ']).to_owned());
    if paragraphs.is_empty() { title } else { Some(paragraphs.join("\n\n")) }
}
