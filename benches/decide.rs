//! How long the decisions take that are made often, or over much text.
//!
//! `cargo bench --bench decide -- --quick` for a look; without `--quick` for numbers that can be compared.

#[path = "inputs.rs"]
mod inputs;

use std::{hint::black_box, path::Path};

use criterion::{Criterion, Throughput};
use inputs::{blocks, facts, journal_text, must, records};
use stagegate_base::{
    config::Config,
    redact::{Mask, Secret},
};
use stagegate_data_decide::differences;
use stagegate_gate_decide::{
    promotion::{Entry, next, read},
    verdict,
};
use stagegate_performance_decide::{self as performance, Rules};

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
    let text = journal_text(JOURNAL_LINES);
    let lines = must(read(text.as_bytes())).lines;
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
    let (before, mut after) = (facts(TABLES), facts(TABLES));
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
    let blocks = blocks(ROTATIONS);
    let rules = Rules::usual(0.02, 1);
    criterion.bench_function("comparison of 96 rotations", |bencher| {
        bencher.iter(|| performance::next(black_box(&blocks), &rules, true));
    });
}

fn judging(criterion: &mut Criterion) {
    let (records, planned) = records(RECORDS);
    let readiness = must(Config::parse(Path::new("/stagegate.toml"), "[project]\nname = \"shop\"")).readiness;
    criterion.bench_function("verdict over 1,000 records", |bencher| {
        bencher.iter(|| verdict::verdict(black_box(&records), &planned, &readiness));
    });
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
