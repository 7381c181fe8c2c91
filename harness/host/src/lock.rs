//! One run at a time for a compose project on a machine, or several that only read it.
//!
//! The kernel holds the lock and drops it when its holder dies, so it cannot stick. What a dead holder left running
//! is ended by the next one, before it does anything else. No lock is ever waited for, so that two runs that want each
//! other's project are both refused and never wait for one another. A file locks out those with the same state folder,
//! and a name of the machine those with another one.

mod machine;

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{files, paths::StateDir, process};

/// Who holds a lock: for people to read. Only the kernel knows whether the holder lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Process id.
    pub pid: u32,
    /// What it does.
    pub what: String,
    /// Since when, RFC 3339.
    pub since: String,
}

/// A lock that was not got.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("`{project}` is locked by {}; wait for it to end (`gate status` shows it)", owners_text(owners))]
    Held {
        /// The compose project.
        project: String,
        /// Who holds it, as far as they reported so.
        owners: Vec<Owner>,
    },
    /// A gate with another state folder holds it.
    #[error(
        "`{project}` is locked by {holder}, a gate with another state folder on this machine; wait for it to end, and \
         promote an environment from one state folder (`state_dir` of [project])"
    )]
    Elsewhere {
        /// The compose project.
        project: String,
        /// The process and its user, for a person.
        holder: String,
    },
    /// The kernel gives no name for it.
    #[error("cannot lock `{project}` on this machine")]
    Machine {
        /// The compose project.
        project: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The file.
    #[error("cannot lock {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

fn owners_text(owners: &[Owner]) -> String {
    let one = |owner: &Owner| format!("process {} ({}, since {})", owner.pid, owner.what, owner.since);
    match owners {
        [] => "another process".to_owned(),
        owners => owners.iter().map(one).collect::<Vec<_>>().join(" and "),
    }
}

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// The folder that holds the file, locked too: a file can be removed in a run, and made anew by the next one.
    folder: Option<File>,
    /// Of a reader: the file that names it. It is locked as long as the reader lives.
    reader: Option<(PathBuf, File)>,
    /// The name that locks out gates with other state folders.
    machine: Option<machine::Claim>,
}

impl Lock {
    /// Takes the lock of a project at once, or states who holds it; then ends what a dead holder left running.
    ///
    /// # Errors
    /// [`LockError::Held`] where another process holds it, [`LockError::Elsewhere`] where one with another state folder
    /// does.
    pub fn take(state: &StateDir, project: &str, what: &str) -> Result<Self, LockError> {
        let mut lock = Self::take_folder(state, project, what)?;
        lock.machine = Some(machine::change(project).map_err(elsewhere(project))?);
        Ok(lock)
    }

    /// Takes the lock of a folder alone, such as that of a store of backups; `project` is for the message.
    ///
    /// # Errors
    /// [`LockError::Held`] where another process holds it.
    pub fn take_folder(state: &StateDir, project: &str, what: &str) -> Result<Self, LockError> {
        let file = opened(state)?;
        let folder = folder(state)?;
        let refused = |error| refused(state, project, error, readers(state));
        file.try_lock().map_err(refused)?;
        let folder = locked(folder, File::try_lock).map_err(refused)?;
        let path = owner_path(state);
        files::write_whole(&path, &owner_json(what).map_err(at(&path))?).map_err(at(&path))?;
        end_leftovers(state.root());
        Ok(Lock { file, folder, reader: None, machine: None })
    }

    /// Takes the lock of a project that is only read, together with any other reader, or states who changes it; then ends
    /// what a dead holder left running.
    ///
    /// # Errors
    /// [`LockError::Held`] where another process changes the project.
    pub fn share(state: &StateDir, project: &str, what: &str) -> Result<Self, LockError> {
        let file = opened(state)?;
        let folder = folder(state)?;
        let refused = |error| refused(state, project, error, owner(state).into_iter().collect());
        file.try_lock_shared().map_err(refused)?;
        let folder = locked(folder, File::try_lock_shared).map_err(refused)?;
        let dir = readers_dir(state);
        files::private_dir(&dir).map_err(at(&dir))?;
        let path = dir.join(format!("{}.json", std::process::id()));
        let mut options = OpenOptions::new();
        let mut reader = options.write(true).create(true).truncate(true).mode(0o600).open(&path).map_err(at(&path))?;
        // Locked before it states anything: a file that nobody has locked is one of a dead reader.
        let _ = reader.try_lock();
        reader.write_all(&owner_json(what).map_err(at(&path))?).map_err(at(&path))?;
        // Nobody who changes the project is alive, so what still runs for one is a leftover.
        end_leftovers(state.root());
        let mut lock = Lock { file, folder, reader: Some((path, reader)), machine: None };
        lock.machine = Some(machine::read(project).map_err(elsewhere(project))?);
        Ok(lock)
    }
}

