use std::time::Duration;

use insta::Settings;
use rstest::rstest;

use super::{
    Run, github, html, json, junit, markdown,
    terminal::{self, Colour, Detail, Live},
};
use crate::verdict::verdict;
use stagegate_base::{
    finding::Finding,
    record::{Evidence, INTERRUPTED, Outcome, Planned, Record, Severity},
};

fn fail(message: &str, findings: &[(&str, &str, &str)], evidence: &[(&str, &str)]) -> Outcome {
    let text = str::to_owned;
    Outcome::Fail {
        message: text(message),
        findings: findings.iter().map(|(a, e, f)| Finding::differs(text(a), text(e), text(f))).collect(),
        evidence: evidence.iter().map(|(name, t)| Evidence { name: text(name), text: text(t) }).collect(),
        hint: Some(text("if the change is meant, change the contract")),
    }
}

fn run(records: Vec<Record>, planned: &[Planned]) -> Run {
    let verdict = verdict(&records, planned, &stagegate_base::config::Readiness::default());
    Run {
        environment: "staging".to_owned(),
        release: Some("2.15.0".to_owned()),
        started: "2026-01-02T03:04:05Z".to_owned(),
        records,
        verdict,
    }
}

fn record(trial: &str, severity: Severity, ms: u64, outcome: Outcome) -> Record {
    Record::new("staging", trial, severity, ms, outcome)
}

