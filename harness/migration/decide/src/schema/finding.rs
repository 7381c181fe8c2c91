//! Differences of schemas as findings.

use super::{Attribute, Change, Difference, Severity, render};
use stagegate_base::{
    finding::{Finding, Place, Rule},
    record,
    report::Report,
    text::one_line,
};

pub(super) const RULES: [Rule; 5] = [
    Rule {
        id: "schema-differs",
        title: "the schemas mean something else",
        why: "what a release reads or writes may be refused, or be another thing, where the schema is not the one \
              that it was made for",
        fix: "bring it by a migration, or roll it back; where it is meant, accept the schema and commit the file",
        severity: record::Severity::Required,
    },
    Rule {
        id: "schema-name",
        title: "a thing has another name and equal content",
        why: "a later migration that names it fails on one of the two databases",
        fix: "rename it",
        severity: record::Severity::Warning,
    },
    Rule {
        id: "schema-order",
        title: "the columns stand in another order",
        why: "SELECT * by position, and COPY or INSERT without a list of columns, see the order",
        fix: "name the columns; only a table that is made anew has another order",
        severity: record::Severity::Warning,
    },
    Rule {
        id: "schema-cosmetic",
        title: "a comment, or white space within a body, differs",
        why: "no statement sees it",
        fix: "bring it by a migration where it matters",
        severity: record::Severity::Info,
    },
    Rule {
        id: "schema-partition",
        title: "a partition more, whose definition follows from its parent",
        why: "programs and jobs add partitions at run time; statements name the parent",
        fix: "nothing",
        severity: record::Severity::Info,
    },
];

fn rule(severity: Severity) -> &'static Rule {
    match severity {
        Severity::Semantic => &RULES[0],
        Severity::NameOnly => &RULES[1],
        Severity::Order => &RULES[2],
        Severity::Cosmetic => &RULES[3],
        Severity::Partition => &RULES[4],
    }
}

/// Returns a difference as a finding at a place: what the first side has is expected.
#[must_use]
pub fn finding(difference: &Difference, place: Place) -> Finding {
    let (expected, found) = match &difference.change {
        Change::Changed { attributes } => {
            let side = |of: fn(&Attribute) -> &Option<String>| {
                let one = |a: &Attribute| format!("{}: {}", a.name, of(a).as_deref().unwrap_or("(none)"));
                one_line(&attributes.iter().map(one).collect::<Vec<_>>().join("; "))
            };
            (side(|a| &a.old), side(|a| &a.new))
        }
        _ => (String::new(), render::line(difference)),
    };
    let object = match place.object.as_str() {
        "" => one_line(&difference.id.to_string()),
        note => format!("{}, {note}", one_line(&difference.id.to_string())),
    };
    Finding { expected, place: Place { object, ..place }, ..Finding::new(rule(difference.severity), found) }
}

/// Makes a report of findings about schemas; `body` shows both sides.
#[must_use]
pub fn report(command: &str, title: String, findings: Vec<Finding>, body: String) -> Report {
    Report {
        command: command.to_owned(),
        title,
        findings,
        rules: RULES.to_vec(),
        body: Some(body),
        ..Report::default()
    }
}

#[cfg(test)]
mod tests {
    use stagegate_base::report::Colour;

    use super::*;
    use crate::schema::{diff, line_of, parse};

    const OLD: &str = "# schema snapshot of stagegate, format 1\n[table public.orders]\n  \
        [column public.orders.id]\n    type: bigint\n  [comment table public.orders]\n    text: what was sold\n\
        [table public.gone]\n";

    #[test]
    fn differences_stand_at_the_lines_of_the_snapshot() {
        let new =
            OLD.replace("bigint", "integer").replace("sold", "bought").replace("public.gone", "public.\\u{202e}x");
        let found = diff(&parse(OLD).unwrap(), &parse(&new).unwrap());
        let place = |difference: &Difference| {
            let line = line_of(OLD, &difference.id).unwrap_or_default();
            Place::of("last changed by 2_wide").within("snapshots/schema/main.txt", line)
        };
        let findings = found.iter().map(|difference| finding(difference, place(difference))).collect();
        let report = report("schema diff", "Schema: a against b".to_owned(), findings, String::new());
        crate::schema::tests::snapshots().bind(|| {
            insta::assert_snapshot!(
                "schema_findings_text",
                Report { body: None, ..report.clone() }.text(Colour::Plain)
            );
            insta::assert_snapshot!("schema_findings_sarif", report.sarif("0"));
        });
    }
}
