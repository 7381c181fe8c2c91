//! Schemas of the databases on both sides.

use std::collections::BTreeSet;

use super::{Row, Rules, Section, Side, record};
use stagegate_base::{
    finding::Finding,
    record::{Outcome, Record, Severity},
    text::counted,
};
use stagegate_migration_decide::schema::{self, Change, Difference, Facts};

/// How many differences a row names.
const SHOWN: usize = 3;

/// Reports how the schemas differ; asks that the target has nothing that the release's own schema lacks.
pub(super) fn schemas(a: &Side, b: &Side, rules: Rules<'_>) -> (Vec<Row>, Vec<Record>) {
    let names: BTreeSet<&String> = a.schemas.keys().chain(b.schemas.keys()).collect();
    let mut rows = Vec::new();
    let mut records = Vec::new();
    for name in names {
        let (row, outcome) = match (a.schemas.get(name), b.schemas.get(name)) {
            (Some(Ok(left)), Some(Ok(right))) => both(name, left, right, a, b),
            (left, right) => {
                let text_of = |side: Option<&Result<Facts, String>>| match side {
                    None => "does not exist".to_owned(),
                    Some(Err(why)) => format!("not read: {why}"),
                    Some(Ok(facts)) => counted(facts.len(), "fact"),
                };
                let row = Row::new(Section::Schema, name, text_of(left), text_of(right));
                let why = format!("`{}`: {}; `{}`: {}", a.environment, row.a, b.environment, row.b);
                (row, Outcome::Broken(why))
            }
        };
        rows.push(row);
        records.push(record(a, rules, name, "schema", Severity::Warning, outcome));
    }
    (rows, records)
}

fn both(name: &str, left: &Facts, right: &Facts, a: &Side, b: &Side) -> (Row, Outcome) {
    // From the target to the source: what the release brings is "added", what it takes away is "removed".
    let found = schema::diff(right, left);
    let text_of = |facts: &Facts, side: &[String]| match side {
        [] => counted(facts.len(), "fact"),
        side => format!("{}; {}", counted(facts.len(), "fact"), side.join("; ")),
    };
    let brought: Vec<String> = named(&found, |change| !matches!(change, Change::Removed { .. }));
    let only: Vec<String> = named(&found, |change| matches!(change, Change::Removed { .. }));
    let row = Row {
        differs: !found.is_empty(),
        ..Row::new(Section::Schema, name, text_of(left, &brought), text_of(right, &only))
    };
    let ahead: Vec<Finding> = found
        .iter()
        .filter(|d| matches!(d.change, Change::Removed { .. }) && d.severity == schema::Severity::Semantic)
        .map(|d| {
            Finding::differs(
                d.id.to_string(),
                format!("also in `{}`", a.environment),
                format!("only in `{}`", b.environment),
            )
        })
        .collect();
    let outcome = match (found.len(), ahead.is_empty()) {
        (0, _) => Outcome::Pass("the schemas are equal".to_owned()),
        (count, true) => Outcome::Pass(format!("{}, none of them only in the target", counted(count, "difference"))),
        (_, false) => Outcome::Fail {
            message: format!(
                "`{}` has {} missing in the release's schema",
                b.environment,
                counted(ahead.len(), "object")
            ),
            findings: ahead,
            evidence: Vec::new(),
            hint: Some(format!("gate schema diff {} {}", b.environment, a.environment)),
        },
    };
    (row, outcome)
}

fn named(found: &[Difference], which: fn(&Change) -> bool) -> Vec<String> {
    let all: Vec<String> = found
        .iter()
        .filter(|d| which(&d.change))
        .map(|d| match &d.change {
            Change::Added { .. } => format!("has {}", d.id),
            Change::Removed { .. } => format!("has {}", d.id),
            Change::Renamed { to } => format!("has {to} for {}", d.id),
            Change::Changed { .. } => format!("other {}", d.id),
        })
        .collect();
    match all.len() {
        count if count > SHOWN => {
            let more = format!("{} more", count - SHOWN);
            all.into_iter().take(SHOWN).chain(std::iter::once(more)).collect()
        }
        _ => all,
    }
}
