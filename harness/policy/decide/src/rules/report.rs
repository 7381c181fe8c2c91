//! Findings as text and JSON, and rules explained.

use serde_json::{Value, json};

use super::{Finding, Rule, rules};
use stagegate_base::record::Severity;

/// Writes findings, grouped by service, the gravest first.
#[must_use]
pub fn text(findings: &[Finding]) -> String {
    let open: Vec<&Finding> = findings.iter().filter(|finding| finding.waived.is_none()).collect();
    let mut services: Vec<&str> = open.iter().map(|finding| finding.subject()).collect();
    services.dedup();
    let mut out = String::new();
    for service in services {
        let mut own: Vec<&&Finding> = open.iter().filter(|finding| finding.subject() == service).collect();
        own.sort_by_key(|finding| rank(finding.severity));
        out.push_str(&format!("{service}\n"));
        own.iter().for_each(|finding| out.push_str(&one(finding)));
        out.push('\n');
    }
    for finding in findings {
        if let Some(reason) = &finding.waived {
            out.push_str(&format!("waived  {}  {}: {reason}\n", finding.subject(), finding.rule));
        }
    }
    out.push_str(&counted(findings));
    stagegate_base::text::clean(&out)
}

fn one(finding: &Finding) -> String {
    let place = match (&finding.container, &finding.place) {
        (Some(container), _) => format!("container {container}"),
        (None, Some(place)) => format!("{}:{}", place.file, place.line),
        (None, None) => String::new(),
    };
    let head = format!("  {:<8}  {:<24}  {place}", word(finding.severity), finding.rule);
    let mut text = format!("{}\n", head.trim_end());
    text.push_str(&format!("    expected  {}\n    found     {}\n", finding.expected, finding.found));
    if let Some(rule) = finding.rule() {
        text.push_str(&format!("    why       {}\n    hint      {}\n", rule.why, rule.mend));
    }
    text
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
            if let Some(rule) = finding.rule() {
                value["why"] = json!(rule.why);
                value["mend"] = json!(rule.mend);
            }
            value
        })
        .collect();
    json!({"v": 1, "findings": all})
}

/// Explains one rule; every rule in a line where `id` is `all`.
#[must_use]
pub fn explained(id: &str) -> Option<String> {
    if id == "all" {
        return Some(
            rules()
                .iter()
                .map(|rule| format!("{:<8}  {:<24}  {}\n", word(rule.severity), rule.id, rule.title))
                .collect(),
        );
    }
    let Rule { id, severity, title, why, mend, .. } = super::rule(id)?;
    Some(format!("{id} ({}): {title}\n  why   {why}\n  mend  {mend}\n", word(*severity)))
}
