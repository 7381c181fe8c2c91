//! The impact of the release's migrations: requests that read and write the copy while they are applied.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use stagegate_gate_decide::promotion::{Impact, PlanDatabase};
use stagegate_performance_decide::stall::{Request, RequestImpact, impact};
use tokio_postgres::Client;

use super::{Run, StepError};
use stagegate_host::{database::Server, error::with_causes};
use stagegate_performance_act::{
    load::{Aim, BackgroundLoad, Query, Subject},
    waits::{LockWatch, Seen},
};

/// Tables that are read and written, those with the most rows first: it is their locks that requests wait for.
const TABLES: i64 = 4;
/// Requests a second for each table and purpose: a stall of 100 ms is hit by one at least.
const RATE: f64 = 10.0;
/// Connections for each at most: so many requests may wait for a lock at once.
const CONNECTIONS: usize = 8;
/// How long a request waits; what takes longer has failed for those who sent it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Names are quoted by the server. Partitioned tables are read as wholes.
const LARGEST: &str = "
    select format('%I.%I', n.nspname, c.relname)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
      and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
    order by greatest(c.reltuples, pg_catalog.pg_relation_size(c.oid) / 100) desc, 1 limit $1";

/// How many sessions the server still takes from this role: the smaller one of its own limit and the role's.
const FREE_SESSIONS: &str = "
    select least(
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
          - (select count(*) from pg_catalog.pg_stat_activity where backend_type = 'client backend'),
        (select case when rolconnlimit < 0 then 1000000 else rolconnlimit end
           - (select count(*) from pg_catalog.pg_stat_activity where usename = current_user)
         from pg_catalog.pg_roles where rolname = current_user))::int8";

/// What requests met, or why it is unknown.
pub(super) enum Measured {
    Impact(RequestImpact),
    Unknown(String),
}

/// A probe that is running.
struct StallProbe {
    began: Instant,
    sending: Vec<BackgroundLoad>,
    locks: LockWatch,
}

impl Run {
    /// Applies a database's migrations to the copy while it is read and written.
    ///
    /// A probe that cannot be started is reported, and fails nothing.
    pub(super) async fn migrate_under_load(
        &self,
        database: &PlanDatabase,
        server: &Server,
        migrations: impl Future<Output = Result<(), StepError>>,
    ) -> Result<Measured, StepError> {
        let probing = self.probe(database, server).await;
        let began = Instant::now();
        let migrated = migrations.await;
        let ended = began.elapsed();
        let measured = match probing {
            Ok(probing) => probing.end(began, ended).await.map_or_else(Measured::Unknown, Measured::Impact),
            Err(reason) => Measured::Unknown(reason),
        };
        migrated.map(|()| measured)
    }

    async fn probe(&self, database: &PlanDatabase, server: &Server) -> Result<StallProbe, String> {
        let connected = || async { server.connect(&database.name).await.map_err(|error| with_causes(&error)) };
        let client = connected().await?;
        let tables = largest(&client).await?;
        if tables.is_empty() {
            return Err("the copy has no tables yet".to_owned());
        }
        let free = client.query_one(FREE_SESSIONS, &[]).await.map_err(|error| with_causes(&error))?.get(0);
        let Some((tables, connections)) = within(&tables, free) else {
            return Err(format!("the server takes {free} more sessions, and the migrations need them"));
        };
        let containers = self.gate.engine.project(&self.rehearsal_project()).await;
        let containers = containers.map_err(|error| with_causes(&error))?;
        let aim = Aim::at_service(&containers, &database.service, 5432).map_err(|error| with_causes(&error))?;
        let login = self.rehearsal_login(database).map_err(|error| error.reason)?;
        let began = Instant::now();
        let mut sending = Vec::new();
        for statement in tables.iter().flat_map(|table| statements(table)) {
            let subject = Subject::Sql(Query::new(&aim, &login, &statement));
            let started = BackgroundLoad::start(&subject, RATE, connections, TIMEOUT).await;
            sending.push(started.map_err(|error| with_causes(&error))?);
        }
        Ok(StallProbe { began, sending, locks: LockWatch::start(connected().await?, began) })
    }

