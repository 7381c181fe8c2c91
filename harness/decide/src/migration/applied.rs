//! Holds a folder against the tool's own table of what it applied: edited, lost and overtaken migrations.
//!
//! In: the rows of [`query`]. A tool without checksums tells lost and overtaken migrations only.
// Source: each tool's own statements that create the table; those of Flyway and Sqitch are from their manuals.

use std::collections::BTreeMap;

use super::{Chain, Finding, Kind, Migration, Tool, codes};

/// A row of the tool's table, all as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The version; empty for a repeatable one.
    pub version: String,
    /// What it is called there, where the table says so.
    pub name: Option<String>,
    /// The checksum, where the tool keeps one.
    pub checksum: Option<String>,
    /// Whether it ended well.
    pub is_done: bool,
}

/// Returns the query for what was applied, oldest first: version, name, checksum as text, and whether it ended well.
///
/// `None` for plain folders, whose table is nobody's standard, and for Sqitch.
#[must_use]
pub fn query(tool: Tool) -> Option<&'static str> {
    Some(match tool {
        Tool::Sqlx => {
            "SELECT version::text, description::text, encode(checksum, 'hex'), success FROM _sqlx_migrations ORDER BY version"
        }
        Tool::Dbmate => {
            "SELECT version::text, NULL::text, NULL::text, true FROM schema_migrations ORDER BY version COLLATE \"C\""
        }
        // One row: the version that the database is at.
        Tool::GolangMigrate => "SELECT version::text, NULL::text, NULL::text, NOT dirty FROM schema_migrations",
        // A row is added for each step up and down; the last one of a version counts.
        Tool::Goose => {
            "SELECT version_id::text, NULL::text, NULL::text, true FROM (SELECT DISTINCT ON (version_id) version_id, \
             is_applied FROM goose_db_version ORDER BY version_id, id DESC) last WHERE is_applied AND version_id > 0 ORDER BY version_id"
        }
        Tool::Diesel => {
            "SELECT version::text, NULL::text, NULL::text, true FROM __diesel_schema_migrations ORDER BY version COLLATE \"C\""
        }
        Tool::Refinery => {
            "SELECT version::text, name::text, checksum::text, true FROM refinery_schema_history ORDER BY version"
        }
        Tool::Flyway => {
            "SELECT coalesce(version, '')::text, description::text, checksum::text, success FROM (SELECT DISTINCT ON (version, \
             CASE WHEN version IS NULL THEN description END) * FROM flyway_schema_history WHERE type IN ('SQL', 'UNDO_SQL') ORDER BY \
             version, CASE WHEN version IS NULL THEN description END, installed_rank DESC) last WHERE type = 'SQL' ORDER BY installed_rank"
        }
        Tool::Sqitch | Tool::Plain => return None,
    })
}

/// Tells what differs between the folder and what was applied.
#[must_use]
pub fn drift(chain: &Chain, rows: &[Applied]) -> Vec<Finding> {
    let dirty = rows.iter().filter(|row| !row.is_done).map(|row| {
        let message = format!("version {} is noted as not ended", row.version);
        placed(Finding::new(&codes::APPLIED_DIRTY, message).of(&row.version), of_row(chain, row))
    });
    let mut found: Vec<Finding> = dirty.collect();
    if chain.tool == Tool::GolangMigrate {
        found.extend(rows.iter().filter(|row| of_row(chain, row).is_none()).map(lost));
        return found;
    }
    let mut applied: BTreeMap<usize, &Applied> = BTreeMap::new();
    for row in rows {
        match chain.migrations.iter().position(|migration| is_of(chain.tool, migration, row)) {
            Some(at) => drop(applied.insert(at, row)),
            None => found.push(lost(row)),
        }
    }
    for (at, row) in &applied {
        found.extend(edited(&chain.migrations[*at], row));
    }
    let newest = applied.keys().copied().filter(|at| chain.migrations[*at].kind == Kind::Versioned).max().unwrap_or(0);
    for (_, migration) in chain.migrations.iter().enumerate().take(newest).filter(|(at, _)| !applied.contains_key(at)) {
        let message = format!("{} is applied, this one is not", chain.migrations[newest].label());
        let finding = Finding::new(&codes::APPLIED_OUT_OF_ORDER, message).of(&migration.version);
        found.push(placed(finding, Some(migration)));
    }
    found
}

fn of_row<'a>(chain: &'a Chain, row: &Applied) -> Option<&'a Migration> {
    chain.migrations.iter().find(|migration| is_of(chain.tool, migration, row))
}

