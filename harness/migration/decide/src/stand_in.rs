//! SQL in the place of steps in Go or Rust and of scripts with placeholders, so that a chain can be run to its end.

use stagegate_base::record::Severity;

use super::{Chain, File, Finding, Script, Transaction, codes, script::Sending};

/// Puts files in the place of the steps of a chain that are not SQL: `<version>.up.sql` and `<version>.down.sql`, or with
/// the migration's whole name in front. What it replaces stays reported, as a notice; a file that replaces nothing is one.
pub fn stand_in(chain: &mut Chain, files: &[File]) {
    let mut used: Vec<&str> = Vec::new();
    for migration in &mut chain.migrations {
        let names = [migration.version.clone(), migration.label()];
        let of = |direction: &str| {
            files.iter().find(|file| names.iter().any(|name| file.name() == format!("{name}.{direction}.sql")))
        };
        let scripts = [("up", Some(&mut migration.up)), ("down", migration.down.as_mut())];
        for (direction, script) in scripts {
            let (Some(script), Some(file)) = (script.filter(|script| script.foreign.is_some()), of(direction)) else {
                continue;
            };
            let step = std::mem::replace(
                script,
                Script::new(&file.path, 1, &file.text(), Transaction::Wrapped, Sending::Each),
            );
            used.push(&file.path);
            replaced(&mut chain.findings, &step.file, &file.path);
        }
    }
    let unused = files.iter().filter(|file| !used.contains(&file.path.as_str()));
    chain.findings.extend(unused.map(|file| {
        let message = "no step in Go or Rust and no script with a placeholder has this version and direction, so nothing is replaced";
        Finding::new(&codes::IGNORED_FILE, message).at(&file.path, 0)
    }));
}

/// States of a step that it is tested by what stands in its place.
fn replaced(findings: &mut [Finding], step: &str, by: &str) {
    for finding in findings.iter_mut() {
        let is_unread = finding.code == codes::FOREIGN_STEP.id || finding.code == codes::PLACEHOLDER.id;
        let is_of_step = is_unread && finding.place.file.as_deref() == Some(step);
        if is_of_step {
            finding.found.push_str(&format!("; {by} is run instead"));
            finding.severity = Severity::Info;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Route, chain};

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn a_step_in_go_is_replaced_by_the_script_of_its_version_and_stays_reported() {
        let sql = "-- +goose Up\nSELECT f();\n-- +goose Down\nSELECT g();";
        let mut chain = chain(&[file("1_a.sql", sql), file("2_b.go", ""), file("3_c.go", "")], None).unwrap();
        let with = [
            file("2.up.sql", "update t set a = 1;"),
            file("2_b.down.sql", "select 1;"),
            file("1.up.sql", "drop table t;"),
        ];
        stand_in(&mut chain, &with);
        let [first, second, third] = chain.migrations.as_slice() else { panic!("{:?}", chain.migrations) };
        assert_eq!((first.up.file.as_str(), second.up.file.as_str()), ("1_a.sql", "2.up.sql"));
        assert_eq!(second.down.as_ref().unwrap().file, "2_b.down.sql");
        assert!(second.up.route() == Route::Session && matches!(third.up.route(), Route::Unreadable(_)));
        let reported: Vec<String> =
            chain.findings.iter().map(|f| format!("{} {}", f.severity.label(), f.found)).collect();
        assert!(reported[0].contains("2.up.sql is run instead; 2_b.down.sql is run instead"), "{reported:?}");
        assert_eq!(chain.findings[0].severity, Severity::Info);
        assert_eq!((reported[1].contains("instead"), chain.findings[1].severity), (false, Severity::Warning));
        assert_eq!(chain.findings[2].code, "ignored-file", "SQL is never replaced");
    }
}
