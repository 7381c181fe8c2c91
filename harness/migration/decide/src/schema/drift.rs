//! What a database has that its migrations do not give, and what it lacks of what they give.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Change, Difference, Facts, Id, Kind, Severity, Sides, diff, partition::follows, render};

/// One difference between what migrations give and what is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drifted {
    /// The difference; its first side is what the migrations give.
    #[serde(flatten)]
    pub difference: Difference,
    /// The migration that last changed the thing, or else what it is a part of; `None` where none ever did.
    pub migration: Option<String>,
}

/// Returns where `found` is not what the migrations give.
///
/// `touched` names the migration that last changed a thing, by the thing. The database itself, with its encoding,
/// locale and owner, is made before the first migration, and settings of roles are the cluster's: where no migration changed
/// them, they are not compared. A partition more that follows from its parent is of [`Severity::Partition`].
#[must_use]
pub fn drift(migrated: &Facts, found: &Facts, touched: &BTreeMap<Id, String>) -> Vec<Drifted> {
    let of = |mut difference: Difference| {
        if is_partition_at_run_time(&difference, found) {
            difference.severity = Severity::Partition;
        }
        let migration = toucher(&difference, [migrated, found], touched);
        Drifted { difference, migration }
    };
    let is_ours = |kind: Kind| !matches!(kind, Kind::Database | Kind::Setting);
    let is_meant = |drifted: &Drifted| is_ours(drifted.difference.object.kind) || drifted.migration.is_some();
    diff(migrated, found).into_iter().map(of).filter(is_meant).collect()
}

fn is_partition_at_run_time(difference: &Difference, found: &Facts) -> bool {
    matches!(difference.change, Change::Added { .. }) && follows(&difference.id, found)
}

/// Looks from the thing outwards.
fn toucher(difference: &Difference, sides: [&Facts; 2], touched: &BTreeMap<Id, String>) -> Option<String> {
    let parent = |id: &Id| sides.iter().find_map(|facts| facts.get(id)).and_then(|fact| fact.parent.clone());
    let within = |id: &Id| *id != difference.object;
    let mut at = Some(difference.id.clone());
    while let Some(id) = at {
        if let Some(migration) = touched.get(&id) {
            return Some(migration.clone());
        }
        at = parent(&id).filter(|_| within(&id));
    }
    match &difference.change {
        Change::Renamed { to } => touched.get(to).or_else(|| touched.get(&difference.object)).cloned(),
        _ => touched.get(&difference.object).cloned(),
    }
}

fn note(migration: Option<&String>) -> String {
    migration
        .map_or_else(|| "not created by a migration".to_owned(), |migration| format!("last changed by {migration}"))
}

/// Returns the differences as the terminal shows them, each with the migration that last changed it.
#[must_use]
pub fn drift_terminal(sides: &Sides, drifted: &[Drifted]) -> String {
    let differences: Vec<Difference> = drifted.iter().map(|drifted| drifted.difference.clone()).collect();
    let by: BTreeMap<&Id, Option<&String>> =
        drifted.iter().map(|drifted| (&drifted.difference.id, drifted.migration.as_ref())).collect();
    render::difference_lines(sides, &differences, |difference| by.get(&difference.id).map(|migration| note(*migration)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::schema::{Sides, parse};

    const HEAD: &str = "# schema snapshot of stagegate, format 1\n";
    const MIGRATED: &str = "[table public.orders]\n  [column public.orders.id]\n    type: bigint\n  \
        [column public.orders.note]\n    type: text\n[database this]\n  encoding: UTF8\n";

    fn facts(text: &str) -> Facts {
        parse(&format!("{HEAD}{text}")).unwrap()
    }

    fn touched() -> BTreeMap<Id, String> {
        let id = |kind, name: &str| Id::new(kind, name.to_owned());
        BTreeMap::from([
            (id(Kind::Table, "public.orders"), "3_notes".to_owned()),
            (id(Kind::Column, "public.orders.id"), "2_wide".to_owned()),
            (id(Kind::Table, "public.old"), "2_wide".to_owned()),
        ])
    }

    fn found() -> Vec<Drifted> {
        let there =
            MIGRATED.replace("bigint", "integer").replace("type: text", "type: citext").replace("UTF8", "LATIN1");
        let old = "[table public.old]\n[table public.by_hand]\n";
        drift(&facts(MIGRATED), &facts(&format!("{there}{old}")), &touched())
    }

    #[test]
    fn each_difference_names_the_migration_that_last_changed_it() {
        let reported: Vec<(String, Option<String>)> =
            found().into_iter().map(|drifted| (drifted.difference.id.to_string(), drifted.migration)).collect();
        let one = |id: &str, migration: Option<&str>| (id.to_owned(), migration.map(str::to_owned));
        let want = [
            one("table public.by_hand", None),
            one("table public.old", Some("2_wide")),
            one("column public.orders.id", Some("2_wide")),
            one("column public.orders.note", Some("3_notes")),
        ];
        assert_eq!(reported, want);
    }

    #[test]
    fn what_the_migrations_give_is_no_drift() {
        assert_eq!(drift(&facts(MIGRATED), &facts(MIGRATED), &touched()), []);
    }

    #[rstest]
    #[case::role("[setting role ro]\n  statement_timeout: 1s\n", &[], "")]
    #[case::database("[setting this database]\n  timezone: UTC\n", &[], "")]
    #[case::of_a_migration("[setting role ro]\n  statement_timeout: 1s\n", &["role ro"], "setting role ro: 4_roles")]
    fn settings_are_compared_where_a_migration_changed_them(
        #[case] there: &str,
        #[case] changed: &[&str],
        #[case] want: &str,
    ) {
        let touched = changed.iter().map(|name| (Id::new(Kind::Setting, *name), "4_roles".to_owned())).collect();
        let reported: Vec<String> = drift(&facts(MIGRATED), &facts(&format!("{MIGRATED}{there}")), &touched)
            .into_iter()
            .map(|drifted| format!("{}: {}", drifted.difference.id, drifted.migration.unwrap_or_default()))
            .collect();
        assert_eq!(reported.join(", "), want);
    }

    #[test]
    fn a_partition_that_follows_from_its_parent_is_no_semantic_difference() {
        let parent = "[table public.log]\n  partitioned by: RANGE (at)\n  [column public.log.at]\n    type: date\n";
        let partition = |column: &str| {
            format!(
                "{parent}[table public.log_2]\n  partition bound: FOR VALUES FROM (1) TO (2)\n  partition of: public.log\n  \
                 [column public.log_2.at]\n    type: {column}\n"
            )
        };
        for (column, want) in [("date", Severity::Partition), ("text", Severity::Semantic)] {
            let found = drift(&facts(parent), &facts(&partition(column)), &BTreeMap::new());
            assert_eq!(found.iter().map(|drifted| drifted.difference.severity).collect::<Vec<_>>(), [want]);
        }
        let gone = drift(&facts(&partition("date")), &facts(parent), &BTreeMap::new());
        assert_eq!(gone[0].difference.severity, Severity::Semantic, "what a migration made is missing");
    }

    #[test]
    fn drift_reads_as_reviewed() {
        let sides = Sides { old: "migrations".to_owned(), new: "staging".to_owned() };
        crate::schema::tests::snapshots().bind(|| {
            insta::assert_snapshot!("schema_drift_text", drift_terminal(&sides, &found()));
        });
    }
}
