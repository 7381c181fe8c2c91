use std::collections::BTreeMap;

use rstest::rstest;

use super::*;

fn container(state: State, health: Health) -> Container {
    Container {
        id: "a1".into(),
        name: "shop-api-1".into(),
        service: "api".into(),
        one_off: false,
        image: "sha256:0".into(),
        state,
        exit_code: 0,
        oom_killed: false,
        restarts: 0,
        started_at: "2025-01-01T00:00:00Z".into(),
        health,
        health_output: String::new(),
        labels: BTreeMap::new(),
        addresses: Vec::new(),
        published: BTreeMap::new(),
        network_of: None,
    }
}

fn lasts(_: &str) -> Lifetime {
    Lifetime::LongRunning
}

#[test]
fn a_failed_state_names_service_reason_and_the_next_command() {
    let outcome = state("shop-staging", "api", &Readiness::Never("shop-api-1 is paused".into()), Vec::new());
    let Outcome::Fail { message, findings, hint, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(message, "service `api` is not healthy: shop-api-1 is paused");
    assert_eq!(findings[0].place.object, "api");
    assert!(hint.unwrap().contains("docker compose -p shop-staging logs api"));
}

#[rstest]
#[case::restarted(|c: &mut Container| c.restarts = 1, "1 restart")]
#[case::exited(|c: &mut Container| c.state = State::Exited, "exited (code 0)")]
#[case::started_again(|c: &mut Container| c.started_at = "2025-01-01T00:00:09Z".into(), "started again")]
#[case::unhealthy(|c: &mut Container| c.health = Health::Unhealthy, "no longer healthy")]
#[case::replaced(|c: &mut Container| c.id = "b2".into(), "replaced")]
#[case::gone(|c: &mut Container| { c.id = "b2".into(); c.name = "other".into() }, "was removed")]
fn a_change_between_two_looks_is_unrest(#[case] change: fn(&mut Container), #[case] text: &str) {
    let before = container(State::Running, Health::Healthy);
    let mut after = before.clone();
    change(&mut after);
    let outcome = steady(&[before], &[after], lasts, Duration::from_secs(1));
    let Outcome::Fail { message, .. } = outcome else { panic!("{outcome:?}") };
    assert!(message.contains(text), "{message}");
}

#[test]
fn containers_that_did_not_change_are_steady() {
    let ended = Container { id: "b2".into(), ..container(State::Exited, Health::None) };
    let all = [container(State::Running, Health::Healthy), ended];
    let outcome = steady(&all, &all, lasts, Duration::from_millis(1500));
    assert_eq!(outcome, Outcome::Pass("2 containers steady for 1.5 s".into()));
}

#[test]
fn a_job_that_may_end_does_so_while_it_is_watched() {
    let before = container(State::Running, Health::None);
    let ended = container(State::Exited, Health::None);
    let watched = |code| {
        let after = Container { exit_code: code, ..ended.clone() };
        steady(std::slice::from_ref(&before), &[after], |_| Lifetime::MayEnd, Duration::from_secs(1))
    };
    assert!(matches!(watched(0), Outcome::Pass(_)));
    assert!(matches!(watched(1), Outcome::Fail { .. }));
}
