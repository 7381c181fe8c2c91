//! What of the observed hurts, on tables of the target's size.

use std::{collections::BTreeMap, time::Duration};

use super::{Mode, Observed, Request, Samples, Use};
use crate::{Finding, codes};
use stagegate_base::config::LockLimits;

/// Rows of a copy from which on a time is the rows', and not the statement's own.
const MEASURED_FROM: u64 = 1_000;

/// Rows by table, `schema.table`.
pub type Sizes = BTreeMap<String, u64>;

/// From when on something is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Rows on the target from which on a table that is read or written in full under a lock is reported.
    pub rows: u64,
    /// Rows that are written anew or put into an index in a second, where nothing better is known.
    pub rows_per_second: u64,
    /// The longest time for which a table is held against everybody, as scaled to the target.
    pub access_exclusive: Duration,
    /// The longest time for which a table is held against those who write.
    pub writes: Duration,
    /// The longest time for which a table is written anew.
    pub rewrite: Duration,
    /// The longest time for which an index is built while writes wait.
    pub index: Duration,
    /// The longest time for which requests may be held up.
    pub stall: Duration,
    /// The longest time that a statement may wait for a lock against everybody.
    pub lock_timeout: Duration,
}

impl From<&LockLimits> for Thresholds {
    fn from(limits: &LockLimits) -> Self {
        Thresholds {
            rows: limits.rows,
            rows_per_second: limits.rows_per_second.max(1),
            access_exclusive: limits.access_exclusive.0,
            writes: limits.writes.0,
            rewrite: limits.rewrite.0,
            index: limits.index.0,
            stall: limits.stall.0,
            lock_timeout: limits.lock_timeout.0,
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds::from(&LockLimits::default())
    }
}

/// What it is that hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HarmKind {
    /// A table is rewritten: nobody reads or writes it meanwhile.
    Rewrite,
    /// An index is built while writes wait.
    IndexBlocksWrites,
    /// A lock that stops all is waited for without a limit, and everybody behind it.
    NoLockTimeout,
    /// A statement holds a table for long.
    Slow,
    /// A statement waited for its lock.
    Waited,
    /// A probe's request was held up.
    Stalled,
    /// A probe's request failed.
    Failed,
}

/// One thing that hurts.
#[derive(Clone, Debug, PartialEq)]
pub struct Harm {
    /// What.
    pub trouble: HarmKind,
    /// The table.
    pub table: String,
    /// What the session was sent; empty where no statement is to blame.
    pub query: String,
    /// Which command of it, from 0.
    pub nth: usize,
    /// What was observed, in words.
    pub message: String,
}

/// Reports what hurts.
///
/// `copy` are the rows of the tables where it was observed, `target` those of the server that it is meant for; times
/// of statements that read all rows are scaled by both. Without a size of the target a table counts as large: an
/// empty scratch database states nothing about it.
#[must_use]
pub fn findings(
    observed: &[Observed],
    samples: &Samples,
    requests: &[Request],
    (copy, target): (&Sizes, &Sizes),
    thresholds: &Thresholds,
) -> Vec<Harm> {
    let judge = Judge { copy, target, thresholds };
    let mut found: Vec<Harm> = observed.iter().flat_map(|statement| judge.statement(statement, observed)).collect();
    found.extend(judge.waits(samples));
    found.extend(requests.iter().filter_map(|request| judge.request(request, observed, samples)));
    found
}

struct Judge<'a> {
    copy: &'a Sizes,
    target: &'a Sizes,
    thresholds: &'a Thresholds,
}

