//! Reads what a folder holds.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, Metadata},
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use ring::digest::{Context, SHA256};
use rustix::fs::{SeekFrom, lgetxattr, llistxattr, seek};
use stagegate_data_decide::volume::{ArchivedEntry, Tree, TreeEntry};

use super::{at, errno};

/// How many files are read or copied at the same time.
const PARALLEL: usize = 4;
/// The largest value of an extended attribute. Source: Linux, XATTR_SIZE_MAX.
const ATTRIBUTE_BYTES: usize = 64 << 10;
/// Labels of the host's own confinement, not of the product's files.
const NOT_OURS: [&str; 2] = ["security.selinux", "security.ima"];

/// An entry with its path below the top; that of the top is empty.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) path: PathBuf,
    pub(super) meta: Metadata,
}

impl Node {
    /// Returns the path as it is written in a tree.
    pub(super) fn name(&self) -> String {
        match self.path.to_str() {
            Some("") => ".".to_owned(),
            Some(text) => text.to_owned(),
            None => self.path.as_os_str().as_bytes().escape_ascii().to_string(),
        }
    }
}

/// Lists a folder with all below it, each folder before what is in it.
pub(super) fn walk(top: &Path) -> io::Result<Vec<Node>> {
    let meta = fs::symlink_metadata(top).map_err(at(top))?;
    if !meta.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{} is not a folder", top.display())));
    }
    let device = meta.dev();
    let mut nodes = vec![Node { path: PathBuf::new(), meta }];
    let mut next = 0;
    while let Some(node) = nodes.get(next) {
        next += 1;
        if !node.meta.is_dir() {
            continue;
        }
        let (path, folder) = (node.path.clone(), top.join(&node.path));
        if node.meta.dev() != device {
            let text = format!("{} is another file system; what is mounted there is not copied", folder.display());
            return Err(io::Error::new(io::ErrorKind::CrossesDevices, text));
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            names.push(entry.map_err(at(&folder))?.file_name());
        }
        names.sort();
        for name in names {
            let full = folder.join(&name);
            nodes.push(Node { path: path.join(name), meta: fs::symlink_metadata(&full).map_err(at(&full))? });
        }
    }
    Ok(nodes)
}

/// Returns what the file system reports of all entries, as one checksum.
///
/// When the top itself was changed is no part of it: to be renamed changes that.
pub(super) fn stamp(nodes: &[Node]) -> String {
    let mut hasher = Context::new(&SHA256);
    for Node { path, meta } in nodes {
        let changed = if path.as_os_str().is_empty() { (0, 0) } else { (meta.ctime(), meta.ctime_nsec()) };
        hasher.update(path.as_os_str().as_bytes());
        let facts = format!(
            "\0{} {} {:o} {} {} {} {} {:?}\n",
            meta.ino(),
            meta.size(),
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.mtime(),
            meta.mtime_nsec(),
            changed
        );
        hasher.update(facts.as_bytes());
    }
    hex(hasher.finish().as_ref())
}

/// Reads a folder, with the checksums of its files where `contents`.
pub(super) fn read(top: &Path, contents: bool) -> io::Result<Tree> {
    let nodes = walk(top)?;
    let files: Vec<&Node> = if contents { first_names(&nodes) } else { Vec::new() };
    let hashed = each(&files, |node| hash(&top.join(&node.path)))?;
    let hashes = files.iter().zip(hashed).map(|(node, hash)| (node.path.as_path(), hash)).collect();
    tree(top, &nodes, &hashes)
}

/// Returns the files, each by the first of its names.
pub(super) fn first_names(nodes: &[Node]) -> Vec<&Node> {
    let mut seen = std::collections::HashSet::new();
    nodes.iter().filter(|node| node.meta.is_file() && seen.insert(node.meta.ino())).collect()
}

