//! The files of the folder, and what is wrong with those that cannot be used.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use stagegate_workflow_decide::FOLDER;

use crate::word::word;

/// The longest file that is read.
const LONGEST_BYTES: u64 = 1 << 20;

/// A file of the folder.
pub(super) struct File {
    pub(super) path: PathBuf,
    /// Its text, or why it cannot be read.
    pub(super) text: Result<String, String>,
}

/// Returns the files of a folder by name; none where there is no folder.
pub(super) fn all(folder: &Path) -> Vec<File> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.into_iter().map(|path| File { text: text(&path), path }).collect()
}

/// A file that cannot be used: its name, what it would be asked, what is wrong.
pub(super) type Unusable = (String, &'static str, String);

/// Takes the files out whose checks would have one name, and returns what is wrong for each name.
///
/// None of them runs: which one a record means could not be reported.
pub(super) fn clashes(files: &mut Vec<File>) -> Vec<Unusable> {
    let mut named: BTreeMap<(String, &'static str), Vec<PathBuf>> = BTreeMap::new();
    for File { path, .. } in files.iter() {
        if let Some(question) = question(path) {
            named.entry((word(&stem(path)), question)).or_default().push(path.clone());
        }
    }
    named.retain(|_, paths| paths.len() > 1);
    files.retain(|file| !named.values().flatten().any(|twin| *twin == file.path));
    named.into_iter().map(|((name, question), paths)| clash(name, question, &paths)).collect()
}

fn clash(name: String, question: &'static str, paths: &[PathBuf]) -> Unusable {
    let list: Vec<String> = paths.iter().map(|path| format!("`{}`", shown(path).display())).collect();
    let reason = format!(
        "{} would have the same name, workflows::{name}::{question}; rename all but one: names of checks contain \
         only a-z, 0-9 and _",
        list.join(" and ")
    );
    (name, question, reason)
}

/// Returns what is asked of a file; nothing where it is no workflow.
pub(super) fn question(path: &Path) -> Option<&'static str> {
    match path.extension()?.to_str()? {
        "toml" => Some("completes"),
        "hurl" => Some("hurl"),
        _ => None,
    }
}

/// Returns a file's name without its ending.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns a file as messages name it.
pub(super) fn shown(path: &Path) -> PathBuf {
    Path::new(FOLDER).join(path.file_name().unwrap_or_default())
}

fn text(path: &Path) -> Result<String, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > LONGEST_BYTES {
        return Err(format!("{length} bytes, more than the limit of a workflow file ({LONGEST_BYTES})"));
    }
    std::fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))
}

/// Returns the files with an ending, each with its text, and what is wrong with those that cannot be read.
pub(super) fn texts(files: &[File], ending: &str) -> (Vec<(PathBuf, String)>, Vec<Unusable>) {
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    for file in files.iter().filter(|file| file.path.extension().is_some_and(|found| found == ending)) {
        let shown = shown(&file.path);
        match &file.text {
            Ok(text) => read.push((shown, text.clone())),
            Err(reason) => {
                let (name, question) = (stem(&shown), question(&shown).unwrap_or_default());
                unreadable.push((name, question, format!("{}: {reason}", shown.display())));
            }
        }
    }
    (read, unreadable)
}
