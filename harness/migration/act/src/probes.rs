//! Probes that read and write a migration's tables while it goes up.

use std::collections::BTreeSet;

use stagegate_migration_decide::{
    Migration,
    locks::Request,
    schema::{Facts, Kind},
};

use super::{bench::Bench, error::ProveError};
use crate::recorder::{ABSENT, Probe};

/// The tables that are probed at most: more would be asked too seldom each.
const MOST: usize = 12;
/// The name of the probes' sessions.
const NAME: &str = "set application_name = 'stagegate/probe'";

impl Bench<'_> {
    /// Starts probes on the tables that a migration names; none where it names none that is there.
    pub(super) async fn probe(&mut self, migration: &Migration, before: &Facts) -> Result<Option<Probe>, ProveError> {
        let tables = named(migration, before);
        if tables.is_empty() {
            return Ok(None);
        }
        let (reader, writer) =
            futures_util::try_join!(self.scratch.session(&self.main), self.scratch.session(&self.main))?;
        for client in [&reader, &writer] {
            client
                .batch_execute(NAME)
                .await
                .map_err(|e| stagegate_host::database::failed("name a probe's session", &e))?;
        }
        Ok(Some(Probe::start(vec![reader, writer], &tables)))
    }
}

/// Returns the requests that tell of locks: that a table is gone is reported by the statement that dropped it.
pub(super) fn completed(mut requests: Vec<Request>) -> Vec<Request> {
    requests.retain(|request| request.error.as_deref() != Some(ABSENT));
    requests
}

/// Returns the tables that the way up names; all of them where commands take it.
fn named(migration: &Migration, before: &Facts) -> Vec<String> {
    let text = migration.up.text.to_lowercase();
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let is_named = |table: &str| {
        let bare = table.rsplit('.').next().unwrap_or(table).trim_matches('"').to_lowercase();
        migration.up.step.is_some() || words.contains(bare.as_str())
    };
    let tables = before.iter().filter(|fact| fact.id.kind == Kind::Table).map(|fact| fact.id.name.clone());
    tables.filter(|table| is_named(table)).take(MOST).collect()
}
