//! The folder next to a live one that holds its copies: what is in it, and removing that.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Instant,
};

use rustix::fs::{fdatasync, ioctl_ficlone, statvfs};
use stagegate_data_decide::volume::{CopyMethod, CopyRecord, KEPT_FOLDER, Probe};

use super::{at, errno, tree};

/// How much is written to find out how fast that is.
const PROBED: usize = 16 << 20;

/// Looks at the live folder, at its file system and at what runs kept.
pub(super) fn probe(folder: &Path, live: &str) -> io::Result<Probe> {
    let path = folder.join(live);
    let meta = fs::symlink_metadata(&path).map_err(at(&path))?;
    if meta.dev() != fs::metadata(folder).map_err(at(folder))?.dev() {
        let text = "it is mounted from another file system, so no copy next to it could take its place; list a folder \
                    in it, or set `rollback = false`";
        return Err(io::Error::new(io::ErrorKind::CrossesDevices, text));
    }
    let nodes = tree::walk(&path)?;
    let files = tree::first_names(&nodes);
    let space = statvfs(folder).map_err(errno(folder))?;
    let (way, rate) = tried(folder)?;
    Ok(Probe {
        // What is allocated: holes take no space in a copy either.
        bytes: files.iter().map(|node| (node.meta.blocks() * 512).min(node.meta.size().next_multiple_of(4096))).sum(),
        entries: nodes.len().saturating_sub(1) as u64,
        device: meta.dev(),
        free: space.f_bavail.saturating_mul(space.f_frsize),
        way,
        rate,
        kept: list(folder, live)?,
    })
}

/// Tries with real files whether blocks can be shared, and how fast a file is written.
fn tried(folder: &Path) -> io::Result<(CopyMethod, u64)> {
    let dir = create(folder)?;
    let paths = [dir.join("probe-1"), dir.join("probe-2")];
    let tried = || {
        let open = |path: &PathBuf| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(true).open(path).map_err(at(path))
        };
        let (mut first, second) = (open(&paths[0])?, open(&paths[1])?);
        let begun = Instant::now();
        first.write_all(&vec![0x5a; PROBED]).map_err(at(&paths[0]))?;
        fdatasync(&first).map_err(errno(&paths[0]))?;
        let rate = PROBED as f64 / begun.elapsed().as_secs_f64().max(1e-6);
        let way = if ioctl_ficlone(&second, &first).is_ok() { CopyMethod::Reflink } else { CopyMethod::Plain };
        Ok((way, rate as u64))
    };
    let outcome = tried();
    for path in &paths {
        let _ = fs::remove_file(path);
    }
    outcome
}

/// Makes the folder for copies, hidden from git.
fn create(folder: &Path) -> io::Result<PathBuf> {
    let dir = folder.join(KEPT_FOLDER);
    match fs::create_dir(&dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(&dir)(error)),
        _ => {}
    }
    // Copies of files that only their owner may read are nobody else's either.
    fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)).map_err(at(&dir))?;
    fs::write(dir.join(".gitignore"), "*\n").map_err(at(&dir))?;
    Ok(dir)
}

fn mark_file(folder: &Path, kept: &CopyRecord) -> PathBuf {
    folder.join(KEPT_FOLDER).join(format!("{}.json", kept.name))
}

/// Returns where a copy is made before it has its name.
pub(super) fn partial(folder: &Path, kept: &CopyRecord) -> PathBuf {
    folder.join(KEPT_FOLDER).join(format!("{}.partial", kept.name))
}

/// Writes down what a folder is going to be, before it is made.
pub(super) fn mark(folder: &Path, kept: &CopyRecord) -> io::Result<()> {
    create(folder)?;
    let path = mark_file(folder, kept);
    let mut file = File::create(&path).map_err(at(&path))?;
    file.write_all(&serde_json::to_vec(kept)?).map_err(at(&path))?;
    file.sync_all().map_err(at(&path))?;
    sync(folder)
}

/// Syncs the names of the kept folders and that of the live one.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    for dir in [folder.join(KEPT_FOLDER), folder.to_path_buf()] {
        File::open(&dir).and_then(|file| file.sync_all()).map_err(at(&dir))?;
    }
    Ok(())
}

/// Returns the folders that runs kept of a live one: those of which it is written what they are.
pub(super) fn list(folder: &Path, live: &str) -> io::Result<Vec<CopyRecord>> {
    let dir = folder.join(KEPT_FOLDER);
    let mut kept = Vec::new();
    let entries = match fs::read_dir(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(kept),
        entries => entries.map_err(at(&dir))?,
    };
    for entry in entries {
        let path = entry.map_err(at(&dir))?.path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let text = fs::read(&path).map_err(at(&path))?;
        let Ok(found) = serde_json::from_slice::<CopyRecord>(&text) else { continue };
        if found.of == live && mark_file(folder, &found) == path && folder.join(found.path()).is_dir() {
            kept.push(found);
        }
    }
    kept.sort();
    Ok(kept)
}

/// Removes a kept folder, whole or partial. One without the very mark is somebody else's, and is an error.
pub(super) fn remove(folder: &Path, kept: &CopyRecord) -> io::Result<()> {
    let (path, partial, mark) = (folder.join(kept.path()), partial(folder, kept), mark_file(folder, kept));
    let is_there = path.symlink_metadata().is_ok() || partial.symlink_metadata().is_ok();
    let written = fs::read(&mark).ok().and_then(|text| serde_json::from_slice::<CopyRecord>(&text).ok());
    if written.as_ref() != Some(kept) {
        let text = format!("{} is there, but not as this run's; move it elsewhere", path.display());
        return if is_there { Err(io::Error::new(io::ErrorKind::AlreadyExists, text)) } else { Ok(()) };
    }
    // A removal that breaks off must not leave what looks like a whole copy.
    if path.symlink_metadata().is_ok() {
        let _ = fs::remove_dir_all(&partial);
        fs::rename(&path, &partial).map_err(at(&path))?;
    }
    match fs::remove_dir_all(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&partial)(error)),
        _ => {}
    }
    fs::remove_file(&mark).map_err(at(&mark))?;
    sync(folder)
}
