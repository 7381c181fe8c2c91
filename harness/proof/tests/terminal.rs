//! What a terminal shows, and a pipe: colours, width, a line of what goes on, and one failure for one cause.

use std::{
    io::Read,
    net::TcpListener,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rstest::rstest;

use crate::{
    confirm::Folder,
    world::{checkout, ended},
};

/// An address at which no Docker Engine responds.
const NO_ENGINE: &str = "tcp://127.0.0.1:1";
const ESCAPE: char = '\u{1b}';

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    std::fs::write(folder.path().join("docker-compose.yml"), "services: { api: { image: x } }\n").unwrap();
    folder
}

/// Returns a command of the gate whose streams are a terminal of so many columns.
fn on_terminal(folder: &Folder, columns: u16, args: &[&str]) -> Command {
    let gate = folder.command(args);
    let words: Vec<String> = std::iter::once(gate.get_program())
        .chain(gate.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let line = format!("stty cols {columns} rows 40; exec {}", words.join(" "));
    let mut command = Command::new("script");
    command.args(["-qefc", &line, "/dev/null"]).current_dir(folder.path()).stdin(Stdio::null());
    clean(&mut command);
    command
}

/// Takes the variables away that decide on colours.
fn clean(command: &mut Command) -> &mut Command {
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "STAGEGATE_ENV", "GITHUB_ACTIONS"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").env("DOCKER_HOST", NO_ENGINE)
}

#[rstest]
#[case::plain(&[], &[], false)]
#[case::forced(&[], &[("CLICOLOR_FORCE", "1")], true)]
#[case::forced_and_refused(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false)]
#[case::always(&["--color", "always"], &[("NO_COLOR", "1")], true)]
#[case::never(&["--color", "never"], &[("CLICOLOR_FORCE", "1")], false)]
fn a_pipe_has_colours_only_where_they_are_requested(
    #[case] options: &[&str],
    #[case] variables: &[(&str, &str)],
    #[case] is_coloured: bool,
) {
    let folder = folder(&format!("pipe-{}-{}", options.len(), variables.len() + usize::from(is_coloured) * 10));
    let args = [&["test", "--env", "staging"], options].concat();
    let mut command = folder.command(&args);
    let end = ended(&clean(&mut command).envs(variables.iter().copied()).output().unwrap());
    assert_eq!(end.code, Some(4), "{}", end.text);
    assert_eq!(end.text.contains("\u{1b}[33mINCONCLUSIVE\u{1b}[0m"), is_coloured, "{}", end.text);
    assert_eq!(end.text.contains(ESCAPE), is_coloured, "{}", end.text);
}

#[rstest]
#[case::colours(&[], true, true)]
#[case::no_color(&[("NO_COLOR", "1")], false, true)]
#[case::dumb(&[("TERM", "dumb")], false, false)]
fn a_terminal_gets_the_sequences_that_it_knows(
    #[case] variables: &[(&str, &str)],
    #[case] is_coloured: bool,
    #[case] draws: bool,
) {
    let folder = folder(&format!("tty-{is_coloured}-{draws}"));
    let mut command = on_terminal(&folder, 80, &["test", "--env", "staging"]);
    let end = ended(&command.envs(variables.iter().copied()).output().unwrap());
    assert_eq!(end.code, Some(4), "{}", end.text);
    assert_eq!(end.text.contains("\u{1b}[33mINCONCLUSIVE"), is_coloured, "{}", end.text);
    assert_eq!(end.text.contains("\r\u{1b}[2K"), draws, "{}", end.text);
    assert_eq!(end.text.contains(ESCAPE), is_coloured || draws, "{}", end.text);
}

#[rstest]
#[case::narrow(40)]
#[case::usual(80)]
#[case::wide(200)]
fn lines_are_as_wide_as_the_terminal_and_commands_stay_whole(#[case] columns: u16) {
    let folder = folder(&format!("columns-{columns}"));
    let mut command = on_terminal(&folder, columns, &["test", "--env", "staging"]);
    let end = ended(&command.env("TERM", "dumb").output().unwrap());
    let lines: Vec<&str> = end.text.lines().map(str::trim_end).collect();
    let long = |line: &&&str| line.chars().count() > columns.into() && line.trim().contains(' ');
    let too_long: Vec<&&str> = lines.iter().filter(long).filter(|line| !line.contains("gate test")).collect();
    assert!(too_long.is_empty(), "{too_long:#?} in {}", end.text);
    // A short command is whole, at the end of its line.
    assert!(lines.iter().any(|line| line.starts_with("again: gate test --env staging ")), "{}", end.text);
    let reason = "start it (`systemctl start docker`) and check";
    assert_eq!(lines.iter().any(|line| line.contains(reason)), columns > 40, "{}", end.text);
}

#[test]
fn a_terminal_shows_within_a_second_or_two_what_is_waited_for() {
    let folder = folder("waits");
    // An Engine that accepts a connection and never responds: the run hangs where it begins.
    let engine = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = on_terminal(&folder, 80, &["test", "--env", "staging"]);
    command.env("DOCKER_HOST", format!("tcp://{}", engine.local_addr().unwrap()));
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 256]);
    let mut first = None;
    while !text.contains(" checks  1 s") {
        let read = child.stdout.as_mut().unwrap().read(&mut buffer).unwrap();
        assert!(read > 0 && began.elapsed() < Duration::from_secs(20), "{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        first = first.or_else(|| text.contains("...  0 of ").then(|| began.elapsed()));
    }
    let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    let _ = child.kill();
    let _ = child.wait();
    assert!(first.is_some_and(|first| first < Duration::from_secs(2)), "{first:?}: {text}");
}

