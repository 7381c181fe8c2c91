//! Differences as a person reads them, and as JSON.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Map, Value, json};

use stagegate_base::text::{clean, counted, one_line};

use super::{Attribute, Change, CompatibilityDirection, Difference, Effect, Facts, Severity};

/// What the two sides are called, such as `staging` and `snapshots/schema/shop.txt`.
#[derive(Clone, Debug)]
pub struct Sides {
    /// The first.
    pub old: String,
    /// The second.
    pub new: String,
}

/// How wide the first of two columns may be before the second stands below it.
const BESIDE: usize = 48;

/// Returns the differences grouped by object, old and new side by side.
#[must_use]
pub fn terminal(sides: &Sides, differences: &[Difference]) -> String {
    difference_lines(sides, differences, |_| None)
}

/// Returns the differences grouped by object, each with a line of its own from `note`, where there is one.
pub(super) fn difference_lines(
    sides: &Sides,
    differences: &[Difference],
    note: impl Fn(&Difference) -> Option<String>,
) -> String {
    let mut out = String::new();
    let mut object = None;
    for difference in differences {
        if object != Some(&difference.object) {
            let _ = writeln!(out, "{}{}", if object.is_some() { "\n" } else { "" }, difference.object);
            object = Some(&difference.object);
        }
        let _ = writeln!(out, "  {}", headline(difference));
        if let Change::Changed { attributes } = &difference.change {
            attributes.iter().for_each(|attribute| out.push_str(&side_by_side(attribute, sides)));
        }
        out.push_str(&compatibility(difference));
        if let Some(note) = note(difference) {
            let _ = writeln!(out, "      {note}");
        }
    }
    // Names and bodies are of unknown origin.
    clean(&out)
}

pub(super) fn headline(difference: &Difference) -> String {
    let id = if difference.id == difference.object { "it".to_owned() } else { difference.id.to_string() };
    let reported = match &difference.change {
        Change::Added { parts } => format!("+ {id} is new{}{}", with_parts(*parts), difference.values_text()),
        Change::Removed { parts } => format!("- {id} is gone{}{}", with_parts(*parts), difference.values_text()),
        Change::Renamed { to } => format!("~ {id} is gone and {to} is new with the same content: renamed?"),
        Change::Changed { .. } => format!("* {id} differs"),
    };
    match difference.severity {
        Severity::Semantic => reported,
        severity => format!("{reported}  ({})", word(severity)),
    }
}

/// Returns a difference as one line, with the values of both sides.
pub(super) fn line(difference: &Difference) -> String {
    let id = &difference.id;
    let reported = match &difference.change {
        Change::Added { parts } => format!("{id} is new{}{}", with_parts(*parts), difference.values_text()),
        Change::Removed { parts } => format!("{id} is gone{}{}", with_parts(*parts), difference.values_text()),
        Change::Renamed { to } => format!("{id} is gone and {to} is new with the same content"),
        Change::Changed { attributes } => {
            let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
            let one = |a: &Attribute| format!("{}: {} -> {}", a.name, value(&a.old), value(&a.new));
            format!("{id} differs: {}", attributes.iter().map(one).collect::<Vec<_>>().join("; "))
        }
    };
    one_line(&reported)
}

fn with_parts(parts: usize) -> String {
    match parts {
        0 => String::new(),
        1 => ", with 1 part".to_owned(),
        parts => format!(", with {parts} parts"),
    }
}

/// Returns the word for a severity.
pub(super) fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Semantic => "semantic",
        Severity::NameOnly => "name only",
        Severity::Cosmetic => "cosmetic",
        Severity::Order => "order only",
        Severity::Partition => "partition",
    }
}

fn side_by_side(attribute: &Attribute, sides: &Sides) -> String {
    let name = &attribute.name;
    let (old, new) = (attribute.old.as_deref().unwrap_or("(none)"), attribute.new.as_deref().unwrap_or("(none)"));
    if !old.contains('\n') && !new.contains('\n') && old.chars().count() <= BESIDE {
        return format!("      {name:<14} {old}  ->  {new}\n");
    }
    let (before, after): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same_head = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let left = before.len().min(after.len()) - same_head;
    let same_tail = before.iter().rev().zip(after.iter().rev()).take(left).take_while(|(a, b)| a == b).count();
    let mut out = format!("      {name}  (- {}, + {})\n", sides.old, sides.new);
    for line in &before[same_head..before.len() - same_tail] {
        let _ = writeln!(out, "        - {line}");
    }
    for line in &after[same_head..after.len() - same_tail] {
        let _ = writeln!(out, "        + {line}");
    }
    out
}

fn compatibility(difference: &Difference) -> String {
    let found = &difference.compatibility;
    let worst = |toward: &CompatibilityDirection| toward.reads.max(toward.writes);
    if worst(&found.old_on_new).max(worst(&found.new_on_old)) == Effect::Safe {
        return String::new();
    }
    let toward =
        |toward: &CompatibilityDirection| format!("reads {}, writes {}", toward.reads.word(), toward.writes.word());
    let mut out = format!(
        "      old release on new schema: {}; new release on old schema: {}\n",
        toward(&found.old_on_new),
        toward(&found.new_on_old)
    );
    for reason in &found.reasons {
        let _ = writeln!(out, "      because {reason}");
    }
    out
}

/// Returns the last line: how many differences there are, of which severity.
#[must_use]
pub fn summary(differences: &[Difference]) -> String {
    let count = |severity| differences.iter().filter(|difference| difference.severity == severity).count();
    let reported: Vec<String> =
        [Severity::Semantic, Severity::NameOnly, Severity::Cosmetic, Severity::Order, Severity::Partition]
            .into_iter()
            .filter(|severity| count(*severity) > 0)
            .map(|severity| format!("{} {}", count(severity), word(severity)))
            .collect();
    match differences.len() {
        0 => "no differences".to_owned(),
        n => format!("{}: {}", counted(n, "difference"), reported.join(", ")),
    }
}

/// Returns that some objects are not compared, since no fact covers them.
///
/// `what` is a catalog (`pg_largeobject_metadata`), or a property of a catalog's objects (`owner on pg_namespace`).
#[must_use]
pub fn not_compared(what: &str, count: u64) -> String {
    let (objects, catalog) = match what.split_once(" on ") {
        Some(("owner", catalog)) => (counted(count, "ownership entry"), catalog),
        Some((property, catalog)) => (counted(count, &format!("{property} entry")), catalog),
        None => (counted(count, "object"), what),
    };
    let verb = if count == 1 { "is" } else { "are" };
    format!("{objects} ({catalog}) {verb} not compared")
}

/// Returns what programs get next to the findings: both sides, and the differences in whole.
#[must_use]
pub fn json(sides: &Sides, old: &Facts, new: &Facts, differences: &[impl Serialize]) -> Map<String, Value> {
    let side =
        |name: &str, facts: &Facts| json!({ "name": name, "facts": facts.len(), "unmodelled": facts.unmodelled() });
    [("old", side(&sides.old, old)), ("new", side(&sides.new, new)), ("differences", json!(differences))]
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect()
}
