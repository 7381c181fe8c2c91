//! Durations and sizes as people write them in a configuration: a number and a unit, never a bare number.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time such as `30s`, `5m`, `250ms` or `1.5h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub Duration);

/// A number of bytes such as `400MiB` or `1GiB`; `kB`, `MB`, `GB` are powers of 1,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Size(pub u64);

/// A part of a whole, written as `0.1%`; `Share(0.001)`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Share(pub f64);

/// A text that is not a number with a known unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not {what}; write a number and a unit, such as {example}")]
pub struct UnitError {
    found: String,
    what: &'static str,
    example: &'static str,
}

fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().ok()?;
    number.is_finite().then(|| (number, unit.trim()))
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError { found: text.to_owned(), what: "a duration", example: "\"30s\" or \"5m\"" };
        let (number, unit) = split(text).ok_or_else(error)?;
        // Whole milliseconds are taken as they are: in seconds they are no number that a float holds.
        let whole = text.trim().strip_suffix("ms").and_then(|number| number.trim().parse().ok());
        if let Some(millis) = whole {
            return Ok(Span(Duration::from_millis(millis)));
        }
        let seconds = match unit {
            "ms" => number / 1e3,
            "s" => number,
            "m" | "min" => number * 60.0,
            "h" => number * 3_600.0,
            "d" => number * 86_400.0,
            _ => return Err(error()),
        };
        Duration::try_from_secs_f64(seconds).map(Span).map_err(|_| error())
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError { found: text.to_owned(), what: "a size", example: "\"400MiB\" or \"1GiB\"" };
        let (number, unit) = split(text).ok_or_else(error)?;
        let factor = match unit {
            "B" => 1.0,
            "kB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "KiB" => 1024.0,
            "MiB" => 1024.0 * 1024.0,
            "GiB" => 1024.0 * 1024.0 * 1024.0,
            _ => return Err(error()),
        };
        let bytes = number * factor;
        if bytes >= 9e18 {
            return Err(error());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the bounds were checked above, and no sign is parsed"
        )]
        Ok(Size(bytes as u64))
    }
}

impl FromStr for Share {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let error = || UnitError { found: text.to_owned(), what: "a share", example: "\"0.1%\"" };
        let (number, unit) = split(text).ok_or_else(error)?;
        let share = Share(number / 100.0);
        (unit == "%" && share.0 <= 1.0).then_some(share).ok_or_else(error)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded, since 0.07 * 100 is 7.000000000000001.
        write!(f, "{}%", (self.0 * 1e8).round() / 1e6)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        match millis {
            0 => write!(f, "0s"),
            m if m % 3_600_000 == 0 => write!(f, "{}h", m / 3_600_000),
            m if m % 60_000 == 0 => write!(f, "{}m", m / 60_000),
            m if m % 1_000 == 0 => write!(f, "{}s", m / 1_000),
            m if m < 1_000 => write!(f, "{m}ms"),
            _ => write!(f, "{:.1}s", self.0.as_secs_f64()),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "shown to one decimal, so the lost bits are never seen")]
        let bytes = self.0 as f64;
        for (unit, factor) in [("GiB", 1024.0 * 1024.0 * 1024.0), ("MiB", 1024.0 * 1024.0), ("KiB", 1024.0)] {
            if bytes >= factor {
                return write!(f, "{:.1} {unit}", bytes / factor);
            }
        }
        write!(f, "{} B", self.0)
    }
}

impl Share {
    fn exact(self) -> String {
        format!("{}%", self.0 * 100.0)
    }
}

impl Span {
    /// Returns whether it is no time at all.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    fn exact(self) -> String {
        match self.0.subsec_nanos() {
            nanos if nanos % 1_000_000 == 0 => format!("{}ms", self.0.as_millis()),
            _ => format!("{}s", self.0.as_secs_f64()),
        }
    }
}

impl Size {
    fn exact(self) -> String {
        format!("{}B", self.0)
    }
}

macro_rules! as_text {
    ($type:ty, $expected:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Text)
            }
        }
        // What is shown is rounded; what is written is read again, by a run that goes on, so it has to be the same.
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let shown = self.to_string().replace(' ', "");
                let same = shown.parse::<$type>().is_ok_and(|read| read == *self);
                serializer.collect_str(&if same { shown } else { self.exact() })
            }
        }
    };
}
as_text!(Span, "a text with a number and a unit of time");
as_text!(Size, "a text with a number and a unit of size");
as_text!(Share, "a text with a number and a unit, %");

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("250ms", 250)]
    #[case("1.5s", 1_500)]
    #[case("5m", 300_000)]
    #[case("2 h", 7_200_000)]
    fn a_duration_is_a_number_and_a_unit(#[case] text: &str, #[case] millis: u64) {
        assert_eq!(text.parse(), Ok(Span(Duration::from_millis(millis))));
    }

    #[rstest]
    #[case("5")]
    #[case("m5")]
    #[case("5 min utes")]
    #[case("-5s")]
    #[case("1e400s")]
    #[case("")]
    fn a_duration_without_a_known_unit_is_refused(#[case] text: &str) {
        let error = text.parse::<Span>().unwrap_err().to_string();
        assert!(error.contains("\"30s\""), "{error}");
    }

    #[rstest]
    #[case("0.1%", 0.001, "0.1%")]
    #[case("7 %", 0.07, "7%")]
    fn a_share_is_a_number_of_a_hundred(#[case] text: &str, #[case] share: f64, #[case] shown: &str) {
        let read: Share = text.parse().unwrap();
        assert!((read.0 - share).abs() < 1e-12);
        assert_eq!(read.to_string(), shown);
        assert!("0.1".parse::<Share>().is_err() && "101%".parse::<Share>().is_err());
    }

    #[rstest]
    #[case("400MiB", 419_430_400)]
    #[case("1GB", 1_000_000_000)]
    fn a_size_is_a_number_and_a_unit(#[case] text: &str, #[case] bytes: u64) {
        assert_eq!(text.parse(), Ok(Size(bytes)));
    }
}
