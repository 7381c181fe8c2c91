//! Drizzle: the order stands in `meta/_journal.json`, the scripts next to it; `--> statement-breakpoint` cuts them. Newer
//! versions have a folder for each migration, with `migration.sql` and `snapshot.json`, and no journal.
// Source: drizzle-orm src/migrator.ts (`readMigrationFiles`) and pg-core/dialect.ts (`migrate`): one transaction for all
// migrations of a run; one whose `when` is not after the newest applied one is passed over.

use std::ops::Range;

use serde::Deserialize;

use super::{
    super::{Finding, Migration, Script, Transaction, codes},
    File, Reading, migration,
};
use stagegate_base::record::Severity;

pub(super) const JOURNAL: &str = "meta/_journal.json";
pub(super) const SNAPSHOT: &str = "snapshot.json";
const BREAKPOINT: &str = "--> statement-breakpoint";

#[derive(Deserialize)]
struct Journal {
    #[serde(default)]
    dialect: String,
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    when: i64,
    tag: String,
}

/// Returns whether a file is the journal, of this folder or of one below it.
pub(super) fn is_journal(file: &File) -> bool {
    file.path == JOURNAL || file.path.ends_with(&format!("/{JOURNAL}"))
}

pub(super) fn read(reading: &mut Reading<'_>) -> Vec<Migration> {
    let Some(journal) = reading.files.iter().copied().find(|file| is_journal(file)) else { return of_folders(reading) };
    reading.uses(journal);
    let read: Journal = match serde_json::from_str(&journal.text()) {
        Ok(read) => read,
        Err(error) => {
            reading.report(&codes::BAD_ANNOTATION, journal, error.line(), error.to_string());
            return Vec::new();
        }
    };
    if !matches!(read.dialect.as_str(), "" | "postgresql" | "pg") {
        let message = format!("dialect is `{}`, expected `postgresql`", read.dialect);
        reading.report(&codes::BAD_ANNOTATION, journal, 1, message);
    }
    let top = journal.path.trim_end_matches(JOURNAL);
    let (mut found, mut newest): (Vec<Migration>, Option<Entry>) = (Vec::new(), None);
    for entry in read.entries {
        let path = format!("{top}{}.sql", entry.tag);
        let Some(file) = reading.files.iter().copied().find(|file| file.path == path) else {
            reading.report(&codes::BAD_NAME, journal, 0, format!("the journal names `{path}`, found none"));
            continue;
        };
        reading.uses(file);
        if let Some(newest) = newest.as_ref().filter(|newest| newest.when >= entry.when) {
            let message = format!(
                "`when` of {} is not after the one of {}: Drizzle passes it over where that is applied",
                entry.tag, newest.tag
            );
            let finding = Finding::new(&codes::BAD_ANNOTATION, message).with_severity(Severity::Warning);
            reading.findings.push(finding.of(&entry.tag).at(&journal.path, 0));
        }
        let mut step = migration(&entry.tag, &entry.tag, script(file), None);
        step.checksum =
            Some(super::super::script::hex(&<sha2::Sha256 as sha2::Digest>::digest(file.text().replace("\r\n", "\n"))));
        step.recorded = Some(entry.when.to_string());
        found.push(step);
        if newest.as_ref().is_none_or(|newest| newest.when < entry.when) {
            newest = Some(entry);
        }
    }
    found
}

/// Reads `<time stamp>_<name>/migration.sql`, by name.
fn of_folders(reading: &mut Reading<'_>) -> Vec<Migration> {
    let mut found = Vec::new();
    for file in reading.files.clone() {
        let Some((folder, "migration.sql")) = file.path.split_once('/') else { continue };
        reading.uses(file);
        found.push(migration(folder, folder, script(file), None));
    }
    found
}

fn script(file: &File) -> Script {
    let text = file.text();
    let mut at = 0;
    let batches: Vec<Range<usize>> = text
        .split(BREAKPOINT)
        .map(|part| {
            let range = at..at + part.len();
            at = range.end + BREAKPOINT.len();
            range
        })
        .collect();
    Script::of_batches(&file.path, 1, &text, Transaction::Wrapped, batches)
}

#[cfg(test)]
mod tests {
    use crate::{
        Chain, Tool, applied,
        read::tests::{self, codes_of_files},
    };

    fn read(files: &[(&str, &str)]) -> Chain {
        tests::read(None, files)
    }

