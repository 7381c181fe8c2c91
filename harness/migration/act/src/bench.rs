//! The place where a chain is tried: one database that goes up step by step, and copies of it where they are needed.

use std::time::{Duration, Instant};

use stagegate_base::config::Tool;
use stagegate_migration_decide::{
    Chain, history_table,
    round_trip::{Failure, FailureCause},
};
use tokio_postgres::Client;

use super::{error::ProveError, options::Options, process::History, session::Session};
use crate::{
    recorder::Taken,
    scratch::{Database, MAINTENANCE, Scratch},
};
use stagegate_host::database::{identifier, literal};

const LEFT_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);

pub(super) struct Bench<'a> {
    pub(super) scratch: &'a Scratch,
    pub(super) options: &'a Options,
    pub(super) main: Database,
    /// For commands about databases.
    service: Client,
    pub(super) session: Option<Session<'a>>,
    /// What was read of the locks' records.
    pub(super) taken: Taken,
    history_tables: Vec<&'a str>,
    history: Option<History>,
    pub(super) tool: Tool,
    /// What the migrations so far left in the tool's session, as statements that set it again.
    pub(super) carried: String,
}

impl<'a> Bench<'a> {
    pub(super) async fn new(scratch: &'a Scratch, chain: &Chain, options: &'a Options) -> Result<Self, ProveError> {
        let main = scratch.create(None).await?;
        let service = scratch.connect(MAINTENANCE).await?;
        let made = history_table(chain);
        let history_tables = match (&options.commands, made) {
            (Some(commands), _) => commands.history_tables(),
            (None, Some(_)) => chain.tool.bookkeeping_tables().to_vec(),
            (None, None) => Vec::new(),
        };
        let (session, taken, carried) = (None, Taken::default(), String::new());
        let bench = Bench {
            scratch,
            options,
            history: history(scratch, &main, chain, options).await?,
            main,
            service,
            session,
            taken,
            history_tables,
            tool: chain.tool,
            carried,
        };
        let before = [options.before.as_str(), made.unwrap_or_default()];
        if before.iter().any(|sql| !sql.is_empty()) {
            let client = scratch.session(&bench.main).await?;
            for sql in before {
                let result = client.batch_execute(sql).await;
                result.map_err(|error| ProveError::Before(stagegate_host::database::error_text(&error)))?;
            }
        }
        if let Some(commands) = &options.commands {
            commands.prepare(scratch, &bench.main).await?;
        }
        Ok(bench)
    }

    /// Opens a session with a database of this bench.
    pub(super) async fn open(&self, database: &Database) -> Result<Session<'a>, ProveError> {
        let history = (self.history_tables.clone(), self.history.clone());
        Session::open(self.scratch, self.options, database, self.tool, history).await
    }

    /// Returns the session with the database that goes up.
    pub(super) async fn session(&mut self) -> Result<&Session<'a>, ProveError> {
        if self.session.as_ref().is_none_or(|session| session.client.is_closed()) {
            self.session = Some(self.open(&self.main).await?);
        }
        self.session.as_ref().ok_or_else(|| ProveError::Before("no session".to_owned()))
    }

    /// Makes a copy of the database as it is now; the session with it is ended, since nobody may be connected.
    pub(super) async fn copy(&mut self) -> Result<Database, ProveError> {
        self.session = None;
        if self.service.is_closed() {
            self.service = self.scratch.connect(MAINTENANCE).await?;
        }
        let count = format!("select count(*) from pg_stat_activity where datname = {}", literal(&self.main.name));
        let begun = Instant::now();
        while begun.elapsed() < LEFT_WITHIN {
            let row = self.service.query_one(&count, &[]).await;
            if row.is_ok_and(|row| row.get::<_, i64>(0) == 0) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(self.scratch.create(Some(&self.main)).await?)
    }
}

/// Returns the tool's history table where scripts can hide it: it has no schema in the tool's own configuration.
async fn history(
    scratch: &Scratch,
    main: &Database,
    chain: &Chain,
    options: &Options,
) -> Result<Option<History>, ProveError> {
    if options.history_tables.iter().any(|table| table.contains('.')) {
        return Ok(None);
    }
    Ok(History::of(&scratch.session(main).await?, chain.tool, &options.manner).await?)
}

/// Reports a session that a script ended from a server that ended with it: the former is the script's fault.
pub(super) async fn blamed(scratch: &Scratch, mut failure: Failure) -> Failure {
    let is_there = failure.why == FailureCause::ServerGone
        && scratch.has_ended().await.is_none()
        && scratch.connect(MAINTENANCE).await.is_ok();
    if is_there {
        failure.why = FailureCause::Refused;
        failure.message = format!("{}; the script ended its own session", failure.message);
    }
    failure
}

/// Returns the statements that make roles where they are not there.
#[must_use]
pub fn roles(names: &[String]) -> String {
    let one = |name: &String| {
        format!(
            "do $stagegate$ begin if not exists (select from pg_roles where rolname = {}) then create role {}; end if; \
             end $stagegate$;",
            literal(name),
            identifier(name)
        )
    };
    names.iter().map(one).collect::<Vec<_>>().join("\n")
}
