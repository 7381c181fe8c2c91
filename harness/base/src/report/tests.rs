use insta::Settings;
use serde_json::json;

use super::{
    Colour, Report,
    junit::{JunitCase, JunitOutcome, JunitSuite, document},
    painted, shown,
};
use crate::{
    finding::{Finding, Rule},
    severity::Severity,
};

const PRIVILEGED: Rule = Rule {
    id: "privileged",
    severity: Severity::Required,
    title: "a container has all rights of the host",
    why: "who breaks into it owns the host",
    fix: "remove `privileged`",
};
const PINNED: Rule = Rule { id: "image-unpinned", severity: Severity::Warning, ..PRIVILEGED };

fn some() -> Report {
    let finding = |rule: &Rule, object: &str, line| Finding {
        expected: "not privileged".to_owned(),
        ..Finding::new(rule, "privileged: true").of(object).at("compose.yaml", line)
    };
    let waived =
        Finding { waived: Some("it is in use (ada, until 2027-01-31)".to_owned()), ..finding(&PINNED, "db", 9) };
    let excerpt = Finding { excerpt: "BEGIN | <b>".to_owned(), expected: String::new(), ..finding(&PINNED, "1", 0) };
    Report {
        command: "lint".to_owned(),
        title: "Compose files of staging".to_owned(),
        findings: vec![excerpt, waived, finding(&PRIVILEGED, "api", 3), finding(&PRIVILEGED, "web", 7)],
        rules: vec![PRIVILEGED, PINNED],
        notes: vec!["no containers are running".to_owned()],
        details: [("servers".to_owned(), json!(["17"]))].into_iter().collect(),
        ..Report::default()
    }
}

fn hostile() -> Report {
    let text = "]]> & <b>\"x\"</b> | `a` \u{1b}[31mred\u{1b}[0m \u{202e}drawkcab\u{202c} \0 100%\n::error::injected\n##[error]y";
    let mut one = Finding::differs(text, text, text);
    (one.code, one.place.file, one.excerpt) = (text.to_owned().into(), Some(text.to_owned()), text.to_owned());
    let title = text.to_owned();
    Report { command: "lint".to_owned(), title, findings: vec![one], body: Some(text.to_owned()), ..Report::default() }
}

fn formats(report: &Report) -> [(&'static str, String); 7] {
    [
        ("text", report.text(Colour::Plain)),
        ("json", report.json().unwrap()),
        ("markdown", report.markdown()),
        ("sarif", report.sarif("0")),
        ("junit", report.junit()),
        ("html", report.html()),
        ("github", report.github()),
    ]
}

#[test]
fn findings_read_as_reviewed() {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (format, text) in formats(&some()) {
            insta::assert_snapshot!(format!("findings_{format}"), text);
        }
    });
}

#[test]
fn no_escape_sequence_and_no_workflow_command_comes_through() {
    for (format, text) in formats(&hostile()) {
        assert!(!text.contains(['\u{1b}', '\0', '\u{7}', '\u{202e}']), "{format}: {text:?}");
        let commands = text.lines().filter(|line| line.trim_start().starts_with("::")).count();
        assert!(commands == usize::from(format == "github"), "{format}: {text}");
        assert!(!text.contains("##["), "{format}: {text}");
    }
}

#[test]
fn only_our_own_colours_reach_a_terminal() {
    let text = format!(
        "{} \u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[8mhidden \u{1b}[3{} ##[add-path]/x\n  ::error::y\r\u{9b}1A",
        painted("FAIL", 31, Colour::Coloured),
        painted("next", 33, Colour::Coloured)
    );
    let plain = "FAIL hidden next ## [add-path]/x\n|   ::error::y\n";
    assert_eq!(shown(&text, Colour::Plain), plain);
    let coloured = shown(&text, Colour::Coloured);
    assert_eq!(coloured, plain.replace("FAIL", "\u{1b}[31mFAIL\u{1b}[0m").replace("next", "\u{1b}[33mnext\u{1b}[0m"));
    assert_eq!(shown(&coloured, Colour::Coloured), coloured, "what is clean stays");
}

#[test]
fn json_states_the_same_and_is_no_workflow_command() {
    let text = serde_json::to_string("##[error]\u{9b}31m ::x").unwrap();
    let escaped = crate::text::json_escaped(&text);
    assert!(!escaped.contains("##["), "{escaped}");
    assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), "##[error]\u{9b}31m ::x");
}

