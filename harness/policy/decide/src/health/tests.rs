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
    }
}

fn seen(state: State, health: Health) -> Seen {
    Seen { container: container(state, health), up_for: Duration::from_secs(30) }
}

fn with(state: State, health: Health, change: impl Fn(&mut Seen)) -> Seen {
    let mut seen = seen(state, health);
    change(&mut seen);
    seen
}

fn expected() -> Expected {
    Expected {
        service: "api".into(),
        replicas: 1,
        oneshot: false,
        healthcheck: false,
        optional: false,
        ready_within: Duration::from_secs(60),
    }
}

fn oneshot() -> Expected {
    Expected { oneshot: true, ..expected() }
}

#[rstest]
#[case::running(expected(), seen(State::Running, Health::None), "Ready", "no healthcheck")]
#[case::healthy(expected(), seen(State::Running, Health::Healthy), "Ready", "running and healthy")]
#[case::starting(expected(), seen(State::Running, Health::Starting), "NotYet", "starting")]
#[case::created(expected(), seen(State::Created, Health::None), "NotYet", "not started")]
#[case::no_start(expected(), with(State::Created, Health::None, |s| s.container.exit_code = 128), "Never", "code 128")]
#[case::paused(expected(), seen(State::Paused, Health::None), "Never", "paused")]
#[case::exited(expected(), with(State::Exited, Health::None, |s| s.container.exit_code = 137), "Never", "SIGKILL")]
#[case::exited_well(expected(), seen(State::Exited, Health::None), "Never", "exited with code 0")]
#[case::oneshot_done(oneshot(), seen(State::Exited, Health::None), "Ready", "ended with code 0")]
#[case::oneshot_runs(oneshot(), seen(State::Running, Health::None), "NotYet", "not ended")]
#[case::oneshot_failed(oneshot(), with(State::Exited, Health::None, |s| s.container.exit_code = 3), "Never", "code 3")]
#[case::oom(expected(), with(State::Exited, Health::None, |s| s.container.oom_killed = true), "Never", "memory")]
#[case::oom_child(expected(), with(State::Running, Health::Healthy, |s| s.container.oom_killed = true), "Never", "one of its")]
#[case::loop_begins(expected(), with(State::Restarting, Health::None, |s| s.container.restarts = 2), "NotYet", "2 times")]
#[case::loop_goes_on(expected(), with(State::Restarting, Health::None, |s| s.container.restarts = 8), "Never", "8 times")]
#[case::unhealthy(expected(), with(State::Running, Health::Unhealthy, |s| s.container.health_output = "refused".into()), "NotYet", "unhealthy: refused")]
#[case::unhealthy_for_long(expected(), with(State::Running, Health::Unhealthy, |s| s.up_for = Duration::from_secs(61)), "Never", "unhealthy")]
fn a_container_tells_how_far_its_service_is(
    #[case] expected: Expected,
    #[case] seen: Seen,
    #[case] kind: &str,
    #[case] text: &str,
) {
    let got = format!("{:?}", readiness(&expected, &[seen]));
    assert!(got.starts_with(kind) && got.contains(text), "{got}");
}

#[test]
fn a_crash_loop_between_two_crashes_is_not_ready() {
    let caught_running = with(State::Running, Health::None, |s| {
        s.container.restarts = 3;
        s.up_for = Duration::from_secs(2);
    });
    let got = readiness(&expected(), std::slice::from_ref(&caught_running));
    assert_eq!(got, Readiness::NotYet("shop-api-1 runs for 2 s only, restarted 3 times".into()));
    let stable = Seen { up_for: Duration::from_secs(10), ..caught_running };
    assert!(matches!(readiness(&expected(), &[stable]), Readiness::Ready(_)));
}

#[rstest]
#[case::missing(expected(), 0, "Never", "0 of 1")]
#[case::too_few(Expected { replicas: 3, ..expected() }, 2, "Never", "2 of 3")]
#[case::too_many(expected(), 2, "Never", "the compose model has 1")]
#[case::profile(Expected { optional: true, ..expected() }, 0, "Ready", "profile")]
#[case::removed_oneshot(oneshot(), 0, "Ready", "removed")]
#[case::scaled_to_none(Expected { replicas: 0, ..expected() }, 0, "Ready", "scaled")]
fn the_number_of_containers_counts(
    #[case] expected: Expected,
    #[case] n: usize,
    #[case] kind: &str,
    #[case] text: &str,
) {
    let got = format!("{:?}", readiness(&expected, &vec![seen(State::Running, Health::Healthy); n]));
    assert!(got.starts_with(kind) && got.contains(text), "{got}");
}

#[test]
fn the_worst_replica_speaks_for_the_service() {
    let two = Expected { replicas: 2, ..expected() };
    let good = seen(State::Running, Health::Healthy);
    let bad = with(State::Exited, Health::None, |s| s.container.exit_code = 1);
    assert!(matches!(readiness(&two, &[bad, good]), Readiness::Never(_)));
}

#[test]
fn a_container_that_lost_the_models_healthcheck_is_an_older_one() {
    let expected = Expected { healthcheck: true, ..expected() };
    let got = readiness(&expected, &[seen(State::Running, Health::None)]);
    assert!(got.reason().contains("older container"), "{got:?}");
}

#[test]
fn a_failed_state_names_service_reason_and_the_next_command() {
    let outcome = state("shop-staging", "api", &Readiness::Never("shop-api-1 is paused".into()), Vec::new());
    let Outcome::Fail { message, findings, hint, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(message, "service `api` is not sound: shop-api-1 is paused");
    assert_eq!(findings[0].place.object, "api");
    assert!(hint.unwrap().contains("docker compose -p shop-staging logs api"));
}

#[rstest]
#[case::restarted(|c: &mut Container| c.restarts = 1, "1 restarts")]
#[case::exited(|c: &mut Container| c.state = State::Exited, "exited (code 0)")]
#[case::started_again(|c: &mut Container| c.started_at = "2025-01-01T00:00:09Z".into(), "started again")]
#[case::unhealthy(|c: &mut Container| c.health = Health::Unhealthy, "no longer healthy")]
#[case::replaced(|c: &mut Container| c.id = "b2".into(), "replaced")]
#[case::gone(|c: &mut Container| { c.id = "b2".into(); c.name = "other".into() }, "is gone")]
fn a_change_between_two_looks_is_unrest(#[case] change: fn(&mut Container), #[case] text: &str) {
    let before = container(State::Running, Health::Healthy);
    let mut after = before.clone();
    change(&mut after);
    let outcome = steady(&[before], &[after], Duration::from_secs(1));
    let Outcome::Fail { message, .. } = outcome else { panic!("{outcome:?}") };
    assert!(message.contains(text), "{message}");
}

#[test]
fn containers_that_did_not_change_are_steady() {
    let ended = Container { id: "b2".into(), ..container(State::Exited, Health::None) };
    let all = [container(State::Running, Health::Healthy), ended];
    let outcome = steady(&all, &all, Duration::from_millis(1500));
    assert_eq!(outcome, Outcome::Pass("2 containers were steady for 1.5 s".into()));
}
