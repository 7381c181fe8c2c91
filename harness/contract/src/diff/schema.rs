//! Two schemas: what one allows and the other does not.
//!
//! A schema holds schemas: what is compared of its keywords, members and choices comes back to [`Differ::schemas`].
//! These files extend [`Differ`] and meet in its methods; in what they import none needs another in a circle.

use super::{
    differ::{Differ, Encoding},
    format,
    rule::{self, Aspect, Direction, Effect},
    shape::{Additional, Shape},
    source::View,
    tree::Node,
    types::{self, ANY, ARRAY, FRACTION, NULL, OBJECT, STRING},
};

/// How deep schemas may lie in each other.
const DEPTH: usize = 100;

/// Two schemas and what they allow.
pub(super) struct Sides<'a> {
    pub(super) parts: (Vec<&'a Node<'a>>, Vec<&'a Node<'a>>),
    pub(super) old: Shape<'a>,
    pub(super) new: Shape<'a>,
    pub(super) direction: Direction,
}

impl<'a> Differ<'a> {
    /// Compares two schemas, each given as parts that hold together.
    pub(super) fn schemas(&mut self, old: &[&'a Node<'a>], new: &[&'a Node<'a>], direction: Direction) {
        let is_copy =
            |(old, new): (&[&Node<'_>], &[&Node<'_>])| old.len() == 1 && new.len() == 1 && self.is_copy(old[0], new[0]);
        if old.is_empty() || new.is_empty() || is_copy((old, new)) || !self.is_first(old, new, direction) {
            return;
        }
        let mut sides = Sides {
            old: Shape::of(&self.old, old),
            new: Shape::of(&self.new, new),
            parts: (old.to_vec(), new.to_vec()),
            direction,
        };
        if self.take_membership() {
            (sides.old.null, sides.new.null) = (None, None);
        }
        if self.depth >= DEPTH {
            return self.found(rule::NOT_COMPARED, (old[0], new[0]), String::new(), String::new());
        }
        self.depth += 1;
        self.sides(&sides);
        self.depth -= 1;
    }

    pub(super) fn sides(&mut self, sides: &Sides<'a>) {
        let has_choice = |shape: &Shape<'_>| !shape.one_of.is_empty() || !shape.any_of.is_empty();
        if has_choice(&sides.old) != has_choice(&sides.new) {
            self.null(sides);
            return self.wrapped(sides);
        }
        if !self.types(sides) {
            return;
        }
        self.null(sides);
        self.format(sides);
        self.values(sides);
        self.numbers(sides);
        self.sizes(sides);
        self.texts(sides);
        self.notes(sides);
        self.properties(sides);
        self.rest(sides);
        self.items(sides);
        self.keywords(sides);
        self.all_of_added(sides);
        self.members(sides);
    }

    /// Keeps a difference of one keyword.
    pub(super) fn differs(
        &mut self,
        sides: &Sides<'a>,
        aspect: Aspect,
        effect: Effect,
        keyword: &str,
        reported: (String, String),
    ) {
        let locations =
            (keyword_node(&self.old, &sides.parts.0, keyword), keyword_node(&self.new, &sides.parts.1, keyword));
        if let (Some(old), Some(new)) = locations {
            self.found(rule::of(aspect, effect, sides.direction), (old, new), reported.0, reported.1);
        }
    }

