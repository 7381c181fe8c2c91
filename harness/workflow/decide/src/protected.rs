//! Which steps may run: in a protected environment only those that are marked safe, and need nothing of the others.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Login, Step};

/// Where steps run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// All may run.
    Open,
    /// Only safe ones may run.
    Protected,
}

/// The steps that run, and those that do not.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Those that run, in their order.
    pub steps: Vec<Step>,
    /// Those that do not: name and reason.
    pub left_out: Vec<(String, String)>,
}

impl Selection {
    /// Returns whether anything is asked at all, next to clean-up.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(|step| step.cleanup)
    }

    /// States which steps do not run, and why; nothing where all do.
    #[must_use]
    pub fn left_out_steps(&self) -> String {
        let steps: Vec<String> = self.left_out.iter().map(|(step, reason)| format!("`{step}` ({reason})")).collect();
        steps.join(", ")
    }
}

/// Chooses the steps that may run.
#[must_use]
pub fn select(steps: &[Step], logins: &BTreeMap<String, Arc<Login>>, place: Policy) -> Selection {
    let mut selection = Selection { steps: Vec::new(), left_out: Vec::new() };
    if place == Policy::Open {
        selection.steps = steps.to_vec();
        return selection;
    }
    let mut captured: BTreeSet<String> = BTreeSet::new();
    for step in steps {
        match hindrance(step, &captured, logins) {
            None => {
                captured.extend(step.capture.keys().cloned());
                selection.steps.push(step.clone());
            }
            Some(reason) => selection.left_out.push((step.name.clone(), reason)),
        }
    }
    selection
}

fn hindrance(step: &Step, captured: &BTreeSet<String>, logins: &BTreeMap<String, Arc<Login>>) -> Option<String> {
    if !step.safe {
        return Some("not marked safe".to_owned());
    }
    step.needs().into_iter().find_map(|name| {
        if let Some(login) = name.strip_prefix("login.").and_then(|rest| rest.split('.').next()) {
            let is_safe = logins.get(login).is_some_and(|login| login.steps.iter().all(|step| step.safe));
            return (!is_safe).then(|| format!("login `{login}` has steps that are not marked safe"));
        }
        let is_given = name.contains('.') || captured.contains(name);
        (!is_given).then(|| format!("needs `{name}`, captured by a step that is left out"))
    })
}
