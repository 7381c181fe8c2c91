//! Finds the logs and records of an environment, and removes those that the rules of `[logs]` let go.
//!
//! A log of the scripts is one by its first line, not by its name; of the state folder only what this program writes there is
//! looked at: records of checks with their pictures, and logs of deployments and copies that nothing else is kept of.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use stagegate_base::config::{Config, Environment};
use stagegate_data_decide::rotation::{Bounds, LogFile, Removal, removals};
use stagegate_host::{clock, paths::StateDir};

/// What the first line of a script's log begins with; `scripts/operate.sh` writes it.
const MARK: &str = "# stagegate log: ";
/// How much of a first line is read.
const LINE_BYTES: u64 = 256;
/// The ends of the names of runs that leave a log and nothing else.
const PLAIN_RUNS: [&str; 2] = ["-up", "-sync"];

/// What could not be done with a log.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}", path.display())]
pub struct RotationError {
    what: &'static str,
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl RotationError {
    fn new(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| RotationError { what, path, source }
    }
}

/// Returns the logs and records of an environment that go now.
///
/// # Errors
/// [`RotationError`] where a folder cannot be read.
pub fn due(config: &Config, environment: &Environment) -> Result<Vec<Removal>, RotationError> {
    let bounds = Bounds {
        keep: i64::try_from(config.logs.keep.0.as_secs()).unwrap_or(i64::MAX),
        max_bytes: config.logs.max_size.0,
    };
    let state = StateDir::of(config, &environment.project);
    let own = [records(&state.tests())?, plain_runs(&state.runs())?].concat();
    let scripts = scripts(&config.logs.dir.join(&environment.name))?;
    let now = clock::unix_seconds();
    Ok([removals(&scripts, bounds, now), removals(&own, bounds, now)].concat())
}

/// Removes what [`due`] returned.
///
/// # Errors
/// [`RotationError`] with the first file that cannot be removed; those before are.
pub fn remove(removals: &[Removal]) -> Result<(), RotationError> {
    for removal in removals {
        let path = Path::new(&removal.name);
        fs::remove_file(path).or_else(ignore_missing).map_err(RotationError::new("remove", path))?;
        // The folder of a run that left nothing else; any other one is not empty.
        if let Some(folder) = path.parent().filter(|folder| is_plain_run(folder)) {
            let _ = fs::remove_dir(folder);
        }
    }
    Ok(())
}

fn ignore_missing(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn scripts(folder: &Path) -> Result<Vec<LogFile>, RotationError> {
    let is_log = |path: &Path| path.extension().is_some_and(|end| end == "log") && is_marked(path);
    let group = |name: &str| name.rsplit_once('-').map_or(name, |(task, _)| task).to_owned();
    Ok(entries(folder)?.into_iter().filter(|path| is_log(path)).filter_map(|path| file(&path, group)).collect())
}

fn is_marked(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut line = String::new();
    BufReader::new(file.take(LINE_BYTES)).read_line(&mut line).is_ok() && line.starts_with(MARK)
}

fn records(folder: &Path) -> Result<Vec<LogFile>, RotationError> {
    let is_record = |path: &Path| path.extension().is_some_and(|end| end == "jsonl" || end == "png");
    let group = |name: &str| name.rsplit_once('.').map_or(name, |(_, end)| end).to_owned();
    Ok(entries(folder)?.into_iter().filter(|path| is_record(path)).filter_map(|path| file(&path, group)).collect())
}

/// Returns the logs of runs that left nothing else.
fn plain_runs(folder: &Path) -> Result<Vec<LogFile>, RotationError> {
    let mut logs = Vec::new();
    for run in entries(folder)?.into_iter().filter(|run| is_plain_run(run)) {
        let files = if run.is_dir() { entries(&run)? } else { Vec::new() };
        let [log] = &files[..] else { continue };
        if log.file_name().is_some_and(|name| name == "run.log") {
            logs.extend(file(log, |_| "runs".to_owned()));
        }
    }
    Ok(logs)
}

fn is_plain_run(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    PLAIN_RUNS.iter().any(|end| name.ends_with(end))
}

/// Returns what the rules see of a file; nothing where it is none, or went away meanwhile.
fn file(path: &Path, group: impl Fn(&str) -> String) -> Option<LogFile> {
    let facts = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
    let written = facts.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_secs();
    let name = path.file_name()?.to_str()?;
    Some(LogFile {
        name: path.to_str()?.to_owned(),
        group: group(name),
        bytes: facts.len(),
        written: i64::try_from(written).ok()?,
    })
}

/// Returns what a folder has; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, RotationError> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(RotationError::new("read", folder)(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    const CONFIG: &str =
        "[project]\nname = \"shop\"\nstate_dir = \"state\"\n[environments.staging]\n[logs]\nkeep = \"30d\"\n";

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("stagegate-rotation-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&dir);
            Folder(dir)
        }

        fn file(&self, path: &str, text: &str, days: u64) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            let then = SystemTime::now() - Duration::from_secs(days * 24 * 3_600);
            File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
        }

