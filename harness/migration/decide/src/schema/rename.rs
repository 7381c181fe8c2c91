//! Things that are gone on one side and there on the other, with the same content: perhaps renamed.

use std::collections::BTreeMap;

use super::{Facts, Id, Kind, facts::Rollup};

/// What went and what came of one parent.
#[derive(Default)]
pub(super) struct Moved {
    pub(super) removed: Vec<Id>,
    pub(super) added: Vec<Id>,
}

/// Takes the pairs of one kind and one content out of `moved`, where there is but one on each side: with more, to
/// pair them would be a guess.
pub(super) fn candidates(old: &Facts, new: &Facts, moved: &mut Moved) -> Vec<(Id, Id)> {
    let mut by_content: BTreeMap<(Kind, Rollup), (Vec<Id>, Vec<Id>)> = BTreeMap::new();
    for id in moved.removed.iter().filter(|id| can_be_renamed(id.kind)) {
        if let Some(rollup) = old.rollup(id) {
            by_content.entry((id.kind, *rollup)).or_default().0.push(id.clone());
        }
    }
    for id in moved.added.iter().filter(|id| can_be_renamed(id.kind)) {
        if let Some(rollup) = new.rollup(id) {
            by_content.entry((id.kind, *rollup)).or_default().1.push(id.clone());
        }
    }
    let pairs: Vec<(Id, Id)> = by_content
        .into_values()
        .filter_map(|pair| match (pair.0.as_slice(), pair.1.as_slice()) {
            ([from], [to]) => Some((from.clone(), to.clone())),
            _ => None,
        })
        .collect();
    moved.removed.retain(|id| !pairs.iter().any(|(from, _)| from == id));
    moved.added.retain(|id| !pairs.iter().any(|(_, to)| to == id));
    pairs
}

fn can_be_renamed(kind: Kind) -> bool {
    let is_made_of_others = matches!(
        kind,
        Kind::Database
            | Kind::Setting
            | Kind::Extension
            | Kind::DefaultPrivilege
            | Kind::Default
            | Kind::ColumnOrder
            | Kind::Cast
            | Kind::Transform
            | Kind::UserMapping
            | Kind::PublicationTable
    );
    !kind.is_attached() && !is_made_of_others
}
