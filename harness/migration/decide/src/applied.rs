//! Holds a folder against the tool's own table of what it applied: edited, lost and overtaken migrations.
//!
//! In: the rows of [`query`]. A tool without checksums tells lost and overtaken migrations only.
// Source: sqlx-postgres migrate.rs; dbmate postgres.go; golang-migrate database/postgres; goose dialectquery/postgres.go;
// diesel_migrations; refinery_core runner.rs and traits/mod.rs; Flyway's table as dumps have it; Sqitch Engine/pg.sql.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Chain, Finding, Kind, Migration, Tool, codes,
    read::{flyway, prisma},
};

/// A row of the tool's table, all as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The version; empty for a repeatable one.
    pub version: String,
    /// What it is called there, where the table states so; of Sqitch the project.
    pub name: Option<String>,
    /// The checksum, where the tool keeps one.
    pub checksum: Option<String>,
    /// Whether it succeeded.
    pub is_done: bool,
    /// Whether it stands for all up to this version, which were there before the tool (Flyway's baseline).
    pub is_baseline: bool,
}

/// Returns the query for what was applied, oldest first: version, name, checksum as text, whether it succeeded, whether
/// it is a baseline.
///
/// `None` for plain folders, whose table is nobody's standard, and for commands.
#[must_use]
pub fn query(tool: Tool) -> Option<&'static str> {
    Some(match tool {
        Tool::Sqlx => {
            "SELECT version::text, description::text, encode(checksum, 'hex'), success, false FROM _sqlx_migrations ORDER BY version"
        }
        Tool::Dbmate => {
            "SELECT version::text, NULL::text, NULL::text, true, false FROM schema_migrations ORDER BY version COLLATE \"C\""
        }
        // One row: the version that the database is at.
        Tool::GolangMigrate => "SELECT version::text, NULL::text, NULL::text, NOT dirty, false FROM schema_migrations",
        // A row is added for each step up; a step down takes its rows away, and added one in earlier versions.
        Tool::Goose => {
            "SELECT version_id::text, NULL::text, NULL::text, true, false FROM (SELECT DISTINCT ON (version_id) version_id, \
             is_applied FROM goose_db_version ORDER BY version_id, id DESC) last WHERE is_applied AND version_id > 0 ORDER BY version_id"
        }
        Tool::Diesel => {
            "SELECT version::text, NULL::text, NULL::text, true, false FROM __diesel_schema_migrations ORDER BY version COLLATE \"C\""
        }
        Tool::Refinery => {
            "SELECT version::text, name::text, checksum::text, true, false FROM refinery_schema_history ORDER BY version"
        }
        // The last row of a version counts: UNDO_SQL took it back, DELETE is `repair` without a file.
        Tool::Flyway => {
            "SELECT coalesce(version, '')::text, description::text, checksum::text, success, type LIKE '%BASELINE' FROM (\
             SELECT DISTINCT ON (version, CASE WHEN version IS NULL THEN description END) * FROM flyway_schema_history \
             WHERE type IN ('SQL', 'UNDO_SQL', 'DELETE', 'BASELINE', 'SQL_BASELINE') ORDER BY version, CASE WHEN version \
             IS NULL THEN description END, installed_rank DESC) last WHERE type NOT IN ('UNDO_SQL', 'DELETE') ORDER BY installed_rank"
        }
        // A row without an end failed; one that was resolved as rolled back counts no more.
        Tool::Prisma => {
            "SELECT migration_name::text, NULL::text, checksum::text, finished_at IS NOT NULL, false FROM _prisma_migrations \
             WHERE rolled_back_at IS NULL ORDER BY started_at"
        }
        Tool::Drizzle => {
            "SELECT created_at::text, NULL::text, hash::text, true, false FROM drizzle.__drizzle_migrations ORDER BY created_at, id"
        }
        Tool::Sqitch => "SELECT change, project, NULL::text, true, false FROM sqitch.changes ORDER BY committed_at",
        Tool::Alembic | Tool::Django | Tool::Yoyo | Tool::Rails | Tool::Plain | Tool::Command => return None,
    })
}

