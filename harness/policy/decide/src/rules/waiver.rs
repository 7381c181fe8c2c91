//! Waivers: findings that somebody accepted, for a reason and for a time.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::{Check, Finding, Hit, Place, Rule, nearest, rule};
use stagegate_base::{
    config::ConfigError,
    record::Severity,
    waiver::{Fault, Terms, empty_key, line_at},
};

/// The name of the file, beside the configuration or the compose file.
pub const WAIVERS_FILE: &str = "stagegate-waivers.toml";

const EXPIRED: Rule = Rule {
    id: "waiver-expired",
    severity: Severity::Warning,
    title: "a waiver is over",
    why: "what it accepted for a time is reported again and needs another review",
    mend: "fix what it covers and remove it, or give it a new date with its owner's consent",
    check: Check::Waivers,
};
const UNUSED: Rule = Rule {
    id: "waiver-unused",
    severity: Severity::Warning,
    title: "a waiver covers nothing",
    why: "it would hide the next finding of its kind, which nobody has accepted",
    mend: "remove it",
    check: Check::Waivers,
};

pub(super) const RULES: &[Rule] = &[EXPIRED, UNUSED];

/// The accepted findings of a stack.
#[derive(Clone, Debug, Default)]
pub struct Waivers {
    path: String,
    all: Vec<Waiver>,
}

#[derive(Clone, Debug)]
struct Waiver {
    rule: String,
    service: String,
    terms: Terms,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    policy: Vec<Spanned<RawWaiver>>,
    /// Waivers of contract changes may stand in the same file; they are read elsewhere.
    #[serde(default, rename = "contract")]
    _contract: serde::de::IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWaiver {
    rule: String,
    service: String,
    reason: String,
    owner: String,
    expires: toml::value::Date,
}

impl Waivers {
    /// Reads the waivers from the text of the file at `path`.
    ///
    /// # Errors
    /// [`ConfigError`] with line and column where a key is missing, unknown or empty, or there is no such rule.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let raw: Raw = toml::from_str(text).map_err(|error| ConfigError::from_toml(path, text, &error))?;
        let all: Result<Vec<Waiver>, ConfigError> =
            raw.policy.into_iter().map(|waiver| checked(path, text, waiver)).collect();
        Ok(Waivers { path: path.display().to_string(), all: all? })
    }

    /// Marks the findings that a waiver covers on the day `today`; returns what is wrong with the waivers.
    ///
    /// Where no containers were looked at, a waiver of what shows only on them is not taken for unused.
    pub(super) fn applied(
        &self,
        findings: &mut [Finding],
        today: &str,
        looked_at_containers: bool,
    ) -> Vec<(&'static Rule, Hit)> {
        let mut told = Vec::new();
        for waiver in &self.all {
            let covered: Vec<&mut Finding> = findings.iter_mut().filter(|finding| waiver.covers(finding)).collect();
            match waiver.terms.fault(today, !covered.is_empty()) {
                Some(Fault::Expired) => {
                    let found = format!("{} of `{}` expired on {}", waiver.rule, waiver.service, waiver.terms.expires);
                    told.push((&RULES[0], self.hit(waiver, format!("a date from {today} on"), found)));
                }
                Some(Fault::Unused) if looked_at_containers || waiver.rule != "drift" => {
                    let found = format!("{} of `{}`, which has no such finding", waiver.rule, waiver.service);
                    told.push((&RULES[1], self.hit(waiver, "a finding to cover".to_owned(), found)));
                }
                Some(Fault::Unused) => {}
                None => covered.into_iter().for_each(|finding| finding.waived = Some(waiver.terms.told())),
            }
        }
        told
    }

    fn hit(&self, waiver: &Waiver, expected: String, found: String) -> Hit {
        let mut hit = Hit::new("", expected, found);
        hit.place = Some(Place { file: self.path.clone(), line: waiver.terms.line });
        // A waiver of all services belongs to none.
        if waiver.service == "*" { hit } else { hit.of(&waiver.service) }
    }
}

impl Waiver {
    fn covers(&self, finding: &Finding) -> bool {
        finding.rule == self.rule && (self.service == "*" || self.service == finding.service)
    }
}

fn checked(path: &Path, text: &str, waiver: Spanned<RawWaiver>) -> Result<Waiver, ConfigError> {
    let offset = waiver.span().start;
    let refused = |message: String, hint: &str| ConfigError::at(path, text, offset, message, Some(hint.to_owned()));
    let waiver = waiver.into_inner();
    if rule(&waiver.rule).is_none() {
        let hint = nearest(&waiver.rule).map_or_else(
            || "`gate lint --explain all` lists the rules".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(refused(format!("there is no rule `{}`", waiver.rule), &hint));
    }
    let RawWaiver { rule, service, reason, owner, expires } = waiver;
    if let Some(key) = empty_key(&[("service", &service), ("reason", &reason), ("owner", &owner)]) {
        return Err(refused(format!("`{key}` of a waiver is empty"), "say who accepts what, and why"));
    }
    let terms = Terms { reason, owner, expires: expires.to_string(), line: line_at(text, offset) };
    Ok(Waiver { rule, service, terms })
}