/// Describes what was listed; `hashes` are those of the files' first names.
pub(super) fn tree(top: &Path, nodes: &[Node], hashes: &HashMap<&Path, String>) -> io::Result<Tree> {
    let mut first: HashMap<u64, &Node> = HashMap::new();
    let mut entries = BTreeMap::new();
    for node in nodes {
        let of = *first.entry(node.meta.ino()).or_insert(node);
        let same_as = (node.meta.is_file() && of.path != node.path).then(|| of.name());
        let content = hashes.get(of.path.as_path()).cloned().unwrap_or_default();
        entries.insert(node.name(), entry(top, node, content, same_as)?);
    }
    let root = nodes.first().map(|node| node.meta.ino()).unwrap_or_default();
    Ok(Tree { entries, root, stamp: stamp(nodes) })
}

fn entry(top: &Path, node: &Node, hash: String, same_as: Option<String>) -> io::Result<TreeEntry> {
    let (path, meta) = (top.join(&node.path), &node.meta);
    let kind = meta.file_type();
    let (kind, size, content) = if kind.is_file() {
        ("file", meta.size(), hash)
    } else if kind.is_dir() {
        ("folder", 0, String::new())
    } else if kind.is_symlink() {
        let leads = fs::read_link(&path).map_err(at(&path))?;
        ("link", 0, leads.as_os_str().as_bytes().escape_ascii().to_string())
    } else {
        ("other", 0, format!("{:o} {}", meta.mode() & 0o170_000, meta.rdev()))
    };
    let owner = (u64::from(meta.uid()), u64::from(meta.gid()));
    let entry = ArchivedEntry { kind: kind.to_owned(), mode: meta.mode() & 0o7777, owner, size, content };
    let values = attributes(&path)?.into_iter();
    Ok(TreeEntry {
        entry,
        modified: (meta.mtime(), meta.mtime_nsec()),
        attributes: values.map(|(name, value)| (name, hex(ring::digest::digest(&SHA256, &value).as_ref()))).collect(),
        same_as,
        sparse: kind == "file" && meta.blocks() * 512 < meta.size() && has_holes(&path, meta.size()),
    })
}

/// Returns whether a file has a hole before its end.
fn has_holes(path: &Path, size: u64) -> bool {
    File::open(path).is_ok_and(|file| seek(&file, SeekFrom::Hole(0)).is_ok_and(|at| at < size))
}

/// Reads the extended attributes of an entry, access lists included.
pub(super) fn attributes(path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut names = vec![0_u8; ATTRIBUTE_BYTES];
    let length = match llistxattr(path, &mut names) {
        Ok(length) => length,
        Err(rustix::io::Errno::NOTSUP) => return Ok(Vec::new()),
        Err(error) => return Err(errno(path)(error)),
    };
    let mut all = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = String::from_utf8_lossy(name).into_owned();
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        let mut value = vec![0_u8; ATTRIBUTE_BYTES];
        let length = lgetxattr(path, name.as_str(), &mut value).map_err(errno(path))?;
        value.truncate(length);
        all.push((name, value));
    }
    Ok(all)
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hasher = Context::new(&SHA256);
    let mut file = File::open(path).map_err(at(path))?;
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        match io::Read::read(&mut file, &mut buffer).map_err(at(path))? {
            0 => return Ok(hex(hasher.finish().as_ref())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Does some work for each item, several at a time, and returns what it gave in the items' order.
pub(super) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> io::Result<R> + Sync) -> io::Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { return Ok(done) };
            done.push((number, work(item)?));
        }
    };
    let mut all: Vec<(usize, R)> = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..PARALLEL.min(items.len())).map(|_| scope.spawn(worker)).collect();
        for thread in threads {
            let done: io::Result<Vec<(usize, R)>> = thread.join().unwrap_or_else(|_| Err(io::Error::other("panicked")));
            all.extend(done?);
        }
        Ok::<(), io::Error>(())
    })?;
    all.sort_by_key(|(number, _)| *number);
    Ok(all.into_iter().map(|(_, result)| result).collect())
}
