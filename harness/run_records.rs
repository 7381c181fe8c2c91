//! The records of the checks that a run made: files that were begun while it went on.

use stagegate_base::{config::Config, record::Record};
use stagegate_gate_decide::promotion::{Entry, Line};
use stagegate_host::paths::StateDir;

/// Returns the records of the checks of a run, of its source and its target. Those that were removed since are not there.
pub(crate) fn of_run(config: &Config, lines: &[Line]) -> Vec<Record> {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return Vec::new() };
    let Entry::Started { plan } = &first.entry else { return Vec::new() };
    let (from, to) = (stamp(&first.wall), stamp(&last.wall));
    let mut environments = vec![&plan.environments.source, &plan.environments.target];
    environments.dedup();
    let known = environments.into_iter().filter_map(|name| config.environments.get(name));
    let folders = known.filter_map(|one| std::fs::read_dir(StateDir::of(config, &one.project).tests()).ok());
    let is_of_run = |name: &str| {
        let began = name.strip_suffix(".jsonl").and_then(|name| name.get(..from.len()));
        began.is_some_and(|began| from.as_str() <= began && began <= to.as_str())
    };
    let files = folders.flatten().flatten().filter(|entry| is_of_run(&entry.file_name().to_string_lossy()));
    let texts = files.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    let mut records: Vec<Record> = Vec::new();
    for text in texts {
        // The last line of a run that was killed may be torn.
        records.extend(text.lines().filter_map(|line| serde_json::from_str(line).ok()));
    }
    records.sort_by(|a, b| (&a.began, &a.trial).cmp(&(&b.began, &b.trial)));
    records
}

/// Returns a moment (RFC 3339, UTC) as the names of records' files begin: `YYYYMMDD-HHMMSS`.
fn stamp(moment: &str) -> String {
    let digits: String = moment.chars().filter(char::is_ascii_digit).take(14).collect();
    let (day, time) = digits.split_at_checked(8).unwrap_or((&digits, ""));
    format!("{day}-{time}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_files_are_called() {
        assert_eq!(stamp("2026-11-28T20:34:29.123Z"), "20261128-203429");
        assert_eq!(stamp("no moment"), "-");
    }
}
