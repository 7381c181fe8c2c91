//! Sqitch: the order stands in `sqitch.plan`; the scripts in `deploy/` and `revert/`.
// Source: Sqitch's manual, sqitchplan: a change that is reworked has its earlier scripts under `name@tag.sql`.

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
    for (line, change) in changes(&text) {
        let files = reading.files.clone();
        let named = |folder: &str| {
            let path = format!("{top}{folder}/{change}.sql");
            files.iter().copied().find(|file| file.path == path)
        };
        let Some(up) = named("deploy") else {
            let message = format!("expected `{top}deploy/{change}.sql`, found none");
            reading.tell(&codes::BAD_NAME, plan, line, message);
            continue;
        };
        reading.uses(up);
        let down = named("revert");
        if let Some(down) = down {
            reading.uses(down);
        }
        found.push(migration(&change, &change, script(up), down.map(script)));
    }
    found
}

fn script(file: &File) -> Script {
    Script::new(&file.path, 1, &file.text(), Transaction::Bare, Sending::Each)
}

/// Returns the changes of a plan with their lines, by the names of their scripts.
fn changes(plan: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    // Changes since the last tag, and changes whose tag is known: for those that come again.
    let mut seen: BTreeMap<&str, (usize, Option<&str>)> = BTreeMap::new();
    let mut untagged: Vec<&str> = Vec::new();
    for (index, line) in plan.lines().enumerate() {
        let Some(word) = line.split_whitespace().next().filter(|word| !word.starts_with(['%', '#'])) else { continue };
        if let Some(tag) = word.strip_prefix('@') {
            for name in untagged.drain(..) {
                seen.entry(name).and_modify(|(_, first)| *first = first.or(Some(tag)));
            }
            continue;
        }
        let name = word.trim_start_matches(['+', '-']);
        if let Some((at, Some(tag))) = seen.get(name) {
            found[*at].1 = format!("{name}@{tag}");
        }
        seen.insert(name, (found.len(), None));
        untagged.push(name);
        found.push((index + 1, name.to_owned()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_comes_again_has_its_first_script_under_its_tag() {
        let plan = "%project=x\n\nusers 2024-01-01T00:00:00Z a <a@b> # note\n@v1 2024-01-02T00:00:00Z a <a@b>\nlogs [users] 2024 a\n@v2\nusers [users@v1] 2024 a\n";
        let names: Vec<String> = changes(plan).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["users@v1", "logs", "users"]);
    }
}
