//! Formats: which values one refuses that nothing else refuses already.
//!
//! In: what two schemas allow. Out: the effect of the other format, or none: a format that restricts nothing more than
//! limits, listed values or the type do breaks nobody.

use serde_json::{Value, json};

use super::{
    rule::Effect,
    shape::Shape,
    types::{FRACTION, INTEGER, STRING},
};

/// Formats that only tell a form or an editor how to show a text.
// Source: OpenAPI 3.1.0, 4.4: `password` is a hint to obscure the value; the OAI format registry for the others.
const SHOWN: [&str; 9] =
    ["password", "commonmark", "markdown", "html", "text", "textarea", "multiline", "string", "color-picker"];

/// Formats of numbers that are not integers of a range, and hold fewer numbers than JSON does.
// Source: the OAI format registry.
const NUMERIC: [&str; 3] = ["float", "decimal", "decimal128"];

/// Formats whose texts are all texts of another one.
// Source: RFC 3986, RFC 3987, RFC 5890, RFC 6531.
const WIDER: [(&str, &str); 8] = [
    ("uri", "uri-reference"),
    ("uri", "iri"),
    ("uri", "iri-reference"),
    ("uri-reference", "iri-reference"),
    ("iri", "iri-reference"),
    ("email", "idn-email"),
    ("hostname", "idn-hostname"),
    ("float", "double"),
];

/// Returns what another format does to the values that are allowed.
pub(super) fn effect(old: &Shape<'_>, new: &Shape<'_>) -> Option<Effect> {
    if old.format == new.format {
        return None;
    }
    let both = Room::common(old, new);
    // Where only one of them lists its values, what they are decides, and its format states no more.
    let (was_listed, is_listed) = (old.values.is_some(), new.values.is_some());
    let is_refused_less = (is_listed && !was_listed) || is_enforced(new.format, old, &both);
    let is_refused_more = (was_listed && !is_listed) || is_enforced(old.format, new, &both);
    match (is_refused_less, is_refused_more) {
        (true, true) => None,
        (false, true) if is_wide_whole(old, new) => Some(Effect::Limited),
        (false, true) => Some(Effect::Narrowed),
        (true, false) => Some(Effect::Widened),
        (false, false) => Some(Effect::Changed),
    }
}

/// The numbers that the limits of both schemas leave: a difference of the limits is a finding of its own.
#[derive(Clone, Copy)]
struct Room {
    least: f64,
    most: f64,
}

impl Room {
    fn common(old: &Shape<'_>, new: &Shape<'_>) -> Self {
        let least = |shape: &Shape<'_>| shape.minimum.map_or(f64::NEG_INFINITY, |bound| bound.limit);
        let most = |shape: &Shape<'_>| shape.maximum.map_or(f64::INFINITY, |bound| bound.limit);
        Room { least: least(old).max(least(new)), most: most(old).min(most(new)) }
    }

    fn within(self, range: (f64, f64)) -> Self {
        Room { least: self.least.max(range.0), most: self.most.min(range.1) }
    }
}

/// Returns whether `format` refuses nothing of what a schema allows, whose format is another one.
fn is_enforced(format: Option<&str>, by: &Shape<'_>, room: &Room) -> bool {
    let Some(format) = format else { return true };
    let types = by.types.unwrap_or(STRING);
    // Source: JSON Schema 2020-12 Validation, 7.1: a format states nothing of values of another type than its own.
    if types & (STRING | INTEGER | FRACTION) == 0 || SHOWN.contains(&format) {
        return true;
    }
    if by.format.is_some_and(|own| own == format || WIDER.contains(&(own, format))) {
        return true;
    }
    if let Some(values) = &by.values {
        return values.iter().all(|text| serde_json::from_str(text).is_ok_and(|value| takes(format, &value)));
    }
    match range(format) {
        // Where numbers are written as texts, as Google's `int64`, the format states nothing of the text.
        _ if types & (INTEGER | FRACTION) == 0 && is_of_numbers(format) => true,
        _ if types & STRING != 0 => false,
        // A JSON number that interoperates is a double (RFC 8259, section 6), and a format of texts states nothing of it.
        None => !NUMERIC.contains(&format),
        Some((least, most)) => {
            let own = by.format.and_then(range).map_or(*room, |range| room.within(range));
            types & FRACTION == 0 && own.least >= least && own.most <= most
        }
    }
}

/// Returns whether a format is one of numbers only.
fn is_of_numbers(format: &str) -> bool {
    range(format).is_some() || matches!(format, "float" | "double")
}

/// Returns the integers of a format.
// Source: the OAI format registry.
fn range(format: &str) -> Option<(f64, f64)> {
    let power = |exponent: i32| 2f64.powi(exponent);
    if format == "double-int" {
        return Some((1.0 - power(53), power(53) - 1.0));
    }
    let (digits, is_signed) = match (format.strip_prefix("int"), format.strip_prefix("uint")) {
        (Some(digits), _) => (digits, true),
        (_, Some(digits)) => (digits, false),
        _ => return None,
    };
    let bits: i32 = digits.parse().ok().filter(|bits| matches!(bits, 8 | 16 | 32 | 64))?;
    Some(if is_signed { (-power(bits - 1), power(bits - 1) - 1.0) } else { (0.0, power(bits) - 1.0) })
}

/// Returns whether an integer without a format got the widest one: it only writes down what programs can hold.
fn is_wide_whole(old: &Shape<'_>, new: &Shape<'_>) -> bool {
    old.format.is_none() && old.types == Some(INTEGER) && new.format == Some("int64")
}

/// Returns whether a value is one of a format.
fn takes(format: &str, value: &Value) -> bool {
    match (range(format), value.as_f64()) {
        (Some((least, most)), Some(number)) => number >= least && number <= most && number.fract() == 0.0,
        (None, Some(_)) => matches!(format, "double" | "float"),
        _ => {
            let known = jsonschema::options().should_validate_formats(true).should_ignore_unknown_formats(false);
            known.build(&json!({ "format": format })).is_ok_and(|validator| validator.is_valid(value))
        }
    }
}
