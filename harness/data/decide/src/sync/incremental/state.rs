//! What is kept of a sync for the next one.

use serde::{Deserialize, Serialize};

/// The copy is compared with the source in full at each run of this number.
pub const COMPARED_EVERY: u32 = 10;
/// The form of the kept files.
const FORM: u32 = 2;

/// What has to be the same for the kept hashes to mean anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The form of the files.
    pub form: u32,
    /// The environment and database that were read.
    pub source: String,
    /// The identifier of the source's cluster.
    pub cluster: String,
    /// The major versions of source and target.
    pub major_versions: (i32, i32),
    /// A hash of the source's schema as `pg_dump` writes it.
    pub schema: String,
    /// A hash of what replaces values, the key included.
    pub rules: String,
}

impl Terms {
    /// Makes those of a run.
    #[must_use]
    pub fn new(source: (&str, &str), cluster: &str, versions: (i32, i32), schema: String, rules: String) -> Self {
        Terms {
            form: FORM,
            source: format!("{}/{}", source.0, source.1),
            cluster: cluster.to_owned(),
            major_versions: (versions.0 / 10_000, versions.1 / 10_000),
            schema,
            rules,
        }
    }

    /// Returns what changed since these were written; `None` if nothing did.
    #[must_use]
    pub fn change(&self, now: &Terms) -> Option<String> {
        if self.form != now.form {
            return Some("the last sync was made by a version of gate that kept another form of hashes".to_owned());
        }
        if self.source != now.source {
            return Some(format!("the last sync was from {}", self.source));
        }
        if self.cluster != now.cluster {
            return Some("the source is on another server than at the last sync".to_owned());
        }
        if self.major_versions != now.major_versions {
            let ((from, to), (now_from, now_to)) = (self.major_versions, now.major_versions);
            return Some(format!(
                "PostgreSQL was {from} (source) and {to} (target) at the last sync, and is {now_from} and {now_to}"
            ));
        }
        if self.schema != now.schema {
            return Some("the schema of the source changed".to_owned());
        }
        (self.rules != now.rules).then(|| "the sanitisation rules or their key changed".to_owned())
    }
}

/// What is kept of a sync: it describes the copy that is kept on the target's server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What has to be the same.
    pub terms: Terms,
    /// Runs since the copy was last compared in full, 0 right after it.
    pub since_compared: u32,
    /// The tables.
    pub tables: Vec<TableState>,
}

impl State {
    /// Returns the state of a table.
    #[must_use]
    pub fn table(&self, label: &str) -> Option<&TableState> {
        self.tables.iter().find(|table| table.table == label)
    }

    /// Returns whether the next run has to compare the whole copy.
    #[must_use]
    pub fn is_compare_due(&self) -> bool {
        self.since_compared + 1 >= COMPARED_EVERY
    }
}

/// What is kept of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableState {
    /// `schema.table`.
    pub table: String,
    /// Its ranges of blocks, in order.
    pub ranges: Vec<RangeState>,
}

impl TableState {
    /// Returns how many rows it had.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.ranges.iter().map(|range| range.rows).sum()
    }
}

/// What is kept of a range of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RangeState {
    /// Rows that it had.
    pub rows: u64,
    /// The keyed checksum of their hashes, in hexadecimal digits.
    pub checksum: String,
    /// Where the keys and hashes of its rows begin in the file of rows, and how many bytes they are; 0 bytes if the table's
    /// rows have no key.
    pub at: u64,
    /// See `at`.
    pub bytes: u64,
}

impl RangeState {
    /// Returns whether the same rows were there.
    #[must_use]
    pub fn is_same(&self, rows: u64, checksum: &str) -> bool {
        self.rows == rows && self.checksum == checksum
    }
}
