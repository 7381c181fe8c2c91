//! The environments side by side, looked at once a run.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use stagegate_base::config::{Config, Database, EPHEMERAL, Kind, Service};
use stagegate_host::error::with_causes;
use stagegate_policy_act::isolation as act;
use stagegate_policy_decide::isolation::{Contained, ReachReport, ServerAddress, Stack, doors, listeners};
use tokio::sync::OnceCell;

use crate::session::Session;

/// This environment and the others.
pub(super) struct Side {
    pub(super) own: Stack,
    pub(super) others: BTreeMap<String, Stack>,
}

/// What is known once somebody has asked.
#[derive(Default)]
pub(super) struct Neighbours {
    stacks: OnceCell<Result<Side, String>>,
    looked: OnceCell<Result<Vec<ReachReport>, String>>,
}

impl Neighbours {
    /// Returns the environments' files and containers.
    ///
    /// # Errors
    /// A text, where the Engine does not answer.
    pub(super) async fn stacks(&self, session: &Session) -> Result<&Side, String> {
        self.stacks.get_or_init(|| read(session)).await.as_ref().map_err(Clone::clone)
    }

    /// Returns what is found from inside of this environment's networks, of all other environments' stores.
    ///
    /// # Errors
    /// A text, where nothing could be asked.
    pub(super) async fn reach_reports(&self, session: &Session) -> Result<&[ReachReport], String> {
        let looked = self.looked.get_or_init(|| async {
            let stacks = self.stacks(session).await?;
            look(session, stacks).await
        });
        looked.await.as_deref().map_err(Clone::clone)
    }
}

async fn read(session: &Session) -> Result<Side, String> {
    let project = &session.project;
    let files = session.files().await;
    let of = |name: String| async move {
        let is_own = name == project.environment.name;
        let model = if is_own { Some(&project.model) } else { files.of(&name).map(|other| &other.model) };
        let compose_name = match project.config.environments.get(&name) {
            Some(other) if !is_own => other.project.clone(),
            _ => project.compose_name().to_owned(),
        };
        let containers = act::containers(&session.engine, &compose_name).await.map_err(|error| with_causes(&error))?;
        Ok::<_, String>((
            name.clone(),
            Stack { environment: name, project: compose_name, model: model.cloned(), containers },
        ))
    };
    let own = &project.environment.name;
    let names = project.config.environments.keys().filter(|name| *name == own || *name != EPHEMERAL);
    let mut others: BTreeMap<String, Stack> =
        join_all(names.cloned().map(of)).await.into_iter().collect::<Result<_, _>>()?;
    let own = others.remove(own).unwrap_or_default();
    Ok(Side { own, others })
}

/// Looks from one container of each set of networks that no other set holds.
async fn look(session: &Session, stacks: &Side) -> Result<Vec<ReachReport>, String> {
    let config = &session.project.config;
    let image = image(session).await?;
    let stores = stores(config);
    let requested =
        vantage_points(&stacks.own).into_iter().map(|from| {
            let own = listeners(&stacks.own, &stores);
            let of = |other: &Stack| places(other, &stores, from);
            let places: Vec<ServerAddress> = own.into_iter().chain(stacks.others.values().flat_map(of)).collect();
            let image = image.clone();
            async move {
                act::reach_report(&session.runner, from, &image, &places).await.map_err(|error| with_causes(&error))
            }
        });
    join_all(requested).await.into_iter().collect()
}

/// Returns where an environment's stores may be found from `from`.
pub(super) fn places(other: &Stack, stores: &[(String, u16)], from: &Contained) -> Vec<ServerAddress> {
    [listeners(other, stores), doors(other, stores, from)].concat()
}

/// Returns the containers that are in networks in which no other one is, with more of them.
pub(super) fn vantage_points(own: &Stack) -> Vec<&Contained> {
    let networks = |c: &Contained| c.networks.keys().cloned().collect::<std::collections::BTreeSet<String>>();
    let running: Vec<&Contained> = own.containers.iter().filter(|c| c.is_running && !c.networks.is_empty()).collect();
    let is_inside = |at: usize, other: usize| {
        let (mine, theirs) = (networks(running[at]), networks(running[other]));
        mine.is_subset(&theirs) && (mine != theirs || other < at)
    };
    let all = 0..running.len();
    all.clone()
        .filter(|at| !all.clone().any(|other| other != *at && is_inside(*at, other)))
        .map(|at| running[at])
        .collect()
}

/// Returns the image of this environment's PostgreSQL: it is here, and has a shell that opens connections.
async fn image(session: &Session) -> Result<String, String> {
    let service = shell(&session.project.config).ok_or("no PostgreSQL service is configured")?;
    let containers = session.containers(&service).await.map_err(|error| with_causes(&error))?;
    let image = containers.into_iter().next().map(|container| container.image);
    image.ok_or_else(|| format!("service `{service}` has no container whose image could run the check"))
}

/// Returns a service whose image can be looked with.
pub(super) fn shell(config: &Config) -> Option<String> {
    let by_kind =
        config.services.values().filter(|service| service.kind == Kind::Postgres).map(|service| &service.name);
    config.databases.values().map(|database| &database.service).chain(by_kind).next().cloned()
}

/// Returns the services that keep data, with their ports.
pub(super) fn stores(config: &Config) -> Vec<(String, u16)> {
    let services = config.services.values().filter(|service| matches!(service.kind, Kind::Postgres | Kind::Redis));
    let services = services.map(|service| (service.name.clone(), service.port));
    let databases = config.databases.values().map(|database| (database.service.clone(), 5432));
    let mut all: BTreeMap<String, u16> = databases.collect();
    all.extend(services);
    all.into_iter().collect()
}

/// Returns the databases that are asked.
pub(super) fn databases(config: &Config) -> Vec<Database> {
    config.databases.values().cloned().collect()
}

/// Returns the Redis services that are asked.
pub(super) fn caches(config: &Config) -> Vec<Service> {
    config.services.values().filter(|service| service.kind == Kind::Redis).cloned().collect()
}
