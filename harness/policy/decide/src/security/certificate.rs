//! Is the certificate that a service shows good for its name, now and for some time to come?
//!
//! Whether the chain leads to a known authority is asked of a TLS library in `stagegate_policy_act`; here its answer is
//! told, and the certificate's own times are read.

use stagegate_base::{finding::Finding, text::counted};

const DAY: i64 = 86_400;

/// What a TLS client thinks of what a service showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It is good for the name, and its chain leads to an authority that is trusted.
    Trusted,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYet,
    /// It is good for other names.
    OtherNames(Vec<String>),
    /// No authority that is trusted stands behind it.
    UnknownIssuer,
    /// Something else is wrong, in the library's words.
    Refused(String),
}

/// The times of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// First second at which it is good, since 1970.
    pub not_before: i64,
    /// Last second at which it is good, since 1970.
    pub not_after: i64,
    /// The day of `not_after`, such as `2026-01-31`.
    pub last_day: String,
}

/// Bytes that should be a certificate and are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service sent no readable X.509 certificate")]
pub struct CertificateError;

impl Certificate {
    /// Reads the times of a certificate from its DER form.
    ///
    /// # Errors
    /// [`CertificateError`] where the bytes are not laid out as a certificate is.
    // Source: RFC 5280, section 4.1: Certificate { tbsCertificate { [0] version, serialNumber, signature, issuer,
    // validity { notBefore, notAfter }, .. }, .. }.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let validity = || {
            let whole = Part::first(der)?.inside(SEQUENCE)?;
            let mut rest = Part::first(whole)?.inside(SEQUENCE)?;
            if Part::first(rest)?.tag == VERSION {
                rest = Part::first(rest)?.rest;
            }
            // Serial number, signature algorithm, issuer.
            for _ in 0..3 {
                rest = Part::first(rest)?.rest;
            }
            let times = Part::first(rest)?.inside(SEQUENCE)?;
            let before = Part::first(times)?;
            let after = Part::first(before.rest)?;
            let (not_before, _) = time(&before)?;
            let (not_after, last_day) = time(&after)?;
            Some(Certificate { not_before, not_after, last_day })
        };
        validity().ok_or(CertificateError)
    }
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// A tag, what stands in it, and what comes behind it.
// Source: X.690, section 8.1: tag, length (short, or the number of its bytes and they), contents.
struct Part<'a> {
    tag: u8,
    contents: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Part<'a> {
    fn first(bytes: &'a [u8]) -> Option<Self> {
        let (&tag, after) = bytes.split_first()?;
        let (&short, after) = after.split_first()?;
        let (length, after) = if short < 0x80 {
            (usize::from(short), after)
        } else {
            let (length, after) = after.split_at_checked(usize::from(short & 0x7f))?;
            if length.len() > 4 {
                return None;
            }
            (length.iter().fold(0_usize, |all, byte| all << 8 | usize::from(*byte)), after)
        };
        let (contents, rest) = after.split_at_checked(length)?;
        Some(Part { tag, contents, rest })
    }

    fn inside(&self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.contents)
    }
}

