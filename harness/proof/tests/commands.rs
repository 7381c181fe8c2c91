//! Proofs that a tool which is known by its commands only is tried like any other: on this host and in a service.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use stagegate_base::{compose::Model, config};
use stagegate_migration_act::{Commands, Options, Proven, Rows, SessionOptions, prove, scratch::Scratch};
use stagegate_migration_decide::{
    Chain, Finding,
    locks::{Sizes, Thresholds, of_chain},
    round_trip::{Verdict, findings},
};

use crate::{integrity::start, world::image_of};

/// A tool of ours: psql in a shell script, with a history table of its own. `up` takes one step, `all` takes all of them.
const TOOL: &str = r#"#!/bin/sh
set -eu
cd "$(dirname "$0")"
export PGOPTIONS='--client-min-messages=warning'
test -n "$LEDGER_URL"
ask() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
ask -c 'create table if not exists ledger_versions (version text primary key, at timestamptz default now())'
up() { ask -1 -f "$1.up.sql" -c "insert into ledger_versions values ('$1')"; }
each() { for file in *.up.sql; do echo "${file%.up.sql}"; done; }
applied() { test -n "$(ask -c "select 1 from ledger_versions where version = '$1'")"; }
case $1 in
  status) for name in $(each); do if applied "$name"; then echo "[X] $name"; else echo "[ ] $name"; fi; done ;;
  up) for name in $(each); do applied "$name" || { up "$name"; exit 0; }; done ;;
  all) for name in $(each); do applied "$name" || up "$name"; done ;;
  down) name=$(ask -c 'select max(version) from ledger_versions')
    ask -1 -f "$name.down.sql" -c "delete from ledger_versions where version = '$name'" ;;
  nothing) ;;
  sleep) ask -c 'select pg_sleep(60)' ;;
esac
"#;

/// The same tool in the place of the Python that runs a driver: `-c DRIVER up NAME` and so on; it counts its starts and
/// prints what is applied.
const DRIVEN: &str = r#"#!/bin/sh
set -eu
cd "$(dirname "$0")"
echo start >> starts
export LEDGER_URL=x
case $3 in
  up) ./tool.sh up ;;
  down) ./tool.sh down ;;
  up-all) ./tool.sh all ;;
  down-all) for name in *.up.sql; do ./tool.sh down; done ;;
esac
./tool.sh status
"#;

const STEPS: [(&str, &str, &str); 4] = [
    ("1_accounts", "create table accounts (id int primary key, note text);", "drop table accounts;"),
    (
        "2_entries",
        "create table entries (id int primary key, account int references accounts); create index e on entries (account);",
        "drop table entries;",
    ),
    (
        "3_trim",
        "alter table accounts drop column note; delete from entries;",
        "alter table accounts add column note text;",
    ),
    ("4_broken", "create index e_id on entries (id, account);", "drop index no_such;"),
];

/// A folder with the tool and some of the steps; gone with this value.
struct Folder(PathBuf);

impl Folder {
    fn of(steps: usize) -> Self {
        let name = format!("proof-commands-{}-{steps}-{:?}", std::process::id(), std::thread::current().id());
        let folder = Folder(std::env::temp_dir().join(name.replace(['(', ')'], "")));
        fs::create_dir_all(&folder.0).unwrap();
        fs::write(folder.0.join("tool.sh"), TOOL).unwrap();
        fs::set_permissions(folder.0.join("tool.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        for (name, up, down) in &STEPS[..steps] {
            fs::write(folder.0.join(format!("{name}.up.sql")), up).unwrap();
            fs::write(folder.0.join(format!("{name}.down.sql")), down).unwrap();
        }
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn commands(folder: &Folder, up: &str, down: &str) -> Commands {
    let command = |word: &str| vec!["./tool.sh".to_owned(), word.to_owned()];
    Commands {
        config: config::Commands {
            up: command(up),
            down: command(down),
            status: command("status"),
            service: None,
            url_variable: "LEDGER_URL".to_owned(),
            history_tables: vec!["ledger_versions".to_owned()],
            tool: None,
            program: Vec::new(),
        },
        dir: folder.0.clone(),
        model: None,
        within: Duration::from_secs(4),
        secrets: Vec::new(),
    }
}

fn in_service(folder: &Folder) -> Commands {
    let command = |word: &str| vec!["/tool/tool.sh".to_owned(), word.to_owned()];
    let mut commands = commands(folder, "up", "down");
    commands.config.up = command("up");
    commands.config.down = command("down");
    commands.config.status = command("status");
    commands.config.service = Some("migrate".to_owned());
    commands.within = Duration::from_secs(30);
    let (image, folder) = (image_of(17), folder.0.display());
    commands.model = Some(
        Model::parse(&format!(
            r#"{{"name":"proof-commands","services":{{"migrate":{{"image":"{image}","networks":{{"back":null}},
               "volumes":[{{"type":"bind","source":"{folder}","target":"/tool"}}]}}}},"networks":{{"back":{{}}}}}}"#
        ))
        .unwrap(),
    );
    commands
}

