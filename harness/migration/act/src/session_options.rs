//! How scripts are run, and what makes a session as new for one.

use std::time::Duration;

use tokio_postgres::{Client, Error};

use stagegate_host::database::literal;

/// How scripts are run.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// How long one statement may take.
    pub statement_within: Duration,
    /// The search path of the product's sessions; the server's own where `None`.
    pub search_path: Option<String>,
}

/// What a new process would not find in its session: the role, settings, cursors, temporary objects, the last values of
/// sequences, locks and prepared statements of a script. The catalog's own statements are prepared by the protocol, and
/// stay; their plans too, since no script sees them.
// Source: PostgreSQL manual, DISCARD: these are the parts of DISCARD ALL, which no transaction takes.
const AS_NEW: &str = "reset session authorization; reset role; reset all; close all; unlisten *; discard temp; \
     discard sequences; select pg_catalog.pg_advisory_unlock_all(); \
     do $stagegate$ declare one text; begin \
     for one in select name from pg_catalog.pg_prepared_statements where from_sql loop \
     execute pg_catalog.format('deallocate %I', one); end loop; end $stagegate$";

impl SessionOptions {
    /// Returns the statements that make a session as new: what an earlier script left in it is gone.
    fn fresh(&self) -> String {
        let limit = self.statement_within.as_millis();
        let path = self.search_path.as_ref().map(|path| {
            let schemas: Vec<String> = path.split(',').map(|part| literal(part.trim())).collect();
            format!("; set search_path = {}", schemas.join(", "))
        });
        format!(
            "{AS_NEW}; set client_min_messages = error; set statement_timeout = {limit}{}",
            path.unwrap_or_default()
        )
    }
}

/// Makes the session as new; inside of a transaction too.
pub(super) async fn fresh(client: &Client, manner: &SessionOptions) -> Result<(), Error> {
    client.batch_execute(&manner.fresh()).await
}
