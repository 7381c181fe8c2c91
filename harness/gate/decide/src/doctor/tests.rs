//! Each fault gives its entry, and a machine without faults none.

use std::path::PathBuf;

use rstest::rstest;

use super::*;
use stagegate_base::report::Colour;

const GIB: u64 = 1 << 30;

fn healthy() -> Machine {
    Machine {
        configured: Configured::Read("/srv/shop/stagegate.toml".into()),
        engine: Ok(Engine { version: "28.1.1".into(), root: "/var/lib/docker".into(), free: Some(80 * GIB) }),
        address: "unix:///var/run/docker.sock".into(),
        compose: Ok("2.29.1".into()),
        git: Ok("git version 2.39.5".into()),
        state: Folder {
            path: "/var/lib/stagegate".into(),
            is_writable: true,
            others_may_write: false,
            free: Some(80 * GIB),
        },
        programs: vec![Program { name: "age".into(), needed_by: "`encrypt_to`".into(), is_there: true }],
        repository: Some(Repository { place: "/srv/repo".into(), refused: None }),
        postgres: None,
        clock: Clock { now: 2_000, built: Some(1_000), engine: Some(2_001), is_synchronised: Some(true) },
    }
}

fn shop() -> Environment {
    Environment {
        name: "staging".into(),
        elsewhere: None,
        workdir: Workdir { path: "/srv/staging".into(), exists: true, is_writable: true },
        env_files: vec![EnvFile { path: "/srv/.env".into(), problem: None }],
        files: Some(Files::Read { services: 3, unset: Vec::new() }),
        ignored: Vec::new(),
        unlisted: Vec::new(),
        promotion: Promotion::Refusals(Vec::new()),
    }
}

fn worst(entries: &[Entry]) -> Vec<(&str, Level)> {
    entries.iter().filter(|e| e.level != Level::Ok).map(|e| (e.subject.as_str(), e.level)).collect()
}

#[test]
fn a_healthy_machine_and_environment_have_nothing_to_fix() {
    let sections = [
        Section { title: "machine".into(), entries: machine(&healthy()) },
        Section { title: "staging".into(), entries: environment(&shop()) },
    ];
    let entries: Vec<&Entry> = sections.iter().flat_map(|section| &section.entries).collect();
    assert!(entries.iter().all(|entry| entry.level == Level::Ok && entry.fix.is_none()), "{entries:?}");
    assert_eq!(exit(&sections), Exit::Passed);
    assert!(text(&sections, Colour::Plain).ends_with("all as it should be"));
}

#[rstest]
#[case::no_docker(|m: &mut Machine| m.engine = Err("No such file or directory".into()), "engine", Level::Fail, "start docker")]
#[case::no_right(|m: &mut Machine| m.engine = Err("Permission denied (os error 13)".into()), "engine", Level::Fail, "usermod")]
#[case::old_engine(|m: &mut Machine| m.engine.as_mut().unwrap().version = "19.03.8".into(), "engine", Level::Fail, "20.10")]
#[case::no_compose(|m: &mut Machine| m.compose = Err("not a docker command".into()), "compose", Level::Fail, "Compose 2")]
#[case::compose_1(|m: &mut Machine| m.compose = Ok("1.29.2".into()), "compose", Level::Fail, "Compose 2")]
#[case::no_git(|m: &mut Machine| m.git = Err("cannot run `git`".into()), "git", Level::Fail, "install git")]
#[case::full(|m: &mut Machine| m.engine.as_mut().unwrap().free = Some(GIB / 4), "docker disk", Level::Fail, "prune")]
#[case::nearly_full(|m: &mut Machine| m.state.free = Some(GIB), "state disk", Level::Warn, "state_dir")]
#[case::no_state(|m: &mut Machine| m.state.is_writable = false, "state folder", Level::Fail, "install -d")]
#[case::open_state(|m: &mut Machine| m.state.others_may_write = true, "state folder", Level::Warn, "chmod o-w")]
#[case::no_program(|m: &mut Machine| m.programs[0].is_there = false, "age", Level::Fail, "install age")]
#[case::no_repository(
    |m: &mut Machine| m.repository.as_mut().unwrap().refused = Some("no restic repository at /srv/repo".into()),
    "restic repository",
    Level::Fail,
    "[backup.restic]"
)]
#[case::no_file(|m: &mut Machine| m.configured = Configured::Nowhere, "configuration", Level::Warn, "gate init")]
#[case::broken(|m: &mut Machine| m.configured = Configured::Broken("line 3".into()), "configuration", Level::Fail, "gate config")]
#[case::unsynchronised(|m: &mut Machine| m.clock.is_synchronised = Some(false), "clock", Level::Warn, "set-ntp")]
#[case::other_clock(|m: &mut Machine| m.clock.engine = Some(9_000), "clock", Level::Warn, "set-ntp")]
#[case::past(|m: &mut Machine| m.clock.now = 10, "clock", Level::Fail, "set-ntp")]
fn a_fault_of_the_machine_has_its_fix(
    #[case] break_it: fn(&mut Machine),
    #[case] subject: &str,
    #[case] level: Level,
    #[case] fix: &str,
) {
    let mut facts = healthy();
    break_it(&mut facts);
    let entries = machine(&facts);
    let entry = entries.iter().find(|entry| entry.subject == subject).unwrap();
    assert_eq!(entry.level, level, "{entry:?}");
    assert!(entry.fix.as_ref().unwrap().contains(fix), "{entry:?}");
    let others = worst(&entries).into_iter().filter(|(of, _)| *of != subject && *of != "postgresql").count();
    assert_eq!(others, 0, "{entries:?}");
    let sections = [Section { title: "machine".into(), entries }];
    assert_eq!(exit(&sections) == Exit::Held, level == Level::Fail);
}

