//! The gate at work: it takes the next move from `stagegate_gate_decide`, writes its intent, makes the move, writes the end.
//!
//! Steps do their work here and in the modules below; each can be repeated and undone, whether it ended or not.

mod ahead;
mod caller;
mod canary;
mod candidate;
mod cluster;
pub mod compare;
pub mod confirmation;
mod contracts;
mod cross_version;
mod data;
mod deploy;
pub mod doctor;
pub mod evidence;
mod examination;
mod facts;
mod failpoint;
mod finish;
pub mod journal;
pub mod journal_index;
mod live;
mod log_errors;
mod new_databases;
mod outside;
mod performance;
mod plan_error;
pub mod plan_file;
mod prepare;
pub mod purge;
mod readiness;
mod recover;
mod rehearsal;
mod rehearsed_rollback;
mod retention;
mod retry;
mod rollback_time;
mod rollout;
mod run_files;
mod side;
mod source;
mod stall_probe;
mod start;
mod tracing;
mod volumes;
pub mod watchdog;

use std::{
    collections::BTreeMap,
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use stagegate_base::{config::Config, exit::Exit};
use stagegate_gate_decide::{
    promotion::{
        Checks, Decision, End, Entry, Facts, INTERRUPTED, Kind, Line, Move, Plan, Step, StepReport, Tier, UndoReport,
        Validation, next,
    },
    verdict::Verdict,
};
use stagegate_performance_decide::MeasurementProgress;
use tokio::sync::watch;

use crate::journal::{Journal, StoreError};
pub use ahead::schema_ahead;
pub use examination::{Examination, Examine};
pub use facts::{prepare_plan, schema_hashes};
pub use plan_error::PlanError;
pub use recover::{Renamed, Unfinished, finish, renamed, unfinished};
pub use run_files::dumps;
use stagegate_host::{
    clock,
    engine::Engine,
    git::Git,
    lock::{self, Lock},
    paths::StateDir,
    process::{self, Runner},
    release::{ReleaseError, Snapshot},
};

/// Sees every line as it is written, with the time that its step took.
pub type Observer = Arc<dyn Fn(&Line, Duration) + Send + Sync>;

/// Sees how far a probe's comparison has come: its name, medians of the candidate's blocks in nanoseconds, time.
pub type Watcher = Arc<dyn Fn(&str, &[u64], MeasurementProgress) + Send + Sync>;

/// What every run works with.
#[derive(Clone)]
pub struct Gate {
    /// Today's configuration. Recovery reads plans, not this.
    pub config: Arc<Config>,
    /// The Engine.
    pub engine: Engine,
    /// Runs the suites.
    pub examine: Arc<dyn Examine>,
    /// Sees every line.
    pub observe: Observer,
    /// Sees every block of a comparison.
    pub measuring: Watcher,
    /// Becomes true when the operator interrupts: the run is rolled back then, in order.
    pub interrupt: watch::Receiver<bool>,
}

/// Why a step failed.
#[derive(Clone, Debug)]
pub(crate) struct StepError {
    reason: String,
    exit: Exit,
    /// It may go away by itself: a server, a program or a file failed, and no decision was made.
    is_transient: bool,
}

impl StepError {
    fn blocked(reason: impl Into<String>) -> Self {
        StepError { reason: reason.into(), exit: Exit::Held, is_transient: false }
    }

    fn inconclusive(reason: impl Into<String>) -> Self {
        StepError { exit: Exit::Inconclusive, ..StepError::blocked(reason) }
    }
}

impl<E: Error + 'static> From<E> for StepError {
    fn from(error: E) -> Self {
        StepError { is_transient: true, ..StepError::blocked(stagegate_host::error::with_causes(&error)) }
    }
}

/// Names the file in what the system answered: "No space left on device" alone does not tell which disk is full.
fn on_file<T>(path: &Path, response: std::io::Result<T>) -> Result<T, StepError> {
    response
        .map_err(|error| StepError { is_transient: true, ..StepError::blocked(format!("{}: {error}", path.display())) })
}

/// One run, from its first line to its last.
pub struct Run {
    gate: Gate,
    state: StateDir,
    dir: PathBuf,
    plan: Plan,
    journal: Journal,
    runner: Runner,
    facts: Option<Facts>,
    /// Moments and times of this process that limits are counted from.
    clocks: rollback_time::Clocks,
    /// The cluster of each database before this process began the deploy.
    clusters: BTreeMap<String, String>,
    /// Until when this process tries undos again.
    retries_end: Option<Instant>,
    /// The watchdog that this process started, in words.
    watchdog: Option<String>,
    /// What could not be done after the end.
    warnings: Vec<String>,
    /// The target's lock, and that of the source, which is only read.
    _locks: Vec<Lock>,
}

