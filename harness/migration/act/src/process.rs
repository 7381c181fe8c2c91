//! The process of a tool that runs a script: what it finds in its session, and how it records the script afterwards.

use stagegate_base::config::Tool;
use stagegate_migration_decide::{Script, SessionHabits, round_trip::Failure};
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use super::session_options::{SessionOptions, fresh};
use stagegate_host::database::{DatabaseError, failed, literal};

/// How a script is run by the tool's process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process<'a> {
    pub(super) manner: &'a SessionOptions,
    /// The tool's history table, where a script can hide it from the tool.
    pub(super) history: Option<&'a History>,
    /// The tool whose process it is.
    pub(super) tool: Tool,
    /// Statements that set what earlier migrations of the same run set.
    pub(super) carried: &'a str,
}

/// A history table that its tool finds by the search path that a script leaves.
#[derive(Clone, Debug)]
pub(super) struct History {
    tool: Tool,
    table: String,
    question: String,
}

impl History {
    /// Returns the history table of a tool, before its first migration; `None` where no script can hide it.
    pub(super) async fn of(
        client: &Client,
        tool: Tool,
        manner: &SessionOptions,
    ) -> Result<Option<Self>, DatabaseError> {
        let habits = SessionHabits::of(tool);
        let Some(name) = tool.bookkeeping_tables().first().filter(|_| habits.finds_history("''").is_some()) else {
            return Ok(None);
        };
        let refused = |e| failed("find the schema of the history table", &e);
        fresh(client, manner).await.map_err(refused)?;
        let messages = client.simple_query("select current_schema()").await.map_err(refused)?;
        let Some(home) = rows(&messages).next().and_then(|row| row.get(0)) else { return Ok(None) };
        Ok(habits.finds_history(&literal(home)).map(|condition| History {
            tool,
            table: format!("{home}.{name}"),
            question: format!("select {condition}, pg_catalog.current_setting('search_path')"),
        }))
    }

    /// Records a script that succeeded: refuses it where the tool would not find its table now.
    // Source: PostgreSQL manual, appendix A: 42P01, undefined_table.
    pub(super) async fn record(&self, client: &Client, script: &Script) -> Result<(), Failure> {
        // A transaction that the script left broken is reported by its end.
        let Ok(messages) = client.simple_query(&self.question).await else { return Ok(()) };
        let Some(path) = rows(&messages).find(|row| row.get(0) == Some("f")).map(|row| row.get(1).unwrap_or_default())
        else {
            return Ok(());
        };
        let sets_path = |text: &str| text.to_lowercase().contains("search_path");
        let named = script.statements.iter().rev().find(|statement| sets_path(script.text_of(statement)));
        let (tool, table) = (self.tool, &self.table);
        let left = if path.is_empty() { "search_path empty".to_owned() } else { format!("search_path = `{path}`") };
        let message = format!(
            "{tool} does not find its history table {table} after the script, which leaves {left}; end the script with \
             `reset search_path`, or set `history_tables` if the tool's configuration names the table with its schema"
        );
        Err(Failure::of(script, named.or_else(|| script.statements.last()), Some("42P01"), &message))
    }
}

pub(super) fn rows(messages: &[SimpleQueryMessage]) -> impl Iterator<Item = &SimpleQueryRow> {
    messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })
}
