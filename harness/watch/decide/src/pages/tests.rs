use stagegate_base::config::StatusPage;
use stagegate_gate_decide::promotion::{Line, read};

use super::*;
use crate::figures::figures;

const PROMOTED: &[u8] = include_bytes!("../../../../../fixtures/journals/format-1/promoted.jsonl");
const ROLLED_BACK: &[u8] = include_bytes!("../../../../../fixtures/journals/format-1/rolled-back.jsonl");
const KILLED: &[u8] = include_bytes!("../../../../../fixtures/journals/format-1/killed.jsonl");

fn lines(text: &[u8]) -> Vec<Line> {
    read(text).unwrap().lines
}

/// The seconds of a time of day: enough for an order.
fn facts(text: &[u8]) -> RunFacts {
    let unix = |wall: &str| {
        let (_, time) = wall.trim_end_matches('Z').split_once('T')?;
        let parts: Vec<f64> = time.split(':').filter_map(|part| part.parse().ok()).collect();
        parts.iter().copied().reduce(|all, part| all * 60.0 + part)
    };
    RunFacts::of(&lines(text), unix).unwrap()
}

fn shown(texts: &[&[u8]]) -> EnvironmentPage {
    let runs: Vec<RunFacts> = texts.iter().map(|text| facts(text)).collect();
    let now = runs.last().map_or(0.0, |run| run.last);
    EnvironmentPage {
        environment: "production".into(),
        deployed: Some("v2 (0123456789)".into()),
        at_work: None,
        figures: figures((&runs, &[]), &std::collections::BTreeMap::new(), 90, now),
        runs,
        backups: Some("the newest verified one is 2 h old".into()),
        suites: Some(("38 of 40 checks passed".into(), Some("checks-production.html".into()))),
        incidents: Vec::new(),
        unread: vec!["runs/x: line 3 is damaged".into()],
    }
}

const EVERYTHING: StatusPage = StatusPage { release: true, commit: true, reason: true };

fn incident(text: &str, closing: Option<&str>) -> Incident {
    Incident {
        incident: 1,
        text: text.into(),
        run: Some("20260102-030405-ab12".into()),
        opened: 0.0,
        closed: closing.map(|_| 60.0),
        closing: closing.map(str::to_owned),
    }
}

fn loads_nothing(page: &str) -> bool {
    page.contains("default-src 'none'")
        && !["<script", "src=", "http://", "https://", "@import", "url("].iter().any(|what| page.contains(what))
}

#[test]
fn the_first_page_reports_what_runs_why_and_what_to_do() {
    let page = index("shop", &[shown(&[PROMOTED, ROLLED_BACK])], 1_800_000_000.0);
    assert!(loads_nothing(&page));
    for reported in
        ["v2 (0123456789)", "rolled back and verified: v2 is live in production again", "health::web::http failed"]
    {
        assert!(page.contains(reported), "{reported}: {page}");
    }
    assert!(page.contains("line 3 is damaged") && page.contains("too few (n = "), "{page}");
    let id = &facts(PROMOTED).run;
    assert!(page.contains(&format!("href=\"runs/{id}.html\"")), "{page}");
    let killed = index("shop", &[shown(&[KILLED])], 1_800_000_000.0);
    assert!(killed.contains("gate resume --env production"), "{killed}");
}

#[test]
fn a_page_for_strangers_names_no_release_and_no_reason() {
    let shown = shown(&[PROMOTED, ROLLED_BACK]);
    let page = public("shop", std::slice::from_ref(&shown), StatusPage::default(), 1_800_000_000.0);
    assert!(loads_nothing(&page) && page.contains("verified at "), "{page}");
    for run in &shown.runs {
        for secret in [&run.release.name, &run.release.commit, &run.run, &run.source] {
            assert!(
                !page.contains(&format!(">{secret}")) && !page.contains(&format!(" {secret} ")),
                "{secret}: {page}"
            );
        }
    }
    assert!(!page.contains("health::") && !page.contains("0123456789"), "{page}");
}

