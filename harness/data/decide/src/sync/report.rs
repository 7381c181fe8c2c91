//! What a sync did, as people and programs read it.

use std::{fmt::Write, time::Duration};

use serde::Serialize;
use stagegate_base::{
    text::{clean, counted},
    units::Size,
};

/// One table as it was copied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// `schema.table`.
    pub table: String,
    /// Rows that the target took.
    pub rows: u64,
    /// Bytes that travelled.
    pub bytes: u64,
}

/// A table on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `schema.table`.
    pub table: String,
    /// Rows in the snapshot, and in the copy.
    pub rows: (i64, i64),
    /// Checksums of the columns that are not sanitised; `None` where only rows were counted.
    pub checksums: (Option<String>, Option<String>),
}

impl Check {
    /// Returns how the sides differ; `None` where they are alike.
    #[must_use]
    pub fn difference(&self) -> Option<String> {
        let ((expected, found), (before, after)) = (self.rows, &self.checksums);
        if expected != found {
            return Some(format!("{}: expected {expected} rows, found {found}", self.table));
        }
        (before != after).then(|| format!("{}: contents differ", self.table))
    }
}

/// How long a part took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// A sequence and the column that it feeds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SequenceFound {
    /// `schema.sequence`.
    pub sequence: String,
    /// `schema.table.column`.
    pub column: String,
    /// The last number that it gave.
    pub last: i64,
    /// The greatest number of the column.
    pub greatest: i64,
}

/// How much of the source a subset holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Rows of the subset.
    pub rows: u64,
    /// Rows of the source, as its server estimates.
    pub of: u64,
    /// Tables that the subset has no row of, though the source does.
    pub empty: Vec<String>,
}

impl Share {
    /// Returns it as the operator reads it.
    #[must_use]
    pub fn text(&self) -> String {
        let percent = self.rows as f64 * 100.0 / self.of.max(1) as f64;
        let empty = match self.empty.len() {
            0 => String::new(),
            count => format!(", {} left empty", counted(count, "table")),
        };
        format!("{} of about {} rows ({percent:.1} %){empty}", self.rows, self.of)
    }
}

/// What a sync that copied only changes did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Incremental {
    /// Rows that are gone from the source.
    pub deleted: u64,
    /// Rows that were there before with other contents.
    pub changed: u64,
    /// Rows that are new.
    pub inserted: u64,
    /// Tables that changed.
    pub tables: usize,
    /// All tables.
    pub of: usize,
    /// Whether the whole copy was compared with the source, not only what was written.
    pub compared_in_full: bool,
}

/// What a sync did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SyncReport {
    /// The environment that was read.
    pub source: String,
    /// The environment that got the copy.
    pub target: String,
    /// The database.
    pub database: String,
    /// The tables.
    pub tables: Vec<Copied>,
    /// What both sides hold.
    pub checks: Vec<Check>,
    /// Foreign keys that were validated.
    pub foreign_keys: usize,
    /// Sequences that were set.
    pub sequences: usize,
    /// Sequences that are behind their column, as they are in the source.
    pub behind: Vec<SequenceFound>,
    /// The columns whose values were replaced, each with its rule.
    pub sanitised: Vec<(String, String)>,
    /// How many values of sanitised columns the copy was searched for; `None` where nothing was sanitised.
    pub searched: Option<usize>,
    /// What share of the rows a subset holds; `None` where everything was copied.
    pub subset: Option<Share>,
    /// What changed since the last sync; `None` where everything was copied.
    pub incremental: Option<Incremental>,
    /// Why everything was copied though only changes were to be.
    pub full_because: Option<String>,
    /// How long each part took.
    pub phases: Vec<Phase>,
    /// The name under which the former database is kept.
    pub former: String,
}

impl SyncReport {
    /// Notes how long a part took.
    pub fn took(&mut self, name: &str, time: Duration) {
        self.phases.push(Phase { name: name.to_owned(), seconds: time.as_secs_f64() });
    }

    /// Returns the report as the operator reads it.
    #[must_use]
    pub fn text(&self) -> String {
        let rows: u64 = self.tables.iter().map(|table| table.rows).sum();
        let bytes: u64 = self.tables.iter().map(|table| table.bytes).sum();
        let mut out = format!(
            "SYNCED {}: {} -> {}, {}, {}, {}\n",
            self.database,
            self.source,
            self.target,
            counted(self.tables.len(), "table"),
            counted(usize::try_from(rows).unwrap_or(usize::MAX), "row"),
            Size(bytes)
        );
        if let Some(Incremental { deleted, changed, inserted, tables, of, .. }) = &self.incremental {
            let _ = writeln!(
                out,
                "  incremental rows changed: {changed}, new: {inserted}, deleted: {deleted}; {tables} of {}",
                counted(*of, "table")
            );
        }
        if let Some(share) = &self.subset {
            let _ = writeln!(out, "  subset      {}", share.text());
        }
        if let Some(reason) = &self.full_because {
            let _ = writeln!(out, "  everything  {}", clean(reason));
        }
        let _ = writeln!(out, "  compared    {}: no difference", self.compared());
        let sequences = counted(self.sequences, "sequence");
        let _ = match self.incremental {
            Some(_) => writeln!(out, "  integrity   {sequences} set"),
            None => {
                writeln!(out, "  integrity   {} validated, {sequences} set", counted(self.foreign_keys, "foreign key"))
            }
        };
        match self.searched {
            Some(values) => {
                let columns = counted(self.sanitised.len(), "column");
                let values = counted(values, "sampled value");
                let _ = writeln!(
                    out,
                    "  sanitised   {columns}; {values} of the source searched for in the copy, none found"
                );
            }
            None => out.push_str("  sanitised   nothing: the target has real data\n"),
        }
        for found in &self.behind {
            let SequenceFound { sequence, column, last, greatest } = found;
            let _ = writeln!(
                out,
                "  note        sequence {} is behind {} as in the source: {last}, greatest value {greatest}",
                clean(sequence),
                clean(column)
            );
        }
        let phases: Vec<String> = self.phases.iter().map(|p| format!("{} {:.1} s", p.name, p.seconds)).collect();
        let _ = writeln!(out, "  time        {}", phases.join(", "));
        let _ = writeln!(out, "  former      {} (dropped by the next sync or promotion)", clean(&self.former));
        out
    }

    fn compared(&self) -> String {
        let with_checksum = self.checks.iter().filter(|check| check.checksums.0.is_some()).count();
        let tables = counted(self.checks.len(), "table");
        match &self.incremental {
            Some(Incremental { compared_in_full: false, of, .. }) => {
                format!("hashes of the source's rows in {}, contents of what was copied", counted(*of, "table"))
            }
            _ => format!("row counts of {tables}, checksums of {with_checksum}"),
        }
    }
}
