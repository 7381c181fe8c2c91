use rstest::rstest;

use super::*;
use crate::facts;

const GOOD: &str = "now=1700000000.5\nuser=deploy\nuid=1000\nhome=/home/deploy\nsystem=Linux\nmachine=x86_64\nbits=64\n\
    libc=glibc 2.36\nprograms=docker git sha256sum zstd gzip timeout\ndocker=24.0.7\ncompose=2.24.5\n\
    git=git version 2.39.5\nhome_free_kib=20971520\ndocker_free_kib=20971520\nwritable=yes\nexecutable=yes\nsystemd=yes\n\
    kills_sessions=b false\ngate_hash=aa\ngate={ \"version\": \"1.0.0\", \"host_protocol\": 1 }\n";

fn here() -> Here {
    let fit = Fit { machine: "x86_64".to_owned(), libc: Some((2, 34)) };
    Here { fit, hash: "aa".to_owned(), now: 1_700_000_000.4, took: 0.2, environment: "production".to_owned() }
}

fn found(text: &str) -> Vec<HostFinding> {
    findings(&facts(text), &here())
}

#[test]
fn a_good_host_has_no_finding_that_needs_a_fix() {
    let bad: Vec<HostFinding> = found(GOOD).into_iter().filter(|one| one.state != State::Ok).collect();
    assert_eq!(bad, []);
}

#[rstest]
#[case::no_docker(
    "programs=docker git sha256sum zstd gzip timeout\ndocker=24.0.7",
    "programs=git sha256sum zstd gzip timeout\ndocker_error=sh: docker: not found",
    "docker",
    State::Blocked,
    "install Docker"
)]
#[case::no_rights(
    "docker=24.0.7",
    "docker_error=permission denied while trying to connect",
    "docker",
    State::Blocked,
    "usermod -aG docker deploy"
)]
#[case::stopped(
    "docker=24.0.7",
    "docker_error=Cannot connect to the Docker daemon",
    "docker",
    State::Blocked,
    "systemctl start docker"
)]
#[case::old_engine("docker=24.0.7", "docker=19.03.1", "docker", State::Blocked, "upgrade Docker")]
#[case::no_compose(
    "compose=2.24.5",
    "compose_error=docker: 'compose' is not a docker command",
    "compose",
    State::Blocked,
    "docker-compose-v2"
)]
#[case::old_compose("compose=2.24.5", "compose=1.29.2", "compose", State::Blocked, "docker-compose-v2")]
#[case::no_git("git=git version", "git=sh: git: not found", "git", State::Blocked, "install git")]
#[case::read_only("writable=yes", "x=y", "home", State::Blocked, "writable home")]
#[case::noexec("executable=yes", "x=y", "home", State::Blocked, "noexec")]
#[case::full("home_free_kib=20971520", "home_free_kib=1024", "disk", State::Blocked, "free space")]
#[case::nearly_full("docker_free_kib=20971520", "docker_free_kib=1024", "disk", State::Warning, "free space")]
#[case::clock("now=1700000000.5", "now=1700003600", "clock", State::Warning, "set-ntp")]
#[case::clock_of_busybox("now=1700000000.5", "now=1700000000.%N", "clock", State::Ok, "")]
#[case::logind("kills_sessions=b false", "kills_sessions=b true", "runs", State::Blocked, "KillUserProcesses=no")]
#[case::absent("gate_hash=aa", "x=y", "gate", State::Warning, "gate host add production")]
#[case::older("\"host_protocol\": 1", "\"x\": 1", "gate", State::Blocked, "gate host upgrade production")]
#[case::newer("\"host_protocol\": 1", "\"host_protocol\": 99", "gate", State::Blocked, "on this machine")]
#[case::other_build("gate_hash=aa", "gate_hash=bb", "gate", State::Ok, "gate host upgrade production")]
#[case::other_machine("machine=x86_64", "machine=aarch64", "machine", State::Blocked, "for aarch64")]
#[case::half("bits=64", "bits=32", "machine", State::Blocked, "64-bit")]
#[case::old_libc("libc=glibc 2.36", "libc=glibc 2.31", "machine", State::Blocked, "glibc 2.34")]
#[case::musl("libc=glibc 2.36", "libc=musl libc (x86_64)", "machine", State::Blocked, "glibc 2.34")]
fn what_a_host_lacks_is_found_with_its_fix(
    #[case] from: &str,
    #[case] to: &str,
    #[case] check: &str,
    #[case] state: State,
    #[case] fix: &str,
) {
    assert!(GOOD.contains(from));
    let all = found(&GOOD.replacen(from, to, 1));
    let one = all.iter().find(|one| one.check == check).unwrap();
    assert_eq!(one.state, state, "{one:?}");
    let text = format!("{} {}", one.found, one.fix);
    assert!(text.contains(fix), "{one:?}");
    let others = all.iter().filter(|one| one.check != check && one.state != State::Ok);
    assert_eq!(others.count(), 0, "{all:?}");
}
