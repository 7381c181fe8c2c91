//! Releases that bring a database: on a server that is there, or with a server of its own.

use std::{fs, process::Command};

use crate::{
    small::Small,
    world::{Ended, image_of, run},
};

/// A service that starts in staging and fails in production.
const LATE: &str = "  late:\n    image: NGINX\n    command: [\"sh\", \"-c\", \"[ -z \\\"$$LATE\\\" ] || exit 1; exec nginx -g 'daemon off;'\"]\n    \
     environment: { LATE: \"${LATE:-}\" }\n";

fn is(ended: &Ended, code: i32, texts: &[&str]) {
    let found = texts.iter().all(|text| ended.text.contains(text));
    assert!(ended.code == Some(code) && found, "{code} {texts:?}:\n{}", ended.text);
}

fn edit(small: &Small, file: &str, from: &str, to: &str) {
    let path = small.product().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

fn list(small: &Small, service: &str, name: &str) {
    let entry = format!("[databases.reports]\nservice = \"{service}\"\nname = \"{name}\"\n[severity]");
    edit(small, "stagegate.toml", "[severity]", &entry);
}

/// Returns the service that fails in production, with the image of the product's web server.
fn late(small: &Small) -> String {
    let text = fs::read_to_string(small.product().join("docker-compose.yml")).unwrap();
    let web = text.split("  web:\n    image: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    LATE.replace("NGINX", web)
}

fn psql(small: &Small, service: &str, database: &str, sql: &str) -> String {
    let container = format!("{}-{service}-1", small.project("production"));
    let output =
        run(Command::new("docker").args(["exec", &container, "psql", "-qXAt", "-U", "app", "-d", database, "-c", sql]));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_release_that_brings_a_database_server_is_promoted_and_goes_back_without_it() {
    let small = Small::new("new-server", "app");
    small.up("staging", "v1");
    small.up("production", "v1");
    list(&small, "reports-db", "reports");
    edit(&small, "stagegate.toml", "[severity]", "[services.reports-db]\nkind = \"postgres\"\n[severity]");
    edit(&small, "docker-compose.yml", "  db-data:\n", "  db-data:\n  reports-data:\n");
    let server = format!(
        "  reports-db:\n    image: {}\n    environment: {{ POSTGRES_USER: app, POSTGRES_PASSWORD: \"${{DB_PASSWORD:?}}\", POSTGRES_DB: reports }}\n    \
         volumes: [\"reports-data:/var/lib/postgresql/data\"]\n    \
         healthcheck: {{ test: [\"CMD-SHELL\", \"pg_isready -q -h 127.0.0.1 -U app\"], interval: 1s, retries: 120 }}\n",
        image_of(17)
    );
    let late = late(&small);
    small.release("v2", "alter table item add column if not exists note text;\n", &format!("{server}{late}"));
    let volume = format!("volume `{}_reports-data`", small.project("production"));
    let failed = small.promote("v2");
    let plan = format!("a rollback removes its server reports-db and leaves {volume}");
    is(&failed, 5, &["reports      new with this release: not backed up and not rehearsed", &plan]);
    let left = format!("came with the failed release; what it wrote stays in {volume}");
    is(&failed, 5, &[&left, "rolled back and verified: v1 is live in production again"]);

    edit(&small, "docker-compose.yml", &late, "");
    small.release("v3", "select 1;\n", "");
    is(&small.promote("v3"), 0, &["promoted: v3 is live in production"]);
    psql(&small, "reports-db", "reports", "create table report (id int primary key); insert into report values (7)");
    let again = small.gate(&["promote", "--from", "staging", "--to", "production", "--plan"]);
    assert!(!again.text.contains("new with this release"), "{}", again.text);
    let back = small.gate(&["rollback", "--env", "production", "--with-data", "--yes"]);
    is(&back, 0, &["reports      of service reports-db came with a later release, and stays as it is", "v1"]);
    let count = run(Command::new("docker")
        .args(["volume", "ls", "--quiet", "--filter"])
        .arg(format!("name={}_reports-data", small.project("production"))));
    assert!(!count.stdout.is_empty(), "the volume with the row stays");
    is(&small.promote("v3"), 0, &["promoted: v3 is live in production"]);
    assert_eq!(
        psql(&small, "reports-db", "reports", "select id from report"),
        "7",
        "what was written there is there again"
    );
}

#[test]
fn a_release_that_makes_a_database_on_the_live_server_is_promoted_and_its_failure_is_reported() {
    let small = Small::new("new-database", "app");
    small.up("staging", "v1");
    small.up("production", "v1");
    list(&small, "db", "reports");
    let makes = "select 'create database reports' where not exists (select from pg_database where datname = 'reports') \\gexec\n\
                 alter table item add column if not exists note text;\n";
    let late = late(&small);
    small.release("v2", makes, &late);
    let failed = small.promote("v2");
    is(
        &failed,
        5,
        &["new with this release: not backed up and not rehearsed; a rollback leaves it on the server of db"],
    );
    is(
        &failed,
        5,
        &["database reports came with the failed release and stays on the server of db; DROP DATABASE \"reports\""],
    );
    psql(&small, "db", "postgres", "drop database reports");

    edit(&small, "docker-compose.yml", &late, "");
    small.release("v3", "select 1;\n", "");
    is(&small.promote("v3"), 0, &["promoted: v3 is live in production"]);
    small.release("v4", "alter table item add column if not exists more text;\n", "");
    let next = small.promote("v4");
    is(&next, 0, &["database  reports", "promoted: v4 is live in production"]);
    assert!(!next.text.contains("new with this release"), "{}", next.text);
}

#[test]
fn a_database_server_under_another_name_and_a_name_that_nobody_has_are_refused() {
    let small = Small::new("renamed-server", "app");
    small.up("staging", "v1");
    small.up("production", "v1");
    list(&small, "db", "reprots");
    small.release("v2", "select 1;\n", "");
    small.up("staging", "v2");
    let plan = ["promote", "--from", "staging", "--to", "production", "--plan"];
    is(&small.gate(&plan), 3, &["reprots"]);
    edit(&small, "stagegate.toml", "[databases.reports]\nservice = \"db\"\nname = \"reprots\"\n", "");
    for file in ["docker-compose.yml", "stagegate.toml"] {
        let path = small.product().join(file);
        let text = fs::read_to_string(&path).unwrap();
        let text = text
            .replace("  db:\n", "  postgres:\n")
            .replace("      db:", "      postgres:")
            .replace("PGHOST: db,", "PGHOST: postgres,");
        fs::write(
            &path,
            text.replace("[services.db]", "[services.postgres]").replace("service = \"db\"", "service = \"postgres\""),
        )
        .unwrap();
    }
    small.release("v3", "select 1;\n", "");
    let _ = small.gate(&["down", "--env", "staging", "--volumes", "--yes"]);
    small.up("staging", "v3");
    is(&small.gate(&plan), 3, &["service `postgres` would take over volume", "keep the name `db`"]);
}
