//! What is no TOML, in the words of whoever is used to other files.

use std::ops::Range;

use super::{Explained, first_line, line_at, plain};

/// Explains what the reader could not read as TOML; `None` where its own words are the best there are.
pub(super) fn explained(text: &str, span: &Range<usize>, key: &str, message: &str) -> Option<Explained> {
    if let Some(explained) = another_format(text, message) {
        return Some(explained);
    }
    let (line, _) = line_at(text, span.start);
    if message.starts_with("unclosed table") && line.trim_start().starts_with('[') {
        return Some(broken_header(line));
    }
    if message.starts_with("key with no value")
        && let Some((name, rest)) = line.split_once(':')
    {
        let value = rest.trim();
        let written = if value.is_empty() { "...".to_owned() } else { value.to_owned() };
        return Some(plain(
            &format!("`{}` is followed by `:`, and TOML has `=`", name.trim()),
            Some(&format!("write {} = {written}", name.trim())),
        ));
    }
    let value = line.split_once('=')?.1.trim();
    if value.is_empty() || value.starts_with('#') {
        return Some(plain(&format!("{key} has no value"), Some("write one behind `=`, or remove the line")));
    }
    if let Some(inner) = value.strip_prefix(is_typographic) {
        let inner = inner.trim_end_matches(is_typographic);
        let hint = format!("write it in straight quotes: \"{inner}\"");
        return Some(plain(&format!("{key} has typographic quotes around its value"), Some(&hint)));
    }
    if message.starts_with("invalid basic string") || message.starts_with("invalid literal string") {
        return Some(string(key, value, message));
    }
    if message.starts_with("unexpected leading zero") {
        let number = value.trim_start_matches('0');
        return Some(plain(&format!("{key} is a number with a zero in front"), Some(&format!("write {number}"))));
    }
    bare_word(value).map(|word| bare(key, word))
}

/// Recognizes a file of another format, or of line ends that TOML does not have.
fn another_format(text: &str, message: &str) -> Option<Explained> {
    let first = text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'));
    let example =
        "stagegate.toml is TOML: `[project]`, and below it `name = \"shop\"`; `gate init --print` prints a first file";
    if message.starts_with("carriage return") && !text.contains('\n') {
        let hint = "save the file with the line ends LF (Unix) or CRLF (Windows)";
        return Some(plain("the lines end in a carriage return alone", Some(hint)));
    }
    match first? {
        line if line.starts_with('{') => Some(plain("the file is JSON, and TOML is expected", Some(example))),
        "---" => Some(plain("the file is YAML, and TOML is expected", Some(example))),
        // A line that is nothing but a key and a colon opens a block of YAML.
        line if line.ends_with(':') && !line.contains('=') => {
            Some(plain("the file is YAML, and TOML is expected", Some(example)))
        }
        _ => None,
    }
}

fn broken_header(line: &str) -> Explained {
    let name = line.trim().trim_matches(['[', ']']);
    match name.contains(' ') {
        true => plain(
            &format!("the name of a table has a space: {}", line.trim()),
            Some(&format!("use letters, digits, - and _: [{}]", name.split_whitespace().collect::<Vec<_>>().join("-"))),
        ),
        false => plain("the header of a table has no closing bracket", Some(&format!("write [{name}]"))),
    }
}

fn string(key: &str, value: &str, message: &str) -> Explained {
    let quote = if value.starts_with('\'') { '\'' } else { '"' };
    if value.matches(quote).count() == 1 {
        let hint = format!("write {value}{quote}");
        return plain(&format!("{key} has no closing quote"), Some(&hint));
    }
    if value.contains('\\') {
        let inner = value.trim_matches('"');
        let hint = format!("`\\` begins an escape there; write the text in single quotes: '{inner}'");
        return plain(&format!("{key} has a `\\` that escapes nothing"), Some(&hint));
    }
    plain(&format!("{key}: {}", first_line(message)), None)
}

fn bare(key: &str, word: &str) -> Explained {
    let hint = match word.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" => "write `true`".to_owned(),
        "no" | "off" | "false" => "write `false`".to_owned(),
        "null" | "none" | "nil" | "undefined" => "remove the line: a key that is not there has its default".to_owned(),
        _ => format!("write it in quotes: \"{word}\""),
    };
    Explained {
        message: format!("{key} has a value that is no TOML"),
        label: Some(format!("found {word}")),
        hint: Some(hint),
    }
}

/// Returns the word that is a whole value, where it is one that TOML does not have as a value.
fn bare_word(value: &str) -> Option<&str> {
    let value = value.split('#').next()?.trim();
    let is_word = value.starts_with(|c: char| c.is_ascii_alphabetic() || "~./".contains(c))
        && !["true", "false", "inf", "nan"].contains(&value);
    is_word.then_some(value)
}

fn is_typographic(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}')
}
