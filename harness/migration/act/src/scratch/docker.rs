//! A scratch server in a container: of the environment's own image, so that the major is right.

use std::collections::HashMap;

use stagegate_base::container::State;
use testcontainers::{
    ContainerAsync, GenericImage, ImageExt, bollard::models::PortBinding, core::Mount, runners::AsyncRunner,
};
use tokio_postgres::Config as PgConfig;

use super::{SETTINGS, START_WITHIN, ServerHandle, ServerSpec, Started, leftover::LABEL, random};
use stagegate_host::{engine::Engine, error::with_causes, owner::Claim};

pub(super) type Container = ContainerAsync<GenericImage>;

/// Where the data lies: in memory.
const MEMORY: &str = "/stagegate-scratch";
const PORT: &str = "5432/tcp";

pub(super) async fn start(name: &str, claim: &Claim, wish: &ServerSpec) -> Result<Started, String> {
    let engine = Engine::connect().await.map_err(|error| with_causes(&error))?;
    let image = chosen(&engine, &wish.images).await?;
    let password = random().map_err(|error| error.to_string())?;
    let container = request(&image, name, claim, wish, &password)
        .start()
        .await
        .map_err(|error| format!("cannot start a container of {image}: {}", with_causes(&error)))?;
    let found = engine.inspect(name).await.map_err(|error| with_causes(&error))?;
    let addresses = found.map(|found| found.reach(5432)).unwrap_or_default();
    if addresses.is_empty() {
        return Err(format!("the container of {image} has no address"));
    }
    let mut access = PgConfig::new();
    access.user(wish.role()).password(password);
    for address in addresses {
        access.host(address.ip().to_string()).port(address.port());
    }
    Ok(Started { access, how: ServerHandle::Docker { container: Box::new(container), image } })
}

/// Returns the first image that this host has, else the first one, which is pulled then.
async fn chosen(engine: &Engine, images: &[String]) -> Result<String, String> {
    for image in images {
        if engine.image(image).await.map_err(|error| with_causes(&error))?.is_some() {
            return Ok(image.clone());
        }
    }
    images.first().cloned().ok_or_else(|| "no PostgreSQL image is known".to_owned())
}

fn request(
    image: &str,
    name: &str,
    claim: &Claim,
    spec: &ServerSpec,
    password: &str,
) -> testcontainers::ContainerRequest<GenericImage> {
    // Digests and ids have their colon in the right place too.
    let (repository, tag) = match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (image, "latest"),
    };
    let settings = SETTINGS.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]);
    let command = std::iter::once("postgres".to_owned()).chain(spec.arguments.iter().cloned()).chain(settings);
    let request = GenericImage::new(repository, tag)
        .with_cmd(command)
        .with_container_name(name)
        .with_label(LABEL, claim.label())
        .with_env_var("POSTGRES_USER", spec.role())
        .with_env_var("POSTGRES_DB", super::MAINTENANCE)
        .with_env_var("POSTGRES_PASSWORD", password)
        .with_env_var("POSTGRES_INITDB_ARGS", "--no-sync")
        .with_env_var("PGDATA", format!("{MEMORY}/data"))
        .with_startup_timeout(START_WITHIN)
        .with_host_config_modifier(|host| {
            let here = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some("0".to_owned()) };
            host.publish_all_ports = Some(false);
            host.port_bindings = Some(HashMap::from([(PORT.to_owned(), Some(vec![here]))]));
        });
    // Elsewhere the folder is part of the container's own layer, and goes with it.
    if spec.on_disk { request } else { request.with_mount(Mount::tmpfs_mount(MEMORY)) }
}

/// Returns the last words of a container that has ended.
pub(super) async fn ended(engine: &Engine, name: &str) -> Option<String> {
    let found = engine.inspect(name).await.ok()?;
    match found {
        None => Some("it is gone".to_owned()),
        Some(container) if matches!(container.state, State::Running | State::Created) => None,
        Some(container) => {
            let logs = engine.last_logs(&container.id, 5).await.unwrap_or_default();
            let lines: Vec<&str> = logs.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            Some(format!("exit code {}, {}", container.exit_code, lines.join(" | ")))
        }
    }
}
