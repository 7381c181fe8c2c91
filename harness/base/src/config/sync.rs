//! How data is copied from one environment into another one.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Integrity;
use crate::units::{Size, Span};

/// How many sessions copy at a time by default.
const WORKERS: usize = 2;
/// How long a statement or program may take by default.
const WITHIN: Span = Span(std::time::Duration::from_secs(4 * 3_600));
/// How long a lock of the source is waited for by default: its users come first.
const LOCK_TIMEOUT: Span = Span(std::time::Duration::from_secs(10));

/// How many bytes a row may have by default: `gate` has each row in memory while it travels.
const MAX_ROW: Size = Size(64 << 20);

/// How data is copied from one environment into another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sync {
    /// The environments that get real values; all others get sanitised ones.
    pub real_data: Vec<String>,
    /// The volumes of `[volumes]` that `--files` copies, as they are, into every target; `None` where nobody decided that.
    pub files: Option<Vec<String>>,
    /// The file of the sanitisation rules, relative to the configuration file.
    pub rules: PathBuf,
    /// What the copy is compared by.
    pub integrity: Integrity,
    /// Sessions that copy and build at a time.
    pub workers: usize,
    /// How long a statement or program may take.
    pub within: Span,
    /// How long a lock of the source is waited for.
    pub lock_timeout: Span,
    /// How many bytes of rows are read from the source in a second; as many as possible where `None`.
    pub rate: Option<Size>,
    /// How many bytes a row may have; a larger one is refused before anything is copied.
    pub max_row: Size,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSync {
    #[serde(default)]
    real_data: Vec<String>,
    files: Option<Vec<String>>,
    rules: Option<PathBuf>,
    #[serde(default)]
    integrity: Integrity,
    workers: Option<usize>,
    within: Option<Span>,
    lock_timeout: Option<Span>,
    rate: Option<Size>,
    max_row: Option<Size>,
}

impl RawSync {
    /// Reads the table; `environments` are known, each with whether it is a laptop, and so are `volumes`.
    ///
    /// # Errors
    /// Message and hint.
    pub(super) fn read(&self, environments: &[(&str, bool)], volumes: &[&str]) -> Result<Sync, (String, String)> {
        if let Some(id) = self.files.iter().flatten().find(|id| !volumes.contains(&id.as_str())) {
            let hint = match volumes {
                [] => format!("add [volumes.{id}]"),
                known => format!("known: {}", known.join(", ")),
            };
            return Err((format!("[sync] files: no volume `{id}`"), hint));
        }
        for name in &self.real_data {
            let Some((_, is_laptop)) = environments.iter().find(|(known, _)| known == name) else {
                let known: Vec<&str> = environments.iter().map(|(known, _)| *known).collect();
                return Err((
                    format!("[sync] real_data: no environment `{name}`"),
                    format!("known: {}", known.join(", ")),
                ));
            };
            if *is_laptop {
                return Err((
                    format!("[sync] real_data: `{name}` is a laptop (host = \"laptop\"), which gets no real data"),
                    "remove it from the list".to_owned(),
                ));
            }
        }
        if self.rate == Some(Size(0)) {
            let hint = "write rate = \"20MB\", or leave it out to read as fast as possible".to_owned();
            return Err(("[sync] rate: nothing would ever be read".to_owned(), hint));
        }
        Ok(Sync {
            real_data: self.real_data.clone(),
            files: self.files.clone(),
            rules: self.rules.clone().unwrap_or_else(|| PathBuf::from("stagegate-sanitize.toml")),
            integrity: self.integrity,
            workers: self.workers.unwrap_or(WORKERS).clamp(1, 16),
            within: self.within.unwrap_or(WITHIN),
            lock_timeout: self.lock_timeout.unwrap_or(LOCK_TIMEOUT),
            rate: self.rate,
            max_row: self.max_row.unwrap_or(MAX_ROW),
        })
    }
}
