use std::path::Path;

use rstest::rstest;
use serde_json::json;

use stagegate_base::report::Colour;

use super::*;

fn facts(services: Value) -> Facts {
    let model = Model::parse(&json!({"name": "shop", "services": services}).to_string()).unwrap();
    Facts { model: Some(model), ..Facts::default() }
}

fn careless() -> Facts {
    let text = "services:\n  web:\n    image: web\n    privileged: true\n    environment:\n      DB_PASSWORD: hunter2-hunter2\n";
    let file = SourceFile { path: "docker-compose.yml".into(), text: text.into() };
    let services = json!({"web": {
        "image": "web", "privileged": true, "environment": {"DB_PASSWORD": "hunter2-hunter2"},
        "healthcheck": {"test": ["CMD-SHELL", "curl http://u:hunter2-hunter2@127.0.0.1 || true"]},
    }});
    Facts { files: vec![file], ..facts(services) }
}

fn waivers(rule: &str, expires: &str) -> Result<Waivers, stagegate_base::config::ConfigError> {
    let text = format!(
        "[[policy]]\nrule = \"{rule}\"\nservice = \"web\"\nreason = \"r\"\nowner = \"o\"\nexpires = {expires}\n"
    );
    let known: Vec<&str> = rules().iter().map(|rule| rule.id).collect();
    Waivers::parse(Path::new("/srv/stagegate-waivers.toml"), &text, &known)
}

#[test]
fn findings_read_as_reviewed() {
    let waivers = waivers("cpu-limit-missing", "2026-12-31").unwrap();
    let findings = audit(&careless(), &waivers, "2026-12-31");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        insta::assert_snapshot!("policy_text", report("Compose files", findings.clone()).text(Colour::Plain));
        insta::assert_snapshot!("policy_lines_to_add", lines_to_add(&findings));
    });
    let report = report("Compose files", findings);
    let everything = format!("{}{}{}", report.text(Colour::Plain), report.sarif("0"), report.json().unwrap());
    assert!(!everything.contains("hunter2"), "a value is in the report");
}

#[test]
fn ids_are_unique_plain_and_explained() {
    let ids: BTreeSet<&str> = rules().iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), rules().len());
    assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')));
    assert!(ids.iter().all(|id| explained(id).is_some_and(|text| text.contains("fix"))));
    assert!(explained("nonsense").is_none());
}

#[test]
fn the_manual_has_every_rule_with_its_severity() {
    let manual = include_str!("../../../../../docs/policy.md");
    for rule in rules() {
        let severity = format!("{:?}", rule.severity).to_lowercase();
        let row = format!("| `{}` | {severity} | {} |", rule.id, rule.title);
        assert!(manual.contains(&row), "docs/policy.md lacks: {row}");
    }
}

#[rstest]
#[case::covered("2026-12-31", "2026-12-31", true, None)]
#[case::over("2026-12-31", "2027-01-01", false, Some("waiver-expired"))]
fn a_waiver_covers_up_to_its_last_day(
    #[case] expires: &str,
    #[case] today: &str,
    #[case] covered: bool,
    #[case] told: Option<&str>,
) {
    let findings = audit(&careless(), &waivers("privileged", expires).unwrap(), today);
    let waived = findings.iter().any(|finding| finding.code == "privileged" && finding.waived.is_some());
    assert_eq!(waived, covered);
    let own = findings.iter().find(|finding| finding.code.starts_with("waiver-"));
    assert_eq!(own.map(|finding| &*finding.code), told);
}

#[rstest]
#[case::rule("privilegd", "2026-12-31", "did you mean `privileged`?")]
#[case::date("privileged", "\"soon\"", "`expires` is `soon`, which is no day")]
#[case::no_day("privileged", "2026-13-31", ":6:")]
fn a_waiver_that_cannot_be_used_is_refused_with_its_place(
    #[case] rule: &str,
    #[case] expires: &str,
    #[case] want: &str,
) {
    let error = waivers(rule, expires).unwrap_err().to_string();
    assert!(error.starts_with("/srv/stagegate-waivers.toml:") && error.contains(want), "{error}");
}

