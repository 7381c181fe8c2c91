//! The shape of a response: which values are there and of which kinds. Ids, times and texts are reduced to their kind.
//!
//! Shapes are kept as snapshots in insta's file format, reviewed with `gate accept`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    found,
    media::Media,
    response::{ServiceResponse, header},
};
use stagegate_base::finding::Finding;

/// How many places a shape has at most.
const PLACES: usize = 2_000;
/// A member that some elements of a list have and others do not.
const ABSENT: &str = "absent";

/// What is at each place of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Status and media type: `200 application/json`.
    head: String,
    /// Kinds by place, such as `$.orders[].id`.
    kinds: BTreeMap<String, BTreeSet<String>>,
}

/// Why a text is no snapshot of a shape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{found}` is not valid in a shape; run `gate accept` again")]
pub struct ShapeError {
    line: usize,
    found: String,
}

/// Returns where the accepted shape of an operation is kept: below `root`, the folder of stagegate.toml.
#[must_use]
pub fn shape_path(root: &Path, environment: &str, service: &str, operation: &str) -> PathBuf {
    root.join("snapshots").join(environment).join("contracts").join(service).join(format!("{operation}.snap"))
}

impl Shape {
    /// Reads the shape of a response. Only the head is kept of what is no JSON.
    #[must_use]
    pub fn of(response: &ServiceResponse<'_>) -> Self {
        let media = header(response, "content-type").unwrap_or("no body");
        let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let mut shape = Shape { head: format!("{} {essence}", response.status), kinds: BTreeMap::new() };
        if Media::parse(media).is_json()
            && !response.truncated
            && let Ok(body) = serde_json::from_slice::<Value>(response.body)
        {
            shape.look("$", &[&body]);
        }
        shape
    }

    /// Looks at all the values that stand at one place.
    fn look(&mut self, place: &str, values: &[&Value]) {
        if self.kinds.len() >= PLACES {
            return;
        }
        self.kinds.entry(place.to_owned()).or_default().extend(values.iter().map(|value| kind(value).to_owned()));
        let objects: Vec<_> = values.iter().filter_map(|value| value.as_object()).collect();
        let names: BTreeSet<&String> = objects.iter().flat_map(|object| object.keys()).collect();
        let mut groups: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        for name in names {
            let found = objects.iter().filter_map(|object| object.get(name));
            let place = format!("{place}{}", redacted_member(name));
            if objects.iter().any(|object| !object.contains_key(name)) && !place.ends_with("[*]") {
                self.kinds.entry(place.clone()).or_default().insert(ABSENT.to_owned());
            }
            groups.entry(place).or_default().extend(found);
        }
        groups.iter().for_each(|(place, values)| self.look(place, values));
        let elements: Vec<&Value> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
        if !elements.is_empty() {
            self.look(&format!("{place}[]"), &elements);
        }
    }

    /// Reads the text of a snapshot.
    ///
    /// # Errors
    /// [`ShapeError`] with the line that is no part of a shape.
    pub fn parse(text: &str) -> Result<Self, ShapeError> {
        let (body, before) = contents(text);
        let mut lines = body.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let head = lines.next().map(|(_, line)| line.trim().to_owned()).unwrap_or_default();
        let mut kinds = BTreeMap::new();
        for (number, line) in lines {
            let error = || ShapeError { line: before + number + 1, found: line.to_owned() };
            let (place, found) =
                line.rsplit_once(": ").filter(|(place, _)| place.starts_with('$')).ok_or_else(error)?;
            kinds.insert(place.to_owned(), found.split(" | ").map(str::to_owned).collect());
        }
        Ok(Shape { head, kinds })
    }

    /// Writes the shape as a snapshot in insta's format.
    #[must_use]
    pub fn snapshot(&self, trial: &str, operation: &str) -> String {
        // Source: insta 1.49, `Snapshot::save`: metadata as YAML between lines of three dashes, then the contents.
        format!("---\nsource: {}\nexpression: {}\n---\n{self}\n", Value::from(trial), Value::from(operation))
    }

    /// Reports where a response has another shape than this one, which was accepted.
    ///
    /// Nothing is reported of what is below an empty list, on either side, and kinds that were seen before and not now are
    /// fine: the data of the moment decides about both.
    #[must_use]
    pub fn differences(&self, now: &Shape) -> Vec<Finding> {
        let finding = |at: &str, expected: String, found: String| Finding::differs(at.to_owned(), expected, found);
        let mut all = Vec::new();
        if self.head != now.head {
            all.push(finding("answer", self.head.clone(), now.head.clone()));
        }
        for (place, kinds) in &self.kinds {
            match now.kinds.get(place) {
                Some(found) if found.is_subset(kinds) => {}
                Some(found) => all.push(finding(place, joined(kinds), joined(found))),
                None if kinds.contains(ABSENT) || !now.knows_above(place) => {}
                None => all.push(finding(place, joined(kinds), "missing".to_owned())),
            }
        }
        let new = now.kinds.iter().filter(|(place, _)| !self.kinds.contains_key(*place) && self.knows_above(place));
        all.extend(new.map(|(place, kinds)| finding(place, "nothing".to_owned(), joined(kinds))));
        all
    }

    /// Returns whether something was seen right above a place, so that its absence states something.
    fn knows_above(&self, place: &str) -> bool {
        // Whether a list or a map of ids has elements is data.
        if place.ends_with("[]") || place.ends_with("[*]") {
            return false;
        }
        let above = place.rfind(['.', '[']).map(|end| &place[..end]);
        above.is_some_and(|above| self.kinds.get(above).is_some_and(|kinds| kinds.contains("object")))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head)?;
        self.kinds.iter().try_for_each(|(place, kinds)| write!(f, "\n{place}: {}", joined(kinds)))
    }
}

fn joined(kinds: &BTreeSet<String>) -> String {
    kinds.iter().map(String::as_str).collect::<Vec<_>>().join(" | ")
}

/// Returns the contents of a snapshot file, and how many lines stand before them.
fn contents(text: &str) -> (&str, usize) {
    let Some(rest) = text.strip_prefix("---\n") else { return (text, 0) };
    match rest.split_once("\n---\n") {
        Some((metadata, contents)) => (contents, metadata.lines().count() + 2),
        None => (rest, 1),
    }
}

/// Names a value's kind; of a text what it looks like.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::String(text) if is_uuid(text) => "string (id)",
        Value::String(text) if is_time(text) => "string (time)",
        Value::String(_) => "string",
    }
}

/// Returns how a member is written; one that is named by an id, a number or a time is any of them.
fn redacted_member(name: &str) -> String {
    let is_number = !name.is_empty() && name.chars().all(|c| c.is_ascii_digit());
    if is_number || is_uuid(name) || is_time(name) { "[*]".to_owned() } else { found::member(name) }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// Reports a date, or a date and a time, as RFC 3339 writes them.
fn is_time(text: &str) -> bool {
    let like = |pattern: &str| {
        text.len() >= pattern.len()
            && text.bytes().zip(pattern.bytes()).all(|(found, wanted)| match wanted {
                b'0' => found.is_ascii_digit(),
                b'T' => matches!(found, b'T' | b't' | b' '),
                other => found == other,
            })
    };
    (text.len() == 10 && like("0000-00-00")) || like("0000-00-00T00:00:00")
}

#[cfg(test)]
mod tests;
