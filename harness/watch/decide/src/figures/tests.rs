use proptest::prelude::*;
use stagegate_base::{exit::Exit, release::Release};

use super::*;

const NOW: f64 = 1_800_000_000.0;

fn promotion(id: u32, began: f64, end: Option<End>, touched: bool) -> RunFacts {
    let run = format!("{id:08}-000000-ab12");
    let release = Release { commit: format!("{id:040x}"), name: format!("v{id}") };
    let last = began + 60.0;
    RunFacts {
        run,
        kind: Kind::Promote,
        source: "staging".into(),
        target: "production".into(),
        previous: release.clone(),
        release,
        by: None,
        began,
        last,
        end,
        exit: end.map(|_| Exit::Passed),
        text: String::new(),
        reason: None,
        steps: Vec::new(),
        tier: None,
        touched: touched.then_some(began + 20.0),
        frozen: None,
        live: (end == Some(End::Promoted)).then_some(last),
    }
}

fn rollback(id: u32, began: f64, of: &RunFacts) -> RunFacts {
    let kind = Kind::Rollback { run: of.run.clone(), data: true };
    RunFacts { kind, ..promotion(id, began, Some(End::Promoted), true) }
}

fn commits(runs: &[RunFacts], before: i64) -> BTreeMap<String, CommitTimes> {
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds")]
    let committer = |run: &RunFacts| run.live.unwrap_or_default() as i64 - before;
    let times = |run: &RunFacts| CommitTimes { author: committer(run), committer: committer(run) };
    runs.iter().map(|run| (run.release.commit.clone(), times(run))).collect()
}

#[test]
fn few_runs_give_no_figure() {
    let runs: Vec<RunFacts> = (1..5).map(|id| promotion(id, NOW - 1000.0, Some(End::Promoted), true)).collect();
    let figures = figures((&runs, &[]), &commits(&runs, 10), 30, NOW);
    assert_eq!((figures.deployments, figures.deployments_per_week, figures.lead_time.n), (4, None, 4));
    assert_eq!((figures.change_fail.ratio, figures.lead_time.median_seconds), (None, None));
    assert!(
        figures.lines().iter().all(|reported| reported.value.starts_with("too few (n = ")),
        "{:?}",
        figures.lines()
    );
}

#[test]
fn what_was_blocked_is_no_failure_and_a_rollback_by_hand_is_one() {
    let mut runs: Vec<RunFacts> =
        (1..=6).map(|id| promotion(id, NOW - 10_000.0 + f64::from(id) * 100.0, Some(End::Promoted), true)).collect();
    runs.push(promotion(7, NOW - 9_000.0, Some(End::Blocked), false));
    runs.push(promotion(8, NOW - 8_000.0, Some(End::RolledBack), true));
    runs.push(promotion(9, NOW - 7_000.0, Some(End::Promoted), true));
    runs.push(rollback(10, NOW - 6_000.0, &runs[8]));
    let figures = figures((&runs, &[]), &commits(&runs, 3_600), 30, NOW);
    assert_eq!((figures.blocked, figures.deployments), (1, 7));
    assert_eq!((figures.change_fail.count, figures.change_fail.n), (2, 8));
    // One was back after 40 s, the other at the end of the rollback by hand.
    assert_eq!(figures.recovery.n, 2);
    // The promotion after the one that the gate rolled back.
    assert_eq!((figures.rework.count, figures.rework.n), (1, 7));
    assert_eq!(figures.lead_time.median_seconds, Some(3_600.0));
}

#[test]
fn a_rollback_takes_back_all_that_came_after_its_run_and_a_late_one_is_none() {
    let runs: Vec<RunFacts> =
        (1..=5).map(|id| promotion(id, NOW - 1e6 + f64::from(id), Some(End::Promoted), true)).collect();
    let with = |back: RunFacts| {
        figures((&[runs.clone(), vec![back]].concat(), &[]), &BTreeMap::new(), 30, NOW).change_fail.count
    };
    assert_eq!(with(rollback(6, NOW - 9e5, &runs[2])), 3);
    assert_eq!(with(rollback(6, NOW - 1e6 + 8.0 * DAY, &runs[2])), 0);
}

