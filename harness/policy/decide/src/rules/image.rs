//! Is it known which image runs?

use super::{Check, Hit, Rule, subject::Subject};
use stagegate_base::record::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "image-tag-mutable",
        severity: Severity::Info,
        title: "an image has no tag, or `latest`",
        why: "the next pull may bring another version, and nobody knows which one runs or can return to it",
        fix: "name a version: `postgres:17.2`",
        check: Check::Service(tag),
    },
    Rule {
        id: "image-digest-missing",
        severity: Severity::Info,
        title: "an image is not pinned by digest",
        why: "a tag can be moved; only `name:tag@sha256:...` is the image that was tested",
        fix: "add the digest (`docker image inspect --format '{{index .RepoDigests 0}}' IMAGE`); `gate promote` pins ids itself",
        check: Check::Service(digest),
    },
    Rule {
        id: "build-without-image",
        severity: Severity::Info,
        title: "a service is built but its image has no name of its own",
        why: "Compose names it after the project, so that each environment builds its own: what was tested is not what runs",
        fix: "add `image: NAME:VERSION` next to `build`",
        check: Check::Service(build),
    },
    Rule {
        id: "container-name-fixed",
        severity: Severity::Info,
        title: "a container has a fixed name",
        why: "two environments on one machine, or two replicas, cannot run",
        fix: "remove `container_name`; services reach each other by their service names",
        check: Check::Service(container_name),
    },
];

fn tag(subject: &Subject) -> Vec<Hit> {
    let found = mutable(&subject.image).into_iter();
    found.map(|found| Hit::new("image", "a tag that names a version", found)).collect()
}

/// Reports which image has no tag that lasts; `None` where it has one, or a digest.
fn mutable(image: &str) -> Option<String> {
    if image.is_empty() || is_digest(image) {
        return None;
    }
    match image.rsplit('/').next().and_then(|name| name.split_once(':')) {
        None => Some(format!("`{image}` without a tag, which means `latest`")),
        Some((_, "latest")) => Some(format!("`{image}`")),
        Some(_) => None,
    }
}

fn digest(subject: &Subject) -> Vec<Hit> {
    // What is built here has no digest before it is pushed; what has no lasting tag is reported for that.
    let image = &subject.image;
    if image.is_empty() || subject.is_built || is_digest(image) || mutable(image).is_some() {
        return Vec::new();
    }
    vec![Hit::new("image", "name:tag@sha256:...", format!("`{image}`"))]
}

fn is_digest(image: &str) -> bool {
    image.contains("@sha256:") || image.starts_with("sha256:")
}

fn build(subject: &Subject) -> Vec<Hit> {
    if subject.is_built && subject.image.is_empty() {
        return vec![Hit::new("build", "`image` next to `build`", "only `build`")];
    }
    Vec::new()
}

fn container_name(subject: &Subject) -> Vec<Hit> {
    let named = subject.container_name.iter();
    named.map(|name| Hit::new("container_name", "no `container_name`", format!("`{name}`"))).collect()
}
