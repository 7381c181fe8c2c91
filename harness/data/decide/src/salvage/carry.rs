//! The statements that write kept rows into the live database, and what became of them.

use serde::Serialize;
use stagegate_base::text::counted;

use super::{ColumnOf, Pair, literal, quoted};

impl Pair {
    /// Returns the statement that makes the temporary table `number` for rows that are carried, and the COPY that fills it.
    #[must_use]
    pub fn stage(&self, number: usize) -> (String, String) {
        let names: Vec<String> = (0..self.columns.len()).map(|at| format!("v{at}")).collect();
        let stage = stage(number);
        let make = format!(
            "create temporary table {stage} (n bigint generated always as identity primary key, {} text) on commit drop",
            names.join(" text, ")
        );
        (make, format!("copy pg_temp.{stage} ({}) from stdin", names.join(", ")))
    }

    /// Returns the statement that writes the staged rows `$1` to `$2` into the live table.
    #[must_use]
    pub fn carry(&self, number: usize) -> String {
        let values = self.values(|at, column| format!("v{at}::{}", column.map_or("text", |column| &column.declared)));
        format!(
            "insert into {} ({}) overriding system value select {} from pg_temp.{} where n between $1 and $2 and not ({}) \
             order by n",
            self.target(),
            self.list(),
            values.join(", "),
            stage(number),
            self.shortened()
        )
    }

    /// Returns the statement that counts those of the staged rows `$1` to `$2` that the live table could take only in part.
    #[must_use]
    pub fn count_shortened(&self, number: usize) -> String {
        format!("select count(*) from pg_temp.{} where n between $1 and $2 and ({})", stage(number), self.shortened())
    }

    /// Returns the condition under which the type of a live column would cut a value or round it, which PostgreSQL does without an
    /// error where a type is written out.
    fn shortened(&self) -> String {
        let one = |at: usize, column: Option<&ColumnOf>| {
            let column = column.filter(|column| column.declared != column.unlimited)?;
            Some(format!("v{at}::{} is distinct from v{at}::{}", column.unlimited, column.declared))
        };
        let all: Vec<String> = self.values(one).into_iter().flatten().collect();
        if all.is_empty() { "false".to_owned() } else { all.join(" or ") }
    }

    /// Returns what `of` makes of each column, its number and what the live table has of it.
    fn values<T>(&self, of: impl Fn(usize, Option<&ColumnOf>) -> T) -> Vec<T> {
        let live = &self.live.as_ref().unwrap_or(&self.kept).columns;
        let columns = self.columns.iter().enumerate();
        columns.map(|(at, name)| of(at, live.iter().find(|column| column.name == *name))).collect()
    }

    /// Returns the statements that move the live table's sequences behind the highest number that is in it.
    #[must_use]
    pub fn sequences(&self) -> Vec<String> {
        let numbered = self.live.iter().flat_map(|live| &live.columns);
        let one = |(name, sequence): (&String, &String)| {
            let (column, target) = (quoted(name), self.target());
            format!(
                "select pg_catalog.setval({0}::regclass, m) from (select max({column})::int8 as m from {target}) t, \
                 (select last_value as at, is_called from {sequence}) s where m > s.at or (m = s.at and not s.is_called)",
                literal(sequence)
            )
        };
        let named = numbered.filter_map(|column| column.sequence.as_ref().map(|sequence| (&column.name, sequence)));
        named.filter(|(name, _)| self.columns.contains(name)).map(one).collect()
    }

    /// Returns why rows of the table cannot be written into the live one at all.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let Some(live) = &self.live else { return Some("the live database has no such table".to_owned()) };
        if self.columns.is_empty() {
            return Some("the live table has none of its columns".to_owned());
        }
        let missing = live.columns.iter().find(|column| column.is_needed && !self.columns.contains(&column.name))?;
        Some(format!(
            "column `{}` of the live table needs a value, and the kept table has no such column",
            missing.name
        ))
    }
}

/// A row, or rows, that PostgreSQL did not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// How many rows.
    pub rows: u64,
    /// What it reported.
    pub reason: String,
}

/// What became of the rows of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CarryResult {
    /// `schema.name`.
    pub table: String,
    /// Rows that are in the live table now.
    pub rows: u64,
    /// Rows that stay in the kept database, by reason.
    pub refused: Vec<Refused>,
}

impl CarryResult {
    /// Adds rows that were refused, to those with the same reason where there are some.
    pub fn refuse(&mut self, rows: u64, reason: &str) {
        match self.refused.iter_mut().find(|refused| refused.reason == reason) {
            Some(refused) => refused.rows += rows,
            None => self.refused.push(Refused { rows, reason: reason.to_owned() }),
        }
    }

    /// Returns how many rows stay in the kept database.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.refused.iter().map(|refused| refused.rows).sum()
    }

    /// Returns the sentence that reports it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}: {} carried", self.table, counted(self.rows, "row"));
        for refused in &self.refused {
            text.push_str(&format!("; {} not: {}", counted(refused.rows, "row"), refused.reason));
        }
        text
    }
}

fn stage(number: usize) -> String {
    format!("stagegate_stage_{number}")
}
