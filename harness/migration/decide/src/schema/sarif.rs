//! Differences as SARIF.

use serde_json::Value;

use super::{Difference, Severity, shown};
use stagegate_base::{
    record,
    sarif::{self, Hit, Rule},
    text::one_line,
};

/// Where a difference is shown, and what is told beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file; `None` where no file tells of the thing.
    pub file: Option<String>,
    /// The line, from 1; 0 is the whole file.
    pub line: usize,
    /// Such as the migration that last changed it.
    pub note: Option<String>,
}

const RULES: [Rule<'static>; 4] = [
    Rule {
        id: "schema-differs",
        title: "the schemas mean something else",
        why: "what a release reads or writes may be refused, or be another thing, where the schema is not the one \
              that it was made for",
        mend: "bring it by a migration, or take it back; where it is meant, accept the schema and commit the file",
        severity: record::Severity::Required,
    },
    Rule {
        id: "schema-name",
        title: "a thing has another name and equal content",
        why: "a later migration that names it fails on one of the two databases",
        mend: "rename it",
        severity: record::Severity::Warning,
    },
    Rule {
        id: "schema-order",
        title: "the columns stand in another order",
        why: "SELECT * by position, and COPY or INSERT without a list of columns, see the order",
        mend: "name the columns; only a table that is made anew has another order",
        severity: record::Severity::Warning,
    },
    Rule {
        id: "schema-cosmetic",
        title: "a comment, or white space within a body, differs",
        why: "no statement sees it",
        mend: "bring it by a migration where it matters",
        severity: record::Severity::Info,
    },
];

fn rule(severity: Severity) -> &'static Rule<'static> {
    match severity {
        Severity::Semantic => &RULES[0],
        Severity::NameOnly => &RULES[1],
        Severity::Order => &RULES[2],
        Severity::Cosmetic => &RULES[3],
    }
}

/// Returns differences, each with where it is shown, as one SARIF run.
#[must_use]
pub fn sarif(placed: &[(Difference, Place)], version: &str) -> Value {
    let hits: Vec<Hit<'_>> = placed.iter().map(|(difference, place)| hit(difference, place)).collect();
    sarif::sarif(&RULES, &hits, version)
}

fn hit<'a>(difference: &Difference, place: &'a Place) -> Hit<'a> {
    let rule = rule(difference.severity);
    let note = place.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
    Hit {
        rule: rule.id,
        severity: rule.severity,
        text: format!("{}{note}", shown::line(difference)),
        subject: one_line(&difference.object.to_string()),
        place: place.file.as_deref().map(|file| (file, place.line)),
        fingerprint: format!("{}/{}/{}", rule.id, place.file.as_deref().unwrap_or_default(), shown::line(difference)),
        waived: None,
    }
}

#[cfg(test)]
mod tests {
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
        let place = |difference: &Difference| Place {
            file: Some("snapshots/schema/main.txt".to_owned()),
            line: line_of(OLD, &difference.id).unwrap_or_default(),
            note: Some("last changed by 2_wide".to_owned()),
        };
        let placed: Vec<_> = found.iter().map(|difference| (difference.clone(), place(difference))).collect();
        crate::schema::tests::snapshots().bind(|| {
            insta::assert_snapshot!("schema_sarif_results", format!("{:#}", sarif(&placed, "0")["runs"][0]["results"]));
        });
        let bare = sarif(&[(found[0].clone(), Place::default())], "0");
        assert!(bare["runs"][0]["results"][0]["locations"][0].get("physicalLocation").is_none());
    }
}
