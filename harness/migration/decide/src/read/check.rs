//! What files and the chain of them tell, whatever the tool.

use super::{
    super::{Finding, Kind, Migration, Script, Tool, Trait, Transaction, codes, split, without_downs, writes_no_downs},
    File, Reading, dbmate, goose, marks,
    marks::Form,
    name::number,
};
use crate::AtStatement;
use stagegate_base::record::Severity;

/// The size from which a file is reported: every tool holds it in memory whole.
const LARGE_BYTES: usize = 10 << 20;

/// Looks at the bytes of each file that the tool reads, and tells which it does not read.
pub(super) fn files(reading: &mut Reading<'_>) {
    let mut crlf: Vec<&str> = Vec::new();
    for file in reading.files.clone() {
        if !reading.used.contains(file.path.as_str()) {
            unread(reading, file);
            continue;
        }
        bytes(reading, file);
        let text = file.text();
        if text.contains("\r\n") {
            crlf.push(&file.path);
        }
        let other = match reading.tool {
            Tool::Goose => dbmate::is_marked(&text).then_some("dbmate"),
            Tool::Dbmate => goose::is_marked(&text).then_some("goose"),
            _ if !file.is_sql() => None,
            _ => dbmate::is_marked(&text).then_some("dbmate").or(goose::is_marked(&text).then_some("goose")),
        };
        let other = other.or_else(|| marks::other_form(reading.tool, &text).filter(|_| file.is_sql()));
        if let Some(other) = other {
            let message = format!("read as {}, but annotated for {other}", reading.tool_name());
            reading.report(&codes::MIXED_TOOLS, file, 0, message);
        }
    }
    if let Some(first) = crlf.first() {
        let message = format!("{} of {} files, the first is {first}", crlf.len(), reading.used.len());
        let finding = Finding::new(&codes::CARRIAGE_RETURNS, message).at(first, 1);
        reading.findings.push(finding);
    }
}

fn unread(reading: &mut Reading<'_>, file: &File) {
    let callback = reading.tool == Tool::Flyway && !file.name().contains("__");
    if !file.is_sql() || !file.is_at_top() || callback {
        return;
    }
    let message = format!("{} ignores a file of this name", reading.tool_name());
    reading.report(&codes::IGNORED_FILE, file, 0, message);
}

fn bytes(reading: &mut Reading<'_>, file: &File) {
    let line_of = |at: usize| file.bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    let bytes = &file.bytes;
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return reading.report(&codes::NOT_UTF8, file, 1, "the file is in UTF-16, expected UTF-8");
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        let at = error.valid_up_to();
        let message = format!("byte 0x{:02x} at offset {at} is not UTF-8", bytes.get(at).copied().unwrap_or_default());
        reading.report(&codes::NOT_UTF8, file, line_of(at), message);
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        reading.report(&codes::NUL_BYTE, file, line_of(at), format!("a zero byte at offset {at}"));
    }
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        reading.report(&codes::BYTE_ORDER_MARK, file, 1, "expected SQL, found a byte order mark (EF BB BF)");
    }
    if bytes.len() > LARGE_BYTES {
        let message = format!("{} MB, expected 10 MB at most", bytes.len() >> 20);
        reading.report(&codes::LARGE_FILE, file, 0, message);
    }
}

/// Looks at the migrations: versions, down migrations, and what their tool does with their statements.
pub(super) fn chain(reading: &mut Reading<'_>, migrations: &[Migration]) {
    if migrations.is_empty() {
        let message = format!("no file with a migration name of {}", reading.tool);
        reading.findings.push(Finding::new(&codes::NO_MIGRATIONS, message));
    }
    versions(reading, migrations);
    ways_back(reading, migrations);
    for migration in migrations {
        let is_refused = is_refused_as_empty(reading.tool, &migration.up);
        if is_refused || !migration.up.does_something() && !migration.is_placeholder() {
            let finding = match is_refused {
                true => Finding::new(&codes::UP_EMPTY, "diesel refuses a script without a statement")
                    .with_severity(Severity::Required),
                false => Finding::new(&codes::UP_EMPTY, "only comments and selects of constants"),
            };
            reading.findings.push(finding.of(&migration.version).at(&migration.up.file, migration.up.first_line));
        }
        for script in [Some(&migration.up), migration.down.as_ref()].into_iter().flatten() {
            let reported = statements(reading, script);
            reading.findings.extend(reported.into_iter().map(|finding| finding.of(&migration.version)));
        }
    }
}

/// Returns whether the tool ends with an error because a script has no statement.
// Source: diesel_migrations file_based_migrations.rs, `EmptyMigration`, for blanks; libpq's PGRES_EMPTY_QUERY for comments.
// Measured with diesel 2.3.
fn is_refused_as_empty(tool: Tool, script: &Script) -> bool {
    tool == Tool::Diesel && script.foreign.is_none() && script.statements.is_empty()
}

fn versions(reading: &mut Reading<'_>, migrations: &[Migration]) {
    let versioned: Vec<&Migration> = migrations.iter().filter(|found| found.kind == Kind::Versioned).collect();
    let same = |a: &str, b: &str| a == b || reading.tool != Tool::Diesel && is_number(a) && number(a) == number(b);
    let mut reported = Vec::new();
    for pair in versioned.windows(2) {
        if same(&pair[0].version, &pair[1].version) {
            let message = format!("`{}` has the same version {}", pair[0].up.file, pair[0].version);
            let finding = Finding::new(&codes::DUPLICATE_VERSION, message);
            reported.push(finding.of(&pair[1].version).at(&pair[1].up.file, 0));
        }
    }
    reported.extend(gaps(&versioned));
    reading.findings.extend(reported);
}

