//! A rollback is not left half done by whoever interrupts it, and is not held up by clients that write all the time.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use stagegate_base::mark::{Mark, Role};
use stagegate_host::database::Server;

use crate::small::Small;

/// A release that is healthy in staging and not in production, whose variable LATE is set.
const FAILS_LATE: &str = "  late:\n    image: NGINX\n    command: [\"sh\", \"-c\", \"[ -z \\\"$$LATE\\\" ] && exec sleep infinity; exit 1\"]\n    \
                          environment: { LATE: \"${LATE:-}\" }\n";
const MIGRATION: &str = "alter table item add column if not exists note text;\n";

/// Makes a product whose release v2 is up in staging and fails in production.
pub(crate) fn small(name: &str) -> Small {
    let small = Small::new(name, "app");
    small.up("production", "v1");
    let compose = fs::read_to_string(small.product().join("docker-compose.yml")).unwrap();
    let nginx = compose.split("  web:\n    image: ").nth(1).and_then(|rest| rest.lines().next()).unwrap().to_owned();
    small.release("v2", MIGRATION, &FAILS_LATE.replace("NGINX", &nginx));
    small.up("staging", "v2");
    small
}

fn journal(small: &Small) -> PathBuf {
    let runs = fs::read_dir(small.state("production").join("runs")).unwrap();
    let runs = runs.map(|entry| entry.unwrap().path().join("journal.jsonl")).filter(|journal| journal.is_file());
    runs.max().unwrap()
}

/// Waits until the newest run's journal holds `text`.
fn reached(small: &Small, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while !fs::read_to_string(journal(small)).unwrap().contains(text) {
        assert!(Instant::now() < deadline, "`{text}` is not in {}", journal(small).display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn send(signal: &str, to: &Child) {
    let sent = Command::new("kill").args(["-s", signal, &to.id().to_string()]).status().unwrap();
    assert!(sent.success(), "it had ended before the signal");
}

#[test]
fn a_rollback_that_another_command_finishes_is_not_ended_by_signals() {
    let small = small("signals");
    let mut promote = small.command(&["promote", "--from", "staging", "--to", "production", "--yes"]);
    promote.env("STAGEGATE_RUN_AFTER", "begun verify").env("STAGEGATE_RUN_COMMAND", "kill -9 $PPID");
    assert_eq!(promote.stderr(Stdio::null()).status().unwrap().code(), None, "it was to be killed");
    let mut resume = small.command(&["resume", "--env", "production"]);
    let resume = resume.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    reached(&small, "\"entry\":\"undo_begun\"");
    send("INT", &resume);
    reached(&small, "\"step\":\"start_previous\"");
    send("INT", &resume);
    send("TERM", &resume);
    let ended = resume.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(5), "{text}");
    assert!(text.contains("which is not interrupted"), "{text}");
    assert!(text.contains("rolled back and verified"), "{text}");
}

/// Inserts numbers one after the other, in a new session whenever the server refuses one, and returns those that it
/// acknowledged.
async fn write(server: Server, first: i64, mut stop: tokio::sync::watch::Receiver<bool>) -> Vec<i64> {
    let (mut acknowledged, mut next) = (Vec::new(), first);
    while !*stop.borrow_and_update() {
        let Ok(client) = server.connect("app").await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        while !*stop.borrow() {
            next += 1;
            match client.execute("insert into written values ($1)", &[&next]).await {
                Ok(_) => acknowledged.push(next),
                Err(_) => break,
            }
        }
    }
    acknowledged
}

async fn numbers(server: &Server, database: &str) -> BTreeSet<i64> {
    let rows = server.connect(database).await.unwrap().query("select id from written", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_write_all_the_time_neither_fail_a_rollback_nor_lose_an_acknowledged_row() {
    let small = small("writers");
    let server = small.server().await;
    let client = server.connect("app").await.unwrap();
    client.batch_execute("create table written (id bigint primary key)").await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let writers: Vec<_> =
        (0..4).map(|n| tokio::spawn(write(server.clone(), n * 100_000_000, stopped.clone()))).collect();
    let promoted =
        tokio::task::block_in_place(|| small.gate(&["promote", "--from", "staging", "--to", "production", "--yes"]));
    stop.send(true).unwrap();
    let mut acknowledged = BTreeSet::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    assert_eq!(promoted.code, Some(5), "{}", promoted.text);
    assert!(acknowledged.len() > 100, "too few rows to prove anything: {}", acknowledged.len());
    let found = server.databases().await.unwrap();
    let marks = found.iter().filter_map(|found| Mark::parse(found.comment.as_deref()?));
    let failed = marks.filter(|mark| mark.role == Role::Failed).map(|mark| mark.name).next().unwrap();
    let (live, kept) = (numbers(&server, "app").await, numbers(&server, &failed).await);
    let written_after_the_switch = live.difference(&kept).count();
    assert!(written_after_the_switch > 0, "no client wrote while the rollback was under way");
    let lost: Vec<_> = acknowledged.iter().filter(|id| !live.contains(id) && !kept.contains(id)).collect();
    assert!(lost.is_empty(), "{} of {} rows are lost", lost.len(), acknowledged.len());
}

#[tokio::test]
async fn a_switch_whose_connection_was_lost_right_behind_it_is_ended_by_the_next_try() {
    let small = small("switch");
    let server = small.server().await;
    let mark = |role| Mark::of("app", role, "20260102-030405-ab12", "00112233445566aa");
    let (copy, failed) = (mark(Role::Copy), mark(Role::Failed));
    server.shut("app").await.unwrap();
    server.copy("app", &copy).await.unwrap();
    server.exchange("app", &copy, &failed, None).await.unwrap();
    // As the server was when the connection was lost: the names are switched, both databases are closed.
    let closed = "alter database NAME allow_connections false";
    for name in ["app", failed.name.as_str()] {
        small.execute(&closed.replace("NAME", &format!("\"{name}\""))).await;
    }
    server.exchange("app", &copy, &failed, None).await.unwrap();
    for name in ["app", failed.name.as_str()] {
        server.connect(name).await.unwrap();
    }
}
