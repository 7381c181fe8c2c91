//! The runs of environments, read from their journals.

use std::path::PathBuf;

use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
};
use stagegate_gate_act::journal;
use stagegate_gate_decide::promotion::{End, Entry, Line, Plan};
use stagegate_host::paths::StateDir;

use crate::failure::Failure;

/// A run: its folder, its plan, the lines of its journal.
pub(super) type Run = (PathBuf, Plan, Vec<Line>);

/// Returns the runs of an environment, the oldest first: folder, plan and lines.
pub(super) fn runs(config: &Config, environment: &Environment) -> Result<Vec<Run>, Failure> {
    runs_named(config, environment, |_| true)
}

/// Returns the runs whose id is wanted, the oldest first. A run's folder has its id as its name, so no other journal is read.
pub(super) fn runs_named(
    config: &Config,
    environment: &Environment,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Run>, Failure> {
    runs_read(config, environment, wanted).into_iter().collect()
}

/// Returns the runs whose id is wanted, each as it could be read.
fn runs_read(config: &Config, environment: &Environment, wanted: impl Fn(&str) -> bool) -> Vec<Result<Run, Failure>> {
    let mut runs = Vec::new();
    let is_wanted = |dir: &PathBuf| dir.file_name().is_some_and(|name| wanted(&name.to_string_lossy()));
    let all = journal::runs(&StateDir::of(config, &environment.project).runs());
    for dir in all.into_iter().filter(is_wanted) {
        let lines = match journal::lines(&dir) {
            Ok(lines) => lines,
            Err(error) => {
                runs.push(Err(error.into()));
                continue;
            }
        };
        if let Some(Entry::Started { plan }) = lines.first().map(|line| line.entry.clone()) {
            runs.push(Ok((dir, *plan, lines)));
        }
    }
    runs
}

/// Returns the environments that a reading of the history is about.
pub(super) fn chosen<'a>(config: &'a Config, env: Option<&String>) -> Result<Vec<&'a Environment>, Failure> {
    Ok(match env {
        Some(name) => vec![config.environment(name)?],
        None => config.environments.values().collect(),
    })
}

/// Returns how a run ended; `None` where it has not.
pub(super) fn end_of(lines: &[Line]) -> Option<(End, Exit)> {
    match lines.last().map(|line| &line.entry) {
        Some(Entry::Ended { end, exit }) => Some((*end, *exit)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_journal_hides_no_run_that_is_named() {
        let dir = std::env::temp_dir().join(format!("stagegate-runs-{}", std::process::id()));
        let text = format!("[project]\nname = \"shop\"\nstate_dir = {dir:?}\n[environments.production]\n");
        let config = Config::parse(&dir.join("stagegate.toml"), &text).unwrap();
        let environment = config.environment("production").unwrap();
        let state = StateDir::at(&dir.join(&environment.project)).runs();
        let journal: &[u8] = include_bytes!("../../fixtures/journals/format-1/promoted.jsonl");
        let damaged = [b"no journal\n", journal].concat();
        for (run, text) in [("20261127-000000-0001", damaged.as_slice()), ("20261128-203429-5b5b", journal)] {
            std::fs::create_dir_all(state.join(run)).unwrap();
            std::fs::write(state.join(run).join(journal::FILE_NAME), text).unwrap();
        }
        assert!(runs(&config, environment).is_err());
        let read = runs_read(&config, environment, |_| true);
        assert_eq!(read.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true]);
        let found = runs_named(&config, environment, |run| run.starts_with("20261128")).unwrap();
        assert_eq!(found.iter().map(|(_, plan, _)| plan.run.as_str()).collect::<Vec<_>>(), ["20261128-203429-5b5b"]);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
