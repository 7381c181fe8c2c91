//! The two workflows of operators, through their scripts and from nothing: on the laptop deploy, sync and test; on the server
//! deploy, test, promote and roll back.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::{
    small::Small,
    world::{Ended, checkout, ended, gate},
};

const WORKFLOW: &str = "title = \"an item is seen behind the front\"\n\
    [[step]]\nname = \"the page\"\nsafe = true\nhttp = { service = \"web\", path = \"/\", status = 200 }\n\
    [[step]]\nname = \"the rows\"\nsafe = true\nsql = { query = \"select count(*)::int as n from item\" }\n\
    assert = [{ of = \"$[0].n\", equals = 100 }]\n";
const RULES: &str = "[databases.main.\"public.item\"]\nname = \"text\"\n";

/// Runs a script in the product's folder; nobody is there to confirm anything.
fn script(small: &Small, line: &str) -> Ended {
    let mut words = line.split(' ');
    let mut command = Command::new("bash");
    command.arg(checkout().join("scripts").join(words.next().unwrap())).args(words).current_dir(small.product());
    for name in
        ["STAGEGATE_STATE_DIR", "STAGEGATE_ENV", "LOG_DIR", "DEBUG", "LAPTOP_ENV", "STAGING_ENV", "PRODUCTION_ENV"]
    {
        command.env_remove(name);
    }
    ended(&command.env("GATE", gate()).stdin(Stdio::null()).output().unwrap())
}

fn ends_with(small: &Small, line: &str, code: i32) -> String {
    let end = script(small, line);
    assert_eq!(end.code, Some(code), "{line}:\n{}", end.text);
    end.text
}

/// Returns the release that an environment runs.
fn live(small: &Small, environment: &str) -> String {
    let status = small.gate(&["status", "--env", environment, "--json"]).text;
    let json = status.lines().skip_while(|line| !line.starts_with('{')).collect::<Vec<_>>().join("\n");
    let status: serde_json::Value = serde_json::Deserializer::from_str(&json).into_iter().next().unwrap().unwrap();
    status["release"]["name"].as_str().unwrap_or_default().to_owned()
}

/// Returns how many items an environment has, and how many of them have production's names.
async fn items(small: &Small, environment: &str) -> (i64, i64) {
    let client = small.server_of(environment).await.connect("shop").await.unwrap();
    let sql = "select count(*), count(*) filter (where name ~ '^item [0-9]+$') from item";
    let row = client.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

#[tokio::test]
async fn the_two_workflows_run_from_the_scripts() {
    let small = Small::new("scripts", "shop");
    small.add_environment("laptop");
    // A rollback of code alone needs to know that the earlier release runs on the newer schema.
    let file = small.product().join("stagegate.toml");
    let text = fs::read_to_string(&file).unwrap().replace("cross_versions = \"off\"", "cross_versions = \"report\"");
    fs::write(&file, text).unwrap();
    fs::create_dir_all(small.product().join("workflows")).unwrap();
    fs::write(small.product().join("workflows/items.toml"), WORKFLOW).unwrap();
    fs::write(small.product().join("stagegate-sanitize.toml"), RULES).unwrap();
    small.release("v2", "alter table item add column if not exists price integer;\n", "");

    // What both start from: production runs the release before.
    ends_with(&small, "deploy-staging.sh --env production --release v1", 0);

    // The laptop: its own files, production's data with other values, the workflows.
    ends_with(&small, "deploy-staging.sh --env laptop", 0);
    ends_with(&small, "sync-production-data.sh laptop --dry-run", 0);
    ends_with(&small, "sync-production-data.sh laptop", 2);
    ends_with(&small, "sync-production-data.sh laptop --yes", 0);
    assert_eq!(items(&small, "laptop").await, (100, 0));
    assert_eq!(items(&small, "production").await, (100, 100));
    ends_with(&small, "deploy-staging.sh --env laptop", 0);
    let tested = ends_with(&small, "test-workflows.sh --env laptop", 0);
    assert!(tested.contains("PASS workflows::items::completes"), "{tested}");
    assert!(ends_with(&small, "status-dev.sh", 0).contains("laptop"));

    // The server: the commit that is checked out to staging, then to production, and back.
    ends_with(&small, "deploy-staging.sh", 0);
    ends_with(&small, "test-workflows.sh --staging", 0);
    ends_with(&small, "test-promotion.sh production", 0);
    ends_with(&small, "promote-to-production.sh", 2);
    assert_eq!(live(&small, "production"), "v1");
    ends_with(&small, "promote-to-production.sh --yes", 0);
    assert_eq!(live(&small, "production"), "v2");
    ends_with(&small, "health-check.sh staging production", 0);
    assert!(ends_with(&small, "rollback.sh --list", 0).contains("restores v1"));
    ends_with(&small, "rollback.sh", 2);
    ends_with(&small, "rollback.sh --emergency", 0);
    assert_eq!(live(&small, "production"), "v1");
    assert_eq!(items(&small, "production").await, (100, 100));

    // A release that loses rows does not get there, and the script reports it by gate's exit code.
    small.release("v3", "delete from item where id > 90;\n", "");
    let sql = "select count(*)::int as n from item";
    let workflow = small.product().join("workflows/items.toml");
    fs::write(&workflow, WORKFLOW.replace(sql, "select 100 as n")).unwrap();
    small.release("v4", "select 1;\n", "");
    ends_with(&small, "deploy-staging.sh --release v4", 0);
    let blocked = ends_with(&small, "promote-to-production.sh --yes", 3);
    assert!(blocked.contains("10 lost"), "{blocked}");
    assert_eq!(items(&small, "production").await, (100, 100));

    // What was done is in the logs of the day, and git has nothing to report.
    let logs = fs::read_dir(small.product().join("logs/production")).unwrap();
    let logs: Vec<String> = logs.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    let promoted = logs.iter().find(|text| text.starts_with("# stagegate log: promote of production\n")).unwrap();
    for line in ["promoted: v2 is live in production", " exit code 0\n", " exit code 2\n", " exit code 3\n"] {
        assert!(promoted.contains(line), "{promoted}");
    }
    assert_eq!(small.git(&["status", "--short"]), "");
    let due = small.gate(&["schedule", "run", "--dry-run", "--env", "staging"]);
    assert!(
        due.code == Some(0) && due.text.contains("log rotation") && !due.text.contains("would remove"),
        "{}",
        due.text
    );
}

#[test]
fn the_timer_of_the_schedule_is_one_that_systemd_accepts() {
    let small = Small::new("timer", "shop");
    let dir = small.product().join("units");
    fs::create_dir_all(&dir).unwrap();
    let dir = dir.to_str().unwrap();
    let installed = small.gate(&["schedule", "install", "--dir", dir]);
    assert_eq!(installed.code, Some(0), "{}", installed.text);
    let units: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(units.len(), 2, "{units:?}");
    match Command::new("systemd-analyze").arg("verify").args(&units).output() {
        Ok(output) => {
            let text = ended(&output).text;
            // It reads the host's own units too; what it states of those is not of ours.
            let of_ours = text.lines().any(|line| units.iter().any(|unit| line.contains(unit.to_str().unwrap())));
            assert!(output.status.success() && !of_ours, "{text}");
        }
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "without systemd nothing can verify them"),
    }
    let removed = small.gate(&["schedule", "uninstall", "--dir", dir]);
    assert_eq!(removed.code, Some(0), "{}", removed.text);
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
    let again = small.gate(&["schedule", "uninstall", "--dir", dir]);
    assert!(again.code == Some(0) && again.text.contains("is not installed"), "{}", again.text);
}
