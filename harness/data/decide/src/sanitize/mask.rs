//! One column's replacement: a value's bytes in, another value's bytes out, of the same type and length.

use super::{
    array, dates,
    key::Key,
    limits::Limits,
    network,
    number::Numbers,
    paths::{Path, rewritten},
    rule::Rule,
};

/// How a value's bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Text.
    Text,
    /// Text in which upper and lower case are alike.
    FoldedText,
    /// 16 bytes.
    Uuid,
    /// A signed number of 2, 4 or 8 bytes.
    Number,
    /// A number with decimal places.
    Numeric,
    /// A floating-point number of 4 or 8 bytes.
    Float,
    /// A number that is written out.
    NumberText,
    /// Days since 2000.
    Date,
    /// Microseconds since 2000.
    Timestamp,
    /// A day, with or without a time behind it, that is written out.
    DateText,
    /// An address of IPv4 or IPv6, or of a network.
    Address,
    /// An address of a network card.
    Hardware,
    /// Any bytes.
    Bytes,
    /// JSON as text.
    Json,
    /// JSON as text behind one byte.
    Jsonb,
}

impl Wire {
    /// Returns whether arrays of such values are replaced element by element.
    pub(super) fn is_in_arrays(self) -> bool {
        !matches!(self, Wire::FoldedText | Wire::Json | Wire::Jsonb | Wire::Bytes)
    }
}

/// One column's replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    /// The rule.
    pub rule: Rule,
    /// How a value's bytes are to be read.
    pub wire: Wire,
    /// Whether no two values may become one.
    pub is_unique: bool,
    /// Whether blanks at a value's end are no part of it.
    pub is_padded: bool,
    /// Whether values are arrays, whose elements are replaced.
    pub is_array: bool,
    /// The maximum number of characters.
    pub max_chars: usize,
    /// The range of numbers.
    pub limits: Limits,
}

/// Hexadecimal digits that keep replacements of a unique column apart.
pub(super) const APART: usize = 12;
pub(super) const WORDS: [&str; 24] = [
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "do",
    "eiusmod",
    "tempor",
    "incididunt",
    "ut",
    "labore",
    "et",
    "dolore",
    "magna",
    "aliqua",
    "enim",
    "minim",
    "veniam",
    "quis",
    "nostrud",
];

impl Mask {
    /// Writes what stands in the place of `value`.
    pub fn apply(&self, key: &Key, value: &[u8], out: &mut Vec<u8>) {
        if !self.is_array {
            return self.element(key, value, out);
        }
        let start = out.len();
        if array::rewritten(value, out, |one, out| self.element(key, one, out)).is_none() {
            // Not an array as it is known: nothing of it goes on. An empty one has no dimensions.
            out.truncate(start);
            out.extend_from_slice(&[0; 8]);
            out.extend_from_slice(value.get(8..12).unwrap_or(&[0, 0, 0, 25]));
        }
    }

    fn element(&self, key: &Key, value: &[u8], out: &mut Vec<u8>) {
        let numbers = Numbers { key, limits: &self.limits };
        let written = |value| String::from_utf8_lossy(value).into_owned();
        match self.wire {
            Wire::Text => self.text(key, value, out),
            Wire::FoldedText => self.text(key, written(value).to_lowercase().as_bytes(), out),
            Wire::Uuid => out.extend_from_slice(&uuid(key, value)),
            Wire::Number if self.rule == Rule::Number => numbers.integer(value, out),
            Wire::Number => number(key, value, out),
            Wire::Numeric => numbers.numeric(value, out),
            Wire::Float => numbers.float(value, out),
            Wire::NumberText => out.extend_from_slice(numbers.text(&written(value)).as_bytes()),
            Wire::Date => dates::shift_date(key, value, out),
            Wire::Timestamp => dates::shift_timestamp(key, value, out),
            Wire::DateText => out.extend_from_slice(dates::shift_text(key, &written(value)).as_bytes()),
            Wire::Address => network::address(key, self.is_unique, value, out),
            Wire::Hardware => network::hardware(key, self.is_unique, value, out),
            Wire::Bytes => out.extend_from_slice(&key.hash("hash", value).to_be_bytes()),
            Wire::Json => self.json(key, value, out),
            Wire::Jsonb => {
                out.push(1);
                self.json(key, value.get(1..).unwrap_or_default(), out);
            }
        }
    }

    fn text(&self, key: &Key, value: &[u8], out: &mut Vec<u8>) {
        if value.is_empty() {
            return;
        }
        // Blanks at the end are no part of a value of `character(n)`, and of all others they are.
        let value = if self.is_padded { value.trim_ascii_end() } else { value };
        let text = self.replacement(key, value);
        out.extend(text.chars().take(self.max_chars).collect::<String>().as_bytes());
    }

