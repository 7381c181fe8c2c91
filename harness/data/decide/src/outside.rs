//! What no table holds: sequences, large objects and materialized views of a database, and what belongs to a whole server.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stagegate_base::text::one_line;

use crate::TableFacts;

/// What a database holds outside of its tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The next position of each sequence, by `schema.sequence`.
    pub sequences: BTreeMap<String, i64>,
    /// The large objects by number and checksum; `None` where the role may not read them.
    pub large_objects: Option<TableFacts>,
    /// Materialized views that hold rows, by `schema.view`.
    pub views: BTreeMap<String, TableFacts>,
}

impl Contents {
    /// Returns whether a rollback of code alone would leave what `after` holds: other large objects or views, or a sequence that
    /// gives numbers again which it gave before. One that was moved on leaves a gap, and nothing else.
    #[must_use]
    pub fn is_changed_by(&self, after: &Contents) -> bool {
        let falls = |(name, before): (&String, &i64)| after.sequences.get(name).is_some_and(|now| now < before);
        self.large_objects != after.large_objects || self.views != after.views || self.sequences.iter().any(falls)
    }
}

/// Returns in words how what a database holds outside of its tables differs from the expected; empty where it does not.
#[must_use]
pub fn content_differences(expected: &Contents, found: &Contents) -> Vec<String> {
    let mut all = Vec::new();
    for (name, position) in &expected.sequences {
        match found.sequences.get(name) {
            Some(now) if now == position => {}
            Some(now) => all.push(format!("sequence {name}: expected {position} next, found {now}")),
            None => all.push(format!("sequence {name} is missing")),
        }
    }
    let rows = |facts: &TableFacts, what: &str| format!("{} {what}", facts.rows);
    match (&expected.large_objects, &found.large_objects) {
        (Some(one), Some(other)) if one.rows != other.rows => {
            all.push(format!("large objects: expected {}, found {}", one.rows, other.rows));
        }
        (Some(one), Some(other)) if one != other => all.push("large objects: contents differ".to_owned()),
        _ => {}
    }
    for (name, facts) in &expected.views {
        match found.views.get(name) {
            Some(now) if now == facts => {}
            Some(now) if now.rows == facts.rows => all.push(format!("materialized view {name}: contents differ")),
            Some(now) => {
                let (expected, found) = (rows(facts, "rows"), rows(now, "found"));
                all.push(format!("materialized view {name}: expected {expected}, {found}"));
            }
            None => all.push(format!("materialized view {name} holds no rows")),
        }
    }
    all.iter().map(|text| one_line(text)).collect()
}

/// What belongs to a server and to no database: attributes by thing, such as `role "app"` and `member of admin`.
///
/// Values that may be secrets are hashes; an attribute whose name begins with `#` is one of these.
pub type ServerWide = BTreeMap<String, BTreeMap<String, String>>;

/// Returns in words what of a server differs from before, with the statement that undoes it where one is known.
#[must_use]
pub fn server_changes(before: &ServerWide, after: &ServerWide) -> Vec<String> {
    let mut all = Vec::new();
    for (thing, attributes) in after {
        match before.get(thing) {
            None => all.push(format!("{thing} is new{}", undone_by(thing))),
            Some(old) => all.extend(changed(old, attributes).map(|what| format!("{thing}: {what}"))),
        }
    }
    all.extend(before.keys().filter(|thing| !after.contains_key(*thing)).map(|thing| format!("{thing} is gone")));
    all.iter().map(|text| one_line(text)).collect()
}

fn undone_by(thing: &str) -> String {
    let statement = match thing.split_once(' ') {
        Some(("role", name)) => format!("DROP ROLE {name}"),
        Some(("tablespace", name)) => format!("DROP TABLESPACE {name}"),
        Some(("setting", name)) => format!("ALTER SYSTEM RESET {name}"),
        _ => return String::new(),
    };
    format!(" ({statement})")
}

fn changed(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    let changes = names.filter(|name| old.get(*name) != new.get(*name)).map(|name| {
        let of = |all: &BTreeMap<String, String>| all.get(name).cloned().unwrap_or_else(|| "none".to_owned());
        match name.strip_prefix('#') {
            Some(name) => format!("{name} changed"),
            None => format!("{name} was {}, is {}", of(old), of(new)),
        }
    });
    changes.collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(rows: i64, checksum: &str) -> TableFacts {
        TableFacts { rows, checksum: Some(checksum.to_owned()) }
    }

    fn contents() -> Contents {
        Contents {
            sequences: [("public.s".to_owned(), 7)].into(),
            large_objects: Some(facts(2, "1")),
            views: [("public.v".to_owned(), facts(3, "1"))].into(),
        }
    }

    #[test]
    fn what_no_table_holds_is_named_where_it_differs() {
        assert!(content_differences(&contents(), &contents()).is_empty());
        let other = Contents {
            sequences: [("public.s".to_owned(), 9)].into(),
            large_objects: Some(facts(1, "1")),
            views: [("public.v".to_owned(), facts(3, "2"))].into(),
        };
        let want = [
            "sequence public.s: expected 7 next, found 9",
            "large objects: expected 2, found 1",
            "materialized view public.v: contents differ",
        ];
        assert_eq!(content_differences(&contents(), &other), want);
        assert_eq!(
            content_differences(&contents(), &Contents::default()).len(),
            2,
            "unread large objects are not compared"
        );
    }

    #[test]
    fn a_sequence_that_only_moved_on_changes_nothing_that_a_rollback_needs() {
        let at = |position| Contents { sequences: [("public.s".to_owned(), position)].into(), ..contents() };
        assert!(!contents().is_changed_by(&at(9)));
        assert!(contents().is_changed_by(&at(1)));
        assert!(contents().is_changed_by(&Contents { large_objects: None, ..contents() }));
    }

    #[test]
    fn roles_and_settings_are_named_with_what_undoes_them_and_without_secrets() {
        let attributes = |all: &[(&str, &str)]| all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let before: ServerWide = [
            ("role app".to_owned(), attributes(&[("attributes", "login"), ("#password", "aa")])),
            ("role old".to_owned(), attributes(&[])),
        ]
        .into();
        let after: ServerWide = [
            (
                "role app".to_owned(),
                attributes(&[("attributes", "login createdb"), ("#password", "bb"), ("member of x", "yes")]),
            ),
            ("role \"Jobs\"".to_owned(), attributes(&[])),
            ("setting work_mem".to_owned(), attributes(&[("#value", "cc")])),
        ]
        .into();
        let want = [
            "role \"Jobs\" is new (DROP ROLE \"Jobs\")",
            "role app: password changed",
            "role app: attributes was login, is login createdb",
            "role app: member of x was none, is yes",
            "setting work_mem is new (ALTER SYSTEM RESET work_mem)",
            "role old is gone",
        ];
        assert_eq!(server_changes(&before, &after), want);
        assert!(server_changes(&after, &after).is_empty());
    }
}
