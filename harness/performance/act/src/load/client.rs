//! What is asked, and one client that asks it again and again on a kept connection.

use super::{Call, Fault, Flow, Query, http::HttpClient, sql::SqlClient};

/// What is asked.
#[derive(Clone, Debug)]
pub enum Subject {
    /// An HTTP request.
    Http(Call),
    /// An SQL statement.
    Sql(Query),
    /// A workflow; it has connections of its own.
    Workflow(Flow),
}

/// One client: it asks one thing at a time.
pub(super) enum Client {
    Http(HttpClient),
    Sql(SqlClient),
    Workflow(Flow),
}

impl Client {
    pub(super) fn new(subject: &Subject) -> Self {
        match subject {
            Subject::Http(call) => Client::Http(HttpClient::new(call.clone())),
            Subject::Sql(query) => Client::Sql(SqlClient::new(query.clone())),
            Subject::Workflow(flow) => Client::Workflow(flow.clone()),
        }
    }

    /// Connects ahead of the first request; a failure shows again, and is counted, when a request is sent.
    pub(super) async fn open(&mut self) -> Result<(), Fault> {
        match self {
            Client::Http(client) => client.open().await,
            Client::Sql(client) => client.open().await,
            Client::Workflow(_) => Ok(()),
        }
    }

    /// Asks once; returns the bytes of the response.
    pub(super) async fn once(&mut self) -> Result<u64, Fault> {
        match self {
            Client::Http(client) => client.once().await,
            Client::Sql(client) => client.once().await,
            Client::Workflow(flow) => flow.once().await,
        }
    }

    /// Gives the connection up, as after a request that had no response in time.
    pub(super) fn reset(&mut self) {
        match self {
            Client::Http(client) => client.reset(),
            Client::Sql(client) => client.reset(),
            Client::Workflow(_) => {}
        }
    }
}
