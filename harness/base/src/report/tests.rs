use insta::Settings;
use serde_json::json;

use super::{Colour, Report, painted, shown};
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
        ("junit", report.junit().unwrap()),
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
fn json_says_the_same_and_is_no_workflow_command() {
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
