//! A chain's trips as one line, and as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{RoundTrip, Verdict, Whole};
use crate::{Chain, Finding, Route};
use stagegate_base::{config::Tool, text::counted};

/// How many migrations got which verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All.
    pub migrations: usize,
    /// By verdict; those that are zero too.
    pub verdicts: BTreeMap<Verdict, usize>,
    /// Whose second way up failed.
    pub second_up_fails: usize,
}

impl Counts {
    /// Counts.
    #[must_use]
    pub fn of(round_trips: &[RoundTrip]) -> Self {
        let count =
            |verdict| (verdict, round_trips.iter().filter(|round_trip| round_trip.verdict() == verdict).count());
        Counts {
            migrations: round_trips.len(),
            verdicts: Verdict::ALL.into_iter().map(count).collect(),
            second_up_fails: round_trips.iter().filter(|round_trip| round_trip.second_up.is_some()).count(),
        }
    }
}

/// Returns one line, such as `268 migrations: 204 exact, 9 order only`.
#[must_use]
pub fn summary(counts: &Counts) -> String {
    let verdicts: Vec<String> =
        counts.verdicts.iter().filter(|(_, n)| **n > 0).map(|(verdict, n)| format!("{n} {}", verdict.word())).collect();
    let mut line = format!("{}: {}", counted(counts.migrations, "migration"), verdicts.join(", "));
    if counts.second_up_fails > 0 {
        line.push_str(&format!("; second up fails: {}", counts.second_up_fails));
    }
    line
}

/// One migration as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    /// Its version.
    pub version: String,
    /// How people name it.
    pub label: String,
    /// Which way it was tried.
    pub route: Route,
    /// What is to be thought of it.
    pub verdict: Verdict,
    /// Whether its second way up failed.
    pub second_up_fails: bool,
    /// The longest time that a probe's request was held up by the up migration; none where there were no probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_stall_ms: Option<u64>,
    /// How long all of it took.
    pub took_ms: u64,
}

/// On how many migrations rows were tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OnRows {
    /// Migrations that were tried on rows.
    pub tried: usize,
    /// Of these, with rows in all tables, and with their locks watched.
    pub whole: usize,
    /// Migrations that can change no table that was there before them.
    pub untouched: usize,
}

/// A chain's trips as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Format version.
    pub v: u32,
    /// The tool whose rules were followed.
    pub tool: Tool,
    /// The scratch server.
    pub server: String,
    /// How many got which verdict.
    pub counts: Counts,
    /// Each migration.
    pub migrations: Vec<Tried>,
    /// On how many migrations rows were tried; nothing where that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<OnRows>,
    /// How long the whole chain down and up took.
    pub chain_ms: u64,
    /// What was found, exceptions applied.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Puts it together.
    #[must_use]
    pub fn new(chain: &Chain, server: &str, round_trips: &[RoundTrip], whole: &Whole, findings: Vec<Finding>) -> Self {
        let tried = |trip: &RoundTrip| Tried {
            version: trip.version.clone(),
            label: trip.label.clone(),
            route: trip.route.clone(),
            verdict: trip.verdict(),
            second_up_fails: trip.second_up.is_some(),
            longest_stall_ms: trip.longest_stall.map(millis),
            took_ms: millis(trip.took),
        };
        Report {
            v: 1,
            tool: chain.tool,
            server: server.to_owned(),
            counts: Counts::of(round_trips),
            migrations: round_trips.iter().map(tried).collect(),
            rows: None,
            chain_ms: millis(whole.took),
            findings,
        }
    }
}

fn millis(took: std::time::Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
