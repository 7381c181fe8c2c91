//! The documents that an environment's services are configured with, read once a run.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use stagegate_base::config::Service;
use stagegate_contract::{ContractError, Document, Format};

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
        let document = read(&scope.environment.workdir.join(contract), &service.name);
        let calls = document.map(|document| Arc::new(ServiceCalls::new(service, environment, &name, document)));
        Source { service: service.clone(), name, calls }
    };
    with_contract(scope).map(source).collect()
}

/// Returns the services with a document that can be used, for suites that ask more of them.
pub(crate) fn documents(scope: Scope<'_>) -> Vec<(Service, Arc<Document>)> {
    let read = |(service, contract): (&Service, &PathBuf)| {
        let document = read(&scope.environment.workdir.join(contract), &service.name).ok()?;
        Some((service.clone(), document))
    };
    with_contract(scope).filter_map(read).collect()
}

fn with_contract(scope: Scope<'_>) -> impl Iterator<Item = (&Service, &PathBuf)> {
    scope.config.services.values().filter_map(|service| Some((service, service.contract.as_ref()?)))
}

/// The documents that were read so far, with the texts that they were read from: several suites ask for the same ones.
static READ: Mutex<Option<HashMap<PathBuf, Read>>> = Mutex::new(None);

/// A text and its document.
type Read = (String, Arc<Document>);

fn read(path: &Path, service: &str) -> Result<Arc<Document>, Unusable> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Unusable::Missing { path: shown, service: service.to_owned() },
        _ => Unusable::Unreadable { path: shown, reason: error.to_string() },
    })?;
    // What was put there before a panic is whole.
    let mut all = READ.lock().unwrap_or_else(PoisonError::into_inner);
    let all = all.get_or_insert_default();
    match all.get(path) {
        Some((of, document)) if *of == text => Ok(Arc::clone(document)),
        _ => {
            let document = Arc::new(Document::parse(&text, Format::of(path))?);
            all.insert(path.to_owned(), (text, Arc::clone(&document)));
            Ok(document)
        }
    }
}
