//! Journals of format 1, as the earlier version wrote them on a small product: a database, its migrations, a web server.

use rstest::rstest;
use serde_json::{Value, json};
use std::path::PathBuf;

use super::*;
use crate::readiness::Band;

const PROMOTED: &[u8] = include_bytes!("../../../../../../fixtures/journals/format-1/promoted.jsonl");
const ROLLED_BACK: &[u8] = include_bytes!("../../../../../../fixtures/journals/format-1/rolled-back.jsonl");
const WITH_DATA: &[u8] = include_bytes!("../../../../../../fixtures/journals/format-1/rollback-with-data.jsonl");
/// Its gate was killed after the point of no return.
const KILLED: &[u8] = include_bytes!("../../../../../../fixtures/journals/format-1/killed.jsonl");

fn plan_of(lines: &[Line]) -> Plan {
    match &lines[0].entry {
        Entry::Started { plan } => (**plan).clone(),
        other => panic!("{other:?}"),
    }
}

/// Every move of the earlier version is today's next move on the lines before it.
#[rstest]
#[case::promoted(PROMOTED, End::Promoted)]
#[case::rolled_back(ROLLED_BACK, End::RolledBack)]
#[case::with_data(WITH_DATA, End::Promoted)]
fn an_earlier_journal_replays_move_by_move(#[case] text: &[u8], #[case] end: End) {
    let Chain { lines, bytes, .. } = read(text).unwrap();
    assert_eq!((bytes, lines.iter().all(|line| line.v == 1)), (text.len(), true));
    let plan = plan_of(&lines);
    for (index, line) in lines.iter().enumerate().skip(1) {
        let next = next(&plan, &lines[..index]);
        match &line.entry {
            Entry::Begun { step } => assert_eq!(next, Move::Do(*step)),
            Entry::UndoBegun { step } => assert_eq!(next, Move::Undo(*step)),
            Entry::Decided { decision, reason } => assert_eq!(next, Move::Decide(*decision, reason.clone())),
            Entry::Ended { end, exit } => assert_eq!(next, Move::End(*end, *exit)),
            _ => {}
        }
    }
    assert!(matches!(next(&plan, &lines), Move::Rest(found, _) if found == end));
}

/// Wherever the earlier version was killed, today's finishes its run, in lines that follow the earlier ones.
#[rstest]
#[case(PROMOTED)]
#[case(ROLLED_BACK)]
#[case(WITH_DATA)]
#[case(KILLED)]
fn a_run_of_the_earlier_version_is_resumed_and_ends_whole(#[case] text: &[u8]) {
    let whole = read(text).unwrap().lines;
    let plan = plan_of(&whole);
    let ends: Vec<usize> = text.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
    for cut in ends {
        let Chain { lines, head, .. } = read(&text[..cut]).unwrap();
        let mut world =
            World { plan: plan.clone(), tier: Tier::Swap, fails: vec![], undo_fails: vec![], lines: lines.clone() };
        if !matches!(lines.last().unwrap().entry, Entry::Ended { .. }) {
            world.write(Entry::Resumed { reason: "a later version".into() });
        }
        let _ = world.run();
        assert_is_whole(&world);
        let (mut mixed, mut prev) = (text[..cut].to_vec(), head);
        for line in &mut world.lines[lines.len()..] {
            line.prev = prev;
            let (line_text, hash) = chained(line).unwrap();
            mixed.extend(line_text.into_bytes());
            prev = hash;
        }
        assert_eq!(read(&mixed).unwrap().lines, world.lines, "lines of both formats are one chain");
    }
}

#[test]
fn the_earlier_reports_are_read_with_all_that_they_hold() {
    let lines = read(ROLLED_BACK).unwrap().lines;
    let done: Vec<String> = lines
        .iter()
        .filter_map(|line| match &line.entry {
            Entry::Done { report } => Some(format!("{}: {}", report.step().title(), report.text())),
            Entry::Undone { report } => Some(format!("undo {}: {}", report.step().title(), report.text())),
            _ => None,
        })
        .filter(|text| !text.ends_with(": "))
        .collect();
    assert_eq!(
        done,
        [
            "check the source: 6/6 required checks passed, readiness 94",
            "prepare the release: services: db, migrate, web",
            "back up and verify: 3.0 KiB, 100 rows, restored and compared; rollback point rollback-20261128-203501",
            "rehearse on a copy: migrations 4.4 s, 0 of 26 requests failed, the longest stall took 55 ms (1 requests); \
             no statement's lock explains it; rollback: instant database swap; live release on the new schema: \
             healthy; candidate on the old schema: not healthy",
            "freeze writes: stopped: web",
            "clone the database: copied in 0.9 s",
            "migrate: migrations 1.3 s",
            "deploy: traffic off until verified",
            "undo migrate: database switched in 0.07 s; failed state kept as app__failed_20261128_203501_6f55",
            "verify the rollback: 6/6 required checks passed",
        ]
    );
    let plan = plan_of(&lines);
    let Some(Entry::Ended { end, exit }) = lines.last().map(|line| &line.entry) else { panic!("no end") };
    assert_eq!(end_text(&plan, *end, *exit), "rolled back and verified: v2 is live in production again");
    assert!(reason(&lines).unwrap().starts_with("health::web::http failed"));
}

