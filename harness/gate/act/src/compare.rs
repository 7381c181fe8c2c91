//! Two environments as facts, to be set side by side.
//!
//! What cannot be read of one of them is a reason in its place; only an environment that cannot be resolved is an error.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use stagegate_base::{
    compose::PROXY_SERVICE,
    config::{Config, Probe, Service, Target},
    container::{Container, State},
    redact::Secret,
};
use stagegate_contract::Files;
use stagegate_gate_decide::compare::{ServiceSide, Side, Times};

use stagegate_host::{
    contract,
    database::Server,
    engine::{Engine, EngineError},
    error::with_causes,
    http::{Http, Request},
    paths::StateDir,
    process::Runner,
    project::{Project, ProjectError},
    release::{self, ReleaseError},
    waivers::WaiversError,
};
use stagegate_performance_act::resources;

/// How many responses a probe is timed by, on each side.
const ANSWERS: usize = 40;
/// How many characters of a version are kept.
const VERSION: usize = 80;
/// How long a version may take.
const WITHIN: Duration = Duration::from_secs(5);
/// The label by which images tell the commit that they were built from.
// Source: OCI image specification, annotations.
const REVISION_LABEL: &str = "org.opencontainers.image.revision";

/// Why environments cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// An environment cannot be resolved.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Docker does not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The record of what was deployed cannot be read.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The waivers cannot be used.
    #[error(transparent)]
    Waivers(#[from] WaiversError),
}

/// Reads one environment: containers, variables, schemas, contracts, versions; neither suites nor times.
///
/// # Errors
/// [`CompareError`] where it cannot be resolved or Docker does not answer.
pub async fn side(engine: &Engine, config: &Arc<Config>, environment: &str) -> Result<Side, CompareError> {
    let project = Project::load(&Runner::default(), config, environment).await?;
    let containers = running(project.containers(engine).await?);
    let deployed = release::deployed(&StateDir::of(config, project.compose_name()))?;
    let mut services = BTreeMap::new();
    // The proxy is the environment's, not the release's.
    for name in project.model.services().into_iter().filter(|name| name != PROXY_SERVICE) {
        let container = containers.iter().find(|container| container.service == name);
        services.insert(name.clone(), service(engine, &project, &name, container).await?);
    }
    for usage in resources::now(engine, &containers).await? {
        if let Some(service) = services.get_mut(&usage.service) {
            service.cpu_percent = Some(usage.cpu * 100.0);
            service.memory_bytes = Some(usage.memory);
        }
    }
    let mut variables = BTreeMap::new();
    for file in &project.environment.env_files {
        let text = fs::read_to_string(file).map_err(|source| CompareError::File { path: file.clone(), source })?;
        variables.extend(env_file(&text));
    }
    Ok(Side {
        environment: environment.to_owned(),
        release: deployed.map(|deployed| deployed.release),
        services,
        variables,
        schemas: schemas(engine, &project).await,
        contracts: contracts(&project),
        ..Side::default()
    })
}

fn running(containers: Vec<Container>) -> Vec<Container> {
    containers.into_iter().filter(|c| c.state == State::Running && !c.one_off).collect()
}

async fn service(
    engine: &Engine,
    project: &Project,
    name: &str,
    container: Option<&Container>,
) -> Result<ServiceSide, EngineError> {
    let mut side = ServiceSide { variables: project.model.variables(name), ..ServiceSide::default() };
    let Some(container) = container else { return Ok(side) };
    side.image = Some(container.image.clone());
    let image = engine.image_details(&container.image).await?.unwrap_or_default();
    side.commit = image["Config"]["Labels"][REVISION_LABEL].as_str().map(str::to_owned);
    if let Some(path) = project.config.services.get(name).and_then(|s| Some((s, s.version.clone()?))) {
        side.version = Some(version(container, path.0, &path.1).await);
    }
    Ok(side)
}

