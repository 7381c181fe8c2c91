//! Findings as SARIF 2.1.0, which code scanning shows next to the lines.

use serde_json::{Value, json};

use super::{Report, differing};
use crate::{finding::Finding, severity::Severity, text::one_line};

// Source: OASIS SARIF 2.1.0, sections 3.14 (run), 3.27 (result), 3.35 (suppression), 3.49 (reportingDescriptor).
pub(super) fn value(report: &Report, version: &str) -> Value {
    let rules: Vec<Value> = report
        .rules
        .iter()
        .map(|rule| {
            json!({
                "id": rule.id,
                "shortDescription": {"text": rule.title},
                "fullDescription": {"text": rule.why},
                "help": {"text": rule.fix},
                "defaultConfiguration": {"level": level(rule.severity)},
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "stagegate", "version": version, "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": report.findings.iter().map(|finding| result(report, finding)).collect::<Vec<Value>>(),
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

fn result(report: &Report, finding: &Finding) -> Value {
    let object = if finding.place.object.is_empty() { &report.command } else { &finding.place.object };
    let mut location = json!({"logicalLocations": [{"name": one_line(object), "kind": "module"}]});
    if let Some(file) = &finding.place.file {
        location["physicalLocation"] = json!({
            "artifactLocation": {"uri": uri(file)},
            "region": {"startLine": finding.place.line.max(1)},
        });
    }
    let excerpt = if finding.excerpt.is_empty() { String::new() } else { format!(": {}", one_line(&finding.excerpt)) };
    let mut result = json!({
        "ruleId": finding.code,
        "level": level(finding.severity),
        "message": {"text": format!("{}{excerpt}", differing(finding))},
        "locations": [location],
        "partialFingerprints": {"stagegate/v1": fingerprint(finding)},
    });
    if let Some(at) = report.rules.iter().position(|rule| rule.id == finding.code) {
        result["ruleIndex"] = json!(at);
    }
    if let Some(reason) = &finding.waived {
        result["suppressions"] = json!([{"kind": "external", "justification": reason}]);
    }
    result
}

/// Lines move; code, object, file and what was found stay.
fn fingerprint(finding: &Finding) -> String {
    let Finding { code, place, found, .. } = finding;
    format!("{code}/{}/{}/{found}", place.object, place.file.as_deref().unwrap_or_default())
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
