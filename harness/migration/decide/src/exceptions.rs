//! The reviewed file of exceptions: migrations that have no way back, and findings that somebody accepts.

use std::path::Path;

use serde::Deserialize;
use toml::{Spanned, value::Date};

use super::{Code, Finding, codes};
use stagegate_base::{
    config::ConfigError,
    waiver::{Fault, Terms, empty_key, line_at},
};

/// The name of the file, beside `stagegate.toml`.
pub const EXCEPTIONS_FILE: &str = "migration-exceptions.toml";

/// What a declaration `irreversible` covers: each says that the way back does not lead back. Rows that the way up loses
/// are not covered: who accepts them says so by a waiver.
const IRREVERSIBLE: [Code; 10] = [
    codes::DOWN_MISSING,
    codes::DOWN_EMPTY,
    codes::round_trip::SCHEMA_NOT_RESTORED,
    codes::round_trip::ENUM_VALUE_LEFT,
    codes::round_trip::SECOND_UP_FAILS,
    codes::round_trip::NAME_NOT_RESTORED,
    codes::DATA_NOT_RESTORED,
    codes::SECOND_UP_OTHER_DATA,
    codes::COLUMN_DROPPED_WITH_DATA,
    codes::DOWN_FAILS_WITH_ROWS,
];

/// A declaration that never expires is written without a day.
const NEVER: &str = "9999-12-31";

/// The exceptions of one folder of migrations.
#[derive(Clone, Debug, Default)]
pub struct Exceptions {
    path: String,
    all: Vec<Exception>,
}

#[derive(Clone, Debug)]
struct Exception {
    migration: String,
    /// `None`: declared irreversible.
    code: Option<&'static str>,
    terms: Terms,
}

/// How much was looked at: what nobody looked for can't make an exception unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Only the files.
    Files,
    /// The files, and the migrations were run.
    Run,
    /// What the tool noted of them.
    Applied,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    irreversible: Vec<Spanned<RawIrreversible>>,
    #[serde(default)]
    waiver: Vec<Spanned<RawWaiver>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIrreversible {
    migration: String,
    reason: String,
    owner: String,
    expires: Option<Date>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWaiver {
    code: String,
    migration: String,
    reason: String,
    owner: String,
    expires: Date,
}

impl Exceptions {
    /// Reads the exceptions from the text of the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`] with line and column where a key is missing, unknown or empty, or there is no such code.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let raw: Raw = toml::from_str(text).map_err(|error| ConfigError::from_toml(path, text, &error))?;
        let mut all = Vec::new();
        for entry in raw.irreversible {
            let offset = entry.span().start;
            let RawIrreversible { migration, reason, owner, expires } = entry.into_inner();
            let expires = expires.map_or_else(|| NEVER.to_owned(), |day| day.to_string());
            let terms = Terms { reason, owner, expires, line: line_at(text, offset) };
            all.push(checked(path, text, offset, Exception { migration, code: None, terms })?);
        }
        for entry in raw.waiver {
            let offset = entry.span().start;
            let RawWaiver { code, migration, reason, owner, expires } = entry.into_inner();
            let known = codes::code(&code).ok_or_else(|| {
                let hint = codes::nearest(&code).map(|near| format!("did you mean `{near}`?"));
                let hint = hint.unwrap_or_else(|| "docs/migrations.md lists the codes".to_owned());
                ConfigError::at(path, text, offset, format!("there is no code `{code}`"), Some(hint))
            })?;
            let terms = Terms { reason, owner, expires: expires.to_string(), line: line_at(text, offset) };
            all.push(checked(path, text, offset, Exception { migration, code: Some(known.id), terms })?);
        }
        Ok(Exceptions { path: path.display().to_string(), all })
    }

    /// Marks the findings that an exception covers on the day `today` (`2026-01-31`), and adds what is wrong with the
    /// exceptions.
    pub fn apply(&self, findings: &mut Vec<Finding>, today: &str, extent: Extent) {
        let mut told = Vec::new();
        let is_meant = |exception: &&Exception| match extent {
            Extent::Files => true,
            Extent::Run => !exception.is_of_applied(),
            Extent::Applied => exception.is_of_applied(),
        };
        for exception in self.all.iter().filter(is_meant) {
            let mut covered = false;
            for finding in findings.iter_mut().filter(|finding| exception.covers(finding)) {
                covered = true;
                if !exception.terms.is_over(today) {
                    finding.waived = Some(exception.told());
                }
            }
            match exception.terms.fault(today, covered) {
                Some(Fault::Expired) => {
                    let message = format!("{} ended on {}", exception.shown(), exception.terms.expires);
                    told.push(self.finding(&codes::EXCEPTION_EXPIRED, exception, message));
                }
                Some(Fault::Unused) if extent != Extent::Files || exception.is_of_files() => {
                    let message = format!("{}, where nothing is told", exception.shown());
                    told.push(self.finding(&codes::EXCEPTION_UNUSED, exception, message));
                }
                Some(Fault::Unused) | None => {}
            }
        }
        findings.extend(told);
    }

    fn finding(&self, code: &Code, exception: &Exception, message: String) -> Finding {
        Finding::new(code, message).at(&self.path, exception.terms.line)
    }
}

