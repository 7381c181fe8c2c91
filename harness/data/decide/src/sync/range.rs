//! A part of a table: some of its blocks, or some of its rows.

use super::subset::RowPlace;

/// Rows of a table that one statement reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// Those of some blocks.
    Blocks {
        /// The first block.
        from: u64,
        /// The block behind the last one; open at the end of the table, which may have grown since.
        to: Option<u64>,
    },
    /// Those at these places.
    Rows(Vec<RowPlace>),
}

impl Range {
    /// Returns the condition that selects its rows.
    #[must_use]
    pub fn condition(&self) -> String {
        match self {
            Range::Blocks { from, to: None } => format!("ctid >= '({from},0)'::tid"),
            Range::Blocks { from, to: Some(to) } => format!("ctid >= '({from},0)'::tid and ctid < '({to},0)'::tid"),
            Range::Rows(rows) => {
                let places: Vec<String> = rows.iter().map(|row| format!("\"{row}\"")).collect();
                format!("ctid = any('{{{}}}'::tid[])", places.join(","))
            }
        }
    }
}
