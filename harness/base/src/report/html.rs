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

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1f2937}\
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}\
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;border-bottom:1px solid #e5e7eb;text-align:left;\
vertical-align:top}td.n{text-align:right;white-space:nowrap}\
.pass{color:#15803d}.fail,.broken,.blocked{color:#b91c1c}.skip,.warn,.note,.inconclusive{color:#a16207}.passed{color:#15803d}\
pre{background:#f3f4f6;padding:.6rem;overflow:auto;white-space:pre-wrap}svg{max-width:100%;height:auto}\
code{font-size:.9em}.hint{color:#374151;font-style:italic}";

/// Returns a whole page; `body` is put into it as it is.
// Source: Content Security Policy Level 3, 3.3: a policy may stand in a `meta` element.
#[must_use]
pub fn page(title: &str, body: &str) -> String {
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n<style>{STYLE}</style>\n</head>\n\
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
