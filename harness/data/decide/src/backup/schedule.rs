//! What is due, by the times at which it was last done; and whether backups are overdue.
//!
//! A timer asks every 15 minutes. It is this decision that counts, never the timer's own calendar: a machine that was off
//! catches up at the next tick, and a clock that was set back makes things due at once.

use stagegate_base::exit::Cause;

use super::retention::minute;

/// What the schedule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// A backup of everything.
    Backup,
    /// Copy backups off this host.
    Upload,
    /// Restore the newest copy into a scratch server.
    Drill,
    /// Remove backups that the rules let go.
    Prune,
    /// Remove copies off this host that the rules let go.
    PruneOffsite,
    /// Remove logs and records that the rules let go.
    Rotate,
}

/// When something was last done well, and how often it is to be done; in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The task.
    pub task: Task,
    /// When it last succeeded, since 1970; never where `None`.
    pub last: Option<i64>,
    /// How often; 0 is never.
    pub every: i64,
}

/// Half of the timer's 15 minutes: what would be due before the next tick is done now, so that times do not drift.
const SLACK: i64 = 450;

/// Returns the tasks that are due, in the order in which they are done.
#[must_use]
pub fn due(paces: &[Pace], now: i64) -> Vec<Task> {
    let is_due = |pace: &&Pace| match pace.last {
        _ if pace.every <= 0 => false,
        None => true,
        Some(last) => last > now || now - last >= pace.every - SLACK.min(pace.every / 2),
    };
    let mut tasks: Vec<Task> = paces.iter().filter(is_due).map(|pace| pace.task).collect();
    tasks.sort();
    tasks
}

/// Returns the task that failed just before of something that the restore drill needs, too: until that is removed a drill would only
/// report the same failure again, as if a backup could not be restored. `offsite` where it restores a copy off this host.
///
/// A backup that failed of its own database does not stop it: what was backed up earlier can be restored without that one.
#[must_use]
pub fn drill_waits_for(failed: &[(Task, Cause)], offsite: bool) -> Option<Task> {
    // The Engine or no room, no scratch server, or another run that has the store.
    let of_host = [Cause::Docker, Cause::File, Cause::NotRun, Cause::Locked];
    // The access key, the service, the mounted folder.
    let of_place = [Cause::Usage, Cause::Configuration, Cause::Program, Cause::File, Cause::NotRun, Cause::Locked];
    let concerns = |(task, cause): &&(Task, Cause)| match task {
        Task::Backup => of_host.contains(cause),
        Task::Upload => offsite && of_place.contains(cause),
        _ => false,
    };
    failed.iter().find(concerns).map(|(task, _)| *task)
}

/// How far in the future a backup may be taken, in seconds: clocks differ, and no more than that.
const AHEAD: i64 = 300;

/// Returns whether a backup was taken later than now: a clock was wrong then or is now, and what it counts as newest is not known.
#[must_use]
pub fn is_ahead(taken: i64, now: i64) -> bool {
    taken - now > AHEAD
}

/// Returns in words why the backups of something are overdue: there is none, or the newest is older than one and a half
/// times `every`. `None` where all is well.
#[must_use]
pub fn overdue(what: &str, newest: Option<i64>, every: i64, now: i64) -> Option<String> {
    let Some(newest) = newest else { return Some(format!("{what} has no verified backup")) };
    let allowed = every + every / 2;
    (every > 0 && now - newest > allowed).then(|| {
        format!(
            "the newest verified backup of {what} is of {}, {} ago; expected one every {}",
            minute(newest),
            length(now - newest),
            length(every)
        )
    })
}

/// Returns in words why the restore drill is overdue: the last one that went well, or where there was none yet the first
/// backup, is older than one and a half times `every`. `None` where all is well, or there is no backup.
#[must_use]
pub fn drill_overdue(last: Option<i64>, first_backup: Option<i64>, every: i64, now: i64) -> Option<String> {
    let since = now - last.or(first_backup)?;
    let when = last.map_or_else(|| "there was none".to_owned(), |last| format!("the last one was of {}", minute(last)));
    (every > 0 && since > every + every / 2)
        .then(|| format!("the restore drill is overdue: {when}; expected one every {}", length(every)))
}

/// Writes a length of time by its two largest units.
#[must_use]
pub fn length(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds % 86_400 / 3_600, seconds % 3_600 / 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
