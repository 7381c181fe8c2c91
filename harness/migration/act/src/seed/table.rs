//! One table: all rows at once, and where the server refuses, one by one and in other ways.

use std::collections::BTreeSet;

use stagegate_migration_decide::seed::{Attempt, Name, NoRow, Ordered, Refusal, Values, insert, row};
use tokio_postgres::error::SqlState;

use super::{Run, Unfilled, rows, values};
use stagegate_host::database::{DatabaseError, error_text, failed};

/// Attempts for a row that is not the first: what the first one took mostly serves.
const LATER_ATTEMPTS: usize = 24;

/// What became of one row.
enum Put {
    In(Values, String),
    Refused(Refusal),
}

impl Run<'_> {
    /// Fills a table and returns where its rows are: `ctid` and `tableoid`.
    pub(super) async fn table(&mut self, turn: &Ordered) -> Result<Vec<String>, DatabaseError> {
        let (found, reason) = match self.at_once(turn).await? {
            Some(found) => (found, None),
            None => self.one_by_one(turn).await?,
        };
        if let Some(reason) = reason.filter(|_| found.is_empty()) {
            self.filled.unfilled.push(Unfilled { table: turn.table.clone(), reason });
            return Ok(Vec::new());
        }
        let (values, places): (Vec<Values>, Vec<String>) = found.into_iter().unzip();
        self.filled.rows.insert(turn.table.clone(), values.len());
        self.count_on(turn, &values).await?;
        self.known.insert(turn.table.clone(), values);
        Ok(places)
    }

    async fn at_once(&self, turn: &Ordered) -> Result<Option<Vec<(Values, String)>>, DatabaseError> {
        let mut sql = "savepoint stagegate_row".to_owned();
        for number in 0..self.plan.rows {
            let Ok(values) = self.row(turn, number, &Attempt::default()) else { return Ok(None) };
            sql.push_str("; ");
            sql.push_str(&insert(&turn.table, &values));
        }
        sql.push_str("; release savepoint stagegate_row");
        match self.client.simple_query(&sql).await {
            Ok(messages) => {
                let found: Vec<_> = rows(&messages).map(placed).collect();
                Ok((!found.is_empty()).then_some(found))
            }
            Err(error) => {
                self.undo_row(&error).await?;
                Ok(None)
            }
        }
    }

    /// Returns the rows that are in, and why the first one that is not was refused last.
    async fn one_by_one(&self, turn: &Ordered) -> Result<(Vec<(Values, String)>, Option<String>), DatabaseError> {
        let table = &self.schema.tables[&turn.table];
        let (mut found, mut learned) = (Vec::new(), Attempt::default());
        for number in 0..self.plan.rows {
            let mut attempt = learned.clone();
            let mut tries = 0;
            loop {
                let values = match self.row(turn, number, &attempt) {
                    Ok(values) => values,
                    Err(error) => return Ok((found, Some(error.to_string()))),
                };
                match self.put(turn, &values).await? {
                    Put::In(values, place) => {
                        found.push((values, place));
                        learned = attempt.rested();
                        break;
                    }
                    Put::Refused(refusal) => {
                        tries += 1;
                        let next = attempt.after(&refusal, self.schema, table);
                        let is_over = number > 0 && tries > LATER_ATTEMPTS;
                        let Some(next) = next.filter(|_| !is_over) else {
                            let tried = if tries > 1 { format!(" ({tries} rows tried)") } else { String::new() };
                            return Ok((found, Some(refusal.message + &tried)));
                        };
                        attempt = next;
                    }
                }
            }
        }
        Ok((found, None))
    }

    fn row(&self, turn: &Ordered, number: usize, attempt: &Attempt) -> Result<Values, NoRow> {
        row(self.schema, turn, (self.plan.seed, number), attempt, &self.known)
    }

    async fn put(&self, turn: &Ordered, values: &Values) -> Result<Put, DatabaseError> {
        let sql = format!("savepoint stagegate_row; {}; release savepoint stagegate_row", insert(&turn.table, values));
        match self.client.simple_query(&sql).await {
            Ok(messages) => Ok(match rows(&messages).next() {
                Some(row) => {
                    let (values, place) = placed(row);
                    Put::In(values, place)
                }
                None => Put::Refused(Refusal {
                    message: "a trigger or rule removed the row".to_owned(),
                    ..Refusal::default()
                }),
            }),
            Err(error) => {
                self.undo_row(&error).await?;
                Ok(Put::Refused(refusal(&error)))
            }
        }
    }

    /// Sets sequences behind the values that were written in their place.
    async fn count_on(&self, turn: &Ordered, found: &[Values]) -> Result<(), DatabaseError> {
        let table = &self.schema.tables[&turn.table];
        let made = self.row(turn, 0, &Attempt::default()).unwrap_or_default();
        let explicit: BTreeSet<&String> = made.keys().collect();
        for column in table.columns.iter().filter(|column| column.is_counted && explicit.contains(&column.name)) {
            let greatest = found.iter().filter_map(|row| row.get(&column.name)?.as_ref()?.parse::<i64>().ok()).max();
            let Some(greatest) = greatest else { continue };
            let sql = "select pg_catalog.setval(pg_catalog.pg_get_serial_sequence($1, $2)::regclass, $3) \
                       where pg_catalog.pg_get_serial_sequence($1, $2) is not null";
            let what = || format!("set the sequence of {}.{}", turn.table, column.name);
            self.client.query(sql, &[&turn.table, &column.name, &greatest]).await.map_err(|e| failed(&what(), &e))?;
        }
        Ok(())
    }
}

fn placed(row: &tokio_postgres::SimpleQueryRow) -> (Values, String) {
    (values(row, 1), row.get(0).unwrap_or_default().to_owned())
}

fn refusal(error: &tokio_postgres::Error) -> Refusal {
    let server = error.as_db_error();
    Refusal {
        code: error.code().map(SqlState::code).unwrap_or_default().to_owned(),
        constraint: server.and_then(|error| error.constraint()).map(str::to_owned),
        column: server.and_then(|error| error.column()).map(str::to_owned),
        message: error_text(error),
    }
}

/// Returns the table that an error is about.
pub(super) fn blamed(error: &tokio_postgres::Error) -> Option<Name> {
    let server = error.as_db_error()?;
    let quoted = |name: &str| {
        let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
    };
    Some(format!("{}.{}", quoted(server.schema()?), quoted(server.table()?)))
}
