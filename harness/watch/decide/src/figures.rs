//! Delivery figures of one environment: how often, how fast, how well.
//!
//! The five are those of DORA. Each is counted from journals and commits alone, and stands next to the number of runs that
//! it was counted from; below [`ENOUGH`] of them it is not told.

use std::collections::BTreeMap;

use serde::Serialize;
use stagegate_base::text::counted;
use stagegate_gate_decide::promotion::{End, Kind};

use crate::{RunFacts, incident::Incident};

/// From this many on a figure is reported.
pub const ENOUGH: usize = 5;

/// Seconds of a day; the days are those of UTC.
const DAY: f64 = 86_400.0;

/// A rollback by hand within this many days makes the promotion a failed one.
const BY_HAND_DAYS: f64 = 7.0;

/// When a commit was written and when it got its place in the history, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitTimes {
    /// The author's date.
    pub author: i64,
    /// The committer's date.
    pub committer: i64,
}

/// A span of time over several runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// How many there are.
    pub n: usize,
    /// The middle one in seconds; `None` where there are fewer than [`ENOUGH`].
    pub median_seconds: Option<f64>,
    /// Nine of ten took at most so many seconds; `None` as above.
    pub p90_seconds: Option<f64>,
}

/// A part of several runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    /// How many there are.
    pub n: usize,
    /// How many of them are meant.
    pub count: usize,
    /// `count / n`; `None` where there are fewer than [`ENOUGH`].
    pub ratio: Option<f64>,
}

/// The figures of one environment over the last days.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Over how many days.
    pub days: u32,
    /// Promotions after which the release was live.
    pub deployments: usize,
    /// The same a week; `None` where there are fewer than [`ENOUGH`].
    pub deployments_per_week: Option<f64>,
    /// From the commit of a release (the committer's date) to the moment at which users reached it.
    pub lead_time: Spread,
    /// How many of these commits were rebased or picked, so that the lead time is from then on.
    pub rewritten_commits: usize,
    /// Promotions that changed the target and were rolled back, by the gate or within seven days by hand, that were not
    /// verified afterwards, that are stuck, or that an incident was linked to; of those that changed the target.
    pub change_fail: Share,
    /// From the first change of a failed promotion to the end of the run that brought the earlier release back, or until its incidents
    /// were closed.
    pub recovery: Spread,
    /// Promotions that changed the target after one that had failed; of those that changed the target after another one.
    pub rework: Share,
    /// Promotions that were blocked before anything was changed. They are no failures.
    pub blocked: usize,
}

/// Counts the figures of one environment's runs, the oldest first, over the `days` before `now` (seconds since 1970).
/// The day that `now` is in counts, up to `now`.
#[must_use]
pub fn figures(
    (runs, incidents): (&[RunFacts], &[Incident]),
    commits: &BTreeMap<String, CommitTimes>,
    days: u32,
    now: f64,
) -> Figures {
    let from = (now / DAY).floor() * DAY - f64::from(days.saturating_sub(1)) * DAY;
    let is_in = |run: &RunFacts| run.began >= from && run.began <= now;
    let promotions: Vec<&RunFacts> = runs.iter().filter(|run| run.kind == Kind::Promote).collect();
    let recent: Vec<&RunFacts> = promotions.iter().copied().filter(|run| is_in(run)).collect();
    let live: Vec<&RunFacts> = recent.iter().copied().filter(|run| run.end == Some(End::Promoted)).collect();
    let led: Vec<(f64, CommitTimes)> = live
        .iter()
        .filter_map(|run| {
            let times = commits.get(&run.release.commit)?;
            Some((run.live? - to_seconds(times.committer), *times))
        })
        .collect();
    let touched: Vec<&RunFacts> = recent.iter().copied().filter(|run| run.touched.is_some()).collect();
    let failure = |run: &RunFacts| failure(run, runs, incidents);
    let failed = touched.iter().filter(|run| failure(run).is_some()).count();
    let recovered: Vec<f64> =
        touched.iter().filter_map(|run| Some((failure(run)?.recovered? - run.touched?).max(0.0))).collect();
    let all_touched: Vec<&RunFacts> = promotions.iter().copied().filter(|run| run.touched.is_some()).collect();
    let pairs: Vec<(&RunFacts, &RunFacts)> =
        all_touched.windows(2).map(|pair| (pair[0], pair[1])).filter(|(_, after)| is_in(after)).collect();
    let rework = pairs.iter().filter(|(before, _)| failure(before).is_some()).count();
    let weeks = f64::from(days.max(1)) / 7.0;
    Figures {
        days,
        deployments: live.len(),
        deployments_per_week: (live.len() >= ENOUGH).then(|| as_number(live.len()) / weeks),
        rewritten_commits: led.iter().filter(|(_, times)| times.author != times.committer).count(),
        lead_time: spread(led.into_iter().map(|(seconds, _)| seconds.max(0.0)).collect()),
        change_fail: share(touched.len(), failed),
        recovery: spread(recovered),
        rework: share(pairs.len(), rework),
        blocked: recent.iter().filter(|run| run.end == Some(End::Blocked)).count(),
    }
}

