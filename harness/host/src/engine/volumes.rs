//! Volumes as facts: where they lie, and which running containers mount them.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
};

use bollard::{
    models::{ContainerCreateBody, HostConfig, MountPoint, VolumeCreateRequest},
    query_parameters::{
        CreateContainerOptions, ListContainersOptionsBuilder, RemoveVolumeOptions, UploadToContainerOptionsBuilder,
    },
};
use stagegate_base::compose::StandInVolume;

use super::{Engine, EngineError, ONE_OFF_LABEL, PROJECT_LABEL, SERVICE_LABEL, is_missing, refused};

const VOLUME_LABEL: &str = "com.docker.compose.volume";
/// Where a volume is mounted that files are copied into.
const FILLED: &str = "/stagegate-content";

/// A volume as the Engine describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeFacts {
    /// `local`, or the name of a plugin.
    pub driver: String,
    /// Its folder on the Engine's host.
    pub mountpoint: PathBuf,
    /// Options of the driver, such as `type`, `o` and `device`.
    pub options: BTreeMap<String, String>,
}

/// A mount of a container that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningMount {
    /// The container's name.
    pub container: String,
    /// Its compose project; empty without one.
    pub project: String,
    /// Its compose service; empty without one.
    pub service: String,
    /// The volume's name; empty where it is a folder of the host.
    pub volume: String,
    /// The folder of the host.
    pub source: PathBuf,
    /// Where it is in the container.
    pub target: PathBuf,
    /// Whether the container can write there.
    pub writes: bool,
}

impl Engine {
    /// Returns a volume, `None` where it does not exist.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn volume(&self, name: &str) -> Result<Option<VolumeFacts>, EngineError> {
        match self.docker.inspect_volume(name).await {
            Ok(volume) => Ok(Some(VolumeFacts {
                driver: volume.driver,
                mountpoint: volume.mountpoint.into(),
                options: volume.options.into_iter().collect(),
            })),
            Err(error) if is_missing(&error) => Ok(None),
            Err(source) => Err(refused("inspect a volume")(source)),
        }
    }

    /// Removes a volume that no container mounts; returns whether it is gone.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn remove_unused_volume(&self, name: &str) -> Result<bool, EngineError> {
        match self.docker.remove_volume(name, None::<RemoveVolumeOptions>).await {
            Ok(()) => Ok(true),
            Err(error) if is_missing(&error) => Ok(true),
            // The Engine keeps what a container mounts.
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 409, .. }) => Ok(false),
            Err(source) => Err(refused("remove a volume")(source)),
        }
    }

    /// Returns the mounts of all containers that run, paused ones included.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn running_mounts(&self) -> Result<Vec<RunningMount>, EngineError> {
        let filters = HashMap::from([("status", vec!["running", "paused", "restarting"])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listed = self.docker.list_containers(Some(options)).await.map_err(refused("list containers"))?;
        let mut mounts = Vec::new();
        for container in listed {
            let label = |key: &str| container.labels.as_ref().and_then(|all| all.get(key)).cloned().unwrap_or_default();
            let name = container.names.iter().flatten().next().cloned().unwrap_or_default();
            let one = |mount: MountPoint| RunningMount {
                container: name.trim_start_matches('/').to_owned(),
                project: label(PROJECT_LABEL),
                service: label(SERVICE_LABEL),
                volume: mount.name.unwrap_or_default(),
                source: mount.source.unwrap_or_default().into(),
                target: mount.destination.unwrap_or_default().into(),
                writes: mount.rw.unwrap_or(true),
            };
            mounts.extend(container.mounts.clone().into_iter().flatten().map(one));
        }
        Ok(mounts)
    }
}

impl Engine {
    /// Makes a volume of a compose project and unpacks an archive (tar) into it. No program runs.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer or refuses.
    pub async fn fill_volume(&self, project: &str, stood: &StandInVolume, archive: Vec<u8>) -> Result<(), EngineError> {
        let what = || format!("fill a volume for {}", stood.folder.display());
        let mut labels: HashMap<String, String> = stood.labels.clone().into_iter().collect();
        labels.insert(PROJECT_LABEL.to_owned(), project.to_owned());
        let of_volume = labels.clone().into_iter().chain([(VOLUME_LABEL.to_owned(), stood.key.clone())]).collect();
        let volume =
            VolumeCreateRequest { name: Some(stood.volume.clone()), labels: Some(of_volume), ..Default::default() };
        self.docker.create_volume(volume).await.map_err(refused(&what()))?;
        // Files get into a volume by a container that mounts it; it is never started.
        labels.insert(ONE_OFF_LABEL.to_owned(), "True".to_owned());
        let config = ContainerCreateBody {
            image: Some(stood.image.clone()),
            entrypoint: Some(vec!["true".to_owned()]),
            labels: Some(labels),
            host_config: Some(HostConfig {
                binds: Some(vec![format!("{}:{FILLED}:nocopy", stood.volume)]),
                ..Default::default()
            }),
            ..Default::default()
        };
        let container =
            self.docker.create_container(None::<CreateContainerOptions>, config).await.map_err(refused(&what()))?.id;
        let options = UploadToContainerOptionsBuilder::default().path(FILLED).build();
        let sent = self.docker.upload_to_container(&container, Some(options), bollard::body_full(archive.into())).await;
        // With the volumes that the image asks for; one that has a name stays.
        let removed = self.remove_with_volumes(&container).await;
        sent.map_err(refused(&what()))?;
        removed
    }
}
