//! How a command that fails ends: its exit code follows from the cause, and the causes are indented. No stack is needed.

use std::{
    net::TcpListener,
    process::{Command, Stdio},
};

use crate::{confirm::Folder, world::ended};

/// An address at which no Docker Engine answers.
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
        &["contract", "diff", "no-such-contract.yaml", "another.yaml"],
        &["schema", "diff", "no-such-file", "staging"],
    ] {
        let end = ended(&folder.command(args).output().unwrap());
        assert_eq!(end.code, Some(2), "{args:?}: {}", end.text);
        assert!(end.text.contains("no-such"), "{}", end.text);
    }
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
    let tests = std::fs::read_dir(folder.path().join("state/shop-staging/tests")).unwrap();
    let records = tests.flatten().map(|file| std::fs::read_to_string(file.path()).unwrap()).collect::<String>();
    assert!(records.contains("not run: interrupted") && !records.contains("broken"), "{records}");
}