/// Reads a time: `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
// Source: RFC 5280, section 4.1.2.5.1: years of two digits from 50 on are in the last century.
fn time(part: &Part<'_>) -> Option<(i64, String)> {
    let text = std::str::from_utf8(part.contents).ok()?.strip_suffix('Z')?;
    let text = match part.tag {
        UTC_TIME => format!("{}{text}", if text < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = hour * 3_600 + minute * 60 + second;
    Some((days_from_1970(year, month, day) * DAY + seconds, format!("{year:04}-{month:02}-{day:02}")))
}

/// Counts the days from 1970-01-01 in the Gregorian calendar.
fn days_from_1970(year: i64, month: i64, day: i64) -> i64 {
    // A year that begins in March has its leap day at its end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    days + (month * 153 + 2) / 5 + day - 1 - 719_468
}

/// Tells why a client that asks for `name` would not go on with what `service` showed.
#[must_use]
pub fn certificate(service: &str, name: &str, trust: &Trust, shown: &Certificate, now: i64) -> Option<Finding> {
    let found = match trust {
        // A library may stop at an unknown authority before it looks at the time.
        _ if now > shown.not_after => format!("expired on {}", shown.last_day),
        Trust::Trusted => return None,
        Trust::Expired => format!("expired on {}", shown.last_day),
        Trust::NotYet => "not valid yet".to_owned(),
        Trust::OtherNames(names) if names.is_empty() => "valid for no name".to_owned(),
        Trust::OtherNames(names) => format!("valid for {}", names.join(", ")),
        Trust::UnknownIssuer => "not signed by a trusted authority".to_owned(),
        Trust::Refused(reason) => reason.clone(),
    };
    let expected = format!("valid for `{name}`, signed by a trusted authority");
    Some(Finding::differs(format!("certificate of {service}"), expected, found))
}

/// Tells that a certificate ends within `days` from `now`, which is in seconds since 1970.
#[must_use]
pub fn expiry(service: &str, shown: &Certificate, days: u32, now: i64) -> Option<Finding> {
    let left = (shown.not_after - now).div_euclid(DAY);
    (left < i64::from(days)).then(|| {
        Finding::differs(
            format!("certificate of {service}"),
            format!("valid for {} more", counted(days, "day")),
            if left < 0 {
                format!("expired on {}", shown.last_day)
            } else {
                format!("{}, until {}", counted(left, "day"), shown.last_day)
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Certificate::parse(&bytes);
        }

        // Source: RFC 5280, 4.1.2.5: digits and a Z, nothing else.
        #[test]
        fn a_time_is_one_of_the_calendar_or_refused(text in "[-+0-9]{2}[-+01][0-9][0-3][0-9][0-2][0-9][-+0-9]{4}Z") {
            let read = Certificate::parse(&der(true, (UTC_TIME, "700101000000Z"), (UTC_TIME, &text)));
            let in_order = |at: usize, range: std::ops::RangeInclusive<u32>| {
                text[at..at + 2].parse().is_ok_and(|number| range.contains(&number)) && !text[at..].starts_with('+')
            };
            let fits = in_order(0, 0..=99)
                && in_order(2, 1..=12)
                && in_order(4, 1..=31)
                && in_order(6, 0..=23)
                && in_order(8, 0..=59)
                && in_order(10, 0..=59);
            prop_assert_eq!(read.is_ok(), fits, "{}", text);
        }

        #[test]
        fn times_are_read_as_they_were_written(days in 0..29_000_i64, second in 0..DAY) {
            let (mut year, mut left) = (1970, days);
            let length = |year: i64| if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) { 366 } else { 365 };
            while left >= length(year) {
                (left, year) = (left - length(year), year + 1);
            }
            let months = [31, length(year) - 337, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            let mut month = 0;
            while left >= months[month] {
                (left, month) = (left - months[month], month + 1);
            }
            let (hour, minute, second_of) = (second / 3_600, second / 60 % 60, second % 60);
            let text = format!("{year:04}{:02}{:02}{hour:02}{minute:02}{second_of:02}Z", month + 1, left + 1);
            let read = Certificate::parse(&der(true, (UTC_TIME, "700101000000Z"), (GENERALIZED_TIME, &text))).unwrap();
            prop_assert_eq!(read.not_after, days * DAY + second, "{}", text);
        }
    }

    /// The outside of a certificate, which is all that is read: `30 len { 30 len { [a0 ..] 02 .. 30 .. 30 .. 30 .. } }`.
    fn der(version: bool, before: (u8, &str), after: (u8, &str)) -> Vec<u8> {
        let part = |tag: u8, inside: &[u8]| [&[tag, 0x81, u8::try_from(inside.len()).unwrap()], inside].concat();
        let time = |(tag, text): (u8, &str)| part(tag, text.as_bytes());
        let version = if version { part(VERSION, &[2, 1, 2]) } else { Vec::new() };
        let validity = part(SEQUENCE, &[time(before), time(after)].concat());
        let tbs = [version, part(2, &[1]), part(SEQUENCE, &[]), part(SEQUENCE, &[5, 0]), validity].concat();
        part(SEQUENCE, &part(SEQUENCE, &tbs))
    }

    #[rstest]
    #[case::version_1(false)]
    #[case::version_3(true)]
    fn the_times_are_read(#[case] version: bool) {
        let bytes = der(version, (UTC_TIME, "700101000000Z"), (GENERALIZED_TIME, "20380119031407Z"));
        let read = Certificate::parse(&bytes).unwrap();
        assert_eq!((read.not_before, read.not_after), (0, i64::from(i32::MAX)));
        assert_eq!(read.last_day, "2038-01-19");
    }

    #[test]
    fn a_leap_day_is_counted() {
        assert_eq!(days_from_1970(2024, 3, 1) - days_from_1970(2024, 2, 28), 2);
        assert_eq!(days_from_1970(2100, 3, 1) - days_from_1970(2100, 2, 28), 1);
    }

    #[test]
    fn bytes_that_are_cut_anywhere_are_no_certificate() {
        let bytes = der(true, (UTC_TIME, "700101000000Z"), (UTC_TIME, "380119031407Z"));
        for length in 0..bytes.len() {
            assert_eq!(Certificate::parse(&bytes[..length]), Err(CertificateError), "{length} bytes");
        }
        assert_eq!(Certificate::parse(b"-----BEGIN CERTIFICATE-----"), Err(CertificateError));
    }

    fn shown() -> Certificate {
        Certificate { not_before: 0, not_after: i64::from(i32::MAX), last_day: "2038-01-19".to_owned() }
    }

    #[rstest]
    #[case::sound(Trust::Trusted, 0, None)]
    #[case::nobody_knows_it(Trust::UnknownIssuer, 0, Some("not signed by a trusted authority"))]
    #[case::over_and_unknown(Trust::UnknownIssuer, i64::MAX, Some("expired on 2038-01-19"))]
    #[case::other(Trust::OtherNames(vec!["old.example.org".to_owned()]), 0, Some("valid for old.example.org"))]
    fn a_certificate_that_clients_refuse_is_told(#[case] trust: Trust, #[case] now: i64, #[case] want: Option<&str>) {
        let found = certificate("web", "shop.example.org", &trust, &shown(), now);
        assert_eq!(found.map(|finding| finding.found), want.map(str::to_owned));
    }

    #[rstest]
    #[case::a_month(30, None)]
    #[case::the_last_day(21, None)]
    #[case::a_day_less(20, Some("20 days, until 2038-01-19"))]
    #[case::today(0, Some("0 days, until 2038-01-19"))]
    #[case::over(-1, Some("expired on 2038-01-19"))]
    fn an_end_that_is_near_is_told(#[case] left: i64, #[case] want: Option<&str>) {
        let shown = shown();
        let found = expiry("web", &shown, 21, shown.not_after - left * DAY);
        assert_eq!(found.map(|finding| finding.found), want.map(str::to_owned));
    }
}
