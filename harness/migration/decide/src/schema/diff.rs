//! How two schemas differ.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Compatibility, Fact, Facts, Id, Kind,
    change::{Attribute, Change, Severity},
    compatibility, cosmetic,
    rename::{self, Moved},
};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The outermost thing that it belongs to, such as the table of a column.
    pub object: Id,
    /// The thing.
    pub id: Id,
    /// What became of it.
    #[serde(flatten)]
    pub change: Change,
    /// How much it matters by itself.
    pub severity: Severity,
    /// What it means for the application.
    pub compatibility: Compatibility,
    /// The values of settings that are new or gone, by name: whose settings they are is all that the address states.
    #[serde(skip)]
    pub values: BTreeMap<String, String>,
}

impl Difference {
    /// Returns `: timezone = UTC`, or nothing where it is about no settings.
    #[must_use]
    pub fn values_text(&self) -> String {
        let values: Vec<String> = self.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        if values.is_empty() { String::new() } else { format!(": {}", values.join(", ")) }
    }
}

/// Returns the differences, grouped by object, objects sorted.
///
/// A thing that is gone or new is reported once, its parts are counted; but what is in a schema is reported one by one.
#[must_use]
pub fn diff(old: &Facts, new: &Facts) -> Vec<Difference> {
    let mut walk = Walk { old, new, found: Vec::new() };
    walk.level(None);
    walk.found.sort_by(|a, b| (&a.object, &a.id).cmp(&(&b.object, &b.id)));
    walk.found
}

struct Walk<'a> {
    old: &'a Facts,
    new: &'a Facts,
    found: Vec<Difference>,
}

impl Walk<'_> {
    fn level(&mut self, parent: Option<&Id>) {
        let (old, new) = (self.old, self.new);
        let (before, after) = (old.children(parent), new.children(parent));
        let mut moved = Moved {
            removed: before.iter().filter(|id| after.binary_search(id).is_err()).cloned().collect(),
            added: after.iter().filter(|id| before.binary_search(id).is_err()).cloned().collect(),
        };
        let renamed = rename::candidates(old, new, &mut moved);
        for id in before.iter().filter(|id| after.binary_search(id).is_ok() && old.rollup(id) != new.rollup(id)) {
            self.both(id, &renamed);
        }
        for (from, to) in renamed {
            self.report(from, Change::Renamed { to });
        }
        for id in moved.removed {
            self.one_side(old, id, |parts| Change::Removed { parts });
        }
        for id in moved.added {
            self.one_side(new, id, |parts| Change::Added { parts });
        }
    }

    fn both(&mut self, id: &Id, renamed: &[(Id, Id)]) {
        if let (Some(before), Some(after)) = (self.old.get(id), self.new.get(id))
            && before.payload != after.payload
            && (id.kind != Kind::ColumnOrder || has_another_order(before, after, renamed))
        {
            self.report(id.clone(), Change::Changed { attributes: attributes(before, after) });
        }
        self.level(Some(id));
    }

    fn one_side(&mut self, side: &Facts, id: Id, change: fn(usize) -> Change) {
        let is_schema = id.kind == Kind::Schema;
        let inner: Vec<Id> = if is_schema { side.children(Some(&id)).to_vec() } else { Vec::new() };
        let parts = if is_schema { 0 } else { side.parts(&id) };
        self.report(id, change(parts));
        for child in inner.into_iter().filter(|child| !child.kind.is_attached()) {
            self.one_side(side, child, change);
        }
    }

    fn report(&mut self, id: Id, change: Change) {
        let object = if self.old.get(&id).is_some() { self.old.object(&id) } else { self.new.object(&id) };
        let severity = severity(&id, &change);
        let compatibility = compatibility::of(self.old, self.new, &id, &change, severity);
        let side = match change {
            Change::Added { .. } => Some(self.new),
            Change::Removed { .. } => Some(self.old),
            _ => None,
        };
        let fact = side.filter(|_| id.kind == Kind::Setting).and_then(|side| side.get(&id));
        let values = fact.map(|fact| fact.payload.clone()).unwrap_or_default();
        self.found.push(Difference { object, id, change, severity, compatibility, values });
    }
}

fn attributes(before: &Fact, after: &Fact) -> Vec<Attribute> {
    let mut names: Vec<&String> = before.payload.keys().chain(after.payload.keys()).collect();
    names.sort();
    names.dedup();
    let attribute = |name: &String| Attribute {
        name: name.clone(),
        old: before.payload.get(name).cloned(),
        new: after.payload.get(name).cloned(),
    };
    names.into_iter().map(attribute).filter(|attribute| attribute.old != attribute.new).collect()
}

/// Returns whether the columns that both sides have stand in another order; a renamed one is had by both.
fn has_another_order(before: &Fact, after: &Fact, renamed: &[(Id, Id)]) -> bool {
    let column = |id: &Id| id.name.strip_prefix(&format!("{}.", before.id.name)).map(str::to_owned);
    let renamed: Vec<(String, String)> =
        renamed.iter().filter_map(|(from, to)| Some((column(from)?, column(to)?))).collect();
    let list = |fact: &Fact| -> Vec<String> {
        fact.payload.get("columns").map(|all| all.split('\n').map(str::to_owned).collect()).unwrap_or_default()
    };
    let now_named = |name: String| match renamed.iter().find(|(from, _)| *from == name) {
        Some((_, to)) => to.clone(),
        None => name,
    };
    let (before, after): (Vec<String>, Vec<String>) = (list(before).into_iter().map(now_named).collect(), list(after));
    let kept_before = before.iter().filter(|name| after.contains(name));
    let kept_after = after.iter().filter(|name| before.contains(name));
    !kept_before.eq(kept_after)
}

fn severity(id: &Id, change: &Change) -> Severity {
    match (id.kind, change) {
        (Kind::ColumnOrder, _) => Severity::Order,
        (Kind::Comment, _) => Severity::Cosmetic,
        (kind, Change::Renamed { .. }) if kind.is_unnamed_in_use() => Severity::NameOnly,
        (Kind::Function | Kind::Procedure, Change::Changed { attributes })
            if attributes.iter().all(cosmetic::is_same_body) =>
        {
            Severity::Cosmetic
        }
        _ => Severity::Semantic,
    }
}
