//! Makes a copy that is complete, synced and compared before it has its name.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, lchown, symlink},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use ring::digest::{Context, SHA256};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, SeekFrom, Timespec, Timestamps, XattrFlags, ioctl_ficlone, lsetxattr, mknodat, seek,
    statvfs, syncfs, utimensat,
};
use stagegate_base::units::Size;
use stagegate_data_decide::volume::{Copied, CopyMethod, CopyRecord, differences};

use super::{at, copy_folder, errno, tree};
use tree::Node;

/// How much of a file is copied at a time.
const BLOCK: usize = 1 << 20;

/// How often a folder is copied that is written meanwhile.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// Copies the folder `from` to `to`, both below `folder`.
pub(super) fn copy(folder: &Path, from: &str, to: &CopyRecord) -> io::Result<Copied> {
    let copied = once(folder, &folder.join(from), to, &mut || ())?;
    copied.ok_or_else(|| {
        io::Error::other(format!("{from} was changed while it was copied: something still writes there"))
    })
}

/// Copies `source`, a folder that others may write, to `to` below `folder`.
///
/// A copy that was changed meanwhile is made again: each file of the one that is returned is whole, and all are of one moment.
pub(super) fn import(folder: &Path, source: &Path, to: &CopyRecord) -> io::Result<Copied> {
    import_while(folder, source, to, &mut || ())
}

/// As [`import`]; `meanwhile` is called each time that everything was read, and before it is compared.
pub(super) fn import_while(
    folder: &Path,
    source: &Path,
    to: &CopyRecord,
    meanwhile: &mut dyn FnMut(),
) -> io::Result<Copied> {
    let nodes = tree::walk(source)?;
    let needed =
        tree::first_names(&nodes).iter().map(|node| (node.meta.blocks() * 512).min(node.meta.size())).sum::<u64>();
    let space = statvfs(folder).map_err(errno(folder))?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    if needed > free {
        let text = format!("it has {}, and there are {} free next to the target's volume", Size(needed), Size(free));
        return Err(io::Error::new(io::ErrorKind::StorageFull, text));
    }
    for attempt in 1..=TRIES {
        match once(folder, source, to, meanwhile) {
            Ok(Some(copied)) => return Ok(copied),
            Ok(None) => {}
            // It was removed between two looks.
            Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < TRIES => {}
            Err(error) => {
                // A part of a copy is no use, and may be what filled the disk.
                let _ = copy_folder::remove(folder, to);
                return Err(error);
            }
        }
        std::thread::sleep(PAUSE);
    }
    copy_folder::remove(folder, to)?;
    Err(io::Error::other(format!(
        "the source was changed each of the {TRIES} times that it was copied; copy it while less is written there"
    )))
}

/// Copies `source` to `to`, and compares; `None` where it was changed meanwhile.
fn once(folder: &Path, source: &Path, to: &CopyRecord, meanwhile: &mut dyn FnMut()) -> io::Result<Option<Copied>> {
    let begun = Instant::now();
    let target = folder.join(to.path());
    copy_folder::remove(folder, to)?;
    copy_folder::mark(folder, to)?;
    let partial = copy_folder::partial(folder, to);
    let nodes = tree::walk(source)?;
    let stamp = tree::stamp(&nodes);
    let made = make(source, &partial, &nodes).and_then(|made| {
        let hashes = made.hashes.iter().map(|(path, hash)| (path.as_path(), hash.clone())).collect();
        Ok((made.way, tree::tree(source, &nodes, &hashes)?))
    });
    meanwhile();
    if tree::stamp(&tree::walk(source)?) != stamp {
        return Ok(None);
    }
    let (way, expected) = made?;
    syncfs(File::open(&partial).map_err(at(&partial))?).map_err(errno(&partial))?;
    let tree = tree::read(&partial, true)?;
    let differs = differences(&expected, &tree);
    if !differs.is_empty() {
        return Err(io::Error::other(format!("the copy differs from {}: {}", source.display(), differs.join("; "))));
    }
    fs::rename(&partial, &target).map_err(at(&target))?;
    copy_folder::sync(folder)?;
    Ok(Some(Copied { tree, source: stamp, way, seconds: begun.elapsed().as_secs_f64() }))
}

/// What was copied, and how.
struct Made {
    way: CopyMethod,
    hashes: HashMap<PathBuf, String>,
}

