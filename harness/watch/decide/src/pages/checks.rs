//! The last run of an environment's checks: what failed first, then all by suite.

use std::fmt::Write;

use stagegate_base::{
    record::{Record, Status},
    report::html_escaped as inline,
};

use super::{page, stamp_text};

/// Writes the page; `began` is when the run began, as its file is called.
#[must_use]
pub fn checks(environment: &str, began: &str, records: &[Record]) -> String {
    let mut body = format!(
        "<nav><a href=\"index.html\">all runs</a></nav>\n<h1>checks of {}</h1>\n<p>The run of {}.</p>\n",
        inline(environment),
        inline(&stamp_text(began))
    );
    let failed: Vec<&Record> = records.iter().filter(|record| is_trouble(record)).collect();
    if !failed.is_empty() {
        body.push_str(&table("failed", &failed));
    }
    let mut suites: Vec<&str> = records.iter().map(Record::suite).collect();
    suites.sort_unstable();
    suites.dedup();
    for suite in suites {
        let all: Vec<&Record> = records.iter().filter(|record| record.suite() == suite).collect();
        let passed = all.iter().filter(|record| record.status == Status::Pass).count();
        body.push_str(&table(&format!("{suite}: {passed} of {} passed", all.len()), &all));
    }
    page(&format!("checks of {environment}"), &body)
}

fn is_trouble(record: &Record) -> bool {
    matches!(record.status, Status::Fail | Status::Broken)
}

fn table(title: &str, records: &[&Record]) -> String {
    let mut out = format!(
        "<h2>{}</h2>\n<table class=\"checks\">\n<thead><tr><th>status</th><th>check</th><th>result</th></tr></thead>\n<tbody>\n",
        inline(title)
    );
    for record in records {
        let (class, word) = match record.status {
            Status::Pass => ("pass", "pass"),
            Status::Fail => ("fail", "fail"),
            Status::Broken => ("fail", "broken"),
            Status::Skip => ("skip", "skip"),
        };
        let hint = record.hint.as_deref().filter(|_| is_trouble(record));
        let hint = hint.map(|hint| format!("<br><span class=\"hint\">{}</span>", inline(hint))).unwrap_or_default();
        let _ = writeln!(
            out,
            "<tr><td class=\"status {class}\">{word}</td><td class=\"name\"><code>{}</code></td><td>{}{hint}</td></tr>",
            inline(&record.trial).replace("::", "::<wbr>"),
            inline(&record.message)
        );
    }
    out.push_str("</tbody>\n</table>\n");
    out
}
