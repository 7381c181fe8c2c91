//! A run as one HTML page that loads nothing: no script, no font, no picture from elsewhere.
//!
//! A policy in the page forbids scripts and any request, and every text is escaped: a page of a hostile service's
//! answers can be opened.

use std::fmt::Write;

use super::{Run, score, seconds, status, word};
use crate::verdict::VerdictKind;
use stagegate_base::{
    record::{Record, Severity, Status},
    report::{html_escaped as inline, html_page, html_page_with},
    text::{clean, cut, xml_escaped},
};

/// How many characters of an evidence are kept.
const EVIDENCE: usize = 20_000;

/// What the columns of a suite's table are.
const HEAD: &str = "<thead><tr><th>status</th><th>check</th><th>result</th><th class=\"n\">time</th></tr></thead>";

/// The columns of the totals: title, colour, the ranks that count.
const TOTALS: [(&str, &str, &[u8]); 5] = [
    ("failed", "fail", &[0]),
    ("warnings", "warn", &[1]),
    ("notices", "note", &[2]),
    ("not run", "skip", &[3]),
    ("passed", "pass", &[4]),
];

/// What is shown, without a script: a browser that does not know `:has` shows everything.
const FILTER: &str = "<p class=\"filter\"><label><input type=\"radio\" name=\"show\" checked> all checks</label> \
                      <label><input type=\"radio\" name=\"show\" id=\"troubles\"> failures, warnings and notices</label> \
                      <label><input type=\"radio\" name=\"show\" id=\"failures\"> what blocks</label></p>\n";

/// What a run has and other pages have not.
const STYLE: &str = "\
.filter label{margin-right:1rem;white-space:nowrap}.totals{width:auto}.none{color:var(--soft)}a{color:inherit}td td:first-child{min-width:5rem}\
.totals th.n{white-space:normal}@media(max-width:40rem){.totals{font-size:.8em}}\
body:has(#troubles:checked) .late,body:has(#failures:checked) :is(.late,.soon),\
body:has(#troubles:checked,#failures:checked) section:not(:has(.now,.soon)),\
body:has(#failures:checked) section:not(:has(.now)){display:none}";

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
    let suites = by_urgency(run);
    if !suites.is_empty() {
        page.push_str(&totals(&suites));
        page.push_str(FILTER);
    }
    for (at, (suite, records)) in suites.iter().enumerate() {
        let _ = writeln!(page, "<section>\n<h2 id=\"suite-{at}\">{}</h2>\n<table>\n{HEAD}\n<tbody>", inline(suite));
        records.iter().for_each(|one| page.push_str(&record(one)));
        page.push_str("</tbody>\n</table>\n</section>\n");
    }
    html_page_with(&title, STYLE, &page)
}

/// Returns the suites, those with failures first, and in each the failures first.
fn by_urgency(run: &Run) -> Vec<(&str, Vec<&Record>)> {
    let mut suites = run.suites();
    suites.iter_mut().for_each(|(_, records)| records.sort_by_key(|one| rank(one)));
    suites.sort_by_key(|(_, records)| records.first().map(|one| rank(one)));
    suites
}

/// Returns how soon a record is to be read: what blocks, what failed and does not block, what did not run, what passed.
fn rank(record: &Record) -> u8 {
    match (record.status, record.severity) {
        (Status::Fail | Status::Broken, Severity::Required) => 0,
        (Status::Fail | Status::Broken, Severity::Warning) => 1,
        (Status::Fail | Status::Broken, Severity::Info) => 2,
        (Status::Skip, _) => 3,
        (Status::Pass, _) => 4,
    }
}

/// Writes how many checks of each suite ended how.
fn totals(suites: &[(&str, Vec<&Record>)]) -> String {
    let mut out = String::from("<table class=\"totals\">\n<thead><tr><th>suite</th>");
    TOTALS.iter().for_each(|(title, _, _)| {
        let _ = write!(out, "<th class=\"n\">{title}</th>");
    });
    out.push_str("</tr></thead>\n<tbody>\n");
    for (at, (suite, records)) in suites.iter().enumerate() {
        let _ = write!(out, "<tr><td><a href=\"#suite-{at}\">{}</a></td>", inline(suite));
        for (_, class, ranks) in &TOTALS {
            let count = records.iter().filter(|one| ranks.contains(&rank(one))).count();
            let class = if count == 0 { "none" } else { class };
            let _ = write!(out, "<td class=\"n {class}\">{count}</td>");
        }
        out.push_str("</tr>\n");
    }
    out + "</tbody>\n</table>\n"
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
    let when = match rank(record) {
        0 => "now",
        1 | 2 => "soon",
        _ => "late",
    };
    let details = details(record);
    let (class, more) = match details.is_empty() {
        true => ("", String::new()),
        // A row of its own: next to the other columns nothing would be left for it on a phone.
        false => (" has-more", format!("<tr class=\"{when}\"><td colspan=\"4\">{details}</td></tr>\n")),
    };
    format!(
        "<tr class=\"{when}{class}\"><td class=\"status {status}\">{status}{severity}</td><td class=\"name\"><code>{}</code></td>\
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
