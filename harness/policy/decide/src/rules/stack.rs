//! Do the files say each thing once?

use std::collections::BTreeSet;

use super::{Check, Facts, Hit, Rule, SourceFile, SourceLine, place};
use stagegate_base::record::Severity;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "duplicate-key",
    severity: Severity::Required,
    title: "a key is given twice",
    why: "Compose refuses a key that is twice in a map, and takes the last of a variable that is twice in a list",
    fix: "remove one of the two lines",
    check: Check::Stack(|facts, _| duplicate_keys(facts)),
}];

/// Finds keys that Compose refused, and variables that it silently took the last of.
pub(super) fn duplicate_keys(facts: &Facts) -> Vec<Hit> {
    let refused = facts.refusal.as_deref().map(|printed| refused(printed, &facts.files)).unwrap_or_default();
    refused.into_iter().chain(facts.written().flat_map(repeated)).collect()
}

/// Reads Compose's refusal.
// Source: Compose 2.26: `yaml: unmarshal errors:` and `line 4: mapping key "image" already defined at line 3`.
fn refused(printed: &str, files: &[SourceFile]) -> Vec<Hit> {
    let mut hits = Vec::new();
    for part in printed.split("line ").skip(1) {
        let Some((line, rest)) = part.split_once(": mapping key \"") else { continue };
        let (Ok(line), Some((key, _))) = (line.parse::<usize>(), rest.split_once('"')) else { continue };
        // Compose names no file: it is the one that has the key in that line.
        let has_it =
            |file: &&SourceFile| file.text.lines().nth(line.saturating_sub(1)).is_some_and(|l| l.contains(key));
        let file = files.iter().find(has_it);
        let mut hit =
            Hit::new("", "each key once", format!("`{key}` is defined again in line {line}; Compose rejects it"));
        hit.place = file.map(|file| SourceLine { file: file.path.clone(), line });
        hits.push(hit.of(&file.and_then(|file| file.indexed().service_at(line)).unwrap_or_default()));
    }
    hits
}

fn repeated(file: &SourceFile) -> Vec<Hit> {
    let Some(yaml) = file.yaml() else { return Vec::new() };
    let indexed = file.indexed();
    let mut hits = Vec::new();
    for (service, body) in yaml["services"].as_object().into_iter().flatten() {
        let mut seen = BTreeSet::new();
        for (key, _) in place::variables(&body["environment"]) {
            if !seen.insert(key.clone()) {
                let found = format!("{key} is defined twice in `environment`; Compose takes the last");
                let mut hit = Hit::new("environment", "each variable once", found);
                let line = indexed.line_of_variable(service, &key);
                hit.place = line.map(|line| SourceLine { file: file.path.clone(), line });
                hits.push(hit.of(service));
            }
        }
    }
    hits
}
