//! Makes a copy that is complete, synced and compared before it has its name.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, lchown, symlink},
    path::{Path, PathBuf},
    time::Instant,
};

use ring::digest::{Context, SHA256};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, SeekFrom, Timespec, Timestamps, XattrFlags, ioctl_ficlone, lsetxattr, mknodat, seek,
    syncfs, utimensat,
};
use stagegate_data_decide::volume::{Copied, CopyMethod, Kept, differences};

use super::{at, errno, kept, tree};
use tree::Node;

/// How much of a file is copied at a time.
const BLOCK: usize = 1 << 20;

/// Copies the folder `from` to `to`, both below `folder`.
pub(super) fn copy(folder: &Path, from: &str, to: &Kept) -> io::Result<Copied> {
    let begun = Instant::now();
    let (source, target) = (folder.join(from), folder.join(to.path()));
    kept::remove(folder, to)?;
    kept::mark(folder, to)?;
    let partial = kept::partial(folder, to);
    let nodes = tree::walk(&source)?;
    let way = make(&source, &partial, &nodes)?;
    let hashes = way.hashes.iter().map(|(path, hash)| (path.as_path(), hash.clone())).collect();
    let expected = tree::tree(&source, &nodes, &hashes)?;
    let stamp = tree::stamp(&nodes);
    if tree::stamp(&tree::walk(&source)?) != stamp {
        return Err(io::Error::other(format!("{from} was changed while it was copied: something still writes there")));
    }
    syncfs(File::open(&partial).map_err(at(&partial))?).map_err(errno(&partial))?;
    let tree = tree::read(&partial, true)?;
    let differs = differences(&expected, &tree);
    if !differs.is_empty() {
        return Err(io::Error::other(format!("the copy of {from} differs from it: {}", differs.join("; "))));
    }
    fs::rename(&partial, &target).map_err(at(&target))?;
    kept::sync(folder)?;
    Ok(Copied { tree, source: stamp, way: way.way, seconds: begun.elapsed().as_secs_f64() })
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
