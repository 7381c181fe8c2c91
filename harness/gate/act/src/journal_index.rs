//! What is known of runs that have ended, stored next to their journals, so that a list of thousands reads only the new ones.
//!
//! Never a store of its own: an entry counts while its journal has the size, times, inode and last line that it was read
//! with. What does not is read again, and a damaged index is as none.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use stagegate_gate_decide::{
    promotion::{Line, checksum},
    run_summary::RunSummary,
};
use stagegate_host::files;

use crate::journal::{self, StoreError};

/// The form of the file.
const VERSION: u32 = 1;
/// So many bytes of a journal's end are read at once.
const TAIL: u64 = 2_048;

/// What an index has of each run, and where.
#[derive(Debug)]
pub struct Form<T> {
    /// The file's name, next to the folder of the runs.
    pub file_name: &'static str,
    /// Reads a run from the lines of its journal; `None` where they have no plan.
    pub of: fn(&[Line]) -> Option<T>,
    /// Returns whether a run has ended; of others nothing is stored.
    pub has_ended: fn(&T) -> bool,
}

/// The indexes of one form that all of this process share, one for each folder of runs.
#[derive(Debug)]
pub struct Indexes<T: 'static> {
    form: Form<T>,
    all: Mutex<BTreeMap<PathBuf, RunIndex<T>>>,
}

/// What lists of runs show.
pub static SUMMARIES: Indexes<RunSummary> =
    Indexes::new(Form { file_name: "runs.index", of: RunSummary::of, has_ended: |run| run.end.is_some() });

impl<T: Clone + Serialize + DeserializeOwned> Indexes<T> {
    /// Makes the indexes of a form.
    #[must_use]
    pub const fn new(form: Form<T>) -> Self {
        Indexes { form, all: Mutex::new(BTreeMap::new()) }
    }

    /// Returns what `use_it` makes of the index of a folder of runs.
    pub fn shared<R>(&'static self, runs: &Path, use_it: impl FnOnce(&mut RunIndex<T>) -> R) -> R {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(all.entry(runs.to_path_buf()).or_insert_with(|| RunIndex::open(runs, &self.form)))
    }
}

/// What tells one state of a journal from another, without its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    inode: u64,
    modified: (i64, i64),
    /// Unlike the time of the last write it can't be set by anybody.
    changed: (i64, i64),
}

