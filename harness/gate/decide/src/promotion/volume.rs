//! The volumes and folders of a plan, and what copying and switching them left.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use stagegate_base::{
    text::counted,
    units::{Size, Span},
};
use stagegate_data_decide::volume::CopyMethod;

use super::Leftover;

/// A volume or folder of the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanVolume {
    /// The user's name for it.
    pub id: String,
    /// The volume's name on this host; empty for a folder.
    #[serde(default)]
    pub volume: String,
    /// The folder on this host that holds the live one.
    pub parent: PathBuf,
    /// The name of the live folder.
    pub live: String,
    /// The services that mount it: they are stopped while it is copied or switched.
    pub services: Vec<String>,
    /// Those of them that are Redis: they write what they hold to disk as they stop, which takes time.
    #[serde(default)]
    pub redis: Vec<String>,
    /// The bytes of its files when the plan was made.
    pub size: Size,
    /// How many files, folders and links it has.
    #[serde(default)]
    pub entries: u64,
    /// How it is going to be copied.
    #[serde(default)]
    pub way: CopyMethod,
    /// How long that takes, by what was measured when the plan was made.
    pub expected: Span,
    /// Why it is neither copied nor rolled back.
    #[serde(default)]
    pub stays: Option<String>,
}

impl PlanVolume {
    /// Returns the live folder on this host.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.parent.join(&self.live)
    }

    /// Returns it as a line of the plan; `rolled_back` is the run that is rolled back, if one is.
    #[must_use]
    pub fn text(&self, rolled_back: Option<&str>) -> String {
        let PlanVolume { id, size, entries, way, expected, stays, .. } = self;
        if let Some(why) = stays {
            return format!("{id:<12} not copied: {why}");
        }
        let size = format!("{size}, {}", counted(entries, "entry"));
        let how = format!("{}, about {expected}", way.text());
        match rolled_back {
            None => format!("{id:<12} {size}: copied while its services are stopped ({how})"),
            Some(run) => {
                format!("{id:<12} {size}: exchanged with its copy from before run {run} (made ready before: {how})")
            }
        }
    }
}

/// What copying the volumes left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VolumeCopies {
    /// The volumes that were copied; none in a rollback, which exchanges them.
    pub volumes: Vec<CopiedVolume>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// A volume that was copied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopiedVolume {
    /// The user's name for it.
    pub id: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// Files, folders and links.
    pub entries: u64,
    /// How they were copied.
    pub way: CopyMethod,
    /// How long that took, in seconds, the comparison included.
    pub seconds: f64,
}

impl VolumeCopies {
    pub(super) fn text(&self) -> String {
        let one = |volume: &CopiedVolume| {
            let CopiedVolume { id, bytes, way, seconds, .. } = volume;
            format!("{id} {} in {seconds:.1} s ({})", Size(*bytes), way.text())
        };
        self.volumes.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// How the volumes were rolled back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VolumeRollback {
    /// The volumes that have their earlier content again.
    pub volumes: Vec<SwitchedVolume>,
    /// How long the live folders were exchanged, in seconds; without reading them afterwards.
    pub switch_seconds: f64,
    /// Copies that stay although they are no longer needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Leftover>,
}

/// A volume that has its earlier content again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchedVolume {
    /// The user's name for it.
    pub id: String,
    /// Where the failed content is kept; `None` where nothing was written since the copy was made.
    pub kept_as: Option<PathBuf>,
    /// How many entries were compared with those of the copy.
    pub entries: u64,
}

impl VolumeRollback {
    pub(super) fn text(&self) -> String {
        let switched: Vec<String> = self.volumes.iter().map(SwitchedVolume::text).collect();
        match switched[..] {
            [] => String::new(),
            _ => format!("switched in {:.2} s: {}", self.switch_seconds, switched.join(", ")),
        }
    }
}

impl SwitchedVolume {
    /// Returns what was compared, without where the failed content is.
    pub(super) fn compared(&self) -> String {
        format!("{} ({} as before)", self.id, counted(self.entries, "entry"))
    }

    /// Returns it as a part of a line.
    #[must_use]
    pub fn text(&self) -> String {
        let SwitchedVolume { id, kept_as, entries } = self;
        let compared = counted(entries, "entry");
        match kept_as {
            Some(path) => format!("{id} ({compared} as before; what was live is kept in {})", path.display()),
            None => format!("{id} (nothing was written)"),
        }
    }
}
