//! Archives a volume or folder, proves the archive by unpacking it into a new volume, and restores it the same way.
//!
//! `tar` runs in a container of an image that is there, as root and without a network: files of other users are read, and
//! what an archive holds is unpacked where nothing else is.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Write},
    path::Path,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use stagegate_base::command::docker;
use stagegate_data_decide::backup::{
    ArchivedEntry, Snapshot, VolumeArchive,
    archive::{differences, refused},
};
use stagegate_host::{
    engine::Engine,
    files,
    process::{self, Runner},
    project::Project,
};

use super::{BackupError, repository::Repository};
use crate::age::{Input, Output, blocking, is_broken_pipe, pipe};

/// How hard zstd tries: twice as slow as the fastest, half of the size of text.
const LEVEL: i32 = 3;
/// How the volumes of proofs begin.
const PROOF: &str = "stagegate-proof-";
const VOLUME_WITHIN: Duration = Duration::from_secs(60);
/// How often the removal of a volume is tried whose containers are ending, once a second.
const DISCARD_TRIES: u32 = 15;

/// Where `tar` runs, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Helper<'a> {
    /// Runs the programs.
    pub runner: &'a Runner,
    /// An image with `tar`.
    pub image: &'a str,
    /// How long one `tar` may take.
    pub within: Duration,
}

/// Returns an image that has `tar`: that of a database's server, else that of any container.
///
/// # Errors
/// [`BackupError::Refused`] where the environment has no container.
pub async fn image_of_any(project: &Project, engine: &Engine) -> Result<String, BackupError> {
    let services: Vec<&str> = project.config.databases.values().map(|one| one.service.as_str()).collect();
    let mut containers = project.containers(engine).await?;
    containers.sort_by_key(|container| !services.contains(&container.service.as_str()));
    let image = containers.into_iter().map(|container| container.image).next();
    let name = &project.environment.name;
    image.ok_or_else(|| {
        let text = format!("`{name}` has no container, whose image would run `tar`; start it: gate up --env {name}");
        BackupError::Refused(text)
    })
}

/// Where an archive is.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// In a file of the backup.
    File(Input<'a>),
    /// In a snapshot, as a file of this name.
    Snapshot(&'a Repository, &'a Snapshot, &'a str),
}

impl Source<'_> {
    fn name(&self) -> String {
        match self {
            Source::File(input) => input.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Source::Snapshot(_, _, name) => (*name).to_owned(),
        }
    }

    /// Lets `consume` read the archive, decompressed, on a thread of its own.
    async fn read<T: Send + 'static>(
        &self,
        runner: &Runner,
        consume: impl FnOnce(Box<dyn Read + Send>) -> io::Result<T> + Send + 'static,
    ) -> Result<T, BackupError> {
        let name = self.name();
        let failed = BackupError::file("unpack", Path::new(&name));
        match self {
            Source::File(input) => {
                let read = async |file| blocking(move || consume(Box::new(zstd::Decoder::new(file)?))).await;
                let read = input.feed(runner, read).await;
                read.map_err(BackupError::stream("decrypt", input.path, BackupError::file("unpack", input.path)))
            }
            Source::Snapshot(repository, snapshot, name) => {
                let read = async |file| blocking(move || consume(Box::new(file))).await.map_err(failed);
                repository.load((snapshot, name), read).await
            }
        }
    }
}

/// Archives `mount`, the name of a volume or an absolute path, to `output`, and proves that what `input` reads of it
/// restores to the same.
///
/// # Errors
/// [`BackupError`], also where the volume holds what cannot be restored within it.
pub async fn archive(
    helper: Helper<'_>,
    (id, mount): (&str, &str),
    output: Output<'_>,
    input: Input<'_>,
) -> Result<VolumeArchive, BackupError> {
    let (begun, path) = (Instant::now(), output.path);
    let pack = async |file: File| {
        let mut encoder = zstd::Encoder::new(file, LEVEL).map_err(BackupError::pipe)?;
        encoder.include_checksum(true).map_err(BackupError::pipe)?;
        let (entries, encoder) = packed(helper, mount, encoder).await?;
        blocking(move || encoder.finish()?.flush()).await.map_err(BackupError::pipe)?;
        Ok(entries)
    };
    let packed = output.receive(helper.runner, pack).await;
    let entries = packed.map_err(BackupError::stream("write", path, |error| error))?;
    let source = Source::File(input);
    prove(helper, &entries, source, store_of(path)).await?;
    let (sha256, bytes) = files::hash_file(path).map_err(BackupError::file("read", path))?;
    let (volume, file, seconds) = (id.to_owned(), source.name(), begun.elapsed().as_secs_f64());
    Ok(VolumeArchive { volume, file, sha256, bytes, snapshot: None, seconds, entries })
}

