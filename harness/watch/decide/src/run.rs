//! One run, as its journal tells it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stagegate_base::{exit::Exit, release::Release};
use stagegate_gate_decide::promotion::{End, Entry, Kind, Line, Plan, Step, StepReport, Tier, end_text, reason};

/// A step or its undo, with its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepFacts {
    /// The step.
    pub step: Step,
    /// Whether it was undone, and not done.
    pub is_undo: bool,
    /// Seconds that it took; `None` where it did not end.
    pub seconds: Option<f64>,
    /// Whether it succeeded; `None` where it did not end.
    pub is_well: Option<bool>,
}

/// What pages, figures and metrics need of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Its id.
    pub run: String,
    /// Forward or back.
    pub kind: Kind,
    /// The environment that the release was tested in.
    pub source: String,
    /// The environment that it went to.
    pub target: String,
    /// The release that went in.
    pub release: Release,
    /// The release that was live before.
    pub previous: Release,
    /// Who began it; `None` where nothing named anybody.
    pub by: Option<String>,
    /// When it began, in seconds since 1970.
    pub began: f64,
    /// When its last line was written, in seconds since 1970.
    pub last: f64,
    /// How it ended; `None` where it has not.
    pub end: Option<End>,
    /// What the gate exited with.
    pub exit: Option<Exit>,
    /// How it ended, in one sentence.
    pub text: String,
    /// Why it did not go through; `None` where it did, or no reason is known.
    pub reason: Option<String>,
    /// Steps in their order.
    pub steps: Vec<StepFacts>,
    /// How the run would have rolled back; `None` where no rehearsal ended.
    pub tier: Option<Tier>,
    /// When the first step began that changes the target, in seconds since 1970; `None` where none did.
    pub touched: Option<f64>,
    /// Seconds for which writes were stopped; `None` where they were not, or still are.
    pub frozen: Option<f64>,
    /// When users reached the new release, in seconds since 1970; `None` where they never did.
    pub live: Option<f64>,
}

impl RunFacts {
    /// Reads a run; `None` where the journal has no plan. `unix` reads an RFC 3339 text in seconds since 1970.
    #[must_use]
    pub fn of(lines: &[Line], unix: impl Fn(&str) -> Option<f64>) -> Option<Self> {
        // A time that cannot be read is the first of all.
        let at: At<'_> = &|line: &Line| milliseconds(unix(&line.wall).unwrap_or_default());
        let (first, last) = (lines.first()?, lines.last()?);
        let Entry::Started { plan } = &first.entry else { return None };
        let (end, exit) = match &last.entry {
            Entry::Ended { end, exit } => (Some(*end), Some(*exit)),
            _ => (None, None),
        };
        let Plan { run, kind, environments, release, previous, by, .. } = plan.as_ref();
        Some(RunFacts {
            run: run.clone(),
            kind: kind.clone(),
            source: environments.source.clone(),
            target: environments.target.clone(),
            release: release.clone(),
            previous: previous.clone(),
            by: by.clone(),
            began: at(first),
            last: at(last),
            end,
            exit,
            text: end.zip(exit).map_or_else(|| "unfinished".to_owned(), |(end, exit)| end_text(plan, end, exit)),
            reason: reason(lines).filter(|_| end != Some(End::Promoted)).map(str::to_owned),
            steps: steps(lines, at),
            tier: lines.iter().rev().find_map(|line| match &line.entry {
                Entry::Done { report: StepReport::Rehearse(rehearsal) } => Some(rehearsal.tier),
                _ => None,
            }),
            touched: moment(lines, at, |entry| matches!(entry, Entry::Begun { step } if step.touches_target())),
            frozen: frozen(lines, at),
            live: live(lines, at, end),
        })
    }

    /// Seconds from the first line to the last one.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        between(self.began, self.last)
    }

    /// Returns whether the release went wrong in the target: rolled back, not verified afterwards, stuck, or abandoned by a person.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.touched.is_some()
            && matches!(self.end, Some(End::RolledBack | End::NotVerified | End::Stuck | End::Abandoned))
    }

    /// Returns the kind in a word.
    #[must_use]
    pub fn kind_text(&self) -> String {
        match &self.kind {
            Kind::Promote => "promotion".to_owned(),
            Kind::Rollback { run, data: false } => format!("rollback of {run}"),
            Kind::Rollback { run, data: true } => format!("rollback of {run} with data"),
        }
    }
}

/// Rounds seconds to the milliseconds that a journal has: such a number is read again from its text as it was.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}

/// Returns the seconds from one moment to a later one; none where the clock was set back in between.
fn between(from: f64, to: f64) -> f64 {
    milliseconds((to - from).max(0.0))
}

/// Returns the moment of a line in seconds since 1970.
type At<'a> = &'a dyn Fn(&Line) -> f64;

fn moment(lines: &[Line], at: At<'_>, wanted: impl Fn(&Entry) -> bool) -> Option<f64> {
    lines.iter().find(|line| wanted(&line.entry)).map(at)
}

/// Returns when users reached the release: at the opened ports, else at the end of a run that closed none.
fn live(lines: &[Line], at: At<'_>, end: Option<End>) -> Option<f64> {
    let opened = moment(lines, at, |entry| matches!(entry, Entry::Done { report: StepReport::OpenPorts }));
    opened.or_else(|| (end == Some(End::Promoted)).then(|| lines.last().map(at)).flatten())
}

/// Returns the seconds from the freeze to the moment at which one of the releases took writes again.
fn frozen(lines: &[Line], at: At<'_>) -> Option<f64> {
    let from = moment(lines, at, |entry| matches!(entry, Entry::Begun { step: Step::Freeze }))?;
    let again = |entry: &Entry| match entry {
        Entry::Done { report } => matches!(report.step(), Step::OpenPorts | Step::StartPrevious),
        _ => false,
    };
    moment(lines, at, again).map(|to| between(from, to))
}

fn steps(lines: &[Line], at: At<'_>) -> Vec<StepFacts> {
    let mut open: BTreeMap<(Step, bool), f64> = BTreeMap::new();
    let mut steps: Vec<StepFacts> = Vec::new();
    for line in lines {
        let (step, is_undo, is_well) = match &line.entry {
            Entry::Begun { step } => {
                open.insert((*step, false), at(line));
                continue;
            }
            Entry::UndoBegun { step } => {
                open.insert((*step, true), at(line));
                continue;
            }
            Entry::Done { report } => (report.step(), false, true),
            Entry::Failed { step, .. } => (*step, false, false),
            Entry::Undone { report } => (report.step(), true, true),
            Entry::UndoFailed { step, .. } => (*step, true, false),
            _ => continue,
        };
        let began = open.remove(&(step, is_undo));
        let seconds = began.map(|from| between(from, at(line)));
        steps.push(StepFacts { step, is_undo, seconds, is_well: Some(is_well) });
    }
    let unended = open.into_keys().map(|(step, is_undo)| StepFacts { step, is_undo, seconds: None, is_well: None });
    steps.extend(unended);
    steps
}
