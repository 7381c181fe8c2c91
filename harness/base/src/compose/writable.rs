//! Where containers keep files, and which of these places another release would replace by another one.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::Model;

/// A place on this host in which a container keeps files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoragePlace {
    /// A volume, by its name on this host.
    Volume(String),
    /// A folder or file.
    Folder(PathBuf),
}

impl fmt::Display for StoragePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // 64 hex digits say nothing to anybody.
            StoragePlace::Volume(name) if is_anonymous(name) => f.write_str("an anonymous volume"),
            StoragePlace::Volume(name) => write!(f, "volume `{name}`"),
            StoragePlace::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A place that a container of a service can write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WritableMount {
    /// The service.
    pub service: String,
    /// Where it is in the container.
    pub target: String,
    /// What is mounted there.
    pub place: StoragePlace,
}

impl WritableMount {
    /// Reads the places out of what the Engine states of containers (`docker inspect`). Sockets and what runs next to a
    /// service (`docker compose run`) are left out.
    #[must_use]
    pub fn of_details(containers: &[Value]) -> Vec<WritableMount> {
        let label = |container: &Value, key: &str| {
            container["Config"]["Labels"][format!("com.docker.compose.{key}")].as_str().unwrap_or_default().to_owned()
        };
        let own = containers.iter().filter(|container| !label(container, "oneoff").eq_ignore_ascii_case("true"));
        own.flat_map(|container| {
            let service = label(container, "service");
            container["Mounts"].as_array().into_iter().flatten().filter_map(move |mount| of_mount(&service, mount))
        })
        .collect()
    }

    /// Returns whether Compose hands it on to the container's successor, as it does with volumes that nobody named.
    #[must_use]
    pub fn is_handed_on(&self) -> bool {
        matches!(&self.place, StoragePlace::Volume(name) if is_anonymous(name))
    }
}

fn of_mount(service: &str, mount: &Value) -> Option<WritableMount> {
    let text = |key: &str| mount[key].as_str().filter(|text| !text.is_empty());
    if mount["RW"] != true {
        return None;
    }
    let place = match text("Type")? {
        "volume" => StoragePlace::Volume(text("Name")?.to_owned()),
        "bind" => StoragePlace::Folder(text("Source").filter(|at| !at.ends_with(".sock"))?.into()),
        _ => return None,
    };
    Some(WritableMount { service: service.to_owned(), target: text("Destination")?.to_owned(), place })
}

/// Returns whether a volume has the name that the Engine gives to one that nobody named.
#[must_use]
pub fn is_anonymous(volume: &str) -> bool {
    volume.len() == 64 && volume.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A place that a release does not give to a service any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// What the service has now.
    pub kept: WritableMount,
    /// What the release mounts there instead; `None` where nothing.
    pub to: Option<StoragePlace>,
}

impl Model {
    /// Returns what a service mounts at a path of its container.
    #[must_use]
    pub fn place(&self, service: &str, target: &str) -> Option<StoragePlace> {
        let target = Path::new(target);
        self.places(service).into_iter().find(|(at, _)| Path::new(at) == target).map(|(_, place)| place)
    }

    /// Returns the places of a service that it would not have in this model, where it is a service of it.
    ///
    /// `at` resolves a folder of the host, so that two ways to one folder are one place.
    #[must_use]
    pub fn moved(&self, kept: &[WritableMount], at: impl Fn(&Path) -> PathBuf) -> Vec<Moved> {
        let same = |a: &StoragePlace, b: &StoragePlace| match (a, b) {
            (StoragePlace::Folder(a), StoragePlace::Folder(b)) => at(a) == at(b),
            _ => a == b,
        };
        let is_moved = |one: &&WritableMount| {
            self.has(&one.service) && !self.places(&one.service).iter().any(|(_, place)| same(place, &one.place))
        };
        let moved = kept.iter().filter(is_moved).map(|one| {
            let to = self.place(&one.service, &one.target);
            Moved { kept: one.clone(), to }
        });
        moved.filter(|one| one.to.is_some() || !one.kept.is_handed_on()).collect()
    }