#[test]
fn a_page_for_the_public_has_what_is_allowed_and_incidents() {
    let mut one = shown(&[PROMOTED, ROLLED_BACK]);
    let page = |one: &EnvironmentPage, allowed| public("shop", std::slice::from_ref(one), allowed, 100.0);
    let release = one.runs[0].release.clone();
    let open = page(&one, EVERYTHING);
    for text in [&release.name, &release.commit] {
        assert!(open.contains(&format!("<dd>{text}</dd>")), "{text}: {open}");
    }
    assert!(open.contains("health::web::http failed"), "{open}");
    let names = page(&one, StatusPage { release: true, ..StatusPage::default() });
    assert!(names.contains(&release.name) && !names.contains(&release.commit) && !names.contains("health::"));
    one.incidents = vec![incident("checkout is slow", None), incident("no images", Some("restarted"))];
    let with = page(&one, StatusPage::default());
    for text in ["incident; see below", "checkout is slow", "no images", "closed after 60 s", "restarted"] {
        assert!(with.contains(text), "{text}: {with}");
    }
    assert!(!with.contains("20260102-030405-ab12") && !with.contains("verified at"), "{with}");
    let late = public("shop", &[one], StatusPage::default(), 60.0 + 15.0 * 86_400.0);
    assert!(late.contains("checkout is slow") && !late.contains("no images"), "{late}");
}

#[test]
fn what_is_hostile_is_text_on_every_page() {
    let evil = "\"><script>alert(1)</script>\u{1b}[31m<img src=x onerror=y>";
    let mut one = shown(&[ROLLED_BACK]);
    one.runs[0].release.name = evil.into();
    one.runs[0].reason = Some(evil.repeat(20_000));
    one.runs[0].text = evil.into();
    one.runs[0].by = Some(evil.into());
    one.runs[0].run = format!("../../{evil}");
    one.deployed = Some(evil.into());
    one.unread = vec![evil.into()];
    one.environment = "production".into();
    one.incidents = vec![incident(evil, None), incident(evil, Some(evil))];
    let of_run = run(
        &one.runs[0],
        &RunPage {
            plan: evil.into(),
            timeline: vec![evil.into()],
            next: vec![evil.into()],
            performance: vec![compared(evil)],
        },
    );
    for page in [index(evil, &[one.clone()], 0.0), public(evil, &[one.clone()], EVERYTHING, 0.0), of_run] {
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{1b}'), "{page}");
        assert!(!page.contains("href=\"runs/.."), "{page}");
    }
    assert_eq!(file_name("../x"), None);
    assert_eq!(file_name("20260102-030405-ab12").as_deref(), Some("20260102-030405-ab12.html"));
}

#[test]
fn a_runs_page_has_each_step_that_its_journal_has() {
    for text in [PROMOTED, ROLLED_BACK, KILLED] {
        let facts = facts(text);
        let page = run(&facts, &RunPage::default());
        let ended = lines(text)
            .iter()
            .filter(|line| {
                use stagegate_gate_decide::promotion::Entry;
                matches!(
                    line.entry,
                    Entry::Done { .. } | Entry::Failed { .. } | Entry::Undone { .. } | Entry::UndoFailed { .. }
                )
            })
            .count();
        assert!(facts.steps.len() >= ended && ended > 0);
        assert_eq!(page.matches("class=\"bar").count(), facts.steps.len());
    }
}

fn compared(text: &str) -> stagegate_gate_decide::promotion::PerformanceReport {
    use stagegate_gate_decide::promotion::Cost;
    let cost = |ns| Cost { requests: 100, cpu_ns: Some(ns), memory: Some(64 << 20), ..Cost::default() };
    stagegate_gate_decide::promotion::PerformanceReport {
        probe: text.into(),
        result: text.into(),
        seconds: 1.0,
        costs: Some([cost(3e6), cost(2e6)]),
    }
}

#[test]
fn the_name_of_a_run_of_checks_is_a_moment() {
    assert_eq!(stamp_text("20260102-030405-4711"), "2026-01-02 03:04 UTC");
    for other in ["", "2026", "20260102", "x0260102-030405", "20260102T030405", "é0260102-030405"] {
        assert_eq!(stamp_text(other), other);
    }
}

#[test]
fn figures_are_drawn_within_the_page() {
    let page = index("shop", &[shown(&[PROMOTED, ROLLED_BACK, KILLED])], 1_800_000_000.0);
    assert!(loads_nothing(&page));
    // One bar for each run that ended, and one within it where writes were stopped.
    let svg = &page[page.find("<svg").unwrap()..page.find("</svg>").unwrap()];
    let stopped = [PROMOTED, ROLLED_BACK].iter().filter(|text| facts(text).frozen.is_some()).count();
    assert_eq!((svg.matches("<rect").count(), svg.matches("class=\"part\"").count()), (2 + stopped, stopped));
    let of_run = run(&facts(PROMOTED), &RunPage { performance: vec![compared("GET /")], ..RunPage::default() });
    assert!(loads_nothing(&of_run) && of_run.contains("2.00 ms") && of_run.contains("3.00 ms"), "{of_run}");
    assert!(
        of_run.contains("class=\"bar undo\" style=\"width:100.0%\"") && of_run.contains("style=\"width:66.7%\""),
        "{of_run}"
    );
}
