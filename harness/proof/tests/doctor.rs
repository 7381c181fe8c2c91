//! `gate doctor` on machines that lack something. No stack is needed.

use std::{fs, os::unix::fs::symlink, process::Command};

use serde_json::Value;

use crate::{confirm::Folder, world::ended};

/// An address at which no Docker Engine listens.
const NO_ENGINE: &str = "tcp://127.0.0.1:1";

/// Runs the command and returns its exit code and its JSON.
fn examined(mut command: Command) -> (Option<i32>, Value) {
    let output = command.arg("--json").output().unwrap();
    let value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended(&output).text));
    (output.status.code(), value)
}

/// Returns `LEVEL found` of the entries of a subject, whatever their section.
fn of(value: &Value, subject: &str) -> Vec<String> {
    let sections = value["sections"].as_array().unwrap();
    let entries = sections.iter().flat_map(|section| section["entries"].as_array().unwrap());
    let wanted = entries.filter(|entry| entry["subject"] == subject);
    wanted.map(|entry| format!("{} {}", entry["level"].as_str().unwrap(), entry["found"].as_str().unwrap())).collect()
}

#[test]
fn without_docker_and_without_a_file_the_machine_is_examined() {
    let empty = std::env::temp_dir().join(format!("stagegate-doctor-empty-{}", std::process::id()));
    fs::create_dir_all(&empty).unwrap();
    let mut command = Folder::new("doctor").command(&["doctor"]);
    // Not even `git` is on this PATH.
    command.current_dir(&empty).env("DOCKER_HOST", NO_ENGINE).env("PATH", &empty);
    let (code, value) = examined(command);
    fs::remove_dir_all(&empty).unwrap();
    assert_eq!(code, Some(3), "{value:#}");
    assert!(of(&value, "engine")[0].starts_with("fail not reachable at tcp://127.0.0.1:1"), "{value:#}");
    assert!(of(&value, "compose")[0].starts_with("fail cannot run `docker`"), "{value:#}");
    assert!(of(&value, "git")[0].starts_with("fail cannot run `git`"), "{value:#}");
    assert!(of(&value, "configuration")[0].starts_with("warn no stagegate.toml"), "{value:#}");
    assert_eq!(value["sections"].as_array().unwrap().len(), 1, "{value:#}");
}

#[test]
fn a_missing_env_file_and_a_variable_that_is_not_set_are_named() {
    let folder = Folder::new("doctor-env");
    let config = folder.path().join("stagegate.toml");
    let text = fs::read_to_string(&config).unwrap();
    let named = text.replacen("[environments.staging]\n", "[environments.staging]\nenv_file = \".env.none\"\n", 1);
    fs::write(&config, named).unwrap();
    let compose = "services:\n  web:\n    image: none\n    environment: { A: \"${NOT_SET_ANYWHERE}\" }\n";
    fs::write(folder.path().join("compose.yaml"), compose).unwrap();
    let (code, value) = examined(folder.command(&["doctor", "--env", "staging"]));
    assert_eq!(code, Some(3), "{value:#}");
    assert!(of(&value, "env file")[0].ends_with(".env.none does not exist"), "{value:#}");
    // Compose is not run where a file is missing.
    assert_eq!(of(&value, "compose files"), Vec::<String>::new(), "{value:#}");

    fs::write(folder.path().join(".env.none"), "OTHER=1\n").unwrap();
    let (_, value) = examined(folder.command(&["doctor", "--env", "staging"]));
    assert!(
        of(&value, "variables").iter().any(|found| found.starts_with("warn NOT_SET_ANYWHERE is not set")),
        "{value:#}"
    );

    fs::write(folder.path().join("compose.yaml"), compose.replace("ANYWHERE}", "ANYWHERE:?needed}")).unwrap();
    let (code, value) = examined(folder.command(&["doctor", "--env", "staging"]));
    assert_eq!(code, Some(3), "{value:#}");
    assert!(of(&value, "compose files")[0].contains("required variable NOT_SET_ANYWHERE"), "{value:#}");
}

#[test]
fn a_broken_file_is_a_finding_and_one_that_was_named_and_is_not_there_a_wrong_command_line() {
    let folder = Folder::new("doctor-broken");
    fs::write(folder.path().join("stagegate.toml"), "[project]\nnmae = \"x\"\n").unwrap();
    let (code, value) = examined(folder.command(&["doctor"]));
    assert_eq!(code, Some(3), "{value:#}");
    assert!(of(&value, "configuration")[0].contains("nmae"), "{value:#}");
    let end = ended(&folder.command(&["--config", "no-such.toml", "doctor"]).output().unwrap());
    assert_eq!(end.code, Some(2), "{}", end.text);
}

#[test]
fn a_socket_that_leads_nowhere_is_named_with_its_fix() {
    let folder = Folder::new("doctor-socket");
    let socket = folder.path().join("docker.sock");
    symlink("/no/such/socket", &socket).unwrap();
    let mut command = folder.command(&["doctor"]);
    let output = command.env("DOCKER_HOST", format!("unix://{}", socket.display())).output().unwrap();
    let text = ended(&output).text;
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("fix: install Docker Engine, or start it"), "{text}");
    // The folder has no compose file.
    assert!(text.contains("FAIL  compose files") && text.contains("fix: name its files in `compose`"), "{text}");
}
