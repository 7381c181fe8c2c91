//! What is reported of a trip: one finding a class of residue, at the statement that should have taken care of it.

use super::{Down, Failure, FailureCause, RoundTrip, Whole, excerpt, observed::is_order_only};
use crate::AtStatement;
use crate::{
    Chain, Code, Finding, Kind as MigrationKind, Migration, Script, Statement,
    codes::{
        DOWN_EMPTY, DOWN_MISSING,
        round_trip::{
            CHAIN_NOT_RESTORED, COSMETIC_RESIDUE, DOWN_FAILS, ENUM_VALUE_LEFT, NAME_NOT_RESTORED, NOT_REPEATABLE,
            NOT_RUN, ORDER_ONLY, SCHEMA_NOT_RESTORED, SECOND_UP_DIFFERS, SECOND_UP_FAILS, TRANSACTION_LEFT_OPEN,
            UP_FAILS,
        },
    },
    schema::{Change, Difference, Id, Kind, Severity},
};
use stagegate_base::record::Severity as Weight;

/// How many differences a message names.
const NAMED: usize = 4;

/// Returns all that is to be reported of a chain: what its files say, what each trip showed, and the whole.
#[must_use]
pub fn findings(chain: &Chain, round_trips: &[RoundTrip], whole: &Whole) -> Vec<Finding> {
    let mut found = of_files(chain);
    found.extend(of_trips(chain, round_trips));
    found.extend(of_chain(whole));
    found
}

/// Returns what the files say. A down migration that is missing is reported by its trip, which knows what it leaves.
#[must_use]
pub fn of_files(chain: &Chain) -> Vec<Finding> {
    let is_told_by_trip = |finding: &&Finding| finding.code == DOWN_MISSING.id || finding.code == DOWN_EMPTY.id;
    chain.findings.iter().filter(|finding| !is_told_by_trip(finding)).cloned().collect()
}

/// Returns what the trips showed. Migrations that were not tried for one reason are reported together, and so are those that
/// fail without an earlier one that could not be run; what else is found without it may be its doing, and does not block.
#[must_use]
pub fn of_trips(chain: &Chain, round_trips: &[RoundTrip]) -> Vec<Finding> {
    let mut found = Vec::new();
    let (mut reason_before, mut silent, mut following) = (None, 0, 0);
    let (mut foreign, mut unread) = (None, 0);
    let mut missing: Option<&str> = None;
    for (round_trip, migration) in round_trips.iter().zip(&chain.migrations) {
        let reason = match (&round_trip.up, &round_trip.down) {
            (None, Down::NotTried(reason)) => Some(reason),
            _ => None,
        };
        if reason.is_some() && reason == reason_before {
            silent += 1;
            continue;
        }
        reason_before = reason;
        let why = round_trip.up.as_ref().map(|failure| failure.why);
        following += usize::from(why == Some(FailureCause::Follows));
        if why == Some(FailureCause::Follows) && following > 1 {
            continue;
        }
        // Each one is a `foreign-step` with its file.
        if let Some(reason) = &migration.up.foreign {
            if foreign == Some(reason) {
                unread += 1;
                continue;
            }
            foreign = Some(reason);
        }
        let is_meant = |finding: &Finding| !(chain.is_up_only() && finding.code == DOWN_MISSING.id);
        let weighed = |finding: Finding| match finding.code == DOWN_MISSING.id && chain.is_without_downs() {
            true => finding.with_severity(Weight::Warning),
            false => finding,
        };
        let reported = of_round_trip(round_trip, migration).into_iter().filter(is_meant).map(weighed);
        found.extend(reported.map(|finding| match missing {
            Some(missing) if finding.code != NOT_RUN.id => without(finding, missing),
            _ => finding,
        }));
        if round_trip.up.as_ref().is_some_and(Failure::is_ours) {
            missing = missing.or(Some(&round_trip.label));
        }
    }
    let same = "not tried for the same reason";
    for (count, why) in [(silent, same), (unread, same), (following.saturating_sub(1), FOLLOWING)] {
        if count > 0 {
            found.push(Finding::new(&NOT_RUN, format!("{count} more {why}")));
        }
    }
    found
}

/// Why migrations behind one that could not be run are not told one by one.
const FOLLOWING: &str = "failing without an earlier migration that could not be run";