fn opened(state: &StateDir) -> Result<File, LockError> {
    let path = state.root().join("lock");
    files::private_dir(state.root()).map_err(at(&path))?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(at(&path))
}

fn folder(state: &StateDir) -> Result<File, LockError> {
    File::open(state.root()).map_err(at(state.root()))
}

/// Locks the folder; `None` on a file system that knows no locks on folders: there the file's alone has to do.
fn locked(folder: File, lock: fn(&File) -> Result<(), TryLockError>) -> Result<Option<File>, TryLockError> {
    match lock(&folder) {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::Error(_)) => Ok(None),
        Err(held) => Err(held),
    }
}

fn refused(state: &StateDir, project: &str, error: TryLockError, readers: Vec<Owner>) -> LockError {
    match error {
        TryLockError::WouldBlock => {
            // Where nobody reads, it is somebody who changes the project.
            let owners = if readers.is_empty() { owner(state).into_iter().collect() } else { readers };
            LockError::Held { project: project.to_owned(), owners }
        }
        TryLockError::Error(source) => at(&state.root().join("lock"))(source),
    }
}

fn elsewhere(project: &str) -> impl Fn(machine::Refusal) -> LockError {
    let project = project.to_owned();
    move |refusal| match refusal {
        machine::Refusal::Held(machine::Holder { pid, uid }) => {
            let process = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            let holder = uid.map_or_else(|| process.clone(), |uid| format!("{process} of user {uid}"));
            LockError::Elsewhere { project: project.clone(), holder }
        }
        machine::Refusal::Io(source) => LockError::Machine { project: project.clone(), source },
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> LockError {
    let path = path.to_path_buf();
    move |source| LockError::Io { path: path.clone(), source }
}

fn owner_json(what: &str) -> io::Result<Vec<u8>> {
    let since = format!("{:.0}", jiff::Timestamp::now());
    Ok(serde_json::to_vec(&Owner { pid: std::process::id(), what: what.to_owned(), since })?)
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.reader {
            let _ = std::fs::remove_file(path);
        }
        if let Some(folder) = &self.folder {
            let _ = folder.unlock();
        }
        let _ = self.file.unlock();
    }
}

/// Returns who reported last that it holds the lock.
#[must_use]
pub fn owner(state: &StateDir) -> Option<Owner> {
    serde_json::from_slice(&std::fs::read(owner_path(state)).ok()?).ok()
}

/// Returns who holds the lock now, without asking the lock: a reader of files must not be in the way of a run.
#[must_use]
pub fn at_work(state: &StateDir) -> Option<Owner> {
    let owner = owner(state)?;
    let open = std::fs::read_dir(format!("/proc/{}/fd", owner.pid));
    let lock = state.root().join("lock");
    match open {
        // A number that another process has by now has the file not open.
        Ok(open) => {
            let is_lock = |entry: std::fs::DirEntry| std::fs::read_link(entry.path()).is_ok_and(|file| file == lock);
            open.flatten().any(is_lock).then_some(owner)
        }
        // Another user's process: that it lives is all that can be known.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Some(owner),
        Err(_) => None,
    }
}

/// Returns who reads the project now; the files of readers that died are removed.
fn readers(state: &StateDir) -> Vec<Owner> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(readers_dir(state)).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let Ok(file) = File::open(&path) else { continue };
        match file.try_lock_shared() {
            Ok(()) => drop(std::fs::remove_file(&path)),
            Err(_) => found.extend(std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok())),
        }
    }
    found
}

fn readers_dir(state: &StateDir) -> PathBuf {
    state.root().join("lock-readers")
}

/// Returns the mark of a run's children.
#[must_use]
pub fn mark(state: &StateDir, run: &str) -> String {
    format!("{}#{run}", state.root().display())
}

fn owner_path(state: &StateDir) -> PathBuf {
    state.root().join("lock-owner.json")
}

