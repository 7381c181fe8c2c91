//! What the TOML reader refused, in the words of whoever wrote the file: the key, what it must be, what was found.

mod syntax;
mod tables;
mod units;

use std::ops::Range;

use crate::suggest::closest;

/// How a mistake is reported.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Explained {
    /// What is wrong.
    pub(super) message: String,
    /// What stands at the place.
    pub(super) label: Option<String>,
    /// What to write instead.
    pub(super) hint: Option<String>,
}

impl Explained {
    /// Explains a message of the reader about `span` of `text`.
    pub(super) fn of(text: &str, span: &Range<usize>, message: &str) -> Self {
        let key = key(text, span.start);
        if text.trim().is_empty() {
            return plain(
                "the file is empty",
                Some("begin with [project] and its `name`; docs/stagegate.toml is an example"),
            );
        }
        if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            return missing(field);
        }
        if let Some(explained) = tables::explained(text, span, message) {
            return explained;
        }
        if message.starts_with("unknown field ") {
            return unknown_key(message);
        }
        if message.starts_with("unknown variant ") {
            return unknown_value(&key, message);
        }
        if let Some((found, expected)) = mismatch(message) {
            return wrong_type(&key, &found, expected);
        }
        if let Some(explained) = units::explained(&key, message) {
            return explained;
        }
        let found = text.get(span.clone()).map(|found| format!("found {}", first_line(found)));
        // A word is read as one of several, or as a table with one key: the reader names neither.
        if message == "wanted string or table" || message.starts_with("wanted exactly 1 element") {
            return Explained { message: format!("{key} must be a word in quotes"), label: found, hint: None };
        }
        // What a value of several forms is expected to be stands alone.
        if message.starts_with("a ") {
            return Explained { message: format!("{key} must be {message}"), label: found, hint: None };
        }
        syntax::explained(text, span, &key, message).unwrap_or_else(|| plain(message, None))
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn plain(message: &str, hint: Option<&str>) -> Explained {
    Explained { message: message.to_owned(), label: None, hint: hint.map(str::to_owned) }
}

fn missing(field: &str) -> Explained {
    let message = format!("missing key `{field}`");
    let hint = match field {
        "project" => "add [project] with its `name`".to_owned(),
        _ => format!("add `{field} = ...` to this table"),
    };
    Explained { message, label: None, hint: Some(hint) }
}

fn unknown_key(message: &str) -> Explained {
    let (found, known) = names(message);
    let hint = match closest(found, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    Explained { message: format!("unknown key `{found}`"), label: None, hint: Some(hint) }
}

fn unknown_value(key: &str, message: &str) -> Explained {
    let (found, known) = names(message);
    let begun = || known.iter().copied().find(|name| found.len() > 1 && name.starts_with(found));
    let near = closest(found, &known).or_else(begun);
    Explained {
        message: format!("{key} must be {}", alternatives(&known)),
        label: Some(format!("found `{found}`")),
        hint: near.map(|near| format!("did you mean `{near}`?")),
    }
}

fn wrong_type(key: &str, found: &str, expected: &str) -> Explained {
    Explained {
        message: format!("{key} must be {}", in_words(expected)),
        label: Some(format!("found {found}")),
        hint: units::of_number(found, expected)
            .or_else(|| unquoted(found, expected))
            .or_else(|| listed(found, expected)),
    }
}

/// Returns what to write where one text stands in the place of a list.
fn listed(found: &str, expected: &str) -> Option<String> {
    let text = found.strip_prefix("the text ").filter(|_| expected == "a sequence")?;
    Some(format!("write it in brackets: [{text}]"))
}

/// Returns what to write where a number or a switch stands in quotes.
fn unquoted(found: &str, expected: &str) -> Option<String> {
    let inner = found.strip_prefix("the text \"")?.strip_suffix('"')?;
    let fits = match expected {
        "a boolean" => ["true", "false"].contains(&inner),
        _ => in_words(expected).contains("number") && inner.parse::<f64>().is_ok(),
    };
    fits.then(|| format!("write it without quotes: {inner}"))
}

/// Splits the reader's "invalid type: FOUND, expected EXPECTED", with FOUND in words.
fn mismatch(message: &str) -> Option<(String, &str)> {
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, expected) = rest.rsplit_once(", expected ")?;
    let ticks = |text: &str| text.trim_matches('`').to_owned();
    let found = match found.split_once(' ') {
        Some(("string", text)) => format!("the text {text}"),
        Some(("integer" | "boolean", value)) => ticks(value),
        Some(("floating", rest)) => ticks(rest.trim_start_matches("point ")),
        _ if found == "map" => "a table".to_owned(),
        _ if found == "sequence" => "a list".to_owned(),
        _ => found.to_owned(),
    };
    Some((found, expected))
}

/// Returns an expected type of the program as a person names it.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" | "path string" | "a borrowed string" => "text in quotes",
        "a sequence" => "a list in brackets",
        "a map" => "a table",
        _ if expected.starts_with("struct ") => "a table",
        _ => expected,
    }
}

/// Returns the names in backticks: the one that was found, and those that are known.
fn names(message: &str) -> (&str, Vec<&str>) {
    let mut names = message.split('`').skip(1).step_by(2);
    (names.next().unwrap_or_default(), names.collect())
}

/// Writes a choice: `a`, `b` or `c`.
fn alternatives(known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.join(""),
    }
}

/// Returns the line that a place is in, and where it begins.
fn line_at(text: &str, offset: usize) -> (&str, usize) {
    let start = text[..offset.min(text.len())].rfind('\n').map_or(0, |at| at + 1);
    (first_line(&text[start..]), start)
}

/// Returns the key whose value is at a place, in backticks; of a table's header the last name.
fn key(text: &str, offset: usize) -> String {
    let offset = offset.min(text.len());
    let (line, start) = line_at(text, offset);
    if let Some((name, _)) = tables::header(line) {
        let last = name.rsplit('.').next().unwrap_or(name).trim().trim_matches('"');
        return format!("`{last}`");
    }
    // Within an inline table the nearest key counts; where the place is a key itself, its line has it.
    let before = text[start..offset].rsplit_once('=').or_else(|| line.split_once('='));
    let name =
        before.and_then(|(before, _)| before.rsplit(['{', ',']).next()).map(|name| name.trim().trim_matches('"'));
    name.filter(|name| !name.is_empty() && !name.starts_with('[')).map_or("this".to_owned(), |name| format!("`{name}`"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("`health`, `warning` or `x`", &["health", "warning", "x"])]
    #[case("`a` or `b`", &["a", "b"])]
    #[case("`a`", &["a"])]
    fn a_choice_is_written_out(#[case] want: &str, #[case] known: &[&str]) {
        assert_eq!(alternatives(known), want);
    }

    #[test]
    fn the_key_is_that_of_the_line() {
        let text = "[severity]\n\"health\" = \"warn\"\n[gate]\n";
        assert_eq!(key(text, 24), "`health`");
        assert_eq!(key(text, 2), "`severity`");
        let inline = "http = { service = \"web\", path = 7 }";
        assert_eq!(key(inline, inline.len() - 3), "`path`");
    }
}
