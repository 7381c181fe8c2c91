//! Looks in the copy for values of the source's sanitised columns: in rows, views, statistics and the schema itself.

use std::{collections::BTreeSet, path::Path, pin::pin};

use aho_corasick::AhoCorasick;
use futures_util::TryStreamExt;
use stagegate_base::command::postgres as command;
use stagegate_data_decide::{
    sanitize::{Found, Rule, SourceValue, encodings, is_distinctive, is_number, is_whole_number, is_word, leaves},
    sync::{Column, Table, quoted},
};
use stagegate_host::{
    database::{DATA_FACTS_SETTINGS, DatabaseError, Server, failed},
    files,
    process::Runner,
};
use tokio_postgres::Client;

use super::source::{BYTES, Snapshot, without_conversion};

/// Different values that are taken of each column, and rows that they are taken from.
const VALUES: usize = 600;
const ROWS: usize = 5_000;
/// Digits of a number that no other one has by chance.
const LONG: usize = 12;
/// What pg_statistic holds of columns; pg_stats shows it as text.
const STATISTICS: &[(&str, &str)] = &[
    (
        "statistics (pg_statistic)",
        "copy (select most_common_vals::text, histogram_bounds::text, most_common_elems::text from pg_stats \
         where schemaname not in ('pg_catalog', 'information_schema')) to stdout",
    ),
    ("extended statistics", "copy (select most_common_vals::text from pg_stats_ext) to stdout"),
];

/// Takes values of the sanitised columns from the snapshot.
pub(super) async fn needles(
    snapshot: &Snapshot,
    tables: &[Table],
    sanitised: &[(String, Rule)],
) -> Result<Vec<SourceValue>, DatabaseError> {
    let mut all = Vec::new();
    for table in tables {
        for column in table.columns.iter().filter(|column| column.is_sanitised) {
            let label = format!("{}.{}", table.label(), column.name);
            let rule = sanitised.iter().find(|(name, _)| *name == label).map(|(_, rule)| rule);
            if !is_searched_for(column, rule) {
                continue;
            }
            let name = quoted(&column.name);
            let value = if column.type_name.ends_with("[]") {
                format!("unnest({name})::text")
            } else {
                format!("{name}::text")
            };
            let sql = format!(
                "select distinct {BYTES} from (select left(s.v, 400) as v from (select {value} as v from only {} where {name} is not null limit {ROWS}) s \
                 where length(s.v) >= 6) t limit {VALUES}",
                table.sql()
            );
            let rows = snapshot.client.query(&sql, &[]).await;
            for row in rows.map_err(|e| failed(&format!("read values of {label}"), &e))? {
                // What is no text in any encoding is searched for by its parts that are.
                let value = String::from_utf8_lossy(row.get(0));
                all.extend(
                    parts(&value, rule)
                        .into_iter()
                        .flat_map(|part| part.split('\u{fffd}').map(str::to_owned).collect::<Vec<_>>())
                        .filter(|value| is_distinctive(value) && !is_constant(column, value))
                        .map(|value| SourceValue { column: label.clone(), value }),
                );
            }
        }
    }
    Ok(all)
}

/// Returns whether values of a column are searched for: days and short numbers are alike everywhere, and only a rule makes a number one
/// of a person.
fn is_searched_for(column: &Column, rule: Option<&Rule>) -> bool {
    match column.type_name.trim_end_matches("[]") {
        "date" | "timestamp" | "timestamptz" | "float4" | "float8" | "money" => false,
        "int2" | "int4" | "int8" | "numeric" => rule == Some(&Rule::Number),
        _ => true,
    }
}

/// Returns whether a value proves nothing: it is infinity, or a number that a check of its column names.
fn is_constant(column: &Column, value: &str) -> bool {
    column.is_of_numbers() && (!is_number(value) || column.checks.iter().any(|check| check.contains(value)))
}

/// Returns what must not be found of a value: of a document the strings at its paths.
fn parts(value: &str, rule: Option<&Rule>) -> Vec<String> {
    match rule {
        Some(Rule::JsonPath(paths)) => {
            let paths: Vec<_> = paths.iter().map(|(path, _)| path).collect();
            leaves(value, &paths)
        }
        // A value of bytes is shown as \x and digits; what they say is searched for as it is.
        _ => match value.strip_prefix("\\x") {
            Some(hex) => vec![hex.to_owned()],
            None => vec![value.to_owned()],
        },
    }
}