fn line(entry: Value) -> Entry {
    let mut line = json!({ "v": 1, "seq": 0, "run": "r", "boot": "b", "wall": "t", "prev": "" });
    line.as_object_mut().unwrap().extend(entry.as_object().unwrap().clone());
    super::super::format1::line(line.to_string().as_bytes()).unwrap().entry
}

#[rstest]
#[case::validate(json!({ "entry": "done", "step": "validate", "data": {
        "checks": ["21/21 required checks passed", "policy::a failed (warning): x"],
        "contracts": { "api": { "breaking": 1, "warnings": 2, "compatible": 3, "first": ["x"] }, "web": { "not_compared": "none" } },
        "readiness": { "score": 95, "band": "ready" } } }),
    StepReport::Validate(Validation {
        checks: Checks {
            summary: "21/21 required checks passed, 1 warning".into(),
            warnings: vec!["policy::a failed (warning): x".into()],
            log_errors: vec![],
        },
        contracts: [
            ("api".to_owned(), ContractReport::Compared { breaking: 1, warnings: 2, compatible: 3, first: vec!["x".into()] }),
            ("web".to_owned(), ContractReport::NotCompared { reason: "none".into() }),
        ].into(),
        readiness: Some(ReadinessReport { score: Some(95), band: Some(Band::Ready) }),
    }))]
#[case::prepare(json!({ "entry": "done", "step": "prepare", "data": { "services": ["api"], "performance": [
        { "probe": "orders", "said": "no slower", "seconds": 6.6, "costs": null }] } }),
    StepReport::Prepare(Preparation {
        services: vec!["api".into()],
        performance: vec![PerformanceReport { probe: "orders".into(), result: "no slower".into(), seconds: 6.6, costs: None }],
    }))]
#[case::rehearse(json!({ "entry": "done", "step": "rehearse", "data": { "tier": "code", "migrations_s": 1,
        "felt_of_main": "not known: the copy has no tables yet" } }),
    StepReport::Rehearse(Rehearsal {
        tier: Tier::Code,
        migration_seconds: 1.0,
        impacts: vec![Impact {
            database: "main".into(),
            summary: "not known: the copy has no tables yet".into(),
            longest_stall_ms: None,
        }],
        cross_versions: None,
        start: None,
        earlier: None,
        server_wide: vec![],
        expected: None,
    }))]
#[case::verify_back(json!({ "entry": "done", "step": "verify_back", "data": {
        "checks": ["1/1 required check passed"], "rows_kept_beside": ["a: b 1 -> 2"] } }),
    StepReport::VerifyRollback(RollbackChecks {
        checks: Checks { summary: "1/1 required check passed".into(), warnings: vec![], log_errors: vec![] },
        kept_rows: vec!["a: b 1 -> 2".into()],
        volumes: vec![],
        server_wide: vec![],
        late: None,
    }))]
#[case::prune(json!({ "entry": "done", "step": "prune", "data": { "rollback_points_removed": ["r1"],
        "left": [{ "database": "x", "why": "y", "command": "drop database \"x\"" }] } }),
    StepReport::Prune(Pruned {
        rollback_points: vec!["r1".into()],
        left: vec![Leftover { name: "x".into(), why: "y".into() }],
    }))]
#[case::thaw(json!({ "entry": "done", "step": "thaw" }), StepReport::OpenPorts)]
#[case::reopen(json!({ "entry": "done", "step": "reopen" }), StepReport::StartPrevious)]
fn an_earlier_report_keeps_its_facts(#[case] text: Value, #[case] want: StepReport) {
    assert_eq!(line(text), Entry::Done { report: want });
}

#[rstest]
#[case(json!({ "entry": "undone", "step": "clone", "data": { "left": [{ "database": "x", "why": "y" }] } }),
    UndoReport::Clone(KeptCopies { left: vec![Leftover { name: "x".into(), why: "y".into() }] }))]
#[case(json!({ "entry": "undone", "step": "deploy", "data": { "env_files_put_back": ["/srv/.env"] } }),
    UndoReport::Deploy(ConfigurationRollback { env_files: vec![PathBuf::from("/srv/.env")] }))]
fn an_earlier_undo_keeps_its_facts(#[case] text: Value, #[case] want: UndoReport) {
    assert_eq!(line(text), Entry::Undone { report: want });
}

#[rstest]
#[case("held", End::Blocked)]
#[case("back_not_verified", End::NotVerified)]
fn an_earlier_end_has_todays_name(#[case] end: &str, #[case] want: End) {
    let entry = line(json!({ "entry": "ended", "end": end, "exit": "held" }));
    assert!(matches!(entry, Entry::Ended { end, .. } if end == want));
}
