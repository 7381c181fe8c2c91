//! What a schema allows, whatever it is written with: references followed, `allOf` put together, 3.0 and 3.1 alike.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::dialect::Version,
    constants::{self, Constants},
    keywords::{COMPOSED, Keywords, requires},
    null,
    source::View,
    step::common_step,
    tree::{Datum, Node, Parts},
    types::{ANY, bits, type_of, types_in},
};

/// How deep `allOf` may lie in `allOf`.
const DEPTH: usize = 32;

/// A limit of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bound {
    pub(super) limit: f64,
    pub(super) is_excluded: bool,
}

/// What is allowed in addition named properties.
#[derive(Clone, Debug, Default)]
pub(super) enum Additional<'a> {
    #[default]
    Any,
    Nothing,
    Like(Parts<'a>),
}

/// What a schema allows.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape<'a> {
    /// Types without null; [`None`] where any is allowed.
    pub(super) types: Option<u8>,
    /// Whether null is allowed, where the schema speaks of it.
    pub(super) null: Option<bool>,
    pub(super) format: Option<&'a str>,
    /// Allowed values as canonical JSON, null left out.
    pub(super) values: Option<BTreeSet<String>>,
    pub(super) minimum: Option<Bound>,
    pub(super) maximum: Option<Bound>,
    pub(super) multiple_of: Option<f64>,
    /// `minLength`, `minItems`, `minProperties`; nothing is 0.
    pub(super) least: [f64; 3],
    /// `maxLength`, `maxItems`, `maxProperties`.
    pub(super) most: [Option<f64>; 3],
    pub(super) patterns: BTreeSet<&'a str>,
    pub(super) is_unique: bool,
    pub(super) required: BTreeSet<&'a str>,
    pub(super) properties: BTreeMap<&'a str, Parts<'a>>,
    pub(super) additional: Additional<'a>,
    pub(super) items: Parts<'a>,
    pub(super) one_of: Vec<&'a Node<'a>>,
    pub(super) any_of: Vec<&'a Node<'a>>,
    pub(super) keywords: Keywords<'a>,
    pub(super) content: BTreeMap<&'static str, &'a str>,
    pub(super) default: Option<String>,
    pub(super) discriminator: Option<&'a str>,
    pub(super) is_deprecated: bool,
    pub(super) is_read_only: bool,
    pub(super) is_write_only: bool,
    /// `false`, which allows nothing.
    pub(super) is_never: bool,
}

pub(super) const LEAST: [&str; 3] = ["minLength", "minItems", "minProperties"];
pub(super) const MOST: [&str; 3] = ["maxLength", "maxItems", "maxProperties"];
/// The media type of bytes.
pub(super) const BYTES: &str = "application/octet-stream";
const CONTENT: [&str; 2] = ["contentEncoding", "contentMediaType"];

impl<'a> Shape<'a> {
    pub(super) fn of(view: &View<'a>, parts: &[&'a Node<'a>]) -> Self {
        let mut shape = Shape::default();
        parts.iter().for_each(|part| shape.add(view, part, DEPTH));
        shape.complete();
        shape
    }

    /// Adds what one more schema asks for.
    fn add(&mut self, view: &View<'a>, node: &'a Node<'a>, depth: usize) {
        if depth == 0 {
            return;
        }
        if let Some(reference) = node.get("$ref") {
            let target = reference.as_text().and_then(|text| view.target(text));
            if let Some(target) = target {
                self.add(view, target, depth - 1);
            }
            // In 3.0 nothing next to a reference counts.
            if view.version == Version::V3_0 {
                return;
            }
        }
        self.is_never |= node.as_bool() == Some(false);
        self.types_of(view, node);
        self.numbers(node);
        self.sizes(node);
        self.texts(node);
        self.members(view, node);
        self.notes(node);
        self.keywords.add(view, node);
        for member in node.get("allOf").map(Node::items).unwrap_or_default() {
            self.add(view, member, depth - 1);
        }
        self.alternatives(view, node, depth);
        // `nullable` next to `allOf` with one reference is how 3.0 files write "this component, or null".
        let has = |keys: &[&str]| keys.iter().any(|key| node.get(key).is_some());
        if view.version == Version::V3_0 && node.is_true("nullable") && (has(&COMPOSED) || !has(&["type"])) {
            let is_typed = has(&COMPOSED) || has(&["properties", "items"]);
            self.null = self.null.or(is_typed.then_some(true)).map(|_| true);
        }
    }

