//! Waivers: findings that somebody accepts, for a reason and for a time. One file and one format for every kind of finding.
//!
//! ```toml
//! [[waiver]]
//! code = "privileged"
//! place = "api"
//! reason = "it loads a kernel module"
//! owner = "ada"
//! expires = 2027-01-31
//! ```

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{
    Spanned,
    value::{Date, Datetime},
};

use crate::{
    config::ConfigError,
    finding::{Finding, Rule},
    suggest::closest,
};

/// The name of the file, next to `stagegate.toml` or the compose file.
pub const FILE_NAME: &str = "stagegate-waivers.toml";

/// Names that earlier versions read; they still count.
pub const OLD_NAMES: [&str; 2] = ["contract-waivers.toml", "migration-exceptions.toml"];

/// The code that accepts everything that a migration without a usable down migration leads to.
pub const IRREVERSIBLE: &str = "irreversible";

/// The day of a waiver that never expires; only [`IRREVERSIBLE`] may be without a day.
const NEVER: &str = "9999-12-31";

/// Who accepts something, why, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// Why it is accepted.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it counts, `YYYY-MM-DD`.
    pub expires: String,
    /// Its line in the file of waivers.
    pub line: usize,
}

/// A finding that somebody accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiver {
    /// The rule's id.
    pub code: String,
    /// The service, the migration, the place of a contract; `*` is everywhere.
    pub place: String,
    /// Who answers for it, why, and until when.
    #[serde(flatten)]
    pub terms: Terms,
    /// The file that it stands in.
    pub file: String,
}

/// What is wrong with a waiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its last day is past: it covers nothing any more.
    Expired,
    /// Nothing was found that it covers.
    Unused,
}

impl Terms {
    /// Returns whether its last day is before `today` (`2026-01-31`).
    #[must_use]
    pub fn is_over(&self, today: &str) -> bool {
        self.expires.as_str() < today
    }

    /// Returns what is wrong with a waiver that covered something, or nothing.
    #[must_use]
    pub fn fault(&self, today: &str, covered: bool) -> Option<Fault> {
        match (self.is_over(today), covered) {
            (true, _) => Some(Fault::Expired),
            (false, false) => Some(Fault::Unused),
            (false, true) => None,
        }
    }

    /// Returns the reason with owner and day, as it stands next to a finding.
    #[must_use]
    pub fn text(&self) -> String {
        if self.expires == NEVER {
            return format!("{} ({})", self.reason, self.owner);
        }
        format!("{} ({}, until {})", self.reason, self.owner, self.expires)
    }
}

impl Waiver {
    /// Returns whether the finding stands where the waiver counts: by its object, its file, or another name of it.
    /// A migration's version may be written without the zeros in front.
    #[must_use]
    pub fn is_at(&self, finding: &Finding) -> bool {
        let plain = |text: &str| text.trim_start_matches('0').to_owned();
        let object = &finding.place.object;
        self.place == "*"
            || !object.is_empty() && (self.place == *object || plain(&self.place) == plain(object))
            || finding.aliases.contains(&self.place)
            || finding.place.file.as_ref().is_some_and(|file| *file == self.place)
    }

    /// Returns whether it accepts a finding.
    #[must_use]
    pub fn covers(&self, finding: &Finding) -> bool {
        self.code == finding.code && self.is_at(finding)
    }

    /// Returns what it accepts, as a message names it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} of `{}`", self.code, self.place)
    }
}

/// The waivers of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waivers {
    all: Vec<Waiver>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    // Earlier versions had a table for each kind.
    #[serde(default, alias = "policy", alias = "contract")]
    waiver: Vec<Spanned<RawWaiver>>,
    #[serde(default)]
    irreversible: Vec<Spanned<RawIrreversible>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWaiver {
    #[serde(alias = "rule", alias = "finding")]
    code: String,
    #[serde(alias = "service", alias = "migration")]
    place: String,
    reason: String,
    owner: String,
    expires: Option<Day>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIrreversible {
    #[serde(alias = "place")]
    migration: String,
    reason: String,
    owner: String,
    expires: Option<Day>,
}

/// A day as TOML writes it, or as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Day {
    Date(Date),
    Text(String),
}

/// Returns the JSON Schema of the file of waivers, for editors; `reference` is the text of the annotated example.
///
/// # Errors
/// [`toml::de::Error`] where the reference is no TOML.
pub fn json_schema(reference: &str) -> Result<serde_json::Value, toml::de::Error> {
    crate::json_schema::json_schema::<Raw>(FILE_NAME, reference)
}