#[test]
fn a_waiver_of_drift_is_not_unused_where_nobody_looked() {
    let facts = facts(json!({"web": {"image": "web:1"}}));
    let of = |facts: &Facts| {
        let findings = audit(facts, &waivers("drift", "2999-01-01").unwrap(), "2026-01-01");
        findings.iter().any(|finding| finding.code == "waiver-unused")
    };
    assert!(!of(&facts));
    assert!(of(&Facts { containers: Some(Vec::new()), ..facts }));
}

#[test]
fn what_the_image_declares_counts_where_the_file_states_nothing() {
    let image = Image::of_inspect(&json!({"Id": "sha256:1", "Config": {
        "User": "app", "Volumes": {"/data": {}}, "Healthcheck": {"Test": ["CMD", "check"]},
    }}));
    let mut facts = facts(json!({"web": {"image": "web:1"}}));
    let ids = |facts: &Facts| -> BTreeSet<&str> {
        audit(facts, &Waivers::default(), "2026-01-01").iter().map(|finding| rule(&finding.code).unwrap().id).collect()
    };
    let before = ids(&facts);
    facts.images.insert("web".into(), image);
    let after = ids(&facts);
    assert!(before.contains("healthcheck-missing") && !after.contains("healthcheck-missing"));
    assert!(before.contains("user-root") && !after.contains("user-root"));
    assert!(!before.contains("anonymous-volume") && after.contains("anonymous-volume"));
}

#[test]
fn a_service_that_only_uses_a_servers_programs_gets_neither_its_probe_nor_its_volume() {
    let image = Image::of_inspect(&json!({"Id": "sha256:1", "Config": {"Volumes": {"/var/lib/postgresql/data": {}}}}));
    let of = |command: serde_json::Value| {
        let mut facts = facts(json!({"db": {"image": "postgres:17", "command": command}}));
        facts.images.insert("db".into(), image.clone());
        let findings = audit(&facts, &Waivers::default(), "2026-01-01");
        let volume = findings.iter().any(|finding| finding.code == "anonymous-volume");
        let probe = findings.iter().find(|finding| finding.code == "healthcheck-missing").unwrap();
        (volume, probe.addition.is_some())
    };
    assert_eq!(of(json!(["postgres"])), (true, true));
    assert_eq!(of(json!(["sh", "-c", "while true; do pg_dump -h db shop; sleep 60; done"])), (false, false));
}

#[test]
fn a_service_that_runs_once_needs_neither_healthcheck_nor_restart() {
    let facts = facts(json!({
        "migrate": {"image": "m:1"},
        "web": {"image": "w:1", "depends_on": {"migrate": {"condition": "service_completed_successfully"}}},
    }));
    let findings = audit(&facts, &Waivers::default(), "2026-01-01");
    let of = |service: &str| -> Vec<&str> {
        findings
            .iter()
            .filter(|f| service_of(f) == service)
            .map(|f| rule(&f.code).unwrap().id)
            .filter(|id| id.ends_with("k-missing") || *id == "restart-missing")
            .collect()
    };
    assert_eq!(of("migrate"), [""; 0]);
    assert_eq!(of("web"), ["healthcheck-missing", "restart-missing"]);
}

#[rstest]
#[case::that_is_waited_for(json!({"healthcheck": {"disable": true}}), "service_completed_successfully", &[])]
#[case::that_nothing_restarts(json!({"restart": "no"}), "service_started", &[])]
#[case::switched_off(json!({"restart": "no", "healthcheck": {"disable": true}}), "service_started", &[])]
#[case::that_serves(json!({"restart": "no", "ports": [{"target": 80, "published": "80"}]}), "service_started",
    &["healthcheck-missing", "restart-missing"])]
fn a_job_needs_neither_healthcheck_nor_restart(#[case] job: Value, #[case] condition: &str, #[case] want: &[&str]) {
    let mut job = job;
    job["image"] = json!("j:1");
    let facts = facts(json!({"job": job, "web": {"image": "w:1", "depends_on": {"job": {"condition": condition}}}}));
    let rules = ["healthcheck-missing", "healthcheck-cannot-fail", "restart-missing"];
    let found: Vec<&str> = rules.into_iter().filter(|rule| has(&facts, "job", rule)).collect();
    assert_eq!(found, want);
}

