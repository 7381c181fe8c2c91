//! One measurement at a time on a machine: two at once would each measure the other one's load.
//!
//! The lock is the kernel's and goes with its holder. It is one for all users and projects of the machine.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use stagegate_host::lock::Owner;

/// Folders in which every user may make a file, the usual one first.
const FOLDERS: [&str; 2] = ["/run/lock", "/tmp"];
const FILE: &str = "stagegate-bench.lock";
/// Between two tries.
const EVERY: Duration = Duration::from_millis(200);

/// Why nothing may be measured now.
#[derive(Debug, thiserror::Error)]
pub enum MeasurementLockError {
    /// Somebody measures for longer than anybody wants to wait.
    #[error(
        "{who} has been measuring on this machine for more than {waited:?}, and two measurements at once disturb each other; run this one again when it has ended"
    )]
    Busy {
        /// Who.
        who: String,
        /// How long was waited.
        waited: Duration,
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

/// The right to measure; dropping it lets the next one measure.
#[derive(Debug)]
pub struct MeasurementLock {
    // Held for its lock, which the kernel drops when it is closed.
    _file: File,
}

impl MeasurementLock {
    /// Waits, at most `within`, until nobody else of this machine measures.
    ///
    /// `on_wait` is reported once who does, where somebody does; `what` is what others are reported meanwhile.
    ///
    /// # Errors
    /// [`MeasurementLockError`].
    pub async fn wait(what: &str, within: Duration, on_wait: impl FnOnce(&str)) -> Result<Self, MeasurementLockError> {
        let dir = FOLDERS.into_iter().map(Path::new).find(|dir| dir.is_dir());
        Self::wait_at(&dir.map_or_else(std::env::temp_dir, Path::to_path_buf).join(FILE), what, within, on_wait).await
    }

    async fn wait_at(
        path: &Path,
        what: &str,
        within: Duration,
        on_wait: impl FnOnce(&str),
    ) -> Result<Self, MeasurementLockError> {
        let failed = |source| MeasurementLockError::Io { path: path.to_owned(), source };
        let file = open(path).map_err(failed)?;
        let begun = Instant::now();
        let mut on_wait = Some(on_wait);
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) => {}
            }
            if let Some(tell) = on_wait.take() {
                tell(&owner(path));
            }
            if begun.elapsed() >= within {
                return Err(MeasurementLockError::Busy { who: owner(path), waited: within });
            }
            tokio::time::sleep(EVERY).await;
        }
        note(path, what);
        Ok(MeasurementLock { _file: file })
    }
}

/// Opens the file. Another user's cannot be written, and in a folder for all not be opened for making; it can be locked.
fn open(path: &Path) -> io::Result<File> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path)
        }
        opened => opened,
    }
}

/// States who holds it, for people to read; another user's file keeps what it states.
fn note(path: &Path, what: &str) {
    let since = format!("{:.0}", jiff::Timestamp::now());
    let owner = Owner { pid: std::process::id(), what: what.to_owned(), since };
    if let (Ok(file), Ok(text)) = (OpenOptions::new().write(true).truncate(true).open(path), serde_json::to_vec(&owner))
    {
        let _ = io::Write::write_all(&mut &file, &text);
    }
}

/// Reports who holds it, as far as the file reports somebody who lives.
fn owner(path: &Path) -> String {
    let owner = std::fs::read(path).ok().and_then(|text| serde_json::from_slice::<Owner>(&text).ok());
    match owner.filter(|owner| Path::new("/proc").join(owner.pid.to_string()).exists()) {
        Some(Owner { pid, what, since }) => format!("process {pid} ({what}, since {since})"),
        None => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_waits_is_reported_who_measures_and_gets_its_turn() {
        let path = std::env::temp_dir().join(format!("stagegate-alone-{}", std::process::id()));
        let first =
            MeasurementLock::wait_at(&path, "gate bench", Duration::ZERO, |_| panic!("nobody measures")).await.unwrap();
        let busy =
            MeasurementLock::wait_at(&path, "gate promote", Duration::from_millis(300), |_| {}).await.unwrap_err();
        let printed = busy.to_string();
        assert!(printed.contains("gate bench") && printed.contains(&std::process::id().to_string()), "{printed}");

        let mut reported = String::new();
        let second =
            MeasurementLock::wait_at(&path, "gate promote", Duration::from_secs(20), |who| reported = who.to_owned());
        let (second, ()) = tokio::join!(second, async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(first);
        });
        assert!(second.is_ok() && reported.contains("gate bench"), "{reported}");
        std::fs::remove_file(&path).unwrap();
    }
}
