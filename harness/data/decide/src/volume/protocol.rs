//! What the gate asks of its program in a container that mounts volumes, and what that responds: JSON both ways.

use serde::{Deserialize, Serialize};

use super::{CopyRecord, Tree};

/// How files are copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyMethod {
    /// Copy and original share their blocks until one of them is written.
    Reflink,
    /// Byte by byte, holes left out.
    #[default]
    Plain,
}

impl CopyMethod {
    /// Returns the way as the operator reads it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            CopyMethod::Reflink => "reflink",
            CopyMethod::Plain => "plain copy",
        }
    }
}

/// A request for one of the mounted folders. Paths are relative to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Which of the mounted folders, from 0.
    pub folder: usize,
    /// What to do there.
    pub request: Request,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// Look at the live folder `live`, and at the file system that it is on.
    Probe {
        /// The live folder.
        live: String,
    },
    /// List the folders that runs kept of the live folder `live`.
    List {
        /// The live folder.
        live: String,
    },
    /// Read a folder; `contents` with the checksums of its files.
    Read {
        /// The folder.
        path: String,
        /// Whether files are read.
        contents: bool,
    },
    /// Copy the folder `from`; the copy is complete, synced and compared before it has its name.
    Copy {
        /// The folder.
        from: String,
        /// What the copy is.
        to: CopyRecord,
    },
    /// Copy another one of the mounted folders, which may be written meanwhile: then it is tried again, a few times.
    Import {
        /// Which of the mounted folders, from 0.
        from: usize,
        /// What the copy is.
        to: CopyRecord,
    },
    /// Put a folder in the place of the live one.
    Switch(SwitchRequest),
    /// Remove kept folders; one that is gone is fine.
    Remove {
        /// Which.
        kept: Vec<CopyRecord>,
    },
}

/// What takes the live folder's place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchRequest {
    /// The live folder.
    pub live: String,
    /// What takes its place.
    pub with: CopyRecord,
    /// The inode of that.
    pub root: u64,
    /// Its stamp, as it was when it was compared; `None` where it was compared just now.
    pub stamp: Option<String>,
    /// The stamp of the live folder with which nothing has to be switched.
    pub unchanged: Option<String>,
    /// What the live folder becomes.
    pub aside: CopyRecord,
    /// Whether the live folder's files are read afterwards.
    pub contents: bool,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Reply {
    /// Of [`Request::Probe`].
    Probe(Probe),
    /// Of [`Request::List`].
    Kept {
        /// The folders.
        kept: Vec<CopyRecord>,
    },
    /// Of [`Request::Read`].
    Tree(Tree),
    /// Of [`Request::Copy`] and [`Request::Import`].
    Copied(Copied),
    /// Of [`Request::Switch`].
    Switched(Switched),
    /// Of [`Request::Remove`].
    Removed,
}

/// A live folder and its file system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Bytes of its files.
    pub bytes: u64,
    /// Number of entries.
    pub entries: u64,
    /// The file system, by the number of its device.
    pub device: u64,
    /// Free bytes there.
    pub free: u64,
    /// How files are copied there, as tried with one.
    pub way: CopyMethod,
    /// Bytes per second of that.
    pub rate: u64,
    /// The folders that runs kept.
    pub kept: Vec<CopyRecord>,
}

/// A copy that was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Copied {
    /// What it holds.
    pub tree: Tree,
    /// The stamp of what was copied.
    pub source: String,
    /// How its files were copied: plainly if one of them had to be.
    pub way: CopyMethod,
    /// How long it took, in seconds, the comparison included.
    pub seconds: f64,
}

/// How a switch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The live folder has another content now, and the earlier one is kept.
    Switched,
    /// Nothing was written since the copy was made; nothing was switched.
    Unchanged,
    /// The replacement is not as it was when it was compared; nothing was switched.
    Stale,
}

/// What a switch left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Switched {
    /// How it ended.
    pub outcome: Outcome,
    /// How long the live folder was between both, in seconds.
    pub seconds: f64,
    /// Whether what was live before is kept.
    pub kept: bool,
    /// The live folder now.
    pub tree: Tree,
}