#[test]
fn a_port_with_replicas_is_published_twice() {
    let ports = json!([{"target": 80, "published": "8080", "protocol": "tcp", "host_ip": "127.0.0.1"}]);
    let facts = facts(json!({"web": {"image": "w:1", "ports": ports, "deploy": {"replicas": 2}}}));
    let findings = audit(&facts, &Waivers::default(), "2026-01-01");
    assert!(findings.iter().any(|finding| finding.code == "duplicate-port" && finding.found.contains("2 replicas")));
}

#[test]
fn a_variable_that_is_twice_in_a_list_is_reported_with_its_line() {
    let text = "services:\n  web:\n    image: w:1\n    environment:\n      - A=1\n      - A=2\n";
    let file = SourceFile { path: "docker-compose.yml".into(), text: text.into() };
    let facts = Facts { files: vec![file], ..facts(json!({"web": {"image": "w:1"}})) };
    let findings = audit(&facts, &Waivers::default(), "2026-01-01");
    assert!(
        findings
            .iter()
            .any(|finding| finding.code == "duplicate-key" && finding.found.starts_with("A is defined twice"))
    );
}

#[rstest]
#[case::named_by_compose("shop_data", false)]
#[case::of_another_project("other_data", true)]
fn a_volume_without_a_name_is_the_projects(#[case] volume: &str, #[case] drifts: bool) {
    let mounts = json!([{"type": "volume", "source": "data", "target": "/data"}]);
    let container = json!({
        "Name": "/shop-web-1",
        "Config": {"Image": "w:1", "Labels": {"com.docker.compose.service": "web"}},
        "Mounts": [{"Type": "volume", "Name": volume, "Destination": "/data", "RW": true}],
    });
    let mut facts = facts(json!({"web": {"image": "w:1", "volumes": mounts}}));
    facts.containers = Some(vec![Running::of_inspect(&container)]);
    let findings = audit(&facts, &Waivers::default(), "2026-01-01");
    assert_eq!(findings.iter().any(|finding| finding.code == "drift"), drifts);
}

#[rstest]
#[case::by_the_gate("true", false)]
#[case::by_nobody("", true)]
fn ports_that_a_promotion_keeps_closed_are_no_drift(#[case] closed: &str, #[case] drifts: bool) {
    let labels = json!({"com.docker.compose.service": "web", "dev.stagegate.closed": closed});
    let container = json!({"Name": "/shop-web-1", "Config": {"Image": "w:1", "Labels": labels}});
    let mut facts = facts(json!({"web": {"image": "w:1", "ports": [{"target": 80, "published": "8080"}]}}));
    facts.containers = Some(vec![Running::of_inspect(&container)]);
    let findings = audit(&facts, &Waivers::default(), "2026-01-01");
    assert_eq!(findings.iter().any(|finding| finding.code == "drift"), drifts);
}

/// Returns rule and line of what is found of a service.
fn found(facts: &Facts, service: &str) -> Vec<(String, usize)> {
    let findings = audit(facts, &Waivers::default(), "2026-01-01");
    let own = findings.into_iter().filter(|finding| service_of(finding) == service);
    own.map(|finding| (finding.code.into_owned(), finding.place.line)).collect()
}

fn has(facts: &Facts, service: &str, rule: &str) -> bool {
    found(facts, service).iter().any(|(found, _)| found == rule)
}

fn written(text: &str, services: Value) -> Facts {
    let file = SourceFile { path: "docker-compose.yml".into(), text: text.into() };
    Facts { files: vec![file], ..facts(services) }
}

#[test]
fn a_volume_that_is_a_folder_of_the_host_by_its_options_is_a_mount_of_it() {
    let of = |options: Value| {
        let model = json!({
            "name": "shop",
            "services": {"web": {"image": "w:1", "volumes": [{"type": "volume", "source": "conf", "target": "/x"}]}},
            "volumes": {"conf": {"name": "shop_conf", "driver_opts": options}},
        });
        Facts { model: Some(Model::parse(&model.to_string()).unwrap()), ..Facts::default() }
    };
    assert!(has(&of(json!({"type": "none", "o": "bind", "device": "/etc"})), "web", "sensitive-mount"));
    assert!(has(&of(json!({"o": "rbind,ro", "device": "/"})), "web", "sensitive-mount"));
    let socket = of(json!({"o": "bind", "device": "/var/run/docker.sock"}));
    assert!(has(&socket, "web", "docker-socket"));
    assert!(!has(&of(json!({"type": "nfs", "o": "addr=10.0.0.1,rw", "device": ":/etc"})), "web", "sensitive-mount"));
}

