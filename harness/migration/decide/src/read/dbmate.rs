//! dbmate: both directions in one file, after `-- migrate:up` and `-- migrate:down`.
// Source: dbmate pkg/dbmate/migration.go: the first mark of each kind counts; files sort by name.

use super::{
    super::{Migration, Script, Transaction, codes, script::Sending},
    File, Reading, migration,
    name::{digits, without},
};

pub(super) fn read(reading: &mut Reading<'_>) -> Vec<Migration> {
    let mut found = Vec::new();
    for file in reading.files.clone() {
        let (version, rest) = digits(file.name());
        if !file.is_at_top() || version.is_empty() || !file.name().ends_with(".sql") {
            continue;
        }
        reading.uses(file);
        let name = without(rest, ".sql").unwrap_or(rest).trim_start_matches('_');
        if let Some((up, down)) = sections(reading, file) {
            found.push(migration(version, name, up, down));
        }
    }
    found
}

/// A mark's byte, its line, and what follows it on the line.
struct Mark<'a> {
    at: usize,
    line: usize,
    options: &'a str,
}

fn mark<'a>(text: &'a str, name: &str) -> Option<Mark<'a>> {
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let rest = line.trim_start_matches('\u{feff}').strip_prefix("--").map(str::trim_start);
        let options = rest.and_then(|rest| rest.strip_prefix(name));
        if let Some(options) = options.filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            return Some(Mark { at, line: index + 1, options: options.trim() });
        }
        at += line.len();
    }
    None
}

/// Returns whether a text has dbmate's mark of the up migration.
pub(super) fn is_marked(text: &str) -> bool {
    mark(text, "migrate:up").is_some()
}

fn sections(reading: &mut Reading<'_>, file: &File) -> Option<(Script, Option<Script>)> {
    let text = file.text();
    let Some(up) = mark(&text, "migrate:up") else {
        reading.report(&codes::BAD_ANNOTATION, file, 1, "expected a line `-- migrate:up`, found none");
        return None;
    };
    let down = mark(&text, "migrate:down");
    let behind_first = text[up.at..].find('\n').map_or(text.len(), |end| up.at + end + 1);
    if let Some(second) = mark(&text[behind_first..], "migrate:up") {
        // Measured with dbmate 2.37: each block needs a down block of its own; earlier versions take the first mark alone.
        let message = "`-- migrate:up` occurs twice; write one migration for each";
        reading.report(&codes::BAD_ANNOTATION, file, up.line + second.line, message);
    }
    if let Some(down) = down.as_ref().filter(|down| down.at < up.at) {
        reading.report(&codes::BAD_ANNOTATION, file, down.line, "`-- migrate:down` comes before `-- migrate:up`");
        return None;
    }
    // Blank lines and lines of comments may stand there, and nothing else: no comment between /* and */ either.
    let is_passed_over = |line: &str| line.trim().is_empty() || line.trim_start().starts_with("--");
    if let Some(index) = text[..up.at].lines().position(|line| !is_passed_over(line.trim_start_matches('\u{feff}'))) {
        let message = "before `-- migrate:up` dbmate takes only lines that begin with `--`";
        reading.report(&codes::BAD_ANNOTATION, file, index + 1, message);
    }
    let end = down.as_ref().map_or(text.len(), |down| down.at);
    let script = |mark: &Mark<'_>, end: usize| {
        Script::new(&file.path, mark.line, &text[mark.at..end], transaction(mark.options), Sending::Whole)
    };
    Some((script(&up, end), down.map(|down| script(&down, text.len()))))
}

fn transaction(options: &str) -> Transaction {
    let bare = options.split_whitespace().any(|option| option == "transaction:false");
    if bare { Transaction::Bare } else { Transaction::Wrapped }
}
