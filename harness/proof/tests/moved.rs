//! A release that gives a service another volume or folder would start it on nothing: nobody's data is left behind so.

use std::{fs, process::Command};

use crate::{
    small::Small,
    world::{Ended, run},
};

fn items(small: &Small, environment: &str) -> i64 {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let client = small.server_of(environment).await.connect("app").await.unwrap();
        client.query_one("select count(*) from item where name like 'item %'", &[]).await.unwrap().get(0)
    })
}

fn edit(small: &Small, file: &str, from: &str, to: &str) {
    let file = small.product().join(file);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "no `{from}` in:\n{text}");
    fs::write(&file, text.replace(from, to)).unwrap();
}

fn refused(code: i32, ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.text);
    for part in parts {
        assert!(ended.text.contains(part), "no `{part}` in:\n{}", ended.text);
    }
}

#[test]
fn a_release_that_renames_the_databases_volume_is_refused_and_rolled_back_where_that_was_accepted() {
    let small = Small::new("moved", "app");
    small.up("staging", "v1");
    small.up("production", "v1");
    edit(&small, "docker-compose.yml", "db-data:", "pg-data:");
    small.release("v2", "select 1;\n", "");

    let printed = format!("service `db` keeps data in volume `{}_db-data`", small.project("staging"));
    refused(2, &small.gate(&["up", "--env", "staging", "--release", "v2"]), &[&printed, "so it would start empty"]);
    assert_eq!(items(&small, "staging"), 100);
    let tested = small.gate(&["test", "--env", "staging", "health"]);
    assert!(tested.code == Some(0) && tested.text.contains("staging v1"), "{}", tested.text);

    // Where nothing is left of the data, nothing is left behind.
    let down = small.gate(&["down", "--env", "staging", "--volumes", "--yes"]);
    assert_eq!(down.code, Some(0), "{}", down.text);
    small.up("staging", "v2");
    let promote = ["promote", "--from", "staging", "--to", "production", "--yes"];
    let printed = format!("service `db` keeps data in volume `{}_db-data`", small.project("production"));
    refused(3, &small.gate(&promote), &[&printed, "may_start_empty"]);

    // Named by mistake: it is another database, whatever is in it.
    edit(&small, "stagegate.toml", "[gate]\n", "[gate]\nmay_start_empty = [\"db\"]\n");
    small.release("v3", "select 1;\n", "");
    let ended = small.promote("v3");
    assert_eq!(ended.code, Some(5), "{}", ended.text);
    assert!(ended.text.contains("is not the one from before: expected cluster"), "{}", ended.text);
    assert_eq!(items(&small, "production"), 100);
}

#[test]
fn a_stack_that_was_started_by_hand_keeps_its_folder() {
    let small = Small::new("by-hand", "app");
    edit(&small, "docker-compose.yml", "db-data:/var", "./data:/var");
    fs::write(small.product().join(".gitignore"), "data\n").unwrap();
    small.release("v2", "select 1;\n", "");
    let project = small.project("production");
    let compose_as = |project: &str, args: &[&str]| {
        let mut command = Command::new("docker");
        command.args(["compose", "--project-name", project, "--env-file", "../production.env"]).args(args);
        run(command.current_dir(small.product()));
    };
    let compose = |args: &[&str]| compose_as(&project, args);
    let up = ["up", "--env", "production", "--release", "v2"];

    // Under a name that the configuration does not know, it has the port.
    let other = small.project("laptop");
    compose_as(&other, &["up", "--detach", "--no-deps", "--quiet-pull", "web"]);
    let named = format!("`web` is published by container {other}-web-1 of compose project `{other}`");
    refused(2, &small.gate(&up), &[&named, &format!("project = \"{other}\"")]);
    compose_as(&other, &["down", "--timeout", "1"]);

    compose(&["up", "--detach", "--wait", "--quiet-pull", "db"]);
    compose(&["up", "--detach", "--quiet-pull"]);
    // The migrations ran, as `web` waits for them.
    assert_eq!(items(&small, "production"), 100);

    let (from, to) = (small.product().join("data"), small.product().parent().unwrap().join("production/data"));
    let moved = format!("`mv {} {}`", from.display(), to.display());
    refused(2, &small.gate(&up), &[&moved, &format!("docker compose --project-name {project} stop")]);
    assert_eq!(items(&small, "production"), 100);

    compose(&["stop"]);
    fs::rename(&from, &to).unwrap();
    small.up("production", "v2");
    assert_eq!(items(&small, "production"), 100);
}

#[test]
fn a_second_server_on_the_data_of_one_that_runs_is_refused_whatever_its_place_is_called() {
    let small = Small::new("one-folder", "app");
    let data = small.product().join("../shared-data");
    fs::create_dir_all(&data).unwrap();
    let device = data.canonicalize().unwrap();
    edit(&small, "docker-compose.yml", "db-data:/var", &format!("{}:/var", device.display()));
    small.release("v2", "select 1;\n", "");
    small.up("production", "v2");
    let up = ["up", "--env", "staging", "--release", "v2"];
    let live = format!("where container {}-db-1 of compose project `{0}` writes, too", small.project("production"));
    refused(2, &small.gate(&up), &["service `db` keeps data in", &live, "existing-stack.md"]);

    // The same folder behind a volume's name.
    edit(&small, "docker-compose.yml", &format!("{}:/var", device.display()), "bound:/var");
    let compose = small.product().join("docker-compose.yml");
    let bound = format!("  bound:\n    driver_opts: {{ type: none, o: bind, device: {} }}\n", device.display());
    let text = fs::read_to_string(&compose).unwrap().replace("\nvolumes:\n", &format!("\nvolumes:\n{bound}"));
    assert!(text.contains("o: bind"), "{text}");
    fs::write(&compose, text).unwrap();
    small.release("v3", "select 1;\n", "");
    let up = ["up", "--env", "staging", "--release", "v3"];
    refused(2, &small.gate(&up), &[&format!("volume `{}_bound`", small.project("staging")), &live]);
    assert_eq!(items(&small, "production"), 100);
}
