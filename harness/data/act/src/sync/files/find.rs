//! Where volumes are on both sides, and what refuses to copy them.

use std::path::{Path, PathBuf};

use stagegate_base::config::VolumePlace;
use stagegate_data_decide::sync::files::FileVolume;
use stagegate_host::{
    engine::{Engine, RunningMount},
    project::Project,
};

use super::FilesError;
use crate::volume::place::{absolute, database_server, folder_of};

/// Finds the volumes `ids` of `[volumes]` in both environments.
///
/// # Errors
/// [`FilesError`] by name: a volume that one side does not have, one that both share, the data of a database, one that a container
/// of another project can write to.
pub async fn find(
    engine: &Engine,
    (source, target): (&Project, &Project),
    ids: &[String],
) -> Result<Vec<FileVolume>, FilesError> {
    let mut all = Vec::new();
    for id in ids {
        let Some(volume) = source.config.volumes.get(id) else {
            return Err(FilesError::Refused(format!("volume `{id}` is not in [volumes]")));
        };
        let (_, from) = folder(engine, source, id, &volume.place).await?;
        let (name, to) = folder(engine, target, id, &volume.place).await?;
        if from.starts_with(&to) || to.starts_with(&from) {
            let (one, other) = (&source.environment.name, &target.environment.name);
            return Err(FilesError::Refused(format!(
                "volume `{id}` of `{one}` is that of `{other}` ({}); give each environment its own",
                to.display()
            )));
        }
        if let Some(server) = [source, target].iter().find_map(|side| database_server(side, &volume.place)) {
            return Err(FilesError::Refused(format!(
                "volume `{id}` is the data of {server}, whose databases are copied by themselves; list the others in [sync]: \
                 files = [..]"
            )));
        }
        let live = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(parent) = to.parent().filter(|_| !live.is_empty()).map(Path::to_path_buf) else {
            return Err(FilesError::Refused(format!("volume `{id}` is {}, which cannot be replaced", to.display())));
        };
        all.push(FileVolume { id: id.clone(), source: from, volume: name, parent, live });
    }
    containers(&engine.running_mounts().await?, &all, target.compose_name())?;
    Ok(all)
}

/// Returns the containers of `project` that use a volume, which are stopped while it is exchanged.
///
/// # Errors
/// [`FilesError::Refused`] with a container of another project that can write to one.
pub(super) fn containers(
    mounts: &[RunningMount],
    volumes: &[FileVolume],
    project: &str,
) -> Result<Vec<String>, FilesError> {
    let mut stopped: Vec<String> = Vec::new();
    for one in volumes {
        let path = one.path();
        let is_of = |mount: &&RunningMount| {
            (!one.volume.is_empty() && mount.volume == one.volume) || mount.source.starts_with(&path)
        };
        if let Some(other) = mounts.iter().filter(is_of).find(|mount| mount.project != project && mount.writes) {
            return Err(FilesError::Refused(format!(
                "container {} of another project can write to volume `{}`; stop it",
                other.container, one.id
            )));
        }
        // The Engine's list names no folder for a volume, and every path begins with an empty one.
        let is_above = |mount: &RunningMount| !mount.source.as_os_str().is_empty() && path.starts_with(&mount.source);
        let uses = |mount: &&RunningMount| mount.project == project && (is_of(mount) || is_above(mount));
        stopped.extend(mounts.iter().filter(uses).map(|mount| mount.container.clone()));
    }
    stopped.sort();
    stopped.dedup();
    Ok(stopped)
}

/// Returns the volume's name, empty for a folder, and the folder of this host with its files.
async fn folder(
    engine: &Engine,
    project: &Project,
    id: &str,
    place: &VolumePlace,
) -> Result<(String, PathBuf), FilesError> {
    let environment = &project.environment.name;
    let refused = |why: String| FilesError::Refused(format!("volume `{id}` {why}"));
    let start = format!("start it once: gate up --env {environment}");
    let key = match place {
        VolumePlace::Named(key) => key,
        VolumePlace::Folder(path) => {
            let folder = absolute(&project.environment.workdir, path);
            if project.environment.workdir.starts_with(&folder) {
                return Err(refused(format!("is the workdir of `{environment}`; list the folder in it")));
            }
            if !folder.is_dir() {
                return Err(refused(format!("({}) does not exist in `{environment}`; {start}", folder.display())));
            }
            return Ok((String::new(), folder.canonicalize().unwrap_or(folder)));
        }
    };
    let Some(name) = project.model.volume_name(key) else {
        return Err(refused(format!("is not in the compose files of `{environment}`, which have no volume `{key}`")));
    };
    match engine.volume(name).await? {
        None => Err(refused(format!("({name}) does not exist in `{environment}`; {start}"))),
        Some(facts) => {
            let folder = folder_of(&facts).map_err(|why| refused(format!("({name}) {why}, and is not copied")))?;
            Ok((name.to_owned(), folder))
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::of_the_target("shop", "shop_uploads", "/v/shop_uploads/_data", true, Ok(1))]
    #[case::reads_only("shop", "shop_uploads", "/v/shop_uploads/_data", false, Ok(1))]
    #[case::folder_above("shop", "", "/v", true, Ok(1))]
    #[case::something_else("shop", "shop_cache", "/v/shop_cache/_data", true, Ok(0))]
    #[case::of_which_no_folder_is_known("shop", "shop_cache", "", true, Ok(0))]
    #[case::other_project_writes("other", "shop_uploads", "/v/shop_uploads/_data", true, Err(()))]
    #[case::other_project_reads("other", "shop_uploads", "/v/shop_uploads/_data", false, Ok(0))]
    fn what_uses_a_volume_is_stopped_and_foreign_writers_refuse(
        #[case] project: &str,
        #[case] volume: &str,
        #[case] source: &str,
        #[case] writes: bool,
        #[case] want: Result<usize, ()>,
    ) {
        let mount = RunningMount {
            container: "c".into(),
            project: project.into(),
            service: "s".into(),
            volume: volume.into(),
            source: source.into(),
            target: "/data".into(),
            writes,
        };
        let one = FileVolume {
            id: "uploads".into(),
            source: "/v/live_uploads/_data".into(),
            volume: "shop_uploads".into(),
            parent: "/v/shop_uploads".into(),
            live: "_data".into(),
        };
        let found = containers(&[mount.clone(), mount], &[one], "shop");
        assert_eq!(found.map(|all| all.len()).map_err(drop), want);
    }
}
