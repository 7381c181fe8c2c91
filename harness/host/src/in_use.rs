//! Data of a release's services that a running container outside of the release writes, too: two servers on one data folder
//! destroy it. Neither Compose nor the servers notice, since each sees the processes of its own container only.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use stagegate_base::compose::{Model, StoragePlace, WritableMount};

use crate::{
    engine::{EngineError, RunningMount, VolumeFacts},
    moved::Search,
    stand_in::stores,
};

/// Where files are on the host, and where a container has them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Located {
    on_host: PathBuf,
    inside: PathBuf,
}

impl Located {
    /// Returns whether both containers have one file of the host at one path: they are two instances of one program. What mounts the
    /// files elsewhere, such as a program that backs them up, is none.
    fn is_same(&self, other: &Located) -> bool {
        let holds = |outer: &Located, inner: &Located| {
            let rest = inner.on_host.strip_prefix(&outer.on_host);
            rest.is_ok_and(|rest| outer.inside.join(rest) == inner.inside)
        };
        holds(self, other) || holds(other, self)
    }
}

impl Search<'_> {
    /// Returns a sentence for each data folder or volume of the model's servers that a running container writes, too, which is
    /// none of the project's, or one of a service that `stays` when the model is started.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn shared(&self, model: &Model, stays: impl Fn(&str) -> bool) -> Result<Vec<String>, EngineError> {
        let own = model
            .writable_mounts()
            .into_iter()
            .filter(|one| !model.has_profile(&one.service) && self.is_server(model, &one.service));
        let own: Vec<WritableMount> = own.collect();
        if own.is_empty() {
            return Ok(Vec::new());
        }
        let mut others = self.engine.running_mounts().await?;
        others.retain(|other| other.writes && (other.project != self.project || stays(&other.service)));
        let volumes = self.locations(model, &own, &others).await?;
        let mut found = Vec::new();
        for one in &own {
            let on_host = match &one.place {
                StoragePlace::Volume(name) => volumes.get(name).cloned().unwrap_or_default(),
                StoragePlace::Folder(path) => self.resolved(path),
            };
            let mine = Located { on_host, inside: (&one.target).into() };
            found
                .extend(others.iter().filter(|other| located(other, &volumes).is_same(&mine)).map(|o| refusal(one, o)));
        }
        found.dedup();
        Ok(found)
    }

    /// Returns where the volumes of both sides are, by their names.
    async fn locations(
        &self,
        model: &Model,
        own: &[WritableMount],
        others: &[RunningMount],
    ) -> Result<BTreeMap<String, PathBuf>, EngineError> {
        let named = own.iter().filter_map(|one| match &one.place {
            StoragePlace::Volume(name) => Some(name),
            StoragePlace::Folder(_) => None,
        });
        let theirs = others.iter().map(|other| &other.volume).filter(|name| !name.is_empty());
        let names: BTreeSet<&String> = named.chain(theirs).collect();
        let mut locations = BTreeMap::new();
        for name in names {
            let facts = self.engine.volume(name).await?.unwrap_or_else(|| coming(model, name));
            locations.insert(name.clone(), location(&facts));
        }
        Ok(locations)
    }

    /// Returns whether a service keeps data in files that belong to one process.
    fn is_server(&self, model: &Model, service: &str) -> bool {
        stores(self.config).contains(service) || model.is_data_server(service)
    }
}

/// A volume that is made when the model is started.
fn coming(model: &Model, name: &str) -> VolumeFacts {
    VolumeFacts { driver: String::new(), mountpoint: name.into(), options: model.volume_options(name) }
}

fn located(mount: &RunningMount, volumes: &BTreeMap<String, PathBuf>) -> Located {
    let on_host = match volumes.get(&mount.volume) {
        Some(folder) => folder.clone(),
        None => mount.source.canonicalize().unwrap_or_else(|_| mount.source.clone()),
    };
    Located { on_host, inside: mount.target.clone() }
}

/// Returns what two volumes of different names have in common where they are one place: the folder or export that is mounted.
fn location(facts: &VolumeFacts) -> PathBuf {
    let option = |key: &str| facts.options.get(key).map(String::as_str).unwrap_or_default();
    let device = option("device");
    match (device.is_empty(), Path::new(device).is_absolute()) {
        (true, _) => facts.mountpoint.clone(),
        (false, true) => Path::new(device).canonicalize().unwrap_or_else(|_| device.into()),
        // `:/export` is a path of the server that the other options name.
        (false, false) => format!("{}{device}", option("o")).into(),
    }
}

fn refusal(own: &WritableMount, other: &RunningMount) -> String {
    let theirs = match other.project.as_str() {
        "" => String::new(),
        project => format!(" of compose project `{project}`"),
    };
    format!(
        "service `{}` keeps data in {} at {}, where container {}{theirs} writes, too: two servers on one data folder destroy it. \
         Give this environment a place of its own, for example `${{DATA_DIR:?}}:{}` with another value in each env file; or stop \
         that container, if it is replaced by this service: docs/existing-stack.md",
        own.service, own.place, own.target, other.container, own.target
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn at(on_host: &str, inside: &str) -> Located {
        Located { on_host: on_host.into(), inside: inside.into() }
    }

    #[rstest]
    #[case::one_folder(at("/srv/pg", "/var/lib/postgresql/data"), true)]
    #[case::its_parent(at("/srv", "/var/lib/postgresql"), false)]
    #[case::its_parent_at_the_parents_path(at("/srv/pg/17", "/var/lib/postgresql/data/17"), true)]
    #[case::another_folder(at("/srv/pg2", "/var/lib/postgresql/data"), false)]
    #[case::a_program_that_backs_it_up(at("/srv/pg", "/backup/pg"), false)]
    #[case::one_that_mounts_all(at("/", "/host"), false)]
    fn two_instances_have_one_folder_at_one_path(#[case] other: Located, #[case] want: bool) {
        let own = at("/srv/pg", "/var/lib/postgresql/data");
        assert_eq!((own.is_same(&other), other.is_same(&own)), (want, want));
    }

    #[rstest]
    #[case::plain(&[], "/docker/volumes/pg/_data")]
    #[case::bound(&[("type", "none"), ("o", "bind"), ("device", "/nowhere/pg")], "/nowhere/pg")]
    #[case::nfs(&[("type", "nfs"), ("o", "addr=10.0.0.1"), ("device", ":/pg")], "addr=10.0.0.1:/pg")]
    fn a_volume_is_where_its_device_is(#[case] options: &[(&str, &str)], #[case] want: &str) {
        let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let facts = VolumeFacts { driver: "local".into(), mountpoint: "/docker/volumes/pg/_data".into(), options };
        assert_eq!(location(&facts), Path::new(want));
    }
}
