//! Findings as SARIF 2.1.0, which code hosts show beside the lines.

use serde_json::{Value, json};

use crate::record::Severity;

/// A rule, as SARIF describes it.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// Its id.
    pub id: &'a str,
    /// What is wrong where it is told.
    pub title: &'a str,
    /// What comes of it.
    pub why: &'a str,
    /// What to do.
    pub mend: &'a str,
    /// How much it weighs by itself.
    pub severity: Severity,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Hit<'a> {
    /// The rule's id.
    pub rule: &'a str,
    /// How much it weighs here.
    pub severity: Severity,
    /// What was found.
    pub text: String,
    /// What it is about: a service, a migration.
    pub subject: String,
    /// File and line (0: the whole file), where they are known.
    pub place: Option<(&'a str, usize)>,
    /// What stays the same when lines move.
    pub fingerprint: String,
    /// Why it is accepted, where it is.
    pub waived: Option<&'a str>,
}

/// Returns findings as one SARIF run; what is waived is there as suppressed.
// Source: OASIS SARIF 2.1.0, sections 3.14 (run), 3.27 (result), 3.35 (suppression), 3.49 (reportingDescriptor).
#[must_use]
pub fn sarif(rules: &[Rule<'_>], hits: &[Hit<'_>], version: &str) -> Value {
    let described: Vec<Value> = rules
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
            "results": hits.iter().map(|hit| result(rules, hit)).collect::<Vec<Value>>(),
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

fn result(rules: &[Rule<'_>], hit: &Hit<'_>) -> Value {
    let mut location = json!({"logicalLocations": [{"name": hit.subject, "kind": "module"}]});
    if let Some((file, line)) = hit.place {
        location["physicalLocation"] = json!({
            "artifactLocation": {"uri": uri(file)},
            "region": {"startLine": line.max(1)},
        });
    }
    let mut result = json!({
        "ruleId": hit.rule,
        "ruleIndex": rules.iter().position(|rule| rule.id == hit.rule),
        "level": level(hit.severity),
        "message": {"text": hit.text},
        "locations": [location],
        "partialFingerprints": {"stagegate/v1": hit.fingerprint},
    });
    if let Some(reason) = hit.waived {
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
