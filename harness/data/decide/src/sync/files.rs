//! Decides which volumes go along with a sync, and what a killed run's copy becomes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::volume::{CopyRecord, SwitchRequest};

/// Why no volume is copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFiles {
    /// There is none.
    #[error("no volume is configured; add [volumes.NAME] with `volume` or `path`")]
    NoVolume,
    /// The configuration forbids it.
    #[error("`files` of [sync] is empty: no volume may be copied; add volumes to it, or leave out --files")]
    Forbidden,
    /// Nobody decided that real files may be copied to a target of sanitised rows.
    #[error(
        "files are copied as they are and may hold personal data, and this target gets sanitised values; list the volumes that may \
         be copied in [sync]: files = [..] (known: {known})"
    )]
    Undecided {
        /// The volumes of the configuration.
        known: String,
    },
}

/// Returns the volumes that are copied, by their names in `[volumes]`: those that `decided` lists, else all.
///
/// `decided` is `files` of `[sync]`; `is_sanitised` tells whether the target gets no real values.
///
/// # Errors
/// [`NoFiles`] with what to write.
pub fn chosen(volumes: &[&str], decided: Option<&[String]>, is_sanitised: bool) -> Result<Vec<String>, NoFiles> {
    let all = || volumes.iter().map(|id| (*id).to_owned()).collect();
    match (volumes, decided) {
        ([], _) => Err(NoFiles::NoVolume),
        (_, Some([])) => Err(NoFiles::Forbidden),
        (_, Some(decided)) => Ok(decided.to_vec()),
        (_, None) if !is_sanitised => Ok(all()),
        (known, None) => Err(NoFiles::Undecided { known: known.join(", ") }),
    }
}

/// The files of one volume on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileVolume {
    /// Its name in `[volumes]`.
    pub id: String,
    /// The source's folder.
    pub source: PathBuf,
    /// The name of the target's volume; empty for a folder.
    pub volume: String,
    /// The folder that holds the target's live one.
    pub parent: PathBuf,
    /// The name of the target's live folder.
    pub live: String,
}

impl FileVolume {
    /// Returns the target's live folder.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.parent.join(&self.live)
    }
}

/// What a sync of files is about to do in the target: written before, removed after, read by the next command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesIntent {
    /// The run.
    pub run: String,
    /// The volumes, each with its copy.
    pub volumes: Vec<(FileVolume, CopyRecord)>,
    /// What is switched, one for each volume; empty while they are copied.
    pub switches: Vec<SwitchRequest>,
    /// The containers that are stopped meanwhile.
    pub containers: Vec<String>,
    /// An image of this host.
    pub image: String,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::real_data_gets_all(&["a", "b"], None, false, Ok(vec!["a", "b"]))]
    #[case::decided(&["a", "b"], Some(vec!["b"]), true, Ok(vec!["b"]))]
    #[case::decided_for_real_data_too(&["a", "b"], Some(vec!["b"]), false, Ok(vec!["b"]))]
    #[case::undecided(&["a", "b"], None, true, Err("files = [..] (known: a, b)"))]
    #[case::none_may_go(&["a"], Some(vec![]), false, Err("is empty"))]
    #[case::no_volume(&[], None, false, Err("[volumes.NAME]"))]
    fn files_go_to_a_sanitised_target_only_by_decision(
        #[case] volumes: &[&str],
        #[case] decided: Option<Vec<&str>>,
        #[case] is_sanitised: bool,
        #[case] want: Result<Vec<&str>, &str>,
    ) {
        let decided: Option<Vec<String>> = decided.map(|all| all.into_iter().map(str::to_owned).collect());
        match (chosen(volumes, decided.as_deref(), is_sanitised), want) {
            (Ok(found), Ok(want)) => assert_eq!(found, want),
            (Err(found), Err(want)) => assert!(found.to_string().contains(want), "{found}"),
            (found, want) => panic!("{found:?} instead of {want:?}"),
        }
    }
}