async fn version(container: &Container, service: &Service, path: &str) -> Result<String, String> {
    let http = Http::shared().map_err(|error| with_causes(&error))?.deadline(WITHIN);
    let requested = http
        .send_first(&container.reach(service.port), &Request { headers: service.headers(), ..Request::get(path) })
        .await;
    let (_, response) = requested.map_err(|error| with_causes(&error))?;
    if !(200..300).contains(&response.status) {
        return Err(format!("GET {path}: {}", response.status));
    }
    let text = response.text();
    // A version that comes as JSON is reported by its fields, so that a line can be compared by eye.
    let line = match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(fields)) => fields
            .iter()
            .map(|(key, value)| format!("{key} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect::<Vec<_>>()
            .join(", "),
        _ => text.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    Ok(line.chars().take(VERSION).collect())
}

async fn schemas(
    engine: &Engine,
    project: &Project,
) -> BTreeMap<String, Result<stagegate_migration_decide::schema::Facts, String>> {
    let mut all = BTreeMap::new();
    for (id, database) in &project.config.databases {
        let read = match Server::of(project, engine, database, "stagegate/compare").await {
            Ok(server) => stagegate_migration_act::catalog::schema_of(&server, &database.name).await,
            Err(error) => Err(error),
        };
        all.insert(id.clone(), read.map_err(|error| with_causes(&error)));
    }
    all
}

fn contracts(project: &Project) -> BTreeMap<String, Result<Files, String>> {
    let read = |service: &Service| {
        let files = contract::read_in(&project.environment.workdir, service.contract.as_deref()?);
        Some((service.name.clone(), files.map_err(|error| with_causes(&error))))
    };
    project.config.services.values().filter_map(read).collect()
}

/// Reads the variables of an env file: `NAME=value` a line, `#` in front of remarks, quotes around a value taken off.
#[must_use]
pub fn env_file(text: &str) -> BTreeMap<String, Secret> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| {
            let key = key.trim().trim_start_matches("export ").trim().to_owned();
            let value = value.trim();
            let quoted = ['"', '\''].into_iter().find_map(|q| value.strip_prefix(q)?.strip_suffix(q));
            (key, Secret::new(quoted.unwrap_or(value)))
        })
        .collect()
}

/// Times the probes that read, and the health path of each HTTP service, on both sides in turns, so that both see the same weather.
///
/// # Errors
/// [`CompareError`] where an environment cannot be resolved or Docker does not answer.
pub async fn time(engine: &Engine, config: &Arc<Config>, a: &mut Side, b: &mut Side) -> Result<(), CompareError> {
    let left = running(engine.project(&config.environment(&a.environment).map_err(ProjectError::from)?.project).await?);
    let right =
        running(engine.project(&config.environment(&b.environment).map_err(ProjectError::from)?.project).await?);
    for (name, service, request) in probes(config) {
        let of = |containers: &[Container]| {
            let container = containers.iter().find(|container| container.service == service.name);
            container.map(|container| container.reach(service.port))
        };
        let (mut first, mut second) = (Timed::new(of(&left)), Timed::new(of(&right)));
        for round in 0..ANSWERS {
            // Who is first changes, too.
            let order = if round % 2 == 0 { [&mut first, &mut second] } else { [&mut second, &mut first] };
            for timed in order {
                timed.send(&request).await;
            }
        }
        a.times.insert(name.clone(), first.end());
        b.times.insert(name, second.end());
    }
    Ok(())
}

/// Returns what is timed: the probes of `[[performance]]` that only read over HTTP, and the health paths.
fn probes(config: &Config) -> Vec<(String, &Service, Request)> {
    let of_probe = |probe: &Probe| {
        let Target::Http { service, method, path, headers, .. } = &probe.target else { return None };
        let service = config.services.get(service).filter(|_| method == "GET")?;
        let request = headers
            .iter()
            .fold(Request { headers: service.headers(), ..Request::get(path) }, |request, (name, value)| {
                request.header(name, value)
            });
        Some((probe.name.clone(), service, request))
    };
    let of_health = |service: &'_ Service| {
        let path = service.health.as_ref()?;
        let request = Request { headers: service.headers(), ..Request::get(path) };
        Some((format!("{} GET {path}", service.name), request))
    };
    let measured = config.performance.iter().filter_map(of_probe);
    let healthy = config.services.values().filter_map(|s| of_health(s).map(|(name, request)| (name, s, request)));
    measured.chain(healthy).collect()
}

/// The times of one side of a probe.
struct Timed {
    addresses: Result<Vec<SocketAddr>, String>,
    durations_ms: Vec<f64>,
}

impl Timed {
    fn new(addresses: Option<Vec<SocketAddr>>) -> Self {
        let addresses = addresses.ok_or_else(|| "no running container".to_owned());
        Timed { addresses, durations_ms: Vec::with_capacity(ANSWERS) }
    }

    async fn send(&mut self, request: &Request) {
        let Ok(addresses) = &self.addresses else { return };
        let begun = Instant::now();
        match Http::shared() {
            Ok(http) => match http.send_first(addresses, request).await {
                Ok((_, answer)) if answer.status < 400 => {
                    self.durations_ms.push(begun.elapsed().as_secs_f64() * 1_000.0);
                }
                Ok((_, answer)) => {
                    self.addresses = Err(format!("{} {}: {}", request.method, request.path, answer.status))
                }
                Err(error) => self.addresses = Err(with_causes(&error)),
            },
            Err(error) => self.addresses = Err(with_causes(&error)),
        }
    }

    fn end(self) -> Result<Times, String> {
        self.addresses?;
        Times::of(self.durations_ms).ok_or_else(|| "no response".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_file_is_names_and_values() {
        let read = env_file("# A=1\nA=2\n export B = \"x y\" \nC='z'\nnot a pair\nD=\n");
        let shown: Vec<(&str, &str)> = read.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
        assert_eq!(shown, [("A", "2"), ("B", "x y"), ("C", "z"), ("D", "")]);
    }
}
