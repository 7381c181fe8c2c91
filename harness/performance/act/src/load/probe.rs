//! A configured probe, made ready to be asked of one environment's containers.

use stagegate_base::{
    compose::Model,
    config::{Budget, Config, Load as Wanted, Probe, Target},
    container::Container,
};

use super::{Aim, AimError, Call, Extent, Load, Pace, Query, Subject};
use stagegate_host::{http::Request, probe::postgres::Login};

/// Connections that a rate may use: more requests than this are never under way at once.
const CONNECTIONS: usize = 64;

/// Why a probe cannot be asked here.
#[derive(Debug, thiserror::Error)]
pub enum NoSubject {
    /// There is nothing that load may go to.
    #[error(transparent)]
    Aim(#[from] AimError),
    /// The configuration does not know what the probe names; it is checked when it is read.
    #[error("probe `{probe}` names `{named}`, which stagegate.toml does not have")]
    Unknown {
        /// The probe.
        probe: String,
        /// What it names.
        named: String,
    },
    /// A workflow is not one request, and is made ready by [`super::Flow`].
    #[error("probe `{probe}` is a workflow; it cannot be measured as a single request")]
    Workflow {
        /// The probe.
        probe: String,
    },
}

/// Makes a probe ready to be asked of an environment: `containers` and `model` are those of its project.
///
/// # Errors
/// [`NoSubject`] with what is missing.
pub fn subject(config: &Config, probe: &Probe, containers: &[Container], model: &Model) -> Result<Subject, NoSubject> {
    let unknown = |named: &str| NoSubject::Unknown { probe: probe.name.clone(), named: named.to_owned() };
    match &probe.target {
        Target::Http { service, method, path, headers, body } => {
            let known = config.services.get(service).ok_or_else(|| unknown(service))?;
            let port = known.port;
            let mut request = Request::new(method, path);
            request.headers = known.headers();
            request.headers.extend(headers.iter().map(|(name, value)| (name.clone(), value.clone())));
            request.body = body.as_ref().map(|text| text.clone().into_bytes());
            Ok(Subject::Http(Call::new(&Aim::at_service(containers, service, port)?, &request, None)))
        }
        Target::Sql { database, sql } => {
            let known = config.databases.get(database).ok_or_else(|| unknown(database))?;
            let port = config.services.get(&known.service).map_or(5432, |service| service.port);
            let aim = Aim::at_service(containers, &known.service, port)?;
            Ok(Subject::Sql(Query::new(&aim, &Login::of(model, known), sql)))
        }
        Target::Workflow { .. } => Err(NoSubject::Workflow { probe: probe.name.clone() }),
    }
}

/// Returns the load by which a probe's absolute limits are checked.
#[must_use]
pub fn load(probe: &Probe) -> Load {
    Load {
        pace: match probe.load {
            Wanted::Rate(per_second) => Pace::Rate { per_second, connections: CONNECTIONS },
            Wanted::Concurrency(clients) => Pace::Concurrency(usize::try_from(clients).unwrap_or(usize::MAX)),
        },
        extent: match probe.budget {
            Budget::Samples(requests) => Extent::Requests(requests),
            Budget::Time(time) => Extent::For(time.0),
        },
        timeout: probe.timeout.0,
    }
}
