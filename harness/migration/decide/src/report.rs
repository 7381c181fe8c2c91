//! Findings about migrations as text, JSON, Markdown and SARIF, and codes explained.

use serde_json::{Value, json};

use super::{Code, Finding, codes};
use stagegate_base::{
    record::Severity,
    sarif::{self, Hit, Rule},
    text::clean,
};

/// Writes findings, the gravest first, each with why it hurts and how to mend it; what is waived stands at the end.
#[must_use]
pub fn text(findings: &[Finding]) -> String {
    let mut open: Vec<&Finding> = findings.iter().filter(|finding| finding.waived.is_none()).collect();
    open.sort_by_key(|finding| rank(finding.severity));
    let mut out: String = open.iter().map(|finding| one(finding)).collect();
    for finding in findings {
        if let Some(reason) = &finding.waived {
            out.push_str(&format!("waived    {:<28}  {}: {reason}\n", finding.code, shown_place(finding)));
        }
    }
    out.push_str(&counted(findings));
    clean(&out)
}

fn one(finding: &Finding) -> String {
    let place = shown_place(finding);
    let mut text = format!("{:<8}  {:<28}  {place}", word(finding.severity), finding.code).trim_end().to_owned();
    text.push_str(&format!("\n  found      {}\n", finding.message));
    if !finding.statement.is_empty() {
        text.push_str(&format!("  statement  {}\n", finding.statement));
    }
    if let Some(code) = finding.code() {
        text.push_str(&format!("  why        {}\n  hint       {}\n", code.why, code.mend));
    }
    text.push('\n');
    text
}

fn shown_place(finding: &Finding) -> String {
    match (finding.place(), finding.version.as_str()) {
        (place, _) if !place.is_empty() => place,
        (_, version) if !version.is_empty() => format!("migration {version}"),
        _ => String::new(),
    }
}

/// Tells how many findings there are of each severity: `2 required, 1 warning, 3 infos, 1 waived`.
fn counted(findings: &[Finding]) -> String {
    let of = |severity| findings.iter().filter(|f| f.waived.is_none() && f.severity == severity).count();
    let waived = findings.iter().filter(|f| f.waived.is_some()).count();
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    format!(
        "{} required, {}, {}, {waived} waived\n",
        of(Severity::Required),
        plural(of(Severity::Warning), "warning"),
        plural(of(Severity::Info), "info"),
    )
}

fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Required => 0,
        Severity::Warning => 1,
        Severity::Info => 2,
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Required => "required",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// Returns findings for programs: one object with all of them, waived ones included.
#[must_use]
pub fn json(findings: &[Finding]) -> Value {
    let all: Vec<Value> = findings
        .iter()
        .map(|finding| {
            let mut value = json!(finding);
            if let Some(code) = finding.code() {
                value["why"] = json!(code.why);
                value["mend"] = json!(code.mend);
            }
            value
        })
        .collect();
    json!({"v": 1, "findings": all})
}

/// Writes findings as a table of Markdown.
#[must_use]
pub fn markdown(findings: &[Finding]) -> String {
    let mut out = String::from("| Weight | Code | Place | Found |\n|---|---|---|---|\n");
    let mut all: Vec<&Finding> = findings.iter().collect();
    all.sort_by_key(|finding| (finding.waived.is_some(), rank(finding.severity)));
    for finding in all {
        let weight = if finding.waived.is_some() { "waived" } else { word(finding.severity) };
        let found = match finding.statement.as_str() {
            "" => cell(&finding.message),
            statement => format!("{}: `{}`", cell(&finding.message), in_table(&statement.replace('`', "'"))),
        };
        out.push_str(&format!("| {weight} | `{}` | {} | {found} |\n", finding.code, cell(&shown_place(finding))));
    }
    out.push_str(&format!("\n{}", counted(findings)));
    out
}

fn cell(text: &str) -> String {
    in_table(text).replace('<', "&lt;")
}

