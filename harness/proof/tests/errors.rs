//! How a command that fails ends: its exit code follows from the cause, and the causes are indented. No stack is needed.

use std::{
    net::TcpListener,
    process::{Command, Stdio},
};

use stagegate_base::exit::Exit;
use stagegate_gate_decide::promotion::{End, Entry, Line, VERSION, chained, read};
use stagegate_host::{lock::Lock, paths::StateDir};

use crate::{confirm::Folder, world::ended};

/// An address at which no Docker Engine responds.
const NO_ENGINE: &str = "tcp://127.0.0.1:1";

#[test]
fn an_unreachable_engine_is_inconclusive_and_its_cause_is_indented() {
    let folder = Folder::new("engine");
    for args in
        [&["status", "--env", "staging"][..], &["up", "--env", "staging"], &["compare", "staging", "production"]]
    {
        let end = ended(&folder.command(args).env("DOCKER_HOST", NO_ENGINE).output().unwrap());
        assert_eq!(end.code, Some(4), "{args:?}: {}", end.text);
        let mut lines = end.text.lines().skip_while(|line| !line.starts_with("error: "));
        assert!(lines.next().is_some_and(|line| line.contains("Docker Engine")), "{}", end.text);
        assert!(lines.next().is_some_and(|line| line.starts_with("  caused by: ")), "{}", end.text);
    }
}

#[test]
fn a_file_that_was_named_and_does_not_exist_is_a_wrong_command_line() {
    let folder = Folder::new("files");
    for args in [
        &["migrations", "check", "no-such-folder"][..],
        &["migrations", "check", ".", "--waivers", "no-such-waivers.toml"],
        &["contract", "diff", "no-such-contract.yaml", "another.yaml"],
        &["schema", "diff", "no-such-file", "staging"],
    ] {
        let end = ended(&folder.command(args).output().unwrap());
        assert_eq!(end.code, Some(2), "{args:?}: {}", end.text);
        assert!(end.text.contains("no-such"), "{}", end.text);
    }
}

#[test]
fn an_env_file_that_is_named_and_does_not_exist_is_a_wrong_configuration() {
    let folder = Folder::new("env-file");
    let config = folder.path().join("stagegate.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let named = text.replacen("[environments.staging]\n", "[environments.staging]\nenv_file = \".env.none\"\n", 1);
    std::fs::write(&config, named).unwrap();
    let end = ended(&folder.command(&["test", "--env", "staging"]).output().unwrap());
    assert_eq!(end.code, Some(2), "{}", end.text);
    assert!(end.text.contains(".env.none does not exist; write it"), "{}", end.text);
    assert!(!end.text.contains("health::"), "no check ran: {}", end.text);
}

/// Puts a run into production's state: killed, and so open, or stuck.
fn leave_a_run(folder: &Folder, is_stuck: bool) -> StateDir {
    let mut text = include_str!("../../../fixtures/journals/format-1/killed.jsonl").to_owned();
    if is_stuck {
        let read = read(text.as_bytes()).unwrap();
        let last = read.lines.last().unwrap();
        let entry = Entry::Ended { end: End::Stuck, exit: Exit::PersonNeeded };
        let line = Line { v: VERSION, seq: last.seq + 1, entry, prev: read.head.clone(), ..last.clone() };
        text.push_str(&chained(&line).unwrap().0);
    }
    let state = StateDir::at(&folder.path().join("state").join(folder.project("production")));
    let dir = state.run("20261128-203607-22ff");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("journal.jsonl"), text).unwrap();
    state
}

#[test]
fn a_stuck_run_is_named_with_the_command_of_its_environment() {
    let folder = Folder::new("stuck");
    leave_a_run(&folder, true);
    let end = ended(&folder.command(&["rollback", "--env", "production", "--list"]).output().unwrap());
    let want = "run 20261128-203607-22ff of `production`: manual action required: `gate resume --env production`";
    assert!(end.text.contains(want), "{}", end.text);
    for command in ["down", "reset", "up"] {
        let args = [command, "--env", "production", "--confirm", "production", "--yes"];
        let end = ended(&folder.command(&args[..if command == "up" { 5 } else { 6 }]).output().unwrap());
        assert_eq!(end.code, Some(6), "{command}: {}", end.text);
        assert!(end.text.contains("`gate resume --env production`"), "{command}: {}", end.text);
    }
}

