//! Rows that are in a database which was put aside, and not in the live one: which they are, and the SQL that reads them and
//! writes them where they are missing.
//!
//! Both sides give a hash of each row's key and one of its contents, in the order of the keys' hashes; [`step`] walks along both
//! at once. Contents are compared over the columns that both sides have. A table without a key is a bag of rows.

mod carry;

use serde::Serialize;

pub use carry::{CarryResult, Refused};

/// The temporary table, in the session of the kept database, that holds hashes of rows and what they are.
pub const ROWS: &str = "pg_temp.stagegate_rows";
/// How many refused rows of a table are tried one by one; beyond that the rest of a table is left where it is.
pub const REFUSED_UP_TO: usize = 1_000;
/// PostgreSQL's code of a row that refers to one that is not there: it may come later.
// Source: PostgreSQL manual, appendix A.
pub const FOREIGN_KEY: &str = "23503";

/// A table of one of the two databases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns but generated ones.
    pub columns: Vec<ColumnOf>,
    /// The columns of its primary key, or of another unique index that holds no nulls; empty where it has neither.
    pub key: Vec<String>,
    /// Triggers that an insert fires.
    pub triggers: Vec<String>,
    /// Its foreign keys.
    pub references: Vec<Reference>,
    /// Whether it is partitioned: its rows are in its partitions.
    pub is_partitioned: bool,
    /// Whether it is the history table of a migration tool: it states which schema its own database has.
    pub is_history: bool,
}

/// A foreign key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// The table that it refers to, as `schema.name`.
    pub to: String,
    /// Its own columns.
    pub columns: Vec<String>,
    /// The columns that they are equal to, in the same order.
    pub to_columns: Vec<String>,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnOf {
    /// Its name.
    pub name: String,
    /// Its type, as it is declared.
    pub declared: String,
    /// The same type without a limit of its length or precision, such as `numeric` for `numeric(5,2)` or for a domain over it.
    pub unlimited: String,
    /// Whether it has to have a value and has no default.
    pub is_needed: bool,
    /// The sequence that numbers it, quoted.
    pub sequence: Option<String>,
}

impl Relation {
    /// Returns `schema.name`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// A table that somebody named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the kept database has no table `{0}`; `gate salvage RUN` without --table lists those that differ")]
pub struct NoTable(pub String);

/// A table of the kept database next to its namesake in the live one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The kept table.
    pub kept: Relation,
    /// The live one; `None` where it has none.
    pub live: Option<Relation>,
    /// Columns of both; all of the kept one where there is no live one.
    pub columns: Vec<String>,
    /// The live table's key, where both have its columns.
    pub key: Vec<String>,
}

/// Returns the tables of the kept database, those that others refer to first, each with its namesake.
///
/// `wanted` are tables, as `schema.name` or `name`; all but history tables where it is empty: a row carried from
/// there would state that the live schema has a migration that it does not have.
///
/// # Errors
/// The first of `wanted` that the kept database does not have.
pub fn pairs(kept: &[Relation], live: &[Relation], wanted: &[String]) -> Result<Vec<Pair>, NoTable> {
    let is = |relation: &Relation, name: &str| relation.label() == name || relation.name == name;
    if let Some(missing) = wanted.iter().find(|name| !kept.iter().any(|relation| is(relation, name))) {
        return Err(NoTable(missing.clone()));
    }
    let is_wanted = |relation: &&Relation| match wanted {
        [] => !relation.is_history,
        _ => wanted.iter().any(|name| is(relation, name)),
    };
    let of = |kept: &Relation| {
        let twin = live.iter().find(|live| live.label() == kept.label()).cloned();
        let names = |relation: &Relation| relation.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        let (mut columns, mut key) = (names(kept), kept.key.clone());
        if let Some(live) = &twin {
            let of_live = names(live);
            columns.retain(|column| of_live.contains(column));
            let has_key = live.key.iter().all(|column| columns.contains(column));
            key = if has_key { live.key.clone() } else { Vec::new() };
        }
        Pair { kept: kept.clone(), live: twin, columns, key }
    };
    Ok(by_reference(kept.iter().filter(is_wanted).map(of).collect()))
}

/// Orders tables so that one comes after those that it refers to; in a circle the order is that of the names.
fn by_reference(mut pairs: Vec<Pair>) -> Vec<Pair> {
    pairs.sort_by_key(|pair| pair.kept.label());
    let mut ordered: Vec<Pair> = Vec::new();
    while !pairs.is_empty() {
        let waits = |pair: &Pair| {
            let refers_to = pair.live.as_ref().unwrap_or(&pair.kept).references.iter();
            let label = pair.kept.label();
            refers_to.filter(|key| key.to != label).any(|key| pairs.iter().any(|other| other.kept.label() == key.to))
        };
        let free = pairs.iter().position(|pair| !waits(pair)).unwrap_or(0);
        ordered.push(pairs.remove(free));
    }
    ordered
}

