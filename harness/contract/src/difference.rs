//! A difference between what a contract promises and what a service does.

use std::collections::BTreeMap;

use stagegate_base::{finding::Finding, text::counted};

use super::code::Code;

/// A difference, reported once for each (code, part of the contract).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What kind of difference it is.
    pub code: &'static Code,
    /// Where in the response: a JSON path, a header, `status`.
    pub at: String,
    /// What was promised.
    pub expected: String,
    /// What came.
    pub found: String,
    /// The part of the document that promises it, as a JSON pointer; empty where no single one does.
    pub schema: String,
    /// At how many places of the response.
    pub places: usize,
}

impl Difference {
    pub(super) fn new(code: &'static Code, at: impl Into<String>, expected: impl Into<String>, found: String) -> Self {
        let (at, expected) = (at.into(), expected.into());
        Difference { code, at, expected, found, schema: String::new(), places: 1 }
    }

    pub(super) fn of(self, schema: impl Into<String>) -> Self {
        Difference { schema: schema.into(), ..self }
    }

    /// Returns the difference as a record keeps it; its code stands before the place.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let more = match self.places {
            0 | 1 => String::new(),
            places => format!(" (and at {})", counted(places - 1, "more place")),
        };
        Finding::differs(
            format!("{} {}", self.code.id, self.at),
            self.expected.clone(),
            format!("{}{more}", self.found),
        )
    }
}

/// Keeps one difference for each (code, schema, what was expected); what no schema speaks of is kept by its place.
pub(super) fn once(all: Vec<Difference>) -> Vec<Difference> {
    let mut kept: Vec<Difference> = Vec::new();
    let mut known: BTreeMap<(&'static str, String, String), usize> = BTreeMap::new();
    for difference in all {
        let place = if difference.schema.is_empty() { &difference.at } else { &difference.schema };
        let key = (difference.code.id, place.clone(), difference.expected.clone());
        match known.get(&key) {
            Some(index) => {
                // The same place may be met twice, through two branches of one schema.
                let first: &mut Difference = &mut kept[*index];
                first.places += usize::from(first.at != difference.at);
            }
            None => {
                known.insert(key, kept.len());
                kept.push(difference);
            }
        }
    }
    kept
}