    fn types_of(&mut self, view: &View<'a>, node: &'a Node<'a>) {
        let Some(declared) = node.get("type") else {
            return self.values_of(view, node, true);
        };
        let (types, null) = types_in(declared);
        let null = null || (view.version == Version::V3_0 && node.is_true("nullable"));
        // `type: "null"` alone allows no other type; nothing but null is left.
        self.types = Some(self.types.unwrap_or(ANY) & types);
        self.null = Some(self.null.unwrap_or(true) && null);
        self.values_of(view, node, false);
    }

    /// Takes the values that a schema lists by `enum` and by `const`; with both, those that are in both.
    fn values_of(&mut self, view: &View<'a>, node: &'a Node<'a>, is_typed: bool) {
        for key in ["enum", "const"] {
            let Some(listed) = node.get(key) else { continue };
            let listed = if key == "enum" { listed.items() } else { std::slice::from_ref(listed) };
            let types = listed.iter().fold(0, |all, value| all | type_of(value));
            let (nulls, rest): (Vec<_>, Vec<_>) = listed.iter().partition(|value| matches!(value.value, Datum::Null));
            let values = rest.into_iter().map(Node::canonical).collect();
            let constants = Constants { values, types, has_null: !nulls.is_empty() };
            // In 3.0 `nullable` next to a list means that null is one more value; in 3.1 the list has to name it.
            if view.version == Version::V3_1 {
                self.null = Some(self.null.unwrap_or(true) && constants.has_null);
            }
            self.allow(constants, is_typed);
        }
    }

    /// Allows no other values than these; their types count where the schema names none next to them.
    fn allow(&mut self, constants: Constants, is_typed: bool) {
        if is_typed {
            self.types = Some(self.types.unwrap_or(ANY) & constants.types);
            self.null = Some(self.null.unwrap_or(true) && constants.has_null);
        }
        self.values = Some(match self.values.take() {
            Some(values) => values.intersection(&constants.values).cloned().collect(),
            None => constants.values,
        });
    }

    fn numbers(&mut self, node: &'a Node<'a>) {
        let bound = |limit, exclusive| {
            let limit = node.number(limit);
            // 3.0 states whether the limit itself is left out, 3.1 gives another limit.
            match node.get(exclusive).map(|found| &found.value) {
                Some(Datum::Bool(is_excluded)) => limit.map(|limit| Bound { limit, is_excluded: *is_excluded }),
                _ => limit.map(|limit| Bound { limit, is_excluded: false }),
            }
        };
        let strict = |key| node.number(key).map(|limit| Bound { limit, is_excluded: true });
        for bound in [bound("minimum", "exclusiveMinimum"), strict("exclusiveMinimum")].into_iter().flatten() {
            self.minimum = Some(self.minimum.map_or(bound, |other| if bound.is_above(&other) { bound } else { other }));
        }
        for bound in [bound("maximum", "exclusiveMaximum"), strict("exclusiveMaximum")].into_iter().flatten() {
            self.maximum = Some(self.maximum.map_or(bound, |other| if bound.is_below(&other) { bound } else { other }));
        }
        if let Some(step) = node.number("multipleOf") {
            self.multiple_of = Some(self.multiple_of.map_or(step, |other| common_step(other, step)));
        }
    }

    fn sizes(&mut self, node: &'a Node<'a>) {
        for (at, key) in LEAST.iter().enumerate() {
            self.least[at] = node.number(key).map_or(self.least[at], |least| least.max(self.least[at]));
        }
        for (at, key) in MOST.iter().enumerate() {
            if let Some(most) = node.number(key) {
                self.most[at] = Some(self.most[at].map_or(most, |other| other.min(most)));
            }
        }
        self.is_unique |= node.is_true("uniqueItems");
    }

    fn texts(&mut self, node: &'a Node<'a>) {
        self.format = node.text("format").or(self.format);
        // These take every text.
        let pattern = node.text("pattern").filter(|text| !matches!(*text, "" | ".*" | "^.*$" | "^" | "$"));
        self.patterns.extend(pattern);
        for key in CONTENT {
            if let Some(text) = node.text(key) {
                self.content.insert(key, text);
            }
        }
    }

