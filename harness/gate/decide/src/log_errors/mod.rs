//! Errors in the logs of containers: what a release logs that the one before did not, or much more often.
//!
//! In: lines with their times. Out: a count by shape, and sentences. No clock, no I/O. Memory is bounded, whatever is logged.

mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stagegate_base::{
    config::LogErrors,
    text::{counted, one_line},
};

pub use shape::shape;

/// A shape that comes less often may be chance.
pub const TIMES: u64 = 3;
/// A rate is told from this many lines on.
pub const MANY: u64 = 20;
/// So many times the earlier rate is a rise.
pub const RISE: f64 = 5.0;
/// An earlier rate over less time is none, in seconds.
const LONG_ENOUGH: i64 = 120;
/// Shapes that are kept of a service, and sentences that are made of one.
const SHAPES: usize = 2_000;
const TOLD: usize = 5;
/// Characters of a line in a sentence.
const SHOWN: usize = 160;

/// What is known of one shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Lines of it.
    pub lines: u64,
    /// Seconds, since 1970, of its first and its last line.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// Its first line, without what a terminal would obey.
    pub example: String,
}

/// The errors of one service in a span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceErrors {
    /// From when on the log was read, in seconds since 1970.
    pub from: i64,
    /// Until when, in seconds since 1970.
    pub to: i64,
    /// Its errors by shape.
    pub shapes: BTreeMap<String, Shape>,
    /// Errors in lines of shapes for which there was no room.
    pub others: u64,
}

impl ServiceErrors {
    /// Makes a count of a span of time without any.
    #[must_use]
    pub fn of(from: i64, to: i64) -> Self {
        ServiceErrors { from, to, ..Self::default() }
    }

    /// Counts a line of the log, if it is an error. `at` is in seconds since 1970.
    pub fn note(&mut self, rules: &LogErrors, at: i64, line: &str) {
        let Some(shape) = shape(rules, line) else { return };
        if !self.shapes.contains_key(&shape) && self.shapes.len() >= SHAPES {
            self.others += 1;
            return;
        }
        let known = self.shapes.entry(shape).or_insert_with(|| Shape {
            first: at,
            example: one_line(line).chars().take(SHOWN).collect(),
            ..Shape::default()
        });
        known.lines += 1;
        known.last = known.last.max(at);
    }

    /// Adds what was counted in another span of time, or of another container of the service.
    pub fn add(&mut self, other: &Self) {
        (self.from, self.to) = (self.from.min(other.from), self.to.max(other.to));
        self.others += other.others;
        for (shape, more) in &other.shapes {
            let known = self.shapes.entry(shape.clone()).or_insert_with(|| Shape { lines: 0, ..more.clone() });
            known.lines += more.lines;
            (known.first, known.last) = (known.first.min(more.first), known.last.max(more.last));
        }
    }

    /// Notes the shapes of another span of time as known ones, without a rate: those of a start, or of long ago.
    pub fn know(&mut self, other: &Self) {
        for (shape, seen) in &other.shapes {
            self.shapes.entry(shape.clone()).or_insert_with(|| Shape { lines: 0, ..seen.clone() });
        }
    }

    /// Returns how many lines of a shape came in a second; `None` where that is not known.
    fn rate(&self, shape: &str) -> Option<f64> {
        let seconds = self.to - self.from;
        let lines = self.shapes.get(shape).map_or(0, |known| known.lines);
        (seconds >= LONG_ENOUGH && lines > 0).then(|| as_number(lines) / as_number(seconds.unsigned_abs()))
    }
}

fn as_number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Returns what a release logs of errors that the release before did not, in sentences, the most frequent first: new shapes that
/// come again and again, and known ones whose rate has risen.
///
/// `before` is what the service logged before, `None` where that is not known; then nothing is new.
#[must_use]
pub fn findings(service: &str, before: Option<&ServiceErrors>, now: &ServiceErrors) -> Vec<String> {
    let Some(before) = before else { return Vec::new() };
    let seconds = (now.to - now.from).max(1);
    let mut found: Vec<(u64, String)> = Vec::new();
    for (shape, seen) in &now.shapes {
        let example = &seen.example;
        match before.shapes.get(shape) {
            // Several lines of one second may be one event.
            None if seen.lines >= TIMES && seen.last > seen.first && before.others == 0 => {
                let lines = counted(seen.lines, "line");
                found.push((seen.lines, format!("{service} logs a new error, {lines} in {seconds} s: {example}")));
            }
            Some(_) if seen.lines >= MANY => {
                let rate = as_number(seen.lines) / as_number(seconds.unsigned_abs());
                let Some(earlier) = before.rate(shape).filter(|earlier| rate > RISE * earlier) else { continue };
                let (now, then) = (rate * 60.0, earlier * 60.0);
                found.push((
                    seen.lines,
                    format!("{service} logs an error more often, {now:.1} a minute, {then:.1} before: {example}"),
                ));
            }
            _ => {}
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let more = found.len().saturating_sub(TOLD);
    let mut reported: Vec<String> = found.into_iter().take(TOLD).map(|(_, text)| text).collect();
    if more > 0 {
        reported.push(format!("{service} logs {} more", counted(more, "such error")));
    }
    reported
}
