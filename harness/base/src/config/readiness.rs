//! How ready a release is: what a check weighs, and which score means what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the readiness score is made and read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// From this score on a release is ready, 0 to 100.
    pub ready: u8,
    /// From this score on it may go with `--accept-caution`, 0 to `ready`; below it is not ready.
    pub caution: u8,
    /// What a warning weighs, in percent of a required check.
    pub warning: u8,
    /// How much of all weight must have been asked, in percent; with less there is no score.
    pub evidence: u8,
    /// Weight by the beginning of a trial's name; the longest one counts, 1 where none fits.
    pub weights: BTreeMap<String, u8>,
}

impl Default for Readiness {
    fn default() -> Self {
        Readiness { ready: 90, caution: 75, warning: 50, evidence: 50, weights: BTreeMap::new() }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReadiness {
    ready: Option<u8>,
    caution: Option<u8>,
    warning: Option<u8>,
    evidence: Option<u8>,
    #[serde(default)]
    weights: BTreeMap<String, u8>,
}

impl RawReadiness {
    /// Fills the defaults in.
    ///
    /// # Errors
    /// What is wrong, and the way out.
    pub(super) fn read(&self) -> Result<Readiness, (String, &'static str)> {
        let or = Readiness::default();
        let read = Readiness {
            ready: self.ready.unwrap_or(or.ready),
            caution: self.caution.unwrap_or(or.caution),
            warning: self.warning.unwrap_or(or.warning),
            evidence: self.evidence.unwrap_or(or.evidence),
            weights: self.weights.clone(),
        };
        let percents =
            [("ready", read.ready), ("caution", read.caution), ("warning", read.warning), ("evidence", read.evidence)];
        if let Some((key, value)) = percents.into_iter().find(|(_, value)| *value > 100) {
            return Err((
                format!("[readiness] `{key}` must be a number from 0 to 100, found {value}"),
                "write a number from 0 to 100",
            ));
        }
        if read.caution > read.ready {
            let text = format!("[readiness] `caution` ({}) is above `ready` ({})", read.caution, read.ready);
            return Err((text, "make `caution` the lower one"));
        }
        Ok(read)
    }
}
