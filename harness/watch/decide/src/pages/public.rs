//! A page for the public: whether an environment's release was verified, when it changed last, and its incidents. It names no
//! release, host, service or reason but those that the configuration allows.

use std::fmt::Write;

use stagegate_base::{config::StatusPage, report::html_escaped as inline};
use stagegate_gate_decide::promotion::End;

use super::{EnvironmentPage, list, page, shortened, when};
use crate::{RunFacts, figures::length, incident::Incident};

/// Seconds for which an incident that is closed is shown.
const CLOSED_FOR: f64 = 14.0 * 86_400.0;

/// Writes the page; `made` is when, in seconds since 1970. `allowed` is what it shows of runs in addition to their times.
#[must_use]
pub fn public(title: &str, environments: &[EnvironmentPage], allowed: StatusPage, made: f64) -> String {
    let mut body = format!("<h1>{}</h1>\n", inline(title));
    for shown in environments {
        let _ = writeln!(body, "<h2>{}</h2>", inline(&shown.environment));
        let mut pairs = vec![("state", state(shown))];
        if let Some(run) = last_change(shown) {
            pairs.push(("last change", when(run.last)));
        }
        pairs.extend(of_runs(shown, allowed));
        body.push_str(&list(&pairs));
        body.push_str(&incidents(&shown.incidents, made));
    }
    let _ = writeln!(body, "<p class=\"soft\">As of {}.</p>", when(made));
    page(title, &body)
}

fn last_change(shown: &EnvironmentPage) -> Option<&RunFacts> {
    shown.runs.iter().rev().find(|run| run.touched.is_some())
}

/// Returns what the configuration allows.
fn of_runs(shown: &EnvironmentPage, allowed: StatusPage) -> Vec<(&'static str, String)> {
    let mut pairs = Vec::new();
    let live = shown.runs.iter().rev().find(|run| run.end == Some(End::Promoted)).map(|run| &run.release);
    if let Some(live) = live.filter(|_| allowed.release) {
        pairs.push(("release", inline(&live.name)));
    }
    if let Some(live) = live.filter(|_| allowed.commit) {
        pairs.push(("commit", inline(&live.commit)));
    }
    let reason = shown.runs.last().and_then(|run| run.reason.as_deref());
    if let Some(reason) = reason.filter(|_| allowed.reason) {
        pairs.push(("last run", inline(&shortened(reason))));
    }
    pairs
}

/// Returns what may be shown: only what was verified is called good.
fn state(shown: &EnvironmentPage) -> String {
    let (class, text) = match shown.runs.iter().rev().find(|run| run.touched.is_some() || run.end.is_none()) {
        _ if shown.at_work.is_some() => ("warn", "maintenance in progress".to_owned()),
        _ if shown.incidents.iter().any(|one| one.closed.is_none()) => ("fail", "incident; see below".to_owned()),
        Some(run) => match run.end {
            Some(End::Promoted | End::RolledBack) => ("pass", format!("verified at {}", when(run.last))),
            Some(End::NotVerified | End::Stuck) => ("fail", "disturbed; being looked at".to_owned()),
            None => ("warn", "maintenance was interrupted".to_owned()),
            Some(_) => ("warn", "not verified by the last change".to_owned()),
        },
        None => ("warn", "not known".to_owned()),
    };
    format!("<span class=\"end {class}\">{}</span>", inline(&text))
}

/// Returns the incidents that are open or were closed lately, the newest first; no run is named.
fn incidents(all: &[Incident], made: f64) -> String {
    let is_shown = |one: &&Incident| one.closed.is_none_or(|at| made - at <= CLOSED_FOR);
    let mut out = String::new();
    for one in all.iter().rev().filter(is_shown) {
        if out.is_empty() {
            out.push_str("<h3>incidents</h3>\n<ul>\n");
        }
        out.push_str(&incident(one));
    }
    if !out.is_empty() {
        out.push_str("</ul>\n");
    }
    out
}

/// Returns an incident as a point of a list.
pub(super) fn incident(one: &Incident) -> String {
    let (class, state) = match one.closed {
        None => ("fail", "open".to_owned()),
        Some(at) => ("pass", format!("closed after {}", length((at - one.opened).max(0.0)))),
    };
    let closing = one.closing.as_deref().map(|text| format!("<br>{}", inline(&shortened(text)))).unwrap_or_default();
    format!(
        "<li>{}: <span class=\"end {class}\">{state}</span><br>{}{closing}</li>\n",
        when(one.opened),
        inline(&shortened(&one.text))
    )
}
