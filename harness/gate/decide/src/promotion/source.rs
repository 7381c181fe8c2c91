//! What the source ran when the plan was made: is it what it still runs, and is it what the target runs at the end?
//!
//! The plan freezes an image id for each service, before anything is validated. Whatever is compared later is compared
//! with these ids, never with what happens to run by then.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Plan, SourceService};
use stagegate_base::{
    compose::{Model, PROXY_SERVICE, RELEASE_LABEL, short},
    container::Container,
};

/// Label by which Compose tells whether a container was made from the same configuration.
const CONFIG_LABEL: &str = "com.docker.compose.config-hash";

/// Returns what the source runs, by service.
///
/// A service without a container (one with a profile, a one-shot that was removed) has the image that `deployed` pins.
#[must_use]
pub fn source_services(deployed: Option<&Model>, containers: &[Container]) -> BTreeMap<String, SourceService> {
    let pinned = deployed.into_iter().flat_map(|model| {
        let is_pinned = |service: &String| service != PROXY_SERVICE && model.image(service).starts_with("sha256:");
        let services = model.services().into_iter().filter(is_pinned);
        services
            .map(|service| (service.clone(), SourceService { image: model.image(&service).to_owned(), config: None }))
    });
    let running = containers
        .iter()
        .filter(|c| is_of_release(c))
        .map(|c| (c.service.clone(), SourceService { image: c.image.clone(), config: Some(config(c)) }));
    pinned.chain(running).collect()
}

/// Returns in words how the source's containers differ from `expected`: by service, with expected and found image id.
#[must_use]
pub fn source_changes(expected: &BTreeMap<String, SourceService>, containers: &[Container]) -> Vec<String> {
    let mut changes = Vec::new();
    let own = || containers.iter().filter(|c| is_of_release(c));
    let found: BTreeSet<&String> = own().map(|c| &c.service).collect();
    for (service, before) in
        expected.iter().filter(|(service, before)| before.config.is_some() && !found.contains(service))
    {
        changes.push(format!("service `{service}`: expected image {}, found no container", short(&before.image)));
    }
    for container in own() {
        let (service, image) = (&container.service, short(&container.image));
        match expected.get(service) {
            Some(before) if before.image != container.image => {
                changes.push(format!("service `{service}`: expected image {}, found {image}", short(&before.image)));
            }
            Some(before) if before.config.as_ref().is_none_or(|before| *before == config(container)) => {}
            Some(_) => {
                changes.push(format!("service `{service}`: image {image} was started with another configuration"))
            }
            None => changes.push(format!("service `{service}`: expected no container, found image {image}")),
        }
    }
    changes
}

/// Returns in words how containers of the target differ from what the plan promises: image ids and release labels.
///
/// `model` is the frozen model that they were started from; a service that it carried over unchanged keeps its label.
#[must_use]
pub fn release_differences(plan: &Plan, model: &Model, containers: &[Container]) -> Vec<String> {
    let mut differences = Vec::new();
    // What rests is still that of the release whose schema is live.
    let resting = plan.resting();
    let started = |c: &&Container| !c.one_off && model.has(&c.service) && !resting.contains(&c.service);
    for container in containers.iter().filter(started) {
        let service = &container.service;
        let promised = (plan.kind == Kind::Promote).then(|| plan.source.get(service)).flatten();
        let image = promised.map_or_else(|| model.image(service), |promised| &promised.image);
        if image.starts_with("sha256:") && container.image != image {
            let (image, found) = (short(image), short(&container.image));
            differences.push(format!("service `{service}`: expected image {image} of the plan, found {found}"));
        }
        let (label, found) = (model.release_label(service), container.labels.get(RELEASE_LABEL));
        if label.is_some() && label != found.map(String::as_str) {
            let (label, found) = (label.unwrap_or_default(), found.map_or("none", String::as_str));
            differences.push(format!("service `{service}`: expected release label {label}, found {found}"));
        }
    }
    differences
}

/// The proxy is each environment's own, and `docker compose run` is nobody's service.
fn is_of_release(container: &Container) -> bool {
    !container.one_off && container.service != PROXY_SERVICE
}

fn config(container: &Container) -> String {
    container.labels.get(CONFIG_LABEL).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stagegate_base::container::{Health, State};

    fn container(service: &str, image: &str, labels: &[(&str, &str)]) -> Container {
        Container {
            id: format!("{service}-id"),
            name: format!("shop-{service}-1"),
            service: service.to_owned(),
            one_off: false,
            image: format!("sha256:{image}"),
            state: State::Running,
            exit_code: 0,
            oom_killed: false,
            restarts: 0,
            started_at: String::new(),
            health: Health::None,
            health_output: String::new(),
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            addresses: Vec::new(),
            published: BTreeMap::new(),
            network_of: None,
        }
    }

    fn model() -> Model {
        let text = r#"{"services":{"web":{"image":"sha256:aa","labels":{"dev.stagegate.release":"r2"}},
            "tool":{"image":"sha256:cc","profiles":["by-hand"]}}}"#;
        Model::parse(text).unwrap()
    }

    #[test]
    fn a_service_that_has_no_container_keeps_the_image_that_was_deployed() {
        let found = source_services(Some(&model()), &[container("web", "aa", &[(CONFIG_LABEL, "1")])]);
        assert_eq!(found["web"], SourceService { image: "sha256:aa".into(), config: Some("1".into()) });
        assert_eq!(found["tool"], SourceService { image: "sha256:cc".into(), config: None });
        assert!(source_changes(&found, &[container("web", "aa", &[(CONFIG_LABEL, "1")])]).is_empty());
    }

    #[test]
    fn each_change_of_the_source_is_reported_by_service_with_both_ids() {
        let one = &[(CONFIG_LABEL, "1")][..];
        let before = source_services(None, &[container("web", "aa", one), container("api", "bb", one)]);
        let now = [container("web", "dd", one), container("extra", "ee", one)];
        assert_eq!(
            source_changes(&before, &now),
            [
                "service `api`: expected image bb, found no container",
                "service `web`: expected image aa, found dd",
                "service `extra`: expected no container, found image ee"
            ]
        );
        let now = [container("web", "aa", &[(CONFIG_LABEL, "2")]), container("api", "bb", one)];
        assert_eq!(source_changes(&before, &now), ["service `web`: image aa was started with another configuration"]);
    }

    #[test]
    fn the_target_runs_the_plans_images_under_the_plans_labels() {
        let mut plan = super::super::tests::plan(Kind::Promote);
        plan.source = source_services(None, &[container("web", "aa", &[])]);
        let labelled = |image, label| [container("web", image, &[(RELEASE_LABEL, label)])];
        assert!(release_differences(&plan, &model(), &labelled("aa", "r2")).is_empty());
        let other = release_differences(&plan, &model(), &labelled("dd", "r3"));
        assert_eq!(
            other,
            [
                "service `web`: expected image aa of the plan, found dd",
                "service `web`: expected release label r2, found r3"
            ]
        );
        assert_eq!(release_differences(&plan, &model(), &[container("web", "aa", &[])]).len(), 1);
    }

    #[test]
    fn a_model_that_pins_another_image_than_the_plan_is_no_excuse() {
        let mut plan = super::super::tests::plan(Kind::Promote);
        plan.source = source_services(None, &[container("web", "bb", &[])]);
        let found = [container("web", "aa", &[(RELEASE_LABEL, "r2")])];
        assert_eq!(
            release_differences(&plan, &model(), &found),
            ["service `web`: expected image bb of the plan, found aa"]
        );
    }
}
