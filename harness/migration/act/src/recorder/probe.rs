//! Reads and writes tables while a migration runs, as an application would, and times each request.

use std::time::{Duration, Instant};

use stagegate_migration_decide::locks::{Request, Use};
use tokio::{sync::watch, task::JoinHandle};
use tokio_postgres::{Client, error::SqlState};

use stagegate_host::database::error_text;

/// What is reported of a request for a table that is gone, or has another name now.
pub const ABSENT: &str = "the table does not exist";
/// Between two requests.
const PAUSE: Duration = Duration::from_millis(5);

/// Probes that run.
pub struct Probe {
    stop: watch::Sender<bool>,
    clients: Vec<JoinHandle<Vec<Request>>>,
}

impl Probe {
    /// Begins to read and write `tables` (`schema.table`, as the server quotes it), one after the other, in the session
    /// of each client. Sessions named `stagegate/probe` are left out by the sampler.
    ///
    /// A read is a row of the table; a write takes the lock that INSERT, UPDATE and DELETE take, and changes nothing.
    #[must_use]
    pub fn start(clients: Vec<Client>, tables: &[String]) -> Self {
        let (stop, stopped) = watch::channel(false);
        let start = |(number, client): (usize, Client)| {
            let (tables, stopped) = (tables.to_vec(), stopped.clone());
            let purpose = if number % 2 == 0 { Use::Read } else { Use::Write };
            tokio::spawn(async move { run(&client, &tables, purpose, stopped).await })
        };
        let clients = clients.into_iter().enumerate().map(start).collect();
        Probe { stop, clients }
    }

    /// Ends the probes after their last responses, and returns of each client the slowest request of each table and end.
    pub async fn end(self) -> Vec<Request> {
        let _ = self.stop.send(true);
        let mut requests = Vec::new();
        for client in self.clients {
            requests.extend(client.await.unwrap_or_default());
        }
        requests
    }
}

async fn run(client: &Client, tables: &[String], purpose: Use, mut stopped: watch::Receiver<bool>) -> Vec<Request> {
    let mut kept: Vec<Request> = Vec::new();
    for table in tables.iter().cycle() {
        if *stopped.borrow() {
            break;
        }
        let request = send(client, table, purpose).await;
        // One of each kind is kept, the slowest: a long migration makes many.
        match kept.iter_mut().find(|one| one.table == *table && one.error == request.error) {
            Some(one) => {
                one.count += 1;
                if request.took > one.took {
                    (one.took, one.ended) = (request.took, request.ended);
                }
            }
            None => kept.push(request),
        }
        let _ = tokio::time::timeout(PAUSE, stopped.changed()).await;
    }
    kept
}

async fn send(client: &Client, table: &str, purpose: Use) -> Request {
    let sql = match purpose {
        Use::Read => format!("select 1 from {table} limit 1"),
        Use::Write => format!("begin; lock table {table} in row exclusive mode; rollback"),
    };
    let started = Instant::now();
    let response = client.batch_execute(&sql).await;
    let took = started.elapsed();
    if response.is_err() && purpose == Use::Write {
        let _ = client.batch_execute("rollback").await;
    }
    let error = response.err().map(|error| match error.code() {
        // The table has another name now, or is gone: an application would fail as well.
        Some(&SqlState::UNDEFINED_TABLE) => ABSENT.to_owned(),
        _ => error_text(&error),
    });
    let now = client.query_one("select extract(epoch from pg_catalog.clock_timestamp())::float8", &[]).await;
    let ended = now.map_or(0.0, |row| row.get(0));
    Request { table: table.to_owned(), purpose, took, ended, error, count: 1 }
}
