//! Findings as one HTML page that loads nothing: no script, no font, no picture from elsewhere.
//!
//! A policy in the page forbids scripts and any request, and every text is escaped: a page of a hostile service's
//! responses can be opened.

use std::fmt::Write;

use super::{Report, inert};
use crate::{
    finding::Finding,
    text::{clean, markup_inert, one_line, xml_escaped},
};

/// Colours are variables, of which a dark set is taken where the reader's system is dark. A word that is longer than its column
/// is broken, so that no table is wider than the page; the name of a check only where the page is narrow.
const STYLE: &str = "\
:root{color-scheme:light dark;--text:#1f2937;--page:#fff;--line:#e5e7eb;--block:#f3f4f6;--soft:#4b5563;--good:#15803d;--bad:#b91c1c;\
--odd:#a16207}\
@media(prefers-color-scheme:dark){:root{--text:#e5e7eb;--page:#111827;--line:#374151;--block:#1f2937;--soft:#9ca3af;\
--good:#4ade80;--bad:#f87171;--odd:#fbbf24}}\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:var(--text);background:var(--page);\
overflow-wrap:anywhere}\
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}\
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:left;\
vertical-align:top}th{color:var(--soft);font-weight:600}td.n,th.n{text-align:right;white-space:nowrap}\
th,td.status{overflow-wrap:normal}td.status{white-space:nowrap}td.name{overflow-wrap:normal;min-width:14rem}tr.has-more>td{border-bottom:0}\
.pass{color:var(--good)}.fail,.broken,.blocked{color:var(--bad)}.skip,.warn,.note,.inconclusive{color:var(--odd)}\
.passed{color:var(--good)}\
pre{background:var(--block);padding:.6rem;overflow:auto;white-space:pre-wrap}svg{max-width:100%;height:auto}\
code{font-size:.9em}.hint{color:var(--soft);font-style:italic}\
@media(max-width:40rem){body{margin:1rem auto;padding:0 .6rem}td,th{padding:.2rem .3rem}td.status{white-space:normal}\
td.name{overflow-wrap:anywhere;min-width:0}}";

/// Returns a whole page; `body` is put into it as it is.
#[must_use]
pub fn page(title: &str, body: &str) -> String {
    page_with(title, "", body)
}

/// Returns a whole page with rules of its own behind those of every page; `style` and `body` are put into it as they are.
// Source: Content Security Policy Level 3, 3.3: a policy may stand in a `meta` element.
#[must_use]
pub fn page_with(title: &str, style: &str, body: &str) -> String {
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n<style>{STYLE}{style}</style>\n</head>\n\
         <body>\n{body}</body>\n</html>\n",
        escaped(title)
    );
    markup_inert(&text)
}

/// Returns a text on one line, escaped for a page.
#[must_use]
pub fn escaped(text: &str) -> String {
    xml_escaped(&one_line(text))
}

pub(super) fn text(report: &Report) -> String {
    let mut body = format!("<h1>{}</h1>\n<p>{}</p>\n", escaped(&report.title), escaped(&report.counts()));
    report.notes.iter().for_each(|note| {
        let _ = writeln!(body, "<p>{}</p>", escaped(note));
    });
    for group in report.groups() {
        body.push_str(&section(report, &group));
    }
    let waived: String = report
        .waived()
        .map(|(finding, reason)| {
            let place = escaped(&finding.place.to_string());
            format!(
                "<tr><td><code>{}</code></td><td>{place}</td><td>{}</td></tr>\n",
                escaped(&finding.code),
                escaped(reason)
            )
        })
        .collect();
    if !waived.is_empty() {
        let _ = writeln!(
            body,
            "<h2>waived</h2>\n<table><tr><th>code</th><th>place</th><th>reason</th></tr>\n{waived}</table>"
        );
    }
    if let Some(text) = &report.body {
        let _ = writeln!(
            body,
            "<pre>{}</pre>",
            xml_escaped(&clean(text).lines().map(inert).collect::<Vec<_>>().join("\n"))
        );
    }
    page(&report.title, &body)
}

fn section(report: &Report, group: &[&Finding]) -> String {
    let first = group[0];
    let label = first.severity.label();
    let title = report.title_of(first).map(|title| format!(": {}", escaped(title))).unwrap_or_default();
    let mut out = format!(
        "<h2><span class=\"{}\">{label}</span> <code>{}</code>{title}</h2>\n",
        label.to_lowercase(),
        escaped(&first.code)
    );
    out.push_str("<table><tr><th>place</th><th>expected</th><th>found</th></tr>\n");
    for finding in group {
        let excerpt = match finding.excerpt.as_str() {
            "" => String::new(),
            excerpt => format!("<br><code>{}</code>", escaped(excerpt)),
        };
        let cells =
            [finding.place.to_string(), finding.expected.clone(), finding.found.clone()].map(|text| escaped(&text));
        let _ = writeln!(out, "<tr><td>{}</td><td>{}</td><td>{}{excerpt}</td></tr>", cells[0], cells[1], cells[2]);
    }
    out.push_str("</table>\n");
    for (name, text) in [("why", &first.why), ("fix", &first.fix)] {
        if !text.is_empty() {
            let _ = writeln!(out, "<p class=\"hint\">{name}: {}</p>", escaped(text));
        }
    }
    out
}