/// A run in which each status comes once, and a failure has all that a failure can have.
fn mixed() -> Run {
    let differences = [("$.items[0].total", "number", r#"string "19.90""#), ("$.items[0].id", "integer", "missing")];
    let curl = [("reproduce", "curl -i 'http://172.18.0.3:8080/orders'")];
    let contract = fail("response 200 does not match contracts/openapi.json", &differences, &curl);
    let planned = [Planned { trial: "health::db::sql".to_owned(), severity: Severity::Required }];
    run(
        vec![
            record("health::api::http", Severity::Required, 12, Outcome::Pass("200 in 3 ms".to_owned())),
            record("contracts::api::get_orders", Severity::Required, 840, contract),
            record(
                "health::cache::tcp",
                Severity::Warning,
                3,
                Outcome::fail("cannot connect to 172.18.0.4:6379: connection refused"),
            ),
            record(
                "contracts::api::get_items",
                Severity::Required,
                0,
                Outcome::Skip("the service is stopped".to_owned()),
            ),
            record(
                "contracts::web::document",
                Severity::Info,
                1,
                Outcome::Broken("openapi.json is not there".to_owned()),
            ),
        ],
        &planned,
    )
}

/// A run of texts that would be taken as markup, commands or escape sequences.
fn hostile() -> Run {
    let text = "]]> & <b>\"x\"</b> | `a` \u{1b}[31mred\u{1b}[0m \u{202e}drawkcab\u{202c} \0 100%\n::error::injected";
    let evidence =
        [("log | <pre>", "line one\r\n</pre></details>\n\n::stop-commands::x\n##[error]y\n\u{1b}]0;title\u{7}end")];
    let findings = [("$[\"a|b\"]", "one of `x`, <y>", "string \"]]>\u{2066}\"\nsecond line")];
    let name = "contracts::a,b%::|`<x>`\n";
    let mut run = run(vec![record(name, Severity::Required, 1999, fail(text, &findings, &evidence))], &[]);
    run.environment = "sta\"ging\n<&>|".to_owned();
    run.release = Some("v1`|\u{1b}[2J".to_owned());
    run
}

/// Writes a run as `gate test` prints it, its checks one after the other.
fn printed(run: &Run, planned: &[Planned], detail: Detail, colour: Colour) -> String {
    let mut live = Live::new(planned, detail);
    let mut at = Duration::ZERO;
    let lines = run.records.iter().filter(|record| !record.is_interrupted()).map(|record| {
        at += Duration::from_millis(record.duration_ms);
        live.record(record, at, colour)
    });
    lines.collect::<String>()
        + &live.rest(colour)
        + &terminal::end(run, detail, colour)
        + &terminal::next_command(run, detail)
}

fn terminal(run: &Run, detail: Detail) -> String {
    let of = |record: &Record| Planned { trial: record.trial.clone(), severity: record.severity };
    printed(run, &run.records.iter().map(of).collect::<Vec<_>>(), detail, Colour::Plain)
}

#[test]
fn a_reason_that_kept_many_checks_from_running_is_shown_once() {
    let reason = "env file .env does not exist";
    let broken = |name: &str, reason: &str| record(name, Severity::Required, 0, Outcome::Broken(reason.to_owned()));
    let records = vec![broken("health::a::state", reason), broken("health::b::state", reason), broken("a::b::c", "x")];
    let run = run(records, &[]);
    let all = terminal(&run, Detail::Everything);
    assert!(all.starts_with(
        "BROKEN health::a::state (0.00 s)\n  env file .env does not exist\nBROKEN health::b::state (0.00 s) same reason as health::a::state\n"
    ));
    assert!(all.contains("\nBROKEN a::b::c (0.00 s)\n  x\n"), "{all}");
    let findings = terminal(&run, Detail::Findings);
    assert!(findings.contains("\nBROKEN health::a::state and 1 more\n  env file .env does not exist\n"), "{findings}");
    assert_eq!(findings.matches(reason).count(), 1, "{findings}");
}

#[test]
fn of_a_run_that_a_signal_ended_each_suite_has_its_line_and_the_reason_is_shown_once() {
    let pass = |name: &str| record(name, Severity::Required, 10, Outcome::Pass(String::new()));
    let stopped = |name: &str| record(name, Severity::Required, 0, Outcome::Skip(INTERRUPTED.to_owned()));
    let records = vec![pass("health::a::state"), pass("policy::a::b"), stopped("policy::a::c"), stopped("z::a::c")];
    let mut run = run(records, &[]);
    run.verdict = crate::verdict::interrupted(&run.records, &[], &stagegate_base::config::Readiness::default());
    let text = terminal(&run, Detail::Findings);
    let want = "PASS   health      1/1     0.0 s\nSKIP   policy      1/2     0.0 s  1 not run\nSKIP   z           0/1     0.0 s  1 not run\n\n\
        INCONCLUSIVE staging 2.15.0: 2/4 required, 2 not run\n  interrupted: 2 of 4 checks ran\nagain: gate test --env staging\n";
    assert_eq!(text, want);
}

#[test]
fn what_is_down_because_of_a_failure_is_counted_and_not_listed() {
    let down = |name: &str| record(name, Severity::Required, 0, Outcome::Skip("`staging` is down".to_owned()));
    let failed = record("health::stack::running", Severity::Required, 1, Outcome::fail("0 of 3 containers run"));
    let text = terminal(&run(vec![failed, down("health::a::b"), down("z::a::b")], &[]), Detail::Findings);
    assert_eq!(text.matches("staging` is down").count(), 0, "{text}");
    assert!(text.contains("\nBLOCKED staging 2.15.0: 0/3 required, 2 not run"), "{text}");
    assert!(text.ends_with("again: gate test --env staging health::stack::running\n"), "{text}");
}

#[test]
fn a_healthy_run_of_many_checks_is_a_line_a_suite_with_each_warning_in_one() {
    let pass =
        |i: usize| record(&format!("s{}::a::c{i}", i % 9), Severity::Required, 1, Outcome::Pass("seen".to_owned()));
    let found = [("api", "1", "2"), ("web", "1", "2")];
    let warning = |i: usize| record(&format!("s1::b::w{i}"), Severity::Warning, 1, fail("wrong", &found, &[]));
    let notice = |i: usize| record(&format!("s2::b::n{i}"), Severity::Info, 1, fail("odd", &found, &[]));
    let records = (0..100).map(pass).chain((0..10).map(warning)).chain((0..3).map(notice)).collect();
    let run = run(records, &[]);
    let text = terminal(&run, Detail::Findings);
    assert_eq!(text.lines().count(), 9 + 1 + 10 + 1 + 2, "{text}");
    assert!(text.contains("\nWARN s1::b::w0: wrong (api: expected 1, got 2) (and 1 more)\n"), "{text}");
    assert!(
        text.ends_with(
            "10 warnings, 3 notices. Score 95 (promotion needs 90)\ndetails: gate test --env staging --verbose\n"
        ),
        "{text}"
    );
    let all = terminal(&run, Detail::Everything);
    assert!(all.contains("NOTE s2::b::n0") && all.contains("  hint: ") && !all.contains("--verbose"), "{all}");
}

fn sound() -> Run {
    run(vec![record("health::api::http", Severity::Required, 12, Outcome::Pass("200 in 3 ms".to_owned()))], &[])
}

fn nothing() -> Run {
    run(Vec::new(), &[Planned { trial: "health::api::http".to_owned(), severity: Severity::Required }])
}

fn compare(name: &str, text: &str) {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[rstest]
#[case::mixed("mixed", mixed())]
#[case::hostile("hostile", hostile())]
#[case::sound("sound", sound())]
#[case::nothing("nothing", nothing())]
fn a_run_reads_as_reviewed(#[case] name: &str, #[case] run: Run) {
    let formats = [
        ("terminal", terminal(&run, Detail::Findings)),
        ("verbose", terminal(&run, Detail::Everything)),
        ("quiet", terminal(&run, Detail::Blocking)),
        ("json", json::text(&run).unwrap()),
        ("junit", junit::text(&run)),
        ("markdown", markdown::text(&run)),
        ("github", github::text(&run)),
        ("html", html::text(&run, &[])),
    ];
    for (format, text) in formats {
        compare(&format!("report_{format}_{name}"), &text);
    }
}

#[rstest]
#[case::terminal(terminal(&hostile(), Detail::Findings))]
#[case::verbose(terminal(&hostile(), Detail::Everything))]
#[case::json(json::text(&hostile()).unwrap())]
#[case::junit(junit::text(&hostile()))]
#[case::markdown(markdown::text(&hostile()))]
#[case::github(github::text(&hostile()))]
#[case::html(html::text(&hostile(), &[]))]
fn no_escape_sequence_and_no_workflow_command_comes_through(#[case] text: String) {
    assert!(!text.contains(['\u{1b}', '\0', '\u{7}', '\u{202e}', '\u{2066}']), "{text:?}");
    assert!(!text.contains("##["), "a workflow command of the older form: {text}");
    let commands = text.lines().filter(|line| line.trim_start().starts_with("::")).count();
    assert_eq!(commands, usize::from(text.starts_with("::error")), "a workflow command: {text}");
}

#[test]
fn colour_comes_only_where_it_is_requested() {
    assert!(printed(&sound(), &[], Detail::Everything, Colour::Coloured).contains("\u{1b}[32mPASS\u{1b}[0m"));
}

#[test]
fn what_a_service_printed_begins_no_workflow_command() {
    let text = github::text(&hostile());
    assert_eq!(text.lines().filter(|line| line.starts_with("::")).count(), text.lines().count());
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn what_a_terminal_shows_is_no_workflow_command() {
    let text = terminal(&hostile(), Detail::Everything);
    assert!(!text.lines().any(|line| line.trim_start().starts_with("::")) && !text.contains("##["), "{text}");
}

#[test]
fn ten_annotations_are_written_and_the_rest_counted() {
    let one = |i: usize| record(&format!("health::s{i}::http"), Severity::Required, 1, Outcome::fail("no"));
    let text = github::text(&run((0..25).map(one).collect(), &[]));
    assert_eq!(text.lines().count(), 10);
    assert!(text.ends_with("::error title=stagegate::16 more findings\n"), "{text}");
    let warning = |i: usize| record(&format!("policy::s{i}::x"), Severity::Warning, 1, Outcome::fail("no"));
    let text = github::text(&run((0..14).map(warning).collect(), &[]));
    assert!(text.ends_with("::warning title=stagegate::5 more findings\n") && !text.contains("::error"), "{text}");
}

#[test]
fn each_line_of_json_reads_back() {
    let run = mixed();
    let text = json::text(&run).unwrap();
    let (records, end) = text.trim_end().rsplit_once('\n').unwrap();
    let read: Vec<Record> = records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, run.records);
    let end: serde_json::Value = serde_json::from_str(end).unwrap();
    assert_eq!(end["verdict"]["kind"], "hold");
}

#[test]
fn a_page_loads_nothing_and_runs_nothing() {
    let plot = html::Plot { title: "<img src=x>".into(), words: "slower & \"worse\"".into(), svg: "<svg/>".into() };
    let page = html::text(&hostile(), &[plot]);
    assert!(page.contains("default-src 'none'") && page.contains("&lt;img src=x&gt;") && page.contains("<svg/>"));
    assert!(page.contains("@media(prefers-color-scheme:dark)"), "a page is dark where the reader's system is");
    let mut tables = page.split("<table>").skip(1).map(str::trim_start);
    assert!(tables.all(|table| table.starts_with("<thead><tr><th>") || table.starts_with("<tr><th>")), "{page}");
    assert!(!page.contains("<script") && !page.contains("src=\"") && !page.contains("http://"), "{page}");
}

#[rstest]
#[case::mixed(mixed())]
#[case::hostile(hostile())]
#[case::nothing(nothing())]
fn a_junit_file_names_each_suite_once(#[case] run: Run) {
    let text = junit::text(&run);
    let suites: Vec<&str> =
        text.split("<testsuite name=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let different: std::collections::BTreeSet<&str> = suites.iter().copied().collect();
    assert_eq!(suites.len(), different.len(), "{suites:?}");
    assert!(!text.contains("name=\"health::"), "the suite is the classname, and not in the name too");
}
