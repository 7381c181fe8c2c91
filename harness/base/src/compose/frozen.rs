//! What Compose reads from its surroundings at `up`, made a part of the model: active profiles, and secrets and configs
//! that come from variables.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Model, unescaped};
use crate::redact::Secret;

/// Marks a config of the model that was a secret of the user's.
const WAS_SECRET: &str = "x-stagegate-secret";
/// Marks a config of the model whose contents came from a variable.
const WAS_VARIABLE: &str = "x-stagegate-variable";

/// A secret or config whose contents Compose takes from a variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FromVariable {
    /// `secrets` or `configs`.
    pub kind: &'static str,
    /// Its name in the model.
    pub name: String,
    /// The variable.
    pub variable: String,
}

impl Model {
    /// Returns the model in which exactly the services of `active` are started by a plain `up`: they lose their
    /// profiles, and no profile or variable is needed any more.
    #[must_use]
    pub fn activated(&self, active: &BTreeSet<String>) -> Model {
        self.changed(|name, service| {
            if active.contains(name) {
                service.remove("profiles");
            }
        })
    }

    /// Returns the profiles of a service that is not active.
    #[must_use]
    pub fn profiles(&self, name: &str) -> Vec<&str> {
        self.service(name)["profiles"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Returns the services that are started, or whose image is pinned: those whose images a start needs.
    #[must_use]
    pub fn with_images(&self) -> Vec<String> {
        let services = self.services().into_iter();
        services.filter(|name| !self.has_profile(name) || self.image(name).starts_with("sha256:")).collect()
    }

    /// Returns the secrets and configs of active services that Compose takes from variables.
    #[must_use]
    pub fn from_variables(&self) -> BTreeSet<FromVariable> {
        let mut found = BTreeSet::new();
        for kind in ["secrets", "configs"] {
            let active = self.services_map().filter(|(name, _)| !self.has_profile(name));
            for entry in active.flat_map(|(_, service)| service[kind].as_array().into_iter().flatten()) {
                let name = entry["source"].as_str().unwrap_or_default();
                if let Some(variable) = self.0[kind][name]["environment"].as_str() {
                    found.insert(FromVariable { kind, name: name.to_owned(), variable: variable.to_owned() });
                }
            }
        }
        found
    }

    /// Returns the model with the contents of secrets and configs that came from variables.
    ///
    /// `values` are by variable, escaped as Compose prints them. A secret cannot hold its contents in a compose file, so
    /// it becomes a config at the secret's place: Compose copies both into the container in the same way.
    // Source: compose-spec: `secrets` know `file` and `environment`, `configs` know `content` as well.
    #[must_use]
    pub fn with_contents(&self, values: &BTreeMap<String, String>) -> Model {
        let found: Vec<FromVariable> =
            self.from_variables().into_iter().filter(|from| values.contains_key(&from.variable)).collect();
        let secrets: BTreeSet<&str> = found.iter().filter(|f| f.kind == "secrets").map(|f| f.name.as_str()).collect();
        let mut model = self.changed(|_, service| moved(service, &secrets));
        for FromVariable { kind, name, variable } in &found {
            let known = self.0[*kind][name]["name"].as_str();
            let mut config = json!({ "content": values[variable], WAS_VARIABLE: variable });
            if let Some(known) = known {
                config["name"] = json!(known);
            }
            if *kind == "secrets" {
                config[WAS_SECRET] = json!(true);
            }
            if let Some(top) = model.0[*kind].as_object_mut() {
                top.remove(name);
            }
            model.0["configs"][key_of(kind, name)] = config;
        }
        model
    }

    /// Returns the contents that a service's configs got from variables, one after another, where there are any.
    #[must_use]
    pub fn contents(&self, service: &str) -> String {
        let names = self.service(service)["configs"].as_array().into_iter().flatten();
        let configs = names.filter_map(|config| Some(&self.0["configs"][config["source"].as_str()?]));
        let contents = configs.filter(|config| config[WAS_VARIABLE].is_string()).filter_map(|c| c["content"].as_str());
        contents.collect::<Vec<_>>().join("\0")
    }

    /// Returns the contents of secrets that came from variables.
    pub(super) fn secret_contents(&self) -> impl Iterator<Item = Secret> {
        let configs = self.0["configs"].as_object().into_iter().flatten();
        configs
            .filter(|(_, config)| config[WAS_SECRET] == true)
            .filter_map(|(_, config)| config["content"].as_str())
            .map(|text| Secret::new(unescaped(text)))
    }
}

/// Returns a name that no config of the user's has, where a secret becomes one.
fn key_of(kind: &str, name: &str) -> String {
    if kind == "secrets" { format!("stagegate-secret-{name}") } else { name.to_owned() }
}

/// Moves a service's use of `secrets` to its configs, at the same place in the container.
fn moved(service: &mut Map<String, Value>, secrets: &BTreeSet<&str>) {
    let is_moved = |entry: &Value| entry["source"].as_str().is_some_and(|name| secrets.contains(name));
    let used = service.get_mut("secrets").and_then(Value::as_array_mut);
    let Some(used) = used else { return };
    let (gone, kept): (Vec<Value>, Vec<Value>) = used.drain(..).partition(is_moved);
    *used = kept;
    if used.is_empty() {
        service.remove("secrets");
    }
    if gone.is_empty() {
        return;
    }
    let configs = service.entry("configs").or_insert_with(|| json!([]));
    for mut entry in gone {
        let name = entry["source"].as_str().unwrap_or_default().to_owned();
        let target = entry["target"].as_str().unwrap_or(&name);
        let place = if target.starts_with('/') { target.to_owned() } else { format!("/run/secrets/{target}") };
        entry["target"] = json!(place);
        entry["source"] = json!(key_of("secrets", &name));
        if let Some(configs) = configs.as_array_mut() {
            configs.push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        Model::parse(
            r#"{"name":"shop","services":{
                "web":{"profiles":["full"],"secrets":[{"source":"key","target":"/run/secrets/api"},{"source":"file"}],
                       "configs":[{"source":"motd"}]},
                "debug":{"profiles":["debug"],"secrets":[{"source":"key"}]},
                "db":{}},
              "secrets":{"key":{"name":"shop_key","environment":"API_KEY"},"file":{"file":"/srv/file"}},
              "configs":{"motd":{"environment":"MOTD"}}}"#,
        )
        .unwrap()
        .activated(&BTreeSet::from(["web".to_owned(), "db".to_owned()]))
    }

    #[test]
    fn a_service_of_an_active_profile_is_started_as_any_other_and_the_rest_keep_their_profiles() {
        let model = model();
        assert!(!model.has_profile("web") && model.has_profile("debug"));
        assert_eq!(model.profiles("debug"), ["debug"]);
        assert_eq!(model.with_images(), ["db", "web"]);
    }

    #[test]
    fn a_secret_of_a_variable_holds_its_contents_at_the_same_place() {
        let values = BTreeMap::from([("API_KEY".to_owned(), "a$$b".to_owned()), ("MOTD".to_owned(), "hi".to_owned())]);
        let frozen = model().with_contents(&values);
        let web = frozen.service("web");
        assert_eq!(web["secrets"], json!([{"source": "file"}]));
        assert_eq!(
            web["configs"],
            json!([{"source": "motd"}, {"source": "stagegate-secret-key", "target": "/run/secrets/api"}])
        );
        assert_eq!(frozen.service("debug")["configs"][0]["target"], "/run/secrets/key");
        assert_eq!(frozen.0["configs"]["stagegate-secret-key"]["content"], "a$$b");
        assert!(frozen.0["secrets"].get("key").is_none());
        assert_eq!(frozen.contents("web"), "hi\0a$$b");
        assert_eq!(frozen.secrets().iter().map(Secret::expose).collect::<Vec<_>>(), ["a$b"]);
        assert!(frozen.from_variables().is_empty());
    }

    #[test]
    fn a_variable_that_only_an_inactive_service_needs_is_not_wanted() {
        let text = r#"{"services":{"web":{},"debug":{"profiles":["d"],"secrets":[{"source":"key"}]}},
                       "secrets":{"key":{"environment":"API_KEY"}}}"#;
        assert!(Model::parse(text).unwrap().from_variables().is_empty());
    }
}