impl Run {
    /// Begins a run: makes its folder, log and journal. `locks` are the target's and, where it is another one, the
    /// source's.
    ///
    /// # Errors
    /// [`PlanError`] where the journal cannot be made to last; nothing was touched then.
    pub fn begin(
        gate: Gate,
        (state, locks): (StateDir, Vec<Lock>),
        plan: Plan,
        facts: Facts,
        old: &Snapshot,
    ) -> Result<Self, PlanError> {
        let (dir, plan) = (state.run(&plan.run), caller::named(tracing::of_caller(plan)));
        old.copy_to(&dir.join("old"))?;
        let journal = Journal::create(&dir, &plan)?;
        journal::take_ballast(&dir);
        let runner = runner(&state, &plan.run, &dir);
        let run = Run {
            gate,
            state,
            dir,
            plan,
            journal,
            runner,
            facts: Some(facts),
            clocks: rollback_time::Clocks::default(),
            clusters: BTreeMap::new(),
            retries_end: None,
            watchdog: None,
            warnings: Vec::new(),
            _locks: locks,
        };
        if let Some(line) = run.journal.lines().first() {
            (run.gate.observe)(line, Duration::ZERO);
        }
        Ok(run)
    }

    /// Resumes an earlier run.
    ///
    /// # Errors
    /// [`StoreError`] where its journal cannot be read or written.
    pub fn resume(gate: Gate, state: StateDir, lock: Lock, dir: PathBuf, reason: &str) -> Result<Self, StoreError> {
        let journal = Journal::open(&dir)?;
        let Some(plan) = journal.plan().cloned() else {
            let source = stagegate_gate_decide::promotion::JournalError::NoPlan;
            return Err(StoreError::Text { path: dir, source });
        };
        let runner = runner(&state, &plan.run, &dir);
        let mut run = Run {
            gate,
            state,
            dir,
            plan,
            journal,
            runner,
            facts: None,
            clocks: rollback_time::Clocks::default(),
            clusters: BTreeMap::new(),
            retries_end: None,
            watchdog: None,
            warnings: Vec::new(),
            _locks: vec![lock],
        };
        run.write(Entry::Resumed { reason: reason.to_owned() }, Duration::ZERO)?;
        Ok(run)
    }

