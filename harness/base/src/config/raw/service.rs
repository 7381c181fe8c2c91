//! A service as it is written, and the way from it to [`Service`].

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::{
    super::{BreakingChanges, ConfigError, Kind, MAX_BODY, Service, TokenSource, port::Port},
    Reader,
};
use crate::units::Size;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawService {
    kind: Option<Kind>,
    port: Option<Port>,
    health: Option<Spanned<String>>,
    version: Option<Spanned<String>>,
    contract: Option<PathBuf>,
    served_contract: Option<Spanned<String>>,
    token_variable: Option<String>,
    token_login: Option<String>,
    max_body: Option<Size>,
    #[serde(default)]
    breaking_changes: BreakingChanges,
    base_path: Option<String>,
    host: Option<String>,
    one_shot: Option<bool>,
}

impl RawService {
    /// Returns whether a check would ask the service something.
    fn is_probed(&self) -> bool {
        let paths = [&self.health, &self.version, &self.served_contract].map(Option::is_some);
        let others = [self.kind.is_some(), self.port.is_some(), self.contract.is_some(), self.host.is_some()];
        paths.contains(&true) || others.contains(&true) || self.base_path.is_some()
    }
}

impl Reader<'_> {
    /// Reads the services that stay; the mistakes of all of them are one error.
    pub(super) fn services(
        &self,
        raw: &BTreeMap<String, Spanned<RawService>>,
    ) -> Result<BTreeMap<String, Service>, ConfigError> {
        let (mut services, mut wrong) = (BTreeMap::new(), Vec::new());
        for (name, service) in raw.iter().filter(|(_, service)| service.get_ref().one_shot != Some(true)) {
            match self.service(name, service) {
                Ok(service) => drop(services.insert(name.clone(), service)),
                Err(error) => wrong.push(error),
            }
        }
        ConfigError::all(wrong).map_or(Ok(services), Err)
    }

    fn service(&self, name: &str, raw: &Spanned<RawService>) -> Result<Service, ConfigError> {
        let service = raw.get_ref();
        if !is_service(name) {
            let message = format!("service name `{name}` cannot be used as a compose service name");
            return Err(self.error(raw.span().start, message, "use letters, digits, `.`, - and _"));
        }
        let http = service.health.is_some() || service.contract.is_some() || service.version.is_some();
        let http = http || service.served_contract.is_some();
        let kind = service.kind.unwrap_or(if http { Kind::Http } else { Kind::Tcp });
        let port = match (service.port, kind) {
            (Some(Port(port)), _) => port,
            (None, Kind::Postgres) => 5432,
            (None, Kind::Redis) => 6379,
            (None, _) => {
                let message = format!("service `{name}` has no port");
                return Err(self.error(raw.span().start, message, "add `port = ...`, the port inside the container"));
            }
        };
        for path in [&service.health, &service.version, &service.served_contract].into_iter().flatten() {
            let (at, path) = (path.span().start, path.get_ref());
            if !path.starts_with('/') {
                let message = format!("service `{name}`: path `{path}` does not begin with `/`");
                return Err(self.error(at, message, path_hint(path)));
            }
        }
        if let Some(host) = service.host.as_deref().filter(|host| !is_host(host)) {
            let message = format!("service `{name}`: `{host}` is no host name");
            return Err(self.error(
                raw.span().start,
                message,
                "write a name such as \"shop.example\", with its port where it has one",
            ));
        }
        let token = TokenSource::read(service.token_variable.as_deref(), service.token_login.as_deref());
        let token = token
            .map_err(|(message, hint)| self.error(raw.span().start, format!("service `{name}`: {message}"), hint))?;
        Ok(Service {
            name: name.to_owned(),
            kind,
            port,
            health: service.health.clone().map(Spanned::into_inner),
            version: service.version.clone().map(Spanned::into_inner),
            contract: service.contract.clone(),
            served_contract: service.served_contract.clone().map(Spanned::into_inner),
            token,
            max_body: service.max_body.unwrap_or(MAX_BODY),
            breaking_changes: service.breaking_changes,
            base_path: service.base_path.as_ref().map(|path| path.trim_end_matches('/').to_owned()),
            host: service.host.clone(),
        })
    }

    /// Returns which services somebody calls one-shot, or states that they are not; one that ends answers nobody.
    pub(super) fn one_shot(
        &self,
        raw: &BTreeMap<String, Spanned<RawService>>,
    ) -> Result<BTreeMap<String, bool>, ConfigError> {
        let mut all = BTreeMap::new();
        for (name, service) in raw {
            let Some(one_shot) = service.get_ref().one_shot else { continue };
            if one_shot && service.get_ref().is_probed() {
                let message = format!("service `{name}` is one_shot, so that nothing listens there when it has exited");
                return Err(self.error(service.span().start, message, "remove its other keys, or `one_shot`"));
            }
            all.insert(name.clone(), one_shot);
        }
        Ok(all)
    }
}

/// Returns what to write in the place of a path without `/`. Of a URL the path is meant: host and port are the service's own.
fn path_hint(path: &str) -> String {
    let Some((_, rest)) = path.split_once("://") else { return format!("write \"/{path}\"") };
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    format!("write \"{path}\": the path alone, on the service's own `port`")
}

/// Returns whether Compose takes a text for a service's name; it also becomes the name of a folder.
// Source: the Compose file's schema, "^[a-zA-Z0-9._-]+$".
fn is_service(text: &str) -> bool {
    text.chars().any(|c| c != '.') && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Returns whether a text can stand in a Host header.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c))
}
