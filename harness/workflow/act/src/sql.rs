//! SQL steps: one statement in one transaction, its rows as JSON.

use std::{
    error::Error,
    fmt,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use serde_json::{Value, json};
use stagegate_workflow_decide::{Observed, STEP_WITHIN, StepRequest};
use tokio_postgres::{
    Client, Statement,
    types::{Format, IsNull, ToSql, Type, to_sql_checked},
};

use super::result::{StepError, StepResult};
use stagegate_host::{
    database::{Server, error_text},
    engine::Engine,
    error::with_causes,
    http::BODY_CAP,
    project::Project,
};

/// How many rows are read.
const ROWS: usize = 1_000;

/// A parameter in text form: the server reads it as the type that the statement needs there.
struct Parameter(Option<String>);

impl Parameter {
    fn of(value: &Value) -> Self {
        Parameter(match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        })
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// Makes a session with a configured database.
pub(super) async fn connect(project: &Project, engine: &Engine, database: &str) -> Result<Client, StepError> {
    let configured = project.config.databases.get(database);
    let configured =
        configured.ok_or_else(|| StepError::Broken(format!("database `{database}` is not in stagegate.toml")))?;
    let server = Server::of(project, engine, configured, "stagegate workflows").await;
    let client = async { server?.connect(&configured.name).await }.await;
    client.map_err(|error| StepError::Failed(with_causes(&error)))
}

pub(super) async fn run(client: &Client, request: &StepRequest) -> Result<StepResult, StepError> {
    let StepRequest::Sql { query, params, read_only, .. } = request else {
        return Err(StepError::Broken("not an SQL step".to_owned()));
    };
    let begun = Instant::now();
    let begin = if *read_only { "begin read only" } else { "begin" };
    let limit = format!("{begin}; set local statement_timeout = {}", STEP_WITHIN.as_millis());
    client.batch_execute(&limit).await.map_err(step_error)?;
    match tokio::time::timeout(STEP_WITHIN + Duration::from_secs(1), response(client, query, params)).await {
        Ok(Ok(value)) => {
            client.batch_execute("commit").await.map_err(step_error)?;
            Ok(Observed::of_value(value, begun.elapsed()).into())
        }
        // The caller gives the session up with the error, and the server rolls back.
        Ok(Err(error)) => Err(error),
        Err(_) => Err(StepError::Failed(format!("the database did not respond within {} s", STEP_WITHIN.as_secs()))),
    }
}

async fn response(client: &Client, query: &str, params: &[Value]) -> Result<Value, StepError> {
    let query = query.trim().trim_end_matches(';');
    let requested = client.prepare(query).await.map_err(step_error)?;
    let given: Vec<Parameter> = params.iter().map(Parameter::of).collect();
    if requested.params().len() != given.len() {
        let (wanted, found) = (requested.params().len(), given.len());
        return Err(StepError::Broken(format!(
            "the statement has {wanted} parameters, and `params` has {found} values"
        )));
    }
    let given: Vec<&(dyn ToSql + Sync)> = given.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    if requested.columns().is_empty() {
        let affected = client.execute(&requested, &given).await.map_err(step_error)?;
        return Ok(json!({ "affected": affected }));
    }
    let rows = rows(client, query, &requested).await?;
    let row = client.query_one(&rows, &given).await.map_err(step_error)?;
    let text: &str = row.try_get(0).map_err(step_error)?;
    if text.len() > BODY_CAP {
        return Err(StepError::Failed(format!(
            "the rows are longer than {BODY_CAP} bytes; select fewer rows or columns"
        )));
    }
    serde_json::from_str(text).map_err(|error| StepError::Broken(format!("the rows are not valid JSON: {error}")))
}

/// Lets the server write the rows as JSON, so that every type has a text form here.
async fn rows(client: &Client, query: &str, requested: &Statement) -> Result<Statement, StepError> {
    // A line end, since the statement may end in a comment. One byte more than is taken tells that there was more.
    let sql = format!(
        "with stagegate_rows as (\n{query}\n) select left(coalesce(json_agg(r), '[]')::text, {}) \
         from (select * from stagegate_rows limit {ROWS}) r",
        BODY_CAP + 1
    );
    client.prepare_typed(&sql, requested.params()).await.map_err(step_error)
}

fn step_error(error: tokio_postgres::Error) -> StepError {
    let text = error_text(&error);
    match error.code().map(|code| code.code()) {
        // Source: PostgreSQL manual, appendix A, class 42: syntax error or access rule violation.
        Some("42601") => StepError::Broken(format!("the server rejects the statement: {text}")),
        _ => StepError::Failed(text),
    }
}
