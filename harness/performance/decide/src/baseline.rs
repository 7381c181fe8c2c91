//! What was measured on another day: kept with all that is needed to know whether it can be compared with today.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Block;
use stagegate_base::release::Release;

/// The machine that something was measured on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The processor's model, as the kernel names it.
    pub processor: String,
    /// Processors that are online.
    pub processors: usize,
    /// Memory in GiB, rounded.
    pub memory_gib: u64,
    /// The kernel's release.
    pub kernel: String,
}

/// The format that is written now.
pub const BASELINE_VERSION: u32 = 1;

/// Raw blocks of every probe of one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The format's version.
    pub v: u32,
    /// The environment.
    pub environment: String,
    /// The release that ran; `None` where nothing was deployed by the gate.
    pub release: Option<Release>,
    /// Image ids by service.
    pub images: BTreeMap<String, String>,
    /// The machine.
    pub host: Host,
    /// When it was measured: UTC, RFC 3339.
    pub taken: String,
    /// The probes' blocks: candidate, the same again, and the reference.
    pub probes: BTreeMap<String, Vec<Block>>,
}

impl Baseline {
    /// States why the baseline can only be shown, and not judge; `None` where it can judge.
    #[must_use]
    pub fn foreign(&self, host: &Host) -> Option<String> {
        if self.v != BASELINE_VERSION {
            return Some(format!("its format is {}, this version of `gate` reads {BASELINE_VERSION}", self.v));
        }
        (self.host != *host).then(|| format!("it was measured on another machine ({} instead of {host})", self.host))
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Host { processor, processors, memory_gib, kernel } = self;
        write!(f, "{processors} x {processor}, {memory_gib} GiB, Linux {kernel}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Host {
        Host { processor: "Xeon".to_owned(), processors: 2, memory_gib: 8, kernel: "6.1.0".to_owned() }
    }

    #[test]
    fn a_baseline_of_another_machine_does_not_judge() {
        let baseline = Baseline {
            v: BASELINE_VERSION,
            environment: "staging".to_owned(),
            release: None,
            images: BTreeMap::new(),
            host: host(),
            taken: "2026-01-02T03:04:05Z".to_owned(),
            probes: BTreeMap::new(),
        };
        assert_eq!(baseline.foreign(&host()), None);
        let other = Host { processors: 4, ..host() };
        let reason = baseline.foreign(&other).unwrap();
        assert!(reason.contains("2 x Xeon") && reason.contains("4 x Xeon"), "{reason}");
        assert!(Baseline { v: 9, ..baseline }.foreign(&host()).unwrap().contains("format is 9"));
    }
}