        /// Removes what is due; returns the paths below the folder.
        fn rotated(&self) -> Vec<String> {
            let config = Config::parse(&self.0.join("stagegate.toml"), CONFIG).unwrap();
            let due = due(&config, config.environment("staging").unwrap()).unwrap();
            remove(&due).unwrap();
            let below = |one: &Removal| one.name.strip_prefix(&format!("{}/", self.0.display())).unwrap().to_owned();
            let mut names: Vec<String> = due.iter().map(below).collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn old_logs_of_the_scripts_go_and_no_file_of_somebody_else() {
        let folder = Folder::new("scripts");
        let marked = format!("{MARK}deploy of staging\n");
        for (name, days) in
            [("deploy-20260101", 60), ("deploy-20260102", 59), ("deploy-20260201", 1), ("sync-20260101", 60)]
        {
            folder.file(&format!("logs/staging/{name}.log"), &marked, days);
        }
        folder.file("logs/staging/app-20260101.log", "GET / 200\n", 60);
        folder.file("logs/staging/app-20260102.log", "GET / 200\n", 59);
        folder.file("logs/staging/deploy-20250101.txt", &marked, 90);
        folder.file("logs/production/deploy-20260101.log", &marked, 60);
        folder.file("logs/production/deploy-20260201.log", &marked, 1);
        std::os::unix::fs::symlink(
            folder.0.join("logs/staging/deploy-20260101.log"),
            folder.0.join("logs/staging/deploy-1.log"),
        )
        .unwrap();
        assert_eq!(folder.rotated(), ["logs/staging/deploy-20260101.log", "logs/staging/deploy-20260102.log"]);
        assert!(!folder.0.join("logs/staging/deploy-20260102.log").exists());
        assert_eq!(folder.rotated(), [] as [&str; 0]);
    }

    #[test]
    fn old_records_and_logs_of_deployments_go_and_no_run_with_a_journal() {
        let folder = Folder::new("records");
        let state = "state/shop-staging";
        for (name, days) in [
            ("a.jsonl", 60),
            ("b.jsonl", 50),
            ("b-page.png", 50),
            ("c-page.png", 40),
            ("c.jsonl", 40),
            ("note.txt", 90),
        ] {
            folder.file(&format!("{state}/tests/{name}"), "{}", days);
        }
        folder.file(&format!("{state}/runs/1-up/run.log"), "x", 60);
        folder.file(&format!("{state}/runs/2-up/run.log"), "x", 60);
        folder.file(&format!("{state}/runs/2-up/new/model.json"), "{}", 60);
        folder.file(&format!("{state}/runs/3-sync/run.log"), "x", 60);
        folder.file(&format!("{state}/runs/4/run.log"), "x", 60);
        folder.file(&format!("{state}/runs/5-up/run.log"), "x", 1);
        let gone = ["runs/1-up/run.log", "runs/3-sync/run.log", "tests/a.jsonl", "tests/b-page.png", "tests/b.jsonl"];
        assert_eq!(folder.rotated(), gone.map(|path| format!("{state}/{path}")));
        let left = |path: &str| folder.0.join(state).join("runs").join(path).exists();
        assert_eq!(["1-up", "2-up", "3-sync", "4", "5-up"].map(left), [false, true, false, true, true]);
    }

    #[test]
    fn the_mark_is_what_the_scripts_write() {
        let script = include_str!("../../../../scripts/operate.sh");
        assert!(script.contains(&format!("printf '{MARK}%s of %s\\n'")));
    }
}