/// Where rows are read: the kept database or the live one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The database that was put aside.
    Kept,
    /// The live one.
    Live,
}

impl Pair {
    /// Returns the statement that gives two texts for each row, the hash of its key and that of its contents, in the order
    /// of the first.
    #[must_use]
    pub fn hashes(&self, side: Side) -> String {
        format!("select h, c from {} hashed order by h collate \"C\"", self.hashed(side, ""))
    }

    /// The rows of one side with their hashes as `h` and `c`; `more` are columns that are taken along.
    fn hashed(&self, side: Side, more: &str) -> String {
        let relation = if side == Side::Kept { &self.kept } else { self.live.as_ref().unwrap_or(&self.kept) };
        let only = if relation.is_partitioned { "" } else { "only " };
        let table = format!("{only}{}.{}", quoted(&relation.schema), quoted(&relation.name));
        let contents = hash(&self.columns);
        if self.key.is_empty() {
            // Equal rows are numbered, so that the third of three is the one that is missing.
            return format!(
                "(select counted.*, c || ':' || row_number() over (partition by c) as h \
                 from (select {contents} as c{more} from {table} t) counted)"
            );
        }
        format!("(select {} as h, {contents} as c{more} from {table} t)", hash(&self.key))
    }

    /// Returns the names of the columns that are written out: with those that the live table does not have, or without.
    fn written(&self, all: bool) -> Vec<String> {
        let names = || self.kept.columns.iter().map(|column| column.name.clone()).collect();
        if all { names() } else { self.columns.clone() }
    }

    /// Returns a query for the rows of a kind, remembered for table `at`, as they are in the kept database; each column is
    /// `expression` of it.
    fn rows(&self, (at, kind): (usize, Kind), all: bool, expression: impl Fn(&str) -> String) -> String {
        let columns = self.written(all);
        let taken: String =
            columns.iter().enumerate().map(|(n, name)| format!(", t.{} as v{n}", quoted(name))).collect();
        let shown: Vec<String> = (0..columns.len()).map(|n| expression(&format!("v{n}"))).collect();
        let named = shown.iter().zip(&columns).map(|(shown, name)| format!("{shown} as {}", quoted(name)));
        let (shown, word) = (named.collect::<Vec<_>>().join(", "), kind.word());
        format!(
            "select {shown} from {} hashed where h in (select h from {ROWS} where t = {at} and kind = '{word}') \
             order by h collate \"C\"",
            self.hashed(Side::Kept, &taken)
        )
    }

    /// Returns the COPY that writes rows as CSV with a header, columns that only the kept table has included.
    #[must_use]
    pub fn csv(&self, of: (usize, Kind)) -> String {
        format!("copy ({}) to stdout (format csv, header)", self.rows(of, true, str::to_owned))
    }

    /// Returns the COPY that reads the common columns as texts, for [`Pair::stage`].
    #[must_use]
    pub fn texts(&self, at: usize) -> String {
        format!("copy ({}) to stdout", self.rows((at, Kind::OnlyKept), false, |value| format!("({value})::text")))
    }

    /// Returns a query for one INSERT statement a row.
    #[must_use]
    pub fn inserts(&self, at: usize) -> String {
        let rows =
            self.rows((at, Kind::OnlyKept), false, |value| format!("pg_catalog.quote_nullable(({value})::text)"));
        let values: Vec<String> = self.columns.iter().map(|name| format!("r.{}", quoted(name))).collect();
        let (table, columns) = (self.target(), self.list());
        let head = literal(&format!("insert into {table} ({columns}) overriding system value values ("));
        format!(
            "select {head} || concat_ws(', ', {}) || ') on conflict do nothing;' from ({rows}) r",
            values.join(", ")
        )
    }

    fn target(&self) -> String {
        format!("{}.{}", quoted(&self.kept.schema), quoted(&self.kept.name))
    }

    fn list(&self) -> String {
        self.columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
    }