impl Judge<'_> {
    fn is_large(&self, table: &str) -> bool {
        self.target.get(table).is_none_or(|rows| *rows >= self.thresholds.rows)
    }

    fn statement(&self, statement: &Observed, all: &[Observed]) -> Vec<Harm> {
        let mut found = Vec::new();
        let mut hurt = |trouble, table: &str, message| {
            let (table, query) = (table.to_owned(), statement.query.clone());
            found.push(Harm { trouble, table, query, nth: statement.nth, message });
        };
        for (table, why) in statement.rewrites.iter().filter(|(table, _)| self.is_large(table)) {
            let (lasts, reported) = self.lasts(table, statement.took);
            if lasts.is_none_or(|lasts| lasts > self.thresholds.rewrite) {
                let rows = self.rows(table);
                hurt(
                    HarmKind::Rewrite,
                    table,
                    format!("{} rewrote {table}{rows}, since {why}{reported}", statement.tag),
                );
            }
        }
        let is_index = matches!(statement.tag.as_str(), "CREATE INDEX" | "REINDEX");
        for (table, mode) in statement.locks.iter().filter(|(table, mode)| self.is_large(table) && mode.stops_writes())
        {
            let (lasts, reported) = self.lasts(table, statement.took);
            if is_index && lasts.is_none_or(|lasts| lasts > self.thresholds.index) {
                let (rows, mode) = (self.rows(table), mode.words());
                let message =
                    format!("an index on {table}{rows} was built under {mode}, which blocks writes{reported}");
                hurt(HarmKind::IndexBlocksWrites, table, message);
            }
            if let Some(message) = self.waits_too_long(statement, table, *mode) {
                hurt(HarmKind::NoLockTimeout, table, message);
            }
            if let Some(message) = self.holds_too_long(statement, all, table, *mode) {
                hurt(HarmKind::Slow, table, message);
            }
        }
        found
    }

    fn waits_too_long(&self, statement: &Observed, table: &str, mode: Mode) -> Option<String> {
        let (limit, behind) = (statement.lock_timeout, "it waits behind a long read, and all others behind it");
        let is_told = limit.is_zero() || limit > self.thresholds.lock_timeout;
        let (tag, allowed) = (&statement.tag, self.thresholds.lock_timeout.as_secs_f64());
        let allowed = if limit.is_zero() { String::new() } else { format!(" (allowed: {allowed:.1} s)") };
        let reported = if limit.is_zero() { "0".to_owned() } else { format!("{:.1} s", limit.as_secs_f64()) };
        (mode == Mode::AccessExclusive && is_told).then(|| {
            format!("{tag} took {} on {table} with lock_timeout = {reported}{allowed}: {behind}", mode.words())
        })
    }

    /// Reports of a lock that is held for long: by its own statement, else by those of its transaction after it.
    fn holds_too_long(&self, statement: &Observed, all: &[Observed], table: &str, mode: Mode) -> Option<String> {
        let allowed = match mode {
            Mode::AccessExclusive => self.thresholds.access_exclusive,
            _ => self.thresholds.writes,
        };
        let is_same = |other: &&Observed| other.pid == statement.pid && other.transaction == statement.transaction;
        let end = all.iter().filter(is_same).map(|other| other.ended).fold(statement.ended, f64::max);
        let after = Duration::try_from_secs_f64(end - statement.ended).unwrap_or_default();
        let has_touched_rows_after =
            all.iter().filter(is_same).any(|other| other.ended > statement.ended && other.has_touched_rows);
        let at_size = |took, has_touched_rows| if has_touched_rows { self.scaled(table, took) } else { took };
        let own = at_size(statement.took, statement.has_touched_rows);
        let held = own + at_size(after, has_touched_rows_after);
        let (does, lasted) = match () {
            () if own > allowed => ("took", own),
            () if held > allowed => ("and the rest of its transaction took", held),
            () => return None,
        };
        Some(format!(
            "{} {does} {:.1} s under {} on {table}{}; allowed: {:.1} s",
            statement.tag,
            lasted.as_secs_f64(),
            mode.words(),
            self.rows(table),
            allowed.as_secs_f64()
        ))
    }

    /// Reports how long a statement that reads or writes all rows lasts on the target, and states so where it is an
    /// estimate; `None` where the target's rows are not known.
    #[expect(clippy::cast_precision_loss, reason = "row counts are estimates")]
    fn lasts(&self, table: &str, took: Duration) -> (Option<Duration>, String) {
        let Some(target) = self.target.get(table) else { return (None, String::new()) };
        if self.copy.get(table).is_some_and(|copy| *copy >= MEASURED_FROM) {
            return (Some(self.scaled(table, took)), String::new());
        }
        let rate = self.thresholds.rows_per_second;
        let lasts = took + Duration::from_secs_f64(*target as f64 / rate as f64);
        (Some(lasts), format!("; about {:.1} s at {rate} rows a second", lasts.as_secs_f64()))
    }

    fn rows(&self, table: &str) -> String {
        self.target.get(table).map(|rows| format!(" ({rows} rows on the target)")).unwrap_or_default()
    }

    /// Stretches a time from the copy's rows to the target's; never shortens it.
    #[expect(clippy::cast_precision_loss, reason = "row counts are estimates")]
    fn scaled(&self, table: &str, took: Duration) -> Duration {
        match (self.copy.get(table), self.target.get(table)) {
            (Some(copy), Some(target)) if *copy >= MEASURED_FROM => {
                let factor = (*target as f64 / *copy as f64).max(1.0);
                Duration::try_from_secs_f64(took.as_secs_f64() * factor).unwrap_or(Duration::MAX)
            }
            _ => took,
        }
    }

    fn waits(&self, samples: &Samples) -> Vec<Harm> {
        let limit = self.thresholds.stall.as_secs_f64();
        let long = samples.spans.iter().filter(|(_, span)| span.waited_s > limit);
        long.map(|(seen, span)| Harm {
            trouble: HarmKind::Waited,
            table: seen.table.clone(),
            query: seen.query.clone(),
            nth: 0,
            message: format!("waited {:.1} s for {} on {}", span.waited_s, seen.mode.words(), seen.table),
        })
        .collect()
    }

    fn request(&self, request: &Request, observed: &[Observed], samples: &Samples) -> Option<Harm> {
        let does = match request.purpose {
            Use::Read => "a read",
            Use::Write => "a write",
        };
        let (trouble, message) = match &request.error {
            Some(error) => {
                (HarmKind::Failed, format!("{does} of {} failed: {error} ({} times)", request.table, request.count))
            }
            None if request.took > self.thresholds.stall => (
                HarmKind::Stalled,
                format!("{does} of {} was delayed for {:.1} s", request.table, request.took.as_secs_f64()),
            ),
            None => return None,
        };
        let (query, nth) = blamed(request, observed, samples).unwrap_or_default();
        Some(Harm { trouble, table: request.table.clone(), query, nth, message })
    }
}

