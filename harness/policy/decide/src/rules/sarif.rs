//! Findings as SARIF.

use serde_json::Value;

use super::{Finding, rules};
use stagegate_base::sarif::{self, Hit, Rule};

/// Returns findings as one SARIF run; what is waived is there as suppressed.
#[must_use]
pub fn sarif(findings: &[Finding], version: &str) -> Value {
    let rules: Vec<Rule<'_>> = rules()
        .into_iter()
        .map(|rule| Rule { id: rule.id, title: rule.title, why: rule.why, mend: rule.mend, severity: rule.severity })
        .collect();
    let hits: Vec<Hit<'_>> = findings.iter().map(hit).collect();
    sarif::sarif(&rules, &hits, version)
}

fn hit(finding: &Finding) -> Hit<'_> {
    let place = finding.container.as_deref().unwrap_or(finding.subject());
    Hit {
        rule: finding.rule,
        severity: finding.severity,
        text: format!("{place}: expected {}, found {}", finding.expected, finding.found),
        subject: finding.subject().to_owned(),
        place: finding.place.as_ref().map(|place| (place.file.as_str(), place.line)),
        // Lines move; rule, service and what was found stay.
        fingerprint: format!("{}/{}/{}", finding.rule, finding.subject(), finding.found),
        waived: finding.waived.as_deref(),
    }
}