/// Reports what differs between the folder and what was applied.
#[must_use]
pub fn drift(chain: &Chain, rows: &[Applied]) -> Vec<Finding> {
    let dirty = rows.iter().filter(|row| !row.is_done).map(|row| {
        let message = format!("version {} is recorded as failed half-way", row.version);
        placed(Finding::new(&codes::APPLIED_DIRTY, message).of(&row.version), of_row(chain, row))
    });
    let mut found: Vec<Finding> = dirty.collect();
    if chain.tool == Tool::GolangMigrate {
        found.extend(rows.iter().filter(|row| of_row(chain, row).is_none()).map(lost));
        return found;
    }
    let mut applied: BTreeMap<usize, &Applied> = BTreeMap::new();
    let own = own_projects(chain, rows);
    for row in rows.iter().filter(|row| !row.is_baseline && own(row)) {
        // A change of Sqitch's that comes again has its name twice.
        let fits = |(at, migration): (usize, &Migration)| {
            let is_free = chain.tool != Tool::Sqitch || !applied.contains_key(&at);
            (is_free && is_of(chain.tool, migration, row)).then_some(at)
        };
        match chain.migrations.iter().enumerate().find_map(fits) {
            Some(at) => drop(applied.insert(at, row)),
            None => found.push(lost(row)),
        }
    }
    for (at, row) in &applied {
        found.extend(edited(chain.tool, &chain.migrations[*at], row));
    }
    let newest = applied.keys().copied().filter(|at| chain.migrations[*at].kind == Kind::Versioned).max().unwrap_or(0);
    let is_open =
        |at: &usize, migration: &Migration| !applied.contains_key(at) && !may_come_late(chain, migration, rows);
    for (_, migration) in chain.migrations.iter().enumerate().take(newest).filter(|(at, found)| is_open(at, found)) {
        let message = format!("{} is applied, this one is not", chain.migrations[newest].label());
        let finding = Finding::new(&codes::APPLIED_OUT_OF_ORDER, message).of(&migration.version);
        found.push(placed(finding, Some(migration)));
    }
    found
}

/// Returns the filter of the rows that are this folder's: Sqitch keeps the history of several projects in one table, and
/// one of which the folder has no change is another's.
fn own_projects<'a>(chain: &Chain, rows: &'a [Applied]) -> impl Fn(&Applied) -> bool + use<'a> {
    let is_sqitch = chain.tool == Tool::Sqitch;
    let known = |row: &&Applied| chain.migrations.iter().any(|migration| is_of(chain.tool, migration, row));
    let own: BTreeSet<&str> = if is_sqitch {
        rows.iter().filter(known).filter_map(|row| row.name.as_deref()).collect()
    } else {
        BTreeSet::new()
    };
    move |row| !is_sqitch || own.is_empty() || row.name.as_deref().is_some_and(|name| own.contains(name))
}

/// Returns whether a migration may be applied after newer ones, or never: refinery's `U` files, and what lies below
/// Flyway's baseline.
fn may_come_late(chain: &Chain, migration: &Migration, rows: &[Applied]) -> bool {
    let file = migration.up.file.rsplit('/').next().unwrap_or_default();
    let is_below = |row: &Applied| row.is_baseline && flyway::parts(&migration.version) <= flyway::parts(&row.version);
    match chain.tool {
        Tool::Refinery => file.starts_with('U'),
        Tool::Flyway => rows.iter().any(is_below),
        _ => false,
    }
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
        Tool::Drizzle => migration.recorded.as_ref() == Some(&row.version),
        Tool::Dbmate | Tool::Diesel | Tool::Prisma => migration.version == row.version,
        Tool::Sqitch => migration.version.split('@').next() == Some(row.version.as_str()),
        Tool::Flyway => flyway::parts(&migration.version) == flyway::parts(&row.version),
        _ => migration.version.trim_start_matches('0') == row.version.trim_start_matches('0'),
    }
}

fn lost(row: &Applied) -> Finding {
    let name = row.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    let message = format!("version {}{name} was applied and has no file", row.version);
    Finding::new(&codes::APPLIED_NOT_IN_FOLDER, message).of(&row.version)
}

