//! Scores a run: how ready is a release, from 0 to 100, and what does the number allow?
//!
//! In: records, the trials that should have run, the policy. Out: a score, or none where too little was asked.
//! Invariant: what was not asked never raises a score. No clock, no I/O.

use serde::{Deserialize, Serialize};

use stagegate_base::{
    config::{Readiness, begins},
    record::{Planned, Record, Severity, Status},
};

/// What a score allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// The release may go.
    Ready,
    /// It may go where a person accepts the caution.
    Caution,
    /// It may not.
    NotReady,
}

impl Band {
    /// Returns the band as a person reads it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Band::Ready => "ready",
            Band::Caution => "caution",
            Band::NotReady => "not ready",
        }
    }
}

/// Returns the band of a score.
#[must_use]
pub fn band(score: u8, policy: &Readiness) -> Band {
    match score {
        score if score >= policy.ready => Band::Ready,
        score if score >= policy.caution => Band::Caution,
        _ => Band::NotReady,
    }
}

/// The weight of a run, in hundredths of a required check of weight 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// What passed.
    pub good: u64,
    /// What passed, failed, broke or left no record.
    pub counted: u64,
    /// What passed or failed.
    pub asked: u64,
    /// All, skipped ones included.
    pub all: u64,
}

impl Weight {
    /// Returns the weighted share of what passed, 0 to 100, rounded down; `None` where less than the policy's share of
    /// all weight was asked, or nothing weighs.
    #[must_use]
    pub fn score(self, policy: &Readiness) -> Option<u8> {
        if 100 * self.asked < u64::from(policy.evidence) * self.all {
            return None;
        }
        u8::try_from((100 * self.good).checked_div(self.counted)?).ok()
    }
}

/// Weighs a run; `missing` should have run and left no record.
#[must_use]
pub fn weigh(records: &[Record], missing: &[&Planned], policy: &Readiness) -> Weight {
    let mut weight = Weight::default();
    for planned in missing {
        let of = of(&planned.trial, planned.severity, policy);
        weight.counted += of;
        weight.all += of;
    }
    for record in records {
        let of = of(&record.trial, record.severity, policy);
        let (pass, fail) = (record.status == Status::Pass, record.status == Status::Fail);
        weight.all += of;
        weight.counted += if record.status == Status::Skip { 0 } else { of };
        weight.asked += if pass || fail { of } else { 0 };
        weight.good += if pass { of } else { 0 };
    }
    weight
}

/// The suites whose warnings do not say whether the release works: of compose files they are hygiene, and of contracts
/// they are what happened to requests that no client which follows the document sends.
const HYGIENE: [&str; 2] = ["policy", "contracts"];

fn of(trial: &str, severity: Severity, policy: &Readiness) -> u64 {
    let fits = policy.weights.iter().filter(|(prefix, _)| begins(trial, prefix));
    let usual = u64::from(!(severity == Severity::Warning && HYGIENE.iter().any(|suite| begins(trial, suite))));
    let own = fits.max_by_key(|(prefix, _)| prefix.len()).map_or(usual, |(_, weight)| u64::from(*weight));
    own * match severity {
        Severity::Required => 100,
        Severity::Warning => u64::from(policy.warning),
        Severity::Info => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;
    use stagegate_base::record::Outcome;

    fn record(trial: &str, severity: Severity, status: Status) -> Record {
        let record = Record::new("staging", trial, severity, 1, Outcome::Pass("text".to_owned()));
        Record { status, ..record }
    }

    #[rstest]
    #[case(90, Band::Ready)]
    #[case(89, Band::Caution)]
    #[case(75, Band::Caution)]
    #[case(74, Band::NotReady)]
    fn the_bounds_belong_to_the_better_band(#[case] score: u8, #[case] want: Band) {
        assert_eq!(band(score, &Readiness::default()), want);
    }

    #[test]
    fn the_longest_beginning_weighs_and_only_whole_parts_count() {
        let weights = BTreeMap::from([("health".to_owned(), 3), ("health::api".to_owned(), 5)]);
        let policy = Readiness { weights, ..Readiness::default() };
        let weighs = |trial| of(trial, Severity::Required, &policy);
        assert_eq!([weighs("health::db::sql"), weighs("health::api::http"), weighs("healthy::x")], [300, 500, 100]);
    }

    #[test]
    fn hygiene_and_invalid_requests_have_no_weight_unless_they_are_given_one() {
        let mut records = vec![record("health::a", Severity::Required, Status::Pass); 21];
        records.extend(vec![record("policy::stack::user_root", Severity::Warning, Status::Fail); 10]);
        records.extend(vec![record("contracts::api::probe_get_orders_id", Severity::Warning, Status::Fail); 74]);
        let score = |policy: &Readiness| weigh(&records, &[], policy).score(policy);
        assert_eq!(score(&Readiness::default()), Some(100));
        let weights = BTreeMap::from([("policy".to_owned(), 1)]);
        assert_eq!(score(&Readiness { weights, ..Readiness::default() }), Some(80));
        // A rule that the configuration makes required weighs as every required check does.
        records.push(record("policy::stack::secrets", Severity::Required, Status::Fail));
        assert_eq!(weigh(&records, &[], &Readiness::default()).score(&Readiness::default()), Some(95));
    }

    #[rstest]
    #[case::skipped(Status::Skip, None)]
    #[case::broken(Status::Broken, None)]
    #[case::failed(Status::Fail, Some(20))]
    fn where_most_was_not_requested_there_is_no_number(#[case] rest: Status, #[case] want: Option<u8>) {
        let mut records = vec![record("health::a", Severity::Required, Status::Pass)];
        records.extend(vec![record("policy::b", Severity::Required, rest); 4]);
        assert_eq!(weigh(&records, &[], &Readiness::default()).score(&Readiness::default()), want);
    }

    #[test]
    fn a_heavier_suite_moves_the_score_more() {
        let records = [
            record("health::a", Severity::Required, Status::Fail),
            record("policy::b", Severity::Required, Status::Pass),
        ];
        let policy = Readiness { weights: BTreeMap::from([("health".to_owned(), 3)]), ..Readiness::default() };
        assert_eq!(weigh(&records, &[], &Readiness::default()).score(&Readiness::default()), Some(50));
        assert_eq!(weigh(&records, &[], &policy).score(&policy), Some(25));
    }
}
