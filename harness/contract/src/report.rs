//! The changes between two contracts as a report, and as reasons to block a release.

use crate::diff;
use serde_json::json;
use stagegate_base::{finding::Finding, record::Severity, report::Report, text::one_line};

/// How many changes a reason names.
const REASONS: usize = 3;

/// Makes a report of the findings about two contracts, which `old` and `new` name.
#[must_use]
pub fn report(old: &str, new: &str, findings: Vec<Finding>) -> Report {
    let is_breaking = breaking(&findings).next().is_some();
    let result = if is_breaking { "breaking" } else { "compatible" };
    Report {
        command: "contract diff".to_owned(),
        title: format!("Contract {}: {result} against {}", one_line(new), one_line(old)),
        findings,
        rules: diff::catalogue(),
        nouns: Some(["breaking", "warnings", "compatible"]),
        listed: Some(Severity::Warning),
        details: [("old", json!(old)), ("new", json!(new)), ("breaking", json!(is_breaking))]
            .map(|(key, value)| (key.to_owned(), value))
            .into_iter()
            .collect(),
        ..Report::default()
    }
}

/// Returns the findings that block a release.
pub fn breaking(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.is_open() && finding.severity == Severity::Required)
}

/// Returns how many open findings have each severity, the gravest first.
#[must_use]
pub fn counts(findings: &[Finding]) -> [usize; 3] {
    Severity::ALL.map(|severity| findings.iter().filter(|f| f.is_open() && f.severity == severity).count())
}

/// Returns the first findings that block, one text each; the last states how many more there are.
#[must_use]
pub fn reasons(findings: &[Finding]) -> Vec<String> {
    let one = |finding: &Finding| match &*finding.code {
        "waiver-expired" => format!("the waiver of {} ({})", finding.found, finding.place.position()),
        code => format!("{code} at {} ({})", finding.place.object, finding.place.position()),
    };
    let all: Vec<String> = breaking(findings).map(one).collect();
    let more = all.len().saturating_sub(REASONS);
    let more = (more > 0).then(|| format!("and {more} more"));
    all.into_iter().take(REASONS).chain(more).collect()
}

#[cfg(test)]
mod tests {
    use stagegate_base::{report::Colour, waiver::Waivers};

    use super::*;
    use crate::{Format, diff};

    fn found() -> Vec<Finding> {
        let file = |values: &str| {
            format!(
                "openapi: 3.1.0\npaths:\n  /a|b:\n    get:\n      parameters:\n      - name: q\n        in: query\n        schema:\n          enum: [{values}]\n      responses: {{}}\n"
            )
        };
        let (old, new) = (file("a, \"b\\e[31m\""), file("a, c"));
        let read = |text| diff::Contract::read(text, Format::Yaml).unwrap();
        let changes = diff::compare(&read(&old), &read(&new), "2026-03-01");
        diff::judge(&changes, ("v1.yaml", "v2.yaml"), &Waivers::default(), "2026-03-01")
    }

    #[test]
    fn a_person_reads_what_where_and_from_what_to_what() {
        insta::assert_snapshot!(report("v1.yaml", "v2.yaml", found()).text(Colour::Plain), @r#"
        FAIL request-enum-narrowed: accepts fewer values: allowed values
          v2.yaml:9  GET /a|b query parameter q: accepts fewer values: allowed values (was "b\u001b[31m"); old v1.yaml:9

        1 breaking, 0 warnings, 1 compatible, 0 waived
        "#);
    }

    #[test]
    fn a_reason_names_the_first_changes_and_their_lines() {
        let reason = "request-enum-narrowed at GET /a|b query parameter q (v2.yaml:9)";
        assert_eq!(reasons(&found()), [reason]);
        assert_eq!(reasons(&vec![found().remove(0); 5]), [reason, reason, reason, "and 2 more"]);
    }

    #[test]
    fn a_program_reads_one_value() {
        let text = report("v1.yaml", "v2.yaml", found()).json().unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["breaking"], &value["counts"]["required"]), (&true.into(), &1.into()));
        assert_eq!(value["findings"][0]["code"], "request-enum-narrowed");
        assert_eq!(value["findings"][0]["place"]["line"], 9);
    }
}
