//! sqlx, golang-migrate and plain folders: one file for each direction, the version in front.
// Source: sqlx-core migrate/source.rs; golang-migrate source/parse.go.

use std::collections::BTreeMap;

use super::{
    super::{Migration, Script, Tool, Trait, Transaction, codes, script::Sending},
    File, Reading,
    marks::Form,
    migration,
    name::{ROLLBACKS, digits, fits, is_directed, number, postgrator, without},
};

/// A file name, read.
struct Named<'a> {
    version: &'a str,
    name: &'a str,
    is_down: bool,
}

/// What stands under one version and name.
#[derive(Default)]
struct Pair<'a> {
    up: Option<&'a File>,
    down: Option<&'a File>,
}

pub(super) fn read(reading: &mut Reading<'_>) -> Vec<Migration> {
    let mut pairs: BTreeMap<(&str, &str), Pair<'_>> = BTreeMap::new();
    for file in reading.files.clone() {
        let is_read = file.is_sql() || foreign(reading, file).is_some();
        if !file.is_at_top() || !is_read {
            continue;
        }
        let Some(named) = named(reading, file) else { continue };
        reading.uses(file);
        if let Some(language) = foreign(reading, file) {
            reading.report(&codes::FOREIGN_STEP, file, 0, format!("a step in {language}"));
        }
        // sqlx and golang-migrate join by version alone; two names under one version are reported as duplicates.
        let pair = pairs.entry((named.version, named.name)).or_default();
        let place = if named.is_down { &mut pair.down } else { &mut pair.up };
        match place {
            None => *place = Some(file),
            Some(other) => {
                let message = format!("`{}` has the same version {}", other.path, named.version);
                reading.report(&codes::DUPLICATE_VERSION, file, 0, message);
            }
        }
    }
    join_by_version(reading.tool, &mut pairs);
    let mut found: Vec<((&str, &str), Pair<'_>)> = pairs.into_iter().collect();
    found.sort_by(|((a, x), _), ((b, y), _)| order(a).cmp(&order(b)).then(x.cmp(y)));
    found.into_iter().filter_map(|((version, name), pair)| joined(reading, version, name, &pair)).collect()
}

/// Returns the language of a migration that is not SQL: one direction in Go, as tools of a project's own run it between scripts
/// (Concourse's `1_name.up.go`), or both in a module of node-pg-migrate's.
fn foreign(reading: &Reading<'_>, file: &File) -> Option<&'static str> {
    if reading.tool != Tool::Sqlx && [".up.go", ".down.go"].iter().any(|end| file.name().ends_with(end)) {
        return Some("Go");
    }
    let is_numbered = !digits(file.name()).0.is_empty();
    let is_module = MODULES.iter().any(|end| file.name().ends_with(end)) && !file.name().ends_with(".d.ts");
    (reading.form == Some(Form::NodePgMigrate) && is_numbered && is_module).then_some("JavaScript")
}

/// How modules of JavaScript and TypeScript end.
const MODULES: [&str; 5] = [".js", ".cjs", ".mjs", ".ts", ".mts"];

fn order(version: &str) -> (bool, (usize, &str), &str) {
    let is_number = version.bytes().all(|b| b.is_ascii_digit());
    (!is_number, if is_number { number(version) } else { (0, "") }, version)
}

/// Joins an up and a down of one version whose names differ, as tools do that look at the version only; without a known
/// tool, if the version is a number.
fn join_by_version<'a>(tool: Tool, pairs: &mut BTreeMap<(&'a str, &'a str), Pair<'a>>) {
    let is_version = |version: &str| tool != Tool::Plain || version.bytes().all(|byte| byte.is_ascii_digit());
    let is_alone = |(version, _): &(&str, &str), pair: &Pair<'_>| pair.up.is_none() && is_version(version);
    let alone: Vec<(&str, &str)> =
        pairs.iter().filter(|(key, pair)| is_alone(key, pair)).map(|(key, _)| *key).collect();
    for key in alone {
        let ups: Vec<(&str, &str)> = pairs
            .iter()
            .filter(|((version, _), pair)| *version == key.0 && pair.up.is_some() && pair.down.is_none())
            .map(|(key, _)| *key)
            .collect();
        let [up] = ups.as_slice() else { continue };
        let down = pairs.remove(&key).and_then(|pair| pair.down);
        pairs.entry(*up).or_default().down = down;
    }
}

fn named<'a>(reading: &mut Reading<'a>, file: &'a File) -> Option<Named<'a>> {
    match reading.tool {
        Tool::GolangMigrate => golang(file.name()),
        Tool::Sqlx => {
            let found = sqlx(file.name());
            // What has another ending or no `_`, sqlx passes over.
            if found.is_none() && file.name().ends_with(".sql") && file.name().contains('_') {
                reading.refuses(file, "`<number>_<name>.sql`, `.up.sql` or `.down.sql`");
            }
            found
        }
        _ => plain(file.name()),
    }
}

fn sqlx(name: &str) -> Option<Named<'_>> {
    let (version, rest) = name.split_once('_')?;
    if !fits(version) {
        return None;
    }
    let stem = rest.strip_suffix(".sql")?;
    Some(match (stem.strip_suffix(".up"), stem.strip_suffix(".down")) {
        (Some(name), _) => Named { version, name, is_down: false },
        (_, Some(name)) => Named { version, name, is_down: true },
        _ => Named { version, name: stem, is_down: false },
    })
}

