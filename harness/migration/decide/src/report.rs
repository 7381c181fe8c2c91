//! Findings about migrations as a report, and codes explained.

use super::{Code, Finding, codes};
use stagegate_base::report::Report;

/// Makes a report of findings; `folder` is put before the files, as the repository knows it.
#[must_use]
pub fn report(title: impl Into<String>, findings: &[Finding], folder: &str) -> Report {
    let within = |file: &str| match folder.trim_end_matches('/') {
        "" => file.to_owned(),
        folder => format!("{folder}/{file}"),
    };
    let placed = |finding: &Finding| {
        let mut finding = finding.clone();
        finding.place.file = finding.place.file.as_deref().filter(|file| !file.is_empty()).map(within);
        if finding.place.object.is_empty() && finding.place.file.is_none() {
            finding.place.object = "migrations".to_owned();
        }
        finding
    };
    Report {
        command: "migrations check".to_owned(),
        title: title.into(),
        findings: findings.iter().map(placed).collect(),
        rules: codes::codes().into_iter().copied().collect(),
        ..Report::default()
    }
}

/// Explains one code; every code in a line where `id` is `all`.
#[must_use]
pub fn explained(id: &str) -> Option<String> {
    if id == "all" {
        let line = |code: &&Code| format!("{:<8}  {:<28}  {}\n", code.severity.word(), code.id, code.title);
        return Some(codes::codes().iter().map(line).collect());
    }
    let Code { id, severity, title, why, fix } = codes::code(id)?;
    Some(format!("{id} ({}): {title}\n  why  {why}\n  fix  {fix}\n", severity.word()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_in_their_folder() {
        let found = [
            Finding::new(&codes::DOWN_MISSING, "x").of("9").at("9 d.up.sql", 0),
            Finding::new(&codes::DOWN_MISSING, "x").at("", 0),
        ];
        let places: Vec<String> =
            report("t", &found, "db/migrations/").findings.iter().map(|finding| finding.place.to_string()).collect();
        assert_eq!(places, ["9 (db/migrations/9 d.up.sql)", "migrations"]);
    }

    #[test]
    fn codes_are_unique_plain_and_explained() {
        let mut ids: Vec<&str> = codes::codes().iter().map(|code| code.id).collect();
        assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')));
        assert!(ids.iter().all(|id| explained(id).is_some_and(|text| text.contains("fix"))));
        assert!(explained("nonsense").is_none());
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), codes::codes().len());
    }

    #[test]
    fn the_manual_has_every_code_with_its_severity() {
        let manual = include_str!("../../../../docs/migrations.md");
        for code in codes::codes() {
            let Code { id, severity, title, why, fix } = code;
            let row = format!("| `{id}` | {} | {title} | {why} | {fix} |", severity.word());
            assert!(manual.contains(&row), "docs/migrations.md lacks: {row}");
        }
    }
}
