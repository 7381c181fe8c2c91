//! Products that nobody here wrote: slow to listen, without healthchecks, with jobs that end. They come up, are promoted,
//! and one that cannot come up states why.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{small::Small, world::ended};

/// Changes the product's compose file, and makes that its newest release.
fn change(small: &Small, tag: &str, change: impl Fn(&str) -> String) {
    let compose = small.product().join("docker-compose.yml");
    let text = fs::read_to_string(&compose).unwrap();
    let changed = change(&text);
    assert_ne!(changed, text, "nothing was changed");
    fs::write(&compose, changed).unwrap();
    small.release(tag, "select 1;\n", "");
}

#[test]
fn a_release_without_a_healthcheck_that_listens_late_is_waited_for_everywhere() {
    let small = Small::new("late", "app");
    let slow = r#"    command: ["sh", "-c", "sleep 6; exec nginx -g 'daemon off;'"]"#;
    change(&small, "v2", |text| text.replace("    ports: [\"127", &format!("{slow}\n    ports: [\"127")));
    small.up("production", "v2");
    small.up("staging", "v2");
    let test = small.gate(&["test", "--env", "staging"]);
    assert_eq!(test.code, Some(0), "{}", test.text);
    small.release("v3", "alter table item add column if not exists price int not null default 1;\n", "");
    let promoted = small.promote("v3");
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);

    // Equal environments without the suites' checks are too little evidence for a score.
    let compared = small.gate(&["compare", "staging", "production", "--no-suites"]);
    assert_eq!(compared.code, Some(4), "{}", compared.text);
    assert!(!compared.text.contains("100 of 100"), "{}", compared.text);
}

#[test]
fn jobs_that_end_block_nothing_whatever_states_that_they_are_jobs() {
    let small = Small::new("jobs", "app");
    let [awaited, job] = ["      migrate: { condition: service_completed_successfully }", "    image: NGINX"];
    // Nobody waits for the migrations, nor for a set-up job; a third has its word in stagegate.toml alone.
    change(&small, "v2", |text| {
        let nginx = text.lines().find(|line| line.contains("nginx")).unwrap_or(job).to_owned();
        let jobs = format!(
            "  buckets:\n{nginx}\n    restart: \"no\"\n    command: [\"sh\", \"-c\", \"sleep 1\"]\n  seed:\n{nginx}\n    \
             command: [\"true\"]\nvolumes:\n  db-data:"
        );
        text.replace(awaited, "      db: { condition: service_healthy }").replace("volumes:\n  db-data:", &jobs)
    });
    let without = small.gate(&["up", "--env", "staging", "--release", "v2"]);
    assert_eq!(without.code, Some(3), "{}", without.text);
    assert!(without.text.contains("one_shot = true"), "{}", without.text);
    let config = small.product().join("stagegate.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}[services.seed]\none_shot = true\n")).unwrap();
    small.release("v3", "select 1;\n", "");
    small.up("production", "v3");
    small.release("v4", "alter table item add column if not exists price int not null default 1;\n", "");
    let promoted = small.promote("v4");
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
}

