//! One kept connection to PostgreSQL that runs one prepared statement.

use std::sync::Arc;

use tokio_postgres::{SimpleQueryMessage, Statement};

use super::{Aim, Fault};
use stagegate_host::{probe::postgres::Login, tls::Tls};

/// An SQL statement, and who runs it where.
#[derive(Clone, Debug)]
pub struct Query {
    pub(super) aim: Aim,
    pub(super) login: Arc<Login>,
    pub(super) statement: Arc<str>,
}

impl Query {
    /// Makes a query; it is prepared once for each connection, and its rows are read and thrown away.
    #[must_use]
    pub fn new(aim: &Aim, login: &Login, statement: &str) -> Self {
        Query { aim: *aim, login: Arc::new(login.clone()), statement: statement.into() }
    }
}

/// One session.
pub(super) struct SqlClient {
    query: Query,
    session: Option<Session>,
}

struct Session {
    client: tokio_postgres::Client,
    statement: Option<Statement>,
    connection: tokio::task::JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl SqlClient {
    pub(super) fn new(query: Query) -> Self {
        SqlClient { query, session: None }
    }

    pub(super) async fn open(&mut self) -> Result<(), Fault> {
        if self.session.is_some() {
            return Ok(());
        }
        let login = &self.query.login;
        let mut config = tokio_postgres::Config::new();
        config.user(&login.user).dbname(&login.database).application_name("stagegate load");
        if let Some(password) = &login.password {
            config.password(password.expose());
        }
        let tls = Tls::of(login.authority.as_ref()).map_err(|_| Fault::NoConnection)?;
        config.ssl_mode(tls.mode());
        let (client, connection) = loop {
            let stream = tokio::net::TcpStream::connect(self.query.aim.address()).await;
            let stream = stream.map_err(|e| Fault::connecting(&e))?;
            stream.set_nodelay(true).map_err(|e| Fault::speaking(&e))?;
            match config.connect_raw(stream, tls.clone()).await {
                Ok(session) => break session,
                Err(error) => drop(config.ssl_mode(tls.fallback(&error).ok_or_else(|| fault(&error))?)),
            }
        };
        let connection = tokio::spawn(async move { drop(connection.await) });
        // Several statements, or one that cannot be prepared, are sent as they are.
        let statement = client.prepare(&self.query.statement).await.ok();
        self.session = Some(Session { client, statement, connection });
        Ok(())
    }

    pub(super) fn reset(&mut self) {
        self.session = None;
    }

    pub(super) async fn once(&mut self) -> Result<u64, Fault> {
        self.open().await?;
        let Some(session) = &self.session else { return Err(Fault::NoConnection) };
        let answered = match &session.statement {
            Some(statement) => session.prepared(statement).await,
            None => session.plain(&self.query.statement).await,
        };
        answered.map_err(|error| {
            if error.is_closed() || error.as_db_error().is_none() {
                self.reset();
            }
            fault(&error)
        })
    }
}

impl Session {
    async fn prepared(&self, statement: &Statement) -> Result<u64, tokio_postgres::Error> {
        let rows = self.client.query(statement, &[]).await?;
        Ok(rows.iter().map(|row| row.raw_size_bytes() as u64).sum())
    }

    async fn plain(&self, text: &str) -> Result<u64, tokio_postgres::Error> {
        let messages = self.client.simple_query(text).await?;
        let size = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => {
                (0..row.len()).filter_map(|i| row.get(i)).map(str::len).sum::<usize>() as u64
            }
            _ => 0,
        };
        Ok(messages.iter().map(size).sum())
    }
}

fn fault(error: &tokio_postgres::Error) -> Fault {
    if let Some(code) = error.code() {
        let mut text = [b'?'; 5];
        text.iter_mut().zip(code.code().bytes()).for_each(|(to, from)| *to = from);
        return Fault::Sql(text);
    }
    if error.is_closed() { Fault::Closed } else { Fault::Broken }
}
