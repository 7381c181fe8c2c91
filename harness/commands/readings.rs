//! What the journals, the records of checks and git tell of environments: reading only, without Docker.

use std::{collections::BTreeMap, path::PathBuf};

use stagegate_base::{
    config::{Config, EPHEMERAL, Environment},
    record::{Record, Status},
    text::one_line,
};
use stagegate_data_decide::backup::schedule::length;
use stagegate_gate_act::{
    journal,
    journal_index::{Form, Indexes},
};
use stagegate_host::{clock, error::chain, git::Git, lock, paths::StateDir, process::Runner, release};
use stagegate_watch_decide::{
    RunFacts,
    figures::{CommitTimes, Figures, figures},
    incident::Incident,
    pages::stamp_text,
};

use crate::failure::Failure;

/// The readings of runs that have ended, next to their journals.
static FACTS: Indexes<RunFacts> = Indexes::new(Form {
    file_name: "facts.index",
    of: |lines| RunFacts::of(lines, clock::unix_of),
    has_ended: |run| run.end.is_some(),
});

/// A run with its folder.
pub(super) struct Read {
    pub(super) facts: RunFacts,
    pub(super) dir: PathBuf,
}

/// What was read of an environment.
pub(super) struct Reading {
    pub(super) environment: String,
    pub(super) runs: Vec<Read>,
    pub(super) incidents: Vec<Incident>,
    /// Journals and lines that cannot be read, with the reason, a line each.
    pub(super) unread: Vec<String>,
    pub(super) figures: Figures,
}

impl Reading {
    pub(super) fn facts(&self) -> Vec<RunFacts> {
        self.runs.iter().map(|read| read.facts.clone()).collect()
    }
}

/// Reads the runs of the environments that were asked for, and counts their figures over `days`.
pub(super) async fn read(config: &Config, env: Option<&String>, days: u32) -> Result<Vec<Reading>, Failure> {
    let mut readings = match env {
        Some(_) => {
            super::runs::chosen(config, env)?.into_iter().map(|environment| facts(config, environment)).collect()
        }
        None => facts_of_all(config),
    };
    let commits = commit_times(config, &readings).await;
    for reading in &mut readings {
        reading.figures = figures((&reading.facts(), &reading.incidents), &commits, days, now());
    }
    Ok(readings)
}

/// Reads the runs of all environments. What lasts for one run of the checks has no history.
pub(super) fn facts_of_all(config: &Config) -> Vec<Reading> {
    let lasting = config.environments_here().filter(|one| one.name != EPHEMERAL);
    lasting.map(|environment| facts(config, environment)).collect()
}

