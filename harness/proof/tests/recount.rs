//! Proof that history, pages, metrics and delivery figures are what the journals have: random histories on the disk, read by the
//! built `gate`, against a count over the journals' text that shares no code with it.

use std::{collections::BTreeMap, fs, path::Path};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;

use crate::{
    histories::{Folder, History, history},
    recounted::{Counted, counted, pages_differ},
};

/// How many random histories; each is read by five commands.
const CASES: u32 = 12;

/// What the commands print of a history.
struct Printed {
    metrics: String,
    /// Metrics that were read by the index that the first ones left.
    again: String,
    history: String,
    index: String,
    public: String,
    figures: Value,
    runs: BTreeMap<String, String>,
}

fn printed(folder: &Folder) -> Printed {
    let out = |name: &str| folder.root().join(name).display().to_string();
    let metrics = folder.gate(&["metrics"]);
    folder.gate(&["report", "--out", &out("pages")]);
    folder.gate(&["report", "--public", "--out", &out("public")]);
    let history = folder.gate(&["history", "--json"]);
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let files = fs::read_dir(folder.root().join("pages/runs")).unwrap().map(|entry| entry.unwrap().path());
    Printed {
        metrics,
        again: folder.gate(&["metrics"]),
        history,
        index: read(&folder.root().join("pages/index.html")),
        figures: serde_json::from_str(&read(&folder.root().join("pages/figures.json"))).unwrap(),
        public: read(&folder.root().join("public/index.html")),
        runs: files.map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), read(&path))).collect(),
    }
}

/// Returns the samples of a text of metrics, by name and labels.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.into(), value.parse().unwrap()))
        .collect()
}

fn metrics_differ(counted: &[Counted], text: &str) -> Vec<String> {
    let found = samples(text);
    let mut wanted = BTreeMap::new();
    counted.iter().for_each(|one| wanted.extend(one.metrics()));
    let mut differences: Vec<String> = wanted
        .iter()
        .filter(|(name, value)| found.get(*name).is_none_or(|found| (found - **value).abs() > 1e-5))
        .map(|(name, value)| format!("{name}: expected {value}, found {:?}", found.get(name)))
        .collect();
    // A figure of too few runs is left out, and no run has a sample of its own.
    let more = found.keys().filter(|name| !wanted.contains_key(*name));
    differences.extend(more.map(|name| format!("{name} is not expected")));
    differences
}

fn history_differs(counted: &[Counted], text: &str) -> Vec<String> {
    let found: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let wanted: Vec<Value> = counted.iter().flat_map(Counted::history).collect();
    let part = |run: &Value| {
        let keys = ["run", "to", "release", "previous", "began", "ended", "end"];
        Value::from_iter(keys.map(|key| (key.to_owned(), run[key].clone())))
    };
    let found: Vec<Value> = found.iter().map(part).collect();
    if found == wanted { Vec::new() } else { vec![format!("history: expected {wanted:?}, found {found:?}")] }
}

fn differences(counted: &[Counted], printed: &Printed) -> Vec<String> {
    let mut all = metrics_differ(counted, &printed.metrics);
    if printed.metrics != printed.again {
        all.push("the metrics differ once they are read by the index".to_owned());
    }
    all.extend(history_differs(counted, &printed.history));
    all.extend(counted.iter().flat_map(|one| one.figures_differ(&printed.figures)));
    all.extend(pages_differ(counted, (&printed.index, &printed.public), &printed.runs));
    all
}

#[test]
fn every_page_and_number_equals_a_recount_of_the_journals() {
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 20, ..Config::default() };
    let strategy = prop::collection::vec(history(), 2);
    let tried = TestRunner::new(config).run(&strategy, |histories| {
        let folder = Folder::new("recount");
        histories.iter().zip(["production", "staging"]).for_each(|(history, name)| folder.write(name, history));
        let counted = counted(&folder);
        let found = differences(&counted, &printed(&folder));
        prop_assert!(found.is_empty(), "{}", found.join("\n"));
        Ok(())
    });
    tried.unwrap();
}

#[test]
fn a_number_that_is_changed_is_noticed() {
    let folder = Folder::new("changed");
    folder.write("production", &History::plain(12));
    folder.write("staging", &History::plain(3));
    let counted = counted(&folder);
    let printed = printed(&folder);
    assert_eq!(differences(&counted, &printed), Vec::<String>::new());
    let mut changed = 0;
    for (nth, line) in printed.metrics.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        let mut lines: Vec<&str> = printed.metrics.lines().collect();
        let other = format!("{name} {}", value.parse::<f64>().unwrap() + 1.0);
        lines[nth] = &other;
        assert!(!metrics_differ(&counted, &lines.join("\n")).is_empty(), "{other} was not noticed");
        changed += 1;
    }
    assert!(changed > 30, "{changed}");
    // Each cell of the tables of the first page.
    let cells: Vec<usize> = printed.index.match_indices("<td").map(|(at, _)| at).collect();
    let mut noticed = 0;
    for at in &cells {
        let Some(digit) = printed.index[*at..].find("</td>").and_then(|end| {
            let cell = &printed.index[*at..*at + end];
            let text = cell.find('>')?;
            // The last one: the first may be in a link.
            let digit = cell[text..].rfind(|c: char| c.is_ascii_digit())?;
            Some(at + text + digit)
        }) else {
            continue;
        };
        let mut page = printed.index.clone();
        let other = if page.as_bytes()[digit] == b'9' { "8" } else { "9" };
        page.replace_range(digit..=digit, other);
        let found = pages_differ(&counted, (&page, &printed.public), &printed.runs);
        let around = &printed.index[*at..(*at + 160).min(printed.index.len())];
        // What a definition has is no number of the journals.
        noticed += usize::from(!found.is_empty());
        assert!(!found.is_empty() || around.starts_with("<td class=\"soft\""), "{around}");
    }
    assert!(noticed > 50, "{noticed}");
}
