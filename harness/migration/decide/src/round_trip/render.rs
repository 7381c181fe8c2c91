//! Trips and findings as lines for a person.

use super::{Report, RoundTrip, Whole, summary};
use crate::{Finding, Route, report::report as migrations};
use serde_json::json;
use stagegate_base::{report, text::clean};

/// Returns one line about a migration: verdict, way and time.
#[must_use]
pub fn line(round_trip: &RoundTrip) -> String {
    let way = match &round_trip.route {
        Route::Session => "in one session".to_owned(),
        Route::Clone(reason) => format!("on a copy: {reason}"),
        Route::Unreadable(reason) => format!("not tried: {reason}"),
    };
    let again = if round_trip.second_up.is_some() { ", fails when run again" } else { "" };
    let took = round_trip.took.as_millis();
    let stall = round_trip.longest_stall.map(|stall| format!(", longest stall {} ms", stall.as_millis()));
    let stall = stall.unwrap_or_default();
    clean(&format!("{:<14} {}{again}  ({took} ms, {way}{stall})", round_trip.verdict().word(), round_trip.label))
}

/// Returns one line about the whole chain.
#[must_use]
pub fn whole_line(whole: &Whole) -> String {
    if let Some(reason) = &whole.not_tried {
        return clean(&format!("the whole chain was not run down and up: {reason}"));
    }
    let left_out = match whole.left_out.len() {
        0 => String::new(),
        n => format!(" (without {n} that have no usable down migration)"),
    };
    let end = match (&whole.down, &whole.up) {
        (Some((version, _)), _) => format!("stops on the way down at {version}"),
        (None, Some((version, _))) => format!("stops in the second up migration at {version}"),
        (None, None) if whole.bottom.is_empty() && whole.top.is_empty() => "leads down and up again".to_owned(),
        (None, None) => {
            format!("ends with {} differences at the bottom, {} at the top", whole.bottom.len(), whole.top.len())
        }
    };
    clean(&format!("the whole chain{left_out} {end}, {:.1} s", whole.took.as_secs_f64()))
}

/// Returns what was found on each server as one report: what all of them showed once, what only some did with their
/// names. `least` states what the servers have in common.
#[must_use]
pub fn merged(folder: &str, reports: &[Report], least: Option<&str>) -> report::Report {
    let mut findings: Vec<(Finding, Vec<&str>)> = Vec::new();
    for of_one in reports {
        for finding in &of_one.findings {
            match findings.iter_mut().find(|(known, _)| known == finding) {
                Some((_, servers)) => servers.push(&of_one.server),
                None => findings.push((finding.clone(), vec![&of_one.server])),
            }
        }
    }
    let named = |(mut finding, servers): (Finding, Vec<&str>)| {
        if servers.len() < reports.len() {
            finding.found = format!("{} (on {})", finding.found, servers.join(", "));
        }
        finding
    };
    let findings: Vec<Finding> = findings.into_iter().map(named).collect();
    let of_servers = reports.iter().map(|one| format!("{}: {}", one.server, summary(&one.counts)));
    report::Report {
        notes: least.map(str::to_owned).into_iter().chain(of_servers).collect(),
        details: [("servers".to_owned(), json!(reports))].into_iter().collect(),
        ..migrations(format!("Migrations in {folder}"), &findings, folder)
    }
}