/// Finds the statement whose lock held a request up: the last one before its answer that took a lock in its way, told
/// by its event, else as it was seen from outside.
fn blamed(request: &Request, observed: &[Observed], samples: &Samples) -> Option<(String, usize)> {
    let is_in_the_way = |mode: Mode| match request.purpose {
        Use::Read => mode == Mode::AccessExclusive,
        Use::Write => mode.stops_writes(),
    };
    let began = request.ended - request.took.as_secs_f64();
    let seen = samples.spans.iter().filter(|(seen, span)| {
        seen.table == request.table && is_in_the_way(seen.mode) && span.from <= request.ended && span.to >= began
    });
    let holds = |statement: &&Observed| {
        let has_lock = statement.locks.iter().any(|(table, mode)| *table == request.table && is_in_the_way(*mode));
        has_lock
            && statement.transaction <= request.ended
            && statement.ended - statement.took.as_secs_f64() <= request.ended
    };
    let by_event = observed.iter().rev().find(holds).map(|statement| (statement.query.clone(), statement.nth));
    by_event.or_else(|| seen.map(|(seen, _)| (seen.query.clone(), 0)).next())
}

/// Makes a finding of what hurts, for the migration's report; the caller adds the version and the place.
#[must_use]
pub fn harm_finding(hurt: &Harm) -> Finding {
    let (code, aspect) = match hurt.trouble {
        HarmKind::Rewrite => (&codes::TABLE_REWRITTEN, "rewrite"),
        HarmKind::IndexBlocksWrites => (&codes::INDEX_BLOCKED_WRITES, "index"),
        HarmKind::NoLockTimeout => (&codes::NO_LOCK_TIMEOUT, "lock-timeout"),
        HarmKind::Slow => (&codes::SLOW_UNDER_LOCK, "time"),
        HarmKind::Waited => (&codes::WAITED_FOR_LOCK, "wait"),
        HarmKind::Stalled => (&codes::REQUESTS_STALLED, "stall"),
        HarmKind::Failed => (&codes::REQUESTS_FAILED, "requests"),
    };
    let mut finding = Finding::new(code, &hurt.message).about(format!("{}/{aspect}", hurt.table));
    finding.excerpt = hurt.query.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect();
    finding
}