fn golang(file: &str) -> Option<Named<'_>> {
    let (version, rest) = file.split_once('_')?;
    if version.parse::<u64>().is_err() {
        return None;
    }
    let (stem, _extension) = rest.rsplit_once('.')?;
    let up = stem.strip_suffix(".up").map(|name| Named { version, name, is_down: false });
    up.or_else(|| stem.strip_suffix(".down").map(|name| Named { version, name, is_down: true }))
}

fn plain(file: &str) -> Option<Named<'_>> {
    let stem = [".sql", ".go"].iter().chain(&MODULES).find_map(|end| without(file, end))?;
    let direction = |ends: &[&str]| ends.iter().find_map(|end| without(stem, end));
    let down = direction(&[".down", "_down", "-down"]).or_else(|| direction(&ROLLBACKS));
    let name = down.or_else(|| direction(&[".up", "_up", "-up"])).unwrap_or(stem);
    let (version, rest) = digits(name);
    if version.is_empty() {
        return Some(Named { version: name, name: "", is_down: down.is_some() });
    }
    let (rest, is_undo) = postgrator(rest);
    let name = rest.trim_start_matches(['_', '-', '.', ' ']);
    Some(Named { version, name, is_down: down.is_some() || is_undo })
}

fn joined(reading: &mut Reading<'_>, version: &str, name: &str, pair: &Pair<'_>) -> Option<Migration> {
    let Some(up) = pair.up else {
        if let Some(down) = pair.down {
            reading.report(&codes::DOWN_WITHOUT_UP, down, 0, format!("version {version} has no up migration"));
        }
        return None;
    };
    let down = pair.down.map(|file| script(reading, file));
    let (up_script, down) = match reading.form {
        Some(form) if !is_directed(up.name()) && foreign(reading, up).is_none() => {
            let sections = form.sections(reading, up);
            (sections.up, sections.down.or(down))
        }
        _ => (script(reading, up), down),
    };
    let mut found = migration(version, name, up_script, down);
    if reading.tool == Tool::Sqlx {
        found.checksum = Some(super::super::script::hex(&<sha2::Sha384 as sha2::Digest>::digest(&up.bytes)));
    }
    Some(found)
}

fn script(reading: &Reading<'_>, file: &File) -> Script {
    if let Some(language) = foreign(reading, file) {
        return Script::foreign(&file.path, &format!("a step in {language}, and no script stands in for it"));
    }
    let text = file.text();
    match reading.tool {
        Tool::Sqlx if text.starts_with("-- no-transaction") => {
            Script::new(&file.path, 1, &text, Transaction::Bare, Sending::Whole)
        }
        Tool::Sqlx => Script::new(&file.path, 1, &text, Transaction::Wrapped, Sending::Whole),
        Tool::GolangMigrate => Script::new(&file.path, 1, &text, Transaction::Implicit, Sending::Whole),
        _ => {
            let mut script = Script::new(&file.path, 1, &text, Transaction::Wrapped, Sending::Each);
            let own = |found: &Trait| {
                matches!(found, Trait::TransactionControl | Trait::Concurrently | Trait::OutsideTransaction)
            };
            // Who writes BEGIN, or what no transaction takes, does not run the file in one.
            if script.statements.iter().any(|statement| statement.traits.iter().any(own)) {
                script.transaction = Transaction::Bare;
            }
            script
        }
    }
}