fn is_of(tool: Tool, migration: &Migration, row: &Applied) -> bool {
    if migration.kind == Kind::Repeatable || row.version.is_empty() {
        // Flyway writes blanks for the underscores of the name.
        let same_name = row.name.as_ref().is_some_and(|name| *name == migration.name.replace('_', " "));
        return migration.kind == Kind::Repeatable && row.version.is_empty() && same_name;
    }
    match tool {
        Tool::Dbmate | Tool::Diesel => migration.version == row.version,
        Tool::Flyway => parts(&migration.version) == parts(&row.version),
        _ => migration.version.trim_start_matches('0') == row.version.trim_start_matches('0'),
    }
}

fn parts(version: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = version.split(['.', '_']).map(|part| part.trim_start_matches('0')).collect();
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}

fn lost(row: &Applied) -> Finding {
    let name = row.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let message = format!("version {}{name} was applied, and no file of it is there", row.version);
    Finding::new(&codes::APPLIED_NOT_IN_FOLDER, message).of(&row.version)
}

fn edited(migration: &Migration, row: &Applied) -> Option<Finding> {
    let (Some(now), Some(then)) = (&migration.checksum, &row.checksum) else { return None };
    // A repeatable migration is meant to change.
    if now == then || migration.kind == Kind::Repeatable {
        return None;
    }
    let line_ends = match migration.up.text.contains('\r') {
        true => "; its lines end with CR LF, which may be all that changed",
        false => "",
    };
    let short = |sum: &str| sum.chars().take(16).collect::<String>();
    let message = format!("checksum {} when it was applied, {} now{line_ends}", short(then), short(now));
    Some(placed(Finding::new(&codes::EDITED_AFTER_APPLIED, message).of(&migration.version), Some(migration)))
}

fn placed(finding: Finding, migration: Option<&Migration>) -> Finding {
    match migration {
        Some(migration) => finding.at(&migration.up.file, 0),
        None => finding,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{
        super::{File, chain},
        *,
    };

    fn folder(tool: Tool, names: &[&str]) -> Chain {
        let file = |name: &&str| File {
            path: (*name).to_owned(),
            bytes: b"-- +goose Up\n-- migrate:up\nSELECT f();".to_vec(),
        };
        chain(&names.iter().map(file).collect::<Vec<_>>(), Some(tool)).unwrap()
    }

    fn row(version: &str, checksum: Option<&str>) -> Applied {
        Applied { version: version.to_owned(), name: None, checksum: checksum.map(str::to_owned), is_done: true }
    }

    fn told(chain: &Chain, rows: &[Applied]) -> Vec<(&'static str, String)> {
        drift(chain, rows).into_iter().map(|finding| (finding.code, finding.version)).collect()
    }

    #[test]
    fn what_was_applied_as_it_stands_is_not_told() {
        let chain = folder(Tool::Sqlx, &["01_a.sql", "2_b.sql", "3_c.sql"]);
        let sum = chain.migrations[0].checksum.clone();
        assert!(told(&chain, &[row("1", sum.as_deref()), row("2", sum.as_deref())]).is_empty());
    }

    #[rstest]
    #[case::edited(&[row("1", Some("00"))], "edited-after-applied", "01")]
    #[case::lost(&[row("1", None), row("7", None)], "applied-not-in-folder", "7")]
    #[case::overtaken(&[row("1", None), row("3", None)], "applied-out-of-order", "2")]
    #[case::dirty(&[Applied { is_done: false, ..row("1", None) }], "applied-dirty", "1")]
    fn what_differs_is_told_with_the_version(#[case] rows: &[Applied], #[case] code: &str, #[case] version: &str) {
        let chain = folder(Tool::Sqlx, &["01_a.sql", "2_b.sql", "3_c.sql"]);
        assert_eq!(told(&chain, rows), [(code_of(code), version.to_owned())]);
    }

    fn code_of(id: &str) -> &'static str {
        codes::code(id).unwrap().id
    }

    #[test]
    fn golang_migrate_notes_one_version_for_all() {
        let chain = folder(Tool::GolangMigrate, &["000001_a.up.sql", "000002_b.up.sql"]);
        assert!(told(&chain, &[row("2", None)]).is_empty());
        assert_eq!(told(&chain, &[row("3", None)])[0].0, "applied-not-in-folder");
    }

    #[test]
    fn flyway_compares_parts_of_versions_and_names_of_repeatables() {
        let chain = folder(Tool::Flyway, &["V1.0__a.sql", "V1_2__b.sql", "R__all_views.sql"]);
        let repeatable = Applied { name: Some("all views".to_owned()), ..row("", Some("1")) };
        assert!(told(&chain, &[row("1", None), row("1.2", None), repeatable]).is_empty());
    }

    #[test]
    fn every_tool_with_a_table_of_its_own_has_a_query_for_it() {
        for tool in Tool::ALL.into_iter().filter(|tool| !matches!(tool, Tool::Plain | Tool::Sqitch)) {
            assert!(query(tool).is_some_and(|sql| sql.contains(tool.bookkeeping_tables()[0])), "{tool}");
        }
    }
}
