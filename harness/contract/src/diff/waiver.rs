//! Waivers: changes that somebody answers for, until a day.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{Change, Level, lifecycle::is_day, rules};
use stagegate_base::waiver::{Fault, Terms, empty_key, line_at};

/// The name of the file, beside `stagegate.toml`.
pub const FILE_NAME: &str = "contract-waivers.toml";

/// A change that is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiver {
    /// The rule's id.
    pub finding: String,
    /// The change's place, or a JSON pointer of it in the old or the new file.
    pub place: String,
    /// Who answers for it, why, and until when.
    #[serde(flatten)]
    pub terms: Terms,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    waiver: Vec<Spanned<Raw>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    finding: String,
    place: String,
    reason: String,
    owner: String,
    expires: String,
}

/// A file of waivers that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct WaiverError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there, and the way out.
    pub message: String,
}

/// A change and whether somebody answers for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The change.
    #[serde(flatten)]
    pub change: Change,
    /// The waiver that covers it.
    pub waived: Option<Waiver>,
}

/// What is wrong with a waiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stale {
    /// `waiver-expired` or `waiver-unused`.
    pub id: &'static str,
    /// An expired waiver holds; an unused one is told.
    pub level: Level,
    /// The waiver.
    pub waiver: Waiver,
}

/// Changes, judged with their waivers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// The changes, the worst first.
    pub changes: Vec<Judged>,
    /// Waivers that are past their day, or cover nothing.
    pub stale: Vec<Stale>,
}

impl Judgement {
    /// Tells whether anything of this level or above is left that nobody answers for.
    #[must_use]
    pub fn holds(&self, level: Level) -> bool {
        self.open(level).next().is_some() || self.stale.iter().any(|stale| stale.level >= level)
    }

    /// Returns the changes of this level or above that nobody answers for, the worst first.
    pub fn open(&self, level: Level) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |j| j.change.level >= level && j.waived.is_none()).map(|judged| &judged.change)
    }

    /// Counts the changes of a level, those that are waived left out.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.open(level).filter(|change| change.level == level).count()
    }
}

/// Reads a file of waivers.
///
/// # Errors
/// [`WaiverError`] with the line: an unknown key, an unknown rule, an empty text, a day that is none.
pub fn waivers(text: &str) -> Result<Vec<Waiver>, WaiverError> {
    let file: File = toml::from_str(text).map_err(|error| WaiverError {
        line: line_at(text, error.span().map_or(0, |span| span.start)),
        message: error.message().trim().to_owned(),
    })?;
    let checked = |raw: Spanned<Raw>| {
        let line = line_at(text, raw.span().start);
        let Raw { finding, place, reason, owner, expires } = raw.into_inner();
        let wrong = |message: String| Err(WaiverError { line, message });
        if !rules().iter().any(|rule| rule.id == finding) {
            return wrong(format!("`{finding}` is no rule; the ids are in docs/contracts.md"));
        }
        if !is_day(&expires) || expires.len() != 10 {
            return wrong(format!("`expires` is `{expires}`; write a day as 2026-12-31"));
        }
        if let Some(key) = empty_key(&[("place", &place), ("reason", &reason), ("owner", &owner)]) {
            return wrong(format!("`{key}` is empty"));
        }
        Ok(Waiver { finding, place, terms: Terms { reason, owner, expires, line } })
    };
    file.waiver.into_iter().map(checked).collect()
}

/// Judges changes with the waivers that are there. `today` is a date, `YYYY-MM-DD`.
#[must_use]
pub fn judge(changes: Vec<Change>, waivers: &[Waiver], today: &str) -> Judgement {
    let mut used = vec![false; waivers.len()];
    let mut judged: Vec<Judged> = changes
        .into_iter()
        .map(|change| {
            let found = waivers.iter().position(|waiver| covers(waiver, &change));
            found.iter().for_each(|at| used[*at] = true);
            let waived = found.map(|at| &waivers[at]).filter(|waiver| !waiver.terms.is_over(today)).cloned();
            Judged { change, waived }
        })
        .collect();
    judged.sort_by_key(|judged| (judged.waived.is_some(), std::cmp::Reverse(judged.change.level)));
    let stale = waivers.iter().zip(used).filter_map(|(waiver, used)| {
        let (id, level) = match waiver.terms.fault(today, used)? {
            Fault::Expired => ("waiver-expired", Level::Error),
            Fault::Unused => ("waiver-unused", Level::Warning),
        };
        Some(Stale { id, level, waiver: waiver.clone() })
    });
    Judgement { changes: judged, stale: stale.collect() }
}

fn covers(waiver: &Waiver, change: &Change) -> bool {
    let pointer = waiver.place.strip_prefix('#').unwrap_or(&waiver.place);
    waiver.finding == change.id
        && (waiver.place == change.place || pointer == change.old.pointer || pointer == change.new.pointer)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::Spot, *};

    const FILE: &str = "[[waiver]]\nfinding = \"path-removed\"\nplace = \"/old\"\nreason = \"nobody calls it\"\nowner = \"ada\"\nexpires = \"2026-03-31\"\n";

    fn change() -> Change {
        let spot = |pointer: &str| Spot { pointer: pointer.to_owned(), line: 3 };
        Change {
            id: "path-removed",
            level: Level::Error,
            text: "the path is gone",
            place: "/old".to_owned(),
            before: "GET".to_owned(),
            after: String::new(),
            old: spot("/paths/~1old"),
            new: spot("/paths"),
        }
    }

    #[rstest]
    #[case::in_time("2026-03-31", vec![change()], false, &[])]
    #[case::expired("2026-04-01", vec![change()], true, &["waiver-expired"])]
    #[case::unused("2026-03-31", vec![], false, &["waiver-unused"])]
    #[case::expired_and_unused("2026-04-01", vec![], true, &["waiver-expired"])]
    fn a_waiver_covers_its_change_until_its_day(
        #[case] today: &str,
        #[case] changes: Vec<Change>,
        #[case] holds: bool,
        #[case] stale: &[&str],
    ) {
        let judged = judge(changes, &waivers(FILE).unwrap(), today);
        assert_eq!(judged.holds(Level::Error), holds);
        assert_eq!(judged.stale.iter().map(|stale| stale.id).collect::<Vec<_>>(), stale);
    }

    #[rstest]
    #[case::pointer("place = \"/old\"", "place = \"#/paths/~1old\"", true)]
    #[case::elsewhere("place = \"/old\"", "place = \"/other\"", false)]
    #[case::other_rule("path-removed", "operation-removed", false)]
    fn it_names_the_change_by_rule_and_place(#[case] from: &str, #[case] to: &str, #[case] covers: bool) {
        let judged = judge(vec![change()], &waivers(&FILE.replace(from, to)).unwrap(), "2026-03-01");
        assert_eq!(!judged.holds(Level::Error), covers);
    }

    #[rstest]
    #[case::rule("path-removed", "path-gone", "line 1: `path-gone` is no rule")]
    #[case::day("2026-03-31", "soon", "line 1: `expires` is `soon`")]
    #[case::no_reason("nobody calls it", " ", "line 1: `reason` is empty")]
    #[case::key("owner", "ownr", "line 5: unknown field `ownr`")]
    fn a_mistake_is_told_with_its_line(#[case] from: &str, #[case] to: &str, #[case] want: &str) {
        let error = waivers(&FILE.replace(from, to)).unwrap_err().to_string();
        assert!(error.starts_with(want), "{error}");
    }
}