    fn journal(entries: &[(&str, i64)]) -> String {
        let entries: Vec<_> = entries
            .iter()
            .enumerate()
            .map(|(idx, (tag, when))| serde_json::json!({ "idx": idx, "when": when, "tag": tag, "breakpoints": true }))
            .collect();
        serde_json::json!({ "version": "7", "dialect": "postgresql", "entries": entries }).to_string()
    }

    const TWO: &str =
        "CREATE TABLE b (id int);--> statement-breakpoint\nCREATE TABLE c (id int);\nCREATE TABLE d (id int);";

    #[test]
    fn the_journal_gives_the_order_and_breakpoints_cut_the_messages() {
        let journal = journal(&[("0001_b", 10), ("0000_a", 20)]);
        let found = read(&[
            ("meta/_journal.json", &journal),
            ("0000_a.sql", "DROP TABLE b;"),
            ("0001_b.sql", TWO),
            ("0002_forgotten.sql", "SELECT f();"),
        ]);
        let names: Vec<String> = found.migrations.iter().map(crate::Migration::label).collect();
        assert_eq!((found.tool, names), (Tool::Drizzle, vec!["0001_b".to_owned(), "0000_a".to_owned()]));
        let up = &found.migrations[0].up;
        let sent: Vec<usize> = up.batches.iter().map(|batch| up.text[batch.clone()].matches("TABLE").count()).collect();
        assert_eq!((sent, up.statements.len(), up.statements[1].line), (vec![1, 2], 3, 2));
        assert_eq!(codes_of_files(&found), ["ignored-file 0002_forgotten.sql"]);
    }

    #[test]
    fn what_drizzle_refuses_or_passes_over_is_reported() {
        let journal = journal(&[("0000_a", 20), ("0001_b", 10), ("0002_c", 30)]);
        let found = read(&[("meta/_journal.json", &journal), ("0000_a.sql", "SELECT f();"), ("0001_b.sql", TWO)]);
        let found: Vec<String> = found
            .findings
            .iter()
            .map(|finding| format!("{} {:?} {}", finding.code, finding.severity, finding.found))
            .collect();
        assert_eq!(
            found,
            [
                "bad-annotation Warning `when` of 0001_b is not after the one of 0000_a: Drizzle passes it over where that is applied",
                "bad-name Required the journal names `0002_c.sql`, found none",
            ]
        );
    }

    #[test]
    fn the_history_is_compared_by_the_time_of_the_journal_and_the_hash() {
        let journal = journal(&[("0000_a", 10), ("0001_b", 20), ("0002_c", 30)]);
        let (a, b, c) = ("SELECT f();", "SELECT g();\r\n", "SELECT h();");
        let found = read(&[("meta/_journal.json", &journal), ("0000_a.sql", a), ("0001_b.sql", b), ("0002_c.sql", c)]);
        let row = |when: &str, at: usize| applied::Applied {
            version: when.to_owned(),
            checksum: found.migrations[at].checksum.clone(),
            is_done: true,
            ..applied::Applied::default()
        };
        assert_eq!(applied::drift(&found, &[row("10", 0), row("20", 1)]), []);
        let codes = |rows: &[applied::Applied]| -> Vec<String> {
            applied::drift(&found, rows).iter().map(|finding| finding.code.to_string()).collect()
        };
        assert_eq!(codes(&[row("10", 1)]), ["edited-after-applied"]);
        assert_eq!(codes(&[row("10", 0), row("30", 2)]), ["applied-out-of-order"]);
        assert_eq!(codes(&[row("10", 0), row("15", 1)]), ["applied-not-in-folder"]);
    }

    #[test]
    fn a_folder_for_each_migration_is_read_by_name() {
        let found = read(&[
            ("20250102000000_b/migration.sql", TWO),
            ("20250102000000_b/snapshot.json", "{}"),
            ("20250101000000_a/migration.sql", "SELECT f();"),
            ("20250101000000_a/snapshot.json", "{}"),
        ]);
        let names: Vec<String> = found.migrations.iter().map(crate::Migration::label).collect();
        assert_eq!(
            (found.tool, names.as_slice()),
            (Tool::Drizzle, ["20250101000000_a".to_owned(), "20250102000000_b".to_owned()].as_slice())
        );
        assert_eq!(codes_of_files(&found), [""; 0]);
    }
}
