//! The first page: what runs now, the delivery figures, and the history of each environment.

use std::fmt::Write;

use stagegate_base::report::html_escaped as inline;
use stagegate_gate_decide::promotion::{End, Kind};

use super::{EnvironmentPage, file_name, list, page, plot::durations, public::incident, shortened, when, word};
use crate::{
    RunFacts,
    figures::{Figures, length},
};

/// Writes the page; `made` is when, in seconds since 1970.
#[must_use]
pub fn index(product: &str, environments: &[EnvironmentPage], made: f64) -> String {
    let mut body = format!(
        "<h1>{}</h1>\n<p class=\"soft\">Read from the journals at {}. Days and times are those of UTC.</p>\n",
        inline(product),
        when(made)
    );
    if environments.len() > 1 {
        let link = |one: &EnvironmentPage| {
            let name = inline(&one.environment);
            format!("<a href=\"#{name}\">{name}</a>")
        };
        let links: Vec<String> = environments.iter().map(link).collect();
        let _ = writeln!(body, "<nav>{}</nav>", links.join(" | "));
    }
    environments.iter().for_each(|one| body.push_str(&environment(one)));
    page(&format!("{product}: environments and their runs"), &body)
}

fn environment(shown: &EnvironmentPage) -> String {
    let name = inline(&shown.environment);
    let mut out = format!("<h2 id=\"{name}\">{name}</h2>\n");
    out.push_str(&now(shown));
    for line in &shown.unread {
        let _ = writeln!(out, "<p class=\"fail\">{}</p>", inline(line));
    }
    out.push_str(&incidents(shown));
    if shown.runs.is_empty() {
        out.push_str("<p>No runs yet.</p>\n");
        return out;
    }
    out.push_str(&figures(&shown.figures));
    out.push_str(&durations(&shown.runs));
    out.push_str(&history(&shown.runs));
    out
}

/// So many of the newest incidents that are closed are listed.
const CLOSED: usize = 5;

/// Returns the incidents, those that are open first.
fn incidents(shown: &EnvironmentPage) -> String {
    if shown.incidents.is_empty() {
        return String::new();
    }
    let (open, closed): (Vec<_>, Vec<_>) = shown.incidents.iter().rev().partition(|one| one.closed.is_none());
    let mut out = format!("<h3>incidents: {} open, {} closed</h3>\n<ul>\n", open.len(), closed.len());
    open.into_iter().chain(closed.into_iter().take(CLOSED)).for_each(|one| out.push_str(&incident(one)));
    out.push_str("</ul>\n");
    out
}

fn now(shown: &EnvironmentPage) -> String {
    let mut pairs = vec![(
        "runs now",
        shown.deployed.as_deref().map_or_else(|| "unknown: nothing was deployed by gate".to_owned(), inline),
    )];
    if let Some(since) = live_since(&shown.runs) {
        pairs.push(("since", when(since)));
    }
    if let Some(run) = shown.runs.last() {
        let (class, _) = word(run);
        let mut text = format!("<span class=\"end {class}\">{}</span>", inline(&run.text));
        if let Some(reason) = &run.reason {
            let _ = write!(text, "<br>{}", inline(&shortened(reason)));
        }
        let command = match run.end {
            Some(End::Stuck) => Some(format!("gate resume --env {}", shown.environment)),
            Some(End::NotVerified) => Some(format!("gate status --env {}", shown.environment)),
            None if shown.at_work.is_none() => Some(format!("gate resume --env {}", shown.environment)),
            _ => None,
        };
        if let Some(command) = command {
            let _ = write!(text, "<br>next: <code>{}</code>", inline(&command));
        }
        pairs.push(("last run", text));
    }
    if let Some(text) = &shown.at_work {
        pairs.push(("in progress", inline(text)));
    }
    if let Some(text) = &shown.backups {
        pairs.push(("backups", inline(text)));
    }
    if let Some((text, file)) = &shown.suites {
        let text = inline(text);
        pairs.push((
            "checks",
            match file {
                Some(file) => format!("<a href=\"{}\">{text}</a>", inline(file)),
                None => text,
            },
        ));
    }
    list(&pairs)
}

/// Returns since when the release is live that runs now: the last promotion or rollback that stayed.
fn live_since(runs: &[RunFacts]) -> Option<f64> {
    runs.iter().rev().find(|run| run.end == Some(End::Promoted)).map(|run| run.live.unwrap_or(run.last))
}

fn figures(figures: &Figures) -> String {
    let mut out = format!(
        "<h3>delivery in the last {} days</h3>\n<div class=\"wide\"><table>\n<thead><tr><th>figure</th><th>value</th>\
         <th>counted from</th><th>definition</th></tr></thead>\n<tbody>\n",
        figures.days
    );
    for reported in figures.lines() {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"soft\">{}</td></tr>",
            inline(reported.name),
            inline(&reported.value),
            inline(&reported.n),
            inline(reported.definition)
        );
    }
    out.push_str("</tbody>\n</table></div>\n");
    if figures.blocked > 0 {
        let _ = writeln!(out, "<p>Blocked before anything changed: {} (no failures).</p>", figures.blocked);
    }
    out
}

fn history(runs: &[RunFacts]) -> String {
    let mut out = String::from(
        "<h3>history</h3>\n<div class=\"wide\"><table>\n<thead><tr><th>began</th><th>run</th><th>release</th><th>end</th>\
         <th class=\"n\">time</th><th class=\"n\">frozen</th></tr></thead>\n<tbody>\n",
    );
    for run in runs.iter().rev() {
        let (class, word) = word(run);
        let id = inline(&run.run);
        let id = file_name(&run.run).map_or(id.clone(), |file| format!("<a href=\"runs/{file}\">{id}</a>"));
        let kind = if run.kind == Kind::Promote { String::new() } else { format!("<br>{}", inline(&run.kind_text())) };
        let (took, frozen) = (run.end.map(|_| length(run.seconds())), run.frozen.map(length));
        // A row of its own: next to the other columns nothing would be left for it.
        let reason = run.reason.as_deref().map(|reason| inline(&shortened(reason)));
        let more = reason.map(|text| format!("<tr><td class=\"reason soft\" colspan=\"6\">{text}</td></tr>\n"));
        let _ = writeln!(
            out,
            "<tr{}><td class=\"when\">{}</td><td class=\"run\">{id}{kind}</td><td>{} &rarr; {}</td>\
             <td class=\"end {class}\">{word}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            if more.is_some() { " class=\"has-more\"" } else { "" },
            when(run.began),
            inline(&run.previous.name),
            inline(&run.release.name),
            took.unwrap_or_default(),
            frozen.unwrap_or_default(),
        );
        out.push_str(&more.unwrap_or_default());
    }
    out.push_str("</tbody>\n</table></div>\n");
    out
}
