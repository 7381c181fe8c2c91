//! Baselines on disk, and what is measured against them.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use stagegate_base::config::{Config, Probe};
use stagegate_performance_decide::{
    Allowance, Arm, Baseline, Block, Host, MeasurementProgress, Rules, changed_size_stored, next_stored,
    unsuitable_stored,
};

use super::{BenchError, Judge, Live, Measurement, decided, turns::Measured};
use crate::load::{Reference, Subject};
use stagegate_host::files;

/// Names that criterion's own folders have, next to those of its baselines.
const TAKEN: [&str; 3] = ["new", "change", "report"];
/// Rotations of a baseline.
const ROTATIONS: usize = 72;

/// Why there is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// It was never saved.
    #[error("no baseline `{name}` ({}); create it with `gate bench --env {environment} --save-baseline {name}`", path.display())]
    None {
        /// Its name.
        name: String,
        /// The environment.
        environment: String,
        /// Where it would be.
        path: PathBuf,
    },
    /// Its name cannot be a file's.
    #[error(
        "baseline name `{0}` cannot be a file's name; use a-z, 0-9, `.`, - and _, with a letter or digit first, and not new, change or report"
    )]
    Name(String),
    /// It cannot be read or written.
    #[error("baseline {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// Describes this machine.
#[must_use]
pub fn host() -> Host {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let kib: u64 = memory.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default();
    Host {
        processor: field(&read("/proc/cpuinfo"), "model name"),
        processors: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        memory_gib: (kib + (1 << 19)) >> 20,
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
    }
}

fn path(dir: &Path, name: &str) -> Result<PathBuf, StoredError> {
    let is_good = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        && !TAKEN.contains(&name);
    if is_good { Ok(dir.join(format!("{name}.json"))) } else { Err(StoredError::Name(name.to_owned())) }
}

/// Writes a baseline into `dir`; an earlier one of that name is replaced.
///
/// # Errors
/// [`StoredError`].
pub fn write(dir: &Path, name: &str, baseline: &Baseline) -> Result<PathBuf, StoredError> {
    let path = path(dir, name)?;
    let failed = |source| StoredError::File { path: path.clone(), source };
    files::private_dir(dir).map_err(failed)?;
    let text = serde_json::to_vec(baseline).map_err(|error| failed(io::Error::other(error)))?;
    files::write_whole(&path, &text).map_err(failed)?;
    Ok(path)
}

/// Reads a baseline of an environment from `dir`.
///
/// # Errors
/// [`StoredError`].
pub fn read(dir: &Path, name: &str, environment: &str) -> Result<Baseline, StoredError> {
    let path = path(dir, name)?;
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(StoredError::None { name: name.to_owned(), environment: environment.to_owned(), path });
        }
        Err(source) => return Err(StoredError::File { path, source }),
    };
    serde_json::from_slice(&text).map_err(|error| StoredError::File { path, source: io::Error::other(error) })
}

/// Measures every probe in turn with the reference, as a baseline holds it.
///
/// # Errors
/// [`BenchError`].
pub async fn record(
    probes: Vec<(&Probe, Subject)>,
    live: Live<'_>,
) -> Result<BTreeMap<String, Vec<Block>>, BenchError> {
    let reference = Reference::start()?;
    let mut all = BTreeMap::new();
    for (probe, subject) in probes {
        let mut turns = Measured::start(probe, arms(&subject, &reference)).await?;
        while turns.rotations < ROTATIONS {
            turns.rotate().await?;
            turns.report(probe, MeasurementProgress::BlocksOf(ROTATIONS), live);
        }
        all.insert(probe.name.clone(), turns.blocks);
    }
    Ok(all)
}

/// Measures one probe until it is decided against the blocks of another day; `found` probes of this run were found
/// slower before.
///
/// # Errors
/// [`BenchError`].
pub async fn against(
    config: &Config,
    (probe, subject): (&Probe, &Subject),
    (then, name): (&[Block], &str),
    found: usize,
    live: Live<'_>,
) -> Result<Measurement, BenchError> {
    let reference = Reference::start()?;
    let rules = Rules { found, ..Rules::usual(probe.minimum_effect.0, config.performance.len()) };
    let mut turns = Measured::start(probe, arms(subject, &reference)).await?;
    let next = &|now: &[Block], is_over: bool| next_stored(now, then, &rules, is_over);
    let allowance = Allowance::whole(probe.compare_within.0);
    let judge = Judge { allowance, rules: &rules, unfit: &|now| unsuitable_stored(now, then), next };
    let decided = decided(&mut turns, probe, live, judge).await?;
    let note = changed_size_stored(&turns.blocks, then);
    Ok(turns.ended(probe, name, decided, note))
}

fn arms(subject: &Subject, reference: &Reference) -> Vec<(Arm, Subject)> {
    vec![(Arm::Candidate, subject.clone()), (Arm::ControlAgain, subject.clone()), (Arm::Reference, reference.subject())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_processor_memory_and_a_kernel() {
        let host = host();
        assert!(host.processors > 0 && host.memory_gib > 0 && !host.kernel.is_empty(), "{host}");
        assert_eq!(host, super::host());
    }

    #[test]
    fn a_baseline_that_is_not_there_is_reported_with_the_way_to_make_it() {
        let error = read(Path::new("/nowhere"), "v1", "staging").unwrap_err().to_string();
        assert!(error.contains("gate bench --env staging --save-baseline v1"), "{error}");
    }

    #[test]
    fn a_baseline_stays_in_its_folder() {
        for name in ["../v1", "", ".hidden", "a/b", "new"] {
            assert!(matches!(path(Path::new("/srv"), name), Err(StoredError::Name(_))), "{name}");
        }
    }
}
