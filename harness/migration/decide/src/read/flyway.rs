//! Flyway: `V1.2__name.sql`, `U1.2__name.sql` for the down migration, `R__name.sql` whenever it changes; in any folder.
// Source: Flyway's manual (migrations, naming); its checksum is CRC-32 over the lines without their ends.

use std::collections::BTreeMap;

use super::{
    super::{Kind, Migration, Script, Trait, Transaction, codes, script::Sending},
    File, Reading, migration,
};

pub(super) fn read(reading: &mut Reading<'_>) -> Vec<Migration> {
    let (mut ups, mut repeatable, mut downs) = (Vec::new(), Vec::new(), BTreeMap::new());
    for file in reading.files.clone() {
        let Some(named) = named(file.name()) else { continue };
        reading.uses(file);
        match named.prefix {
            'R' => repeatable.push((named.name, file)),
            'U' => drop(downs.insert(parts(named.version), file)),
            _ if parts(named.version).is_empty() => reading.refuses(file, "a version such as `1.2` or `2024_01_31`"),
            _ => ups.push((named, file)),
        }
    }
    ups.sort_by_key(|(named, _)| parts(named.version));
    repeatable.sort_by_key(|(name, _)| *name);
    let mut found: Vec<Migration> = Vec::new();
    for (named, file) in ups {
        let down = downs.remove(&parts(named.version)).map(|file| script(reading, file));
        let mut step = migration(named.version, named.name, script(reading, file), down);
        step.checksum = Some(checksum(&file.text()).to_string());
        found.push(step);
    }
    for file in downs.into_values() {
        reading.report(&codes::DOWN_WITHOUT_UP, file, 0, "there is no migration of this version");
    }
    for (name, file) in repeatable {
        let mut step = migration("", name, script(reading, file), None);
        step.kind = Kind::Repeatable;
        step.checksum = Some(checksum(&file.text()).to_string());
        found.push(step);
    }
    found
}

/// A file name, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) prefix: char,
    pub(super) version: &'a str,
    pub(super) name: &'a str,
}

/// Splits `V1.2__name.sql`; callbacks such as `afterMigrate.sql` give `None`.
pub(super) fn named(file: &str) -> Option<Named<'_>> {
    let stem = file.strip_suffix(".sql")?;
    let prefix = stem.chars().next().filter(|prefix| matches!(prefix, 'V' | 'U' | 'R'))?;
    let (version, name) = stem[1..].split_once("__").unwrap_or((&stem[1..], ""));
    let is_version = version.starts_with(|c: char| c.is_ascii_digit())
        && version.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '_');
    let is_right = if prefix == 'R' { version.is_empty() && !name.is_empty() } else { is_version };
    is_right.then_some(Named { prefix, version, name })
}

/// Returns the numbers of a version; zeros at its end don't count.
pub(in super::super) fn parts(version: &str) -> Vec<u128> {
    let mut parts: Vec<u128> = version.split(['.', '_']).filter_map(|part| part.parse().ok()).collect();
    while parts.len() > 1 && parts.last() == Some(&0) {
        parts.pop();
    }
    parts
}

fn script(reading: &mut Reading<'_>, file: &File) -> Script {
    let text = file.text();
    let mut script = Script::new(&file.path, 1, &text, Transaction::Wrapped, Sending::Each);
    let outside = |found: &Trait| matches!(found, Trait::Concurrently | Trait::OutsideTransaction);
    let count = script.statements.iter().filter(|statement| statement.traits.iter().any(outside)).count();
    // Flyway leaves its transaction out where every statement needs that, and refuses a mixture.
    if count > 0 && count == script.statements.len() || is_set(reading, file, "executeInTransaction=false") {
        script.transaction = Transaction::Bare;
    }
    if let Some(at) = text.find("${").filter(|_| !is_set(reading, file, "placeholderReplacement=false")) {
        let message = "a placeholder `${..}`, which Flyway substitutes from its configuration";
        reading.report(&codes::PLACEHOLDER, file, script.line_of(at), message);
        // Within comments alone it changes nothing.
        if script.statements.iter().any(|statement| script.text_of(statement).contains("${")) {
            script.foreign = Some("a placeholder of Flyway's, and no script stands in for it".to_owned());
        }
    }
    script
}

/// Returns whether the file next to it, `<name>.sql.conf`, has a setting.
fn is_set(reading: &Reading<'_>, file: &File, setting: &str) -> bool {
    let path = format!("{}.conf", file.path);
    let alongside = reading.files.iter().find(|other| other.path == path);
    alongside.is_some_and(|conf| conf.text().lines().any(|line| line.replace(' ', "").eq_ignore_ascii_case(setting)))
}

/// Returns Flyway's checksum: CRC-32 over the bytes of all lines without their ends, as a signed number.
fn checksum(text: &str) -> i32 {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut sum = u32::MAX;
    for byte in text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xEDB8_8320 } else { sum >> 1 };
        }
    }
    i32::from_ne_bytes((!sum).to_ne_bytes())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::Route;

    #[test]
    fn the_checksum_is_crc_32_without_line_ends() {
        // The check value of CRC-32 (ISO-HDLC) over 123456789 is cbf43926.
        assert_eq!(checksum("1234\r\n567\n89\n"), 0xCBF4_3926_u32 as i32);
        assert_eq!(checksum("\u{feff}"), 0);
    }

    #[rstest]
    #[case::table("CREATE TABLE ${schema}.a (x int);", None, true)]
    #[case::string("INSERT INTO a VALUES ('${owner}');", None, true)]
    #[case::body("DO $$ BEGIN EXECUTE '${what}'; END $$;", None, true)]
    #[case::comment("-- ${flyway:timestamp}\nSELECT f();", None, false)]
    #[case::switched_off("INSERT INTO a VALUES ('${owner}');", Some("placeholderReplacement = false"), false)]
    fn a_script_with_a_placeholder_is_not_run(#[case] text: &str, #[case] conf: Option<&str>, #[case] want: bool) {
        let file = |path: &str, text: &str| File { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
        let mut files = vec![file("V1__a.sql", text), file("U1__a.sql", text)];
        files.extend(conf.iter().flat_map(|conf| [file("V1__a.sql.conf", conf), file("U1__a.sql.conf", conf)]));
        let chain = crate::chain(&files, Some(crate::Tool::Flyway)).unwrap();
        let up = &chain.migrations[0].up;
        assert_eq!(matches!(up.route(), Route::Unreadable(_)), want);
        let is_reported = chain.findings.iter().any(|finding| finding.code == "placeholder");
        assert_eq!(is_reported, conf.is_none(), "{:?}", chain.findings);
    }

    #[test]
    fn a_script_with_a_placeholder_is_replaced_by_a_stand_in() {
        let file = |path: &str, text: &str| File { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
        let mut chain =
            crate::chain(&[file("V1__a.sql", "CREATE TABLE ${s}.a ();")], Some(crate::Tool::Flyway)).unwrap();
        crate::stand_in(&mut chain, &[file("1.up.sql", "CREATE TABLE a ();")]);
        assert_eq!(chain.migrations[0].up.route(), Route::Session);
        assert!(chain.findings[0].found.contains("1.up.sql is run instead"), "{:?}", chain.findings);
    }
}
