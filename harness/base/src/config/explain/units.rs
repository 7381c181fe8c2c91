//! Durations, sizes and shares that are written otherwise than they are read.

use super::Explained;
use crate::units::{Share, Size, Span};

/// Words that people write for a unit, and the unit.
const UNITS: [(&str, &str); 26] = [
    ("ms", "ms"),
    ("msec", "ms"),
    ("milliseconds", "ms"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("hr", "h"),
    ("hrs", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
    ("k", "KiB"),
    ("kilobytes", "kB"),
    ("kb", "kB"),
    ("mb", "MB"),
    ("m", "MiB"),
    ("megabytes", "MB"),
    ("gb", "GB"),
    ("g", "GiB"),
    ("gigabytes", "GB"),
    ("percent", "%"),
];
/// Words that are a whole duration.
const SPANS: [(&str, &str); 5] =
    [("hourly", "1h"), ("daily", "1d"), ("weekly", "7d"), ("monthly", "30d"), ("never", "0s")];

/// Returns what to write where a number stands in the place of a text with a unit.
pub(super) fn of_number(found: &str, expected: &str) -> Option<String> {
    found.parse::<f64>().ok()?;
    let units = match expected.strip_prefix("a text with a number and a unit")? {
        " of size" => ["MiB", "GiB"],
        ", %" => return Some(format!("write a unit, in quotes: \"{found}%\"")),
        _ => ["s", "m"],
    };
    Some(format!("write a unit, in quotes: \"{found}{}\" or \"{found}{}\"", units[0], units[1]))
}

/// Explains a text that is no duration, size or share, with the key that has it.
pub(super) fn explained(key: &str, message: &str) -> Option<Explained> {
    let (found, rest) = message.strip_prefix('`')?.split_once("` is not ")?;
    let what = ["a duration", "a size", "a share"].into_iter().find(|what| rest.starts_with(what))?;
    let hint = meant(found, what).map(|meant| format!("did you mean \"{meant}\"?"));
    Some(Explained { message: format!("{key}: {message}"), label: None, hint })
}

/// Returns what a text probably stands for; only what is read as the wanted kind.
fn meant(found: &str, what: &str) -> Option<String> {
    let text = found.trim().to_ascii_lowercase();
    if what == "a duration" {
        if let Some((_, span)) = SPANS.iter().find(|(word, _)| *word == text) {
            return Some((*span).to_owned());
        }
        if let Some(sum) = sum(&text) {
            return Some(sum);
        }
    }
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, word) = (&text[..at], text[at..].trim());
    if let ("a duration", "week" | "weeks" | "w") = (what, word) {
        return number.parse::<u32>().ok().map(|weeks| format!("{}d", weeks.saturating_mul(7)));
    }
    let candidates = UNITS.iter().filter(|(name, _)| *name == word).map(|(_, unit)| format!("{number}{unit}"));
    candidates.into_iter().find(|text| match what {
        "a duration" => text.parse::<Span>().is_ok(),
        "a size" => text.parse::<Size>().is_ok(),
        _ => text.parse::<Share>().is_ok(),
    })
}

/// Reads several numbers with units, `1h30m`, as one in the smallest of them.
fn sum(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split_inclusive(|c: char| c.is_ascii_alphabetic()).map(str::trim).collect();
    let spans: Option<Vec<Span>> = parts.iter().map(|part| part.parse().ok()).collect();
    let spans = spans.filter(|spans| spans.len() > 1)?;
    Some(Span(spans.iter().map(|span| span.0).sum()).to_string())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("5 minutes", "a duration", Some("5m"))]
    #[case("2 weeks", "a duration", Some("14d"))]
    #[case("1h30m", "a duration", Some("90m"))]
    #[case("daily", "a duration", Some("1d"))]
    #[case("500 megabytes", "a size", Some("500MB"))]
    #[case("512m", "a size", Some("512MiB"))]
    #[case("5 percent", "a share", Some("5%"))]
    #[case("5 minutes", "a size", None)]
    #[case("soon", "a duration", None)]
    fn what_people_write_is_proposed_as_it_is_read(
        #[case] found: &str,
        #[case] what: &str,
        #[case] want: Option<&str>,
    ) {
        assert_eq!(meant(found, what).as_deref(), want);
    }
}
