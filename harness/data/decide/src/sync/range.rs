//! A part of a table, by its blocks.

/// Blocks of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first block.
    pub from: u64,
    /// The block behind the last one; open at the end of the table, which may have grown since.
    pub to: Option<u64>,
}

impl Range {
    /// Returns the condition that selects its rows.
    #[must_use]
    pub fn condition(&self) -> String {
        let from = format!("ctid >= '({},0)'::tid", self.from);
        self.to.map_or(from.clone(), |to| format!("{from} and ctid < '({to},0)'::tid"))
    }
}