/// Archives `mount` into a snapshot with `tag`, as its file `name`, and proves that what is read of it restores to the same.
///
/// # Errors
/// As [`archive`]; a snapshot may be there then.
pub async fn archive_into(
    helper: Helper<'_>,
    (id, mount): (&str, &str),
    repository: &Repository,
    (name, host, tag): (&str, &str, &str),
    store: &Path,
) -> Result<VolumeArchive, BackupError> {
    let begun = Instant::now();
    let pack = async |file| {
        // The file is closed here: restic waits for its end.
        let (entries, Hashed { hasher, bytes, .. }) = packed(helper, mount, Hashed::new(file)).await?;
        Ok((entries, hexadecimal(hasher), bytes))
    };
    let ((entries, sha256, bytes), snapshot) = repository.save((name, host, tag), pack).await?;
    prove(helper, &entries, Source::Snapshot(repository, &snapshot, name), store).await?;
    Ok(VolumeArchive {
        volume: id.to_owned(),
        file: name.to_owned(),
        sha256,
        bytes,
        snapshot: Some(snapshot),
        seconds: begun.elapsed().as_secs_f64(),
        entries,
    })
}

/// Reads an archive in a snapshot, and compares its checksum.
///
/// # Errors
/// [`BackupError::ArchiveDiffers`], and what keeps it from being read.
pub async fn compare_checksum(runner: &Runner, archive: &VolumeArchive, source: Source<'_>) -> Result<(), BackupError> {
    let hash = |mut reader: Box<dyn Read + Send>| {
        let mut hashed = Hashed::new(io::sink());
        io::copy(&mut reader, &mut hashed).map(|_| hexadecimal(hashed.hasher))
    };
    match source.read(runner, hash).await? == archive.sha256 {
        true => Ok(()),
        false => {
            let differences = vec!["its checksum is another one".to_owned()];
            Err(BackupError::ArchiveDiffers { archive: source.name(), differences })
        }
    }
}

/// Proves that an archive of a backup in `store` restores to `expected`: unpacks it into a volume that is removed again, and
/// compares.
///
/// # Errors
/// [`BackupError`] with what differs.
pub async fn prove(
    helper: Helper<'_>,
    expected: &BTreeMap<String, ArchivedEntry>,
    source: Source<'_>,
    store: &Path,
) -> Result<(), BackupError> {
    let store = store.to_string_lossy().into_owned();
    let scratch = format!("{PROOF}{:016x}", unique());
    let proven = fill(helper, source, expected, (&scratch, Some(&store))).await;
    let _ = helper.runner.run(&docker::remove_volume(&scratch), VOLUME_WITHIN).await;
    proven
}

/// Unpacks an archive into the new volume `volume` and compares; the volume is gone where that fails.
///
/// # Errors
/// [`BackupError`] with what differs, or with the entry that leads out of the volume.
pub async fn restore(
    helper: Helper<'_>,
    archive: &VolumeArchive,
    source: Source<'_>,
    volume: &str,
) -> Result<(), BackupError> {
    let done = fill(helper, source, &archive.entries, (volume, None)).await;
    if done.is_err() {
        let _ = helper.runner.run(&docker::remove_volume(volume), VOLUME_WITHIN).await;
    }
    done
}

