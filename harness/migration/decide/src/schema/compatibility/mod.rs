//! What a difference means for the application: the old release on the new schema, the new release on the old one.

mod attributes;
mod objects;

use serde::Serialize;

use super::{Change, Facts, Id, Kind, Severity};

/// What becomes of statements that were written for the other schema; later ones are worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// They work as before.
    Safe,
    /// They work, and take longer.
    Slower,
    /// They work in the server, and the client sees another type, value or order than it was built for.
    Seen,
    /// It depends on what they do: a person has to look.
    Review,
    /// They fail, or do what was not meant.
    Unsafe,
}

impl Effect {
    /// Returns the word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Effect::Safe => "safe",
            Effect::Slower => "slower",
            Effect::Seen => "seen by the client",
            Effect::Review => "review",
            Effect::Unsafe => "unsafe",
        }
    }
}

/// One direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CompatibilityDirection {
    /// What becomes of reads.
    pub reads: Effect,
    /// What becomes of writes.
    pub writes: Effect,
}

/// Both directions, with the reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compatibility {
    /// The old release on the new schema.
    pub old_on_new: CompatibilityDirection,
    /// The new release on the old schema.
    pub new_on_old: CompatibilityDirection,
    /// The rules that reported so, with their reasons.
    pub reasons: Vec<&'static str>,
}

/// One event that rules are about.
#[derive(Clone, Copy)]
pub(super) struct Event<'a> {
    kind: Kind,
    what: ChangeKind<'a>,
    /// A row must be given a value here: a column that is not null and has no default.
    is_required: bool,
    is_unique: bool,
    is_cosmetic: bool,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ChangeKind<'a> {
    Added,
    Removed,
    Renamed,
    Attribute(&'a str, Option<&'a str>, Option<&'a str>),
}

/// One rule of the table: the first that applies counts.
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    applies: fn(&Event<'_>) -> bool,
    /// Reads and writes of the old release on the new schema.
    pub old_on_new: (Effect, Effect),
    /// Reads and writes of the new release on the old schema.
    pub new_on_old: (Effect, Effect),
    /// Why.
    pub reason: &'static str,
}

/// Returns the table, in the order in which rules are tried; the last one applies always.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    attributes::RULES.iter().chain(objects::RULES)
}

/// Judges one difference: each of its attributes by its own rule, the worst counts.
pub(super) fn of(old: &Facts, new: &Facts, id: &Id, change: &Change, severity: Severity) -> Compatibility {
    let side = if matches!(change, Change::Added { .. }) { new } else { old };
    let payload = |key: &str| side.get(id).and_then(|fact| fact.payload.get(key)).map(String::as_str);
    let has_default = side.get(&Id::new(Kind::Default, id.name.clone())).is_some();
    let definition = payload("definition").unwrap_or_default();
    let about = Event {
        kind: id.kind,
        what: ChangeKind::Added,
        is_required: payload("not null").is_some()
            && !has_default
            && payload("identity").is_none()
            && payload("generated").is_none(),
        is_unique: payload("unique").is_some()
            || ["PRIMARY KEY", "UNIQUE", "EXCLUDE"].iter().any(|word| definition.starts_with(word)),
        is_cosmetic: severity == Severity::Cosmetic,
    };
    let reported: Vec<&Rule> = match change {
        // A privilege that differs from what the server gives by itself may as well be a smaller one.
        Change::Added { .. } if id.kind == Kind::Privilege => vec![rule(&granted(about, None, payload("granted")))],
        Change::Removed { .. } if id.kind == Kind::Privilege => vec![rule(&granted(about, payload("granted"), None))],
        Change::Added { .. } => vec![rule(&about)],
        Change::Removed { .. } => vec![rule(&Event { what: ChangeKind::Removed, ..about })],
        Change::Renamed { .. } => vec![rule(&Event { what: ChangeKind::Renamed, ..about })],
        Change::Changed { attributes } => attributes
            .iter()
            .map(|a| rule(&Event { what: ChangeKind::Attribute(&a.name, a.old.as_deref(), a.new.as_deref()), ..about }))
            .collect(),
    };
    let worst = |pick: fn(&Rule) -> Effect| reported.iter().map(|rule| pick(rule)).max().unwrap_or(Effect::Safe);
    let mut reasons: Vec<&'static str> = reported.iter().map(|rule| rule.reason).collect();
    reasons.dedup();
    Compatibility {
        old_on_new: CompatibilityDirection { reads: worst(|r| r.old_on_new.0), writes: worst(|r| r.old_on_new.1) },
        new_on_old: CompatibilityDirection { reads: worst(|r| r.new_on_old.0), writes: worst(|r| r.new_on_old.1) },
        reasons,
    }
}

fn granted<'a>(about: Event<'a>, old: Option<&'a str>, new: Option<&'a str>) -> Event<'a> {
    // What is not told is what the server gives by itself: nothing, but for owners and functions.
    let usual = |other: Option<&str>| if other == Some("nothing") { "what is usual" } else { "nothing" };
    let (old, new) = (old.unwrap_or(usual(new)), new.unwrap_or(usual(old)));
    Event { what: ChangeKind::Attribute("granted", Some(old), Some(new)), ..about }
}

fn rule(event: &Event<'_>) -> &'static Rule {
    rules().find(|rule| (rule.applies)(event)).unwrap_or(&objects::UNJUDGED)
}

impl<'a> Event<'a> {
    fn is(&self, kinds: &[Kind], what: ChangeKind<'_>) -> bool {
        kinds.contains(&self.kind) && self.what == what
    }

    /// Returns whether it is a change of one of `names`.
    fn changes(&self, names: &[&str]) -> bool {
        matches!(self.what, ChangeKind::Attribute(name, _, _) if names.contains(&name))
    }

    /// Returns what the attribute was and is, where the event is about it.
    fn of(&self, wanted: &str) -> Option<(Option<&'a str>, Option<&'a str>)> {
        match self.what {
            ChangeKind::Attribute(name, old, new) if name == wanted => Some((old, new)),
            _ => None,
        }
    }

    fn gains(&self, name: &str) -> bool {
        matches!(self.of(name), Some((None, Some(_))))
    }

    fn loses(&self, name: &str) -> bool {
        matches!(self.of(name), Some((Some(_), None)))
    }
}

#[cfg(test)]
mod tests;
