//! What a rollback is expected to take, from what the rehearsal measured, against what it may take.

use serde::{Deserialize, Serialize};
use stagegate_base::units::Span;

/// What a rollback is expected to take, in seconds, as it was measured. Stop and start of the services are not in it: the
/// rehearsal has the database only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExpectedRollback {
    /// The checks of the source. Those of the target may be fewer.
    pub checks_seconds: f64,
    /// How long the services must stay healthy.
    #[serde(default)]
    pub soak_seconds: f64,
    /// Restore and comparison of the dumps; 0 where a rollback restores none.
    #[serde(default)]
    pub restore_seconds: f64,
    /// The copies of the databases, which are made while writes are frozen: no part of the rollback.
    #[serde(default)]
    pub copy_seconds: f64,
    /// The comparison of the copies with the frozen state.
    #[serde(default)]
    pub compare_seconds: f64,
    /// The exchange of the databases.
    #[serde(default)]
    pub switch_seconds: f64,
}

impl ExpectedRollback {
    /// Returns what the databases are expected to take.
    #[must_use]
    pub fn data_seconds(&self) -> f64 {
        self.restore_seconds + self.compare_seconds + self.switch_seconds
    }

    /// Returns what the rollback is expected to take.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.data_seconds() + self.checks_seconds + self.soak_seconds
    }

    /// Returns what surely counts against `within`: the checks with half of it, since the source has checks that the
    /// target need not have, and a busy machine makes them slow.
    fn counted_seconds(&self, within: f64) -> f64 {
        self.data_seconds() + self.soak_seconds + self.checks_seconds.min(within / 2.0)
    }

    /// Returns the expectation as the operator reads it in a line of the rehearsal.
    #[must_use]
    pub fn text(&self) -> String {
        format!("expected to take {}", self.parts())
    }

    fn parts(&self) -> String {
        let mut parts = Vec::new();
        let named = [
            ("restore", self.restore_seconds),
            ("comparison", self.compare_seconds),
            ("switch", self.switch_seconds),
            ("checks", self.checks_seconds),
            ("soak", self.soak_seconds),
        ];
        parts.extend(named.iter().filter(|(_, time)| *time > 0.0).map(|(name, time)| format!("{name} {time:.2} s")));
        format!("{:.1} s ({}) and the restart of the services", self.seconds(), parts.join(", "))
    }

    /// Returns why a release is blocked whose rollback would take longer than `within`; `None` where it would not, or only
    /// because of the checks.
    #[must_use]
    pub fn refusal(&self, target: &str, within: Span) -> Option<String> {
        let allowed = within.0.as_secs_f64();
        if self.counted_seconds(allowed) <= allowed {
            return None;
        }
        let fix = match () {
            () if self.soak_seconds > self.data_seconds() => "shorten `soak`",
            () if self.restore_seconds > 0.0 => {
                "make room for a copy of the databases and leave `tier` at \"auto\", which restores no dump"
            }
            () => "set `integrity = \"counts\"`, which compares faster",
        };
        let excess = self.excess(target, within)?;
        Some(format!("{excess}; {fix}, raise `rollback_within`, or try again if the machine was busy"))
    }

    /// Returns that the rollback would take longer than `within`, in words; `None` where it would not.
    #[must_use]
    pub fn excess(&self, target: &str, within: Span) -> Option<String> {
        let parts = self.parts();
        (self.seconds() > within.0.as_secs_f64()).then(|| {
            format!(
                "a rollback of {target} is expected to take {parts}, and `rollback_within` of [gate] allows {within}"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;

    const WITHIN: Span = Span(Duration::from_secs(300));

    fn expected(restore: f64, compare: f64, checks: f64, soak: f64) -> ExpectedRollback {
        ExpectedRollback {
            checks_seconds: checks,
            soak_seconds: soak,
            restore_seconds: restore,
            compare_seconds: compare,
            copy_seconds: 900.0,
            switch_seconds: 0.04,
        }
    }

    #[rstest]
    #[case::restore(expected(290.0, 0.0, 20.0, 10.0), "leave `tier` at \"auto\"")]
    #[case::compare(expected(0.0, 290.0, 20.0, 10.0), "set `integrity = \"counts\"`")]
    #[case::soak(expected(0.0, 2.0, 20.0, 290.0), "shorten `soak`")]
    #[case::half_for_the_checks(expected(0.0, 145.0, 400.0, 10.0), "set `integrity = \"counts\"`")]
    fn a_rollback_that_takes_too_long_is_refused_with_its_time_the_limit_and_what_to_do(
        #[case] expected: ExpectedRollback,
        #[case] fix: &str,
    ) {
        let refusal = expected.refusal("production", WITHIN).unwrap();
        let time = format!("expected to take {:.1} s (", expected.seconds());
        for part in [time.as_str(), "`rollback_within` of [gate] allows 5m", fix, "raise `rollback_within`"] {
            assert!(refusal.contains(part), "{part}: {refusal}");
        }
    }

    #[test]
    fn slow_checks_alone_are_reported_and_refuse_no_release() {
        let slow = expected(0.0, 100.0, 400.0, 10.0);
        assert_eq!(slow.refusal("production", WITHIN), None);
        assert!(slow.excess("production", WITHIN).unwrap().contains("expected to take 510.0 s"));
    }

    #[test]
    fn the_copy_is_no_part_of_the_rollback() {
        let quick = expected(0.0, 2.0, 1.0, 10.0);
        assert_eq!(quick.excess("production", WITHIN), None);
        assert_eq!(
            quick.text(),
            "expected to take 13.0 s (comparison 2.00 s, switch 0.04 s, checks 1.00 s, soak 10.00 s) and the restart of \
             the services"
        );
    }
}
