//! A run for the summary of a CI job: headline, table of suites, and each failure to unfold.

use stagegate_base::{
    record::{Record, Status},
    text::{angles_escaped, clean, cut, markdown_escaped, markup_inert, one_line},
};

use super::{Run, columns, reasons, score, seconds, status, word};

/// How much of one failure is shown, in characters: GitHub refuses a summary above 1 MiB.
const SHOWN: usize = 4000;
/// How many failures are shown in full.
const UNFOLDED: usize = 50;

/// Writes a run.
#[must_use]
pub fn text(run: &Run) -> String {
    format!("{}\n{}\n{}", headline(run), table(run), failures(run))
}

fn headline(run: &Run) -> String {
    let verdict = &run.verdict;
    let score = score(verdict).map(|score| format!(" {score}.")).unwrap_or_default();
    let reasons: String = reasons(verdict).iter().map(|reason| format!("- {}\n", markdown_escaped(reason))).collect();
    format!(
        "## {}: {}\n\n{}.{score}\n\n{reasons}",
        capital(word(verdict.kind)),
        markdown_escaped(&run.subject()),
        verdict.tally.text()
    )
}

fn table(run: &Run) -> String {
    let rows: String = run.suites().into_iter().map(|(name, records)| row(name, &records)).collect();
    format!("| suite | passed | failed | skipped | broken | time |\n|---|--:|--:|--:|--:|--:|\n{rows}")
}

fn row(name: &str, records: &[&Record]) -> String {
    let of = |status: Status| records.iter().filter(|record| record.status == status).count();
    format!(
        "| {} | {} | {} | {} | {} | {} s |\n",
        markdown_escaped(name),
        of(Status::Pass),
        of(Status::Fail),
        of(Status::Skip),
        of(Status::Broken),
        seconds(records.iter().map(|record| record.duration_ms).sum())
    )
}

fn failures(run: &Run) -> String {
    let shown: String = run.troubles().take(UNFOLDED).map(failure).collect();
    match run.troubles().count().saturating_sub(UNFOLDED) {
        0 => shown,
        more => format!("{shown}\n{more} more failed or could not run.\n"),
    }
}

fn failure(record: &Record) -> String {
    let status = status(record);
    let mut parts = vec![one_line(&record.message)];
    parts.extend(columns(&record.findings));
    parts.extend(record.evidence.iter().map(|e| format!("\n{}:\n{}", one_line(&e.name), clean(&e.text))));
    parts.extend(record.hint.iter().map(|hint| format!("\nhint: {}", one_line(hint))));
    let text = markup_inert(&angles_escaped(&cut(&parts.join("\n"), SHOWN)));
    let name = angles_escaped(&one_line(&record.trial));
    // The blank lines end one HTML block and let the next begin; inside <pre> they are text.
    format!("<details><summary>{status} {name}</summary>\n\n<pre>\n{text}\n</pre>\n\n</details>\n\n")
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
