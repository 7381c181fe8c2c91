//! The documents that an environment's services are configured with, read once a run.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use stagegate_base::config::Service;
use stagegate_contract::{ContractError, Document, Files};
use stagegate_host::{
    contract::{ContractSourceError, read_in},
    error::with_causes,
};

use super::service_calls::ServiceCalls;
use crate::trial::Scope;

/// A service and its document.
pub(super) struct Source {
    pub(super) service: Service,
    /// The file, as the configuration names it.
    pub(super) name: String,
    pub(super) calls: Result<Arc<ServiceCalls>, Unusable>,
}

/// Why there is no document.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// There is no such file.
    #[error(
        "{path} does not exist; build it with the release, or remove `contract` of service `{service}` from stagegate.toml"
    )]
    Missing { path: String, service: String },
    /// The file cannot be read.
    #[error("cannot read {path}: {reason}")]
    Unreadable { path: String, reason: String },
    /// The file is read and is no document.
    #[error("{0}")]
    Wrong(#[from] ContractError),
}

/// Returns the services that have a contract, each with its document.
pub(super) fn all(scope: Scope<'_>) -> Vec<Source> {
    let source = |(service, contract): (&Service, &PathBuf)| {
        let (name, environment) = (contract.display().to_string(), &scope.environment.name);
        let document = read(&scope.environment.workdir, contract, &service.name);
        let calls = document.map(|document| Arc::new(ServiceCalls::new(service, environment, &name, document)));
        Source { service: service.clone(), name, calls }
    };
    with_contract(scope).map(source).collect()
}

/// Returns the services with a document that can be used, for suites that ask more of them.
pub(crate) fn documents(scope: Scope<'_>) -> Vec<(Service, Arc<Document>)> {
    let read = |(service, contract): (&Service, &PathBuf)| {
        let document = read(&scope.environment.workdir, contract, &service.name).ok()?;
        Some((service.clone(), document))
    };
    with_contract(scope).filter_map(read).collect()
}

fn with_contract(scope: Scope<'_>) -> impl Iterator<Item = (&Service, &PathBuf)> {
    scope.config.services.values().filter_map(|service| Some((service, service.contract.as_ref()?)))
}

/// The documents that were read so far, with the files that they were read from: several suites ask for the same ones.
static READ: Mutex<Option<HashMap<PathBuf, Read>>> = Mutex::new(None);

/// Files and their document.
type Read = (Files, Arc<Document>);

fn read(workdir: &Path, contract: &Path, service: &str) -> Result<Arc<Document>, Unusable> {
    let path = workdir.join(contract);
    let files = read_in(workdir, contract).map_err(|error| unreadable(&path, service, &error))?;
    // What was put there before a panic is whole.
    let mut all = READ.lock().unwrap_or_else(PoisonError::into_inner);
    let all = all.get_or_insert_default();
    match all.get(&path) {
        Some((of, document)) if *of == files => Ok(Arc::clone(document)),
        _ => {
            let document = Arc::new(Document::of(&files)?);
            all.insert(path, (files, Arc::clone(&document)));
            Ok(document)
        }
    }
}

fn unreadable(path: &Path, service: &str, error: &ContractSourceError) -> Unusable {
    let path = path.display().to_string();
    match error {
        ContractSourceError::File { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            Unusable::Missing { path, service: service.to_owned() }
        }
        ContractSourceError::File { source, .. } => Unusable::Unreadable { path, reason: source.to_string() },
        other => Unusable::Unreadable { path, reason: with_causes(other) },
    }
}
