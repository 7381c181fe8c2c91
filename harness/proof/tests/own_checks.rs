//! Releases that change what is checked, how the stack is called and what it is made of: each is judged by its own checks.

use std::{fs, process::Command};

use crate::{
    small::Small,
    world::{Ended, run},
};

const API: &str =
    "  api:\n    image: NGINX\n    depends_on: { migrate: { condition: service_completed_successfully } }\n";

fn ended(ended: Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.text);
    for word in words {
        assert!(ended.text.contains(word), "`{word}` is missing in:\n{}", ended.text);
    }
}

/// Replaces a part of the product's configuration, which the next release has.
fn configure(small: &Small, from: &str, to: &str) {
    let path = small.product().join("stagegate.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(&path, text.replace(from, to)).unwrap();
}

fn nginx(small: &Small) -> String {
    let text = fs::read_to_string(small.product().join("docker-compose.yml")).unwrap();
    text.split("  web:\n    image: ").nth(1).and_then(|rest| rest.lines().next()).unwrap().to_owned()
}

fn status(small: &Small) -> String {
    small.gate(&["status", "--env", "production"]).text
}

/// The release adds a service that is checked, a snapshot of its schema and new names of the compose file; the next one adds
/// another service and fails. Each rollback is verified by what the earlier release promises.
#[test]
fn a_rollback_is_verified_by_the_checks_of_the_earlier_release() {
    let small = Small::new("checks", "app");
    small.up("production", "v1");
    let image = nginx(&small);
    configure(&small, "[services.db]", "[services.api]\nport = 80\nhealth = \"/\"\n[services.db]");
    small.git(&["mv", "docker-compose.yml", "stack.yml"]);
    for name in ["staging", "production"] {
        let section = format!("[environments.{name}]\n");
        configure(&small, &section, &format!("{section}compose = [\"stack.yml\"]\n"));
    }
    let stack = small.product().join("stack.yml");
    let text = fs::read_to_string(&stack).unwrap();
    fs::write(
        &stack,
        text.replacen("volumes:\n  db-data:", &format!("{}volumes:\n  db-data:", API.replace("NGINX", &image)), 1),
    )
    .unwrap();
    release(&small, "v2", "alter table item add column if not exists note text;\n");
    small.up("staging", "v2");
    ended(small.gate(&["schema", "accept", "--env", "staging"]), 0, &[]);
    release(&small, "v3", "alter table item add column if not exists price int;\n");
    small.up("staging", "v3");
    ended(small.gate(&["schema", "accept", "--env", "staging"]), 0, &[]);
    commit(&small, "v4");
    ended(small.promote("v4"), 0, &[]);
    // The next one is not what it promises, and has one service more.
    configure(&small, "[services.db]", "[services.other]\nport = 80\nhealth = \"/\"\n[services.db]");
    configure(&small, "[gate]\n", "[gate]\nverify_within = \"40s\"\n");
    let text = fs::read_to_string(&stack).unwrap();
    let other = API.replace("NGINX", &image).replace("  api:", "  other:");
    let bad = "    command: [\"sh\", \"-c\", \"test -z \\\"$$LATE\\\" && exec nginx -g 'daemon off;'; sleep 600\"]\n    environment: { LATE: \"${LATE:-}\" }\n";
    fs::write(&stack, text.replacen("volumes:\n  db-data:", &format!("{other}{bad}volumes:\n  db-data:"), 1)).unwrap();
    release(&small, "v5", "alter table item add column if not exists late int;\n");
    small.up("staging", "v5");
    ended(small.gate(&["schema", "accept", "--env", "staging"]), 0, &[]);
    commit(&small, "v6");
    ended(small.promote("v6"), 5, &["rolled back and verified"]);
    assert!(status(&small).contains("v4"), "{}", status(&small));
    // By hand, with data: to a release without the service, the snapshots and the file's name.
    small.git(&["checkout", "--quiet", "v4"]);
    ended(small.gate(&["rollback", "--env", "production", "--with-data", "--yes"]), 0, &[]);
    assert!(status(&small).contains("v1"), "{}", status(&small));
}

fn release(small: &Small, tag: &str, migration: &str) {
    fs::write(small.product().join(format!("m/{tag}.sql")), migration).unwrap();
    commit(small, tag);
}

fn commit(small: &Small, tag: &str) {
    small.git(&["add", "--all", ":/"]);
    small.git(&["commit", "--quiet", "--message", tag]);
    small.git(&["tag", tag]);
}

/// A proxy without a published port looks its backend up when it starts; opening the ports gives that another address.
/// What ran once and is over is not started again when the traffic is turned on.
#[test]
fn what_depends_on_an_opened_service_finds_it_and_one_shots_run_once() {
    let small = Small::new("opened", "app");
    let image = nginx(&small);
    let gateway = format!(
        "  gateway:\n    image: {image}\n    command: [\"sh\", \"-c\", \"echo 'server {{ listen 81; location / {{ proxy_pass http://web; \
         proxy_connect_timeout 2s; }} }}' > /etc/nginx/conf.d/g.conf; exec nginx -g 'daemon off;'\"]\n    \
         depends_on: {{ web: {{ condition: service_started }} }}\n  \
         seed:\n    image: {image}\n    restart: \"no\"\n    command: [\"sh\", \"-c\", \"echo seeded\"]\n"
    );
    configure(&small, "[services.db]", "[services.gateway]\nport = 81\nhealth = \"/\"\n[services.db]");
    small.release("v2", "select 1;\n", &gateway);
    small.up("production", "v2");
    small.release("v3", "alter table item add column if not exists note text;\n", "");
    ended(small.promote("v3"), 0, &[]);
    let address = format!("{}-gateway-1", small.project("production"));
    let args = ["exec", &address, "sh", "-c", "curl -fsS http://127.0.0.1:81/ || wget -qO- http://127.0.0.1:81/"];
    assert!(!run(Command::new("docker").args(args)).stdout.is_empty());
    // Code alone: nothing of what is over is started again.
    let compose = small.product().join("docker-compose.yml");
    let text = fs::read_to_string(&compose).unwrap();
    fs::write(&compose, text.replacen("  gateway:\n", "  gateway:\n    labels: { release: four }\n", 1)).unwrap();
    small.release("v4", "select 1;\n", "");
    let runs = || {
        let logs = run(Command::new("docker").args(["logs", &format!("{}-seed-1", small.project("production"))]));
        String::from_utf8_lossy(&logs.stdout).matches("seeded").count()
    };
    let before = runs();
    ended(small.promote("v4"), 0, &["code only"]);
    assert_eq!(runs(), before + 1, "by the deploy, as by `docker compose up`, and not once more");
}

/// The same commit with another image is another release; the same one with the same images is not.
#[test]
fn another_image_of_the_same_commit_can_be_promoted() {
    let small = Small::new("rebuilt", "app");
    let tag = format!("{}-web:stable", small.project("proof"));
    let image = nginx(&small);
    let build = |label: &str| {
        let text = format!("FROM {image}\nLABEL build={label}\n");
        fs::write(small.worktree("Dockerfile"), text).unwrap();
        run(Command::new("docker")
            .args(["build", "--quiet", "--tag", &tag, "--file"])
            .arg(small.worktree("Dockerfile"))
            .arg(small.product()));
    };
    build("one");
    let compose = small.product().join("docker-compose.yml");
    let text = fs::read_to_string(&compose).unwrap();
    fs::write(&compose, text.replacen(&format!("  web:\n    image: {image}"), &format!("  web:\n    image: {tag}"), 1))
        .unwrap();
    small.release("v2", "select 1;\n", "");
    small.up("production", "v2");
    ended(small.promote("v2"), 3, &["is live in `production` already, with the same env files and images"]);
    build("two");
    ended(small.promote("v2"), 0, &[]);
    let live = run(Command::new("docker").args([
        "inspect",
        "--format",
        "{{index .Config.Labels \"build\"}}",
        &format!("{}-web-1", small.project("production")),
    ]));
    assert_eq!(String::from_utf8_lossy(&live.stdout).trim(), "two");
    drop(small);
    let _ = Command::new("docker").args(["image", "rm", "--force", &tag]).output();
}

/// A new major version on the data of an older one is refused by the plan, and two databases may have one migrations service.
#[test]
fn a_new_major_version_is_refused_and_one_service_may_migrate_two_databases() {
    let small = Small::new("majors", "app");
    let up = "set -eu\nfor f in /m/*.sql; do psql -qX -v ON_ERROR_STOP=1 -f \"$f\"; done\n\
              psql -qXAt -d postgres -c \"select 1 from pg_database where datname = 'jobs'\" | grep -q 1 || createdb jobs\n\
              psql -qX -d jobs -c 'create table if not exists job (id int)'\n";
    fs::write(small.product().join("m/up.sh"), up).unwrap();
    configure(
        &small,
        "[severity]",
        "[databases.jobs]\nservice = \"db\"\nname = \"jobs\"\nmigrations = \"migrate\"\n[severity]",
    );
    small.release("v2", "select 1;\n", "");
    small.up("production", "v2");
    let more = "psql -qX -d jobs -c 'alter table job add column if not exists kind text'\n";
    fs::write(small.product().join("m/up.sh"), format!("{up}{more}")).unwrap();
    small.release("v3", "alter table item add column if not exists note text;\n", "");
    ended(small.promote("v3"), 0, &[]);
    let compose = small.product().join("docker-compose.yml");
    let text = fs::read_to_string(&compose).unwrap();
    let (now, then) = (crate::world::image_of(17), crate::world::image_of(18));
    fs::write(&compose, text.replacen(&now, &then, 1)).unwrap();
    small.release("v4", "select 1;\n", "");
    run(Command::new("docker").args([
        "compose",
        "--project-name",
        &small.project("staging"),
        "down",
        "--volumes",
        "--timeout",
        "1",
    ]));
    ended(small.promote("v4"), 3, &["goes from PostgreSQL 17 to 18 on the same data"]);
}
