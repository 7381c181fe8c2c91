//! What the gate refuses before it touches anything, and what it does when it is asked to stop.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use crate::world::{World, ended};

fn refused(world: &World, args: &[&str], code: i32, wanted: &[&str]) {
    let ended = world.gate(args);
    assert_eq!(ended.code, Some(code), "gate {args:?}:\n{}", ended.text);
    for word in wanted {
        assert!(ended.text.contains(word), "gate {args:?}: `{word}` is missing in:\n{}", ended.text);
    }
}

const PROMOTE: [&str; 6] = ["promote", "--from", "staging", "--to", "production", "--yes"];

#[tokio::test]
async fn what_cannot_go_well_is_refused_with_the_way_out() {
    let world = World::empty("refuse", "soak = \"1s\"");
    refused(&world, &["test", "--env", "stagin"], 2, &["did you mean `staging`?"]);
    refused(&world, &["test", "--env", "staging"], 4, &["gate up --env staging"]);
    refused(&world, &PROMOTE, 2, &["nothing runs in `production`", "gate up --env production"]);
    world.gate_ok(&["up", "--env", "staging", "--release", "v1"]);
    world.gate_ok(&["up", "--env", "production", "--release", "v1"]);
    let before = world.state().await;

    refused(&world, &[&PROMOTE[..], &["--release", "nonsense"]].concat(), 2, &["`nonsense` is not in the repository"]);
    refused(&world, &PROMOTE, 3, &["v1 is live in `production` already"]);
    refused(&world, &[&PROMOTE[..], &["--release", "v2"]].concat(), 3, &["only a release that was tested there"]);
    refused(&world, &["down", "--env", "production", "--yes"], 2, &["protected", "--confirm production"]);
    refused(&world, &["reset", "--env", "production", "--yes"], 2, &["protected"]);
    refused(&world, &["up", "--env", "production", "--release", "v2"], 2, &["protected"]);

    let tracked = world.shop().join("VERSION");
    let version = std::fs::read(&tracked).unwrap();
    std::fs::write(&tracked, "9.9.9\n").unwrap();
    refused(&world, &PROMOTE, 3, &["uncommitted", "VERSION"]);
    std::fs::write(&tracked, version).unwrap();

    std::fs::write(world.workdir("production").join("VERSION"), "9.9.9\n").unwrap();
    refused(&world, &PROMOTE, 3, &["the target's worktree", "VERSION"]);
    std::fs::remove_file(world.workdir("production").join("VERSION")).unwrap();
    run_git(&world, &["checkout", "--", "VERSION"]);
    assert_eq!(world.state().await, before);

    let journal = last_journal(&world);
    let run = journal.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let text = std::fs::read_to_string(&journal).unwrap();
    // Without its end the run would be an open one, which the next command turns back.
    let end = text[..text.len() - 1].rfind('\n').unwrap() + 1;
    for cut in ["", &text[..end]] {
        std::fs::write(&journal, cut).unwrap();
        refused(&world, &PROMOTE, 6, &["lines at its end are gone"]);
    }
    std::fs::remove_file(&journal).unwrap();
    refused(&world, &PROMOTE, 6, &["the journal has 0 lines"]);
    std::fs::write(&journal, &text).unwrap();
    refused(&world, &PROMOTE, 3, &["v1 is live in `production` already"]);

    let damaged = text.replacen("preflight", "preflicht", 1);
    assert_ne!(text, damaged);
    std::fs::write(&journal, damaged).unwrap();
    refused(&world, &PROMOTE, 6, &["is damaged"]);
    world.gate_ok(&["unlock", "--env", "production", "--run", &run]);
    refused(&world, &PROMOTE, 3, &["v1 is live in `production` already"]);
}

fn run_git(world: &World, args: &[&str]) {
    let git = std::process::Command::new("git").arg("-C").arg(world.workdir("production")).args(args).status();
    assert!(git.unwrap().success());
}

fn last_journal(world: &World) -> std::path::PathBuf {
    let runs = std::fs::read_dir(world.runs("production")).unwrap().flatten();
    runs.map(|run| run.path().join("journal.jsonl")).filter(|path| path.is_file()).max().unwrap()
}

#[tokio::test]
async fn a_second_gate_is_reported_who_is_at_work_and_a_stopped_one_takes_back_what_it_began() {
    let world = World::new("stop", "soak = \"8s\"");
    let before = world.state().await;
    world.stage("v2");
    refused(&world, &PROMOTE[..5], 2, &["no terminal to confirm on", "--yes"]);
    let mut command = world.command(&PROMOTE);
    let first = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !has_begun(&world, "verify") {
        assert!(Instant::now() < deadline, "the first gate does not come to its verification");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let begun = Instant::now();
    refused(&world, &PROMOTE, 7, &["locked by process", &first.id().to_string()]);
    // It does not wait for the lock; the rest is this machine's load.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());

    // Under another name the run would be hidden, and a second one begin next to it.
    let text = std::fs::read_to_string(world.shop().join("stagegate.toml")).unwrap();
    let renamed = text.replacen("[project]\nname = \"", "[project]\nname = \"renamed-", 1);
    let file = world.shop().join("renamed.toml");
    std::fs::write(&file, renamed).unwrap();
    for command in [&["status", "--env", "production"][..], &["resume", "--env", "production"], &PROMOTE] {
        let command = [&["--config", "renamed.toml"], command].concat();
        refused(
            &world,
            &command,
            6,
            &["has not ended", "compose project `proof-stop-", "gate resume --env production"],
        );
    }
    std::fs::remove_file(file).unwrap();

    let interrupted = std::process::Command::new("kill").args(["-INT", &first.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let first = ended(&first.wait_with_output().unwrap());
    assert_eq!(first.code, Some(5), "{}", first.text);
    assert!(first.text.contains("interrupted"), "{}", first.text);
    assert_eq!(world.state().await, before);
    world.assert_tidy("after it was stopped").await;
}

fn has_begun(world: &World, step: &str) -> bool {
    let journals = std::fs::read_dir(world.runs("production")).into_iter().flatten().flatten();
    let journals = journals.filter_map(|run| std::fs::read_to_string(run.path().join("journal.jsonl")).ok());
    let begun = format!("\"entry\":\"begun\",\"step\":\"{step}\"");
    journals.into_iter().any(|journal| journal.contains(&begun))
}
