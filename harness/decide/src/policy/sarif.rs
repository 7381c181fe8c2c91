//! Findings as SARIF 2.1.0, which code hosts show beside the lines.

use serde_json::{Value, json};

use super::{Finding, rules};
use crate::record::Severity;

/// Returns findings as one SARIF run; what is waived is there as suppressed.
// Source: OASIS SARIF 2.1.0, sections 3.14 (run), 3.27 (result), 3.35 (suppression), 3.49 (reportingDescriptor).
#[must_use]
pub fn sarif(findings: &[Finding], version: &str) -> Value {
    let described: Vec<Value> = rules()
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": rule.why},
                "help": {"text": rule.mend},
                "defaultConfiguration": {"level": level(rule.severity)},
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "stagegate", "version": version, "rules": described}},
            "columnKind": "unicodeCodePoints",
            "results": findings.iter().map(result).collect::<Vec<Value>>(),
        }],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Required => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn result(finding: &Finding) -> Value {
    let place = finding.container.clone().unwrap_or_else(|| finding.subject().to_owned());
    let text = format!("{}: expected {}, found {}", place, finding.expected, finding.found);
    let mut location = json!({"logicalLocations": [{"name": finding.subject(), "kind": "module"}]});
    if let Some(place) = &finding.place {
        location["physicalLocation"] = json!({
            "artifactLocation": {"uri": uri(&place.file)},
            "region": {"startLine": place.line},
        });
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": rules().iter().position(|rule| rule.id == finding.rule),
        "level": level(finding.severity),
        "message": {"text": text},
        "locations": [location],
        // Lines move; rule, service and what was found stay.
        "partialFingerprints": {"stagegate/v1": format!("{}/{}/{}", finding.rule, finding.subject(), finding.found)},
    });
    if let Some(reason) = &finding.waived {
        result["suppressions"] = json!([{"kind": "external", "justification": reason}]);
    }
    result
}

/// Source: RFC 3986, 2.1: what is not unreserved is written as its bytes, `/` apart.
fn uri(path: &str) -> String {
    let path = path.trim_start_matches("./");
    let encoded: String = path
        .bytes()
        .map(|b| match b {
            b if b.is_ascii_alphanumeric() || b"-_.~/".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect();
    if encoded.starts_with('/') { format!("file://{encoded}") } else { encoded }
}
