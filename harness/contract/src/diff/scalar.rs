//! Scalars of YAML without quotes.

use std::borrow::Cow;

use super::tree::Datum;

/// Reads a scalar without quotes.
// Source: YAML 1.2.2, 10.3.2 (the core schema).
pub(super) fn plain(text: Cow<'_, str>) -> Datum<'_> {
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => Datum::Null,
        "true" | "True" | "TRUE" => Datum::Bool(true),
        "false" | "False" | "FALSE" => Datum::Bool(false),
        number if is_number(number) => Datum::Number(text),
        _ => Datum::Text(text),
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
        && text.parse::<f64>().is_ok()
}
