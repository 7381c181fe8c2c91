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

fn seen(state: State, health: Health) -> Seen {
    let container = container(state, health);
    Seen { container, up_for: Duration::from_secs(30), port: Port::Unasked, started_last: false }
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
        lifetime: Lifetime::LongRunning,
        healthcheck: false,
        optional: false,
        configured: false,
        ready_within: Duration::from_secs(60),
    }
}

fn oneshot() -> Expected {
    Expected { lifetime: Lifetime::OneShot, ..expected() }
}

fn may_end() -> Expected {
    Expected { lifetime: Lifetime::MayEnd, ..expected() }
}

fn silent(health: Health, up_for: u64) -> Seen {
    with(State::Running, health, |seen| {
        seen.port = Port::Silent("GET / at port 80: connection refused".into());
        seen.up_for = Duration::from_secs(up_for);
    })
}

#[rstest]
#[case::young(true, silent(Health::None, 6), "NotYet", "connection refused")]
#[case::healthy_and_young(true, silent(Health::Healthy, 6), "NotYet", "connection refused")]
#[case::had_its_time(true, silent(Health::None, 61), "Never", "connection refused")]
#[case::nobody_configured_it(false, silent(Health::None, 6), "NotYet", "connection refused")]
#[case::a_port_that_nobody_listens_at(false, silent(Health::None, 31), "Ready", "connection refused")]
#[case::healthy_by_its_authors(false, silent(Health::Healthy, 6), "Ready", "healthy")]
#[case::answered_once(true, with(State::Running, Health::None, |s| { s.port = Port::Once; s.up_for = Duration::from_secs(99); }), "NotYet", "once so far")]
#[case::answers(true, with(State::Running, Health::None, |s| s.port = Port::Answers), "Ready", "running")]
fn a_service_is_ready_when_its_port_responds(
    #[case] configured: bool,
    #[case] seen: Seen,
    #[case] kind: &str,
    #[case] text: &str,
) {
    let got = format!("{:?}", readiness(&Expected { configured, ..expected() }, &[seen]));
    assert!(got.starts_with(kind) && got.contains(text), "{got}");
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
#[case::oneshot_done(oneshot(), seen(State::Exited, Health::None), "Ready", "exited with code 0")]
#[case::oneshot_runs(oneshot(), seen(State::Running, Health::None), "NotYet", "still running")]
#[case::oneshot_failed(oneshot(), with(State::Exited, Health::None, |s| s.container.exit_code = 3), "Never", "code 3")]
#[case::oom(expected(), with(State::Exited, Health::None, |s| s.container.oom_killed = true), "Never", "memory")]
#[case::oom_child(expected(), with(State::Running, Health::Healthy, |s| s.container.oom_killed = true), "Never", "one of its")]
#[case::first_exit(expected(), with(State::Restarting, Health::None, |s| { s.container.restarts = 1; s.started_last = true; }), "NotYet", "once")]
#[case::second_exit(expected(), with(State::Restarting, Health::None, |s| { s.container.restarts = 2; s.started_last = true; }), "Never", "2 times")]
#[case::waits_for_another(expected(), with(State::Restarting, Health::None, |s| s.container.restarts = 8), "NotYet", "8 times")]
#[case::may_end(may_end(), seen(State::Exited, Health::None), "Ready", "exited with code 0")]
#[case::may_end_badly(may_end(), with(State::Exited, Health::None, |s| s.container.exit_code = 1), "Never", "code 1")]
#[case::may_end_and_runs(may_end(), seen(State::Running, Health::None), "Ready", "running")]
#[case::served_somebody(may_end(), seen(State::Exited, Health::Unhealthy), "Never", "exited with code 0")]
#[case::a_hint_at_the_key(expected(), seen(State::Exited, Health::None), "Never", "one_shot = true")]
#[case::unhealthy(expected(), with(State::Running, Health::Unhealthy, |s| s.container.health_output = "refused".into()), "NotYet", "unhealthy: refused")]
#[case::unhealthy_for_long(expected(), with(State::Running, Health::Unhealthy, |s| s.up_for = Duration::from_secs(61)), "Never", "unhealthy")]
fn a_container_reports_how_far_its_service_is(
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
    assert_eq!(got, Readiness::NotYet("shop-api-1 has been up for 2 s only, restarted 3 times".into()));
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