    /// Returns the run's plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns the lines written so far.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        self.journal.lines()
    }

    /// Returns what could not be done after the run had ended, in words.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Makes move after move until the run rests.
    ///
    /// # Errors
    /// [`StoreError`] where a line cannot be written; the next `gate` command resumes the run then.
    pub async fn complete(&mut self) -> Result<(End, Exit), StoreError> {
        self.mask_secrets();
        loop {
            match next(&self.plan, self.journal.lines()) {
                Move::Do(step) => self.run_step(step).await?,
                Move::Undo(step) => self.undo_step(step).await?,
                // A signal that came between two steps has ended none of them.
                Move::Decide(Decision::Commit, _) if *self.gate.interrupt.borrow() => {
                    let reason = "interrupted before the point of no return".to_owned();
                    self.write(Entry::Decided { decision: Decision::Rollback, reason }, Duration::ZERO)?;
                }
                Move::Decide(decision, reason) => {
                    self.write(Entry::Decided { decision, reason }, Duration::ZERO)?;
                }
                Move::End(end, exit) => {
                    self.write(Entry::Ended { end, exit }, Duration::ZERO)?;
                    self.attest(end).await;
                }
                Move::Rest(end, exit) => return Ok((end, exit)),
            }
        }
    }

    async fn run_step(&mut self, step: Step) -> Result<(), StoreError> {
        self.write(Entry::Begun { step }, Duration::ZERO)?;
        let started = Instant::now();
        let outcome = match step {
            _ if self.can_be_interrupted() => self.act_or_stop(step).await,
            Step::OpenPorts | Step::StartPrevious => self.with_pauses(step, async |run| run.act(step).await).await,
            _ => self.act(step).await,
        };
        self.mask_secrets();
        let entry = match outcome {
            Ok(report) => Entry::Done { report },
            Err(error) => Entry::Failed { step, reason: self.runner.mask().apply(&error.reason), exit: error.exit },
        };
        self.write(entry, started.elapsed())
    }

    /// Returns whether the run is before its point of no return; after it, and in a rollback, it cannot be interrupted.
    fn can_be_interrupted(&self) -> bool {
        !self.journal.lines().iter().any(|line| matches!(line.entry, Entry::Decided { .. }))
    }

    async fn act_or_stop(&mut self, step: Step) -> Result<StepReport, StepError> {
        let mut interrupt = self.gate.interrupt.clone();
        let mark = lock::mark(&self.state, &self.plan.run);
        let requested = async {
            // A sender that is gone can never send it.
            if interrupt.wait_for(|requested| *requested).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            outcome = self.act(step) => outcome,
            () = requested => {
                let _ = process::end_marked(|found| found == mark);
                Err(StepError::blocked(INTERRUPTED))
            }
        }
    }

    async fn undo_step(&mut self, step: Step) -> Result<(), StoreError> {
        self.write(Entry::UndoBegun { step }, Duration::ZERO)?;
        let started = Instant::now();
        let entry = match self.with_pauses(step, async |run| run.undo(step).await).await {
            Ok(report) => Entry::Undone { report },
            Err(error) => Entry::UndoFailed { step, reason: self.runner.mask().apply(&error.reason) },
        };
        self.write(entry, started.elapsed())
    }

    /// Does or undoes a step that must succeed. What may go away by itself is tried again, with growing pauses, within
    /// half of the time that a rollback has: a server that crashed, or is started, needs some seconds, a port that is taken
    /// may be free again.
    async fn with_pauses<T>(
        &mut self,
        step: Step,
        mut attempt: impl AsyncFnMut(&mut Self) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let (within, runner) = (self.rollback_within() / 2, self.runner.clone());
        let note = |error: &StepError, pause: Duration| {
            runner.note(&format!("{}: {}; next try in {pause:?}", step.title(), error.reason));
        };
        let mut ends = self.retries_end;
        let outcome = retry::with_pauses((&mut ends, within), note, async || attempt(self).await).await;
        self.retries_end = ends;
        outcome
    }

    fn write(&mut self, entry: Entry, took: Duration) -> Result<(), StoreError> {
        if matches!(entry, Entry::Decided { .. } | Entry::Resumed { .. }) {
            journal::free_ballast(&self.dir);
            self.clocks.decided = Some(clock::since_boot());
        }
        let line = self.journal.append(entry)?;
        (self.gate.observe)(line, took);
        self.runner.note(&format!("journal {}", serde_json::to_string(&line.entry).unwrap_or_default()));
        Ok(())
    }

    /// Masks what the models hold, as soon as they are there.
    fn mask_secrets(&mut self) {
        let secrets: Vec<_> =
            ["old", "new"].iter().filter_map(|name| self.snapshot(name).ok()).flat_map(|s| s.model.secrets()).collect();
        self.runner = self.runner.clone().with_mask(stagegate_base::redact::Mask::new(secrets));
    }

    async fn act(&mut self, step: Step) -> Result<StepReport, StepError> {
        if step.touches_target() {
            self.arm_watchdog().await?;
        }
        Ok(match step {
            Step::Preflight => self.preflight().map(|()| StepReport::Preflight)?,
            Step::Validate => StepReport::Validate(self.validate().await?),
            Step::Prepare => StepReport::Prepare(self.prepare().await?),
            Step::BackUp => StepReport::BackUp(self.back_up().await?),
            Step::Rehearse => StepReport::Rehearse(self.rehearse().await?),
            Step::Freeze => StepReport::Freeze(self.freeze().await?),
            Step::Clone => StepReport::Clone(self.clone_databases().await?),
            Step::CopyVolumes => StepReport::CopyVolumes(self.copy_volumes().await?),
            Step::Migrate => StepReport::Migrate(self.migrate().await?),
            Step::Deploy => StepReport::Deploy(self.deploy().await?),
            Step::Verify => StepReport::Verify(self.verify().await?),
            Step::MoveTraffic => StepReport::MoveTraffic(self.move_traffic().await?),
            Step::Confirm => StepReport::Confirm(self.confirmed().await?),
            Step::OpenPorts => self.open_ports().await.map(|()| StepReport::OpenPorts)?,
            Step::StartPrevious => self.start_previous().await.map(|()| StepReport::StartPrevious)?,
            Step::VerifyRollback => StepReport::VerifyRollback(self.verify_rollback().await?),
            Step::Notify => self.notify().await.map(|()| StepReport::Notify)?,
            Step::Prune => StepReport::Prune(self.prune().await?),
        })
    }

    async fn undo(&mut self, step: Step) -> Result<UndoReport, StepError> {
        Ok(match step {
            Step::Prepare => self.undo_prepare().await.map(|()| UndoReport::Prepare)?,
            Step::BackUp => self.undo_back_up().await.map(|()| UndoReport::BackUp)?,
            Step::Rehearse => self.undo_rehearse().await.map(|()| UndoReport::Rehearse)?,
            Step::Freeze => self.undo_freeze().await.map(|()| UndoReport::Freeze)?,
            Step::Clone => UndoReport::Clone(self.undo_clone().await?),
            Step::CopyVolumes => UndoReport::CopyVolumes(self.undo_copy_volumes().await?),
            Step::Migrate => UndoReport::Migrate(self.undo_migrate().await?),
            Step::Deploy => UndoReport::Deploy(self.undo_deploy().await?),
            Step::MoveTraffic => UndoReport::MoveTraffic(self.undo_move_traffic().await?),
            // These leave nothing behind.
            Step::Validate => UndoReport::Validate,
            Step::Verify => UndoReport::Verify,
            Step::Confirm => UndoReport::Confirm,
            Step::Preflight
            | Step::OpenPorts
            | Step::StartPrevious
            | Step::VerifyRollback
            | Step::Notify
            | Step::Prune => UndoReport::Preflight,
        })
    }

    fn preflight(&mut self) -> Result<(), StepError> {
        let facts = self.facts.take().unwrap_or_default();
        let refusals = stagegate_gate_decide::promotion::refusals(&self.plan.kind, &facts);
        if refusals.is_empty() { Ok(()) } else { Err(StepError::blocked(refusals.join("; "))) }
    }

    /// Examines the source first: a release that is not healthy needs no other reason to be blocked.
    async fn validate(&mut self) -> Result<Validation, StepError> {
        let began = Instant::now();
        let found = self.gate.examine.examine(&self.plan.environments.source, Duration::ZERO, None).await;
        let checks = passed(&self.plan.environments.source, &found.verdict)?;
        self.clocks.checks_took = Some(began.elapsed());
        let contracts = self.compare_contracts().await?;
        let readiness = Some(self.ready(&found).await?);
        self.stop_at_changed_source("while it was validated").await?;
        Ok(Validation { checks, contracts, readiness })
    }

    /// Examines the target, in which `snapshot` is live: `new`, or `old` after a rollback.
    async fn examine(&self, soak: Duration, snapshot: &str) -> Result<Checks, StepError> {
        let environment = &self.plan.environments.target;
        let is_earlier = snapshot == "old" || self.plan.kind != Kind::Promote;
        let earlier = if is_earlier { Some(self.snapshot(snapshot)?.model) } else { None };
        passed(environment, &self.gate.examine.examine(environment, soak, earlier.as_ref()).await.verdict)
    }

    /// Returns the snapshot `old` (the live release when the run began) or `new` (the candidate).
    fn snapshot(&self, name: &str) -> Result<Snapshot, ReleaseError> {
        Snapshot::read(&self.dir.join(name))
    }

    async fn git(&self) -> Result<Git, StepError> {
        Ok(Git::open(&self.runner, &self.plan.repository).await?.of_product(&self.plan.subfolder))
    }

    /// Returns the tier that the rehearsal chose; a rollback of data always copies.
    fn tier(&self) -> Tier {
        let chosen = self.journal.lines().iter().rev().find_map(|line| match &line.entry {
            Entry::Done { report: StepReport::Rehearse(rehearsal) } => Some(rehearsal.tier),
            _ => None,
        });
        match &self.plan.kind {
            Kind::Promote if self.plan.databases.is_empty() => Tier::Code,
            Kind::Promote => chosen.unwrap_or(Tier::Swap),
            Kind::Rollback { data: false, .. } => Tier::Code,
            Kind::Rollback { .. } => Tier::Swap,
        }
    }

    fn has_begun(&self, step: Step) -> bool {
        self.journal.lines().iter().any(|line| matches!(line.entry, Entry::Begun { step: s } if s == step))
    }
}

fn runner(state: &StateDir, run: &str, dir: &std::path::Path) -> Runner {
    let runner = Runner::default().with_mark(&lock::mark(state, run));
    runner.clone().with_log(&dir.join("run.log")).unwrap_or(runner)
}

fn passed(environment: &str, verdict: &Verdict) -> Result<Checks, StepError> {
    match verdict.exit() {
        Exit::Passed => Ok(Checks::from(verdict)),
        exit => Err(StepError { exit, ..StepError::blocked(verdict.reason(environment)) }),
    }
}

#[cfg(test)]
mod tests {
    use std::{io, path::Path};

    #[test]
    fn a_full_disk_is_reported_with_the_file() {
        let full = Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull));
        let error = super::on_file(Path::new("/state/runs/a/closed.json"), full).unwrap_err();
        assert_eq!(error.reason, "/state/runs/a/closed.json: no storage space");
        assert!(error.is_transient);
    }
}
