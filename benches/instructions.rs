//! The hot paths of the pure crates, each once, for callgrind to count: `scripts/instructions.sh` runs it.
//!
//! `instructions CASE` makes the case's input and runs it in [`measured`], which is all that is counted; `--list` prints
//! the cases. Inputs are small: a count does not vary, so that no case has to be long to be told apart.

#[path = "inputs.rs"]
mod inputs;

use std::{hint::black_box, io::Write, path::Path};

use inputs::{blocks, facts, journal_text, must, records};
use stagegate_base::config::Config;
use stagegate_data_decide::differences;
use stagegate_gate_decide::{
    promotion::{Entry, next, read},
    verdict,
};
use stagegate_performance_decide::{
    self as performance, Rules,
    statistics::{Random, resampled},
};

const CASES: [(&str, fn()); 5] = [
    ("differences_of_200_tables", diff),
    ("verdict_over_200_records", judging),
    ("journal_of_200_lines", journal),
    ("comparison_of_24_rotations", comparison),
    ("resampling_of_48_values", resampling),
];

fn main() {
    let named = std::env::args().nth(1).unwrap_or_default();
    if named == "--list" {
        let names: Vec<&str> = CASES.iter().map(|(name, _)| *name).collect();
        let _ = writeln!(std::io::stdout(), "{}", names.join("\n"));
    }
    // `cargo bench` starts every bench; without the name of a case there is nothing to count.
    if let Some((_, case)) = CASES.iter().find(|(name, _)| *name == named) {
        case();
    }
}

/// Runs what is counted. Callgrind counts from here on, and until this returns.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) {
    black_box(work());
}

fn diff() {
    let (before, mut after) = (facts(200), facts(200));
    if let Some(last) = after.tables.values_mut().next_back() {
        last.rows -= 1;
    }
    measured(|| differences(black_box(&before), black_box(&after)));
}

fn judging() {
    let (records, planned) = records(200);
    let readiness = must(Config::parse(Path::new("/stagegate.toml"), "[project]\nname = \"shop\"")).readiness;
    measured(|| verdict::verdict(black_box(&records), &planned, &readiness));
}

fn journal() {
    let text = journal_text(200);
    let lines = must(read(text.as_bytes())).lines;
    let Some(Entry::Started { plan }) = lines.first().map(|line| line.entry.clone()) else { return };
    measured(|| {
        let read = must(read(black_box(text.as_bytes())));
        (next(&plan, &read.lines), read)
    });
}

fn comparison() {
    let (blocks, rules) = (blocks(24), Rules { resamples: 500, ..Rules::usual(0.02, 1) });
    measured(|| performance::next(black_box(&blocks), &rules, true));
}

fn resampling() {
    let values: Vec<f64> = (0..48).map(|n| f64::from(n * 7_919 % 97) / 97.0).collect();
    measured(|| resampled(black_box(&values), 500, &mut Random::seeded(1)));
}
