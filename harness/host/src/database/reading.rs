//! Sessions that only read: the one place that opens them. Users come first: such a session changes nothing, waits for nobody
//! for long, keeps no snapshot open when the gate hangs, and names who holds it up.

use std::time::Duration;

use tokio_postgres::Client;

use super::{DatabaseError, Server, failed};

/// What a session that reads takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// How long it waits for a lock.
    pub lock: Duration,
    /// How long one statement takes.
    pub statement: Duration,
    /// How long a transaction is open between two statements.
    pub idle: Duration,
}

impl ReadLimits {
    /// For catalogs and small tables.
    pub const LOOK: Self =
        Self { lock: Duration::from_secs(5), statement: Duration::from_secs(120), idle: Duration::from_secs(120) };
    /// For the rows of all tables: each is one statement.
    pub const TABLES: Self =
        Self { lock: Duration::from_secs(10), statement: Duration::from_secs(3_600), idle: Duration::from_secs(600) };

    /// Returns limits of a session whose transaction stays open for as long as other sessions use its snapshot.
    #[must_use]
    pub fn for_snapshot(within: Duration) -> Self {
        Self { statement: within, idle: within, ..Self::TABLES }
    }

    fn settings(self) -> String {
        let Self { lock, statement, idle } = self;
        format!(
            "set default_transaction_read_only = on; set lock_timeout = {}; set statement_timeout = {}; \
             set idle_in_transaction_session_timeout = {}",
            lock.as_millis(),
            statement.as_millis(),
            idle.as_millis()
        )
    }
}

// Source: PostgreSQL manual, appendix A: lock_not_available.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Who has a table locked against readers, or waits to lock it so: readers queue behind both.
// A prepared transaction has no session.
const WHO_LOCKS: &str = "
    select coalesce(format('session %s%s of %s, %s since %s', l.pid, coalesce(' (' || nullif(a.application_name, '') || ')', ''),
               coalesce(a.usename, 'nobody'), coalesce(a.state, 'unknown'),
               to_char(a.xact_start at time zone 'UTC', 'HH24:MI:SS \"UTC\"')), 'a prepared transaction')
           || case when l.granted then ', has locked ' else ', waits to lock ' end
           || array_to_string(l.tables[1:3], ', ') || coalesce(' and ' || nullif(greatest(cardinality(l.tables) - 3, 0), 0) || ' more', '')
           || case when l.granted then '' else
                  coalesce(', behind session ' || nullif(array_to_string(pg_catalog.pg_blocking_pids(l.pid), ', '), ''), '') end
    from (select k.pid, k.granted, array_agg(distinct format('%I.%I', n.nspname, c.relname)) as tables
          from pg_catalog.pg_locks k
          join pg_catalog.pg_class c on c.oid = k.relation and c.relkind not in ('i', 'I', 't')
          join pg_catalog.pg_namespace n on n.oid = c.relnamespace
          where k.locktype = 'relation' and k.mode = 'AccessExclusiveLock' and k.pid is distinct from pg_backend_pid()
              and k.database = (select oid from pg_catalog.pg_database where datname = current_database())
          group by 1, 2) l
    left join pg_catalog.pg_stat_activity a on a.pid = l.pid
    order by l.granted desc, l.pid";

impl Server {
    /// Makes a session with `database` for catalogs and small tables.
    ///
    /// # Errors
    /// [`DatabaseError::Connect`] with the addresses and the last response.
    pub async fn connect_to_read(&self, database: &str) -> Result<Client, DatabaseError> {
        self.connect_within(database, ReadLimits::LOOK).await
    }

    /// Makes a session with `database` that changes nothing and keeps to `limits`.
    ///
    /// # Errors
    /// [`DatabaseError::Connect`] with the addresses and the last response.
    pub async fn connect_within(&self, database: &str, limits: ReadLimits) -> Result<Client, DatabaseError> {
        let client = self.connect(database).await?;
        client.batch_execute(&limits.settings()).await.map_err(|e| failed("limit what a session waits for", &e))?;
        Ok(client)
    }

    /// Makes a session as [`Server::connect_to_read`] does, in the database for questions about the server.
    ///
    /// # Errors
    /// As [`Server::connect_to_read`].
    pub async fn open_session(&self) -> Result<Client, DatabaseError> {
        let client = self.connect_outside(&[]).await?;
        let limits = ReadLimits::LOOK.settings();
        client.batch_execute(&limits).await.map_err(|e| failed("limit what a session waits for", &e))?;
        Ok(client)
    }

    /// Reads in a session of [`Server::connect_within`]; an error names who holds it up.
    ///
    /// # Errors
    /// Those of `read`; [`DatabaseError::Locked`] where it waited too long for a lock.
    pub async fn read<T>(
        &self,
        database: &str,
        limits: ReadLimits,
        read: impl AsyncFnOnce(&Client) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        match read(&self.connect_within(database, limits).await?).await {
            Err(error) => Err(self.with_lock_holders(database, error).await),
            found => found,
        }
    }

    /// Names who holds the lock where one was waited for too long.
    pub async fn with_lock_holders(&self, database: &str, error: DatabaseError) -> DatabaseError {
        match error {
            DatabaseError::Statement { what, reason } if reason.contains(LOCK_NOT_AVAILABLE) => {
                match self.who_locks(database).await {
                    Ok(holders) if !holders.is_empty() => DatabaseError::Locked { what, holders: holders.join("; ") },
                    _ => DatabaseError::Statement { what, reason },
                }
            }
            error => error,
        }
    }

    /// Returns which sessions keep readers of a database's tables waiting, in words.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn who_locks(&self, database: &str) -> Result<Vec<String>, DatabaseError> {
        let client = self.connect_to_read(database).await?;
        let rows = client.query(WHO_LOCKS, &[]).await.map_err(|e| failed("find out who holds a lock", &e))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }
}
