//! Pages of runs: HTML that loads nothing and runs no script, so that it can be opened from a folder, sent, or served.
//!
//! Every text is escaped; names of files are made of a run's id only where it is one.

mod checks;
mod index;
mod plot;
mod public;
mod run;

use std::fmt::Write;

use stagegate_base::report::{html_escaped as inline, html_page_with};
use stagegate_data_decide::backup::retention::minute;
use stagegate_gate_decide::promotion::{End, Kind};

use crate::{RunFacts, figures::Figures, incident::Incident};

pub use checks::checks;
pub use index::index;
pub use public::public;
pub use run::{RunPage, run};

/// What the pages have next to the style of all reports: a bar for a time, a word for an end, a table that is scrolled on
/// its own where it is wider than the page.
const STYLE: &str = "\
nav{margin-bottom:1rem}.wide{overflow-x:auto}.wide td{overflow-wrap:normal}.wide td.reason{overflow-wrap:anywhere}\
.bar{display:inline-block;height:.7em;background:var(--good);min-width:1px}\
.plot{width:100%;height:6rem;display:block}.plot rect{fill:var(--good)}.plot .fail{fill:var(--bad)}.plot .warn{fill:var(--odd)}\
.plot .part{fill:var(--soft)}.bar.undo{background:var(--odd)}.bar.bad{background:var(--bad)}.end{font-weight:600}td.end{white-space:nowrap}.soft{color:var(--soft)}\
td.when,td.run{white-space:nowrap}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:var(--soft)}\
dd{margin:0}a{color:inherit}a:focus-visible,summary:focus-visible{outline:2px solid var(--good)}\
table.checks{table-layout:fixed}.checks th:nth-child(1){width:4.5rem}.checks th:nth-child(2){width:38%}\
@media(max-width:40rem){.checks th:nth-child(1){width:3.2rem}.wide td,.wide th{padding-left:.2rem;padding-right:.2rem}dl{grid-template-columns:1fr}dd{margin-bottom:.4rem}td.when,td.run{white-space:normal}}";

/// An environment as its pages show it.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvironmentPage {
    /// Its name.
    pub environment: String,
    /// What is deployed, as the gate recorded it; `None` where the gate deployed nothing.
    pub deployed: Option<String>,
    /// The process that works in it now, in words; `None` where none does.
    pub at_work: Option<String>,
    /// Its runs, the oldest first.
    pub runs: Vec<RunFacts>,
    /// Its delivery figures.
    pub figures: Figures,
    /// Its backups in a line; `None` where the schedule makes none.
    pub backups: Option<String>,
    /// The last run of its suites, in a line, and the page's file name where it has one.
    pub suites: Option<(String, Option<String>)>,
    /// Its incidents, the oldest first.
    pub incidents: Vec<Incident>,
    /// Journals that could not be read, with the reason, a line each.
    pub unread: Vec<String>,
}

/// Returns the name of a run's page; `None` where its id is none of ours.
#[must_use]
pub fn file_name(run: &str) -> Option<String> {
    let is_one = (1..=40).contains(&run.len())
        && run.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase() || byte == b'-');
    is_one.then(|| format!("{run}.html"))
}

/// Returns a moment in seconds since 1970 as `2026-01-31 12:34 UTC`.
fn when(unix: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds are wanted")]
    let seconds = unix as i64;
    minute(seconds)
}

/// Returns the moment that the name of a run of the checks begins with, `20260102-030405`, as `2026-01-02 03:04 UTC`; another name
/// stays as it is.
#[must_use]
pub fn stamp_text(name: &str) -> String {
    let digits = |from: usize, to: usize| {
        name.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit())).map(str::to_owned)
    };
    let parts = [(0, 4), (4, 6), (6, 8), (9, 11), (11, 13)].map(|(from, to)| digits(from, to));
    match parts {
        [Some(year), Some(month), Some(day), Some(hour), Some(minute)] if name.get(8..9) == Some("-") => {
            format!("{year}-{month}-{day} {hour}:{minute} UTC")
        }
        _ => name.to_owned(),
    }
}

/// Characters of a reason in a table; the run's own page has all of it.
const REASON: usize = 240;

/// Returns a text that fits a table.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(REASON).collect();
    if short.len() < text.len() {
        short.push_str(" ...");
    }
    short
}

/// Returns the class and the word of a run's end.
fn word(run: &RunFacts) -> (&'static str, &'static str) {
    match run.end {
        Some(End::Promoted) if run.kind != Kind::Promote => ("pass", "rolled back by hand"),
        Some(End::Promoted) => ("pass", "promoted"),
        Some(End::Blocked) => ("warn", "blocked"),
        Some(End::Aborted) => ("warn", "interrupted"),
        Some(End::RolledBack) => ("fail", "rolled back"),
        Some(End::NotVerified) => ("fail", "not verified"),
        Some(End::Stuck) => ("fail", "stuck"),
        Some(End::Abandoned) => ("warn", "abandoned"),
        None => ("warn", "unfinished"),
    }
}

/// Returns a list of names and values; the values are put into it as they are.
fn list(pairs: &[(&str, String)]) -> String {
    let mut out = String::from("<dl>\n");
    for (name, value) in pairs {
        let _ = writeln!(out, "<dt>{}</dt><dd>{value}</dd>", inline(name));
    }
    out.push_str("</dl>\n");
    out
}

fn page(title: &str, body: &str) -> String {
    html_page_with(title, STYLE, body)
}

#[cfg(test)]
mod tests;
