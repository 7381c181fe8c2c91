//! What a list of runs shows of one.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stagegate_base::{exit::Exit, release::Release, text::one_line};

use crate::promotion::{End, Entry, Line, PlanOrigin, end_text, reason};

/// A run in a list: a reading of its journal, without its steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its id.
    pub run: String,
    /// The environment that the release was tested in.
    pub from: String,
    /// The environment that it went to.
    pub to: String,
    /// The release that went in.
    pub release: Release,
    /// The release that was live before.
    pub previous: Release,
    /// The git tag of its rollback point.
    pub tag: String,
    /// The plan file that it applied.
    pub plan_file: Option<PlanOrigin>,
    /// When its first line was written (RFC 3339).
    pub began: String,
    /// When its last line was written (RFC 3339).
    pub last: String,
    /// How it ended, with the exit code; `None` where it has not.
    pub end: Option<(End, Exit)>,
    /// The end in one sentence.
    pub text: String,
    /// What failed first, else why it turned.
    pub reason: Option<String>,
}

impl RunSummary {
    /// Reads a run; `None` where the journal has no plan.
    #[must_use]
    pub fn of(lines: &[Line]) -> Option<Self> {
        let (first, last) = (lines.first()?, lines.last()?);
        let Entry::Started { plan } = &first.entry else { return None };
        let end = match &last.entry {
            Entry::Ended { end, exit } => Some((*end, *exit)),
            _ => None,
        };
        Some(RunSummary {
            run: plan.run.clone(),
            from: plan.environments.source.clone(),
            to: plan.environments.target.clone(),
            release: plan.release.clone(),
            previous: plan.previous.clone(),
            tag: plan.tag.clone(),
            plan_file: plan.file.clone(),
            began: first.wall.clone(),
            last: last.wall.clone(),
            end,
            text: end.map_or_else(|| "unfinished".to_owned(), |(end, exit)| end_text(plan, end, exit)),
            reason: reason(lines).map(str::to_owned),
        })
    }

    /// Returns whether the run has ended in a way that nothing follows.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.end.is_some_and(|(end, _)| end.is_final())
    }

    /// Returns the run as a value of JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let (end, exit) = self.end.unzip();
        json!({
            "run": self.run,
            "from": self.from,
            "to": self.to,
            "release": self.release,
            "previous": self.previous,
            "began": self.began,
            "ended": end.map(|_| &self.last),
            "end": end,
            "exit": exit.map(Exit::code),
            "reason": self.reason,
            "tag": self.tag,
            "plan_file": self.plan_file,
        })
    }

    /// Returns the run as a line, and a second one with the reason where it did not go through. `seconds` is what it took,
    /// `place` its folder.
    #[must_use]
    pub fn lines(&self, seconds: f64, place: &str) -> String {
        let mut text = format!(
            "{}  {} -> {}  {} -> {}  {}  {seconds:.1} s  {place}",
            self.run, self.from, self.to, self.previous.name, self.release.name, self.text
        );
        let is_through = matches!(self.end, Some((End::Promoted, _)));
        if let Some(reason) = self.reason.as_deref().filter(|_| !is_through) {
            text.push_str(&format!("\n    {}", one_line(reason)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promotion::read;

    const PROMOTED: &[u8] = include_bytes!("../../../../fixtures/journals/format-1/promoted.jsonl");
    const ROLLED_BACK: &[u8] = include_bytes!("../../../../fixtures/journals/format-1/rolled-back.jsonl");
    const KILLED: &[u8] = include_bytes!("../../../../fixtures/journals/format-1/killed.jsonl");

    #[test]
    fn a_run_of_an_earlier_version_is_in_the_list() {
        for (text, want, has_reason) in [
            (PROMOTED, "v1 -> v2  promoted: v2 is live in production", false),
            (ROLLED_BACK, "v2 -> v3  rolled back and verified: v2 is live in production again", true),
            (KILLED, "v1 -> v2  unfinished", false),
        ] {
            let summary = RunSummary::of(&read(text).unwrap().lines).unwrap();
            let shown = summary.lines(1.0, "/runs/r");
            assert!(shown.contains(want), "{shown}");
            assert_eq!(shown.contains("\n    health::web::http failed"), has_reason, "{shown}");
            assert_eq!(summary.json()["end"].is_null(), want.contains("unfinished"));
            assert_eq!(summary.is_over(), !want.contains("unfinished"));
        }
    }
}
