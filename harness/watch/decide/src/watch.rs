//! When something that is looked at again and again is down, up again, or flapping, and who is to hear of it.
//!
//! Pure: the clock is an argument, and what was alerted is a part of the state, so that a restart repeats nothing.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// A check is down after so many failures in a row, or after [`DOWN_AFTER`].
pub const FAILURES: u32 = 3;
/// A check is down if it fails for so many seconds.
pub const DOWN_AFTER: i64 = 60;
/// A check is up again after so many passes in a row.
pub const PASSES: u32 = 2;
/// So many changes within [`FLAPPING_WITHIN`] are flapping.
pub const CHANGES: usize = 4;
/// Seconds in which changes are counted; without one in this time a check does not flap any more.
pub const FLAPPING_WITHIN: i64 = 600;
/// How often what requires a person is reported again, in seconds.
pub const AGAIN: i64 = 3_600;

/// What a check is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It passes.
    #[default]
    Up,
    /// It fails, and not for long.
    Pending,
    /// It fails.
    Down,
    /// It changes again and again.
    Flapping,
}

impl Status {
    /// Returns it as a person reads it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Status::Up => "up",
            Status::Pending => "pending",
            Status::Down => "DOWN",
            Status::Flapping => "FLAPPING",
        }
    }
}

/// What one look at a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    /// The check, such as `service api`.
    pub check: String,
    /// What is wrong; `None` where nothing is.
    pub problem: Option<String>,
    /// Whether one failure is enough: an event of the Engine is no measurement that could err.
    pub is_certain: bool,
    /// Whether it is reported again each hour.
    pub is_repeated: bool,
}

impl CheckResult {
    /// Makes a look that found what it found.
    #[must_use]
    pub fn new(check: impl Into<String>, problem: Option<String>) -> Self {
        CheckResult { check: check.into(), problem, is_certain: false, is_repeated: false }
    }

    /// Makes one of an event.
    #[must_use]
    pub fn certain(check: impl Into<String>, problem: String) -> Self {
        CheckResult { is_certain: true, ..Self::new(check, Some(problem)) }
    }
}

/// What is known of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What it is.
    pub status: Status,
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// What is wrong, or was last.
    pub problem: Option<String>,
    failures: u32,
    passes: u32,
    /// When the first failure in a row was, in seconds since 1970.
    failed_since: Option<i64>,
    /// Whether it is down under the flapping.
    is_down: bool,
    /// When it changed between up and down, in seconds since 1970.
    changes: VecDeque<i64>,
    /// When the first failure of what was alerted was, and when it was alerted last.
    alerted: Option<(i64, i64)>,
}

/// What happened to a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is down.
    Down,
    /// It still is, and requires a person.
    StillDown,
    /// It is up again.
    Up,
    /// It flaps.
    Flapping,
}

/// Something that somebody is to hear of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The check.
    pub check: String,
    /// What happened.
    pub change: Change,
    /// When it began, in seconds since 1970: the same in the notice that it is over.
    pub since: i64,
    /// When it is reported; a part of the id of what is reported again.
    pub at: i64,
    /// What is wrong, or was.
    pub problem: Option<String>,
}

/// All checks of an environment, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checks(pub BTreeMap<String, Known>);

impl Checks {
    /// Notes what a round or an event found, and returns what somebody is to hear of. `now` is in seconds since 1970.
    #[must_use]
    pub fn note(&mut self, looks: &[CheckResult], now: i64) -> Vec<Notice> {
        let mut notices = Vec::new();
        for look in looks {
            let known = self.0.entry(look.check.clone()).or_insert_with(|| Known { since: now, ..Known::default() });
            notices.extend(known.note(look, now));
        }
        notices
    }

    /// Notes a whole round: a check that is not in it is none any more, as that of a service that was removed.
    #[must_use]
    pub fn round(&mut self, looks: &[CheckResult], now: i64) -> Vec<Notice> {
        self.0.retain(|check, _| looks.iter().any(|look| look.check == *check));
        self.note(looks, now)
    }