    /// Returns what each service can write, as far as it has a name.
    #[must_use]
    pub fn writable_mounts(&self) -> Vec<WritableMount> {
        let of = |service: String| {
            let places = self.places(&service).into_iter();
            places
                .map(move |(target, place)| WritableMount { service: service.clone(), target, place })
                .collect::<Vec<_>>()
        };
        let is_read_only = |one: &WritableMount| {
            let mut mounts = self.service(&one.service)["volumes"].as_array().into_iter().flatten();
            mounts.any(|mount| mount["target"] == *one.target && mount["read_only"] == true)
        };
        self.services().into_iter().flat_map(of).filter(|one| !is_read_only(one)).collect()
    }

    fn places(&self, service: &str) -> Vec<(String, StoragePlace)> {
        let mounts = self.service(service)["volumes"].as_array().into_iter().flatten();
        let of = |mount: &Value| {
            let source = mount["source"].as_str()?;
            let place = match mount["type"].as_str()? {
                "volume" => StoragePlace::Volume(self.volume_name(source).unwrap_or(source).to_owned()),
                "bind" => StoragePlace::Folder(source.into()),
                _ => return None,
            };
            Some((mount["target"].as_str()?.to_owned(), place))
        };
        mounts.filter_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const ANONYMOUS: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn kept(mount: Value) -> Vec<WritableMount> {
        let labels = |oneoff: &str| {
            json!({ "Config": { "Labels": { "com.docker.compose.service": "db", "com.docker.compose.oneoff": oneoff } },
                    "Mounts": [mount] })
        };
        let found = WritableMount::of_details(&[labels("False"), labels("True")]);
        assert!(found.len() <= 1, "what `run` made is none of the service's");
        found
    }

    fn model(mounts: Value) -> Model {
        let text = json!({ "services": { "db": { "volumes": mounts }, "other": {} }, "volumes": {
            "data": { "name": "shop_data" }, "pg": { "name": "shop_pg" } } });
        Model::parse(&text.to_string()).unwrap()
    }

    #[rstest]
    #[case::same_volume(json!([{ "type": "volume", "source": "data", "target": "/d" }]), None)]
    #[case::renamed(json!([{ "type": "volume", "source": "pg", "target": "/d" }]), Some("volume `shop_pg`"))]
    #[case::at_another_path(json!([{ "type": "volume", "source": "data", "target": "/d/18" }]), None)]
    #[case::a_folder(json!([{ "type": "bind", "source": "/srv/d", "target": "/d/" }]), Some("/srv/d"))]
    #[case::nothing(json!([]), Some("nothing"))]
    fn a_volume_that_a_service_has_no_more_is_found(#[case] mounts: Value, #[case] want: Option<&str>) {
        let kept = kept(json!({ "Type": "volume", "Name": "shop_data", "Destination": "/d", "RW": true }));
        let moved = model(mounts).moved(&kept, Path::to_path_buf);
        let to = moved.first().map(|one| one.to.as_ref().map_or("nothing".to_owned(), ToString::to_string));
        assert_eq!((to.as_deref(), moved.len()), (want, usize::from(want.is_some())));
    }

    #[rstest]
    #[case::handed_on(json!([]), 0)]
    #[case::named_at_last(json!([{ "type": "volume", "source": "data", "target": "/d" }]), 1)]
    fn a_volume_without_a_name_is_handed_on_until_another_one_is_mounted(#[case] mounts: Value, #[case] want: usize) {
        let kept = kept(json!({ "Type": "volume", "Name": ANONYMOUS, "Destination": "/d", "RW": true }));
        assert_eq!(model(mounts).moved(&kept, Path::to_path_buf).len(), want);
    }

    #[test]
    fn two_ways_to_one_folder_are_one_place_and_settings_and_sockets_are_none() {
        let model = model(json!([{ "type": "bind", "source": "/link/d", "target": "/d" }]));
        let at = |path: &Path| Path::new("/srv").join(path.file_name().unwrap());
        let folder =
            |source: &str, rw| kept(json!({ "Type": "bind", "Source": source, "Destination": "/d", "RW": rw }));
        assert_eq!(model.moved(&folder("/srv/d", true), at), []);
        assert_eq!(model.moved(&folder("/srv/e", true), at).len(), 1);
        assert_eq!(folder("/srv/e", false), []);
        assert_eq!(folder("/run/docker.sock", true), []);
    }
}
