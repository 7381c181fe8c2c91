//! What a step left, as the operator reads it in one line.
//!
//! In: the data of a journal line, whose fields are for programs. A field that is missing is left out of the text.

use serde_json::Value;

use super::Step;
use stagegate_base::{text::counted, units::Size};

/// Returns what a step left, in one line.
#[must_use]
pub fn done_text(step: Step, data: &Value) -> String {
    match step {
        Step::Validate | Step::Verify | Step::VerifyBack => checks(data),
        Step::BackUp => backup(data),
        Step::Rehearse => rehearsal(data),
        Step::Clone => cloned(data),
        Step::Migrate if data["seconds"].is_number() => format!("migrations {}", seconds(&data["seconds"])),
        Step::Migrate => switched(data),
        Step::Deploy => deployed(data),
        Step::Freeze => named("stopped", &data["stopped"]),
        Step::Prepare => named("services", &data["services"]),
        Step::Prune => match data["rollback_points_removed"].as_array().map_or(0, Vec::len) {
            0 => String::new(),
            count => format!("{} removed", counted(count, "old rollback point")),
        },
        Step::Preflight | Step::Thaw | Step::Reopen | Step::Notify => String::new(),
    }
}

fn seconds(value: &Value) -> String {
    format!("{:.1} s", value.as_f64().unwrap_or_default())
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn named(what: &str, names: &Value) -> String {
    let names = texts(names);
    if names.is_empty() { String::new() } else { format!("{what}: {}", names.join(", ")) }
}

/// The first reason counts the required checks, each further one is a warning.
fn checks(data: &Value) -> String {
    let reasons = texts(&data["checks"]);
    let mut parts: Vec<String> = reasons.iter().take(1).map(|first| (*first).to_owned()).collect();
    if reasons.len() > 1 {
        parts.push(counted(reasons.len() - 1, "warning"));
    }
    parts.extend(data["readiness"]["score"].as_u64().map(|score| format!("readiness {score}")));
    let kept = texts(&data["rows_kept_beside"]);
    if !kept.is_empty() {
        parts.push(format!("rows of the failed release are kept in {}", kept.join(", ")));
    }
    parts.join(", ")
}

fn backup(data: &Value) -> String {
    let tag = data["tag"].as_str().unwrap_or_default();
    match (data["bytes"].as_u64(), data["rows"].as_u64()) {
        (Some(bytes), Some(rows)) if bytes > 0 => {
            format!("{}, {}, restored and compared; rollback point {tag}", Size(bytes), counted(rows, "row"))
        }
        _ => format!("no database; rollback point {tag}"),
    }
}

fn rehearsal(data: &Value) -> String {
    let mut parts = vec![format!("migrations {}", seconds(&data["migrations_s"]))];
    let fields = data.as_object().into_iter().flatten();
    let impacts: Vec<(&str, &str)> =
        fields.filter_map(|(key, value)| Some((key.strip_prefix("felt_of_")?, value.as_str()?))).collect();
    let several = impacts.len() > 1;
    parts.extend(impacts.iter().map(|(database, impact)| match several {
        true => format!("{database}: {impact}"),
        false => (*impact).to_owned(),
    }));
    let rollback = data["tier"].as_str().map(|tier| format!("; rollback: {}", rollback(tier))).unwrap_or_default();
    let crossed = [("old_on_new", "live release on the new schema"), ("new_on_old", "candidate on the old schema")];
    let crossed: String =
        crossed.iter().filter_map(|(key, what)| Some(format!("; {what}: {}", health(data[*key].as_str()?)))).collect();
    parts.join(", ") + &rollback + &crossed
}

fn rollback(tier: &str) -> &str {
    match tier {
        "code" => "code only",
        "swap" => "instant database swap",
        "restore" => "restore of a dump",
        other => other,
    }
}

/// Journals have words of their own for this.
fn health(word: &str) -> &str {
    match word {
        "sound" => "healthy",
        "unsound" => "not healthy",
        _ => "unknown",
    }
}

fn cloned(data: &Value) -> String {
    let what = if data["tier"] == "restore" { "dumped" } else { "copied" };
    format!("{what} in {}", seconds(&data["seconds"]))
}

/// What the rollback of the data left: how long the switch took, and where the failed release's rows are.
fn switched(data: &Value) -> String {
    let Some(exchange) = data["exchange_s"].as_f64() else { return String::new() };
    let databases = data["databases"].as_array().into_iter().flatten();
    let kept: Vec<&str> = databases.filter_map(|database| database["kept"].as_str()).collect();
    let kept = if kept.is_empty() { String::new() } else { format!("; failed state kept as {}", kept.join(", ")) };
    format!("database switched in {exchange:.2} s{kept}")
}

fn deployed(data: &Value) -> String {
    match data["door"].as_str() {
        Some("closed") => "traffic off until verified".to_owned(),
        Some(_) => "traffic on".to_owned(),
        None => named("env files restored", &data["env_files_put_back"]),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::backup(Step::BackUp, json!({ "bytes": 2669, "rows": 0, "tag": "rollback-20260102-030405" }),
        "2.6 KiB, 0 rows, restored and compared; rollback point rollback-20260102-030405")]
    #[case::no_database(Step::BackUp, json!({ "bytes": 0, "rows": 0, "tag": "rollback-1" }),
        "no database; rollback point rollback-1")]
    #[case::rehearsal(Step::Rehearse,
        json!({ "tier": "code", "migrations_s": 2.63, "longest_stall_ms_of_main": 0,
            "felt_of_main": "0 of 42 requests failed, longest stall 0 ms" }),
        "migrations 2.6 s, 0 of 42 requests failed, longest stall 0 ms; rollback: code only")]
    #[case::cross_version(Step::Rehearse,
        json!({ "tier": "swap", "migrations_s": 1, "felt_of_a": "x", "felt_of_b": "y", "old_on_new": "sound",
            "new_on_old": "not known" }),
        "migrations 1.0 s, a: x, b: y; rollback: instant database swap; live release on the new schema: healthy; \
         candidate on the old schema: unknown")]
    #[case::checks(Step::Validate, json!({ "checks": ["21/21 required checks passed", "a failed (warning): b"],
        "readiness": { "score": 95, "band": "ready" } }), "21/21 required checks passed, 1 warning, readiness 95")]
    #[case::closed(Step::Deploy, json!({ "door": "closed" }), "traffic off until verified")]
    #[case::switched(Step::Migrate, json!({ "exchange_s": 0.42, "databases": [{ "kept": "shop__failed_1" }] }),
        "database switched in 0.42 s; failed state kept as shop__failed_1")]
    #[case::migrated(Step::Migrate, json!({ "seconds": 2.64 }), "migrations 2.6 s")]
    #[case::pruned(Step::Prune, json!({ "rollback_points_removed": ["x"] }), "1 old rollback point removed")]
    #[case::nothing(Step::Thaw, Value::Null, "")]
    fn a_step_reads_as_a_sentence(#[case] step: Step, #[case] data: Value, #[case] want: &str) {
        assert_eq!(done_text(step, &data), want);
    }
}