/// Returns a number that is another one after each line of the newest journals, each change of who works, each deployment
/// and each run of the checks.
pub(super) fn version(config: &Config) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    for environment in config.environments.values() {
        let state = StateDir::of(config, &environment.project);
        let runs = journal::runs(&state.runs());
        runs.len().hash(&mut hasher);
        let newest = runs.last().map(|dir| dir.join(journal::FILE_NAME));
        let others = ["lock-owner.json", "deployed", "tests", "incidents.jsonl"].map(|name| state.root().join(name));
        for path in newest.into_iter().chain(others) {
            let found = path.metadata().ok().map(|found| (found.len(), found.modified().ok()));
            found.hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Returns now in seconds since 1970.
pub(super) fn now() -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact up to 2^53")]
    let now = clock::unix_seconds() as f64;
    now
}

/// Reads the runs and the incidents of an environment: one journal that is damaged hides no other, and one that has not changed
/// since it was read last is not read again.
pub(super) fn facts(config: &Config, environment: &Environment) -> Reading {
    let (mut runs, mut unread) = (Vec::new(), Vec::new());
    FACTS.shared(&StateDir::of(config, &environment.project).runs(), |index| {
        let folders = index.folders();
        for dir in &folders {
            match index.run(dir) {
                Ok(found) => runs.extend(found.map(|facts| Read { facts, dir: dir.clone() })),
                Err(error) => unread.push(one_line(&format!("{}: {}", dir.display(), chain(&error)))),
            }
        }
        index.keep(&folders, 1);
    });
    let (incidents, line) = super::incident_file::known(config, environment);
    unread.extend(line);
    Reading { environment: environment.name.clone(), runs, incidents, unread, figures: Figures::default() }
}

/// Returns when the promoted commits were made; nothing where there is no repository, or git refuses it.
async fn commit_times(config: &Config, readings: &[Reading]) -> BTreeMap<String, CommitTimes> {
    let is_commit = |commit: &&String| commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let all = readings.iter().flat_map(|reading| &reading.runs).map(|read| &read.facts.release.commit);
    let mut commits: Vec<String> = all.filter(is_commit).cloned().collect();
    commits.sort_unstable();
    commits.dedup();
    let folder = config.path.parent().map(std::path::Path::to_path_buf).unwrap_or_default();
    let runner = Runner::default();
    let Ok(git) = Git::open(&runner, &folder).await else { return BTreeMap::new() };
    let times = git.times(&commits).await.unwrap_or_default();
    times.into_iter().map(|(commit, author, committer)| (commit, CommitTimes { author, committer })).collect()
}

/// Returns the release that the gate deployed last, by name and commit, or why that is not known; `None` where it deployed none.
pub(super) fn deployed(config: &Config, environment: &Environment) -> Option<String> {
    match release::deployed(&StateDir::of(config, &environment.project)) {
        Ok(None) => None,
        Ok(Some(deployed)) => {
            let commit: String = deployed.release.commit.chars().take(10).collect();
            Some(format!("{} ({commit})", deployed.release.name))
        }
        Err(error) => Some(format!("unknown: {}", one_line(&chain(&error)))),
    }
}

/// Returns who changes the environment now.
pub(super) fn at_work(config: &Config, environment: &Environment) -> Option<String> {
    let owner = lock::at_work(&StateDir::of(config, &environment.project))?;
    Some(format!("{} since {} (process {})", owner.what, owner.since, owner.pid))
}

/// What is known of an environment's backups.
pub(super) struct Backups {
    pub(super) age_seconds: Option<i64>,
    pub(super) problems: Vec<String>,
}

impl Backups {
    /// States it in a line.
    pub(super) fn text(&self) -> String {
        let age = match self.age_seconds {
            Some(age) => format!("the newest verified one is {} old", length(age)),
            None => "none is verified".to_owned(),
        };
        if self.problems.is_empty() { age } else { format!("NOT OK: {}; {age}", self.problems.join("; ")) }
    }
}

/// Reads the backups of an environment; `None` where the schedule makes none there, or they cannot be read.
pub(super) fn backups(config: &Config, environment: &Environment) -> Option<Backups> {
    if !config.backup.covers(environment) {
        return None;
    }
    let problems = super::backup::state_of(config, environment).ok()?;
    let age_seconds = super::backup::newest_age(config, environment);
    Some(Backups { age_seconds, problems: problems.into_iter().map(|problem| problem.text).collect() })
}

/// Returns the records of the last run of the suites, with the moment at which it began as its file is called.
pub(super) fn last_records(config: &Config, environment: &Environment) -> Option<(String, Vec<Record>)> {
    let folder = StateDir::of(config, &environment.project).tests();
    let files = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let newest = files.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")).max()?;
    let text = std::fs::read_to_string(&newest).ok()?;
    // The last line of a run that was killed may be torn.
    let records: Vec<Record> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    (!records.is_empty()).then(|| (newest.file_stem().unwrap_or_default().to_string_lossy().into_owned(), records))
}

/// States what the records of a run come to.
pub(super) fn records_text(began: &str, records: &[Record]) -> String {
    let count = |wanted: &[Status]| records.iter().filter(|record| wanted.contains(&record.status)).count();
    let (passed, failed) = (count(&[Status::Pass]), count(&[Status::Fail, Status::Broken]));
    format!("{passed} of {} checks passed, {failed} failed, in the run of {}", records.len(), stamp_text(began))
}
