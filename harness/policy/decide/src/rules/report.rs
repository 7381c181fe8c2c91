//! Findings of an audit as a report, and rules explained.

use super::{Finding, rules};
use stagegate_base::report::Report;

/// Makes a report of findings; `title` states what was audited.
#[must_use]
pub fn report(title: impl Into<String>, findings: Vec<Finding>) -> Report {
    Report {
        command: "lint".to_owned(),
        title: title.into(),
        findings,
        rules: rules().into_iter().map(super::Rule::described).collect(),
        ..Report::default()
    }
}

/// Explains one rule; every rule in a line where `id` is `all`.
#[must_use]
pub fn explained(id: &str) -> Option<String> {
    if id == "all" {
        let line = |rule: &&super::Rule| format!("{:<8}  {:<24}  {}\n", rule.severity.word(), rule.id, rule.title);
        return Some(rules().iter().map(line).collect());
    }
    let rule = super::rule(id)?;
    let (severity, title) = (rule.severity.word(), rule.title);
    Some(format!("{id} ({severity}): {title}\n  why  {}\n  fix  {}\n", rule.why, rule.fix))
}
