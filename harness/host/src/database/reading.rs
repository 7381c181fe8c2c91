//! Sessions that only read. Users come first: such a session waits for nobody for long, and names who holds it up.

use tokio_postgres::Client;

use super::{DatabaseError, Server, failed};

/// How long a session that reads waits for a lock, and how long one of its statements takes.
const LIMITS: &str = "set lock_timeout = '5s'; set statement_timeout = '120s'";
// Source: PostgreSQL manual, appendix A: lock_not_available.
const LOCK_NOT_AVAILABLE: &str = "55P03";

impl Server {
    /// Makes a session with `database` that gives up what a lock holds up for 5 s, and statements after 120 s.
    ///
    /// # Errors
    /// [`DatabaseError::Connect`] with the addresses and the last answer.
    pub async fn connect_to_read(&self, database: &str) -> Result<Client, DatabaseError> {
        let client = self.connect(database).await?;
        client.batch_execute(LIMITS).await.map_err(|e| failed("limit what a session waits for", &e))?;
        Ok(client)
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
}