impl Stamp {
    fn of(found: &fs::Metadata) -> Self {
        Stamp {
            size: found.size(),
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known<T> {
    stamp: Stamp,
    /// The checksum of the journal's last line.
    last: String,
    run: T,
    /// Whether this process has compared the last line.
    #[serde(skip)]
    is_compared: bool,
}

/// The first line of the file.
#[derive(Serialize, Deserialize)]
struct Header {
    v: u32,
    /// The program that wrote it: another one may read journals otherwise.
    program: String,
    /// The checksum of all that follows.
    checksum: String,
}

/// What is known of the runs of one environment.
#[derive(Debug)]
pub struct RunIndex<T: 'static> {
    runs: PathBuf,
    form: &'static Form<T>,
    known: BTreeMap<String, Known<T>>,
    /// Entries that the file does not have as they are.
    changes: usize,
}

impl<T: Clone + Serialize + DeserializeOwned> RunIndex<T> {
    /// Opens the index of a folder of runs; one that cannot be used is as none.
    #[must_use]
    pub fn open(runs: &Path, form: &'static Form<T>) -> Self {
        let known = fs::read(runs.with_file_name(form.file_name)).ok().and_then(|text| read(&text)).unwrap_or_default();
        RunIndex { runs: runs.to_path_buf(), form, known, changes: 0 }
    }

    /// Returns a run by its folder; its journal is read where it is not known as it is. `None` where it has no plan.
    ///
    /// # Errors
    /// [`StoreError`] where the journal is damaged or of another version.
    pub fn run(&mut self, dir: &Path) -> Result<Option<T>, StoreError> {
        if let Some(known) = self.known(dir) {
            return Ok(Some(known.clone()));
        }
        if !journal::is_run(dir) {
            return Ok(None);
        }
        // Before its text: a journal that grows meanwhile does not fit then.
        let seen = seen(dir);
        let run = (self.form.of)(&journal::lines(dir)?);
        if let (Some((stamp, last)), Some(run)) = (seen, run.as_ref().filter(|run| (self.form.has_ended)(run))) {
            self.known.insert(name(dir), Known { stamp, last, run: run.clone(), is_compared: true });
            self.changes += 1;
        }
        Ok(run)
    }

    /// Returns a run that is known as it is on the disk.
    fn known(&mut self, dir: &Path) -> Option<&T> {
        let name = name(dir);
        let known = self.known.get_mut(&name)?;
        let is_same = if known.is_compared {
            fs::metadata(dir.join(journal::FILE_NAME)).is_ok_and(|found| Stamp::of(&found) == known.stamp)
        } else {
            seen(dir).is_some_and(|(stamp, last)| stamp == known.stamp && last == known.last)
        };
        if !is_same {
            self.known.remove(&name);
            self.changes += 1;
            return None;
        }
        known.is_compared = true;
        self.known.get(&name).map(|known| &known.run)
    }

    /// Returns the folders that may have a run, the oldest first.
    #[must_use]
    pub fn folders(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.runs).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        folders.sort();
        folders
    }

    /// Writes the index where at least `changes` of its entries are new, without runs that are not in `folders`. Where it
    /// cannot be written, as in a folder that is read only, the journals are read again the next time.
    pub fn keep(&mut self, folders: &[PathBuf], changes: usize) {
        let there: BTreeSet<String> = folders.iter().map(|dir| name(dir)).collect();
        let before = self.known.len();
        self.known.retain(|name, _| there.contains(name));
        self.changes += before - self.known.len();
        if self.changes < changes.max(1) {
            return;
        }
        if let Some(text) = self.text()
            && files::write_whole(&self.runs.with_file_name(self.form.file_name), text.as_bytes()).is_ok()
        {
            self.changes = 0;
        }
    }

    fn text(&self) -> Option<String> {
        let mut body = String::new();
        for entry in &self.known {
            body.push_str(&serde_json::to_string(&entry).ok()?);
            body.push('\n');
        }
        let header = Header { v: VERSION, program: program(), checksum: checksum(body.as_bytes()) };
        Some(format!("{}\n{body}", serde_json::to_string(&header).ok()?))
    }
}

fn name(dir: &Path) -> String {
    dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read<T: DeserializeOwned>(text: &[u8]) -> Option<BTreeMap<String, Known<T>>> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    let (header, body) = (&text[..end], &text[end + 1..]);
    let header: Header = serde_json::from_slice(header).ok()?;
    let is_ours = header.v == VERSION && header.program == program() && header.checksum == checksum(body);
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    is_ours.then(|| lines.map(|line| serde_json::from_slice(line).ok()).collect())?
}

/// Returns what tells this program from another one, as builds of one version are.
fn program() -> String {
    let found = std::env::current_exe().and_then(fs::metadata).ok();
    let built = found.map(|found| format!("{} {}.{}", found.size(), found.mtime(), found.mtime_nsec()));
    format!("{} {}", env!("CARGO_PKG_VERSION"), built.unwrap_or_default())
}

/// Returns how a journal is on the disk: its stamp and the checksum of its last line.
fn seen(dir: &Path) -> Option<(Stamp, String)> {
    let file = File::open(dir.join(journal::FILE_NAME)).ok()?;
    let stamp = Stamp::of(&file.metadata().ok()?);
    let last = last_line(&file, stamp.size).ok()?;
    Some((stamp, checksum(&last)))
}

/// Returns the last line with its end, and what follows it where a write was torn.
fn last_line(file: &File, size: u64) -> io::Result<Vec<u8>> {
    let mut length = TAIL.min(size);
    loop {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        file.read_exact_at(&mut bytes, size - length)?;
        let before_its_end = bytes.len().saturating_sub(1);
        let begins = bytes[..before_its_end].iter().rposition(|byte| *byte == b'\n');
        match begins {
            Some(at) => return Ok(bytes.split_off(at + 1)),
            None if length == size => return Ok(bytes),
            None => length = (length * 8).min(size),
        }
    }
}

#[cfg(test)]
#[path = "journal_index_tests.rs"]
mod tests;
