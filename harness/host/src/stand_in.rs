//! Copies of a stack work on folders of their own: chooses what stands in for each folder of the host that services may
//! write, and fills the volumes.
//!
//! The original's folders are only read. Their content goes to the Engine in an archive, so that nothing that a
//! container's root makes of it lies in a folder of this user's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_base::{
    command::git,
    compose::{Model, StandIn},
    config::{Config, Kind},
};

use crate::{
    engine::{Engine, EngineError},
    mounts,
    process::Runner,
    sockets,
};

/// A folder with more bytes than this is not copied.
const BYTES: u64 = 16 << 20;
/// Nor one with more entries.
const ENTRIES: usize = 5_000;
const LIST_WITHIN: Duration = Duration::from_secs(20);
/// What belongs to the host itself: it is shown to services, never replaced.
const OF_THE_HOST: [&str; 12] = [
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/proc",
    "/root",
    "/run",
    "/sys",
    "/usr",
    "/var/lib/docker",
    "/var/log",
    "/var/run",
];
/// What git and the gate keep in a product's folder.
const LEFT_OUT: [&str; 2] = [".git", ".stagegate"];

/// A volume that could not be filled.
#[derive(Debug, thiserror::Error)]
pub enum StandInError {
    /// The Engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file of the folder.
    #[error("cannot read {} to copy it", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
}

/// Returns the services that the configuration knows to keep data: a copy's ones begin empty.
#[must_use]
pub fn stores(config: &Config) -> BTreeSet<String> {
    let by_kind = config.services.values().filter(|s| matches!(s.kind, Kind::Postgres | Kind::Redis));
    let by_database = config.databases.values().map(|database| &database.service);
    by_kind.map(|service| &service.name).chain(by_database).cloned().collect()
}

/// Returns the model of a copy: what its services may write is theirs.
///
/// A service in `stores`, or of an image of a data server, keeps its settings (what git has, files, scripts of the first
/// start), read-only, and begins without data. Each other one gets a copy of a small folder, and an empty one in the place of
/// a large folder that git does not know (data). Large folders that git knows, the host's own, and single files are read-only.
pub async fn apart(runner: &Runner, model: &Model, stores: &BTreeSet<String>) -> Model {
    let services = model.services();
    let by_image = services.iter().filter(|service| model.is_data_server(service)).cloned();
    let stores: BTreeSet<String> = stores.iter().cloned().chain(by_image).collect();
    let (kept, others): (Vec<&String>, Vec<&String>) = services.iter().partition(|name| stores.contains(*name));
    let of_stores: BTreeSet<String> = kept.iter().flat_map(|name| model.binds(name)).map(|bind| bind.source).collect();
    let mut settings: BTreeSet<String> = mounts::settings(model).intersection(&of_stores).cloned().collect();
    for folder in &of_stores {
        // What a release brings is no data.
        if !settings.contains(folder) && is_known_to_git(runner, Path::new(folder)).await {
            settings.insert(folder.clone());
        }
    }
    let written = others.iter().flat_map(|name| model.binds(name)).filter(|bind| !bind.read_only);
    let written: BTreeSet<String> = written.map(|bind| bind.source).filter(|one| !settings.contains(one)).collect();
    let with_sockets = sockets::mounted(model);
    let mut stand_ins = BTreeMap::new();
    for folder in written.difference(&with_sockets) {
        if let Some(stand_in) = choose(runner, Path::new(folder)).await {
            stand_ins.insert(folder.clone(), stand_in);
        }
    }
    model.with_read_only(&settings).sealed(&stores, &stand_ins)
}

/// Returns what stands in for a folder; `None` where it is mounted itself, read-only.
async fn choose(runner: &Runner, folder: &Path) -> Option<StandIn> {
    if !folder.exists() {
        return Some(StandIn::Empty);
    }
    let is_of_the_host = |path: &&str| folder.starts_with(path) || Path::new(path).starts_with(folder);
    if !folder.is_dir() || OF_THE_HOST.iter().any(is_of_the_host) {
        return None;
    }
    match size(folder) {
        Ok(Size::Small) => Some(StandIn::Content),
        // As good as it gets: whoever may not read it cannot copy it.
        Err(_) => None,
        Ok(Size::Large) => (!is_known_to_git(runner, folder).await).then_some(StandIn::Empty),
    }
}

/// Returns whether git has a file in a folder.
async fn is_known_to_git(runner: &Runner, folder: &Path) -> bool {
    if !folder.is_dir() {
        return false;
    }
    let listed = runner.run(&git::tracked(folder, Path::new(".")), LIST_WITHIN).await;
    listed.is_ok_and(|output| output.code == 0 && !output.stdout.is_empty())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Small,
    Large,
}