    /// Forgets failures that were not alerted, as after a time in which nobody looked.
    pub fn pause(&mut self) {
        for known in self.0.values_mut() {
            (known.failures, known.passes, known.failed_since) = (0, 0, None);
            if known.status == Status::Pending {
                known.status = Status::Up;
            }
        }
    }

    /// Returns whether no check is down or flaps.
    #[must_use]
    pub fn are_well(&self) -> bool {
        self.0.values().all(|known| matches!(known.status, Status::Up | Status::Pending))
    }
}

impl Known {
    fn note(&mut self, look: &CheckResult, now: i64) -> Option<Notice> {
        // A clock that was set back must not keep a check in flapping for a day.
        self.changes.retain(|at| *at <= now && now - at < FLAPPING_WITHIN);
        let changed = match &look.problem {
            Some(problem) => self.failed(problem, look.is_certain, now),
            None => self.passed(now),
        };
        if changed {
            self.changes.push_back(now);
        }
        self.judged(look, changed, now)
    }

    /// Notes a failure; returns whether the check went down by it.
    fn failed(&mut self, problem: &str, is_certain: bool, now: i64) -> bool {
        self.problem = Some(problem.to_owned());
        (self.failures, self.passes) = (self.failures.saturating_add(1), 0);
        let since = *self.failed_since.get_or_insert(now);
        let is_long = now - since >= DOWN_AFTER;
        let goes_down = !self.is_down && (is_certain || self.failures >= FAILURES || is_long);
        if goes_down {
            self.is_down = true;
        } else if self.status == Status::Up {
            self.set(Status::Pending, now);
        }
        goes_down
    }

    /// Notes a pass; returns whether the check came up by it.
    fn passed(&mut self, now: i64) -> bool {
        (self.failures, self.passes) = (0, self.passes.saturating_add(1));
        if !self.is_down {
            self.failed_since = None;
            if self.status == Status::Pending {
                self.set(Status::Up, now);
            }
            return false;
        }
        let comes_up = self.passes >= PASSES;
        if comes_up {
            self.is_down = false;
        }
        comes_up
    }

    fn set(&mut self, status: Status, now: i64) {
        if self.status != status {
            (self.status, self.since) = (status, now);
        }
    }

    /// Sets the status, and returns what somebody is to hear.
    fn judged(&mut self, look: &CheckResult, changed: bool, now: i64) -> Option<Notice> {
        let was = self.status;
        let flaps = self.changes.len() >= CHANGES || (was == Status::Flapping && !self.changes.is_empty());
        let change = match (was, flaps, self.is_down) {
            (Status::Flapping, true, _) => return None,
            (_, true, _) => Change::Flapping,
            (Status::Down, false, true) => {
                let (_, last) = self.alerted?;
                // A clock that was set back makes it due.
                let is_due = look.is_repeated && (now - last >= AGAIN || last > now);
                if !is_due {
                    return None;
                }
                Change::StillDown
            }
            (_, false, true) if changed || was == Status::Flapping => Change::Down,
            (Status::Down | Status::Flapping, false, false) => Change::Up,
            _ => return None,
        };
        let (since, _) = self.alerted.unwrap_or((self.failed_since.unwrap_or(now), now));
        match change {
            Change::Down | Change::StillDown => self.set(Status::Down, now),
            Change::Up => self.set(Status::Up, now),
            Change::Flapping => self.set(Status::Flapping, now),
        }
        self.alerted = (change != Change::Up).then_some((since, now));
        if change == Change::Up {
            self.failed_since = None;
        }
        Some(Notice { check: look.check.clone(), change, since, at: now, problem: self.problem.clone() })
    }
}

/// What a watch knows, as it is on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// When the last round was, in seconds since 1970.
    pub round_at: i64,
    /// How long it took, in milliseconds.
    pub round_ms: u64,
    /// Who changes the environment now, so that nothing is reported.
    pub paused: Option<String>,
    /// The checks.
    pub checks: Checks,
}

#[cfg(test)]
mod tests;
