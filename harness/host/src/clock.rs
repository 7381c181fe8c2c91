//! The wall clock, as texts.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

/// Returns now in UTC as `YYYYMMDD-HHMMSS`.
#[must_use]
pub fn stamp() -> String {
    Timestamp::now().to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S").to_string()
}

/// Returns the moment that was `back` ago in UTC as `YYYYMMDD-HHMMSS`; the first one that there is where that is too far.
#[must_use]
pub fn stamp_before(back: Duration) -> String {
    let then = Timestamp::now().checked_sub(back).unwrap_or(Timestamp::UNIX_EPOCH);
    then.to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S").to_string()
}

/// Returns now in UTC, RFC 3339, to the second.
#[must_use]
pub fn now() -> String {
    format!("{:.0}", Timestamp::now())
}

/// Returns the moment that is `later` from now in UTC, RFC 3339, to the second; the last one that there is where that is too
/// far.
#[must_use]
pub fn after(later: Duration) -> String {
    format!("{:.0}", Timestamp::now().checked_add(later).unwrap_or(Timestamp::MAX))
}

/// Returns now in seconds since 1970.
#[must_use]
pub fn unix_seconds() -> i64 {
    Timestamp::now().as_second()
}

/// Returns an RFC 3339 text in seconds since 1970; `None` where it is none.
#[must_use]
pub fn unix_seconds_of(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_second)
}

/// Returns a date of HTTP, such as `Sun, 06 Nov 1994 08:49:37 GMT`, in seconds since 1970; `None` where it is none.
#[must_use]
pub fn unix_seconds_of_http_date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok().map(Timestamp::as_second)
}

/// Returns an RFC 3339 text in seconds since 1970 with their fractions; `None` where it is none.
#[must_use]
pub fn unix_of(text: &str) -> Option<f64> {
    text.parse::<Timestamp>().ok().map(|time| time.as_duration().as_secs_f64())
}

/// Returns today in UTC as `YYYY-MM-DD`.
#[must_use]
pub fn today() -> String {
    Timestamp::now().to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string()
}

/// Returns the seconds between two RFC 3339 texts; `None` where one is not.
#[must_use]
pub fn seconds_between(from: &str, to: &str) -> Option<f64> {
    let (from, to): (Timestamp, Timestamp) = (from.parse().ok()?, to.parse().ok()?);
    Some(to.duration_since(from).as_secs_f64())
}

/// Returns the time since the machine was started, its sleep included.
#[must_use]
pub fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(now.tv_sec.try_into().unwrap_or_default(), now.tv_nsec.try_into().unwrap_or_default())
}
