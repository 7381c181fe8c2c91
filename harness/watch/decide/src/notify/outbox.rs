//! A message on its way to one receiver, and when it is tried again.

use serde::{Deserialize, Serialize};

use super::Message;

/// Seconds after which a message is tried again, after each failed try; the last is repeated.
const PAUSES: [i64; 4] = [60, 300, 1_800, 7_200];
/// Seconds after which a message that no receiver took is not tried any more.
pub const GIVE_UP_AFTER: i64 = 3 * 24 * 3_600;
/// The longest pause that a receiver can ask for, in seconds.
const LONGEST_PAUSE: i64 = 24 * 3_600;

/// A message on its way to one receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// The version of this form.
    pub v: u32,
    /// The receiver's name in the configuration.
    pub receiver: String,
    /// The message.
    pub message: Message,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was written, in seconds since 1970.
    pub since: i64,
    /// From when on it may be tried, in seconds since 1970.
    pub due: i64,
    /// Why the last try failed, without secrets.
    pub error: Option<String>,
}

impl Parcel {
    /// Makes one that is due at once.
    #[must_use]
    pub fn new(receiver: &str, message: Message, now: i64) -> Self {
        Parcel { v: 1, receiver: receiver.to_owned(), message, attempts: 0, since: now, due: now, error: None }
    }

    /// Returns whether it may be tried now. A clock that was set back makes it due.
    #[must_use]
    pub fn is_due(&self, now: i64) -> bool {
        self.due <= now || self.due - now > LONGEST_PAUSE
    }

    /// Returns whether it is not tried any more.
    #[must_use]
    pub fn is_given_up(&self, now: i64) -> bool {
        self.attempts > 0 && now - self.since > GIVE_UP_AFTER
    }

    /// Returns it as it stands while it is tried: a sender that dies meanwhile has used up the try.
    #[must_use]
    pub fn tried(&self, now: i64) -> Self {
        let nth = usize::try_from(self.attempts).unwrap_or(usize::MAX).min(PAUSES.len() - 1);
        Parcel { attempts: self.attempts.saturating_add(1), due: now + PAUSES[nth], ..self.clone() }
    }

    /// Returns a tried one as it stands after the try failed; `pause` is what the receiver asked for, in seconds.
    #[must_use]
    pub fn failed(&self, now: i64, error: String, pause: Option<i64>) -> Self {
        let pause = pause.map(|pause| pause.clamp(0, LONGEST_PAUSE));
        Parcel { due: self.due.max(now + pause.unwrap_or_default()), error: Some(error), ..self.clone() }
    }
}

/// Returns the name of a parcel's file: the same for the same message and receiver.
#[must_use]
pub fn parcel_name(id: &str, receiver: &str) -> String {
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect()
    };
    format!("{}.{}.json", plain(id), plain(receiver))
}

/// Reads a `Retry-After` in seconds; `unix_of_date` reads its other form, a date, in seconds since 1970.
// Source: RFC 9110, 10.2.3.
#[must_use]
pub fn retry_after_seconds(text: &str, now: i64, unix_of_date: impl Fn(&str) -> Option<i64>) -> Option<i64> {
    let text = text.trim();
    // Discord sends fractions.
    let number: Option<f64> = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
    #[expect(clippy::cast_possible_truncation, reason = "a float that is too large becomes the largest number")]
    let seconds = number.map(|seconds| seconds.ceil() as i64);
    seconds.or_else(|| unix_of_date(text).map(|at| (at - now).max(0)))
}
