//! Trips and findings as lines for a person.

use std::fmt::Write;

use super::{Report, Trip, Whole, summary};
use crate::{Finding, Route, report};
use stagegate_base::{
    record::Severity,
    text::{clean, one_line},
};

/// Returns one line about a migration: verdict, way and time.
#[must_use]
pub fn line(trip: &Trip) -> String {
    let way = match &trip.route {
        Route::Session => "in one session".to_owned(),
        Route::Clone(reason) => format!("on a copy: {reason}"),
        Route::Unreadable(reason) => format!("not tried: {reason}"),
    };
    let again = if trip.second_up.is_some() { ", fails when run again" } else { "" };
    let took = trip.took.as_millis();
    let stall = trip.longest_stall.map(|stall| format!(", longest stall {} ms", stall.as_millis()));
    let stall = stall.unwrap_or_default();
    clean(&format!("{:<14} {}{again}  ({took} ms, {way}{stall})", trip.verdict().word(), trip.label))
}

/// Returns a finding with its place and statement.
#[must_use]
pub fn told_finding(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Required => "required",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let mut out = format!("{severity:<8} {}", finding.code);
    let place = finding.place();
    if !place.is_empty() {
        let _ = write!(out, "  {place}");
    }
    let _ = write!(out, "\n         {}", finding.message);
    if !finding.statement.is_empty() {
        let _ = write!(out, "\n         > {}", finding.statement);
    }
    if let Some(reason) = &finding.waived {
        let _ = write!(out, "\n         accepted: {reason}");
    }
    clean(&out)
}

/// Returns one line about the whole chain.
#[must_use]
pub fn whole_line(whole: &Whole) -> String {
    if let Some(reason) = &whole.not_tried {
        return clean(&format!("the whole chain was not run down and up: {reason}"));
    }
    let left_out = match whole.left_out.len() {
        0 => String::new(),
        n => format!(" (without {n} that have no usable way back)"),
    };
    let end = match (&whole.down, &whole.up) {
        (Some((version, _)), _) => format!("stops on the way down at {version}"),
        (None, Some((version, _))) => format!("stops on the way up again at {version}"),
        (None, None) if whole.bottom.is_empty() && whole.top.is_empty() => "leads down and up again".to_owned(),
        (None, None) => {
            format!("ends with {} differences at the bottom, {} at the top", whole.bottom.len(), whole.top.len())
        }
    };
    clean(&format!("the whole chain{left_out} {end}, {:.1} s", whole.took.as_secs_f64()))
}

/// Returns what each server showed as Markdown: its verdicts and a table of what was found.
#[must_use]
pub fn markdown(folder: &str, reports: &[Report], least: Option<&str>) -> String {
    let code = |text: &str| format!("`{}`", one_line(text).replace('`', "'"));
    let mut out = format!("## Migrations in {}\n", code(folder));
    if let Some(least) = least {
        let _ = write!(out, "\n{least}\n");
    }
    for of_one in reports {
        let _ = write!(out, "\n### {}\n\n{}\n", code(&of_one.server), summary(&of_one.counts));
        if !of_one.findings.is_empty() {
            let _ = write!(out, "\n{}\n", report::markdown(&of_one.findings));
        }
    }
    out
}
