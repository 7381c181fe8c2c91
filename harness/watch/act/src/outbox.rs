//! Messages on their way: a file for each message and receiver, written whole, and removed once the receiver took it.
//!
//! Whoever is killed at any point loses none: what was sent and not yet removed is sent once more, with the same id.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use futures_util::future::join_all;
use stagegate_base::config::Receiver;
use stagegate_host::{clock, files, paths::StateDir};
use stagegate_watch_decide::notify::{Message, Parcel, parcel_name};

use crate::deliver::{Undelivered, deliver};

/// How many files of messages that no receiver took stay.
const KEPT_UNDELIVERED: usize = 200;

/// The outbox of an environment.
#[derive(Clone, Debug)]
pub struct Outbox {
    dir: PathBuf,
}

/// A file of the outbox.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub parcel: Parcel,
}

/// What became of a pass over the outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// How many messages were taken.
    pub sent: usize,
    /// Who took none, and why.
    pub failures: Vec<String>,
}

/// A lock that is dropped with its holder.
#[derive(Debug)]
pub struct OutboxLock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Outbox {
    /// Returns the outbox of an environment's state.
    #[must_use]
    pub fn of(state: &StateDir) -> Self {
        Outbox { dir: state.root().join("outbox") }
    }

    /// Returns its folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns since when there is an outbox, in seconds since 1970; made where there is none. What ended before is no news.
    ///
    /// # Errors
    /// The system's.
    pub fn since(&self) -> io::Result<i64> {
        let path = self.dir.join("since");
        if let Some(since) = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok()) {
            return Ok(since);
        }
        files::private_dir(&self.dir)?;
        let now = clock::unix_seconds();
        files::write_whole(&path, now.to_string().as_bytes())?;
        Ok(now)
    }

    /// Writes a message for each receiver that hears of it, and returns how many those are. One that is there already stays
    /// as it is.
    ///
    /// # Errors
    /// The system's; what was written before stays.
    pub fn put(&self, receivers: &[Receiver], message: &Message) -> io::Result<usize> {
        let hearing: Vec<(&Receiver, Message)> = receivers
            .iter()
            .filter(|one| one.receives(&message.events, &message.environment))
            .filter_map(|one| Some((one, message.to(one)?)))
            .collect();
        if hearing.is_empty() {
            return Ok(0);
        }
        self.since()?;
        let count = hearing.len();
        for (receiver, message) in hearing {
            let path = self.dir.join(parcel_name(&message.id, &receiver.name));
            if !path.exists() {
                write(&path, &Parcel::new(&receiver.name, message, clock::unix_seconds()))?;
            }
        }
        Ok(count)
    }

    /// Returns what waits, the oldest first, and the files that cannot be read.
    #[must_use]
    pub fn waiting(&self) -> (Vec<Waiting>, Vec<PathBuf>) {
        read(&self.dir)
    }

    /// Returns the messages that no receiver took in time, the oldest first.
    #[must_use]
    pub fn undelivered(&self) -> Vec<Waiting> {
        read(&self.dir.join("undelivered")).0
    }

    /// Takes a lock of this outbox by name; `None` where another process has it.
    ///
    /// # Errors
    /// The system's.
    pub fn lock(&self, name: &str) -> io::Result<Option<OutboxLock>> {
        files::private_dir(&self.dir)?;
        let file =
            File::options().write(true).create(true).truncate(false).open(self.dir.join(format!("{name}.lock")))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(OutboxLock(file))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Tries what is due (with `all`, whatever waits): one receiver after the other never waits for another one. After a try
    /// that failed the receiver's other messages wait as long as that one.
    ///
    /// `None` where another process is at it.
    ///
    /// # Errors
    /// The system's, where the outbox cannot be read or written.
    pub async fn pass(&self, root: &Path, receivers: &[Receiver], all: bool) -> io::Result<Option<Passed>> {
        if !self.dir.is_dir() {
            return Ok(Some(Passed::default()));
        }
        let Some(_lock) = self.lock("sender")? else { return Ok(None) };
        self.remove_drafts();
        let mut by_receiver: BTreeMap<String, Vec<Waiting>> = BTreeMap::new();
        for waiting in self.read_due(all)? {
            by_receiver.entry(waiting.parcel.receiver.clone()).or_default().push(waiting);
        }
        let each = by_receiver.iter().map(|(name, parcels)| async move {
            match receivers.iter().find(|one| one.name == *name) {
                Some(receiver) => send_all((root, &self.dir), receiver, parcels).await,
                None => {
                    let reason = "the configuration has no receiver of this name";
                    // A try, so that the message is given up in its time.
                    for Waiting { path, parcel } in parcels {
                        let now = clock::unix_seconds();
                        write(path, &parcel.tried(now).failed(now, reason.to_owned(), None))?;
                    }
                    Ok(Passed { sent: 0, failures: vec![format!("{name}: {reason}")] })
                }
            }
        });
        let mut passed = Passed::default();
        for one in join_all(each).await {
            let one = one?;
            passed.sent += one.sent;
            passed.failures.extend(one.failures);
        }
        Ok(Some(passed))
    }

    /// Returns what is due; what was tried for too long is moved aside.
    fn read_due(&self, all: bool) -> io::Result<Vec<Waiting>> {
        let now = clock::unix_seconds();
        let (given_up, waiting): (Vec<_>, Vec<_>) =
            self.waiting().0.into_iter().partition(|one| one.parcel.is_given_up(now));
        if !given_up.is_empty() {
            let aside = self.dir.join("undelivered");
            files::private_dir(&aside)?;
            for one in given_up {
                fs::rename(&one.path, aside.join(one.path.file_name().unwrap_or_default()))?;
            }
            let kept = self.undelivered();
            let oldest = &kept[..kept.len().saturating_sub(KEPT_UNDELIVERED)];
            oldest.iter().for_each(|one| drop(fs::remove_file(&one.path)));
        }
        Ok(waiting.into_iter().filter(|one| all || one.parcel.is_due(now)).collect())
    }

    /// Removes what writers that were killed left of files that were never whole.
    fn remove_drafts(&self) {
        let hour = std::time::Duration::from_secs(3_600);
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let is_draft = entry.file_name().to_string_lossy().starts_with('.');
            let age = entry.metadata().and_then(|found| found.modified()).ok().and_then(|at| at.elapsed().ok());
            if is_draft && age.is_some_and(|age| age > hour) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

async fn send_all((root, spool): (&Path, &Path), receiver: &Receiver, parcels: &[Waiting]) -> io::Result<Passed> {
    let mut passed = Passed::default();
    for (nth, Waiting { path, parcel }) in parcels.iter().enumerate() {
        // Written before the try: a sender that dies in it does not come back at once, again and again.
        let tried = parcel.tried(clock::unix_seconds());
        write(path, &tried)?;
        match deliver((root, spool), receiver, &parcel.message).await {
            Ok(()) => {
                remove(path)?;
                passed.sent += 1;
            }
            Err(Undelivered { text, pause }) => {
                passed.failures.push(format!("{}: {text}", receiver.name));
                let failed = tried.failed(clock::unix_seconds(), text, pause);
                write(path, &failed)?;
                for Waiting { path, parcel } in &parcels[nth + 1..] {
                    write(path, &Parcel { due: parcel.due.max(failed.due), ..parcel.clone() })?;
                }
                break;
            }
        }
    }
    Ok(passed)
}

fn write(path: &Path, parcel: &Parcel) -> io::Result<()> {
    files::write_whole(path, &serde_json::to_vec(parcel)?)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn read(dir: &Path) -> (Vec<Waiting>, Vec<PathBuf>) {
    let paths = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_parcel = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".json") && !name.starts_with('.')
    };
    let (mut waiting, mut unread) = (Vec::new(), Vec::new());
    for path in paths.filter(is_parcel) {
        match fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(parcel) => waiting.push(Waiting { path, parcel }),
                Err(_) => unread.push(path),
            },
            // Sent meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => unread.push(path),
        }
    }
    waiting.sort_by(|a, b| (a.parcel.since, &a.path).cmp(&(b.parcel.since, &b.path)));
    unread.sort();
    (waiting, unread)
}