/// Removes a volume whose restore was interrupted: the programs at it are ended, and their containers go in the seconds after.
pub async fn discard(helper: Helper<'_>, mark: &str, volume: &str) -> Result<(), BackupError> {
    let _ = process::end_marked(|found| found == mark);
    let mut last = Ok(());
    for _ in 0..DISCARD_TRIES {
        match helper.runner.run_ok(&docker::remove_volume(volume), VOLUME_WITHIN).await {
            Ok(_) => return Ok(()),
            Err(error) => last = Err(program(error)),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    last
}

/// Reads an archive twice: before anything of it is unpacked, each entry is looked at.
async fn fill(
    helper: Helper<'_>,
    source: Source<'_>,
    expected: &BTreeMap<String, ArchivedEntry>,
    (volume, label): (&str, Option<&str>),
) -> Result<(), BackupError> {
    let name = source.name();
    same(expected, &source.read(helper.runner, |reader| entries(reader, io::sink())).await??, &name)?;
    helper.runner.run_ok(&docker::create_volume(volume, label), VOLUME_WITHIN).await.map_err(program)?;
    unpack(helper, source, volume).await?;
    same(expected, &packed(helper, volume, io::sink()).await?.0, &name)
}

/// Unpacks an archive into `volume`.
async fn unpack(helper: Helper<'_>, source: Source<'_>, volume: &str) -> Result<(), BackupError> {
    let (reader, mut writer) = pipe().map_err(BackupError::pipe)?;
    let unpack = docker::unpack(helper.image, volume);
    let unpacking = helper.runner.run_from_file(&unpack, helper.within, reader);
    // A program that ends early is the cause, not that nobody reads any more.
    let copy = move |mut reader: Box<dyn Read + Send>| match io::copy(&mut reader, &mut writer) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        copied => copied.map(drop),
    };
    match tokio::join!(unpacking, source.read(helper.runner, copy)) {
        (Err(error), Ok(())) => Err(program(error)),
        (_, read) => read,
    }
}

/// Takes the volumes away that killed proofs of the store in `root` left. Its lock is held.
pub async fn sweep(runner: &Runner, root: &Path) {
    let left = runner.run_ok(&docker::proof_volumes(&root.to_string_lossy()), VOLUME_WITHIN).await.unwrap_or_default();
    for volume in left.lines().filter(|name| name.starts_with(PROOF)) {
        let _ = runner.run(&docker::remove_volume(volume), VOLUME_WITHIN).await;
    }
}

/// Returns the folder of the backups that a file of one, or a draft, is in.
pub(super) fn store_of(archive: &Path) -> &Path {
    archive.parent().and_then(Path::parent).unwrap_or(archive)
}

fn same(
    expected: &BTreeMap<String, ArchivedEntry>,
    found: &BTreeMap<String, ArchivedEntry>,
    archive: &str,
) -> Result<(), BackupError> {
    let differences = differences(expected, found);
    let archive = archive.to_owned();
    if differences.is_empty() { Ok(()) } else { Err(BackupError::ArchiveDiffers { archive, differences }) }
}

/// Packs `mount` to `copy`, and returns what is in it.
async fn packed<W: Write + Send + 'static>(
    helper: Helper<'_>,
    mount: &str,
    mut copy: W,
) -> Result<(BTreeMap<String, ArchivedEntry>, W), BackupError> {
    let (reader, writer) = pipe().map_err(BackupError::pipe)?;
    let pack = docker::pack(helper.image, mount);
    let packing = helper.runner.run_to_file(&pack, helper.within, writer);
    let reading = blocking(move || Ok((entries(reader, &mut copy)?, copy)));
    let (packed, read) = tokio::join!(packing, reading);
    match packed {
        // A reader that refuses an entry ends the program.
        Err(error) if !is_broken_pipe(&error) => Err(program(error)),
        _ => {
            let (entries, copy) = read.map_err(BackupError::pipe)?;
            Ok((entries?, copy))
        }
    }
}

/// What is in an archive, or why it must not be unpacked.
type Entries = Result<BTreeMap<String, ArchivedEntry>, BackupError>;

/// A writer that hashes and counts what it writes.
struct Hashed<W> {
    inner: W,
    hasher: Sha256,
    bytes: u64,
}

impl<W> Hashed<W> {
    fn new(inner: W) -> Self {
        Hashed { inner, hasher: Sha256::new(), bytes: 0 }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hasher.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A reader that writes what it reads.
struct Tee<R, W>(R, W);

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.write_all(&buffer[..read])?;
        Ok(read)
    }
}

