//! What stands behind a path of a container: where a variable such as POSTGRES_PASSWORD_FILE leads to.

use serde_json::Value;

use super::{Model, unescaped};
use crate::redact::Secret;

/// Where the contents of a file of a container come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    /// A file of this host.
    File(String),
    /// The model itself.
    Content(Secret),
}

impl Model {
    /// Returns what stands behind `path` in the containers of a service: a secret, a config, or what is mounted there.
    // Source: compose-spec, "secrets": a short name is a file in /run/secrets; a target without a slash too.
    #[must_use]
    pub fn behind(&self, service: &str, path: &str) -> Option<Behind> {
        let granted = ["secrets", "configs"].into_iter().find_map(|kind| {
            let entries = self.service(service)[kind].as_array()?;
            let entry = entries.iter().find(|entry| target(entry, kind).as_deref() == Some(path))?;
            let body = &self.0[kind][entry["source"].as_str()?];
            let file = body["file"].as_str().map(|file| Behind::File(file.to_owned()));
            file.or_else(|| Some(Behind::Content(Secret::new(unescaped(body["content"].as_str()?)))))
        });
        granted.or_else(|| {
            let binds = self.binds(service).into_iter().filter_map(|bind| {
                let rest = path.strip_prefix(bind.target.trim_end_matches('/'))?;
                let inside = rest.is_empty() || rest.starts_with('/');
                inside.then(|| (bind.target.len(), format!("{}{rest}", bind.source.trim_end_matches('/'))))
            });
            binds.max_by_key(|(length, _)| *length).map(|(_, path)| Behind::File(path))
        })
    }

    /// Returns the variables of all services that name a file which holds a secret, with the service.
    #[must_use]
    pub fn variables_of_files(&self) -> Vec<(String, String)> {
        let of = |(service, body): (&String, &Value)| {
            let keys = body["environment"].as_object().into_iter().flatten().map(|(key, _)| key);
            let named =
                keys.filter_map(|key| key.strip_suffix(FILE).filter(|name| crate::redact::names_a_secret(name)));
            named.map(|name| (service.clone(), name.to_owned())).collect::<Vec<_>>()
        };
        self.services_map().flat_map(of).collect()
    }

    /// Returns the path in the container that `<key>_FILE` names.
    #[must_use]
    pub fn file_of(&self, service: &str, key: &str) -> Option<String> {
        self.variable(service, &format!("{key}{FILE}")).map(|path| path.expose().to_owned())
    }
}

/// Ending of variables that name a file instead of the value.
// Source: docker-library's images for PostgreSQL, MySQL, Redis and others, "Docker Secrets".
const FILE: &str = "_FILE";

fn target(entry: &Value, kind: &str) -> Option<String> {
    let name = entry["target"].as_str().or_else(|| entry["source"].as_str())?;
    Some(match (name.starts_with('/'), kind) {
        (true, _) => name.to_owned(),
        (false, "secrets") => format!("/run/secrets/{name}"),
        (false, _) => format!("/{name}"),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::secret("/run/secrets/pw", Some(Behind::File("/srv/pw".into())))]
    #[case::short_target("/run/secrets/short", Some(Behind::File("/srv/pw".into())))]
    #[case::own_target("/etc/pw", Some(Behind::Content(Secret::new("a$b"))))]
    #[case::mounted("/mnt/keys/pw", Some(Behind::File("/srv/keys/pw".into())))]
    #[case::the_deepest_mount("/mnt/keys/deep/pw", Some(Behind::File("/other/pw".into())))]
    #[case::of_the_image("/etc/passwd", None)]
    fn a_path_leads_to_what_is_there(#[case] path: &str, #[case] want: Option<Behind>) {
        let model = Model::parse(
            r#"{"services":{"db":{"secrets":[{"source":"pw","target":"/run/secrets/pw"},{"source":"pw","target":"short"}],
                "configs":[{"source":"c","target":"/etc/pw"}],
                "volumes":[{"type":"bind","source":"/srv/keys","target":"/mnt/keys"},
                           {"type":"bind","source":"/other","target":"/mnt/keys/deep"}]}},
              "secrets":{"pw":{"file":"/srv/pw"}},"configs":{"c":{"content":"a$$b"}}}"#,
        )
        .unwrap();
        assert_eq!(model.behind("db", path), want);
    }
}
