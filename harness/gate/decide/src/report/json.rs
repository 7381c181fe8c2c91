//! A run for programs: JSON Lines, one record a line, the verdict last.

use serde::Serialize;

use crate::verdict::Verdict;
use stagegate_base::text::json_escaped;

use super::Run;

/// The last line: what was judged, and how.
#[derive(Serialize)]
struct End<'a> {
    v: u32,
    environment: &'a str,
    release: Option<&'a str>,
    started: &'a str,
    verdict: &'a Verdict,
}

/// Writes a run. Texts are as they came; what a terminal would obey or turn around is escaped.
///
/// # Errors
/// [`serde_json::Error`] never comes from these types, and is handed on all the same.
pub fn text(run: &Run) -> Result<String, serde_json::Error> {
    let end = End {
        v: 1,
        environment: &run.environment,
        release: run.release.as_deref(),
        started: &run.started,
        verdict: &run.verdict,
    };
    let records = run.records.iter().map(serde_json::to_string);
    records.chain([serde_json::to_string(&end)]).map(|line| line.map(|line| json_escaped(&line) + "\n")).collect()
}