#[rstest]
#[case::every_address("", true)]
#[case::of_the_network("10.0.0.5", true)]
#[case::of_this_machine("127.0.0.1", false)]
#[case::another_loopback("127.0.0.53", false)]
#[case::of_this_machine_6("::1", false)]
fn a_database_on_a_loopback_address_is_not_reachable_from_elsewhere(#[case] ip: &str, #[case] want: bool) {
    let ports = json!([{"target": 5432, "published": "5432", "protocol": "tcp", "host_ip": ip}]);
    let facts = facts(json!({"db": {"image": "postgres:17.2", "ports": ports}}));
    assert_eq!(has(&facts, "db", "database-port-published"), want);
}

#[rstest]
#[case::alternatives(json!(["dev"]), json!(["prod"]), "tcp", false)]
#[case::one_in_common(json!(["dev", "ci"]), json!(["ci"]), "tcp", true)]
#[case::without(json!([]), json!([]), "tcp", true)]
#[case::another_protocol(json!([]), json!([]), "udp", false)]
fn a_port_is_published_twice_where_both_services_run_together(
    #[case] a: Value,
    #[case] b: Value,
    #[case] protocol: &str,
    #[case] want: bool,
) {
    let port = |protocol| json!([{"target": 80, "published": "8080", "protocol": protocol, "host_ip": "127.0.0.1"}]);
    let facts = facts(json!({
        "one": {"image": "w:1", "profiles": a, "ports": port("tcp")},
        "two": {"image": "w:1", "profiles": b, "ports": port(protocol)},
    }));
    assert_eq!(has(&facts, "two", "duplicate-port"), want);
}

#[rstest]
#[case::of_each_family("0.0.0.0", "::", false)]
#[case::both_of_one_family("0.0.0.0", "0.0.0.0", true)]
#[case::every_address("", "::", true)]
#[case::one_of_the_family("fd00::1", "::", true)]
#[case::of_the_other_family("127.0.0.1", "::", false)]
#[case::two_addresses("127.0.0.1", "10.0.0.5", false)]
fn ports_of_both_families_are_published_side_by_side(#[case] first: &str, #[case] second: &str, #[case] want: bool) {
    let port = |ip| json!({"target": 80, "published": "80", "protocol": "tcp", "host_ip": ip});
    let facts = facts(json!({"web": {"image": "w:1", "ports": [port(first), port(second)]}}));
    assert_eq!(has(&facts, "web", "duplicate-port"), want);
    let open = has(&facts, "web", "port-on-all-interfaces");
    assert_eq!(open, [first, second].iter().any(|ip| matches!(*ip, "" | "0.0.0.0" | "::")));
}

#[test]
fn an_image_that_could_not_be_inspected_is_a_note_about_it() {
    let mut facts = facts(json!({"web": {"image": "w:1"}}));
    let text = |facts: &Facts| {
        let findings = audit(facts, &Waivers::default(), "2026-01-01");
        findings.into_iter().find(|finding| finding.code == "healthcheck-missing").map(|finding| finding.found)
    };
    assert_eq!(text(&facts).unwrap(), "none in the file; the image is not on this host to be inspected");
    facts.images.insert("web".into(), Image::of_inspect(&json!({"Id": "sha256:1", "Config": {}})));
    assert_eq!(text(&facts).unwrap(), "none, in the file or in the image");
}