    fn replacement(&self, key: &Key, value: &[u8]) -> String {
        let hash = key.hash(self.rule.name(), value);
        let (small, large) = (hash % 1_000_000, hash >> 80);
        match &self.rule {
            Rule::Email => email(hash, self.max_chars, if self.is_unique { APART } else { 8 }),
            Rule::Phone => {
                let (area, line) = (200 + (hash >> 40) % 800, hash % 100);
                let local = format!("555-01{line:02}");
                match (self.is_unique, self.max_chars) {
                    (true, _) => format!("{local}x{:014}", (hash >> 64) % 100_000_000_000_000),
                    (false, 15..) => format!("+1-{area}-{local}"),
                    (false, _) => local,
                }
            }
            Rule::Name if self.is_unique => numbered("Test User ", large, self.max_chars),
            Rule::Name => numbered("Test User ", small, self.max_chars),
            Rule::Address if self.is_unique => numbered("Test Street ", large, self.max_chars),
            Rule::Address => numbered("Test Street ", 1 + small % 9_999, self.max_chars),
            Rule::Text if self.is_unique => format!("{hash:032x}"),
            Rule::Text => words(hash, String::from_utf8_lossy(value).chars().count()),
            Rule::Uuid => formatted(&uuid(key, value)),
            _ => format!("{hash:032x}"),
        }
    }

    fn json(&self, key: &Key, value: &[u8], out: &mut Vec<u8>) {
        let Rule::JsonPath(paths) = &self.rule else { return out.extend_from_slice(b"null") };
        let text = String::from_utf8_lossy(value);
        let all: Vec<&Path> = paths.iter().map(|(path, _)| path).collect();
        let replaced = rewritten(&text, &all, |path, value, is_string| {
            let rule = &paths[path].1;
            match (rule, is_string, value) {
                (Rule::Null, ..) => Some("null".to_owned()),
                (_, false, "null" | "true" | "false") => None,
                (Rule::Number, false, _) => Some(Numbers { key, limits: &self.limits }.text(value)),
                (_, false, _) => Some((key.hash("number", value.as_bytes()) % 1_000_000).to_string()),
                (_, true, "") => None,
                _ => {
                    let mask = Mask {
                        rule: rule.clone(),
                        wire: Wire::Text,
                        is_unique: true,
                        is_padded: false,
                        is_array: false,
                        max_chars: usize::MAX,
                        limits: Limits::default(),
                    };
                    serde_json::to_string(&mask.replacement(key, value.as_bytes())).ok()
                }
            }
        });
        // What is not JSON as it is known does not go on.
        out.extend_from_slice(replaced.as_deref().unwrap_or("null").as_bytes());
    }
}

/// `apart` is how many hexadecimal digits the name needs at least; a column with less room gets a shorter domain.
fn email(hash: u128, max_chars: usize, apart: usize) -> String {
    let hex = format!("{:020x}", hash >> 48);
    let (name, domain) = ("user-", "@example.test");
    let room = max_chars.saturating_sub(name.len() + domain.len());
    if room >= apart {
        return format!("{name}{}{domain}", &hex[..room.min(16)]);
    }
    let room = max_chars.saturating_sub("@t.test".len()).min(hex.len());
    format!("{}@t.test", &hex[..room])
}

/// Writes a word with a number behind it; of a short column the number alone.
fn numbered(word: &str, number: u128, max_chars: usize) -> String {
    let whole = format!("{word}{number}");
    if whole.len() <= max_chars {
        return whole;
    }
    let digits = number.to_string();
    digits[digits.len().saturating_sub(max_chars)..].to_owned()
}

fn words(hash: u128, chars: usize) -> String {
    let mut text = String::with_capacity(chars + 12);
    let mut at = usize::try_from(hash % 24).unwrap_or_default();
    while text.len() < chars {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(WORDS[at % WORDS.len()]);
        at += 7;
    }
    text.truncate(chars);
    text.trim_end().to_owned()
}

/// Returns a UUID of version 4 for another one.
fn uuid(key: &Key, value: &[u8]) -> [u8; 16] {
    // A UUID in text is the same as in 16 bytes, so that both kinds of columns still meet.
    let digits: Vec<u8> = value.iter().copied().filter(u8::is_ascii_hexdigit).map(|b| b.to_ascii_lowercase()).collect();
    let text =
        if value.len() == 16 { value.iter().map(|b| format!("{b:02x}")).collect::<String>() } else { String::new() };
    let input = if value.len() == 16 { text.as_bytes() } else { &digits };
    let mut bytes = key.hash("uuid", input).to_be_bytes();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}

fn formatted(uuid: &[u8; 16]) -> String {
    let hex: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Replaces a number by another one of the same sign and width.
fn number(key: &Key, value: &[u8], out: &mut Vec<u8>) {
    let bits = u32::try_from(value.len() * 8).unwrap_or(64).saturating_sub(1);
    let mut wide = [if value.first().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 }; 8];
    let at = 8_usize.saturating_sub(value.len());
    wide[at..].copy_from_slice(value);
    let number = i64::from_be_bytes(wide);
    // The least number has no counterpart above zero.
    let new = match number.checked_abs().filter(|size| size.unsigned_abs() < 1_u64 << bits) {
        Some(size) => {
            let size = i64::try_from(key.permute("number", size.unsigned_abs().into(), bits)).unwrap_or(size);
            if number < 0 { -size } else { size }
        }
        None => number,
    };
    out.extend_from_slice(&new.to_be_bytes()[at..]);
}
