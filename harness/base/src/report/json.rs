//! Findings for programs.

use serde_json::{Map, Value, json};

use super::Report;
use crate::{severity::Severity, text::json_escaped};

pub(super) fn text(report: &Report) -> Result<String, serde_json::Error> {
    let mut whole = Map::new();
    whole.insert("v".to_owned(), json!(2));
    whole.insert("command".to_owned(), json!(report.command));
    let mut counts: Map<String, Value> =
        Severity::ALL.map(|severity| (severity.word().to_owned(), json!(report.count(severity)))).into_iter().collect();
    counts.insert("waived".to_owned(), json!(report.waived().count()));
    whole.insert("counts".to_owned(), Value::Object(counts));
    whole.insert("findings".to_owned(), serde_json::to_value(&report.findings)?);
    if !report.notes.is_empty() {
        whole.insert("notes".to_owned(), json!(report.notes));
    }
    whole.extend(report.details.clone());
    Ok(json_escaped(&serde_json::to_string(&whole)?) + "\n")
}