fn size(folder: &Path) -> io::Result<Size> {
    let (mut bytes, mut entries, mut open) = (0, 0, vec![folder.to_path_buf()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next)? {
            let entry = entry?;
            let found = entry.metadata()?;
            if LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            if found.is_dir() {
                open.push(entry.path());
            } else if found.is_file() {
                bytes += found.len();
                fs::File::open(entry.path())?;
            }
            entries += 1;
            if bytes > BYTES || entries > ENTRIES {
                return Ok(Size::Large);
            }
        }
    }
    Ok(Size::Small)
}

/// Makes the volumes of a copy that stand in for folders ([`apart`]), before its services are started.
///
/// # Errors
/// [`StandInError`] where a folder cannot be read, or the Engine refuses.
pub async fn fill(engine: &Engine, model: &Model) -> Result<(), StandInError> {
    for stood in model.stand_in_volumes() {
        if stood.folder.is_dir() {
            let (folder, stand_in) = (stood.folder.clone(), stood.stand_in);
            let packed = tokio::task::spawn_blocking(move || pack(&folder, stand_in)).await.map_err(io::Error::other);
            let archive = packed.and_then(|packed| packed);
            let archive = archive.map_err(|source| StandInError::Folder { folder: stood.folder.clone(), source })?;
            engine.fill_volume(model.project(), &stood, archive).await?;
        }
    }
    Ok(())
}

/// Returns an archive of a folder's content, or of the folder alone, with owners and rights.
fn pack(folder: &Path, stand_in: StandIn) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.follow_symlinks(false);
    archive.append_dir(".", folder)?;
    let mut open = match stand_in {
        StandIn::Content => vec![PathBuf::new()],
        StandIn::Empty => Vec::new(),
    };
    while let Some(inside) = open.pop() {
        for entry in fs::read_dir(folder.join(&inside))? {
            let entry = entry?;
            let (kind, name) = (entry.file_type()?, inside.join(entry.file_name()));
            let is_left_out = LEFT_OUT.iter().any(|left_out| entry.file_name() == *left_out);
            if is_left_out || !(kind.is_dir() || kind.is_file() || kind.is_symlink()) {
                continue;
            }
            match archive.append_path_with_name(entry.path(), &name) {
                // Someone who works in the original may remove files meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                appended => appended?,
            }
            if kind.is_dir() {
                open.push(name);
            }
        }
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("stagegate-stand-in-{name}-{}", std::process::id()));
        fs::create_dir_all(dir.join("deep")).unwrap();
        dir
    }

    #[tokio::test]
    async fn a_small_folder_is_copied_and_a_large_one_of_data_begins_empty() {
        let dir = folder("choose");
        let runner = Runner::default();
        fs::write(dir.join("deep/settings"), "a").unwrap();
        assert_eq!(choose(&runner, &dir).await, Some(StandIn::Content));
        fs::File::create(dir.join("deep/large")).unwrap().set_len(BYTES).unwrap();
        assert_eq!(choose(&runner, &dir).await, Some(StandIn::Empty));
        let git = |args: &[&str]| std::process::Command::new("git").arg("-C").arg(&dir).args(args).output().unwrap();
        git(&["init", "-q"]);
        git(&["add", "deep/settings"]);
        assert_eq!(choose(&runner, &dir).await, None, "the release's own files");
        assert_eq!(choose(&runner, &dir.join("deep/settings")).await, None, "a file");
        assert_eq!(choose(&runner, &dir.join("missing")).await, Some(StandIn::Empty));
        assert_eq!(choose(&runner, Path::new("/")).await, None);
        assert_eq!(choose(&runner, Path::new("/etc")).await, None);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn an_archive_has_files_folders_and_links_and_nothing_of_git() {
        let dir = folder("pack");
        fs::create_dir_all(dir.join(".git")).unwrap();
        fs::write(dir.join(".git/config"), "").unwrap();
        fs::write(dir.join("deep/file"), "content").unwrap();
        symlink("/nowhere", dir.join("link")).unwrap();
        let names = |stand_in| {
            let packed = pack(&dir, stand_in).unwrap();
            let mut archive = tar::Archive::new(packed.as_slice());
            let entries = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
            entries.map(|name| name.trim_end_matches('/').to_owned()).collect::<BTreeSet<_>>()
        };
        assert_eq!(names(StandIn::Content), BTreeSet::from([".", "deep", "deep/file", "link"].map(str::to_owned)));
        assert_eq!(names(StandIn::Empty), BTreeSet::from([".".to_owned()]));
        fs::remove_dir_all(&dir).unwrap();
    }
}
