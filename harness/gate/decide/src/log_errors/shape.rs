//! Which lines are errors, and what of them stays the same from one to the next.

use serde_json::Value;
use stagegate_base::{config::LogErrors, text::clean};

/// Words by which a line without a level is an error, as a word or as its end (`TypeError`).
const WORDS: [&str; 7] = ["error", "exception", "fatal", "panic", "panicked", "critical", "traceback"];
/// Levels of errors, and those of other lines.
const BAD: [&str; 9] = ["ERROR", "ERR", "FATAL", "PANIC", "CRITICAL", "CRIT", "SEVERE", "EMERG", "ALERT"];
const GOOD: [&str; 12] =
    ["INFO", "DEBUG", "TRACE", "NOTICE", "WARN", "WARNING", "LOG", "HINT", "DETAIL", "STATEMENT", "CONTEXT", "VERBOSE"];
/// A level is one of the first words.
const FIRST_WORDS: usize = 10;
/// Characters of a line that are looked at, and of a shape.
const LOOKED_AT: usize = 4_000;
const LONGEST: usize = 240;
/// Digits of a text that is hexadecimal.
const HEX: usize = 8;

/// Returns the shape of a line that is an error: its words without numbers, ids, paths and addresses. `None` where it is none.
#[must_use]
pub fn shape(rules: &LogErrors, line: &str) -> Option<String> {
    let line: String = line.chars().take(LOOKED_AT).collect();
    if rules.ignore.iter().any(|text| line.contains(text.as_str())) {
        return None;
    }
    let is_wanted = rules.find.iter().any(|text| line.contains(text.as_str()));
    let text = clean(&line);
    if let Some(fields) = fields(&text) {
        let is_error = is_wanted || fields.level.map_or_else(|| has_word(&fields.message), |level| level == Level::Bad);
        return is_error.then(|| reduced(&fields.message));
    }
    // The rest of a trace belongs to the line before it.
    let is_rest = text.starts_with([' ', '\t']);
    let is_error = is_wanted || !is_rest && level(&text).map_or_else(|| has_word(&text), |level| level == Level::Bad);
    is_error.then(|| reduced(&text))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Bad,
    Good,
}

fn level_of(word: &str) -> Option<Level> {
    let word = word.to_ascii_uppercase();
    let is_in = |all: &[&str]| all.contains(&word.as_str());
    if is_in(&BAD) { Some(Level::Bad) } else { is_in(&GOOD).then_some(Level::Good) }
}

/// Finds the level of a line of text: `level=error`, or one of the first words in capitals.
fn level(text: &str) -> Option<Level> {
    let words = text.split_whitespace().take(FIRST_WORDS);
    words.into_iter().find_map(|word| {
        if let Some((key, value)) = word.split_once('=')
            && ["level", "lvl", "severity"].contains(&key)
        {
            return level_of(value.trim_matches(['"', '\'', ',']));
        }
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_capital = bare.len() > 2 && bare.bytes().all(|byte| byte.is_ascii_uppercase());
        level_of(bare).filter(|_| is_capital)
    })
}

struct Fields {
    level: Option<Level>,
    message: String,
}

/// Reads a line that is an object of JSON.
fn fields(text: &str) -> Option<Fields> {
    let Value::Object(all) = serde_json::from_str(text.trim().starts_with('{').then_some(text)?).ok()? else {
        return None;
    };
    let texts = |names: &[&str]| {
        let found = names.iter().filter_map(|name| all.get(*name)).filter_map(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Object(inner) => inner.get("message").and_then(Value::as_str).map(str::to_owned),
            _ => None,
        });
        found.collect::<Vec<_>>().join(" ")
    };
    let level =
        ["level", "severity", "lvl", "log.level", "levelname"].iter().find_map(|name| match all.get(*name)? {
            Value::String(word) => level_of(word),
            // As bunyan and pino count: 50 is an error.
            Value::Number(number) => Some(if number.as_f64()? >= 50.0 { Level::Bad } else { Level::Good }),
            _ => None,
        });
    let message = texts(&["msg", "message", "event", "error", "err", "exception"]);
    Some(Fields { level, message: if message.is_empty() { text.to_owned() } else { message } })
}

fn has_word(text: &str) -> bool {
    let words = text.split(|c: char| !c.is_ascii_alphabetic());
    let is_one = |word: &str| {
        let lower = word.to_ascii_lowercase();
        WORDS
            .iter()
            .any(|known| lower == *known || lower.len() > known.len() && lower.ends_with(known) && word != lower)
    };
    words.into_iter().any(is_one)
}

fn reduced(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        let word = match word.split_once('=') {
            Some((key, value)) => format!("{}={}", reduced_word(key), reduced_word(value)),
            None => reduced_word(word),
        };
        // A number of several parts is one.
        if word == "#" && out.ends_with('#') {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&word);
        if out.len() > LONGEST {
            break;
        }
    }
    out.chars().take(LONGEST).collect()
}

fn reduced_word(word: &str) -> String {
    let is_edge = |c: char| "()[]{}<>,;:.\"'`".contains(c);
    let bare = word.trim_matches(is_edge);
    let is_hex = bare.len() >= HEX && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
    match bare {
        "" => word.to_owned(),
        _ if bare.contains(['/', '\\']) => "/".to_owned(),
        _ if bare.contains('@') => "@".to_owned(),
        _ if is_hex || bare.bytes().any(|byte| byte.is_ascii_digit()) => "#".to_owned(),
        _ => word.to_owned(),
    }
}