    /// Returns the statements that mark rows of table `at` which refer to a changed row: one whose key both databases have,
    /// with other contents, and which may be another thing altogether, if both numbered a new row alike.
    #[must_use]
    pub fn linked(&self, at: usize, all: &[Pair]) -> Vec<String> {
        let one = |reference: &Reference| {
            let (to_at, to) = all.iter().enumerate().find(|(_, pair)| pair.kept.label() == reference.to)?;
            let own = |column: &String| {
                let place = reference.to_columns.iter().position(|to| to == column)?;
                reference.columns.get(place).cloned()
            };
            let own: Vec<String> = to.key.iter().map(own).collect::<Option<_>>()?;
            let rows = self.hashed(Side::Kept, &format!(", {} as f", hash(&own)));
            (!own.is_empty()).then(|| {
                format!(
                    "update {ROWS} set kind = 'linked' where t = {at} and kind = '{}' and h in (select h from {rows} hashed \
                     where f in (select h from {ROWS} where t = {to_at} and kind = '{}'))",
                    Kind::OnlyKept.word(),
                    Kind::Changed.word()
                )
            })
        };
        self.kept.references.iter().filter(|key| key.to != self.kept.label()).filter_map(one).collect()
    }
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Its key is in the kept table only.
    OnlyKept,
    /// Its key is in both, with other contents.
    Changed,
}

impl Kind {
    /// Returns the word by which the temporary table knows it, and the ending of an exported file's name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::OnlyKept => "missing",
            Kind::Changed => "changed",
        }
    }
}

/// One row: the hash of its key and that of its contents.
pub type Hashes = (String, String);

/// The next thing to do in a walk along both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The kept row has no twin: take it.
    Kept,
    /// The live row has no twin: take it.
    Live,
    /// Both have the key: take both. `true` where the contents are equal.
    Both(bool),
    /// Both sides are at their ends.
    End,
}

/// Returns what the next row of each side is; `None` is a side's end.
#[must_use]
pub fn step(kept: Option<&Hashes>, live: Option<&Hashes>) -> Step {
    match (kept, live) {
        (None, None) => Step::End,
        (Some(_), None) => Step::Kept,
        (None, Some(_)) => Step::Live,
        (Some(kept), Some(live)) => match kept.0.cmp(&live.0) {
            std::cmp::Ordering::Less => Step::Kept,
            std::cmp::Ordering::Greater => Step::Live,
            std::cmp::Ordering::Equal => Step::Both(kept.1 == live.1),
        },
    }
}

/// What one table holds that the live one does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableRows {
    /// `schema.name`.
    pub table: String,
    /// Rows of the kept table.
    pub kept: u64,
    /// Rows whose key only the kept table has.
    pub missing: u64,
    /// Rows whose key both have, with other contents.
    pub changed: u64,
    /// Rows whose key only the live table has.
    pub only_live: u64,
    /// Whether there is a key; without one a changed row counts as one that is missing and one that is only live.
    pub has_key: bool,
    /// Columns that only the kept table has: they are exported, and not carried.
    pub left_out: Vec<String>,
    /// Triggers of the live table that carried rows would fire.
    pub triggers: Vec<String>,
    /// Why no row of it can be carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

impl TableRows {
    /// Returns the counts of a table before anything was counted.
    #[must_use]
    pub fn of(pair: &Pair) -> Self {
        let left_out = pair.kept.columns.iter().map(|column| column.name.clone());
        TableRows {
            table: pair.kept.label(),
            has_key: !pair.key.is_empty(),
            left_out: left_out.filter(|name| pair.live.is_some() && !pair.columns.contains(name)).collect(),
            triggers: pair.live.as_ref().map(|live| live.triggers.clone()).unwrap_or_default(),
            refusal: pair.refusal(),
            ..TableRows::default()
        }
    }

    /// Counts one step of the walk; returns what the kept row is, where it is to be remembered.
    pub fn count(&mut self, step: Step) -> Option<Kind> {
        match step {
            Step::Kept => {
                self.kept += 1;
                self.missing += 1;
                Some(Kind::OnlyKept)
            }
            Step::Live => {
                self.only_live += 1;
                None
            }
            Step::Both(is_equal) => {
                self.kept += 1;
                self.changed += u64::from(!is_equal);
                (!is_equal).then_some(Kind::Changed)
            }
            Step::End => None,
        }
    }

    /// Returns whether the kept table holds anything that the live one does not.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.missing + self.changed > 0
    }
}

/// 16 bytes of SHA-256 of the columns' texts, in hexadecimal digits.
fn hash(columns: &[String]) -> String {
    let texts: Vec<String> = columns.iter().map(|name| format!("t.{}::text", quoted(name))).collect();
    let row = format!("row({})::text", texts.join(", "));
    format!("encode(substr(sha256(convert_to({row}, getdatabaseencoding()::name)), 1, 16), 'hex')")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests;
