//! The watchdog: a process of its own, started before the cut-over, that finishes the run where the gate cannot.
//!
//! It never works next to the gate. It waits until the gate's process is gone, ends it itself where the point of no return was
//! not reached in time, and only then takes the target's lock and goes the way of every other recovery.

use std::{path::Path, time::Duration};

use stagegate_gate_decide::promotion::{Entry, Line};
use stagegate_host::{
    clock,
    detached::{self, Detached},
    lock::{Lock, LockError},
    owner::Owner,
    paths::StateDir,
};

use super::{Run, StepError, on_file};
use crate::{
    journal::{self, StoreError},
    recover::{Unfinished, unfinished},
};

/// Is there, in the run's folder, as soon as the watchdog watches.
const ARMED: &str = "watchdog.json";
/// How long it may take to start.
const START_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// How long a gate that was ended may take to be gone, or a journal to be readable.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a watchdog watches.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The run.
    pub run: String,
    /// The gate's process.
    pub process: u32,
    /// When the point of no return must be reached, since the machine was started; its sleep counts.
    pub until: Duration,
}

/// A run that its watchdog has to finish.
#[derive(Debug)]
pub struct Takeover {
    /// The target's lock.
    pub lock: Lock,
    /// The run.
    pub run: Unfinished,
    /// Why the watchdog took it over.
    pub reason: String,
}