fn is_number(version: &str) -> bool {
    !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reports numbers that are missing, where nearly all versions follow each other by one.
fn gaps(migrations: &[&Migration]) -> Vec<Finding> {
    let numbers: Vec<u64> = migrations.iter().filter_map(|found| found.version.parse().ok()).collect();
    let steps = numbers.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
    if numbers.len() != migrations.len() || steps * 5 < numbers.len().saturating_sub(1) * 4 {
        return Vec::new();
    }
    let gap = |(pair, migration): (&[u64], &&Migration)| {
        let missing = match pair[1].saturating_sub(pair[0]) {
            0 | 1 => return None,
            2 => format!("number {} is missing", pair[0] + 1),
            _ => format!("numbers {} to {} are missing", pair[0] + 1, pair[1] - 1),
        };
        let finding = Finding::new(&codes::VERSION_GAP, missing);
        Some(finding.of(&migration.version).at(&migration.up.file, 0))
    };
    numbers.windows(2).zip(migrations.iter().skip(1)).filter_map(gap).collect()
}

/// Reports missing and empty down migrations; once for the folder where it has none at all.
fn ways_back(reading: &mut Reading<'_>, migrations: &[Migration]) {
    let versioned: Vec<&Migration> = migrations.iter().filter(|found| found.kind == Kind::Versioned).collect();
    let has_none = versioned.iter().all(|found| found.down.is_none());
    if has_none && !reading.tool.has_downs() {
        return;
    }
    if writes_no_downs(reading.tool, migrations) {
        let why = if reading.tool == Tool::Refinery { ": refinery has none" } else { "" };
        return reading.findings.push(without_downs(versioned.len(), why));
    }
    if has_none && versioned.len() > 1 {
        let message = format!("none of {} migrations has a down migration", versioned.len());
        return reading.findings.push(Finding::new(&codes::DOWN_MISSING, message));
    }
    for migration in versioned {
        let (code, file, line, message) = match &migration.down {
            None => (&codes::DOWN_MISSING, &migration.up.file, 0, "there is no down migration"),
            Some(down) if is_refused_as_empty(reading.tool, down) => {
                (&codes::DOWN_EMPTY, &down.file, down.first_line, "diesel refuses a script without a statement")
            }
            Some(_) if migration.is_placeholder() => continue,
            Some(down) if !down.does_something() => {
                let message = "only comments and selects of constants";
                (&codes::DOWN_EMPTY, &down.file, down.first_line, message)
            }
            Some(_) => continue,
        };
        reading.findings.push(Finding::new(code, message).of(&migration.version).at(file, line));
    }
}

/// Reports the statements that this tool can't run as they stand.
fn statements(reading: &Reading<'_>, script: &Script) -> Vec<Finding> {
    let (tool, tool_name) = (reading.tool, reading.tool_name());
    let by_psql = matches!(tool, Tool::Plain | Tool::Sqitch) && reading.form.is_none_or(Form::is_by_psql);
    let is_wrapped = script.transaction == Transaction::Wrapped;
    let in_transaction = match script.transaction {
        Transaction::Wrapped => true,
        Transaction::Implicit => script.statements.len() > 1,
        // One message with several statements is one transaction, whatever its mark states.
        Transaction::Bare => script.batches.len() == 1 && script.statements.len() > 1,
    };
    let mut reported = Vec::new();
    for statement in &script.statements {
        let mut tell = |finding: Finding| reported.push(finding.at_statement(script, statement));
        for found in &statement.traits {
            match found {
                Trait::MetaCommand(_) if tool == Tool::Sqitch => {}
                Trait::MetaCommand(name) => {
                    let finding = Finding::new(&codes::META_COMMAND, format!("`\\{name}` is a psql command"));
                    tell(if by_psql { finding.with_severity(Severity::Warning) } else { finding });
                }
                Trait::CopyFromStdin(_) if !by_psql => {
                    let message = format!("{tool_name} sends the rows of COPY .. FROM STDIN as SQL");
                    tell(Finding::new(&codes::COPY_DATA, message));
                }
                Trait::Unterminated(what) => {
                    tell(Finding::new(&codes::UNTERMINATED, format!("a {what} in this statement is not closed")));
                }
                Trait::TransactionControl if is_wrapped && split::is_idle(script.text_of(statement)) => {
                    let message = format!("{tool_name} opens the transaction itself");
                    tell(Finding::new(&codes::TRANSACTION_IN_TRANSACTION, message));
                }
                Trait::Concurrently if in_transaction => {
                    tell(Finding::new(&codes::CONCURRENTLY_IN_TRANSACTION, wrapped_by(tool_name, script)));
                }
                Trait::OutsideTransaction if in_transaction => {
                    tell(Finding::new(&codes::OUTSIDE_TRANSACTION, wrapped_by(tool_name, script)));
                }
                _ => {}
            }
        }
    }
    reported
}

fn wrapped_by(tool: &str, script: &Script) -> String {
    match script.transaction {
        Transaction::Wrapped => format!("{tool} runs the script in a transaction"),
        Transaction::Implicit | Transaction::Bare => {
            format!("{tool} sends all statements in one message, which the server runs as one transaction")
        }
    }
}