#[test]
fn an_address_that_was_set_is_to_be_corrected() {
    let facts = Machine { engine: Err("refused".into()), address: "tcp://127.0.0.1:1".into(), ..healthy() };
    let entries = machine(&facts);
    assert_eq!(entries[1].fix.as_deref(), Some("correct or unset DOCKER_HOST"));
    assert_eq!(worst(&entries), [("engine", Level::Fail), ("postgresql", Level::Warn)], "no disk of it is examined");
}

#[rstest]
#[case::no_workdir(|e: &mut Environment| e.workdir.exists = false, "workdir", Level::Warn, "gate up --env staging")]
#[case::no_right(|e: &mut Environment| e.workdir.is_writable = false, "workdir", Level::Fail, "chown")]
#[case::missing(|e: &mut Environment| e.env_files[0].problem = Some(Problem::Missing), "env file", Level::Fail, "write it")]
#[case::read_by_all(|e: &mut Environment| e.env_files[0].problem = Some(Problem::OthersMayRead), "env file", Level::Warn, "chmod 600")]
#[case::unset(|e: &mut Environment| e.files = Some(Files::Read { services: 1, unset: vec!["DB".into()] }), "variables", Level::Warn, "set DB in /srv/.env")]
#[case::required(|e: &mut Environment| e.files = Some(Files::Refused("required variable DB; add DB=... to .env".into())), "compose files", Level::Fail, "add DB=... to .env")]
#[case::ignored(|e: &mut Environment| e.ignored = vec!["PORT".into()], "variables", Level::Warn, "/srv/.env")]
#[case::unlisted(|e: &mut Environment| e.unlisted = vec![Unlisted { service: "db".into(), database: "audit".into(), tables: 2 }], "databases", Level::Warn, "`service = \"db\"` and `name = \"audit\"`")]
#[case::refusal(|e: &mut Environment| e.promotion = Promotion::Refusals(vec!["run 1 is unfinished; finish it".into()]), "promotion", Level::Warn, "finish it")]
fn a_fault_of_an_environment_has_its_fix(
    #[case] break_it: fn(&mut Environment),
    #[case] subject: &str,
    #[case] level: Level,
    #[case] fix: &str,
) {
    let mut facts = shop();
    break_it(&mut facts);
    let entries = environment(&facts);
    assert_eq!(worst(&entries), [(subject, level)], "{entries:?}");
    let entry = entries.iter().find(|entry| entry.level == level).unwrap();
    assert!(entry.fix.as_ref().unwrap().contains(fix), "{entry:?}");
}

#[test]
fn an_environment_of_another_kind_of_machine_is_not_examined() {
    let facts = Environment {
        elsewhere: Some("server".into()),
        workdir: Workdir { path: PathBuf::new(), exists: false, is_writable: false },
        ..shop()
    };
    assert_eq!(environment(&facts).len(), 1);
}

#[test]
fn a_fix_stands_below_what_it_fixes() {
    let entry = Entry::fail("engine", "not reachable\nat all", "start it");
    let shown = text(&[Section { title: "machine".into(), entries: vec![entry] }], Colour::Plain);
    assert_eq!(
        shown,
        "machine\n  FAIL  engine         not reachable\n        at all\n        fix: start it\n1 failure, 0 warnings"
    );
}
