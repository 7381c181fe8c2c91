//! Where the files of a volume or folder are on this host, and whose data they are.

use std::path::{Component, Path, PathBuf};

use stagegate_base::config::{Kind, VolumePlace};
use stagegate_host::{engine::VolumeFacts, project::Project};

/// A volume whose files are not in a folder of this host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is of driver `{driver}` with options, not a folder of this host")]
pub struct NotAFolder {
    /// The driver.
    pub driver: String,
}

/// Returns the folder of a volume of the driver `local`, a bind mount included.
///
/// # Errors
/// [`NotAFolder`], whose text follows the volume's name.
pub fn folder_of(facts: &VolumeFacts) -> Result<PathBuf, NotAFolder> {
    let option = |key: &str| facts.options.get(key).map(String::as_str).unwrap_or_default();
    let is_bind = option("o").split(',').any(|word| matches!(word, "bind" | "rbind"));
    match (facts.driver.as_str(), facts.options.is_empty()) {
        ("local", true) => Ok(facts.mountpoint.clone()),
        ("local", false) if is_bind && Path::new(option("device")).is_absolute() => Ok(PathBuf::from(option("device"))),
        (driver, _) => Err(NotAFolder { driver: driver.to_owned() }),
    }
}

/// Returns the folder as Compose writes it: without `.` and `..`, links as they are.
#[must_use]
pub fn absolute(workdir: &Path, path: &Path) -> PathBuf {
    workdir.join(path).components().fold(PathBuf::new(), |mut folder, part| {
        match part {
            Component::ParentDir => drop(folder.pop()),
            Component::CurDir => {}
            part => folder.push(part),
        }
        folder
    })
}

/// Returns the service of the database's server that a volume or folder is the data of.
#[must_use]
pub fn database_server(project: &Project, place: &VolumePlace) -> Option<String> {
    let mounting = match place {
        VolumePlace::Named(key) => project.model.mounting_volume(key),
        VolumePlace::Folder(path) => project.model.mounting_folder(&absolute(&project.environment.workdir, path)),
    };
    let config = &project.config;
    let is_server = |service: &String| {
        config.databases.values().any(|database| database.service == *service)
            || config.services.get(service).is_some_and(|found| found.kind == Kind::Postgres)
    };
    mounting.into_iter().map(|one| one.service).find(is_server)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("local", &[], Some("/volumes/a/_data"))]
    #[case::bind("local", &[("type", "none"), ("o", "bind"), ("device", "/srv/a")], Some("/srv/a"))]
    #[case::nfs("local", &[("type", "nfs"), ("o", "addr=1.2.3.4"), ("device", ":/a")], None)]
    #[case::plugin("rclone", &[], None)]
    fn only_a_folder_of_this_host_can_be_exchanged(
        #[case] driver: &str,
        #[case] options: &[(&str, &str)],
        #[case] want: Option<&str>,
    ) {
        let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let facts = VolumeFacts { driver: driver.into(), mountpoint: "/volumes/a/_data".into(), options };
        assert_eq!(folder_of(&facts).ok(), want.map(PathBuf::from));
    }

    #[test]
    fn a_folder_is_compared_as_compose_writes_it() {
        let workdir = Path::new("/srv/production");
        assert_eq!(absolute(workdir, Path::new("./../shared/./files/")), Path::new("/srv/shared/files"));
        assert_eq!(absolute(workdir, Path::new("/data")), Path::new("/data"));
    }
}
