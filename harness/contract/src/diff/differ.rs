//! What a comparison carries along: both documents, where it is, what it found, what it has seen.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{
    super::media::Media,
    location::Location,
    rule::{Direction, Level, Rule},
    source::View,
    tree::Node,
};

/// A difference between two contracts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is called.
    pub id: &'static str,
    /// How much it weighs.
    pub level: Level,
    /// What happened, in a few words.
    pub text: &'static str,
    /// Where a caller meets it: `GET /orders response 200 application/json $.total`.
    pub place: String,
    /// What of its places in the files it is about, where they speak of several: a property in `required`.
    pub part: String,
    /// What was there; empty where nothing was.
    pub before: String,
    /// What is there now; empty where nothing is.
    pub after: String,
    /// The place in the old file; of what was added, the place that lacks it.
    pub old: Location,
    /// The place in the new file; of what was removed, the place that lacks it.
    pub new: Location,
}

/// How the values that are compared are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Encoding {
    /// With their types; so is what has no other encoding.
    Json,
    /// Every value is a text.
    Xml,
    /// Every property is a text, or several.
    Form,
    /// Bytes or a text, which is the whole value.
    Raw,
    /// As a part of a path, which is never empty.
    Path,
}

impl Encoding {
    fn of(media: &Media) -> Self {
        match media {
            media if media.is_json() || media.is_range() => Encoding::Json,
            media if media.is_xml() => Encoding::Xml,
            media if media.is_form() => Encoding::Form,
            _ => Encoding::Raw,
        }
    }
}

/// Two schemas that were compared, each as the ids of its parts, for which direction, how they are written, and
/// whether they are members of choices.
type Pair = (Vec<u32>, Vec<u32>, Direction, Encoding, bool);

pub(super) struct Differ<'a> {
    pub(super) old: View<'a>,
    pub(super) new: View<'a>,
    /// Today, `YYYY-MM-DD`.
    pub(super) today: &'a str,
    pub(super) depth: usize,
    pub(super) encoding: Encoding,
    /// Whether the schemas that are compared next are members of choices, whose null was compared.
    is_member: bool,
    place: String,
    changes: Vec<Change>,
    seen: HashSet<Pair>,
    /// What trial comparisons gave, so that none is made twice.
    tried: HashMap<Pair, Option<Level>>,
    /// How many trial comparisons lie in each other.
    trials: usize,
}

/// How many trial comparisons may lie in each other.
const TRIALS: usize = 4;

impl<'a> Differ<'a> {
    pub(super) fn new(old: View<'a>, new: View<'a>, today: &'a str) -> Self {
        Differ {
            old,
            new,
            today,
            depth: 0,
            encoding: Encoding::Json,
            is_member: false,
            place: String::new(),
            changes: Vec::new(),
            seen: HashSet::new(),
            tried: HashMap::new(),
            trials: 0,
        }
    }

    pub(super) fn changes(self) -> Vec<Change> {
        self.changes
    }

    /// Compares what lies below a part of the place.
    pub(super) fn within(&mut self, part: &str, compare: impl FnOnce(&mut Self)) {
        let length = self.place.len();
        self.place.push_str(part);
        compare(self);
        self.place.truncate(length);
    }

    /// Reports that something has to be there now, by the first rule, or may be left out now, by the second one.
    pub(super) fn required_flag(&mut self, (old, new): (&Node<'_>, &Node<'_>), (required, optional): (Rule, Rule)) {
        let (was, is) = (old.is_true("required"), new.is_true("required"));
        if was != is {
            let text_of = |is: bool| (if is { "required" } else { "optional" }).to_owned();
            self.found(if is { required } else { optional }, (old, new), text_of(was), text_of(is));
        }
    }

    /// Compares what a media type holds.
    pub(super) fn in_media(&mut self, name: &str, compare: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.encoding, Encoding::of(&Media::parse(name)));
        self.within(&format!(" {name} $"), compare);
        self.encoding = outer;
    }

    /// Keeps a change.
    pub(super) fn found(&mut self, rule: Rule, (old, new): (&Node<'_>, &Node<'_>), before: String, after: String) {
        let location_of = |view: &View<'_>, node: &Node<'_>| match self.trials {
            0 => view.location(node),
            // A trial is asked only how bad it is.
            _ => Location { file: None, pointer: String::new(), line: node.line },
        };
        self.changes.push(Change {
            id: rule.id,
            level: rule.level,
            text: rule.text,
            place: self.place.trim().to_owned(),
            part: String::new(),
            before,
            after,
            old: location_of(&self.old, old),
            new: location_of(&self.new, new),
        });
    }

    /// Keeps a change of one of the names that a node lists.
    pub(super) fn found_of(
        &mut self,
        part: &str,
        rule: Rule,
        spots: (&Node<'_>, &Node<'_>),
        reported: (String, String),
    ) {
        self.found(rule, spots, reported.0, reported.1);
        if let Some(change) = self.changes.last_mut() {
            part.clone_into(&mut change.part);
        }
    }

    /// Returns whether two nodes are written alike in one dialect, so that nothing in them has to be compared.
    pub(super) fn is_copy(&self, old: &Node<'_>, new: &Node<'_>) -> bool {
        self.old.version == self.new.version && old.is_copy_of(new)
    }

    /// Returns whether two schemas meet for the first time in this direction; circles end here.
    pub(super) fn is_first(&mut self, old: &[&Node<'_>], new: &[&Node<'_>], direction: Direction) -> bool {
        self.seen.insert(self.pair(old, new, direction))
    }

    /// Compares members of choices: whether null is allowed was compared for the choices as a whole.
    pub(super) fn as_members(&mut self, compare: impl FnOnce(&mut Self)) {
        self.is_member = true;
        compare(self);
        self.is_member = false;
    }

    /// Returns whether the schemas that are compared now are members of choices; what lies in them is none.
    pub(super) fn take_membership(&mut self) -> bool {
        std::mem::take(&mut self.is_member)
    }

    /// Returns whether the schemas that are compared now are of a value that is written as a text.
    pub(super) fn is_text(&self, direction: Direction) -> bool {
        let is_element = self.place.ends_with("[*]");
        match (direction, self.encoding) {
            (Direction::Parameter, _) => true,
            // Of a form the properties are texts, and the elements of a list that is one.
            (Direction::Request, Encoding::Form) => self.depth == 2 || (self.depth == 3 && is_element),
            _ => false,
        }
    }

    /// Compares without keeping what is found, and returns the worst of it; none where nothing differs.
    pub(super) fn tried(
        &mut self,
        (old, new): (&[&'a Node<'a>], &[&'a Node<'a>]),
        direction: Direction,
        compare: impl FnOnce(&mut Self),
    ) -> Option<Level> {
        let key = self.pair(old, new, direction);
        if let Some(known) = self.tried.get(&key) {
            return *known;
        }
        if self.trials >= TRIALS {
            return Some(Level::Error);
        }
        self.trials += 1;
        let (changes, seen) = (std::mem::take(&mut self.changes), std::mem::take(&mut self.seen));
        compare(self);
        let worst = self.changes.iter().map(|change| change.level).max();
        (self.changes, self.seen) = (changes, seen);
        self.trials -= 1;
        self.tried.insert(key, worst);
        worst
    }

    fn pair(&self, old: &[&Node<'_>], new: &[&Node<'_>], direction: Direction) -> Pair {
        let ids = |parts: &[&Node<'_>]| parts.iter().map(|part| part.id).collect();
        (ids(old), ids(new), direction, self.encoding, self.is_member)
    }
}
