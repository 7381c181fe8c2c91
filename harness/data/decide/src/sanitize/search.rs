//! What a copy is searched for: values of sanitised columns, in every form that they may have got into.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::mask::WORDS;

/// A value of the source that the copy must not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceValue {
    /// The column that it is from, as `schema.table.column`.
    pub column: String,
    /// The value.
    pub value: String,
}

/// A value that was found. It names places, never the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Where in the copy.
    pub place: String,
    /// The sanitised column that the value is from.
    pub column: String,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} holds a value of {}", self.place, self.column)
    }
}

/// Returns whether a value is one of few that have it: a short word would be found anywhere.
#[must_use]
pub fn is_distinctive(value: &str) -> bool {
    let chars = value.chars().count();
    let has_other = value.chars().any(|c| !c.is_alphabetic());
    !is_replacement(value)
        && (chars >= 8 || chars >= 6 && has_other)
        && !value.chars().all(|c| c.is_ascii_digit() && chars < 8)
}

/// Returns whether a value is a word, as names of tables and SQL's own words are: the schema holds it for that, and it proves nothing.
#[must_use]
pub fn is_word(value: &str) -> bool {
    value.chars().all(|c| c.is_alphabetic() || c == '_')
}

/// Returns whether a value is a number or an address of a machine: between other digits it is a part of another one.
#[must_use]
pub fn is_number(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_digit() || b"-+.:/".contains(&byte))
}

/// Returns whether `place` of `bytes` is such a value as a whole, with no more digits before or after it.
#[must_use]
pub fn is_whole_number(bytes: &[u8], place: std::ops::Range<usize>) -> bool {
    let is_digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    !is_digit(place.start.checked_sub(1)) && !is_digit(Some(place.end))
}

/// Returns whether the replacements are made of what a value is made of: it would be found in every copy.
fn is_replacement(value: &str) -> bool {
    const FIXED: [&str; 6] = ["test user ", "test street ", "@example.test", "example.test", "@t.test", "+1-555-01"];
    let lower = value.to_lowercase();
    FIXED.iter().any(|fixed| fixed.contains(lower.as_str()))
        || lower.split_whitespace().all(|word| WORDS.iter().any(|own| own.contains(word)))
}

/// Returns a value as it is, in other cases, and as base64, hex and URLs write it.
#[must_use]
pub fn encodings(value: &str) -> Vec<Vec<u8>> {
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let escaped: String = value
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let copied = value.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t");
    let mut all: Vec<Vec<u8>> = [
        value.to_owned(),
        value.to_uppercase(),
        value.to_lowercase(),
        copied,
        hex.to_uppercase(),
        hex,
        escaped.replace("%20", "+"),
        escaped,
    ]
    .map(String::into_bytes)
    .to_vec();
    all.extend((0..3).map(|offset| base64_within(value, offset)));
    all.retain(|form| form.len() >= 6);
    all.sort();
    all.dedup();
    all
}

/// Returns the part of base64 that a value gives wherever it stands in a longer text: `offset` bytes are before it.
fn base64_within(value: &str, offset: usize) -> Vec<u8> {
    let mut bytes = vec![0; offset];
    bytes.extend_from_slice(value.as_bytes());
    let whole = bytes.len() / 3 * 3;
    let text = STANDARD.encode(&bytes[..whole]);
    let first = [0, 2, 3][offset];
    text.into_bytes().get(first..).unwrap_or_default().to_vec()
}
