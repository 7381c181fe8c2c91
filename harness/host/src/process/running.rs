//! What programs run now and what is waited for, for whoever shows it.

use std::{
    fs::File,
    io::Seek,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use stagegate_base::command::Command;

static NEXT: AtomicU64 = AtomicU64::new(0);
static ALL: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// A program that runs, or a wait, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// What it is called, see [`Command::title`]; of a wait what is waited for.
    pub what: String,
    /// When it was started.
    pub since: Instant,
    /// Bytes that it wrote or read; `None` where neither goes through a file.
    pub bytes: Option<u64>,
    /// Bytes that it has to read; `None` where it reads no file.
    pub all_bytes: Option<u64>,
}

/// The file by which the work of a program is measured.
#[derive(Debug)]
pub(super) enum Extent {
    None,
    /// It is written: its length.
    Written(File),
    /// It is read: the position in it, which the child shares.
    Read(File),
}

impl Extent {
    /// Takes a second handle of a file that is written. Where there is none, nothing is measured.
    pub(super) fn written(file: &File) -> Self {
        file.try_clone().map_or(Extent::None, Extent::Written)
    }

    /// Takes a second handle of a file that is read.
    pub(super) fn read(file: &File) -> Self {
        file.try_clone().map_or(Extent::None, Extent::Read)
    }

    fn bytes(&mut self) -> (Option<u64>, Option<u64>) {
        let length = |file: &File| file.metadata().ok().filter(std::fs::Metadata::is_file).map(|it| it.len());
        match self {
            Extent::None => (None, None),
            Extent::Written(file) => (length(file), None),
            Extent::Read(file) => match length(file) {
                Some(all) => (file.stream_position().ok(), Some(all)),
                None => (None, None),
            },
        }
    }
}

#[derive(Debug)]
struct Entry {
    id: u64,
    what: String,
    since: Instant,
    extent: Extent,
}

/// A program, or a wait, is among those that run for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Listed(u64);

impl Listed {
    pub(super) fn new(command: &Command, extent: Extent) -> Self {
        Self::named(command.title(), extent)
    }

    /// Lists a wait; [`Self::rename`] reports what is still waited for.
    pub(crate) fn wait(what: String) -> Self {
        Self::named(what, Extent::None)
    }

    pub(crate) fn rename(&self, what: String) {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = all.iter_mut().find(|entry| entry.id == self.0) {
            entry.what = what;
        }
    }

    fn named(what: String, extent: Extent) -> Self {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { id, what, since: Instant::now(), extent };
        ALL.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        Listed(id)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        ALL.lock().unwrap_or_else(PoisonError::into_inner).retain(|entry| entry.id != self.0);
    }
}

/// Returns the program of this process that runs for the longest time.
#[must_use]
pub fn running() -> Option<Running> {
    all_running().into_iter().next()
}

/// Returns the programs of this process that run, in the order in which they were started.
pub(super) fn all_running() -> Vec<Running> {
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let running = |entry: &mut Entry| {
        let (bytes, all_bytes) = entry.extent.bytes();
        Running { what: entry.what.clone(), since: entry.since, bytes, all_bytes }
    };
    all.iter_mut().map(running).collect()
}