/// Reads the entries of a plain archive, and writes all of it to `copy`; refuses what would lie outside of it.
fn entries(plain: impl Read, copy: impl Write) -> io::Result<Entries> {
    let reader = io::BufReader::with_capacity(256 << 10, Tee(plain, copy));
    let mut archive = tar::Archive::new(reader);
    let mut all = BTreeMap::new();
    let refuse = |why: String| {
        Ok(Err(BackupError::Refused(format!("the volume cannot be archived or restored: {why}; remove it"))))
    };
    for entry in archive.entries()? {
        let (path, mut entry, same_as) = one(entry?)?;
        let leads = same_as.as_deref().unwrap_or(&entry.content);
        if let Some(why) = refused(&path, &entry.kind, leads) {
            return refuse(why);
        }
        if let Some(of) = same_as {
            match all.get(&of) {
                Some(first) => entry = ArchivedEntry::clone(first),
                None => return refuse(format!("`{path}` is a hard link to `{of}`, which is not in it")),
            }
        }
        all.insert(path, entry);
    }
    // What follows the last entry belongs to the archive, too.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(Ok(all))
}

/// Reads one entry; the third is the path of which it is another name. Which of two names comes first is chance, so that
/// both count as the file.
fn one<R: Read>(mut entry: tar::Entry<'_, R>) -> io::Result<(String, ArchivedEntry, Option<String>)> {
    let plain = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.strip_prefix("./").filter(|rest| !rest.is_empty()).unwrap_or(&text).to_owned()
    };
    let path = plain(&entry.path_bytes());
    let path = if path.len() > 1 { path.trim_end_matches('/').to_owned() } else { path };
    let link = entry.link_name_bytes().map(|name| name.into_owned());
    let header = entry.header();
    let kind = match header.entry_type() {
        tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => "file",
        tar::EntryType::Directory => "folder",
        tar::EntryType::Symlink => "link",
        tar::EntryType::Link => "file",
        _ => "other",
    };
    let is_name = header.entry_type() == tar::EntryType::Link;
    let (mode, owner) = (header.mode()? & 0o7777, (header.uid()?, header.gid()?));
    let size = if kind == "file" { entry.size() } else { 0 };
    let same_as = link.as_deref().filter(|_| is_name).map(plain);
    let content = match (kind, link) {
        ("file", None) => hash(&mut entry)?,
        ("link", Some(link)) => String::from_utf8_lossy(&link).into_owned(),
        _ => String::new(),
    };
    Ok((path, ArchivedEntry { kind: kind.to_owned(), mode, owner, size, content }, same_as))
}

fn hash(reader: &mut impl Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(reader, &mut hasher)?;
    Ok(hexadecimal(hasher))
}

fn hexadecimal(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn program(source: stagegate_host::process::RunError) -> BackupError {
    BackupError::Program { what: "archive or restore a volume", source }
}

/// Returns a number that no other volume of this host has in its name.
pub(super) fn unique() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Writes an archive of one entry, whatever its name is: the library itself would refuse some.
    fn archived(name: &str, kind: tar::EntryType, link: &str) -> Result<(), BackupError> {
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        header.set_cksum();
        let archive = [header.as_bytes().as_slice(), &[0; 1024]].concat();
        let mut copy = Vec::new();
        let read = entries(archive.as_slice(), &mut copy).unwrap().map(drop);
        assert!(read.is_err() || copy == archive, "the copy is not the archive");
        read
    }

    #[rstest]
    #[case::file("./a", tar::EntryType::Regular, "", true)]
    #[case::above("./../a", tar::EntryType::Regular, "", false)]
    #[case::absolute("/etc/a", tar::EntryType::Regular, "", false)]
    #[case::link("./a/l", tar::EntryType::Symlink, "../b", true)]
    #[case::link_above("./l", tar::EntryType::Symlink, "../b", false)]
    #[case::link_absolute("./l", tar::EntryType::Symlink, "/b", false)]
    #[case::hard_link_to_nothing("./l", tar::EntryType::Link, "./b", false)]
    #[case::hard_link_above("./l", tar::EntryType::Link, "../b", false)]
    #[case::device("./d", tar::EntryType::Block, "", false)]
    #[case::pipe("./p", tar::EntryType::Fifo, "", false)]
    fn an_entry_that_leads_out_is_refused_before_anything_is_unpacked(
        #[case] name: &str,
        #[case] kind: tar::EntryType,
        #[case] link: &str,
        #[case] want: bool,
    ) {
        let read = archived(name, kind, link);
        assert_eq!(read.is_ok(), want, "{read:?}");
    }
}
