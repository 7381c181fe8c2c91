//! How long the decisions take that are made often, or over much text.
//!
//! `cargo bench --bench decide -- --quick` for a look; without `--quick` for numbers that can be compared.

use std::{collections::BTreeMap, hint::black_box, path::Path};

use criterion::{Criterion, Throughput};
use stagegate_decide::{
    config::Config,
    data::{DataFacts, TableFacts, differences},
    performance::{self, Arm, Block, Latencies, Rules},
    promotion::{Decision, Entry, Line, Plan, Step, VERSION, chained, next, read},
    record::{Outcome, Record, Severity},
    redact::{Mask, Secret},
    verdict::{self, Planned},
};

const JOURNAL_LINES: u64 = 1_000;
const TABLES: i64 = 1_000;
const ROTATIONS: u32 = 96;
const RECORDS: usize = 1_000;
const LOG_BYTES: usize = 1 << 20;

fn main() {
    // `cargo bench -- --env NAME` is meant for the bench `environment` alone.
    if std::env::args().any(|argument| argument == "--env" || argument.starts_with("--env=")) {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    journal(&mut criterion);
    config(&mut criterion);
    data(&mut criterion);
    mask(&mut criterion);
    comparison(&mut criterion);
    judging(&mut criterion);
    criterion.final_summary();
}

fn journal(criterion: &mut Criterion) {
    let text = journal_text();
    let (lines, _) = must(read(text.as_bytes()));
    let Some(Entry::Started { plan }) = lines.first().map(|line| line.entry.clone()) else { return };
    let mut group = criterion.benchmark_group("journal");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("read 1,000 lines", |bencher| bencher.iter(|| read(black_box(text.as_bytes()))));
    group.throughput(Throughput::Elements(JOURNAL_LINES));
    group.bench_function("next over 1,000 lines", |bencher| bencher.iter(|| next(&plan, black_box(&lines))));
    group.finish();
}

fn config(criterion: &mut Criterion) {
    let text = include_str!("../docs/stagegate.toml");
    let path = Path::new("/srv/shop/stagegate.toml");
    criterion.bench_function("config: the annotated example", |bencher| {
        bencher.iter(|| Config::parse(path, black_box(text)))
    });
}

fn data(criterion: &mut Criterion) {
    let (before, mut after) = (facts(), facts());
    if let Some(last) = after.tables.values_mut().next_back() {
        last.rows -= 1;
    }
    criterion.bench_function("differences of 1,000 tables", |bencher| {
        bencher.iter(|| differences(black_box(&before), black_box(&after)));
    });
}

fn mask(criterion: &mut Criterion) {
    let secrets = (0..8).map(|n| Secret::new(format!("correct-horse-battery-staple-{n}")));
    let mask = Mask::new(secrets);
    let log = log_text();
    let mut group = criterion.benchmark_group("mask");
    group.throughput(Throughput::Bytes(log.len() as u64));
    group.bench_function("8 secrets in 1 MiB of log", |bencher| bencher.iter(|| mask.apply(black_box(&log))));
    group.finish();
}

fn comparison(criterion: &mut Criterion) {
    let blocks: Vec<Block> = (0..ROTATIONS).flat_map(rotation).collect();
    let rules = Rules::usual(0.02, 1);
    criterion.bench_function("comparison of 96 rotations", |bencher| {
        bencher.iter(|| performance::next(black_box(&blocks), &rules, true));
    });
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

fn judging(criterion: &mut Criterion) {
    let names: Vec<String> = (0..RECORDS).map(|n| format!("contracts::api::operation_{n}")).collect();
    let record = |name: &String| Record::new("staging", name, Severity::Required, 3, Outcome::Pass("200".to_owned()));
    let records: Vec<Record> = names.iter().map(record).collect();
    let planned: Vec<Planned> =
        names.into_iter().map(|trial| Planned { trial, severity: Severity::Required }).collect();
    let readiness = must(Config::parse(Path::new("/stagegate.toml"), "[project]\nname = \"shop\"")).readiness;
    criterion.bench_function("verdict over 1,000 records", |bencher| {
        bencher.iter(|| verdict::verdict(black_box(&records), &planned, &readiness));
    });
}

/// Writes the journal of a run that was taken up again and again while an undo kept failing.
fn journal_text() -> String {
    let plan: Plan = must(serde_json::from_value(plan()));
    let (mut text, mut prev) = (String::new(), String::new());
    for seq in 0..JOURNAL_LINES {
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

fn facts() -> DataFacts {
    let table = |n: i64| {
        (format!("public.table_{n:04}"), TableFacts { rows: n * 1_000, checksum: Some(format!("{}", n * 7_919)) })
    };
    DataFacts { tables: (0..TABLES).map(table).collect::<BTreeMap<_, _>>(), schema: "d41d8cd98f00b204".to_owned() }
}

/// A log as services write it: a secret now and then, and an address with a password in it.
fn log_text() -> String {
    let plain = "2026-01-02T03:04:05Z api INFO GET /orders?limit=50 200 in 3 ms request=6f1c2b7e\n";
    let secret = "2026-01-02T03:04:05Z api DEBUG token correct-horse-battery-staple-3 accepted\n";
    let address = "2026-01-02T03:04:05Z api INFO connected to postgres://shop:other-password@db:5432/shop\n";
    let mut log = String::with_capacity(LOG_BYTES + 256);
    while log.len() < LOG_BYTES {
        (0..40).for_each(|_| log.push_str(plain));
        log.push_str(secret);
        log.push_str(address);
    }
    log
}

/// Returns what must be there; a bench whose input cannot be made has nothing to measure.
fn must<T, E: std::fmt::Debug>(made: Result<T, E>) -> T {
    match made {
        Ok(value) => value,
        Err(error) => panic!("the bench's own input cannot be made: {error:?}"),
    }
}
