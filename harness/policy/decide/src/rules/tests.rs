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
fn what_the_image_declares_counts_where_the_file_says_nothing() {
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

#[test]
fn a_port_with_replicas_is_published_twice() {
    let ports = json!([{"target": 80, "published": "8080", "protocol": "tcp", "host_ip": "127.0.0.1"}]);
    let facts = facts(json!({"web": {"image": "w:1", "ports": ports, "deploy": {"replicas": 2}}}));
    let findings = audit(&facts, &Waivers::default(), "2026-01-01");
    assert!(findings.iter().any(|finding| finding.code == "duplicate-port" && finding.found.contains("2 replicas")));
}

#[test]
fn a_variable_that_is_twice_in_a_list_is_told_with_its_line() {
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
