//! How a command that fails ends: its exit code follows from the cause, and the causes are indented. No stack is needed.

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
