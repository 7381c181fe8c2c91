//! Prisma: one folder for each migration with `migration.sql`; perhaps `down.sql`, which Prisma itself never runs.
// Source: prisma-engines, schema-engine: migrations_directory.rs (names, lock file), apply_migrations.rs (the script is one
// message), checksum.rs; Prisma's manual, "Generating down migrations", for `down.sql`.

use std::collections::BTreeMap;

use super::{
    super::{Migration, Script, Transaction, codes, script::Sending},
    File, Reading, migration,
};

const SCRIPT: &str = "migration.sql";
pub(super) const LOCK: &str = "migration_lock.toml";

pub(super) fn read(reading: &mut Reading<'_>) -> Vec<Migration> {
    let lock = reading.files.iter().copied().find(|file| file.name() == LOCK);
    let top = lock.map_or("", File::folder).to_owned();
    if let Some(lock) = lock {
        reading.uses(lock);
        provider(reading, lock);
    }
    let mut folders: BTreeMap<&str, Vec<&File>> = BTreeMap::new();
    for file in reading.files.clone() {
        let below = file.path.strip_prefix(&top).map(|rest| rest.trim_start_matches('/'));
        if let Some((folder, name)) = below.and_then(|below| below.split_once('/'))
            && !name.contains('/')
        {
            folders.entry(folder).or_default().push(file);
        }
    }
    folders.into_iter().filter_map(|(folder, files)| of_folder(reading, folder, &files)).collect()
}

/// Prisma knows a migration by the whole name of its folder: two may have one time stamp.
fn of_folder<'a>(reading: &mut Reading<'a>, folder: &str, files: &[&'a File]) -> Option<Migration> {
    let named = |name: &str| files.iter().copied().find(|file| file.name() == name);
    let Some(up) = named(SCRIPT) else {
        let first = files.first()?;
        let message = format!("expected `{folder}/{SCRIPT}`, found none: Prisma rejects the folder");
        reading.report(&codes::BAD_NAME, first, 0, message);
        return None;
    };
    let mut script = |file: &'a File| {
        reading.uses(file);
        Script::new(&file.path, 1, &file.text(), Transaction::Implicit, Sending::Whole)
    };
    let mut found = migration(folder, folder, script(up), named("down.sql").map(&mut script));
    found.checksum = Some(checksum(&up.text()));
    Some(found)
}

fn provider(reading: &mut Reading<'_>, lock: &File) {
    let text = lock.text();
    let Some((index, line)) = text.lines().enumerate().find(|(_, line)| line.starts_with("provider")) else { return };
    let provider = line.split_once('=').map_or("", |(_, value)| value.trim().trim_matches('"'));
    if !matches!(provider, "postgresql" | "postgres" | "cockroachdb") {
        let message = format!("provider is `{provider}`, expected `postgresql`");
        reading.report(&codes::BAD_ANNOTATION, lock, index + 1, message);
    }
}

fn checksum(text: &str) -> String {
    super::super::script::hex(&<sha2::Sha256 as sha2::Digest>::digest(text))
}

/// Returns whether a text has the checksum that was recorded; Prisma takes either line end for the same.
pub(in super::super) fn has_checksum(text: &str, recorded: &str) -> bool {
    let unix = text.replace("\r\n", "\n");
    checksum(text) == recorded || checksum(&unix) == recorded || checksum(&unix.replace('\n', "\r\n")) == recorded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Chain, Tool, applied,
        read::tests::{self, codes_of_files},
    };

    const LOCK_TEXT: &str = "# do not edit\nprovider = \"postgresql\"\n";

    fn read(files: &[(&str, &str)]) -> Chain {
        tests::read(None, files)
    }

    #[test]
    fn folders_come_in_the_order_of_their_names_and_need_no_down_migration() {
        let found = read(&[
            ("20240201000000_b/migration.sql", "DROP TABLE a;"),
            ("20240131000000_a/migration.sql", "CREATE TABLE a (id int); CREATE TABLE b (id int);"),
            ("20240131000000_c/migration.sql", "CREATE TABLE c (id int);"),
            ("migration_lock.toml", LOCK_TEXT),
        ]);
        let names: Vec<&str> = found.migrations.iter().map(|one| one.version.as_str()).collect();
        assert_eq!(
            names,
            ["20240131000000_a", "20240131000000_c", "20240201000000_b"],
            "one time stamp may stand twice"
        );
        assert_eq!((found.tool, codes_of_files(&found)), (Tool::Prisma, Vec::new()));
        assert!(found.is_up_only());
        assert_eq!(found.migrations[0].up.transaction, Transaction::Implicit, "one message");
    }

    #[test]
    fn a_project_that_writes_down_scripts_is_reported_which_one_is_missing() {
        let found = read(&[
            ("migrations/1_a/migration.sql", "CREATE TABLE a (id int);"),
            ("migrations/1_a/down.sql", "DROP TABLE a;"),
            ("migrations/2_b/migration.sql", "CREATE TABLE b (id int);"),
            ("migrations/migration_lock.toml", LOCK_TEXT),
        ]);
        assert!(found.migrations[0].usable_down().is_some() && !found.is_up_only());
        assert_eq!(codes_of_files(&found), ["down-missing migrations/2_b/migration.sql"]);
    }

    #[test]
    fn what_prisma_refuses_is_reported() {
        let found = read(&[
            ("1_a/migration.sql", "CREATE TABLE a (id int);"),
            ("2_b/notes.txt", ""),
            ("migration_lock.toml", "provider = \"mysql\"\n"),
        ]);
        assert_eq!(codes_of_files(&found), ["bad-annotation migration_lock.toml", "bad-name 2_b/notes.txt"]);
    }

    #[test]
    fn the_history_is_compared_by_name_and_checksum_whatever_the_line_ends() {
        let found = read(&[
            ("1_a/migration.sql", "CREATE TABLE a\r\n(id int);\r\n"),
            ("2_b/migration.sql", "CREATE TABLE b (id int);\n"),
            ("migration_lock.toml", LOCK_TEXT),
        ]);
        let row = |version: &str, checksum: String, is_done| applied::Applied {
            version: version.to_owned(),
            checksum: Some(checksum),
            is_done,
            ..applied::Applied::default()
        };
        let same = row("1_a", checksum("CREATE TABLE a\n(id int);\n"), true);
        assert_eq!(
            applied::drift(&found, &[same.clone(), row("2_b", checksum("CREATE TABLE b (id int);\r\n"), true)]),
            []
        );
        let codes = |rows: &[applied::Applied]| -> Vec<String> {
            applied::drift(&found, rows).iter().map(|finding| finding.code.to_string()).collect()
        };
        assert_eq!(codes(&[same.clone(), row("2_b", checksum("CREATE TABLE b ();"), true)]), ["edited-after-applied"]);
        let own = found.migrations[1].checksum.clone().unwrap();
        assert_eq!(codes(&[same, row("2_b", own, false)]), ["applied-dirty"]);
    }
}