/// Weakens a finding that an earlier migration may explain, because it was not run.
fn without(mut finding: Finding, missing: &str) -> Finding {
    finding.found.push_str(&format!(" (tried without {missing}, which could not be run)"));
    if finding.severity == Weight::Required { finding.with_severity(Weight::Warning) } else { finding }
}

/// Returns the findings of one migration's trip.
#[must_use]
pub fn of_round_trip(round_trip: &RoundTrip, migration: &Migration) -> Vec<Finding> {
    let version = round_trip.version.as_str();
    if let Some(failure) = &round_trip.up {
        return vec![failure.finding(&UP_FAILS, version, "")];
    }
    let mut found = match &round_trip.down {
        // What runs whenever it changes is not reverted: its next text takes its place.
        Down::NotUsable { is_there: false, .. } if migration.kind == MigrationKind::Repeatable => Vec::new(),
        Down::NotUsable { is_there, left } => vec![not_usable(*is_there, left, migration)],
        Down::Failed(failure) => vec![failure.finding(&DOWN_FAILS, version, "")],
        Down::Ran(differences) => residue(differences, migration),
        Down::NotTried(reason) => {
            vec![Finding::new(&NOT_RUN, reason.clone()).of(version).at(&migration.up.file, 0)]
        }
    };
    for file in &round_trip.left_open {
        let message = "the script ends inside a transaction that it began, so its changes were rolled back";
        found.push(Finding::new(&TRANSACTION_LEFT_OPEN, message).of(version).at(file, 0));
    }
    found.extend(again(round_trip, migration));
    found
}

/// Returns what came of the second up migration; a repeatable one runs on what it left itself.
fn again(round_trip: &RoundTrip, migration: &Migration) -> Option<Finding> {
    let version = round_trip.version.as_str();
    let (fails, differs, before) = match migration.kind {
        MigrationKind::Repeatable => {
            (&NOT_REPEATABLE, &NOT_REPEATABLE, "run again, as after each change of its text: ")
        }
        MigrationKind::Versioned => (&SECOND_UP_FAILS, &SECOND_UP_DIFFERS, "after the down migration: "),
    };
    if let Some(failure) = &round_trip.second_up {
        return Some(failure.finding(fails, version, before));
    }
    let is_repeatable = migration.kind == MigrationKind::Repeatable;
    let is_compared = is_repeatable || is_order_only_of(&round_trip.down);
    if !is_compared || is_order_only(&round_trip.second_differs) {
        return None;
    }
    let before = if is_repeatable { before } else { "after down and up again: " };
    let message = format!("{before}{}", difference_text(&round_trip.second_differs));
    Some(placed(differs, message, &migration.up, &round_trip.second_differs).of(version))
}

fn is_order_only_of(down: &Down) -> bool {
    matches!(down, Down::Ran(differences) if is_order_only(differences))
}

fn not_usable(is_there: bool, left: &[Difference], migration: &Migration) -> Finding {
    let leaves = if left.is_empty() { String::new() } else { format!("; it leaves {}", difference_text(left)) };
    match (&migration.down, is_there) {
        (Some(down), true) => {
            let nothing = if down.does_something() {
                "the down migration never commits"
            } else {
                "the down migration has no statement that does anything"
            };
            Finding::new(&DOWN_EMPTY, format!("{nothing}{leaves}"))
                .of(&migration.version)
                .at(&down.file, down.first_line)
        }
        _ => Finding::new(&DOWN_MISSING, format!("there is no down migration{leaves}"))
            .of(&migration.version)
            .at(&migration.up.file, 0),
    }
}

/// Returns whether a difference belongs to a class.
type Belongs = fn(&Difference) -> bool;

/// The classes of residue, the gravest first.
const CLASSES: [(&Code, Belongs); 5] = [
    (&SCHEMA_NOT_RESTORED, |d| d.severity == Severity::Semantic && !is_enum_value_left(d)),
    (&ENUM_VALUE_LEFT, is_enum_value_left),
    (&NAME_NOT_RESTORED, |d| d.severity == Severity::NameOnly),
    (&COSMETIC_RESIDUE, |d| d.severity == Severity::Cosmetic),
    (&ORDER_ONLY, |d| d.severity == Severity::Order),
];