#[test]
fn a_service_that_cannot_start_ends_the_wait_with_its_own_last_words() {
    let small = Small::new("loops", "app");
    // It waits for the database and its migrations, so that everything is ready when it exits a second time.
    let broken = "  broken:\n    image: NGINX\n    restart: always\n    command: [\"sh\", \"-c\", \"echo cannot import shop; exit 1\"]\n    depends_on:\n      migrate: { condition: service_completed_successfully }\n";
    change(&small, "v2", |text| {
        let nginx = text.lines().find(|line| line.contains("nginx")).unwrap_or_default();
        text.replace(
            "volumes:\n  db-data:",
            &format!("{}volumes:\n  db-data:", broken.replace("    image: NGINX", nginx)),
        )
    });
    let up = small.gate(&["up", "--env", "staging", "--release", "v2"]);
    assert_eq!(up.code, Some(3), "{}", up.text);
    assert!(up.text.contains("cannot import shop") && up.text.contains("run.log"), "{}", up.text);
    // At its second exit, and not when the 60 s of `ready_within` are over.
    let waited = up.text.split("not ready after ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(waited.parse::<u64>().unwrap() < 40, "{}", up.text);
    let log =
        fs::read_dir(small.state("staging").join("runs")).unwrap().next().unwrap().unwrap().path().join("run.log");
    assert!(fs::read_to_string(log).unwrap().contains("cannot import shop"));
    // It never was a deployment, and its logs are there all the same.
    let logs = small.gate(&["logs", "--env", "staging"]);
    assert_eq!(logs.code, Some(0), "{}", logs.text);
    assert!(logs.text.contains("cannot import shop"), "{}", logs.text);
}

#[test]
fn a_copy_of_the_stack_that_cannot_start_ends_at_once_with_the_variable_and_the_last_words() {
    let small = Small::new("unset", "app");
    // README's own configuration has no env file for it, so the password is empty.
    change(&small, "v2", |text| text.replace("${DB_PASSWORD:?}", "${DB_PASSWORD}").replace("${WEB_PORT:?}", "0"));
    let test = small.gate(&["test", "health::"]);
    let waited = test.text.split("was not started whole within ").nth(1).and_then(|rest| rest.split(' ').next());
    assert!(waited.is_some_and(|seconds| seconds.parse::<f64>().unwrap() < 40.0), "{}", test.text);
    assert_eq!(test.code, Some(3), "{}", test.text);
    assert!(test.text.contains("DB_PASSWORD, which is not set"), "{}", test.text);
    assert!(test.text.contains("POSTGRES_PASSWORD is not set"), "{}", test.text);
}

#[test]
fn an_interrupted_start_states_what_it_left_and_how_to_go_on() {
    let small = Small::new("cut", "app");
    small.release("v2", "select pg_sleep(600);\n", "");
    let mut up = small.command(&["up", "--env", "staging", "--release", "v2"]);
    let up = up.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let migrates = || {
        let project = format!("label=com.docker.compose.project={}", small.project("staging"));
        let list = ["ps", "--quiet", "--filter", &project, "--filter", "label=com.docker.compose.service=migrate"];
        !Command::new("docker").args(list).output().unwrap().stdout.is_empty()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while !migrates() {
        assert!(Instant::now() < deadline, "the migrations do not start");
        std::thread::sleep(Duration::from_millis(100));
    }
    let interrupted = Command::new("kill").args(["-INT", &up.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let end = ended(&up.wait_with_output().unwrap());
    assert_eq!(end.code, Some(130), "{}", end.text);
    for want in ["-migrate-1 is running", "`gate up --env staging` continues, `gate down --env staging` removes"] {
        assert!(end.text.contains(want), "`{want}` is missing in {}", end.text);
    }
    // Nothing goes on behind it: Compose would start the rest once the migrations end.
    let deep = Command::new("docker").args(["ps", "--all", "--filter", "status=running"]).output().unwrap();
    let running = String::from_utf8_lossy(&deep.stdout).into_owned();
    assert!(!running.contains(&format!("{}-web-1", small.project("staging"))), "{running}");
}

#[test]
fn a_password_from_a_file_and_one_that_the_socket_requires_let_a_dump_through() {
    let small = Small::new("pwfile", "app");
    let password = small.product().join("../db_password");
    fs::write(&password, "only-for-this-test-run").unwrap();
    let init = small.product().join("init");
    fs::create_dir_all(&init).unwrap();
    fs::write(
        init.join("1.sh"),
        "sed -i 's/^local \\(.*\\) trust$/local \\1 scram-sha-256/' \"$PGDATA/pg_hba.conf\"\n",
    )
    .unwrap();
    change(&small, "v2", |text| {
        let secrets = format!("secrets:\n  pw: {{ file: {} }}\nvolumes:\n  db-data:", password.display());
        let text = text.replace("POSTGRES_PASSWORD: \"${DB_PASSWORD:?}\"", "POSTGRES_PASSWORD_FILE: /run/secrets/pw");
        let mounts = "    secrets: [pw]\n    volumes: [\"./init:/docker-entrypoint-initdb.d:ro\", \"db-data:";
        text.replace("    volumes: [\"db-data:", mounts).replace("volumes:\n  db-data:", &secrets)
    });
    small.up("production", "v2");
    small.release("v3", "alter table item add column if not exists price int not null default 1;\n", "");
    let promoted = small.promote("v3");
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
}

#[test]
fn an_environment_that_is_down_is_one_failure_with_the_next_command() {
    let small = Small::new("down", "app");
    small.up("staging", "v1");
    let down = small.gate(&["down", "--env", "staging", "--yes"]);
    assert_eq!(down.code, Some(0), "{}", down.text);
    let test = small.gate(&["test", "--env", "staging"]);
    let failed: Vec<&str> = test.text.lines().filter(|line| line.starts_with("FAIL") && line.contains("::")).collect();
    assert_eq!(failed.len(), 1, "{}", test.text);
    assert!(test.text.contains("gate up --env staging"), "{}", test.text);
    assert_eq!(test.code, Some(3), "{}", test.text);
}
