//! Sqitch: the order stands in `sqitch.plan`; the scripts in `deploy/` and `revert/`.
// Source: Sqitch's manual, sqitchplan and sqitch-rework: a change that is reworked has its earlier scripts under `name@tag.sql`.

use std::collections::BTreeMap;

use super::{
    super::{Migration, Script, Transaction, codes, script::Sending},
    File, Reading, migration,
};

pub(super) fn read(reading: &mut Reading<'_>) -> Vec<Migration> {
    let Some(plan) = reading.files.iter().copied().find(|file| file.name() == "sqitch.plan") else {
        return Vec::new();
    };
    reading.uses(plan);
    let top = if plan.folder().is_empty() { String::new() } else { format!("{}/", plan.folder()) };
    let text = plan.text();
    let mut found = Vec::new();
    for change in changes(&text) {
        let files = reading.files.clone();
        let named = |folder: &str, script: &str| {
            let path = format!("{top}{folder}/{script}.sql");
            files.iter().copied().find(|file| file.path == path)
        };
        let there = change.scripts.iter().find_map(|script| Some((script, named("deploy", script)?)));
        let Some((script_name, up)) = there else {
            let expected = change.scripts.first().unwrap_or(&change.name);
            let message = format!("expected `{top}deploy/{expected}.sql`, found none");
            reading.report(&codes::BAD_NAME, plan, change.line, message);
            continue;
        };
        reading.uses(up);
        let down = named("revert", script_name);
        if let Some(down) = down {
            reading.uses(down);
        }
        found.push(migration(script_name, script_name, script(up), down.map(script)));
    }
    found
}

fn script(file: &File) -> Script {
    Script::new(&file.path, 1, &file.text(), Transaction::Bare, Sending::Each)
}

/// A change of a plan.
struct Change {
    line: usize,
    name: String,
    /// The tags that stand after it.
    tags: Vec<String>,
    /// The names that its scripts may have, the best one first.
    scripts: Vec<String>,
}

/// Returns the changes of a plan. The scripts of one that is reworked later are named after a tag between the two: the
/// newest one whose deploy script is there.
// Source: App::Sqitch, Plan.pm `_parse` (rework tags, newest first) and Plan/Change.pm `path_segments`.
fn changes(plan: &str) -> Vec<Change> {
    let mut found: Vec<Change> = Vec::new();
    let mut newest: BTreeMap<String, usize> = BTreeMap::new();
    for (index, line) in plan.lines().enumerate() {
        let Some(word) = line.split_whitespace().next().filter(|word| !word.starts_with(['%', '#'])) else { continue };
        if let Some(tag) = word.strip_prefix('@') {
            if let Some(last) = found.last_mut() {
                last.tags.push(tag.to_owned());
            }
            continue;
        }
        let name = word.trim_start_matches(['+', '-']).to_owned();
        if let Some(&at) = newest.get(&name) {
            let tags = found[at..].iter().rev().flat_map(|change| &change.tags);
            let scripts: Vec<String> = tags.map(|tag| format!("{name}@{tag}")).collect();
            if !scripts.is_empty() {
                found[at].scripts = scripts;
            }
        }
        newest.insert(name.clone(), found.len());
        found.push(Change { line: index + 1, scripts: vec![name.clone()], name, tags: Vec::new() });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_scripts(plan: &str) -> Vec<String> {
        changes(plan).into_iter().map(|change| change.scripts[0].clone()).collect()
    }

    // Source: Sqitch's tutorial, "In Place Changes": `sqitch rework` copies to `deploy/userflips@v1.0.0-dev2.sql`, the tag
    // before the rework, though `@v1.0.0-dev1` stands between the two as well.
    #[test]
    fn a_reworked_change_has_its_earlier_scripts_under_the_last_tag_before_the_rework() {
        let plan = "%project=x\n\nusers 2024-01-01T00:00:00Z a <a@b> # note\n@v1 2024-01-02T00:00:00Z a <a@b>\nlogs [users] 2024 a\n@v2\nusers [users@v2] 2024 a\n";
        assert_eq!(first_scripts(plan), ["users@v2", "logs", "users"]);
        let several = "users 2024 a\n@v1\nusers [users@v1] 2024 a\nlogs 2024 a\n@v2\n@v2b\nmore 2024 a\nusers [users@v2b] 2024 a\n";
        assert_eq!(first_scripts(several), ["users@v1", "users@v2", "logs", "more", "users"]);
    }

    #[test]
    fn of_several_tags_the_one_whose_script_is_there_counts() {
        let text = "users 2024 a\n@v1\nlogs 2024 a\n@v2\nusers [users@v2] 2024 a\n";
        let file = |path: &str, text: &str| File { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
        let files = [
            file("sqitch.plan", text),
            file("deploy/users@v1.sql", "select 1;"),
            file("revert/users@v1.sql", "select 2;"),
            file("deploy/logs.sql", "select 3;"),
            file("deploy/users.sql", "select 4;"),
        ];
        let chain = super::super::chain(&files, Some(super::super::Tool::Sqitch)).unwrap();
        let up: Vec<&str> = chain.migrations.iter().map(|migration| migration.up.file.as_str()).collect();
        assert_eq!(up, ["deploy/users@v1.sql", "deploy/logs.sql", "deploy/users.sql"]);
        assert_eq!(chain.migrations[0].down.as_ref().unwrap().file, "revert/users@v1.sql");
    }
}
