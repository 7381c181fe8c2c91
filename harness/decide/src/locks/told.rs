//! What of the observed hurts, on tables of the target's size.

use std::{collections::BTreeMap, time::Duration};

use super::{Mode, Observed, Request, Samples, Use};
use crate::migration::{Finding, codes};

/// Rows by table, `schema.table`.
pub type Sizes = BTreeMap<String, u64>;

/// From when on something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Rows on the target from which on a table that is read or written in full under a lock is told.
    pub rows: u64,
    /// The longest time for which requests may be held up.
    pub stall: Duration,
    /// The longest time for one statement, as scaled to the target.
    pub statement: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds { rows: 10_000, stall: Duration::from_millis(500), statement: Duration::from_secs(5) }
    }
}

/// What it is that hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
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
pub struct Hurt {
    /// What.
    pub trouble: Trouble,
    /// The table.
    pub table: String,
    /// What the session was sent; empty where no statement is to blame.
    pub query: String,
    /// Which command of it, from 0.
    pub nth: usize,
    /// What was observed, in words.
    pub message: String,
}

/// Tells what hurts.
///
/// `copy` are the rows of the tables where it was observed, `target` those of the server that it is meant for; times
/// of statements that read all rows are scaled by both. Without a size of the target a table counts as large: an
/// empty scratch database says nothing about it.
#[must_use]
pub fn findings(
    observed: &[Observed],
    samples: &Samples,
    requests: &[Request],
    (copy, target): (&Sizes, &Sizes),
    thresholds: &Thresholds,
) -> Vec<Hurt> {
    let judge = Judge { copy, target, thresholds };
    let mut found: Vec<Hurt> = observed.iter().flat_map(|statement| judge.statement(statement)).collect();
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

    fn statement(&self, statement: &Observed) -> Vec<Hurt> {
        let mut found = Vec::new();
        let hurt = |trouble, table: &str, message| Hurt {
            trouble,
            table: table.to_owned(),
            query: statement.query.clone(),
            nth: statement.nth,
            message,
        };
        for (table, why) in statement.rewrites.iter().filter(|(table, _)| self.is_large(table)) {
            let message = format!("{} rewrote {table}{}, since {why}", statement.tag, self.rows(table));
            found.push(hurt(Trouble::Rewrite, table, message));
        }
        let is_index = matches!(statement.tag.as_str(), "CREATE INDEX" | "REINDEX");
        for (table, mode) in statement.locks.iter().filter(|(table, mode)| self.is_large(table) && mode.stops_writes())
        {
            if is_index {
                let message =
                    format!("an index on {table}{} was built under {}: writes wait", self.rows(table), mode.words());
                found.push(hurt(Trouble::IndexBlocksWrites, table, message));
            }
            if *mode == Mode::AccessExclusive && statement.waits_for_ever {
                let message = format!(
                    "{} took {} on {table} with lock_timeout = 0: behind a long read it waits, and all others behind it",
                    statement.tag,
                    mode.words()
                );
                found.push(hurt(Trouble::NoLockTimeout, table, message));
            }
            let scaled = self.scaled(table, statement.took);
            if scaled > self.thresholds.statement {
                let message = format!(
                    "{} took {:.1} s under {} on {table}{}; at most {:.1} s are allowed",
                    statement.tag,
                    scaled.as_secs_f64(),
                    mode.words(),
                    self.rows(table),
                    self.thresholds.statement.as_secs_f64()
                );
                found.push(hurt(Trouble::Slow, table, message));
            }
        }
        found
    }

    fn rows(&self, table: &str) -> String {
        self.target.get(table).map(|rows| format!(" ({rows} rows on the target)")).unwrap_or_default()
    }

    /// Stretches a time from the copy's rows to the target's; never shortens it.
    #[expect(clippy::cast_precision_loss, reason = "row counts are estimates")]
    fn scaled(&self, table: &str, took: Duration) -> Duration {
        match (self.copy.get(table), self.target.get(table)) {
            // Below some rows the time is the statement's own, not the rows'.
            (Some(copy), Some(target)) if *copy >= 1_000 => {
                let factor = (*target as f64 / *copy as f64).max(1.0);
                Duration::try_from_secs_f64(took.as_secs_f64() * factor).unwrap_or(Duration::MAX)
            }
            _ => took,
        }
    }

    fn waits(&self, samples: &Samples) -> Vec<Hurt> {
        let limit = self.thresholds.stall.as_secs_f64();
        let long = samples.spans.iter().filter(|(_, span)| span.waited_s > limit);
        long.map(|(seen, span)| Hurt {
            trouble: Trouble::Waited,
            table: seen.table.clone(),
            query: seen.query.clone(),
            nth: 0,
            message: format!("waited {:.1} s for {} on {}", span.waited_s, seen.mode.words(), seen.table),
        })
        .collect()
    }

    fn request(&self, request: &Request, observed: &[Observed], samples: &Samples) -> Option<Hurt> {
        let does = match request.purpose {
            Use::Read => "a read",
            Use::Write => "a write",
        };
        let (trouble, message) = match &request.error {
            Some(error) => {
                (Trouble::Failed, format!("{does} of {} failed: {error} ({} times)", request.table, request.count))
            }
            None if request.took > self.thresholds.stall => (
                Trouble::Stalled,
                format!("{does} of {} was held up for {:.1} s", request.table, request.took.as_secs_f64()),
            ),
            None => return None,
        };
        let (query, nth) = blamed(request, observed, samples).unwrap_or_default();
        Some(Hurt { trouble, table: request.table.clone(), query, nth, message })
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
pub fn told(hurt: &Hurt) -> Finding {
    let (code, aspect) = match hurt.trouble {
        Trouble::Rewrite => (&codes::TABLE_REWRITTEN, "rewrite"),
        Trouble::IndexBlocksWrites => (&codes::INDEX_BLOCKED_WRITES, "index"),
        Trouble::NoLockTimeout => (&codes::NO_LOCK_TIMEOUT, "lock-timeout"),
        Trouble::Slow => (&codes::SLOW_UNDER_LOCK, "time"),
        Trouble::Waited => (&codes::WAITED_FOR_LOCK, "wait"),
        Trouble::Stalled => (&codes::REQUESTS_STALLED, "stall"),
        Trouble::Failed => (&codes::REQUESTS_FAILED, "requests"),
    };
    let mut finding = Finding::new(code, &hurt.message).about(format!("{}/{aspect}", hurt.table));
    finding.statement = hurt.query.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect();
    finding
}