/// A promotion that went wrong.
struct Failure {
    /// When the earlier release was back; `None` where it is not known to be.
    recovered: Option<f64>,
}

/// Returns whether and how a promotion went wrong, by itself, by a later rollback of it, or by an incident.
fn failure(run: &RunFacts, runs: &[RunFacts], incidents: &[Incident]) -> Option<Failure> {
    if run.has_failed() {
        return Some(Failure { recovered: (run.end == Some(End::RolledBack)).then_some(run.last) });
    }
    if run.end != Some(End::Promoted) {
        return None;
    }
    let back = runs.iter().find(|other| {
        // A rollback to before a run rolls back all that came after it as well.
        let undoes = matches!(&other.kind, Kind::Rollback { run: of, .. } if *of <= run.run && run.run < other.run);
        undoes && other.end == Some(End::Promoted) && other.began - run.last <= BY_HAND_DAYS * DAY
    });
    if let Some(back) = back {
        return Some(Failure { recovered: Some(back.last) });
    }
    let mut linked = incidents.iter().filter(|one| one.run.as_ref() == Some(&run.run)).peekable();
    linked.peek()?;
    // Users are served again once the last of them is closed.
    Some(Failure { recovered: linked.map(|one| one.closed).try_fold(0.0, |last: f64, at| Some(last.max(at?))) })
}

fn spread(mut seconds: Vec<f64>) -> Spread {
    seconds.sort_by(f64::total_cmp);
    let n = seconds.len();
    // The nearest rank, so that a figure is one that was seen.
    let at = |percent: usize| seconds.get((n * percent).div_ceil(100).max(1) - 1).copied().filter(|_| n >= ENOUGH);
    Spread { n, median_seconds: at(50), p90_seconds: at(90) }
}

fn share(n: usize, count: usize) -> Share {
    Share { n, count, ratio: (n >= ENOUGH).then(|| as_number(count) / as_number(n)) }
}

fn as_number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact up to 2^53")]
fn to_seconds(unix: i64) -> f64 {
    unix as f64
}

/// A figure as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FigureLine {
    /// Its name.
    pub name: &'static str,
    /// Its value with its unit, or "too few".
    pub value: String,
    /// What it is counted from.
    pub n: String,
    /// How it is counted.
    pub definition: &'static str,
}

impl Figures {
    /// Returns the five figures in words, each with what it was counted from and how.
    #[must_use]
    pub fn lines(&self) -> Vec<FigureLine> {
        let few = |n: usize| format!("too few (n = {n}, {ENOUGH} are needed)");
        let spread = |one: &Spread| match one.median_seconds.zip(one.p90_seconds) {
            Some((median, p90)) => format!("{} (nine of ten within {})", length(median), length(p90)),
            None => few(one.n),
        };
        let share = |one: &Share| one.ratio.map_or_else(|| few(one.n), |ratio| format!("{:.0} %", ratio * 100.0));
        let rewritten = match self.rewritten_commits {
            0 => String::new(),
            count => format!(", {count} of them of rebased or picked commits"),
        };
        vec![
            FigureLine {
                name: "deployment frequency",
                value: self
                    .deployments_per_week
                    .map_or_else(|| few(self.deployments), |count| format!("{count:.1} a week")),
                n: format!("{} in {} days", counted(self.deployments, "promotion"), self.days),
                definition: "promotions after which the release was live",
            },
            FigureLine {
                name: "change lead time",
                value: spread(&self.lead_time),
                n: format!("{} with a known commit{rewritten}", counted(self.lead_time.n, "promotion")),
                definition: "from the release's commit (the committer's date) until users reached it",
            },
            FigureLine {
                name: "change fail rate",
                value: share(&self.change_fail),
                n: format!("{} of {} promotions that changed the target", self.change_fail.count, self.change_fail.n),
                definition: "rolled back (by the gate, or by hand within 7 days), not verified afterwards, stuck, or the cause of \
                             an incident (gate incident); what was blocked before anything changed is not counted",
            },
            FigureLine {
                name: "failed deployment recovery time",
                value: spread(&self.recovery),
                n: counted(self.recovery.n, "failed promotion"),
                definition: "from the first change of a failed promotion until the earlier release was back, or its incidents \
                             were closed",
            },
            FigureLine {
                name: "deployment rework rate",
                value: share(&self.rework),
                n: format!("{} of {} promotions that came after another one", self.rework.count, self.rework.n),
                definition: "promotions that changed the target right after one that had failed",
            },
        ]
    }
}

/// Returns seconds as a person reads them: `42 s`, `3.5 min`, `5.0 h`, `2.1 d`.
#[must_use]
pub fn length(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.1} min", s / 60.0),
        s if s < 2.0 * DAY => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.1} d", s / DAY),
    }
}

#[cfg(test)]
mod tests;
