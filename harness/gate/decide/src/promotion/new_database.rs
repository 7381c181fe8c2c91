//! Databases that a release brings: there is nothing of them to back up, and nothing that a rollback would restore.

use serde::{Deserialize, Serialize};
use stagegate_base::compose::{Model, StoragePlace};

/// A database that the live release does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewDatabase {
    /// The user's name for it.
    pub id: String,
    /// The compose service that runs its server.
    pub service: String,
    /// The database's name.
    pub name: String,
    /// The volumes and folders of its server where the server is new, too; empty where it is on a server that is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// Whether the release that is rolled back brought it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stays: bool,
}

impl NewDatabase {
    /// Returns it as a line of the plan.
    pub(super) fn text(&self) -> String {
        let NewDatabase { name, service, places, .. } = self;
        if self.stays {
            return format!("{name:<12} of service {service} came with a later release, and stays as it is");
        }
        let kept = match places.is_empty() {
            true => format!("a rollback leaves it on the server of {service}"),
            false => format!("a rollback removes its server {service} and leaves {}", places.join(", ")),
        };
        format!("{name:<12} new with this release: not backed up and not rehearsed; {kept}")
    }
}

/// Returns the places that the server of a new database writes.
#[must_use]
pub fn places_of(candidate: &Model, service: &str) -> Vec<StoragePlace> {
    candidate.writable_mounts().into_iter().filter(|one| one.service == service).map(|one| one.place).collect()
}

/// Returns why the server of a new database is none: it would take over what a live service writes, as one that was renamed.
#[must_use]
pub fn taken_over(live: &Model, candidate: &Model, service: &str) -> Option<String> {
    let places = places_of(candidate, service);
    let taken = live.writable_mounts().into_iter().find(|one| one.service != service && places.contains(&one.place))?;
    Some(format!(
        "service `{service}` would take over {}, which service `{}` of the live release writes: a database server under another name \
         can be neither rehearsed nor rolled back; keep the name `{}` in the compose file",
        taken.place, taken.service, taken.service
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(services: &str) -> Model {
        Model::parse(&format!(
            r#"{{"name":"shop","services":{{{services}}},"volumes":{{"data":{{"name":"shop_data"}},"new":{{"name":"shop_new"}}}}}}"#
        ))
        .unwrap()
    }

    fn server(name: &str, volume: &str) -> String {
        format!(
            r#""{name}":{{"image":"postgres:17","volumes":[{{"type":"volume","source":"{volume}","target":"/var/lib/postgresql/data","volume":{{}}}}]}}"#
        )
    }

    #[test]
    fn a_server_with_a_volume_of_its_own_is_new_and_one_with_a_live_volume_was_renamed() {
        let live = model(&server("db", "data"));
        let grown = model(&[server("db", "data"), server("reports", "new")].join(","));
        assert_eq!(taken_over(&live, &grown, "reports"), None);
        assert_eq!(
            places_of(&grown, "reports").iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["volume `shop_new`"]
        );
        let renamed = taken_over(&live, &model(&server("postgres", "data")), "postgres").unwrap();
        assert!(renamed.contains("volume `shop_data`, which service `db`") && renamed.contains("keep the name `db`"));
    }

    #[test]
    fn a_plan_states_what_a_rollback_leaves() {
        let new = |places: &[&str]| NewDatabase {
            id: "reports".to_owned(),
            service: "db".to_owned(),
            name: "reports".to_owned(),
            places: places.iter().map(|place| (*place).to_owned()).collect(),
            stays: false,
        };
        assert!(new(&[]).text().ends_with("a rollback leaves it on the server of db"));
        assert!(new(&["volume shop_new"]).text().ends_with("removes its server db and leaves volume shop_new"));
        assert!(
            NewDatabase { stays: true, ..new(&[]) }.text().ends_with("came with a later release, and stays as it is")
        );
    }
}