#[rstest]
#[case("postgres:17.2", Some("pg_isready"))]
#[case("registry.example:5000/stagegate/postgres:17", Some("pg_isready"))]
#[case("postgis/postgis@sha256:aaaa", Some("pg_isready"))]
#[case("mariadb:11", Some("healthcheck.sh"))]
#[case("mongo:7", Some("mongosh"))]
#[case("mongo:4.4", None)]
#[case("postgres-exporter:1", None)]
#[case("example.org/web:1", None)]
fn a_healthcheck_is_proposed_where_the_server_has_a_probe_of_its_own(#[case] image: &str, #[case] want: Option<&str>) {
    let facts = facts(json!({"m": {"image": image}}));
    let lines = lines_to_add(&audit(&facts, &Waivers::default(), "2026-01-01"));
    match want {
        Some(probe) => assert!(lines.contains(probe), "{lines}"),
        None => assert!(!lines.contains("healthcheck:") && lines.contains("the limits are guesses"), "{lines}"),
    }
}

#[test]
fn a_finding_about_an_entry_of_a_list_has_its_line() {
    let text = "services:\n  db:\n    image: postgres:17.2\n    ports:\n      - \"127.0.0.1:8080:80\"\n      - target: 5432\n        published: 5433\n    volumes:\n    - data:/data\n    - /etc:/host/etc/:ro\n";
    let services = json!({"db": {
        "image": "postgres:17.2",
        "ports": [
            {"target": 80, "published": "8080", "protocol": "tcp", "host_ip": "127.0.0.1"},
            {"target": 5432, "published": "5433", "protocol": "tcp"},
        ],
        "volumes": [
            {"type": "volume", "source": "data", "target": "/data"},
            {"type": "bind", "source": "/etc", "target": "/host/etc", "read_only": true},
        ],
    }});
    let found = found(&written(text, services), "db");
    let line = |rule: &str| found.iter().find(|(found, _)| found == rule).map(|(_, line)| *line);
    assert_eq!(line("database-port-published"), Some(6));
    assert_eq!(line("port-on-all-interfaces"), Some(6));
    assert_eq!(line("sensitive-mount"), Some(10));
}

#[test]
fn a_secret_that_services_share_is_one_finding_at_its_own_line() {
    let text = "x-env: &env\n  API_TOKEN: kT9fQ2\nservices:\n  a:\n    image: w:1\n    environment: *env\n  b:\n    image: w:1\n    environment:\n      <<: *env\n      MODE: x\n";
    let facts = written(text, json!({"a": {"image": "w:1"}, "b": {"image": "w:1"}}));
    let findings = audit(&facts, &Waivers::default(), "2026-01-01");
    let secrets: Vec<_> = findings.iter().filter(|finding| finding.code == "plain-secret").collect();
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    assert_eq!(secrets[0].found, "API_TOKEN has its value in the file, shared by a, b");
    assert_eq!(secrets[0].place.line, 2);
}

#[test]
fn a_secret_that_a_service_takes_from_another_one_is_one_finding_of_that_one() {
    let text = "services:\n  api:\n    image: w:1\n    environment:\n      <<: *env\n      MODE: x\n  other:\n    image: w:1\n    environment:\n      API_TOKEN: aB3dE5\n  worker:\n    image: w:1\n    environment: &env\n      API_TOKEN: ${API_TOKEN:-kT9fQ2}\n";
    // Compose reads an anchor where it is used, so the services that use it follow.
    let at = text.find("  api:").unwrap();
    let (api, rest) = (&text[at..text.find("  other:").unwrap()], &text[text.find("  other:").unwrap()..]);
    let text = format!("services:\n{rest}{api}");
    let image = json!({"image": "w:1"});
    let facts = written(&text, json!({"api": image, "other": image, "worker": image}));
    let findings = audit(&facts, &Waivers::default(), "2026-01-01");
    let reported: Vec<_> = findings
        .iter()
        .filter(|finding| finding.code == "plain-secret")
        .map(|finding| (finding.place.line, finding.place.object.as_str(), finding.found.as_str()))
        .collect();
    let shared = "API_TOKEN has a default value in the file (`${..:-..}`), shared by api, worker";
    assert_eq!(reported, [(5, "other", "API_TOKEN has its value in the file"), (9, "worker", shared)]);
}