    fn members(&mut self, view: &View<'a>, node: &'a Node<'a>) {
        let required = node.get("required").map(Node::items).unwrap_or_default();
        self.required.extend(required.iter().filter_map(Node::as_text));
        for (name, property) in node.get("properties").map(Node::entries).unwrap_or_default() {
            self.properties.entry(name.as_ref()).or_default().push(property);
        }
        self.items.extend(node.get("items").filter(|items| requires(view, items)));
        let open = ["additionalProperties", "unevaluatedProperties"].into_iter().filter_map(|key| node.get(key));
        for rest in open {
            match &mut self.additional {
                Additional::Nothing => {}
                _ if !requires(view, rest) => {}
                additional if view.follow(rest).as_bool() == Some(false) => *additional = Additional::Nothing,
                Additional::Like(parts) => parts.push(rest),
                additional => *additional = Additional::Like(vec![rest]),
            }
        }
    }

    fn notes(&mut self, node: &'a Node<'a>) {
        self.default = node.get("default").map(Node::canonical).or_else(|| self.default.take());
        self.discriminator =
            node.get("discriminator").and_then(|found| found.text("propertyName")).or(self.discriminator);
        self.is_deprecated |= node.is_true("deprecated");
        self.is_read_only |= node.is_true("readOnly");
        self.is_write_only |= node.is_true("writeOnly");
    }

    /// Takes `oneOf` and `anyOf`: a member for null states that null is allowed, and a single other one is no choice.
    fn alternatives(&mut self, view: &View<'a>, node: &'a Node<'a>, depth: usize) {
        for key in ["oneOf", "anyOf"] {
            let members = node.get(key).map(Node::items).unwrap_or_default();
            let (nulls, rest): (Vec<&'a Node<'a>>, Vec<&'a Node<'a>>) =
                members.iter().partition(|member| null::is_null(view, member));
            let rest = if key == "anyOf" { constants::without_absorbed(view, rest) } else { rest };
            let all: Vec<&'a Node<'a>> = members.iter().collect();
            if let Some(values) = constants::of_choice(view, &all, key).filter(|_| all.len() > 1) {
                let is_nullable = self.null == Some(true) && view.version == Version::V3_0;
                self.allow(Constants { has_null: values.has_null || is_nullable, ..values }, true);
            } else if let [only] = rest.as_slice() {
                let before = self.null;
                self.add(view, only, depth - 1);
                if !nulls.is_empty() {
                    self.null = Some(before.unwrap_or(true));
                }
            } else if let Some(types) = plain_types(&rest, key) {
                self.types = Some(self.types.unwrap_or(ANY) & types);
                self.null = Some(self.null.unwrap_or(true) && !nulls.is_empty());
            } else if !rest.is_empty() {
                self.null_of(view, &nulls, &rest);
                if key == "oneOf" { self.one_of.extend(rest) } else { self.any_of.extend(rest) }
            }
        }
    }

    /// Takes whether a choice allows null: by a member for it, or by one of the others.
    fn null_of(&mut self, view: &View<'a>, nulls: &[&'a Node<'a>], rest: &[&'a Node<'a>]) {
        let by_others = null::of_members(view, rest);
        // Members that name properties and no type are meant as objects, unless what stands next to them speaks of null.
        let is_meant = rest.iter().all(|member| requires(view, member)).then_some(false);
        let choice = if nulls.is_empty() { by_others } else { Some(true) };
        self.null = match (self.null, choice) {
            (Some(own), choice) => Some(own && choice.unwrap_or(true)),
            (None, choice) => choice.or(is_meant),
        };
    }
}

impl Bound {
    pub(super) fn is_above(&self, other: &Bound) -> bool {
        self.limit > other.limit || (self.limit == other.limit && self.is_excluded && !other.is_excluded)
    }

    pub(super) fn is_below(&self, other: &Bound) -> bool {
        self.limit < other.limit || (self.limit == other.limit && self.is_excluded && !other.is_excluded)
    }

    pub(super) fn text(&self) -> String {
        format!("{}{}", self.limit, if self.is_excluded { " itself excluded" } else { "" })
    }
}

/// Returns the types of a choice whose members say nothing but their type: it is a list of types.
fn plain_types(members: &[&Node<'_>], key: &str) -> Option<u8> {
    let reported = ["type", "title", "description", "example", "examples"];
    members
        .iter()
        .try_fold(0, |all, member| {
            let types = bits(member.text("type")?);
            let is_plain = types != 0 && member.entries().iter().all(|(key, _)| reported.contains(&key.as_ref()));
            // A value of two members of `oneOf` is refused, so that these are more than a list.
            (is_plain && (key == "anyOf" || all & types == 0)).then_some(all | types)
        })
        .filter(|types| *types != 0)
}