    /// Compares types; returns whether they have enough in common for the rest to be compared.
    fn types(&mut self, sides: &Sides<'a>) -> bool {
        let types = |shape: &Shape<'_>| if shape.is_never { 0 } else { shape.types.unwrap_or(ANY) };
        let (old, new) = (types(&sides.old), types(&sides.new));
        let text_of = |types, shape: &Shape<'_>| match (types, allows_null(shape)) {
            (0, false) => "nothing".to_owned(),
            (0, true) => types::type_names(Some(0)),
            (types, is_nullable) => types::type_names(Some(types)) + if is_nullable { " or null" } else { "" },
        };
        let is_null_only = old == 0 || new == 0;
        let is_whole = |types: u8, shape: &Shape<'_>| {
            types & FRACTION != 0 && shape.multiple_of.is_some_and(|step| step.fract() == 0.0)
        };
        // A number that is a multiple of an integer is an integer.
        let whole = |types, shape| if is_whole(types, shape) { types & !FRACTION } else { types };
        if old != new && whole(old, &sides.old) == whole(new, &sides.new) {
            return true;
        }
        if old == new && !(is_null_only && allows_null(&sides.old) != allows_null(&sides.new)) {
            return true;
        }
        let is_plain = old & (ARRAY | OBJECT) == 0;
        if self.is_text(sides.direction) && is_plain && new == ARRAY && !sides.new.items.is_empty() {
            return self.listed(sides);
        }
        let is_text = self.is_text(sides.direction) && takes_every_text(&sides.new);
        let effect = match (old, new) {
            // Every plain parameter and property of a form is written as a text.
            _ if is_text && is_plain => Effect::Widened,
            // Where one side has no other type, null is the type that it has or lacks.
            _ if is_null_only => {
                let sets = [(old, &sides.old), (new, &sides.new)].map(|(types, shape)| with_null(types, shape));
                effect(sets[0] & sets[1] == sets[1], sets[0] & sets[1] == sets[0])
            }
            _ if old & new == old => Effect::Widened,
            _ if old & new == new => Effect::Narrowed,
            _ => Effect::Changed,
        };
        let reported = (text_of(old, &sides.old), text_of(new, &sides.new));
        if self.encoding == Encoding::Xml && effect == Effect::Changed {
            let locations =
                (keyword_node(&self.old, &sides.parts.0, "type"), keyword_node(&self.new, &sides.parts.1, "type"));
            if let (Some(old_at), Some(new_at)) = locations {
                self.found(rule::XML_TYPE_CHANGED, (old_at, new_at), reported.0, reported.1);
            }
            return false;
        }
        self.differs(sides, Aspect::Type, effect, "type", reported);
        old & new != 0 && !(is_text && old != new)
    }

    /// Compares a plain parameter with a list: one value is written as the list of it, so the elements tell.
    fn listed(&mut self, sides: &Sides<'a>) -> bool {
        let effect = if sides.new.least[1] > 1.0 { Effect::Changed } else { Effect::Widened };
        let reported = (types::type_names(sides.old.types), types::type_names(sides.new.types));
        self.differs(sides, Aspect::Type, effect, "type", reported);
        self.within("[*]", |differ| differ.schemas(&sides.parts.0, &sides.new.items, sides.direction));
        false
    }

    fn null(&mut self, sides: &Sides<'a>) {
        // A parameter is a text, which is never null.
        if sides.direction == Direction::Parameter {
            return;
        }
        let (Some(old), Some(new)) = (sides.old.null, sides.new.null) else { return };
        let text_of = |null: bool| (if null { "null allowed" } else { "no null" }).to_owned();
        let effect = if new { Effect::Widened } else { Effect::Narrowed };
        if old != new {
            let written = ["nullable", "type", "oneOf", "anyOf", "enum", "const"];
            let has = |key: &&str| {
                spot_of(&self.new, &sides.parts.1, key).or_else(|| spot_of(&self.old, &sides.parts.0, key)).is_some()
            };
            let keyword = written.into_iter().find(has).unwrap_or("type");
            self.differs(sides, Aspect::Nullable, effect, keyword, (text_of(old), text_of(new)));
        }
    }

    fn format(&mut self, sides: &Sides<'a>) {
        // With another type the format states something else, and the type was reported.
        if sides.old.types != sides.new.types {
            return;
        }
        if let Some(effect) = format::effect(&sides.old, &sides.new) {
            let text_of = |format: Option<&str>| format.unwrap_or("no format").to_owned();
            self.differs(
                sides,
                Aspect::Format,
                effect,
                "format",
                (text_of(sides.old.format), text_of(sides.new.format)),
            );
        }
    }

    fn values(&mut self, sides: &Sides<'a>) {
        let written = ["const", "enum", "oneOf", "anyOf"].into_iter().find(|key| {
            spot_of(&self.new, &sides.parts.1, key).or_else(|| spot_of(&self.old, &sides.parts.0, key)).is_some()
        });
        let keyword = written.unwrap_or("enum");
        match (&sides.old.values, &sides.new.values) {
            (None, Some(new)) => {
                let reported = (String::new(), list(new.iter()));
                self.differs(sides, Aspect::Enum, Effect::Narrowed, keyword, reported);
            }
            (Some(old), None) => {
                let reported = (list(old.iter()), String::new());
                self.differs(sides, Aspect::Enum, Effect::Widened, keyword, reported);
            }
            (Some(old), Some(new)) => {
                if !old.is_subset(new) {
                    let reported = (list(old.difference(new)), String::new());
                    self.differs(sides, Aspect::Enum, Effect::Narrowed, keyword, reported);
                }
                if !new.is_subset(old) {
                    let reported = (String::new(), list(new.difference(old)));
                    self.differs(sides, Aspect::Enum, Effect::Widened, keyword, reported);
                }
            }
            (None, None) => {}
        }
    }

    /// Compares what changes no value that is allowed, and still is worth a word.
    fn notes(&mut self, sides: &Sides<'a>) {
        let locations_of = |differ: &Self, key| {
            Some((keyword_node(&differ.old, &sides.parts.0, key)?, keyword_node(&differ.new, &sides.parts.1, key)?))
        };
        let (old, new) = (&sides.old, &sides.new);
        if old.default != new.default
            && let Some(at) = locations_of(self, "default")
        {
            let rule = match sides.direction {
                Direction::Parameter => rule::PARAMETER_DEFAULT_CHANGED,
                Direction::Request => rule::REQUEST_DEFAULT_CHANGED,
                Direction::Response => rule::RESPONSE_DEFAULT_CHANGED,
            };
            self.found(rule, at, text(old.default.as_ref()), text(new.default.as_ref()));
        }
        if let (Some(before), Some(after)) = (old.discriminator, new.discriminator)
            && before != after
            && let Some(at) = locations_of(self, "discriminator")
        {
            self.found(rule::DISCRIMINATOR_CHANGED, at, before.to_owned(), after.to_owned());
        }
        self.stability(old.keywords.stability, new.keywords.stability);
        if new.is_deprecated
            && let Some(at) = locations_of(self, "deprecated")
        {
            if !old.is_deprecated {
                self.found(rule::PROPERTY_DEPRECATED, at, String::new(), "deprecated".to_owned());
            }
            let day = |view, parts| spot_of(view, parts, "x-sunset").and_then(Node::as_text).unwrap_or_default();
            self.sunset(day(&self.old, &sides.parts.0), day(&self.new, &sides.parts.1), at);
        }
    }

    /// Compares what is allowed in addition named properties.
    fn rest(&mut self, sides: &Sides<'a>) {
        let text_of = |rest: &Additional<'_>| {
            let text = match rest {
                Additional::Any => "any",
                Additional::Nothing => "none",
                Additional::Like(_) => "those of a schema",
            };
            text.to_owned()
        };
        let effect = match (&sides.old.additional, &sides.new.additional) {
            (Additional::Like(old), Additional::Like(new)) => {
                let (old, new) = (old.clone(), new.clone());
                return self.within(".*", |differ| differ.schemas(&old, &new, sides.direction));
            }
            (Additional::Any, Additional::Any) | (Additional::Nothing, Additional::Nothing) => return,
            (Additional::Any, _) | (_, Additional::Nothing) => Effect::Narrowed,
            _ => Effect::Widened,
        };
        let text_of = (text_of(&sides.old.additional), text_of(&sides.new.additional));
        self.differs(sides, Aspect::AdditionalProperties, effect, "additionalProperties", text_of);
    }

    fn items(&mut self, sides: &Sides<'a>) {
        let (old, new) = (&sides.old.items, &sides.new.items);
        match (old.is_empty(), new.is_empty()) {
            (false, false) => self.within("[*]", |differ| differ.schemas(old, new, sides.direction)),
            (true, true) => {}
            (is_any, _) => {
                let effect = if is_any { Effect::Narrowed } else { Effect::Widened };
                let text_of = |any: bool| (if any { "anything" } else { "those of a schema" }).to_owned();
                self.differs(sides, Aspect::Items, effect, "items", (text_of(is_any), text_of(!is_any)));
            }
        }
    }
}

