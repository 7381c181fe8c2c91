//! The journal on disk: one line is written and synced before and after each act.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FallocateFlags, fallocate};
use stagegate_gate_decide::promotion::{Chain, Entry, Head, JournalError, Line, Plan, VERSION, chained, read};

use stagegate_host::files;

/// The file's name within a run's folder.
pub const FILE_NAME: &str = "journal.jsonl";
/// Beside it: how many lines were written, and the checksum of the last one. Lines that are gone at the end are found by it.
pub const HEAD_NAME: &str = "journal.head";
/// Reserved at the start, so that a full disk does not keep a run from recording its end.
const RESERVED: u64 = 1 << 20;
/// Takes up space until the run has decided: what opens the ports or goes back writes some small files.
const BALLAST_NAME: &str = "ballast";
const BALLAST: u64 = 4 << 20;

/// A journal that cannot be written or read. A run stops at it: no act without its line.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file.
    #[error("journal {}: cannot {what}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// Its text.
    #[error("journal {}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: JournalError,
    },
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    head: Option<File>,
    lines: Vec<Line>,
    prev: String,
    boot: String,
}

impl Journal {
    /// Makes the journal of a new run in `dir`, which is made too, with the plan as its first line.
    ///
    /// # Errors
    /// [`StoreError`] where it cannot be made to last.
    pub fn create(dir: &Path, plan: &Plan) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        let error = |what| at(&path, what);
        files::private_dir(dir).map_err(error("make its folder"))?;
        let file =
            OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path).map_err(error("make it"))?;
        // Not every file system can reserve; then a full disk is met at the first line that does not fit.
        let _ = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, RESERVED);
        files::sync_dir(dir).map_err(error("sync its folder"))?;
        if let Some(parent) = dir.parent() {
            files::sync_dir(parent).map_err(error("sync the folder above"))?;
        }
        let head = head_file(dir);
        let mut journal = Journal { path, file, head, lines: Vec::new(), prev: String::new(), boot: boot_id() };
        journal.append(Entry::Started { plan: Box::new(plan.clone()) })?;
        Ok(journal)
    }

    /// Opens the journal of an earlier run to go on with it; a torn last line is cut off.
    ///
    /// # Errors
    /// [`StoreError`] where it is damaged or of another version.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE_NAME);
        let chain = chain(dir)?;
        let file = OpenOptions::new().append(true).open(&path).map_err(at(&path, "open it"))?;
        file.set_len(chain.bytes as u64).map_err(at(&path, "cut its torn end off"))?;
        Ok(Journal { path, file, head: head_file(dir), lines: chain.lines, prev: chain.head, boot: boot_id() })
    }

    /// Writes a line and waits until it lasts.
    ///
    /// # Errors
    /// [`StoreError`]; the caller must not act then. A failed sync is never tried again: the kernel may have
    /// dropped the pages.
    pub fn append(&mut self, entry: Entry) -> Result<&Line, StoreError> {
        let run = match (&entry, self.lines.first()) {
            (_, Some(first)) => first.run.clone(),
            (Entry::Started { plan }, None) => plan.run.clone(),
            (_, None) => String::new(),
        };
        let seq = self.lines.len() as u64;
        let wall = format!("{:.3}", jiff::Timestamp::now());
        let line = Line { v: VERSION, seq, run, boot: self.boot.clone(), wall, entry, prev: self.prev.clone() };
        let (text, hash) = chained(&line).map_err(|e| at(&self.path, "write a line")(e.into()))?;
        self.file.write_all(text.as_bytes()).map_err(at(&self.path, "write a line"))?;
        self.file.sync_data().map_err(at(&self.path, "sync a line"))?;
        self.prev = hash;
        self.lines.push(line);
        self.note_head();
        crate::failpoint::after_line(&self.lines[self.lines.len() - 1]);
        Ok(&self.lines[self.lines.len() - 1])
    }

    /// Keeps how far the journal is written. A journal that is ahead of it is whole all the same, so a failure costs only
    /// what it would find, and stops no run.
    fn note_head(&self) {
        if let Some(file) = &self.head {
            let text = Head { lines: self.lines.len(), hash: self.prev.clone() }.text();
            let _ = file.write_all_at(text.as_bytes(), 0);
        }
    }

    /// Returns the SHA-256 of the last line, hex.
    #[must_use]
    pub fn head(&self) -> &str {
        &self.prev
    }

    /// Returns all lines.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Returns the run's plan; `None` where a crash left not even the first line.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        match self.lines.first().map(|line| &line.entry) {
            Some(Entry::Started { plan }) => Some(plan),
            _ => None,
        }
    }
}

/// Reads the lines of a run's journal without opening it for writing.
///
/// # Errors
/// [`StoreError`] where it is damaged or of another version.
pub fn lines(dir: &Path) -> Result<Vec<Line>, StoreError> {
    Ok(chain(dir)?.lines)
}

/// Returns a run's journal and its head as they are on the disk; a journal that is gone and has a head is empty.
///
/// # Errors
/// [`StoreError::Io`].
pub fn files(dir: &Path) -> Result<(Vec<u8>, Option<Head>), StoreError> {
    let path = dir.join(FILE_NAME);
    // Read first: a run that goes on meanwhile only makes the journal longer.
    let head = fs::read_to_string(dir.join(HEAD_NAME)).ok().and_then(|text| Head::read(&text));
    let text = match fs::read(&path) {
        // Its head tells that it was there.
        Err(error) if error.kind() == ErrorKind::NotFound && head.is_some() => Vec::new(),
        text => text.map_err(at(&path, "read it"))?,
    };
    Ok((text, head))
}

/// Reads a journal, and compares it with how far it was written.
fn chain(dir: &Path) -> Result<Chain, StoreError> {
    let path = dir.join(FILE_NAME);
    let (text, head) = files(dir)?;
    read(&text).and_then(|chain| chain.whole(head.as_ref())).map_err(|source| StoreError::Text { path, source })
}

fn head_file(dir: &Path) -> Option<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(dir.join(HEAD_NAME)).ok()
}

/// Takes up some space in a run's folder, for [`free_ballast`]. Where it cannot be had nothing is reserved.
pub fn take_ballast(dir: &Path) {
    let path = dir.join(BALLAST_NAME);
    let reserved = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .and_then(|file| Ok(fallocate(&file, FallocateFlags::empty(), 0, BALLAST)?));
    if reserved.is_err() {
        let _ = fs::remove_file(&path);
    }
}

/// Gives the space of [`take_ballast`] back; that it is gone already is fine.
pub fn free_ballast(dir: &Path) {
    let _ = fs::remove_file(dir.join(BALLAST_NAME));
}

/// Returns the folders of all runs below `runs`, oldest first: a run's id begins with its time.
#[must_use]
pub fn runs(runs: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(runs).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|dir| is_run(dir)).collect();
    found.sort();
    found
}

/// Returns whether a folder has a run's journal, or had one.
#[must_use]
pub fn is_run(dir: &Path) -> bool {
    [FILE_NAME, HEAD_NAME].iter().any(|name| dir.join(name).is_file())
}

fn at(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_path_buf();
    move |source| StoreError::Io { path, what, source }
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}