/// Why a watchdog cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The journal.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file that tells the gate that it is watched.
    #[error("cannot write {}", path.display())]
    Armed {
        /// The file.
        path: std::path::PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl Run {
    /// Starts the watchdog of this run before the target is touched, and returns in words what was started.
    ///
    /// Where it cannot be started nothing is touched: whoever wants none states so in the configuration.
    pub(super) async fn arm_watchdog(&mut self) -> Result<(), StepError> {
        let Some(within) = self.plan.watchdog.filter(|_| self.watchdog.is_none()) else { return Ok(()) };
        let until = clock::since_boot().saturating_add(within.0).as_secs();
        let config = self.gate.config.path.display().to_string();
        let [process, until] = [u64::from(std::process::id()), until].map(|number| number.to_string());
        let target = self.plan.environments.target.clone();
        let args = [
            ["--config", &config, "recover", "watch"].map(str::to_owned).to_vec(),
            ["--env", &target, "--run", &self.plan.run].map(str::to_owned).to_vec(),
            ["--process", &process, "--until", &until].map(str::to_owned).to_vec(),
        ]
        .concat();
        let unit = format!("stagegate-watchdog-{}", self.plan.run);
        let started = detached::start(&unit, &args, (&self.dir, "watchdog"), &crate::failpoint::VARIABLES).await;
        let started = on_file(&self.dir, started)?;
        let armed = self.dir.join(ARMED);
        let wait = async {
            while !armed.exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(START_WITHIN, wait).await.map_err(|_| not_started(&self.dir))?;
        self.watchdog = Some(match started {
            Detached::Unit(unit) => format!("unit {unit}, {within}"),
            Detached::Process(process) => format!("process {process}, {within}"),
        });
        Ok(())
    }
}

fn not_started(dir: &Path) -> StepError {
    let log = dir.join("watchdog.log");
    let printed = std::fs::read_to_string(&log).unwrap_or_default();
    let last = printed.lines().last().map_or_else(String::new, |line| format!(" ({line})"));
    StepError::blocked(format!(
        "the watchdog did not start within {START_WITHIN:?}{last}, and nothing was changed; {} has its output. `watchdog = false` \
         in [gate] promotes without one",
        log.display()
    ))
}

/// Waits as the watchdog of a run until the run has ended, which gives `None`, or has to be finished here.
///
/// The process leaves its terminal, and tells the gate that it watches.
///
/// # Errors
/// [`WatchError`] where the journal cannot be read for a while, or the lock cannot be taken for another reason than a holder.
pub async fn watch(state: &StateDir, project: &str, watch: &Watch) -> Result<Option<Takeover>, WatchError> {
    detached::leave_terminal();
    let gate = Owner::of(watch.process);
    let dir = state.run(&watch.run);
    let armed = dir.join(ARMED);
    let text = serde_json::json!({ "process": std::process::id(), "until_seconds_since_boot": watch.until.as_secs() });
    let written = stagegate_host::files::write_whole(&armed, text.to_string().as_bytes());
    written.map_err(|source| WatchError::Armed { path: armed.clone(), source })?;
    let mut reason = format!("by the watchdog: process {} of gate ended before the run did", watch.process);
    let mut unreadable = Duration::ZERO;
    loop {
        match journal::lines(&dir) {
            Ok(lines) if has_ended(&lines) => return Ok(None),
            Ok(lines) => {
                unreadable = Duration::ZERO;
                if gate.as_ref().is_none_or(|gate| !gate.is_alive()) {
                    match taken(state, project, watch, &reason)? {
                        Taken::Held => {}
                        Taken::Over => return Ok(None),
                        Taken::Mine(takeover) => return Ok(Some(*takeover)),
                    }
                } else if is_late(&lines, watch.until) {
                    reason = format!(
                        "by the watchdog: no point of no return in time, process {} of gate ended",
                        watch.process
                    );
                    end(watch.process);
                }
            }
            // A gate that is writing, or a disk that is full for a moment.
            Err(error) if unreadable > PATIENCE => return Err(error.into()),
            Err(_) => unreadable += LOOK_EVERY,
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

enum Taken {
    /// Somebody else holds the lock.
    Held,
    /// Somebody else has finished the run.
    Over,
    /// This process finishes it.
    Mine(Box<Takeover>),
}

/// Takes the lock, and looks again under it: somebody else may have finished the run meanwhile.
fn taken(state: &StateDir, project: &str, watch: &Watch, reason: &str) -> Result<Taken, WatchError> {
    let lock = match Lock::take(state, project, &format!("watchdog finishing run {}", watch.run)) {
        Err(LockError::Held { .. } | LockError::Elsewhere { .. }) => return Ok(Taken::Held),
        lock => lock?,
    };
    Ok(match unfinished(state)?.filter(|open| open.run == watch.run && !open.stuck) {
        None => Taken::Over,
        Some(run) => Taken::Mine(Box::new(Takeover { lock, run, reason: reason.to_owned() })),
    })
}

/// Returns whether the run is over, or needs a person.
fn has_ended(lines: &[Line]) -> bool {
    matches!(lines.last().map(|line| &line.entry), Some(Entry::Ended { .. }))
}

/// Returns whether the time is over and the run has turned neither way: a rollback is never cut short.
fn is_late(lines: &[Line], until: Duration) -> bool {
    let has_turned = lines.iter().any(|line| matches!(line.entry, Entry::Decided { .. }));
    !has_turned && clock::since_boot() > until
}

/// Ends the gate: it may be stopped or hang, so nothing softer is certain to work.
fn end(process: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use stagegate_base::exit::Exit;
    use stagegate_gate_decide::promotion::{Decision, End, Step};

    use super::*;

    fn lines(entries: Vec<Entry>) -> Vec<Line> {
        let line = |entry| Line {
            v: 2,
            seq: 0,
            run: String::new(),
            boot: String::new(),
            wall: String::new(),
            entry,
            prev: String::new(),
        };
        entries.into_iter().map(line).collect()
    }

    #[test]
    fn only_a_run_that_has_not_turned_is_late() {
        let (past, future) = (Duration::ZERO, Duration::from_secs(u64::MAX / 4));
        let begun = Entry::Begun { step: Step::Freeze };
        let turned = |decision| Entry::Decided { decision, reason: String::new() };
        assert!(is_late(&lines(vec![begun.clone()]), past));
        assert!(!is_late(&lines(vec![begun.clone()]), future));
        assert!(!is_late(&lines(vec![begun.clone(), turned(Decision::Rollback)]), past));
        assert!(!is_late(&lines(vec![begun, turned(Decision::Commit)]), past));
    }

    #[test]
    fn a_run_that_is_stuck_is_left_to_a_person() {
        let ended = |end| lines(vec![Entry::Ended { end, exit: Exit::PersonNeeded }]);
        assert!(has_ended(&ended(End::Stuck)) && has_ended(&ended(End::Promoted)));
        assert!(!has_ended(&lines(vec![Entry::Begun { step: Step::Verify }])));
    }
}