/// Ends the marked processes of earlier runs and waits, at most 5 s, until none is left.
fn end_leftovers(root: &Path) {
    let beginning = format!("{}#", root.display());
    let deadline = Instant::now() + Duration::from_secs(5);
    while process::end_marked(|mark| mark.starts_with(&beginning)) > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names a project that no other test has.
    fn project(name: &str) -> String {
        format!("lock-{name}-{}", std::process::id())
    }

    #[test]
    fn another_state_folder_does_not_open_a_second_door() {
        let shop = &project("door");
        let ((root_dir, root), (user_dir, user)) = (fresh("root"), fresh("user"));
        let first = Lock::take(&root, shop, "gate promote").unwrap();
        for second in [Lock::take(&user, shop, "gate up"), Lock::share(&user, shop, "gate promote")] {
            let error = second.unwrap_err().to_string();
            let process = format!("process {}", std::process::id());
            assert!(error.contains(&process) && error.contains("another state folder"), "{error}");
        }
        drop(first);
        let reader = Lock::share(&root, shop, "gate backup").unwrap();
        drop(Lock::share(&user, shop, "gate backup").unwrap());
        assert!(matches!(Lock::take(&user, shop, "gate up"), Err(LockError::Elsewhere { .. })));
        drop(reader);
        drop(Lock::take(&user, shop, "gate up").unwrap());
        std::fs::remove_dir_all(&root_dir).unwrap();
        std::fs::remove_dir_all(&user_dir).unwrap();
    }

    fn fresh(name: &str) -> (PathBuf, StateDir) {
        let dir = std::env::temp_dir().join(format!("stagegate-lock-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        (dir.clone(), StateDir::at(&dir))
    }

    #[test]
    fn readers_share_a_project_and_whoever_changes_it_is_reported_who_they_are() {
        let shop = &project("share");
        let (dir, state) = fresh("readers");
        let first = Lock::share(&state, shop, "gate promote from shop to east").unwrap();
        let second = Lock::share(&state, shop, "gate promote from shop to west").unwrap();
        let error = Lock::take(&state, shop, "gate up").unwrap_err().to_string();
        assert!(error.contains("gate promote from shop to"), "{error}");
        drop(first);
        assert!(matches!(Lock::take(&state, shop, "gate up"), Err(LockError::Held { .. })));
        drop(second);
        let writer = Lock::take(&state, shop, "gate up").unwrap();
        let error = Lock::share(&state, shop, "gate promote").unwrap_err().to_string();
        assert!(error.contains("gate up"), "{error}");
        drop(writer);
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_lock_whose_file_was_removed_still_holds() {
        let shop = &project("lock");
        let (dir, state) = fresh("removed");
        let holder = Lock::take(&state, shop, "gate promote").unwrap();
        std::fs::remove_file(dir.join("lock")).unwrap();
        for second in [Lock::take(&state, shop, "gate up"), Lock::share(&state, shop, "gate up")] {
            let error = second.unwrap_err().to_string();
            assert!(error.contains("gate promote"), "{error}");
        }
        drop(holder);
        drop(Lock::take(&state, shop, "gate up").unwrap());
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_reader_that_died_is_not_named() {
        let shop = &project("reader");
        let (dir, state) = fresh("dead");
        let reader = Lock::share(&state, shop, "gate promote").unwrap();
        let dead = readers_dir(&state).join("1.json");
        std::fs::write(&dead, br#"{"pid":1,"what":"gate gone","since":"2026-01-01T00:00:00Z"}"#).unwrap();
        let error = Lock::take(&state, shop, "gate up").unwrap_err().to_string();
        assert!(error.contains("gate promote") && !error.contains("gate gone"), "{error}");
        assert!(!dead.exists());
        drop(reader);
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn two_runs_that_want_each_others_project_are_refused_and_do_not_wait() {
        let ((a_dir, a), (b_dir, b)) = (fresh("a"), fresh("b"));
        let (to_b, to_a) =
            (Lock::take(&b, &project("b"), "a to b").unwrap(), Lock::take(&a, &project("a"), "b to a").unwrap());
        assert!(matches!(Lock::share(&a, &project("a"), "a to b"), Err(LockError::Held { .. })));
        assert!(matches!(Lock::share(&b, &project("b"), "b to a"), Err(LockError::Held { .. })));
        drop((to_a, to_b));
        std::fs::remove_dir_all(&a_dir).unwrap();
        std::fs::remove_dir_all(&b_dir).unwrap();
    }

    #[test]
    fn the_second_is_reported_who_holds_the_lock_and_the_third_gets_it() {
        let shop = &project("second");
        let dir = std::env::temp_dir().join(format!("stagegate-lock-{}", std::process::id()));
        let state = StateDir::at(&dir);
        let first = Lock::take(&state, shop, "gate promote").unwrap();
        let error = Lock::take(&state, shop, "gate up").unwrap_err().to_string();
        assert!(error.contains("gate promote") && error.contains(&std::process::id().to_string()), "{error}");
        drop(first);
        drop(Lock::take(&state, shop, "gate up").unwrap());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