async fn proven(server: &Scratch, commands: Commands, rows: bool) -> (Chain, Proven) {
    let chain = commands.chain(server, "").await.unwrap();
    let options = Options {
        manner: SessionOptions { statement_within: Duration::from_secs(5), search_path: None },
        history_tables: Vec::new(),
        before: String::new(),
        always_clone: false,
        ways_back: true,
        commands: Some(commands),
        rows: rows.then(Rows::default),
    };
    let proven = prove(server, &chain, &options, |_| {}).await.unwrap();
    (chain, proven)
}

fn verdicts(proven: &Proven) -> Vec<Verdict> {
    proven.trips.iter().map(stagegate_migration_decide::round_trip::RoundTrip::verdict).collect()
}

fn all(chain: &Chain, proven: &Proven) -> Vec<Finding> {
    let mut found = findings(chain, &proven.trips, &proven.whole);
    found.extend(proven.rows.integrity.iter().chain(&proven.rows.seeds).cloned());
    found.extend(of_chain(chain, &proven.rows.locks, &Sizes::new(), &Thresholds::default()));
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_of_commands_is_tried_with_its_rows_and_locks_on_the_host_and_in_a_service() {
    let (server, folder) = (start(17).await, Folder::of(4));
    let (chain, on_host) = proven(&server, commands(&folder, "up", "down"), true).await;
    let (_, inside) = proven(&server, in_service(&folder), false).await;
    server.end().await;
    assert_eq!(verdicts(&on_host), [Verdict::Exact, Verdict::Exact, Verdict::Exact, Verdict::SqlError]);
    assert_eq!(verdicts(&inside), verdicts(&on_host));
    let found = all(&chain, &on_host);
    let of = |code: &str| -> Vec<&Finding> { found.iter().filter(|finding| finding.code == code).collect() };
    let fails = of("down-fails")[0];
    assert_eq!((fails.place.position().as_str(), fails.excerpt.as_str()), ("4_broken", "./tool.sh down"));
    assert!(fails.found.contains("index \"no_such\" does not exist"), "{fails:?}");
    assert_eq!((of("rows-lost").len(), of("rows-lost")[0].place.position().as_str()), (1, "3_trim"), "{found:#?}");
    assert!(of("rows-lost")[0].found.contains("public.entries: 8 -> 0 rows"), "{found:#?}");
    assert_eq!(of("data-not-restored")[0].place.position(), "3_trim", "{found:#?}");
    assert_eq!(of("index-blocked-writes")[0].place.position(), "4_broken", "{found:#?}");
    assert!(found.iter().all(|finding| !format!("{finding:?}").contains("ledger_versions")), "{found:#?}");
    assert_eq!(on_host.rows.tried, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_applies_all_at_once_is_one_step_and_one_that_lies_is_reported() {
    let (server, folder) = (start(17).await, Folder::of(2));
    let (chain, proven_all) = proven(&server, commands(&folder, "all", "down"), false).await;
    assert_eq!(chain.migrations.iter().map(|m| m.label()).collect::<Vec<_>>(), ["1_accounts .. 2_entries"]);
    assert_eq!(verdicts(&proven_all), [Verdict::Exact]);
    assert_eq!(findings(&chain, &proven_all.trips, &proven_all.whole)[0].code, "several-at-once");

    let (chain, lies) = proven(&server, commands(&folder, "up", "nothing"), false).await;
    assert_eq!(verdicts(&lies), [Verdict::SqlError; 2]);
    let reported = findings(&chain, &lies.trips, &lies.whole);
    assert!(reported[0].found.contains("it reverted nothing; expected 1_accounts"), "{reported:#?}");

    let (chain, slow) = proven(&server, commands(&folder, "sleep", "down"), false).await;
    assert_eq!(verdicts(&slow), [Verdict::UpFails; 2]);
    let reported = findings(&chain, &slow.trips, &slow.whole);
    assert_eq!(
        (&*reported[0].code, reported[0].excerpt.as_str()),
        ("took-too-long", "./tool.sh sleep"),
        "{reported:#?}"
    );
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_with_a_driver_is_started_three_times_for_a_migration() {
    let (server, folder) = (start(17).await, Folder::of(3));
    fs::write(folder.0.join("python"), DRIVEN).unwrap();
    fs::set_permissions(folder.0.join("python"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut driven = commands(&folder, "up", "down");
    let own = config::Commands::of_tool(config::Tool::Alembic, &["./python".to_owned()]).unwrap();
    driven.config = config::Commands { history_tables: vec!["ledger_versions".to_owned()], ..own };
    driven.within = Duration::from_secs(20);
    let (chain, on_rows) = proven(&server, driven, true).await;
    server.end().await;
    assert_eq!(verdicts(&on_rows), [Verdict::Exact; 3], "{:#?}", on_rows.trips);
    let found = all(&chain, &on_rows);
    let codes: Vec<(&str, String)> = found.iter().map(|one| (&*one.code, one.place.position())).collect();
    for code in ["rows-lost", "data-not-restored", "column-dropped-with-data"] {
        assert!(codes.contains(&(code, "3_trim".to_owned())), "{codes:?}");
    }
    assert!(!codes.iter().any(|(code, _)| *code == "chain-not-restored"), "{codes:?}");
    let starts = fs::read_to_string(folder.0.join("starts")).unwrap().lines().count();
    // One list, three a migration, one more for the one that loses rows, and the whole chain down and up.
    assert_eq!(starts, 1 + 3 * 3 + 1 + 2);
}
