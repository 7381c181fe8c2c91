//! Looks at locks from outside, again and again, while a migration runs.

use std::time::Duration;

use stagegate_migration_decide::locks::{Sample, Samples};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_postgres::Client;

/// Between two looks: what is over sooner is reported by the event triggers, and stalls no one for long.
const PAUSE: Duration = Duration::from_millis(20);

/// Sessions of ours do not count. The time is since the statement began; the blockers are those who make it wait.
const LOOK: &str = "select k.name, l.mode, l.granted, l.pid, left(a.query, 2000), \
         extract(epoch from clock_timestamp() - a.query_start)::float8, pg_blocking_pids(l.pid), \
         extract(epoch from clock_timestamp())::float8 \
     from pg_locks l join stagegate_recorder.known k on k.oid = l.relation \
     join pg_stat_activity a on a.pid = l.pid and a.datname = current_database() \
     where l.locktype = 'relation' and a.application_name not like 'stagegate/probe%' and l.pid <> pg_backend_pid() \
       and l.mode in ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')";

/// A running watch.
pub struct Sampler {
    stop: oneshot::Sender<()>,
    watch: JoinHandle<Samples>,
}

impl Sampler {
    /// Begins to look, in a session of its own, which must be one of the database in which the recorder is installed.
    #[must_use]
    pub fn start(client: Client) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let watch = tokio::spawn(async move {
            let mut samples = Samples::default();
            loop {
                let is_over = tokio::time::timeout(PAUSE, &mut stopped).await.is_ok();
                let Ok(rows) = client.query(LOOK, &[]).await else { return samples };
                let seen = rows.iter().map(|row| Sample {
                    table: row.get(0),
                    mode: row.get(1),
                    is_granted: row.get(2),
                    pid: row.get(3),
                    query: row.get(4),
                    running_s: row.get(5),
                    blocked_by: row.get(6),
                    at: row.get(7),
                });
                samples.add(seen);
                if is_over {
                    return samples;
                }
            }
        });
        Sampler { stop, watch }
    }

    /// Ends the watch and returns what was seen.
    pub async fn end(self) -> Samples {
        let _ = self.stop.send(());
        self.watch.await.unwrap_or_default()
    }
}