#[test]
fn a_live_run_is_a_lock_and_no_case_for_resume() {
    let folder = Folder::new("live");
    let state = leave_a_run(&folder, false);
    let _lock = Lock::take(&state, &folder.project("production"), "gate promote").unwrap();
    for command in ["down", "reset", "up"] {
        let args = [command, "--env", "production", "--confirm", "production", "--yes"];
        let end = ended(&folder.command(&args[..if command == "up" { 5 } else { 6 }]).output().unwrap());
        assert_eq!(end.code, Some(7), "{command}: {}", end.text);
        assert!(end.text.contains("gate promote") && !end.text.contains("gate resume"), "{command}: {}", end.text);
    }
}

#[test]
fn a_gate_with_another_state_folder_is_a_lock_too() {
    let folder = Folder::new("elsewhere");
    let elsewhere = StateDir::at(&folder.path().join("of-another-user"));
    let lock = Lock::take(&elsewhere, &folder.project("production"), "gate promote").unwrap();
    let args = ["down", "--env", "production", "--confirm", "production", "--yes"];
    let end = ended(&folder.command(&args).output().unwrap());
    assert_eq!(end.code, Some(7), "{}", end.text);
    let want = format!("is locked by process {} of user", std::process::id());
    assert!(end.text.contains(&want) && end.text.contains("another state folder"), "{}", end.text);
    drop(lock);
    let end = ended(&folder.command(&args).output().unwrap());
    assert_ne!(end.code, Some(7), "the lock went with its holder: {}", end.text);
}

#[test]
fn a_program_that_cannot_be_run_is_inconclusive() {
    let folder = Folder::new("program");
    std::fs::write(folder.path().join("docker-compose.yml"), "services: {}\n").unwrap();
    let end = ended(&folder.command(&["lint", "--env", "staging"]).env("PATH", "/nonexistent").output().unwrap());
    assert_eq!(end.code, Some(4), "{}", end.text);
    assert!(end.text.contains("cannot run `docker`"), "{}", end.text);
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_anything_runs() {
    let folder = Folder::new("unwritable");
    std::fs::write(folder.path().join("docker-compose.yml"), "services: { api: { image: x } }\n").unwrap();
    let mut command = folder.command(&["test", "--env", "staging", "--html", "docker-compose.yml/page.html"]);
    let end = ended(&command.env("DOCKER_HOST", "tcp://127.0.0.1:1").output().unwrap());
    assert!(end.text.contains("cannot write docker-compose.yml"), "{}", end.text);
    assert!(!end.text.contains("BROKEN") && !folder.path().join("state").exists(), "{}", end.text);
}

#[test]
fn an_interrupted_run_of_the_suites_keeps_its_records_and_writes_its_reports() {
    let folder = Folder::new("interrupt");
    std::fs::write(folder.path().join("docker-compose.yml"), "services: { api: { image: x } }\n").unwrap();
    // An Engine that accepts a connection and never responds: the run hangs where it begins.
    let engine = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", engine.local_addr().unwrap());
    let mut command =
        folder.command(&["test", "--env", "staging", "--junit", "out/junit.xml", "--html", "out/page.html"]);
    command.env("DOCKER_HOST", address).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let _connection = engine.accept().unwrap();
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let end = ended(&child.wait_with_output().unwrap());
    assert_eq!(end.code, Some(130), "{}", end.text);
    assert!(end.text.contains("interrupted: 0 of ") && !end.text.contains("did not run"), "{}", end.text);
    for report in ["out/junit.xml", "out/page.html"] {
        let text = std::fs::read_to_string(folder.path().join(report)).unwrap();
        assert!(text.contains("not run: interrupted"), "{report}: {text}");
    }
    let tests = std::fs::read_dir(folder.path().join("state").join(folder.project("staging")).join("tests")).unwrap();
    let records = tests.flatten().map(|file| std::fs::read_to_string(file.path()).unwrap()).collect::<String>();
    assert!(records.contains("not run: interrupted") && !records.contains("broken"), "{records}");
}
