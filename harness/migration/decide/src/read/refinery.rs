//! refinery: `V1__name.sql` or `U1__name.sql`, in any folder; there is no down migration.
// Source: refinery_core src/util.rs and runner.rs: the checksum is SipHash 1-3 over name, version and text.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;
use stagegate_base::record::Severity;

use super::{
    super::{Finding, Migration, Script, Transaction, codes, script::Sending},
    Reading, migration,
    name::{digits, number},
};

pub(super) fn read(reading: &mut Reading<'_>) -> Vec<Migration> {
    let mut found = Vec::new();
    for file in reading.files.clone() {
        let is_rust = file.name().ends_with(".rs");
        let Some((version, name)) = named(file.name()) else {
            // Other names refinery passes over; measured with refinery 0.10.
            continue;
        };
        reading.uses(file);
        if version.parse::<i32>().is_err() {
            let message = "refinery takes versions of 32 bits, unless it is built with its feature `int8-versions`";
            let finding = Finding::new(&codes::BAD_NAME, message).with_severity(Severity::Warning);
            reading.findings.push(finding.of(version).at(&file.path, 0));
        }
        if is_rust {
            reading.report(&codes::FOREIGN_STEP, file, 0, "a step in Rust");
            found.push(migration(
                version,
                name,
                Script::foreign(&file.path, "a step in Rust, and no script stands in for it"),
                None,
            ));
            continue;
        }
        let text = file.text();
        let script = Script::new(&file.path, 1, &text, Transaction::Wrapped, Sending::Whole);
        let mut step = migration(version, name, script, None);
        step.checksum = checksum(version, name, &text);
        found.push(step);
    }
    found.sort_by(|a, b| number(&a.version).cmp(&number(&b.version)));
    found
}

/// Splits `V1__name.sql` into version and name.
pub(super) fn named(file: &str) -> Option<(&str, &str)> {
    let (stem, extension) = file.rsplit_once('.')?;
    let (version, rest) = digits(stem.strip_prefix(['V', 'U'])?);
    let name = rest.strip_prefix("__")?;
    let is_word = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (matches!(extension, "sql" | "rs") && !version.is_empty() && is_word).then_some((version, name))
}

/// Returns the sum that refinery writes into its table, for versions of 32 bits.
// `str` hashes as its bytes and 0xff, `i32` as its four bytes, lowest first.
fn checksum(version: &str, name: &str, text: &str) -> Option<String> {
    let version: i32 = version.parse().ok()?;
    let mut hasher = SipHasher13::new();
    let mut parts = name.as_bytes().to_vec();
    parts.push(0xff);
    parts.extend(version.to_le_bytes());
    hasher.write(&parts);
    hasher.write(text.as_bytes());
    hasher.write(&[0xff]);
    Some(hasher.finish().to_string())
}

#[cfg(test)]
mod tests {
    use std::hash::Hash;

    use super::*;

    #[test]
    fn the_checksum_is_what_the_tool_feeds_into_its_hasher() {
        // Source: refinery_core runner.rs, `Migration::checksum`: name, version and text, by their own `Hash`.
        let (name, version, text) =
            (String::from("add_orders"), 12_i32, String::from("CREATE TABLE orders (id INT);\n"));
        let mut hasher = SipHasher13::new();
        name.hash(&mut hasher);
        version.hash(&mut hasher);
        text.hash(&mut hasher);
        assert_eq!(checksum("12", &name, &text), Some(hasher.finish().to_string()));
    }
}