impl Exception {
    fn covers(&self, finding: &Finding) -> bool {
        let is_meant = match self.code {
            Some(code) => finding.code == code,
            None => IRREVERSIBLE.iter().any(|code| code.id == finding.code),
        };
        is_meant && (self.migration == "*" || is_same(&self.migration, finding))
    }

    /// Tells whether its findings come from the files alone.
    fn is_of_files(&self) -> bool {
        self.code.is_some_and(codes::is_of_files)
    }

    /// Tells whether its findings come from the tool's own table.
    fn is_of_applied(&self) -> bool {
        self.code.is_some_and(codes::is_of_applied)
    }

    fn shown(&self) -> String {
        format!("{} of `{}`", self.code.unwrap_or("irreversible"), self.migration)
    }

    fn told(&self) -> String {
        if self.terms.expires == NEVER {
            return format!("irreversible: {} ({})", self.terms.reason, self.terms.owner);
        }
        self.terms.told()
    }
}

/// A migration is named by its version, with or without zeros in front, or by its file.
fn is_same(named: &str, finding: &Finding) -> bool {
    let plain = |text: &str| text.trim_start_matches('0').to_owned();
    let version = finding.version.as_str();
    !version.is_empty() && (named == version || plain(named) == plain(version))
        || !finding.file.is_empty() && named == finding.file
}

fn checked(path: &Path, text: &str, offset: usize, exception: Exception) -> Result<Exception, ConfigError> {
    let Terms { reason, owner, .. } = &exception.terms;
    match empty_key(&[("migration", &exception.migration), ("reason", reason), ("owner", owner)]) {
        None => Ok(exception),
        Some(key) => {
            let hint = Some("say who accepts what, and why".to_owned());
            Err(ConfigError::at(path, text, offset, format!("`{key}` of an exception is empty"), hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const FILE: &str = "[[irreversible]]\nmigration = \"47\"\nreason = \"values were merged\"\nowner = \"ada\"\n\n[[waiver]]\ncode = \"byte-order-mark\"\nmigration = \"9_x.sql\"\nreason = \"it is in use\"\nowner = \"ada\"\nexpires = 2026-12-31\n";

    fn findings() -> Vec<Finding> {
        vec![
            Finding::new(&codes::DOWN_EMPTY, "").of("000047").at("000047_a.down.sql", 1),
            Finding::new(&codes::BYTE_ORDER_MARK, "").at("9_x.sql", 1),
            Finding::new(&codes::round_trip::DOWN_FAILS, "").of("000047"),
        ]
    }

    #[test]
    fn irreversible_covers_data_that_no_way_back_restores_but_not_lost_rows() {
        let told = [&codes::DATA_NOT_RESTORED, &codes::SECOND_UP_OTHER_DATA, &codes::ROWS_LOST];
        let mut findings = findings();
        findings.extend(told.map(|code| Finding::new(code, "").of("47")));
        let found = applied(findings, "2026-12-31", Extent::Run);
        let of_data: Vec<_> = found.into_iter().skip(3).collect();
        assert_eq!(of_data, [("data-not-restored", true), ("second-up-other-data", true), ("rows-lost", false)]);
    }

    fn applied(mut findings: Vec<Finding>, today: &str, extent: Extent) -> Vec<(&'static str, bool)> {
        Exceptions::parse(Path::new("x.toml"), FILE).unwrap().apply(&mut findings, today, extent);
        findings.iter().map(|finding| (finding.code, finding.waived.is_some())).collect()
    }

    #[test]
    fn an_exception_covers_its_finding_and_no_other() {
        let want = [("down-empty", true), ("byte-order-mark", true), ("down-fails", false)];
        assert_eq!(applied(findings(), "2026-12-31", Extent::Run), want);
    }

    #[test]
    fn an_expired_one_covers_nothing_and_is_told() {
        let found = applied(findings(), "2027-01-01", Extent::Run);
        assert!(found.contains(&("byte-order-mark", false)) && found.contains(&("exception-expired", false)));
    }

    #[rstest]
    #[case::run(Extent::Run, 2)]
    #[case::files(Extent::Files, 1)]
    fn an_unused_one_is_told_where_somebody_looked(#[case] extent: Extent, #[case] want: usize) {
        let found = applied(Vec::new(), "2026-12-31", extent);
        assert_eq!(found.iter().filter(|(code, _)| *code == "exception-unused").count(), want);
    }

    #[rstest]
    #[case::code(
        "byte-order-mark",
        "byte-order-marks",
        "there is no code `byte-order-marks`; did you mean `byte-order-mark`?"
    )]
    #[case::empty("values were merged", " ", "`reason` of an exception is empty")]
    #[case::day("2026-12-31", "\"soon\"", "x.toml:11:")]
    #[case::key("owner = \"ada\"\nexpires", "expires", "missing field `owner`")]
    fn a_mistake_is_told_with_its_place(#[case] from: &str, #[case] to: &str, #[case] want: &str) {
        let error = Exceptions::parse(Path::new("x.toml"), &FILE.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}
