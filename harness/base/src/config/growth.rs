//! `grow` of a `[[performance]]`: by how much a release may cost more than the one before it.

use serde::{Deserialize, Serialize};

use crate::units::Share;

/// By how much a request may cost more than with the control.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Most memory of the service that is asked.
    pub memory: Share,
    /// Processor time of all services a request.
    pub cpu: Share,
    /// SQL statements and transactions a request: so many more of them.
    pub queries: f64,
    /// Rows that statements return or change, a request.
    pub rows: Share,
    /// Blocks of databases that are read or found in memory, a request.
    pub blocks: Share,
}

impl Default for Growth {
    fn default() -> Self {
        Growth { memory: Share(0.2), cpu: Share(0.25), queries: 0.5, rows: Share(0.5), blocks: Share(0.5) }
    }
}

/// As the user wrote it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGrowth {
    memory: Option<Share>,
    cpu: Option<Share>,
    queries: Option<f64>,
    rows: Option<Share>,
    blocks: Option<Share>,
}

impl RawGrowth {
    /// Fills in what nobody wrote; `None` where a number is none that anything could grow by.
    pub(super) fn read(self) -> Option<Growth> {
        let usual = Growth::default();
        let growth = Growth {
            memory: self.memory.unwrap_or(usual.memory),
            cpu: self.cpu.unwrap_or(usual.cpu),
            queries: self.queries.unwrap_or(usual.queries),
            rows: self.rows.unwrap_or(usual.rows),
            blocks: self.blocks.unwrap_or(usual.blocks),
        };
        (growth.queries.is_finite() && growth.queries >= 0.0).then_some(growth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_wrote_is_as_usual_and_a_release_never_has_to_shrink() {
        let raw: RawGrowth = toml::from_str("queries = 2\ncpu = \"100%\"").unwrap();
        let want = Growth { queries: 2.0, cpu: Share(1.0), ..Growth::default() };
        assert_eq!(raw.read(), Some(want));
        for text in ["queries = -1", "queries = nan", "queries = inf"] {
            assert_eq!(toml::from_str::<RawGrowth>(text).unwrap().read(), None, "{text}");
        }
        assert!(toml::from_str::<RawGrowth>("memoyr = \"1%\"").is_err());
    }
}
