//! Inputs of the benches, of any size, the same each time.

use std::collections::BTreeMap;

use stagegate_base::record::{Outcome, Planned, Record, Severity};
use stagegate_data_decide::{DataFacts, TableFacts};
use stagegate_gate_decide::promotion::{Decision, Entry, Line, Plan, Step, VERSION, chained};
use stagegate_performance_decide::{Arm, Block, Latencies};

/// Writes the journal of a run that was taken up again and again while an undo kept failing.
pub(crate) fn journal_text(lines: u64) -> String {
    let plan: Plan = must(serde_json::from_value(plan()));
    let (mut text, mut prev) = (String::new(), String::new());
    for seq in 0..lines {
        let line = Line {
            v: VERSION,
            seq,
            run: plan.run.clone(),
            boot: "9f0c1a52-0000-4000-8000-000000000000".to_owned(),
            wall: "2026-01-02T03:04:05.678Z".to_owned(),
            entry: entry(seq, &plan),
            prev,
        };
        let (line, hash) = must(chained(&line));
        text.push_str(&line);
        prev = hash;
    }
    text
}

fn entry(seq: u64, plan: &Plan) -> Entry {
    let step = Step::Deploy;
    match seq {
        0 => Entry::Started { plan: Box::new(plan.clone()) },
        1 => Entry::Begun { step },
        2 => Entry::Decided { decision: Decision::Rollback, reason: "deploy failed: no space left".to_owned() },
        n if n % 3 == 0 => Entry::Resumed { reason: "by process 4711".to_owned() },
        n if n % 3 == 1 => Entry::UndoBegun { step },
        _ => Entry::UndoFailed { step, reason: "the Engine does not answer".to_owned() },
    }
}

fn plan() -> serde_json::Value {
    serde_json::json!({
        "kind": { "kind": "promote" }, "run": "20260102-030405-ab12",
        "environments": { "source": "staging", "target": "production" },
        "project": "shop-production",
        "release": { "commit": "b".repeat(40), "name": "v2" },
        "previous": { "commit": "a".repeat(40), "name": "v1" },
        "repository": "/srv/shop", "workdir": "/srv/shop-production", "env_files": [],
        "tag": "rollback-20260102-030405", "databases": [], "freeze": ["web", "api"], "door": ["web"],
        "door_policy": "closed", "tier": "auto", "integrity": "checksums", "services": [],
        "verify_within": "5m", "ready_within": "1m", "soak": "10s", "migrate_within": "10m", "backup_within": "30m",
        "keep": 5,
    })
}

/// Returns the facts of so many tables.
pub(crate) fn facts(tables: i64) -> DataFacts {
    let table = |n: i64| {
        (format!("public.table_{n:04}"), TableFacts { rows: n * 1_000, checksum: Some(format!("{}", n * 7_919)) })
    };
    DataFacts {
        tables: (0..tables).map(table).collect::<BTreeMap<_, _>>(),
        schema: "d41d8cd98f00b204".to_owned(),
        ..DataFacts::default()
    }
}

/// Makes the blocks of so many rotations.
pub(crate) fn blocks(rotations: u32) -> Vec<Block> {
    (0..rotations).flat_map(rotation).collect()
}

/// Makes the blocks of one rotation: a candidate whose bound stays open, so that every look is taken.
fn rotation(rotation: u32) -> [Block; 3] {
    [(Arm::Candidate, 306_000), (Arm::Control, 300_000), (Arm::ControlAgain, 300_000)].map(|(arm, ns)| {
        let jitter = u64::from(rotation * 7_919 % 97) * if arm == Arm::Candidate { 300 } else { 200 };
        let samples: Vec<u64> = (0..30).map(|n| ns + jitter + n * 50).collect();
        Block {
            arm,
            rotation,
            intended_us: 0,
            started_us: 0,
            took_us: 9_000,
            sent: 30,
            latencies: Latencies::of(&samples),
            samples_ns: Vec::new(),
            errors: BTreeMap::new(),
            timeouts: 0,
            bytes: 0,
            smallest: 0,
            largest: 0,
            intended_rate: None,
            achieved_rate: 3_000.0,
            lag_us: 0,
        }
    })
}

/// Returns so many records that passed, and what was planned.
pub(crate) fn records(count: usize) -> (Vec<Record>, Vec<Planned>) {
    let names: Vec<String> = (0..count).map(|n| format!("contracts::api::operation_{n}")).collect();
    let record = |name: &String| Record::new("staging", name, Severity::Required, 3, Outcome::Pass("200".to_owned()));
    let records = names.iter().map(record).collect();
    let planned = names.into_iter().map(|trial| Planned { trial, severity: Severity::Required }).collect();
    (records, planned)
}

/// Returns what must be there; a bench whose input cannot be made has nothing to measure.
pub(crate) fn must<T, E: std::fmt::Debug>(made: Result<T, E>) -> T {
    match made {
        Ok(value) => value,
        Err(error) => panic!("the bench's own input cannot be made: {error:?}"),
    }
}
