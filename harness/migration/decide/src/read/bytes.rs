//! What reaches the server of a file's bytes: byte order marks, and what is not UTF-8.

use super::{File, Migration, Reading, Tool};
use crate::Script;

/// Gives each script what its tool sends. Statements that follow a mark have it in front, and the first byte that is not
/// UTF-8 is noted: a repaired text would prove something about another one.
pub(super) fn keep(reading: &Reading<'_>, migrations: &mut [Migration]) {
    let is_cut = cuts_mark(reading.tool);
    for migration in migrations {
        for script in [Some(&mut migration.up), migration.down.as_mut()].into_iter().flatten() {
            script.keep_marks(is_cut);
            let file = reading.files.iter().find(|file| file.path == script.file);
            script.not_utf8 = file.and_then(|file| broken_at(reading.tool, file, script));
        }
    }
}

/// Returns whether the tool cuts a byte order mark off at the beginning of a file.
// Source: psql, mainloop.c: the first line of a file loses it. Flyway, BomFilter. sqlx, refinery and diesel send what they
// read, and so do golang-migrate, goose and dbmate.
fn cuts_mark(tool: Tool) -> bool {
    matches!(tool, Tool::Sqitch | Tool::Plain | Tool::Flyway)
}

/// Returns the byte of the script's text at which it is not UTF-8.
// Source: Rust's `read_to_string` and Flyway's reader refuse the whole file; the others hand the bytes on, and the server
// refuses those that it gets.
fn broken_at(tool: Tool, file: &File, script: &Script) -> Option<usize> {
    if std::str::from_utf8(&file.bytes).is_ok() {
        return None;
    }
    let reads_all = matches!(tool, Tool::Sqlx | Tool::Diesel | Tool::Refinery | Tool::Flyway);
    script.text.find('\u{fffd}').or(reads_all.then_some(0))
}