fn make(source: &Path, target: &Path, nodes: &[Node]) -> io::Result<Made> {
    for node in nodes.iter().filter(|node| node.meta.is_dir()) {
        let folder = target.join(&node.path);
        fs::create_dir(&folder).map_err(at(&folder))?;
    }
    let files = tree::first_names(nodes);
    let copied = tree::each(&files, |node| copy_file(&source.join(&node.path), &target.join(&node.path), node))?;
    let all_shared = copied.iter().all(|(way, _)| *way == CopyMethod::Reflink) && !copied.is_empty();
    let mut first: HashMap<u64, &Node> = HashMap::new();
    for node in nodes.iter().filter(|node| !node.meta.is_dir()) {
        let of = *first.entry(node.meta.ino()).or_insert(node);
        let path = target.join(&node.path);
        if node.meta.is_file() && of.path != node.path {
            fs::hard_link(target.join(&of.path), &path).map_err(at(&path))?;
        } else if !node.meta.is_file() {
            special(&source.join(&node.path), &path, node)?;
        }
    }
    // What is put into a folder changes its time, so the inner ones first.
    for node in nodes.iter().rev().filter(|node| node.meta.is_dir()) {
        describe(&source.join(&node.path), &target.join(&node.path), node)?;
    }
    let hashes = files.iter().zip(copied).map(|(node, (_, hash))| (node.path.clone(), hash)).collect();
    Ok(Made { way: if all_shared { CopyMethod::Reflink } else { CopyMethod::Plain }, hashes })
}

/// Copies a file with its holes, and returns how, and the checksum of what was read.
fn copy_file(from: &Path, to: &Path, node: &Node) -> io::Result<(CopyMethod, String)> {
    let source = File::open(from).map_err(at(from))?;
    let target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(at(to))?;
    // A file system that cannot share blocks refuses; it does not copy in its place.
    // Source: ioctl_ficlone(2).
    let way = match ioctl_ficlone(&target, &source) {
        Ok(()) => CopyMethod::Reflink,
        Err(_) => CopyMethod::Plain,
    };
    let hash = copy_data(&source, (way == CopyMethod::Plain).then_some(&target), node.meta.size()).map_err(at(to))?;
    describe(from, to, node)?;
    Ok((way, hash))
}

/// Reads a file, holes as zeros, and writes what is data to `target`.
fn copy_data(source: &File, target: Option<&File>, size: u64) -> io::Result<String> {
    use std::os::unix::fs::FileExt;
    let mut hasher = Context::new(&SHA256);
    let (mut buffer, zeros, mut position) = (vec![0_u8; BLOCK], vec![0_u8; BLOCK], 0_u64);
    let step = |left: u64| usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
    while position < size {
        // No data follows: a hole up to the end.
        let data = seek(source, SeekFrom::Data(position)).unwrap_or(size).min(size);
        while position < data {
            let length = step(data - position);
            hasher.update(&zeros[..length]);
            position += length as u64;
        }
        let end = if position < size { seek(source, SeekFrom::Hole(position)).unwrap_or(size).min(size) } else { size };
        while position < end {
            let length = step(end - position);
            source.read_exact_at(&mut buffer[..length], position)?;
            hasher.update(&buffer[..length]);
            if let Some(target) = target {
                target.write_all_at(&buffer[..length], position)?;
            }
            position += length as u64;
        }
    }
    if let Some(target) = target {
        target.set_len(size)?;
    }
    Ok(tree::hex(hasher.finish().as_ref()))
}

/// Makes a link, a device, a socket or a pipe.
fn special(from: &Path, to: &Path, node: &Node) -> io::Result<()> {
    let kind = node.meta.file_type();
    if kind.is_symlink() {
        symlink(fs::read_link(from).map_err(at(from))?, to).map_err(at(to))?;
    } else {
        let (kind, mode) = (FileType::from_raw_mode(node.meta.mode()), Mode::from_raw_mode(node.meta.mode() & 0o7777));
        mknodat(CWD, to, kind, mode, node.meta.rdev()).map_err(errno(to))?;
    }
    describe(from, to, node)
}

/// Sets owner, mode, extended attributes and times, in the order in which none undoes another.
fn describe(from: &Path, to: &Path, node: &Node) -> io::Result<()> {
    let meta = &node.meta;
    let now = fs::symlink_metadata(to).map_err(at(to))?;
    if (now.uid(), now.gid()) != (meta.uid(), meta.gid()) {
        lchown(to, Some(meta.uid()), Some(meta.gid())).map_err(at(to))?;
    }
    if !meta.file_type().is_symlink() {
        fs::set_permissions(to, meta.permissions()).map_err(at(to))?;
    }
    for (name, value) in tree::attributes(from)? {
        lsetxattr(to, name.as_str(), &value, XattrFlags::empty()).map_err(errno(to))?;
    }
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps {
        last_access: time(meta.atime(), meta.atime_nsec()),
        last_modification: time(meta.mtime(), meta.mtime_nsec()),
    };
    utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(errno(to))
}