impl Waivers {
    /// Reads the waivers from the text of the file at `path`.
    ///
    /// `known` are the codes that there are, [`IRREVERSIBLE`] apart; any code is taken where it is empty.
    ///
    /// # Errors
    /// [`ConfigError`] with line and column where a key is missing, unknown or empty, there is no such code, or a day
    /// is none.
    pub fn parse(path: &Path, text: &str, known: &[&str]) -> Result<Self, ConfigError> {
        let raw: Raw = toml::from_str(text).map_err(|error| ConfigError::from_toml(path, text, &error))?;
        let waivers = raw.waiver.into_iter().map(|entry| {
            let offset = entry.span().start;
            (offset, entry.into_inner())
        });
        let irreversible = raw.irreversible.into_iter().map(|entry| {
            let offset = entry.span().start;
            let RawIrreversible { migration, reason, owner, expires } = entry.into_inner();
            (offset, RawWaiver { code: IRREVERSIBLE.to_owned(), place: migration, reason, owner, expires })
        });
        let all: Result<Vec<Waiver>, ConfigError> =
            waivers.chain(irreversible).map(|(offset, raw)| checked(path, text, (offset, raw), known)).collect();
        Ok(Waivers { all: all? })
    }

    /// Adds those of another file.
    pub fn extend(&mut self, other: Waivers) {
        self.all.extend(other.all);
    }

    /// Returns the waivers, in the order of the files.
    #[must_use]
    pub fn all(&self) -> &[Waiver] {
        &self.all
    }

    /// Marks the findings that a waiver covers on the day `today` (`2026-01-31`), and adds a finding for each waiver
    /// that is over or covers nothing.
    ///
    /// `covers` tells whether a waiver accepts a finding. `examined` tells whether what a waiver is for was looked for:
    /// where it was not, the waiver is not called unused. `of` are the rules of expired and of unused waivers.
    pub fn apply(
        &self,
        findings: &mut Vec<Finding>,
        today: &str,
        of: (&Rule, &Rule),
        covers: impl Fn(&Waiver, &Finding) -> bool,
        examined: impl Fn(&Waiver) -> bool,
    ) {
        let mut faults = Vec::new();
        for waiver in &self.all {
            let mut covered = false;
            for finding in findings.iter_mut().filter(|finding| covers(waiver, finding)) {
                covered = true;
                if !waiver.terms.is_over(today) {
                    finding.waived = Some(waiver.terms.text());
                }
            }
            let fault = match waiver.terms.fault(today, covered) {
                Some(Fault::Expired) if covered || examined(waiver) => {
                    let found = format!("{} expired on {}", waiver.name(), waiver.terms.expires);
                    Finding { expected: format!("a day from {today} on"), ..Finding::new(of.0, found) }
                }
                Some(Fault::Unused) if examined(waiver) => {
                    let found = format!("{}, where nothing is found", waiver.name());
                    Finding { expected: "a finding that it covers".to_owned(), ..Finding::new(of.1, found) }
                }
                Some(_) | None => continue,
            };
            // A waiver of all places belongs to none.
            let object = if waiver.place == "*" { "" } else { waiver.place.as_str() };
            faults.push(fault.of(object).at(&waiver.file, waiver.terms.line));
        }
        findings.extend(faults);
    }
}

fn checked(path: &Path, text: &str, (offset, raw): (usize, RawWaiver), known: &[&str]) -> Result<Waiver, ConfigError> {
    let refused = |message: String, hint: String| ConfigError::at(path, text, offset, message, Some(hint));
    let RawWaiver { code, place, reason, owner, expires } = raw;
    if code != IRREVERSIBLE && !known.is_empty() && !known.contains(&code.as_str()) {
        let hint = closest(&code, known).map(|near| format!("did you mean `{near}`?"));
        let hint = hint.unwrap_or_else(|| "`gate lint --explain all` and docs/reference list the codes".to_owned());
        return Err(refused(format!("there is no code `{code}`"), hint));
    }
    if let Some(key) = empty_key(&[("place", &place), ("reason", &reason), ("owner", &owner)]) {
        return Err(refused(format!("`{key}` of a waiver is empty"), "write who accepts what, and why".to_owned()));
    }
    let expires = match expires {
        Some(Day::Date(day)) => day.to_string(),
        Some(Day::Text(day)) => match day.parse::<Datetime>() {
            Ok(Datetime { date: Some(date), time: None, offset: None }) => date.to_string(),
            _ => {
                let hint = "write a day as 2026-12-31".to_owned();
                return Err(refused(format!("`expires` is `{day}`, which is no day"), hint));
            }
        },
        None if code == IRREVERSIBLE => NEVER.to_owned(),
        None => {
            let hint = "write the last day on which it counts, as 2026-12-31".to_owned();
            return Err(refused(format!("`expires` is missing in the waiver of {code}"), hint));
        }
    };
    let terms = Terms { reason, owner, expires, line: line_at(text, offset) };
    Ok(Waiver { code, place, terms, file: path.display().to_string() })
}

/// Returns the first key whose text is empty.
fn empty_key(pairs: &[(&'static str, &str)]) -> Option<&'static str> {
    pairs.iter().find(|(_, value)| value.trim().is_empty()).map(|(key, _)| *key)
}

/// Returns the line, from 1, of a byte of a text.
fn line_at(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}

#[cfg(test)]
mod tests;