#[rstest]
#[case::command("    command: redis-server --requirepass kT9fQ2\n", "`--requirepass` of `command`", 4)]
#[case::next_to_its_option(
    "    labels: [\"kT9fQ2\"]\n    command: [\"app\", \"--admin-password\", \"kT9fQ2\"]\n",
    "`--admin-password` of `command`",
    5
)]
#[case::build("    build:\n      args:\n        NPM_TOKEN: kT9fQ2\n", "build argument NPM_TOKEN", 6)]
#[case::default("    environment:\n      DB_PASSWORD: ${DB_PASSWORD:-kT9fQ2}\n", "DB_PASSWORD has a default value", 5)]
fn a_secret_is_found_wherever_it_is_written(#[case] lines: &str, #[case] want: &str, #[case] line: usize) {
    let text = format!("services:\n  web:\n    image: w:1\n{lines}");
    let findings = audit(&written(&text, json!({"web": {"image": "w:1"}})), &Waivers::default(), "2026-01-01");
    let secret = findings.iter().find(|finding| finding.code == "plain-secret").unwrap();
    assert!(secret.found.starts_with(want), "{secret:?}");
    assert_eq!(secret.place.line, line);
    assert!(!format!("{secret:?}").contains("kT9fQ2"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the time that an audit takes is what is tested")]
fn a_large_stack_is_audited_in_the_time_of_its_size() {
    let mut text = "services:\n".to_owned();
    let mut services = serde_json::Map::new();
    for number in 0..1_000 {
        let port = 10_000 + number;
        text += &format!(
            "  s{number}:\n    image: w:1\n    ports: [\"{port}:80\"]\n    environment:\n      DB_PASSWORD: kT9fQ2\n"
        );
        let ports = json!([{"target": 80, "published": port.to_string(), "protocol": "tcp"}]);
        services.insert(format!("s{number}"), json!({"image": "w:1", "ports": ports}));
    }
    let facts = written(&text, Value::Object(services));
    let began = std::time::Instant::now();
    let findings = audit(&facts, &Waivers::default(), "2026-01-01");
    assert_eq!(findings.iter().filter(|finding| finding.code == "plain-secret").count(), 1_000);
    // Where each finding reads all lines again, it takes minutes.
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_secret_of_an_included_file_is_found_there() {
    let text = "services:\n  db:\n    image: d:1\n    environment:\n      DB_PASSWORD: kT9fQ2\n";
    let included = SourceFile { path: "db.yml".into(), text: text.into() };
    let facts = written("include: [db.yml]\n", json!({"db": {"image": "d:1"}}));
    let facts = Facts { further_files: vec![included], ..facts };
    let findings = audit(&facts, &Waivers::default(), "2026-01-01");
    let secret = findings.iter().find(|finding| finding.code == "plain-secret").unwrap();
    assert_eq!((secret.place.file.as_deref(), secret.place.line), (Some("db.yml"), 5));
}

#[rstest]
#[case::a_block("  app:\n    content: |\n      mode = x\n      db_password = kT9fQ2\n", 8)]
#[case::in_quotes("  app: {content: \"db_password = kT9fQ2\"}\n", 5)]
fn a_secret_in_the_content_of_a_config_is_found_at_its_line(#[case] configs: &str, #[case] line: usize) {
    let text = format!("services:\n  web:\n    image: w:1\nconfigs:\n{configs}");
    let findings = audit(&written(&text, json!({"web": {"image": "w:1"}})), &Waivers::default(), "2026-01-01");
    let secret = findings.iter().find(|finding| finding.code == "plain-secret").unwrap();
    assert_eq!(secret.found, "db_password in the content of config app has its value in the file");
    assert_eq!(secret.place.line, line);
}

#[rstest]
#[case("POSTGRES_HOST_AUTH_METHOD", "trust", true)]
#[case("POSTGRES_HOST_AUTH_METHOD", "scram-sha-256", false)]
#[case("MYSQL_ALLOW_EMPTY_PASSWORD", "yes", true)]
#[case("SECRET_NAME", "admin", false)]
fn a_database_that_lets_everybody_in_has_no_password(#[case] key: &str, #[case] value: &str, #[case] want: bool) {
    let facts = facts(json!({"db": {"image": "postgres:17.2", "environment": {key: value}}}));
    assert_eq!(has(&facts, "db", "default-password"), want);
}