    /// Stops where a stall is longer than the configuration allows.
    pub(super) fn stop_at_stall(&self, database: &PlanDatabase, measured: &Measured) -> Result<(), StepError> {
        let Some(maximum) = self.plan.longest_stall else { return Ok(()) };
        let limit = format!("{maximum}, `longest_stall` of [gate]");
        match measured {
            Measured::Impact(felt) if felt.longest() <= maximum.0 => Ok(()),
            Measured::Impact(felt) => Err(StepError::blocked(format!(
                "the migrations of {} stall requests to database `{}` for {} ms (maximum {limit}): {}",
                self.plan.release.name,
                database.name,
                felt.longest().as_millis(),
                felt.words()
            ))),
            Measured::Unknown(reason) => Err(StepError::inconclusive(format!(
                "the stalls of the migrations could not be measured (maximum {limit}): {reason}"
            ))),
        }
    }
}

impl StallProbe {
    /// Ends the probe and evaluates the requests that were due while the migrations ran.
    async fn end(self, migrations: Instant, took: Duration) -> Result<RequestImpact, String> {
        let seen: Seen = self.locks.stop().await.map_err(|error| with_causes(&error))?;
        let mut requests: Vec<Request> = Vec::new();
        for sending in self.sending {
            let sent = sending.stop().await.map_err(|error| with_causes(&error))?;
            let each = sent.requests(self.began);
            if each.is_empty() && sent.sent > 0 {
                return Err("the migrations took too long to record every request".to_owned());
            }
            requests.extend(each);
        }
        let from = micros(migrations.saturating_duration_since(self.began));
        requests.retain(|request| (from..from + micros(took)).contains(&request.intended_us));
        Ok(impact(&requests, &seen.blocking))
    }
}

impl Measured {
    /// Returns the impact as the rehearsal's report has it.
    pub(super) fn impact(&self, database: &str) -> Impact {
        let (summary, longest_stall_ms) = match self {
            Measured::Impact(felt) => {
                (felt.words(), Some(u64::try_from(felt.longest().as_millis()).unwrap_or(u64::MAX)))
            }
            Measured::Unknown(reason) => (format!("impact not measured: {reason}"), None),
        };
        Impact { database: database.to_owned(), summary, longest_stall_ms }
    }
}

/// Returns which tables are probed by how many connections each way where a server takes `free` more sessions: half of
/// them are left to the migrations. `None` where that is too little for one table.
fn within(tables: &[String], free: i64) -> Option<(&[String], usize)> {
    let usable = usize::try_from(free / 2).unwrap_or_default();
    let probed = tables.len().min(usable / 2);
    (probed > 0).then(|| (&tables[..probed], (usable / (2 * probed)).min(CONNECTIONS)))
}

/// Returns a read of a row, and what INSERT, UPDATE and DELETE lock, which changes nothing.
fn statements(table: &str) -> [String; 2] {
    // Two statements, so that they are sent as one transaction and nothing is prepared ahead.
    [format!("select 1 from {table} limit 1; select 1"), format!("lock table {table} in row exclusive mode; select 1")]
}

async fn largest(client: &Client) -> Result<Vec<String>, String> {
    let rows = client.query(LARGEST, &[&TABLES]).await.map_err(|error| with_causes(&error))?;
    rows.iter().map(|row| row.try_get(0).map_err(|error| with_causes(&error))).collect()
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_leaves_half_of_the_free_sessions_to_the_migrations() {
        let tables: Vec<String> = (0..4).map(|n| format!("public.t{n}")).collect();
        let probed = |free| within(&tables, free).map(|(tables, connections)| (tables.len(), connections));
        assert_eq!(probed(1_000), Some((4, 8)));
        assert_eq!(probed(55), Some((4, 3)));
        assert_eq!(probed(12), Some((3, 1)));
        assert_eq!(probed(4), Some((1, 1)));
        assert_eq!(probed(3), None);
        assert_eq!(probed(-2), None);
    }
}
