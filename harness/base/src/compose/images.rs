//! What a model states of its images: when they are pulled, for which kind of machine, and which registry has them.

use std::collections::BTreeMap;

use serde_json::json;

use super::Model;
use crate::image::PullPolicy;

/// Where a model keeps what is known of its images. Compose reads no key that begins with `x-`.
const ORIGINS: &str = "x-stagegate-images";

impl Model {
    /// Returns when the image of a service is pulled.
    #[must_use]
    pub fn pull_policy(&self, name: &str) -> PullPolicy {
        PullPolicy::parse(self.service(name)["pull_policy"].as_str().unwrap_or_default())
    }

    /// Returns the model in which a service has this image, and is not built.
    #[must_use]
    pub fn with_image(&self, service: &str, image: &str) -> Model {
        self.changed(|name, entry| {
            if name == service {
                entry.insert("image".to_owned(), json!(image));
                entry.remove("build");
            }
        })
    }

    /// Returns the kind of machine that a service's image has to be for; that of this host where `None`.
    #[must_use]
    pub fn platform(&self, name: &str) -> Option<&str> {
        self.service(name)["platform"].as_str().filter(|platform| !platform.is_empty())
    }

    /// Returns the model that knows where registries have its images: `repository@sha256:..` by image id.
    #[must_use]
    pub fn with_origins(&self, origins: &BTreeMap<String, String>) -> Model {
        let mut model = self.clone();
        match origins.is_empty() {
            true => drop(model.0.as_object_mut().and_then(|all| all.remove(ORIGINS))),
            false => model.0[ORIGINS] = json!(origins),
        }
        model
    }

    /// Returns by which digest a registry has the image of an id, `repository@sha256:..`; `None` of one that was built here.
    #[must_use]
    pub fn origin(&self, image: &str) -> Option<&str> {
        self.0[ORIGINS][image].as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_knows_where_its_images_are_and_compose_sees_nothing_of_it() {
        let text =
            r#"{"services":{"web":{"image":"sha256:aa","pull_policy":"never"},"db":{"platform":"linux/arm64"}}}"#;
        let model = Model::parse(text).unwrap();
        assert_eq!((model.pull_policy("web"), model.pull_policy("db")), (PullPolicy::Never, PullPolicy::Missing));
        assert_eq!((model.platform("web"), model.platform("db")), (None, Some("linux/arm64")));
        let origin = "r.example/app@sha256:01".to_owned();
        let known = model.with_origins(&BTreeMap::from([("sha256:aa".to_owned(), origin.clone())]));
        assert_eq!((known.origin("sha256:aa"), known.origin("sha256:bb")), (Some(origin.as_str()), None));
        assert_eq!(known.services(), model.services());
        assert_eq!(known.with_origins(&BTreeMap::new()), model);
    }
}
