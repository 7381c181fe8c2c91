//! Proofs that a schema is read as it is: on real servers of three majors, one change at a time.

use std::{
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use rstest::rstest;
use stagegate_base::{container::Container, redact::Secret};
use stagegate_host::database::Server;
use stagegate_migration_act::catalog::{schema, schema_in_transaction};
use stagegate_migration_decide::schema::{Change, Difference, Facts, Kind, Severity, diff, parse, write};

use crate::world::image_of;

const EVERY_KIND: &str = include_str!("../../../fixtures/schema/every-kind.sql");
const OPTIONS: &str = include_str!("../../../fixtures/schema/options.sql");
/// One change a line: what differs, its class, the statement.
const MUTATIONS: &str = include_str!("../../../fixtures/schema/mutations.txt");
pub(crate) const PASSWORD: &str = "only-for-this-test-run";

/// A server in a container of its own, which goes with it.
pub(crate) struct Scratch {
    pub(crate) name: String,
    container: Container,
    pub(crate) server: Server,
}

impl Scratch {
    pub(crate) async fn start(major: u32) -> Self {
        Scratch::start_with(major, &[], &[]).await
    }

    /// Starts a server with more options of `docker run`, and of the server.
    pub(crate) async fn start_with(major: u32, of_docker: &[&str], of_server: &[&str]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("proof-schema-{major}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let (password, image) = (format!("POSTGRES_PASSWORD={PASSWORD}"), image_of(major));
        let run = ["run", "--detach", "--name", &name, "--label", "stagegate.proof=schema", "--env", &password];
        docker(&[&run, of_docker, &[image.as_str()], of_server].concat());
        let address =
            docker(&["inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", &name]);
        let container: Container = serde_json::from_value(serde_json::json!({
            "id": name, "name": name, "service": "db", "one_off": false, "image": image, "state": "running",
            "exit_code": 0, "oom_killed": false, "restarts": 0, "started_at": "", "health": "none",
            "health_output": "", "labels": {}, "addresses": [address], "published": {},
        }))
        .unwrap();
        let server = Server::new(&container, "postgres", Secret::new(PASSWORD), "proof");
        let scratch = Scratch { name, container, server };
        scratch.server.wait(Duration::from_secs(60)).await.unwrap();
        scratch.run("postgres", "create role app_owner; create role app_reader; create role app_writer").await;
        scratch
    }

    /// Returns the server as another role sees it, which must have the proofs' password.
    pub(crate) fn as_role(&self, role: &str) -> Server {
        Server::new(&self.container, role, Secret::new(PASSWORD), "proof")
    }

    pub(crate) async fn run(&self, database: &str, sql: &str) {
        // The image's first start ends its server once: a statement that meets that end is given again.
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match self.server.connect(database).await {
                Ok(client) => return client.batch_execute(sql).await.unwrap(),
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Makes a database with the schema of every kind, with options of every kind, and reads it.
    pub(crate) async fn every_kind(&self, database: &str) -> Facts {
        self.run("postgres", &format!("create database {database}")).await;
        self.run(database, EVERY_KIND).await;
        self.run(database, OPTIONS).await;
        stagegate_migration_act::catalog::schema_of(&self.server, database).await.unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.name]).output();
    }
}

pub(crate) fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn told(differences: &[Difference]) -> Vec<String> {
    differences.iter().map(|d| format!("{} {:?} {:?}", d.id, d.severity, d.change)).collect()
}

#[tokio::test]
async fn the_same_statements_give_the_same_facts_twice_and_on_every_major() {
    let first = Scratch::start(17).await;
    let expected = first.every_kind("one").await;
    assert!(expected.unmodelled().is_empty(), "{:?}", expected.unmodelled());
    let again = first.every_kind("two").await;
    assert_eq!(told(&diff(&expected, &again)), Vec::<String>::new());
    let by_one_session = schema(&first.server.connect("one").await.unwrap()).await.unwrap();
    assert_eq!(write(&by_one_session), write(&expected), "one session against two");
    let text = write(&expected);
    assert_eq!(told(&diff(&expected, &parse(&text).unwrap())), Vec::<String>::new());
    assert!(!text.contains("geheim"), "a password of a mapping or a subscription was read");
    for major in [15, 18] {
        let other = Scratch::start(major).await;
        let found = other.every_kind("one").await;
        assert!(found.unmodelled().is_empty(), "{major}: {:?}", found.unmodelled());
        assert_eq!(told(&diff(&expected, &found)), Vec::<String>::new(), "17 against {major}");
        assert_eq!(write(&found), text, "17 against {major}");
    }
}

#[rstest]
#[case::oldest(15)]
#[case::newest(18)]
#[tokio::test]
async fn every_change_is_found_with_its_object_and_class(#[case] major: u32) {
    let scratch = Scratch::start(major).await;
    scratch.every_kind("one").await;
    let client = scratch.server.connect("one").await.unwrap();
    let before = schema(&client).await.unwrap();
    let mut missed = Vec::new();
    let mut changes = 0;
    for line in MUTATIONS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let [id, class, sql] = line.splitn(3, " | ").collect::<Vec<_>>()[..] else { panic!("{line}") };
        changes += 1;
        client.batch_execute("begin").await.unwrap();
        if let Err(error) = client.batch_execute(sql).await {
            missed.push(format!("{line}\n    refused: {}", stagegate_host::database::error_text(&error)));
            client.batch_execute("rollback").await.unwrap();
            continue;
        }
        let after = schema_in_transaction(&client).await.unwrap();
        client.batch_execute("rollback").await.unwrap();
        let found = diff(&before, &after);
        if !found.iter().any(|difference| matches(difference, id, class)) {
            missed.push(format!("{line}\n    found: {:#?}", told(&found)));
        }
    }
    assert!(missed.is_empty(), "{} of {changes} not found:\n{}", missed.len(), missed.join("\n"));
    assert!(changes >= 150, "{changes}");
}

fn matches(difference: &Difference, id: &str, class: &str) -> bool {
    let (severity, change) = class.split_once(' ').unwrap();
    let severity = match severity {
        "semantic" => Severity::Semantic,
        "name" => Severity::NameOnly,
        "cosmetic" => Severity::Cosmetic,
        "order" => Severity::Order,
        other => panic!("{other}"),
    };
    let is_meant = match (&difference.change, change) {
        (Change::Added { .. }, "new") | (Change::Removed { .. }, "gone") | (Change::Renamed { .. }, "renamed") => true,
        (Change::Changed { attributes }, attribute) => attributes.iter().any(|a| a.name == attribute),
        _ => false,
    };
    difference.id.to_string() == id && difference.severity == severity && is_meant
}

#[tokio::test]
async fn a_server_with_room_for_one_session_only_is_read_by_that_one() {
    let scratch = Scratch::start(17).await;
    let expected = scratch.every_kind("one").await;
    let role = format!("create role alone login connection limit 1 password '{PASSWORD}' in role pg_read_all_data");
    scratch.run("postgres", &role).await;
    let server = Server::new(&scratch.container, "alone", Secret::new(PASSWORD), "proof");
    let held = server.connect("one").await.unwrap();
    let refused = stagegate_migration_act::catalog::schema_of(&server, "one").await.unwrap_err().to_string();
    assert!(refused.contains("too many connections"), "{refused}");
    drop(held);
    let deadline = Instant::now() + Duration::from_secs(10);
    let found = loop {
        match stagegate_migration_act::catalog::schema_of(&server, "one").await {
            Ok(found) => break found,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let tables = |facts: &Facts| facts.iter().filter(|fact| fact.id.kind == Kind::Table).count();
    assert_eq!(tables(&found), tables(&expected));
}

#[tokio::test]
async fn a_role_that_may_not_read_how_subscriptions_connect_reads_the_rest() {
    let scratch = Scratch::start(17).await;
    let expected = scratch.every_kind("one").await;
    scratch.run("postgres", &format!("create role plain login password '{PASSWORD}'")).await;
    let server = Server::new(&scratch.container, "plain", Secret::new(PASSWORD), "proof");
    let found = stagegate_migration_act::catalog::schema_of(&server, "one").await.unwrap();
    let subscription = |facts: &Facts| {
        let fact = facts.iter().find(|fact| fact.id.kind == Kind::Subscription).unwrap().clone();
        (fact.payload.get("publications").cloned(), fact.payload.contains_key("connection"))
    };
    assert_eq!(subscription(&expected), (Some("outgoing".to_owned()), true));
    assert_eq!(subscription(&found), (Some("outgoing".to_owned()), false));
}

#[tokio::test]
async fn an_object_that_no_fact_reports_of_is_counted() {
    let scratch = Scratch::start(17).await;
    scratch.run("postgres", "create database one").await;
    scratch.run("one", "select lo_create(0), lo_create(0)").await;
    let found = stagegate_migration_act::catalog::schema_of(&scratch.server, "one").await.unwrap();
    assert_eq!(found.unmodelled().get("pg_largeobject_metadata"), Some(&2));
}
