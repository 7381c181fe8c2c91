//! Criterion in a process of its own: it prints, it panics, and it may be ended when its time is up.
//!
//! It keeps its files in a folder for each environment and release. Which folder belongs to which probe is read from
//! its `benchmark.json`, never from the folder's name.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_base::{command::Command, release::Release};
use stagegate_performance_decide::{
    criterion::{self, CriterionResult, RequestCounts},
    plot,
};
use tokio::io::AsyncReadExt;

use stagegate_host::{
    files,
    process::{RunError, Runner},
};

/// What the child writes last: what it asked, for each probe.
const ASKED: &str = "requests.json";
/// What criterion printed.
const LOG: &str = "criterion.log";

/// Why criterion measured nothing.
#[derive(Debug, thiserror::Error)]
pub enum CriterionError {
    /// The child.
    #[error(transparent)]
    Run(#[from] RunError),
    /// It took too long.
    #[error("criterion was stopped after its time limit of {within:?}; its output is in {}", log.display())]
    TimedOut {
        /// Its time.
        within: Duration,
        /// What it printed.
        log: PathBuf,
    },
    /// It ended before it was done.
    #[error("criterion failed: {reason}; its output is in {}", log.display())]
    Ended {
        /// Its last line.
        reason: String,
        /// What it printed.
        log: PathBuf,
    },
    /// A file.
    #[error("criterion's files in {}", dir.display())]
    Files {
        /// The folder.
        dir: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// Returns the folder of criterion's files for a release, below an environment's folder of measurements.
#[must_use]
pub fn dir(bench: &Path, release: Option<&Release>) -> PathBuf {
    let name: String = release
        .map(|release| release.commit.chars().filter(char::is_ascii_alphanumeric).take(12).collect())
        .filter(|name: &String| !name.is_empty())
        .unwrap_or_else(|| "not-deployed".to_owned());
    bench.join("criterion").join(name)
}

/// Makes the folder ready: what an earlier comparison left is deleted, since criterion leaves it, and the baseline is
/// brought from the folder of the release that it was saved of.
///
/// # Errors
/// The system's.
pub fn prepare(dir: &Path, baseline: Option<(&Path, &str)>) -> Result<(), CriterionError> {
    let done = || -> io::Result<()> {
        files::private_dir(dir)?;
        for folder in folders(dir)? {
            remove(&folder.join("change"))?;
        }
        let _ = std::fs::remove_file(dir.join(ASKED));
        let Some((from, name)) = baseline.filter(|(from, _)| *from != dir && from.is_dir()) else { return Ok(()) };
        for folder in folders(from)? {
            let (result, Some(probe)) = (folder.join(name), folder.file_name()) else { continue };
            if result.is_dir() {
                copy(&result, &dir.join(probe).join(name))?;
            }
        }
        Ok(())
    };
    done().map_err(|source| CriterionError::Files { dir: dir.to_owned(), source })
}

/// Runs the child, keeps what it printed next to its files, and reads these.
///
/// It ends with this process, whatever becomes of it: its standard input ends then.
///
/// # Errors
/// [`CriterionError`]; the child is gone then too.
pub async fn measure(
    runner: &Runner,
    command: &Command,
    dir: &Path,
    baseline: Option<&str>,
    within: Duration,
) -> Result<Vec<CriterionResult>, CriterionError> {
    let files = |source| CriterionError::Files { dir: dir.to_owned(), source };
    let mut child = runner.start(command)?;
    let mut printed = Vec::new();
    let streams = child.streams();
    let is_over = match streams {
        // Its standard input stays open until it has ended.
        Some((_stdin, mut stdout)) => tokio::time::timeout(within, stdout.read_to_end(&mut printed)).await.is_err(),
        None => false,
    };
    child.end().await;
    let log = dir.join(LOG);
    files::write_whole(&log, &printed).map_err(files)?;
    if is_over {
        return Err(CriterionError::TimedOut { within, log });
    }
    if !dir.join(ASKED).is_file() {
        let text = String::from_utf8_lossy(&printed);
        let reason = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it printed nothing");
        return Err(CriterionError::Ended { reason: reason.to_owned(), log });
    }
    read(dir, baseline).map_err(files)
}

/// Writes what was asked: the child's last act, which states that it came to its end.
///
/// # Errors
/// The system's.
pub fn write_requests(dir: &Path, requests: &BTreeMap<String, RequestCounts>) -> io::Result<()> {
    files::write_whole(&dir.join(ASKED), &serde_json::to_vec(requests).map_err(io::Error::other)?)
}

/// Reads what criterion kept of each probe that was asked, and draws a picture of it next to its files.
fn read(dir: &Path, baseline: Option<&str>) -> io::Result<Vec<CriterionResult>> {
    let requests: BTreeMap<String, RequestCounts> =
        serde_json::from_slice(&std::fs::read(dir.join(ASKED))?).map_err(io::Error::other)?;
    let mut by_name = BTreeMap::new();
    for folder in folders(dir)? {
        if let Some(name) = criterion::name(&text(&folder, "new/benchmark.json")) {
            by_name.insert(name, folder);
        }
    }
    let result = |(probe, requests): (String, RequestCounts)| {
        // What an earlier run measured of it is not what was measured now.
        let folder = by_name.get(&probe).filter(|_| requests.failed < requests.sent);
        let estimate = |file: &str| folder.and_then(|folder| criterion::mean(&text(folder, file)));
        let result = CriterionResult {
            mean: estimate("new/estimates.json"),
            change: baseline.and_then(|_| estimate("change/estimates.json")),
            probe,
            requests,
        };
        folder.map_or(Ok(()), |folder| draw(folder, &result.probe, baseline))?;
        Ok(result)
    };
    requests.into_iter().map(result).collect()
}

fn draw(folder: &Path, probe: &str, baseline: Option<&str>) -> io::Result<()> {
    let then = baseline.map(|name| text(&folder.join(name), "sample.json"));
    let blocks = criterion::blocks(&text(folder, "new/sample.json"), then.as_deref());
    files::write_whole(&folder.join("samples.svg"), plot::svg(probe, &blocks).as_bytes())
}

/// Returns a file's text; empty where there is none, which no reader of criterion's files takes for one of them.
fn text(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).unwrap_or_default()
}

fn folders(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    Ok(folders)
}

fn remove(dir: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    remove(to)?;
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESTIMATES: &str = r#"{"mean":{"confidence_interval":{"confidence_level":0.95,"lower_bound":90.0,
        "upper_bound":110.0},"point_estimate":100.0,"standard_error":1.0}}"#;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("stagegate-criterion-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            Folder(dir)
        }

        fn put(&self, file: &str, text: &str) {
            let path = self.0.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn requests(sent: u64, failed: u64) -> BTreeMap<String, RequestCounts> {
        [("orders".to_owned(), RequestCounts { sent, failed, reasons: String::new() })].into()
    }

    #[test]
    fn a_probe_is_found_by_its_benchmark_and_an_old_change_is_not_reported() {
        let folder = Folder::new("read");
        folder.put("a-folder/new/benchmark.json", r#"{"full_id":"orders"}"#);
        folder.put("a-folder/new/estimates.json", ESTIMATES);
        folder.put("a-folder/new/sample.json", r#"{"iters":[1.0],"times":[100.0]}"#);
        folder.put("a-folder/change/estimates.json", ESTIMATES);
        write_requests(&folder.0, &requests(10, 0)).unwrap();
        let result = read(&folder.0, Some("v1")).unwrap();
        assert_eq!((result[0].mean.unwrap().value, result[0].change.is_some()), (100.0, true));
        assert!(text(&folder.0.join("a-folder"), "samples.svg").contains("<svg"));

        prepare(&folder.0, None).unwrap();
        assert!(!folder.0.join("a-folder/change").exists() && !folder.0.join(ASKED).exists());
        write_requests(&folder.0, &requests(10, 10)).unwrap();
        assert_eq!(read(&folder.0, None).unwrap()[0].mean, None, "nothing was answered: what is there is of before");
    }

    #[test]
    fn a_baseline_is_brought_from_the_release_that_it_was_saved_of() {
        let (then, now) = (Folder::new("then"), Folder::new("now"));
        then.put("orders/v1/estimates.json", ESTIMATES);
        then.put("orders/v2/estimates.json", "another");
        prepare(&now.0, Some((&then.0, "v1"))).unwrap();
        assert_eq!(text(&now.0, "orders/v1/estimates.json"), ESTIMATES);
        assert!(!now.0.join("orders/v2").exists());
        prepare(&now.0, Some((Path::new("/nowhere"), "v1"))).unwrap();
    }

    #[tokio::test]
    async fn a_child_that_ends_early_or_hangs_is_reported_and_gone() {
        let folder = Folder::new("child");
        let run = |program: &str, arg: &str, within| {
            let (command, dir) = (Command::new(program).arg(arg), folder.0.clone());
            async move { measure(&Runner::default(), &command, &dir, None, within).await.unwrap_err().to_string() }
        };
        let early = run("echo", "the probe is not there", Duration::from_secs(20)).await;
        assert!(early.contains("failed: the probe is not there"), "{early}");
        let hung = run("sleep", "60", Duration::from_millis(100)).await;
        assert!(hung.contains("time limit"), "{hung}");
    }
}
