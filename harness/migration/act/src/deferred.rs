//! When deferrable constraints are checked, in a transaction that stands for several ones.
//!
//! Each constraint is named: `SET CONSTRAINTS ALL` would hold for those too that a later statement of the transaction
//! creates.
// Source: PostgreSQL manual, SET CONSTRAINTS: it holds until the end of the transaction, and IMMEDIATE checks at once.

use tokio_postgres::{Client, Error};

/// Returns a block that gives the settings their names: `every` are all constraints, `late` those that are deferred by
/// default.
fn block(settings: &str) -> String {
    format!(
        "do $stagegate$ declare every text; late text; begin \
         select string_agg(format('%I.%I', n.nspname, c.conname), ', '), \
                string_agg(format('%I.%I', n.nspname, c.conname), ', ') filter (where c.condeferred) into every, late \
         from pg_catalog.pg_constraint c join pg_catalog.pg_namespace n on n.oid = c.connamespace \
         where c.condeferrable and c.conparentid = 0; \
         if every is not null then execute 'set constraints ' || every || ' {settings}'; end if; \
         if late is not null and '{settings}' = 'immediate' then \
             execute 'set constraints ' || late || ' deferred'; end if; end $stagegate$"
    )
}

/// Checks what a commit would check, then gives each constraint its default again, as a new transaction would.
///
/// # Errors
/// The violation of the first constraint that does not hold.
pub(crate) async fn check(client: &Client) -> Result<(), Error> {
    client.batch_execute(&block("immediate")).await
}

/// Defers all that can be deferred.
///
/// # Errors
/// What the server refused.
pub(crate) async fn defer(client: &Client) -> Result<(), Error> {
    client.batch_execute(&block("deferred")).await
}
