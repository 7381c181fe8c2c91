//! Where the containers of a project keep data, and what of it is still there after they were removed.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::engine::{Engine, EngineError};

/// Volumes, and folders and files of the host, that containers of a project can write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// The volumes' names.
    pub volumes: BTreeSet<String>,
    /// Paths on the host, each with the service that mounts it.
    pub paths: BTreeSet<(String, String)>,
}

/// Looks at the containers and labelled volumes of a project.
///
/// # Errors
/// [`EngineError`] where the Engine does not answer.
pub async fn of_project(engine: &Engine, project: &str) -> Result<Storage, EngineError> {
    let mut storage = of_details(&engine.project_details(project).await?);
    storage.volumes.extend(engine.volumes_of(project).await?);
    Ok(storage)
}

/// Splits volumes into those that are gone and those that are still there, such as external ones.
///
/// # Errors
/// [`EngineError`] where the Engine does not answer.
pub async fn removed_and_remaining(
    engine: &Engine,
    storage: &Storage,
) -> Result<(Vec<String>, Vec<String>), EngineError> {
    let (mut gone, mut left) = (Vec::new(), Vec::new());
    for name in &storage.volumes {
        if engine.has_volume(name).await? { left.push(name.clone()) } else { gone.push(name.clone()) }
    }
    Ok((gone, left))
}

fn of_details(containers: &[Value]) -> Storage {
    let mut storage = Storage::default();
    for container in containers {
        let service = container["Config"]["Labels"]["com.docker.compose.service"].as_str().unwrap_or_default();
        for mount in container["Mounts"].as_array().into_iter().flatten() {
            let text = |key: &str| mount[key].as_str().unwrap_or_default().to_owned();
            match mount["Type"].as_str() {
                Some("volume") => drop(storage.volumes.insert(text("Name"))),
                // The Engine's socket and the like hold no data of the product.
                Some("bind") if mount["RW"] == true && !text("Source").ends_with(".sock") => {
                    storage.paths.insert((text("Source"), service.to_owned()));
                }
                _ => {}
            }
        }
    }
    storage
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn volumes_and_writable_paths_are_storage_and_read_only_settings_are_not() {
        let container = json!({
            "Config": { "Labels": { "com.docker.compose.service": "db" } },
            "Mounts": [
                { "Type": "volume", "Name": "shop_data", "RW": true },
                { "Type": "bind", "Source": "/srv/pg", "RW": true },
                { "Type": "bind", "Source": "/srv/pg.conf", "RW": false },
                { "Type": "bind", "Source": "/var/run/docker.sock", "RW": true },
                { "Type": "tmpfs", "Destination": "/tmp" },
            ],
        });
        let storage = of_details(&[container]);
        assert_eq!(storage.volumes, BTreeSet::from(["shop_data".to_owned()]));
        assert_eq!(storage.paths, BTreeSet::from([("/srv/pg".to_owned(), "db".to_owned())]));
    }
}