fn residue(differences: &[Difference], migration: &Migration) -> Vec<Finding> {
    let of_class = |(code, belongs): &(&Code, Belongs)| {
        let members: Vec<Difference> = differences.iter().filter(|d| belongs(d)).cloned().collect();
        let script = migration.down.as_ref().unwrap_or(&migration.up);
        (!members.is_empty()).then(|| placed(code, difference_text(&members), script, &members).of(&migration.version))
    };
    CLASSES.iter().filter_map(of_class).collect()
}

/// Returns whether an enum has a value more than before, which no statement takes away.
fn is_enum_value_left(difference: &Difference) -> bool {
    let Change::Changed { attributes } = &difference.change else { return false };
    difference.id.kind == Kind::Enum
        && attributes.iter().all(|attribute| {
            let lines = |text: &Option<String>| -> Vec<String> {
                text.iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
            };
            let (old, new) = (lines(&attribute.old), lines(&attribute.new));
            attribute.name == "values" && new.len() > old.len() && old.iter().all(|value| new.contains(value))
        })
}

/// Makes a finding at the statement of `script` that names what differs, else at the script's beginning.
fn placed(code: &Code, message: String, script: &Script, differences: &[Difference]) -> Finding {
    let statement = differences.iter().find_map(|difference| naming(script, &difference.id));
    let finding = Finding::new(code, message);
    match statement {
        Some(statement) => finding.at_statement(script, statement),
        None => finding.at(&script.file, script.first_line),
    }
}

/// Finds the last statement that names a thing, or what the thing is a part of.
pub(super) fn naming<'a>(script: &'a Script, id: &Id) -> Option<&'a Statement> {
    let parts: Vec<String> = id.name.split(['.', '(', ' ']).map(|part| part.trim_matches('"').to_lowercase()).collect();
    let names = parts.iter().rev().filter(|part| part.len() > 2 && *part != "public");
    names.into_iter().find_map(|name| {
        script.statements.iter().rev().find(|statement| has_word(&script.text_of(statement).to_lowercase(), name))
    })
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(is_part);
        let after = text[at + word.len()..].chars().next().is_some_and(is_part);
        !before && !after
    })
}

/// Reports differences as residue of a down migration: what is still there, what is missing, what is otherwise.
#[must_use]
pub(super) fn difference_text(differences: &[Difference]) -> String {
    let mut reported: Vec<String> = differences.iter().take(NAMED).map(one).collect();
    if differences.len() > NAMED {
        reported.push(format!("{} more", differences.len() - NAMED));
    }
    stagegate_base::text::clean(&reported.join("; "))
}

fn one(difference: &Difference) -> String {
    let id = &difference.id;
    match &difference.change {
        Change::Added { .. } => format!("{id} was added{}", difference.values_text()),
        Change::Removed { .. } => format!("{id} is missing{}", difference.values_text()),
        Change::Renamed { to } => format!("{id} is now {}", to.name),
        Change::Changed { attributes } => {
            let changes: Vec<String> = attributes.iter().map(excerpt::changed).collect();
            format!("{id}: {}", changes.join(", "))
        }
    }
}

/// Returns the findings of the whole chain's trip; what single trips told already is not told again.
#[must_use]
pub fn of_chain(whole: &Whole) -> Vec<Finding> {
    if let Some(reason) = &whole.not_tried {
        return vec![Finding::new(&NOT_RUN, format!("the whole chain was not run down and up: {reason}"))];
    }
    let stopped = |way: &str, code: &Code, stop: &(String, Failure)| {
        stop.1.finding(code, &stop.0, &format!("the whole chain {way} fails here: "))
    };
    let mut found = Vec::new();
    match &whole.down {
        Some(stop) => found.push(stopped("down", &DOWN_FAILS, stop)),
        None if !whole.bottom.is_empty() && !is_order_only(&whole.bottom) => {
            found.push(Finding::new(
                &CHAIN_NOT_RESTORED,
                format!("after all down migrations: {}", difference_text(&whole.bottom)),
            ));
        }
        None => {}
    }
    match &whole.up {
        Some(stop) => found.push(stopped("up", &SECOND_UP_FAILS, stop)),
        None if !is_order_only(&whole.top) => {
            found.push(Finding::new(
                &SECOND_UP_DIFFERS,
                format!("after all up migrations: {}", difference_text(&whole.top)),
            ));
        }
        None => {}
    }
    found
}
