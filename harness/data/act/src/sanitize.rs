//! The key of an environment's replacements, and values of a source by which rules are suggested.

use std::{
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::Duration,
};

use stagegate_data_decide::{
    sanitize::{Key, Personal, Rule, Rules, Suggestion, assign, by_name, by_samples, by_type, personal},
    sync::{Column, Table},
};
use stagegate_host::{
    database::{DatabaseError, ReadLimits, Server},
    files,
};

use crate::sync::source::Snapshot;

/// The file of the key, in the target's state folder.
const FILE: &str = "sanitize.key";

/// Reads the key of an environment's replacements, and makes it where there is none; only its owner may read the file.
///
/// # Errors
/// The system's, and where the file holds something else or others may read it.
pub fn key(folder: &Path) -> io::Result<Key> {
    let path = folder.join(FILE);
    files::write_once(&path, || {
        let mut bytes = [0_u8; 16];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes())
    })?;
    let wrong = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {reason}", path.display()));
    if std::fs::metadata(&path)?.permissions().mode() & 0o077 != 0 {
        return Err(wrong("others may read the key; run chmod 600, or remove it so that a new one is made"));
    }
    let text = std::fs::read_to_string(&path)?;
    let digits = text.trim();
    let byte = |at: usize| digits.get(at * 2..at * 2 + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Option<Vec<u8>> = (0..16).map(byte).collect();
    let bytes: Option<[u8; 16]> = bytes.filter(|_| digits.len() == 32).and_then(|bytes| bytes.try_into().ok());
    bytes.map(Key::new).ok_or_else(|| {
        wrong("it does not hold 32 hexadecimal digits; remove it, and the next sync makes a new key, which gives other replacements")
    })
}

/// Proposes rules for the columns of a database, by their names, types, comments and some of their values.
///
/// # Errors
/// [`DatabaseError`] where the database cannot be read.
pub async fn suggestions(server: &Server, database: &str, rules: &Rules) -> Result<Vec<Suggestion>, DatabaseError> {
    let limits = ReadLimits::for_snapshot(Duration::from_secs(300));
    let snapshot = Snapshot::open(server, database, limits).await?;
    let mut tables = snapshot.tables().await?;
    snapshot.note_personal(&mut tables).await?;
    let known = assign(&mut tables.clone(), rules);
    let mut found = Vec::new();
    for table in &tables {
        // A partition's columns are those of the partitioned table, and so are the rules.
        let label = table.labels().last().unwrap_or_else(|| table.label());
        for column in &table.columns {
            let name = format!("{}.{}", table.label(), column.name);
            let has_rule =
                |label: String| rules.tables.get(&label).is_some_and(|columns| columns.contains_key(&column.name));
            let own = table.labels().any(has_rule);
            if own || column.references.is_some() && known.sanitised.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let suggestion = |rule: Option<Rule>, why: String| Suggestion {
                table: label.clone(),
                column: column.name.clone(),
                rule,
                why: why.split_whitespace().collect::<Vec<_>>().join(" "),
            };
            let by_name = match by_name(&label, column) {
                // The profile has it.
                Some(Rule::Keep) if rules.has_profile || !column.is_free_text => continue,
                Some(Rule::Keep) => Some((Rule::Keep, "a table of a tool")),
                found => found.map(|rule| (rule, "its name")),
            };
            if let Some((rule, why)) = by_name {
                add(&mut found, suggestion(Some(rule), why.to_owned()));
                continue;
            }
            if let Some((rule, why)) = by_values(&snapshot, table, column).await? {
                add(&mut found, suggestion(rule, why));
            }
        }
    }
    Ok(found)
}

/// Adds a suggestion; of those of a table's partitions one with a rule is kept.
fn add(found: &mut Vec<Suggestion>, one: Suggestion) {
    match found.iter_mut().find(|known| known.table == one.table && known.column == one.column) {
        Some(known) if known.rule.is_none() => *known = one,
        Some(_) => (),
        None => found.push(one),
    }
}

/// Returns the rule that a column needs by what it holds, and what speaks for it; `None` where it needs none.
async fn by_values(
    snapshot: &Snapshot,
    table: &Table,
    column: &Column,
) -> Result<Option<(Option<Rule>, String)>, DatabaseError> {
    if let Some(Personal::Undecided(rule, why)) = personal(&table.label(), column) {
        return Ok(Some((rule, why.to_owned())));
    }
    if column.looks_personal {
        return Ok(Some((Some(Rule::Number), "its values look like numbers of payment cards".to_owned())));
    }
    if !column.is_free_text {
        return Ok(None);
    }
    let samples = snapshot.samples(table, &column.name).await?;
    let is_text = matches!(column.type_name.as_str(), "text" | "varchar" | "citext");
    let by = by_samples(column, &samples).filter(|_| is_text).or_else(|| by_type(column));
    Ok(Some(match by {
        Some((rule, why)) => (Some(rule), why),
        None => (None, format!("type {}", column.type_name)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_is_private_and_a_damaged_one_is_refused() {
        let dir = std::env::temp_dir().join(format!("stagegate-key-{}", std::process::id()));
        let made = key(&dir).unwrap();
        assert_eq!(key(&dir).unwrap(), made);
        let path = dir.join(FILE);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let open = key(&dir).unwrap_err().to_string();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "short").unwrap();
        let damaged = key(&dir).unwrap_err().to_string();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(mode, 0o600);
        assert!(open.contains("others may read") && damaged.contains("32 hexadecimal digits"), "{open} {damaged}");
    }
}
