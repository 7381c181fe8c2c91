//! A comparison for a terminal, for programs, and as Markdown.

use serde_json::{Value, json};

use super::{Comparison, Row, Section};
use crate::{readiness::Band, verdict::Verdict};
use stagegate_base::{
    record::{Severity, Status},
    text::{markdown_escaped, one_line},
};

/// How wide a column may be on a terminal, in characters; the rest is cut, JSON has it whole.
const WIDTH: usize = 60;

/// The environments' names: the first side, the second side.
type Names<'a> = (&'a str, &'a str);

/// Writes a comparison for a terminal: a table a section, then what was asked, then the score.
#[must_use]
pub fn terminal(names: Names<'_>, comparison: &Comparison, verdict: &Verdict) -> String {
    let mut text = String::new();
    for (section, rows) in sections(comparison) {
        let cut = |text: &str| cut(&one_line(text));
        let cells: Vec<[String; 3]> = std::iter::once([section.word().to_owned(), cut(names.0), cut(names.1)])
            .chain(rows.iter().map(|row| [cut(&row.thing), cut(&row.a), cut(&row.b)]))
            .collect();
        let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let (first, second) = (width(0), width(1));
        for (number, [thing, a, b]) in cells.iter().enumerate() {
            let mark = if number > 0 && rows[number - 1].differs { '*' } else { ' ' };
            let line = format!("{mark} {thing:<first$}  {a:<second$}  {b}");
            text += line.trim_end();
            text.push('\n');
        }
        text.push('\n');
    }
    for record in comparison.records.iter().filter(|record| record.status != Status::Pass) {
        let status = match (record.status, record.severity) {
            (Status::Fail, Severity::Required) => "FAIL",
            (Status::Fail, Severity::Warning) => "WARN",
            (Status::Fail, Severity::Info) => "NOTE",
            _ => "SKIP",
        };
        text += &format!("{status} {}: {}\n", record.trial, one_line(&record.message));
        for finding in &record.findings {
            let found =
                one_line(&format!("{}: expected {}, got {}", finding.place.object, finding.expected, finding.found));
            text += &format!("  {found}\n");
        }
        text += &record.hint.iter().map(|hint| format!("  hint: {}\n", one_line(hint))).collect::<String>();
    }
    text + &readiness(names, verdict)
}

/// Reports the readiness in one line, and why where it is not ready.
#[must_use]
fn readiness(names: Names<'_>, verdict: &Verdict) -> String {
    let (a, b) = names;
    let head = match (verdict.band, verdict.score) {
        (Some(band), Some(score)) => {
            format!("readiness of `{a}` for `{b}`: {score} ({} needed), {}", verdict.tally.needed, band.word())
        }
        (Some(band), None) => format!("readiness of `{a}` for `{b}`: {}", band.word()),
        (None, _) => format!("readiness of `{a}` for `{b}`: inconclusive, too few checks ran"),
    };
    let why = verdict.reasons.iter().map(|reason| format!("\n  {}", one_line(reason)));
    let why: String = if verdict.band == Some(Band::Ready) { String::new() } else { why.collect() };
    let way_out = match verdict.band {
        Some(Band::Caution) => "\n  continue anyway: --accept-caution",
        _ => "",
    };
    format!("{head}{why}{way_out}\n")
}

/// Returns the lines of the readiness as a list under its headline.
fn text(readiness: &str) -> String {
    let mut lines = readiness.lines();
    let head = markdown_escaped(lines.next().unwrap_or_default());
    let rest: String = lines.map(|line| format!("- {}\n", markdown_escaped(line.trim()))).collect();
    if rest.is_empty() { head + "\n" } else { format!("{head}\n\n{rest}") }
}

fn sections(comparison: &Comparison) -> Vec<(Section, Vec<&Row>)> {
    let mut all: Vec<(Section, Vec<&Row>)> = Vec::new();
    let mut rows: Vec<&Row> = comparison.rows.iter().collect();
    rows.sort_by_key(|row| row.section);
    for row in rows {
        match all.last_mut() {
            Some((section, rows)) if *section == row.section => rows.push(row),
            _ => all.push((row.section, vec![row])),
        }
    }
    all
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        Some((at, _)) => format!("{}..", &text[..at]),
        None => text.to_owned(),
    }
}

/// Returns a comparison for programs.
#[must_use]
pub fn json(names: Names<'_>, comparison: &Comparison, verdict: &Verdict) -> Value {
    json!({
        "v": 1,
        "a": names.0,
        "b": names.1,
        "rows": comparison.rows,
        "records": comparison.records,
        "readiness": { "score": verdict.score, "band": verdict.band, "reasons": verdict.reasons },
    })
}

/// Writes a comparison as Markdown, as for the summary of a job or a pull request.
#[must_use]
pub fn markdown(names: Names<'_>, comparison: &Comparison, verdict: &Verdict) -> String {
    let (a, b) = names;
    let mut text =
        format!("## `{}` and `{}`\n\n{}\n", markdown_escaped(a), markdown_escaped(b), text(&readiness(names, verdict)));
    for (section, rows) in sections(comparison) {
        text += &format!(
            "\n### {}\n\n|  | {} | {} |\n|---|---|---|\n",
            section.word(),
            markdown_escaped(a),
            markdown_escaped(b)
        );
        for row in rows {
            let thing = if row.differs {
                format!("**{}**", markdown_escaped(&row.thing))
            } else {
                markdown_escaped(&row.thing)
            };
            text += &format!("| {thing} | {} | {} |\n", markdown_escaped(&row.a), markdown_escaped(&row.b));
        }
    }
    let requested = comparison.records.iter().filter(|record| record.status != Status::Pass);
    let reported: String = requested
        .map(|record| format!("- `{}`: {}\n", record.trial, markdown_escaped(&one_line(&record.message))))
        .collect();
    if reported.is_empty() { text } else { format!("{text}\n{reported}") }
}
