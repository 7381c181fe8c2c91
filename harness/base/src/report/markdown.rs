//! Findings for the summary of a CI job: a headline, the counts and a table.

use super::{Report, differing, inert};
use crate::{
    finding::Finding,
    text::{clean, cut, markdown_escaped},
};

/// How many findings a summary shows: GitHub refuses one above 1 MiB.
const SHOWN: usize = 200;

/// How many characters of a text stand in a cell.
const CELL: usize = 400;

pub(super) fn text(report: &Report) -> String {
    let notes: String = report.notes.iter().map(|note| format!("- {}\n", markdown_escaped(note))).collect();
    let mut out = format!("## {}\n\n{}.\n\n{notes}", markdown_escaped(&report.title), report.counts());
    let waived = report.waived().map(|(finding, _)| finding);
    let all: Vec<&Finding> = report.open().into_iter().chain(waived).collect();
    if !all.is_empty() {
        out.push_str("\n| Severity | Code | Place | Finding |\n|---|---|---|---|\n");
        all.iter().take(SHOWN).for_each(|finding| out.push_str(&row(finding)));
    }
    if all.len() > SHOWN {
        out.push_str(&format!("\n{} more are not shown.\n", all.len() - SHOWN));
    }
    if let Some(body) = report.body.as_ref().filter(|body| !body.trim().is_empty()) {
        // Indented by four, a text is code, whatever fences it holds.
        out.push('\n');
        for line in clean(body).lines() {
            out.push_str(format!("    {}", inert(line)).trim_end());
            out.push('\n');
        }
    }
    out
}

fn row(finding: &Finding) -> String {
    let severity = if finding.is_open() { finding.severity.word() } else { "waived" };
    let excerpt = match finding.excerpt.as_str() {
        "" => String::new(),
        excerpt => {
            let text = inert(&clean(excerpt).replace('\n', " "));
            format!(": `{}`", text.replace('`', "'").replace('|', "\\|"))
        }
    };
    format!(
        "| {severity} | {} | {} | {}{excerpt} |\n",
        markdown_escaped(&finding.code),
        markdown_escaped(&finding.place.to_string()),
        markdown_escaped(&cut(&differing(finding), CELL))
    )
}