fn edited(tool: Tool, migration: &Migration, row: &Applied) -> Option<Finding> {
    let (Some(now), Some(then)) = (&migration.checksum, &row.checksum) else { return None };
    let is_same = now == then || tool == Tool::Prisma && prisma::has_checksum(&migration.up.text, then);
    // A repeatable migration is meant to change.
    if is_same || migration.kind == Kind::Repeatable {
        return None;
    }
    let line_ends = match migration.up.text.contains('\r') {
        true => "; its lines end with CR LF, which may be the only change",
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
        let (version, checksum) = (version.to_owned(), checksum.map(str::to_owned));
        Applied { version, name: None, checksum, is_done: true, is_baseline: false }
    }

    fn codes_of(chain: &Chain, rows: &[Applied]) -> Vec<(&'static str, String)> {
        drift(chain, rows)
            .into_iter()
            .map(|finding| (codes::code(&finding.code).unwrap().id, finding.place.object))
            .collect()
    }

    #[test]
    fn what_was_applied_as_it_stands_is_not_reported() {
        let chain = folder(Tool::Sqlx, &["01_a.sql", "2_b.sql", "3_c.sql"]);
        let sum = chain.migrations[0].checksum.clone();
        assert!(codes_of(&chain, &[row("1", sum.as_deref()), row("2", sum.as_deref())]).is_empty());
    }

    #[rstest]
    #[case::edited(&[row("1", Some("00"))], "edited-after-applied", "01")]
    #[case::lost(&[row("1", None), row("7", None)], "applied-not-in-folder", "7")]
    #[case::overtaken(&[row("1", None), row("3", None)], "applied-out-of-order", "2")]
    #[case::dirty(&[Applied { is_done: false, ..row("1", None) }], "applied-dirty", "1")]
    fn what_differs_is_reported_with_the_version(#[case] rows: &[Applied], #[case] code: &str, #[case] version: &str) {
        let chain = folder(Tool::Sqlx, &["01_a.sql", "2_b.sql", "3_c.sql"]);
        assert_eq!(codes_of(&chain, rows), [(code_of(code), version.to_owned())]);
    }

    fn code_of(id: &str) -> &'static str {
        codes::code(id).unwrap().id
    }

    #[test]
    fn golang_migrate_notes_one_version_for_all() {
        let chain = folder(Tool::GolangMigrate, &["000001_a.up.sql", "000002_b.up.sql"]);
        assert!(codes_of(&chain, &[row("2", None)]).is_empty());
        assert_eq!(codes_of(&chain, &[row("3", None)])[0].0, "applied-not-in-folder");
    }

    #[test]
    fn flyway_compares_parts_of_versions_and_names_of_repeatables() {
        let chain = folder(Tool::Flyway, &["V1.0__a.sql", "V1_2__b.sql", "R__all_views.sql"]);
        let repeatable = Applied { name: Some("all views".to_owned()), ..row("", Some("1")) };
        assert!(codes_of(&chain, &[row("1", None), row("1.2", None), repeatable]).is_empty());
    }

    #[test]
    fn every_tool_with_a_table_of_its_own_has_a_query_for_it() {
        for tool in Tool::ALL.into_iter().filter(|tool| !matches!(tool, Tool::Plain | Tool::Sqitch)) {
            assert!(query(tool).is_some_and(|sql| sql.contains(tool.bookkeeping_tables()[0])), "{tool}");
        }
        assert!(query(Tool::Sqitch).is_some_and(|sql| sql.contains("sqitch.changes")));
    }

    #[test]
    fn what_lies_below_a_baseline_was_there_before() {
        let chain = folder(Tool::Flyway, &["V1__a.sql", "V2__b.sql", "V3__c.sql", "V4__d.sql"]);
        let baseline = Applied { is_baseline: true, ..row("2", None) };
        assert_eq!(codes_of(&chain, &[baseline.clone(), row("4", None)]), [("applied-out-of-order", "3".to_owned())]);
        assert!(codes_of(&chain, &[baseline, row("3", None)]).is_empty());
    }

    #[test]
    fn a_step_of_refinery_without_an_order_may_come_late() {
        let chain = folder(Tool::Refinery, &["U1__late.sql", "V2__b.sql", "V3__c.sql"]);
        assert_eq!(codes_of(&chain, &[row("3", None)]), [("applied-out-of-order", "2".to_owned())]);
    }

    #[test]
    fn sqitch_keeps_the_books_of_other_projects_in_the_same_table() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
        let plan = "%project=shop\n\na 2026-01-01T00:00:00Z A <a@b>\n@v1 2026-01-02T00:00:00Z A <a@b>\n\
                    a [a@v1] 2026-01-03T00:00:00Z A <a@b>\nb 2026-01-04T00:00:00Z A <a@b>\n";
        let files = [
            file("sqitch.plan", plan),
            file("deploy/a.sql", "select f();"),
            file("deploy/a@v1.sql", "select f();"),
            file("deploy/b.sql", "select f();"),
        ];
        let chain = chain(&files, Some(Tool::Sqitch)).unwrap();
        let of = |project: &str, change: &str| Applied { name: Some(project.to_owned()), ..row(change, None) };
        assert!(codes_of(&chain, &[of("shop", "a"), of("other", "x"), of("shop", "a")]).is_empty());
        assert_eq!(codes_of(&chain, &[of("shop", "a"), of("shop", "x")]), [("applied-not-in-folder", "x".to_owned())]);
        assert_eq!(codes_of(&chain, &[of("shop", "a"), of("shop", "b")])[0].0, "applied-out-of-order");
    }
}