fn takes_every_text(shape: &Shape<'_>) -> bool {
    let types = shape.types.unwrap_or(ANY);
    let is_free = shape.format.is_none() && shape.content.is_empty() && shape.patterns.is_empty();
    types & STRING != 0 && is_free && shape.values.is_none()
}

fn allows_null(shape: &Shape<'_>) -> bool {
    shape.null == Some(true) && !shape.is_never
}

/// Returns types with a bit for null; a schema that names no type at all takes it.
fn with_null(types: u8, shape: &Shape<'_>) -> u8 {
    let is_open = shape.null.is_none() && shape.types.is_none() && !shape.is_never;
    types | if allows_null(shape) || is_open { NULL } else { 0 }
}

/// Reports the effect from what holds what: old in new, new in old, where more means narrower.
pub(super) fn effect(old_in_new: bool, new_in_old: bool) -> Effect {
    match (old_in_new, new_in_old) {
        (true, _) => Effect::Narrowed,
        (_, true) => Effect::Widened,
        _ => Effect::Changed,
    }
}

/// Returns the keyword's node in the first part that has it.
pub(super) fn spot_of<'a>(view: &View<'a>, parts: &[&'a Node<'a>], keyword: &str) -> Option<&'a Node<'a>> {
    parts.iter().find_map(|part| {
        let node = view.follow(part);
        let members = node.get("allOf").map(Node::items).unwrap_or_default();
        part.get(keyword)
            .or_else(|| node.get(keyword))
            .or_else(|| members.iter().find_map(|member| view.follow(member).get(keyword)))
    })
}

/// Returns the keyword's node, else the schema that lacks it.
pub(super) fn keyword_node<'a>(view: &View<'a>, parts: &[&'a Node<'a>], keyword: &str) -> Option<&'a Node<'a>> {
    spot_of(view, parts, keyword).or_else(|| parts.first().map(|part| view.follow(part)))
}

pub(super) fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

pub(super) fn text(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

pub(super) fn list<T: ToString>(values: impl Iterator<Item = T>) -> String {
    values.map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
}
