//! Which findings of an audit a waiver accepts, and what is wrong with waivers.

use super::{Check, Finding, Rule, rule};
use stagegate_base::{
    record::Severity,
    waiver::{Waiver, Waivers},
};

const EXPIRED: Rule = Rule {
    id: "waiver-expired",
    severity: Severity::Warning,
    title: "a waiver has expired",
    why: "what it accepted for a time is reported again; somebody has to look at it once more",
    fix: "fix what it covers and remove it, or give it a new date with its owner's consent",
    check: Check::Waivers,
};
const UNUSED: Rule = Rule {
    id: "waiver-unused",
    severity: Severity::Warning,
    title: "a waiver covers nothing",
    why: "it would hide the next finding of its kind, which nobody has accepted",
    fix: "remove it",
    check: Check::Waivers,
};

pub(super) const RULES: &[Rule] = &[EXPIRED, UNUSED];

/// Marks the findings that a waiver accepts on the day `today`, and adds what is wrong with the waivers of these rules.
///
/// Where no containers were looked at, a waiver of what shows only on them is not taken for unused.
pub(super) fn apply(waivers: &Waivers, findings: &mut Vec<Finding>, today: &str, looked_at_containers: bool) {
    let examined = |waiver: &Waiver| rule(&waiver.code).is_some() && (looked_at_containers || waiver.code != "drift");
    let first = findings.len();
    waivers.apply(findings, today, (&EXPIRED.described(), &UNUSED.described()), Waiver::covers, examined);
    for fault in &mut findings[first..] {
        let object = fault.place.object.clone();
        fault.aliases = Some(object).filter(|object| !object.is_empty()).into_iter().collect();
        if fault.aliases.is_empty() {
            "stack".clone_into(&mut fault.place.object);
        }
    }
}
