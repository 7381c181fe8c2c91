//! The documents that an environment's services are configured with, read once a run.

use std::{io, path::Path, sync::Arc};

use stagegate_decide::{
    config::Service,
    contract::{ContractError, Document, Format},
};

use super::book::Book;
use crate::trial::Scope;

/// A service and its document.
pub(super) struct Source {
    pub(super) service: Service,
    /// The file, as the configuration names it.
    pub(super) name: String,
    pub(super) book: Result<Arc<Book>, Unusable>,
}

/// Why there is no document.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// There is no such file.
    #[error(
        "{path} is not there; build it with the release, or take `contract` of service `{service}` out of stagegate.toml"
    )]
    Missing { path: String, service: String },
    /// The file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Unreadable { path: String, reason: String },
    /// The file is read and is no document.
    #[error("{0}")]
    Wrong(#[from] ContractError),
}

/// Returns the services that have a contract, each with its document.
pub(super) fn all(scope: Scope<'_>) -> Vec<Source> {
    let with_contract =
        scope.config.services.values().filter_map(|service| Some((service, service.contract.as_ref()?)));
    let source = |(service, contract): (&Service, &std::path::PathBuf)| {
        let (name, environment) = (contract.display().to_string(), &scope.environment.name);
        let document = read(&scope.environment.workdir.join(contract), &service.name);
        let book = document.map(|document| Arc::new(Book::new(service, environment, &name, Arc::new(document))));
        Source { service: service.clone(), name, book }
    };
    with_contract.map(source).collect()
}

fn read(path: &Path, service: &str) -> Result<Document, Unusable> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Unusable::Missing { path: shown, service: service.to_owned() },
        _ => Unusable::Unreadable { path: shown, reason: error.to_string() },
    })?;
    Ok(Document::parse(&text, Format::of(path))?)
}
