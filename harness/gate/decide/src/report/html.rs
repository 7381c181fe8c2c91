//! A run as one HTML page that loads nothing: no script, no font, no picture from elsewhere.
//!
//! A policy in the page forbids scripts and any request, and every text is escaped: a page of a hostile service's
//! answers can be opened.

use std::fmt::Write;

use super::{Run, score, seconds, status, word};
use crate::verdict::VerdictKind;
use stagegate_base::{
    record::{Record, Severity, Status},
    report::{html_escaped as inline, html_page},
    text::{clean, cut, xml_escaped},
};

/// How many characters of an evidence are kept.
const EVIDENCE: usize = 20_000;

/// What the columns of a suite's table are.
const HEAD: &str = "<thead><tr><th>status</th><th>check</th><th>result</th><th class=\"n\">time</th></tr></thead>";

/// A picture for the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plot {
    /// What it shows, such as a probe's name.
    pub title: String,
    /// What it means, in a sentence.
    pub words: String,
    /// The picture, as `performance::plot::svg` made it: it is put into the page as it is.
    pub svg: String,
}

/// Writes a run, and the pictures of what was measured in it.
#[must_use]
pub fn text(run: &Run, plots: &[Plot]) -> String {
    let title = format!("{}: {}", word(run.verdict.kind), run.subject());
    let mut page = String::new();
    let _ = writeln!(
        page,
        "<h1><span class=\"{}\">{}</span>: {}</h1>",
        word(run.verdict.kind),
        word(run.verdict.kind),
        xml_escaped(&run.subject())
    );
    let score = score(&run.verdict).map(|score| format!(". {score}")).unwrap_or_default();
    let _ = writeln!(page, "<p>{}{score}. Started {}</p>", run.verdict.tally.text(), inline(&run.started));
    if run.verdict.kind != VerdictKind::Promote && !run.verdict.reasons.is_empty() {
        page.push_str("<ul>\n");
        run.verdict.reasons.iter().for_each(|reason| {
            let _ = writeln!(page, "<li>{}</li>", inline(reason));
        });
        page.push_str("</ul>\n");
    }
    if !plots.is_empty() {
        page.push_str("<h2>measurements</h2>\n");
        plots.iter().for_each(|one| page.push_str(&plot(one)));
    }
    for (suite, records) in run.suites() {
        let _ = writeln!(page, "<h2>{}</h2>\n<table>\n{HEAD}\n<tbody>", inline(suite));
        records.iter().for_each(|one| page.push_str(&record(one)));
        page.push_str("</tbody>\n</table>\n");
    }
    html_page(&title, &page)
}

/// Writes a page of pictures alone, as for measurements that belong to no run of suites.
#[must_use]
pub fn plots(title: &str, plots: &[Plot]) -> String {
    let mut page = String::new();
    let _ = writeln!(page, "<h1>{}</h1>", inline(title));
    plots.iter().for_each(|one| page.push_str(&plot(one)));
    html_page(title, &page)
}

fn plot(plot: &Plot) -> String {
    format!("<h3>{}</h3>\n<p>{}</p>\n{}", inline(&plot.title), inline(&plot.words), plot.svg)
}

fn record(record: &Record) -> String {
    let status = status(record).to_lowercase();
    let severity = match record.severity {
        _ if record.status == Status::Fail => "",
        Severity::Required => "",
        Severity::Warning => " (warning)",
        Severity::Info => " (notice)",
    };
    let details = details(record);
    let (class, more) = match details.is_empty() {
        true => ("", String::new()),
        // A row of its own: next to the other columns nothing would be left for it on a phone.
        false => (" class=\"has-more\"", format!("<tr><td colspan=\"4\">{details}</td></tr>\n")),
    };
    format!(
        "<tr{class}><td class=\"status {status}\">{status}{severity}</td><td class=\"name\"><code>{}</code></td>\
         <td>{}</td><td class=\"n\">{} s</td></tr>\n{more}",
        // A line may end between the parts of a name.
        inline(&record.trial).replace("::", "::<wbr>"),
        inline(&record.message),
        seconds(record.duration_ms)
    )
}

fn details(record: &Record) -> String {
    let mut out = String::new();
    if !record.findings.is_empty() {
        out.push_str("<table><tr><th>at</th><th>expected</th><th>found</th></tr>");
        for f in &record.findings {
            let cells =
                [&f.place.to_string(), &f.expected, &f.found].map(|text| format!("<td>{}</td>", inline(text))).concat();
            let _ = write!(out, "<tr>{cells}</tr>");
        }
        out.push_str("</table>");
    }
    for evidence in &record.evidence {
        let text = cut(&clean(&evidence.text), EVIDENCE);
        let name = inline(&evidence.name);
        let _ = write!(out, "<details><summary>{name}</summary><pre>{}</pre></details>", xml_escaped(&text));
    }
    if let Some(hint) = &record.hint {
        let _ = write!(out, "<p class=\"hint\">{}</p>", inline(hint));
    }
    out
}