#[test]
fn what_is_too_much_for_a_job_is_as_grave_as_the_gravest_of_it() {
    let one = |severity| Finding::differs("api", "a", "b").with_severity(severity);
    let mut findings = vec![one(Severity::Required); 3];
    findings.extend(vec![one(Severity::Warning); 20]);
    let text = Report { findings, ..Report::default() }.github();
    assert_eq!(text.lines().count(), 10);
    assert!(text.ends_with("::warning title=stagegate::14 more findings\n"), "{text}");
}

#[test]
fn a_waived_finding_fails_nothing() {
    let mut report = some();
    assert!(report.fails(Severity::Required));
    report.findings.retain(|finding| finding.severity == Severity::Warning);
    assert!(!report.fails(Severity::Required) && report.fails(Severity::Warning));
    report.findings.retain(|finding| !finding.is_open());
    assert!(!report.fails(Severity::Info));
}

/// What Jenkins' `junit-10.xsd` allows: by element, the attributes that it needs and those that it may have.
const SCHEMA: [(&str, &[&str], &[&str]); 9] = [
    ("testsuites", &[], &["name", "time", "tests", "failures", "errors"]),
    (
        "testsuite",
        &["name", "tests", "failures", "errors"],
        &["group", "time", "skipped", "timestamp", "hostname", "id"],
    ),
    ("testcase", &["name"], &["time", "classname", "group"]),
    ("properties", &[], &[]),
    ("property", &["name", "value"], &[]),
    ("failure", &[], &["type", "message"]),
    ("error", &[], &["type", "message"]),
    ("skipped", &[], &["type", "message"]),
    ("system-out", &[], &[]),
];

/// Returns each tag of a document with its attributes. `<` and quotes are escaped in texts, so that each `<` begins a tag
/// and each second part between quotes is a value.
fn tags(document: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    let tags = document.split('<').skip(1).filter(|tag| !tag.starts_with(['?', '/']));
    tags.map(|tag| {
        let tag = tag.split('>').next().unwrap().trim_end_matches('/');
        let (element, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let quoted: Vec<&str> = attributes.split('"').collect();
        let pairs = quoted.chunks_exact(2);
        (element, pairs.map(|pair| (pair[0].trim().trim_end_matches('='), pair[1])).collect())
    })
    .collect()
}

/// A suite in which each outcome comes once, of a text that markup would take as its own.
fn every_outcome() -> JunitSuite {
    let text = || "]]> & <b a=\"x\">\n second".to_owned();
    let outcomes = [
        JunitOutcome::Passed,
        JunitOutcome::Failed { message: text(), text: text() },
        JunitOutcome::Error { message: text(), kind: "required", text: String::new() },
        JunitOutcome::Skipped { message: text() },
    ];
    let case = |outcome| JunitCase { classname: text(), name: text(), duration_ms: 1_234_567, outcome, output: text() };
    JunitSuite {
        name: text(),
        timestamp: Some("2026-01-02T03:04:05Z".to_owned()),
        properties: vec![("environment", text())],
        cases: outcomes.into_iter().map(case).collect(),
    }
}

#[test]
fn a_junit_document_has_the_elements_and_attributes_of_the_schema_and_no_other() {
    let documents = [
        some().junit(),
        hostile().junit(),
        Report::default().junit(),
        document(&[every_outcome(), JunitSuite::default()]),
        document(&[]),
    ];
    for document in documents {
        for (element, attributes) in tags(&document) {
            let (_, needed, allowed) = SCHEMA.iter().find(|(name, ..)| *name == element).expect(element);
            for (name, value) in &attributes {
                assert!(needed.contains(name) || allowed.contains(name), "<{element} {name}>: {document}");
                let is_time = value.split_once('.').is_some_and(|(seconds, rest)| {
                    rest.len() == 3 && format!("{seconds}{rest}").bytes().all(|byte| byte.is_ascii_digit())
                });
                assert!(*name != "time" || is_time, "<{element} time={value}>");
            }
            let has = |wanted: &&str| attributes.iter().any(|(name, _)| name == wanted);
            assert!(needed.iter().all(has), "<{element}> lacks one of {needed:?}: {document}");
        }
    }
}

#[test]
fn a_junit_document_counts_each_outcome_once() {
    let document = document(&[every_outcome()]);
    let counts = "tests=\"4\" failures=\"1\" errors=\"1\"";
    assert!(document.contains(&format!("<testsuites name=\"stagegate\" {counts} time=\"4938.268\">")), "{document}");
    assert!(document.contains(&format!("{counts} skipped=\"1\" time=\"4938.268\" timestamp")), "{document}");
}