#[test]
fn quiet_prints_what_blocks_and_the_result() {
    let folder = folder("quiet");
    let mut command = folder.command(&["test", "--env", "staging", "--quiet"]);
    let end = ended(&clean(&mut command).output().unwrap());
    assert_eq!(end.code, Some(4), "{}", end.text);
    assert!(end.text.contains("INCONCLUSIVE staging"), "{}", end.text);
    assert!(!end.text.lines().any(|line| line.starts_with("SKIP ") || line.contains(" s  ")), "{}", end.text);
}

fn nginx() -> String {
    let images = std::fs::read_to_string(checkout().join(".stagegate/images.env")).unwrap();
    images.lines().find_map(|line| line.strip_prefix("NGINX_IMAGE=")).unwrap().to_owned()
}

#[test]
fn a_terminal_names_the_service_that_is_waited_for() {
    let folder = folder("slow");
    let test = "test -f /tmp/ok || { sleep 4; touch /tmp/ok; false; }";
    let compose = format!(
        "services:\n  slow:\n    image: {}\n    healthcheck: {{ test: [CMD-SHELL, \"{test}\"], interval: 1s, timeout: 20s }}\n",
        nginx()
    );
    std::fs::write(folder.path().join("docker-compose.yml"), compose).unwrap();
    let project = folder.project("staging");
    let docker = |args: &[&str]| {
        let mut docker = Command::new("docker");
        docker.args(["compose", "--project-name", &project]).args(args).current_dir(folder.path()).output().unwrap()
    };
    let up = docker(&["up", "--detach"]);
    assert!(up.status.success(), "{up:?}");
    let mut command = on_terminal(&folder, 120, &["test", "--env", "staging", "health"]);
    let end = ended(&command.env_remove("DOCKER_HOST").output().unwrap());
    docker(&["down", "--timeout", "1"]);
    assert_eq!(end.code, Some(0), "{}", end.text);
    let want = "waiting for slow (1 of 1 service not ready) 2 s";
    assert!(end.text.contains(want), "`{want}` is missing in {}", end.text);
}

#[test]
fn an_exited_container_is_one_failure_with_its_last_lines_and_the_variable_that_is_not_set() {
    let folder = folder("exits");
    let nginx = nginx();
    let command = "echo 'fatal: no key in the environment' >&2; exit 3";
    let compose = format!(
        "services:\n  worker:\n    image: {nginx}\n    environment: {{ API_KEY: \"${{SHOP_API_KEY}}\" }}\n    command: [sh, -c, \
         \"{command}\"]\n"
    );
    std::fs::write(folder.path().join("docker-compose.yml"), compose).unwrap();
    let project = folder.project("staging");
    let docker = |args: &[&str]| {
        let mut docker = Command::new("docker");
        docker.args(["compose", "--project-name", &project]).args(args).current_dir(folder.path());
        docker.env_remove("SHOP_API_KEY").output().unwrap()
    };
    let up = docker(&["up", "--detach"]);
    assert!(up.status.success(), "{up:?}");
    let began = Instant::now();
    let test = ended(&folder.command(&["test", "--env", "staging", "health"]).output().unwrap());
    let took = began.elapsed();
    docker(&["down", "--timeout", "1"]);
    assert_eq!(test.code, Some(3), "{}", test.text);
    let failed = test.text.lines().filter(|line| line.starts_with("FAIL") && line.contains("::")).count();
    assert_eq!(failed, 1, "{}", test.text);
    for want in ["exited with code 3", "fatal: no key in the environment", "SHOP_API_KEY, which is not set"] {
        assert!(test.text.contains(want), "`{want}` is missing in {}", test.text);
    }
    assert!(took < Duration::from_secs(30), "it waited for {took:?}: {}", test.text);
}
