//! Who waits for a lock, and for whose: a look at the server again and again, from outside of what is watched.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use stagegate_performance_decide::{LockWaits, stall::Statement};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_postgres::{Client, Row};

/// Time from one look to the next one: a wait that is shorter may be missed.
const EVERY: Duration = Duration::from_millis(50);

// Who is only ahead in the queue holds no lock of the kind yet; the one that it waits for is reported then.
// Source: PostgreSQL manual, 9.26 (pg_blocking_pids) and 52.12 (pg_locks).
const WAITING: &str = "
    select (extract(epoch from clock_timestamp() - coalesce(waiting.waitstart, clock_timestamp())) * 1e6)::bigint,
           blocker.query,
           coalesce(held.mode, waiting.mode) || coalesce(' on ' || waiting.relation::regclass::text, '')
    from pg_locks waiting
    join pg_stat_activity waiter on waiter.pid = waiting.pid and waiter.datname = current_database()
    cross join lateral unnest(pg_blocking_pids(waiting.pid)) as blocking(pid)
    join pg_stat_activity blocker on blocker.pid = blocking.pid
    left join lateral (
        select mode from pg_locks
        where pid = blocker.pid and granted and locktype = waiting.locktype
          and relation is not distinct from waiting.relation and database is not distinct from waiting.database
        order by array_position(array['AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock'], mode)
        limit 1) held on true
    where not waiting.granted";

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How often, and how long somebody waited.
    pub waits: LockWaits,
    /// The statements whose transactions were waited for, with the time for which they were, from the watch's beginning.
    ///
    /// The text is that of the statement that ran when it was seen: the lock may have been taken by one before it.
    pub blocking: Vec<Statement>,
}

/// A look at the locks of a database twenty times a second, until it is stopped or dropped.
pub struct LockWatch {
    stop: oneshot::Sender<()>,
    watching: JoinHandle<Result<Seen, tokio_postgres::Error>>,
}

impl LockWatch {
    /// Begins to watch the database that `client` is connected to; times count from `began`.
    #[must_use]
    pub fn start(client: Client, began: Instant) -> Self {
        let (stop, stopped) = oneshot::channel();
        LockWatch { stop, watching: tokio::spawn(watch(client, began, stopped)) }
    }

    /// Returns what was seen.
    ///
    /// # Errors
    /// What the server reported, where it stopped answering.
    pub async fn stop(self) -> Result<Seen, tokio_postgres::Error> {
        drop(self.stop);
        // The watching neither panics nor is aborted before here.
        self.watching.await.unwrap_or_else(|_| Ok(Seen::default()))
    }
}

async fn watch(
    client: Client,
    began: Instant,
    mut stopped: oneshot::Receiver<()>,
) -> Result<Seen, tokio_postgres::Error> {
    let mut waits = LockWaits::default();
    let mut blocking = BTreeMap::new();
    let waiting = client.prepare(WAITING).await?;
    while tokio::time::timeout(EVERY, &mut stopped).await.is_err() {
        let rows = client.query(&waiting, &[]).await?;
        let now_us = micros(began.elapsed());
        waits.looks += 1;
        waits.seen += u64::from(!rows.is_empty());
        for row in &rows {
            let waited_us = note(&mut blocking, row, now_us)?;
            waits.longest_ms = waits.longest_ms.max(waited_us / 1_000);
        }
    }
    let statement = |((text, lock), (from_us, until_us))| Statement { text, lock: Some(lock), from_us, until_us };
    Ok(Seen { waits, blocking: blocking.into_iter().map(statement).collect() })
}

/// Notes who is waited for since when, and returns how long in microseconds.
fn note(
    blocking: &mut BTreeMap<(String, String), (u64, u64)>,
    row: &Row,
    now_us: u64,
) -> Result<u64, tokio_postgres::Error> {
    let waited_us = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or_default();
    let since = now_us.saturating_sub(waited_us);
    let (text, lock): (String, String) = (row.try_get(1)?, row.try_get(2)?);
    // A later statement of the transaction that is waited for already has held nobody up before it was seen.
    let is_later = blocking.iter().any(|((other, of), seen)| *other != text && *of == lock && seen.1 >= since);
    let from = if is_later { now_us } else { since };
    let seen = blocking.entry((text, lock)).or_insert((from, now_us));
    *seen = (seen.0.min(from), now_us);
    Ok(waited_us)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
