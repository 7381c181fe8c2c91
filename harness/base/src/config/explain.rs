//! What the TOML reader refused, in the words of whoever wrote the file: the key, what it must be, what was found.

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
        if message.starts_with("unknown field ") {
            return unknown_key(message);
        }
        if message.starts_with("unknown variant ") {
            return unknown_value(&key, message);
        }
        if let Some((found, expected)) = mismatch(message) {
            return wrong_type(&key, &found, expected);
        }
        // A bare word is no value of TOML: the reader's own sentence is about string literals.
        match bare_word(text, span.start) {
            Some(word) => bare(&key, word),
            None => plain(message, None),
        }
    }
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
    let number: Option<f64> = found.parse().ok();
    let hint = match (number, expected) {
        (Some(_), "a text with a number and a unit") => {
            Some(format!("write a unit, in quotes: \"{found}s\" or \"{found}m\""))
        }
        _ => None,
    };
    Explained {
        message: format!("{key} must be {}", in_words(expected)),
        label: Some(format!("found {found}")),
        hint: hint.or_else(|| unquoted(found, expected)),
    }
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

fn bare(key: &str, word: &str) -> Explained {
    let hint = match word.to_ascii_lowercase().as_str() {
        "yes" | "on" => "write `true`".to_owned(),
        "no" | "off" => "write `false`".to_owned(),
        _ => format!("write it in quotes: \"{word}\""),
    };
    Explained {
        message: format!("{key} has a value that is no TOML"),
        label: Some(format!("found {word}")),
        hint: Some(hint),
    }
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

/// Returns the key whose value is at a place, in backticks.
fn key(text: &str, offset: usize) -> String {
    let offset = offset.min(text.len());
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    // Within an inline table the nearest key counts; where the place is a key itself, its line has it.
    let line = text[start..].lines().next().unwrap_or_default();
    let before = text[start..offset].rsplit_once('=').or_else(|| line.split_once('='));
    let name =
        before.and_then(|(before, _)| before.rsplit(['{', ',']).next()).map(|name| name.trim().trim_matches('"'));
    name.filter(|name| !name.is_empty() && !name.starts_with('[')).map_or("this".to_owned(), |name| format!("`{name}`"))
}

/// Returns the word at a place, where it is one that TOML does not have as a value.
fn bare_word(text: &str, offset: usize) -> Option<&str> {
    let start = text[..offset.min(text.len())].rfind('\n').map_or(0, |at| at + 1);
    let value = text[start..].lines().next()?.split_once('=')?.1.split('#').next()?.trim();
    let is_word =
        value.starts_with(|c: char| c.is_ascii_alphabetic()) && !["true", "false", "inf", "nan"].contains(&value);
    is_word.then_some(value)
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
        assert_eq!(key(text, 2), "this");
        let inline = "http = { service = \"web\", path = 7 }";
        assert_eq!(key(inline, inline.len() - 3), "`path`");
    }
}
