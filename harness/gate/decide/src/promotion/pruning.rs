//! Which of the databases that earlier runs kept may go.

use std::collections::BTreeMap;

use super::{Leftover, Plan, PlanDatabase};
use stagegate_base::mark::{FoundDatabase, Mark, Role, not_ours};

/// What a successful run removes from one server, and what looks like the gate's and is not touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruning {
    /// To be dropped.
    pub drop: Vec<Mark>,
    /// What an earlier version may have made, or another state folder's run did.
    pub unknown: Vec<Leftover>,
}

/// Returns what may go of the databases of one server, `databases` being those of the plan on it.
///
/// Earlier runs' copies go. Of failed and of replaced databases the newest of each stays, and all of this run's.
#[must_use]
pub fn pruning(plan: &Plan, databases: &[&PlanDatabase], found: &[FoundDatabase]) -> Pruning {
    let live = plan.live();
    let (mut marks, mut unknown) = (Vec::new(), Vec::new());
    for one in found.iter().filter(|one| !live.contains(&one.name)) {
        let parsed = one.comment.as_deref().and_then(Mark::parse);
        match parsed.filter(|mark| databases.iter().any(|database| database.name == mark.of)) {
            Some(mark) if mark.state == plan.state && mark.is_of(one) => marks.push(mark),
            Some(_) => unknown.push(Leftover { name: one.name.clone(), why: not_ours(one).to_owned() }),
            None if databases.iter().any(|database| looks_made_of(&one.name, &database.name)) => {
                let why = "an earlier version of the gate may have made it; it carries no mark";
                unknown.push(Leftover { name: one.name.clone(), why: why.to_owned() });
            }
            None => {}
        }
    }
    let mut newest: BTreeMap<(String, Role), String> = BTreeMap::new();
    for mark in marks.iter().filter(|mark| matches!(mark.role, Role::Failed | Role::Left)) {
        let run = newest.entry((mark.of.clone(), mark.role)).or_default();
        // A run's id begins with its time, so the greatest is the newest.
        *run = run.clone().max(mark.run.clone());
    }
    let is_newest = |mark: &Mark| newest.get(&(mark.of.clone(), mark.role)) == Some(&mark.run);
    let drop = marks.iter().filter(|mark| mark.run != plan.run && !is_newest(mark)).cloned().collect();
    Pruning { drop, unknown }
}

/// Returns whether a name is of the form that the gate gives: for what is reported, never for what is dropped.
fn looks_made_of(name: &str, database: &str) -> bool {
    let is_number =
        |text: &str, length: usize, digit: fn(&u8) -> bool| text.len() == length && text.as_bytes().iter().all(digit);
    Role::ALL.iter().any(|(.., infix)| {
        let Some((beginning, rest)) = name.rsplit_once(&format!("__{infix}_")) else { return false };
        let parts: Vec<&str> = rest.strip_suffix("_r").unwrap_or(rest).split('_').collect();
        let is_run = matches!(parts[..], [day, time, id] if is_number(day, 8, u8::is_ascii_digit)
            && is_number(time, 6, u8::is_ascii_digit) && is_number(id, 4, u8::is_ascii_hexdigit));
        is_run && !beginning.is_empty() && database.starts_with(beginning)
    })
}

#[cfg(test)]
#[path = "pruning_tests.rs"]
mod tests;