#[test]
fn an_incident_makes_of_its_promotion_a_failed_one_until_it_is_closed() {
    let runs: Vec<RunFacts> =
        (1..=5).map(|id| promotion(id, NOW - 1e5 + f64::from(id), Some(End::Promoted), true)).collect();
    let incident = |run: &str, closed| Incident {
        incident: 1,
        text: "slow".into(),
        run: Some(run.into()),
        opened: NOW - 9e4,
        closed,
        closing: None,
    };
    let with = |incidents: &[Incident]| {
        let found = figures((&runs, incidents), &BTreeMap::new(), 30, NOW);
        (found.change_fail.count, found.recovery.n, found.rework.count)
    };
    let touched = runs[1].touched.unwrap();
    assert_eq!(with(&[]), (0, 0, 0));
    assert_eq!(with(&[incident(&runs[1].run, None)]), (1, 0, 1));
    assert_eq!(with(&[incident(&runs[1].run, Some(touched + 50.0))]), (1, 1, 1));
    let both = [incident(&runs[1].run, Some(touched + 50.0)), incident(&runs[1].run, None)];
    assert_eq!(with(&both), (1, 0, 1), "one of them is open");
    assert_eq!(with(&[incident("another", None)]), (0, 0, 0));
}

#[test]
fn the_days_are_those_of_utc_and_today_is_one_of_them() {
    let midnight = (NOW / DAY).floor() * DAY;
    let at = |began: f64| vec![promotion(1, began, Some(End::Promoted), true)];
    let count = |began: f64, days: u32| figures((&at(began), &[]), &BTreeMap::new(), days, NOW).deployments;
    assert_eq!((count(midnight, 1), count(midnight - 1.0, 1), count(midnight - 1.0, 2)), (1, 0, 1));
    assert_eq!(count(NOW + 60.0, 1), 0, "a clock that went back");
}

fn any_end() -> impl Strategy<Value = Option<End>> {
    prop::sample::select(vec![
        None,
        Some(End::Promoted),
        Some(End::Promoted),
        Some(End::Blocked),
        Some(End::Aborted),
        Some(End::RolledBack),
        Some(End::NotVerified),
        Some(End::Stuck),
    ])
}

proptest! {
    /// Random histories against a count that is written another way: one pass over the runs, with sets.
    #[test]
    fn the_figures_equal_a_recount(
        ends in prop::collection::vec((any_end(), any::<bool>(), 0_u32..200, prop::option::of(0_usize..40)), 0..40),
    ) {
        let mut runs: Vec<RunFacts> = Vec::new();
        for (at, (end, touched, gap, back)) in ends.iter().enumerate() {
            let began = runs.last().map_or(NOW - 2e6, |run| run.last) + f64::from(*gap) * 600.0;
            let id = u32::try_from(at).unwrap();
            let touched = *touched || matches!(end, Some(End::Promoted | End::RolledBack));
            match back.and_then(|back| runs.get(back)).filter(|run| run.kind == Kind::Promote) {
                Some(of) => runs.push(rollback(id, began, &of.clone())),
                None => runs.push(promotion(id, began, *end, touched)),
            }
        }
        let now = runs.last().map_or(NOW, |run| run.last + 1.0);
        let found = figures((&runs, &[]), &BTreeMap::new(), 3_650, now);
        let mut failed = std::collections::BTreeSet::new();
        for (at, run) in runs.iter().enumerate() {
            match &run.kind {
                Kind::Promote => {
                    let bad = matches!(run.end, Some(End::RolledBack | End::NotVerified | End::Stuck));
                    if bad && run.touched.is_some() { failed.insert(run.run.clone()); }
                }
                Kind::Rollback { run: of, .. } => for earlier in &runs[..at] {
                    let is_taken_back = earlier.kind == Kind::Promote && earlier.run >= *of;
                    let soon = run.began - earlier.last <= 7.0 * 86_400.0;
                    if is_taken_back && soon && earlier.end == Some(End::Promoted) { failed.insert(earlier.run.clone()); }
                },
            }
        }
        let touched: Vec<&RunFacts> =
            runs.iter().filter(|run| run.kind == Kind::Promote && run.touched.is_some()).collect();
        prop_assert_eq!(found.change_fail.n, touched.len());
        prop_assert_eq!(found.change_fail.count, failed.len());
        let mut rework = 0;
        let mut before: Option<&RunFacts> = None;
        for run in &touched {
            if before.is_some_and(|before| failed.contains(&before.run)) { rework += 1; }
            before = Some(run);
        }
        prop_assert_eq!((found.rework.count, found.rework.n), (rework, touched.len().saturating_sub(1)));
        let live = runs.iter().filter(|run| run.kind == Kind::Promote && run.end == Some(End::Promoted)).count();
        prop_assert_eq!(found.deployments, live);
        prop_assert_eq!(found.deployments_per_week.is_some(), live >= ENOUGH);
    }
}
