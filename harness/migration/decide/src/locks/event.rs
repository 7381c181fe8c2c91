//! Events of the recorder, and the statements that they tell of.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::Deserialize;

use crate::schema::{Fact, Facts, Kind};

/// A lock on a table that is at least as strong as an index built concurrently takes; the weaker first.
// Source: PostgreSQL manual 13.3.1, table-level locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Mode {
    /// Writes and reads go on (INSERT, UPDATE, DELETE).
    #[serde(rename = "RowExclusiveLock")]
    RowExclusive,
    /// Writes and reads go on; other changes of the schema wait.
    #[serde(rename = "ShareUpdateExclusiveLock")]
    ShareUpdateExclusive,
    /// Writes wait.
    #[serde(rename = "ShareLock")]
    Share,
    /// Writes wait.
    #[serde(rename = "ShareRowExclusiveLock")]
    ShareRowExclusive,
    /// Writes wait, and SELECT FOR UPDATE.
    #[serde(rename = "ExclusiveLock")]
    Exclusive,
    /// Everything waits.
    #[serde(rename = "AccessExclusiveLock")]
    AccessExclusive,
}

impl Mode {
    /// Returns whether writes to the table wait.
    #[must_use]
    pub fn stops_writes(self) -> bool {
        self >= Mode::Share
    }

    /// Returns the server's words, such as `ACCESS EXCLUSIVE`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Mode::RowExclusive => "ROW EXCLUSIVE",
            Mode::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Mode::Share => "SHARE",
            Mode::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Mode::Exclusive => "EXCLUSIVE",
            Mode::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }
}

/// One firing of an event trigger. Times are seconds since 1970, by the server's clock.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Event {
    /// The session.
    pub pid: i32,
    /// What the session was sent; it may hold several statements.
    pub query: String,
    /// The command, such as `ALTER TABLE`.
    pub tag: String,
    /// When the transaction began.
    pub transaction: f64,
    /// When the message with the statement came.
    pub message: f64,
    /// Now.
    pub at: f64,
    /// Milliseconds; 0 waits for ever.
    pub lock_timeout: i64,
    /// Locks that the session holds on tables that were there before.
    pub locks: Vec<(String, Mode)>,
    /// How many rows of tables that were there before the transaction read or wrote until now. Rows of an earlier
    /// transaction may be counted too, until the server has them in its statistics.
    #[serde(default)]
    pub rows: u64,
    /// The table that is about to be rewritten; none where it is a new one.
    #[serde(default)]
    pub rewritten: Option<String>,
    /// Why: a sum of the server's bits; none where the event is the end of a command.
    #[serde(default)]
    pub reason: Option<i32>,
}

/// What one statement did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The session.
    pub pid: i32,
    /// What the session was sent; it may hold several statements.
    pub query: String,
    /// The command, such as `ALTER TABLE`.
    pub tag: String,
    /// Which command of `query` it is, from 0.
    pub nth: usize,
    /// When its transaction began, by the server's clock.
    pub transaction: f64,
    /// When it was through, by the server's clock, in seconds since 1970.
    pub ended: f64,
    /// How long it took, together with what the event triggers do not see before it (UPDATE and the like).
    pub took: Duration,
    /// Locks that this transaction did not hold before it.
    pub locks: Vec<(String, Mode)>,
    /// Tables that were rewritten, and why.
    pub rewrites: Vec<(String, String)>,
    /// Whether it read or wrote rows of tables that were there before. Else it takes as long on a table of any size.
    pub has_touched_rows: bool,
    /// How long it would have waited for each of its locks; 0 is for ever.
    pub lock_timeout: Duration,
}

/// Makes statements of events, which are in the order of time.
#[must_use]
pub fn statements(events: &[Event]) -> Vec<Observed> {
    let mut held: BTreeMap<(i32, u64), BTreeSet<(String, Mode)>> = BTreeMap::new();
    let mut before: BTreeMap<(i32, u64), (f64, usize)> = BTreeMap::new();
    let mut rewrites: BTreeMap<i32, Vec<(String, String)>> = BTreeMap::new();
    let mut rows: BTreeMap<(i32, u64), u64> = BTreeMap::new();
    let mut found = Vec::new();
    for event in events {
        if let Some(reason) = event.reason {
            let table = event.rewritten.iter().map(|table| (table.clone(), why(reason)));
            rewrites.entry(event.pid).or_default().extend(table);
            continue;
        }
        let transaction = (event.pid, event.transaction.to_bits());
        let rows_before = rows.insert(transaction, event.rows).unwrap_or_default();
        let own = held.entry(transaction).or_default();
        let locks = event.locks.iter().filter(|lock| own.insert((*lock).clone())).cloned().collect();
        let last = before.entry((event.pid, event.message.to_bits())).or_insert((event.message, 0));
        found.push(Observed {
            pid: event.pid,
            query: event.query.clone(),
            tag: event.tag.clone(),
            nth: last.1,
            transaction: event.transaction,
            ended: event.at,
            took: Duration::try_from_secs_f64(event.at - last.0).unwrap_or_default(),
            locks,
            rewrites: rewrites.remove(&event.pid).unwrap_or_default(),
            has_touched_rows: event.rows != rows_before,
            lock_timeout: Duration::from_millis(event.lock_timeout.unsigned_abs()),
        });
        *last = (event.at, last.1 + 1);
    }
    found
}

// Source: event_trigger.h, AT_REWRITE_*.
fn why(bits: i32) -> String {
    let reasons = [
        (1, "it becomes logged or unlogged"),
        (2, "a new column's default has to be computed for each row"),
        (4, "a column's type changes its storage form"),
        (8, "it gets another access method"),
    ];
    let reported: Vec<&str> = reasons.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, words)| *words).collect();
    if reported.is_empty() { format!("the server's reason {bits}") } else { reported.join(", ") }
}

/// Returns the facts of a schema without the recorder's own objects.
#[must_use]
pub fn without_recorder(facts: &Facts) -> Facts {
    const SCHEMA: &str = "stagegate_recorder";
    let is_own = |fact: &&Fact| {
        let name = &fact.id.name;
        let inner = |name: &str| name == SCHEMA || name.starts_with(&format!("{SCHEMA}."));
        let attached = Kind::ALL.iter().any(|kind| {
            name.strip_prefix(kind.word()).and_then(|rest| rest.strip_prefix(' ')).is_some_and(|rest| {
                inner(rest) || rest.starts_with(&format!("{SCHEMA}_")) || rest.starts_with(&format!("{SCHEMA} "))
            })
        });
        inner(name)
            || (fact.id.kind == Kind::EventTrigger && name.starts_with(&format!("{SCHEMA}_")))
            || (fact.id.kind.is_attached() && attached)
    };
    Facts::new(facts.iter().filter(|fact| !is_own(fact)).cloned().collect(), facts.unmodelled().clone())
}