/// Finds values in bytes, in all their encodings.
pub(super) struct Matcher<'a> {
    needles: &'a [SourceValue],
    /// Which value each pattern of the automaton is a form of.
    forms: Vec<usize>,
    automaton: AhoCorasick,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(needles: &'a [SourceValue]) -> Result<Self, DatabaseError> {
        let (forms, patterns): (Vec<usize>, Vec<Vec<u8>>) = needles
            .iter()
            .enumerate()
            .flat_map(|(at, needle)| encodings(&needle.value).into_iter().map(move |form| (at, form)))
            .unzip();
        let automaton = AhoCorasick::new(&patterns)
            .map_err(|error| DatabaseError::Unexpected(format!("cannot search the copy: {error}")))?;
        Ok(Matcher { needles, forms, automaton })
    }

    fn note(&self, place: &str, bytes: &[u8], found: &mut BTreeSet<Found>) {
        for hit in self.automaton.find_overlapping_iter(bytes) {
            let needle = &self.needles[self.forms[hit.pattern().as_usize()]];
            let is_part = is_number(&needle.value)
                && bytes[hit.range()] == *needle.value.as_bytes()
                && !is_whole_number(bytes, hit.range());
            if is_part {
                continue;
            }
            found.insert(Found { place: place.to_owned(), column: needle.column.clone() });
        }
    }

    /// Searches the columns in which people write, of the rows that ` where ..` selects.
    pub(super) async fn table(
        &self,
        client: &Client,
        (table, filter): (&Table, &str),
        not_searched: &[String],
        found: &mut BTreeSet<Found>,
    ) -> Result<(), DatabaseError> {
        let label = table.label();
        let searched = |name: &str| !table.labels().any(|label| not_searched.contains(&format!("{label}.{name}")));
        let columns = table.columns.iter().filter(|column| {
            (column.is_free_text || column.is_sanitised && !column.is_of_numbers()) && searched(&column.name)
        });
        let names: Vec<String> = columns.map(|column| quoted(&column.name)).collect();
        if names.is_empty() {
            return Ok(());
        }
        let sql = format!("copy (select {} from only {}{filter}) to stdout", names.join(", "), table.sql());
        through(client, &sql, |bytes| self.note(&format!("table {label}"), bytes, found)).await
    }
}

/// The copy that is searched.
pub(super) struct Search<'a> {
    pub(super) server: &'a Server,
    pub(super) database: &'a str,
    pub(super) tables: &'a [Table],
    pub(super) not_searched: &'a [String],
}

impl Search<'_> {
    /// Returns where the copy holds one of `needles`.
    pub(super) async fn run(
        &self,
        needles: &[SourceValue],
        runner: &Runner,
        schema: &Path,
    ) -> Result<Vec<Found>, DatabaseError> {
        let (matcher, mut found) = (Matcher::new(needles)?, BTreeSet::new());
        let phrases: Vec<SourceValue> = needles.iter().filter(|one| !is_word(&one.value)).cloned().collect();
        Matcher::new(&phrases)?.note("the schema", &self.schema(runner, schema).await?, &mut found);
        let client = self.server.connect(self.database).await?;
        client.batch_execute(DATA_FACTS_SETTINGS).await.map_err(|e| failed("fix the settings of a session", &e))?;
        without_conversion(&client).await?;
        for table in self.tables {
            matcher.table(&client, (table, ""), self.not_searched, &mut found).await?;
        }
        // Replacements of numbers are numbers too, and what is computed from them holds many: only a long one is none by chance.
        let long: Vec<SourceValue> =
            needles.iter().filter(|one| !is_number(&one.value) || one.value.len() >= LONG).cloned().collect();
        let matcher = Matcher::new(&long)?;
        for (place, sql) in self.computed(&client).await? {
            through(&client, &sql, |bytes| matcher.note(&place, bytes, &mut found)).await?;
        }
        Ok(found.into_iter().collect())
    }

    /// Returns materialized views, computed columns and statistics, each with the statement that reads them.
    async fn computed(&self, client: &Client) -> Result<Vec<(String, String)>, DatabaseError> {
        let sql = "select format('materialized view %I.%I', n.nspname, c.relname), \
                          format('copy (select * from %I.%I) to stdout', n.nspname, c.relname) \
                   from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'm' and c.relispopulated \
                   union all \
                   select format('computed columns of %I.%I', n.nspname, c.relname), \
                          format('copy (select %s from only %I.%I) to stdout', \
                                 string_agg(quote_ident(a.attname), ', '), n.nspname, c.relname) \
                   from pg_attribute a join pg_class c on c.oid = a.attrelid and c.relkind = 'r' \
                   join pg_namespace n on n.oid = c.relnamespace \
                   where a.attgenerated <> '' and not a.attisdropped group by n.nspname, c.relname";
        let rows = client.query(sql, &[]).await.map_err(|e| failed("list what is computed", &e))?;
        let computed = rows.iter().map(|row| (row.get(0), row.get(1)));
        let statistics = STATISTICS.iter().map(|(place, sql)| ((*place).to_owned(), (*sql).to_owned()));
        Ok(computed.chain(statistics).collect())
    }

    async fn schema(&self, runner: &Runner, path: &Path) -> Result<Vec<u8>, DatabaseError> {
        let what = || format!("read the schema of database `{}`", self.database);
        let file_error = |source| DatabaseError::File { what: what(), source };
        let file = files::private_file(path).map_err(file_error)?;
        let dump = command::schema_text(self.server.inside(), self.database);
        let dumped = runner.run_to_file(&dump, std::time::Duration::from_secs(600), file).await;
        dumped.map_err(|source| DatabaseError::Program { what: what(), source })?;
        std::fs::read(path).map_err(file_error)
    }
}

/// Hands each row of a COPY to `sink`.
async fn through(client: &Client, sql: &str, mut sink: impl FnMut(&[u8])) -> Result<(), DatabaseError> {
    let refused = |e| failed("search the copy", &e);
    let stream = client.copy_out(sql).await.map_err(refused)?;
    let mut stream = pin!(stream);
    while let Some(row) = stream.try_next().await.map_err(refused)? {
        sink(&row);
    }
    Ok(())
}