/// A bar ends a cell, inside of a code span too.
fn in_table(text: &str) -> String {
    clean(text).replace('\n', " ").replace('|', "\\|")
}

/// Returns findings as one SARIF run; `folder` is put before the files, as the repository knows it.
#[must_use]
pub fn sarif(findings: &[Finding], folder: &str, version: &str) -> Value {
    let rules: Vec<Rule<'_>> = codes::codes()
        .into_iter()
        .map(|code| Rule { id: code.id, title: code.title, why: code.why, mend: code.mend, severity: code.severity })
        .collect();
    let within = |file: &str| match folder.trim_end_matches('/') {
        "" => file.to_owned(),
        folder => format!("{folder}/{file}"),
    };
    let files: Vec<String> = findings.iter().map(|finding| within(&finding.file)).collect();
    let hits: Vec<Hit<'_>> = findings.iter().zip(&files).map(|(finding, file)| hit(finding, file)).collect();
    sarif::sarif(&rules, &hits, version)
}

fn hit<'a>(finding: &'a Finding, file: &'a str) -> Hit<'a> {
    let statement = if finding.statement.is_empty() { String::new() } else { format!(": {}", finding.statement) };
    Hit {
        rule: finding.code,
        severity: finding.severity,
        text: format!("{}{statement}", finding.message),
        subject: if finding.version.is_empty() { "migrations".to_owned() } else { finding.version.clone() },
        place: (!finding.file.is_empty()).then_some((file, finding.line)),
        fingerprint: format!("{}/{}/{}/{}", finding.code, finding.version, finding.file, finding.message),
        waived: finding.waived.as_deref(),
    }
}

/// Explains one code; every code in a line where `id` is `all`.
#[must_use]
pub fn explained(id: &str) -> Option<String> {
    if id == "all" {
        let line = |code: &&Code| format!("{:<8}  {:<28}  {}\n", word(code.severity), code.id, code.title);
        return Some(codes::codes().iter().map(line).collect());
    }
    let Code { id, severity, title, why, mend } = codes::code(id)?;
    Some(format!("{id} ({}): {title}\n  why   {why}\n  mend  {mend}\n", word(*severity)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Finding> {
        let mut waived = Finding::new(&codes::DOWN_EMPTY, "nothing but comments").of("7").at("7_b.down.sql", 1);
        waived.waived = Some("values can't be unmerged (ada, until 2027-01-31)".to_owned());
        let mut begin = Finding::new(&codes::TRANSACTION_IN_TRANSACTION, "sqlx opens it").of("8").at("8_c.up.sql", 3);
        begin.statement = "BEGIN | <b>".to_owned();
        vec![
            begin,
            waived,
            Finding::new(&codes::DOWN_MISSING, "there is no down migration").of("9").at("9 d.up.sql", 0),
        ]
    }

    #[test]
    fn findings_read_as_reviewed() {
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            insta::assert_snapshot!("migration_findings_text", text(&some()));
            insta::assert_snapshot!("migration_findings_markdown", markdown(&some()));
            let sarif = sarif(&some(), "db/migrations/", "0");
            insta::assert_snapshot!("migration_findings_sarif_results", format!("{:#}", sarif["runs"][0]["results"]));
        });
    }

    #[test]
    fn codes_are_unique_plain_and_explained() {
        let mut ids: Vec<&str> = codes::codes().iter().map(|code| code.id).collect();
        assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')));
        assert!(ids.iter().all(|id| explained(id).is_some_and(|text| text.contains("mend"))));
        assert!(explained("nonsense").is_none());
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), codes::codes().len());
    }

    #[test]
    fn the_manual_has_every_code_with_its_severity() {
        let manual = include_str!("../../../../docs/migrations.md");
        for code in codes::codes() {
            let row =
                format!("| `{}` | {} | {} | {} | {} |", code.id, word(code.severity), code.title, code.why, code.mend);
            assert!(manual.contains(&row), "docs/migrations.md lacks: {row}");
        }
    }
}
