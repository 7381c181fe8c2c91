//! What a schema allows, whatever it is written with: references followed, `allOf` put together, 3.0 and 3.1 alike.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::dialect::Version,
    keywords::{Keywords, asks},
    source::View,
    tree::{Datum, Node, Parts},
};

pub(super) const STRING: u8 = 1;
pub(super) const INTEGER: u8 = 2;
/// Numbers that are no integers: `number` is both.
pub(super) const FRACTION: u8 = 4;
const BOOLEAN: u8 = 8;
pub(super) const ARRAY: u8 = 16;
pub(super) const OBJECT: u8 = 32;
pub(super) const ANY: u8 = 63;

/// How deep `allOf` may lie in `allOf`.
const DEPTH: usize = 32;

/// A limit of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bound {
    pub(super) limit: f64,
    pub(super) is_excluded: bool,
}

/// What is allowed besides named properties.
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
            // In 3.0 nothing beside a reference counts.
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
        // `nullable` beside `allOf` with one reference is how 3.0 files write "this component, or null".
        if view.version == Version::V3_0 && node.is_true("nullable") && node.get("type").is_none() {
            self.null = self.null.map(|_| true);
        }
    }

    fn types_of(&mut self, view: &View<'a>, node: &'a Node<'a>) {
        let Some(declared) = node.get("type") else {
            return self.values_of(node, None);
        };
        let one = std::slice::from_ref(declared);
        let names = if declared.items().is_empty() { one } else { declared.items() };
        let names: Vec<&str> = names.iter().filter_map(Node::as_text).collect();
        let types = names.iter().fold(0, |all, name| all | bits(name));
        let null = names.contains(&"null") || (view.version == Version::V3_0 && node.is_true("nullable"));
        // `type: "null"` alone allows no other type; nothing but null is left.
        self.types = Some(self.types.unwrap_or(ANY) & types);
        self.null = Some(self.null.unwrap_or(true) && null);
        self.values_of(node, Some(null));
    }

    fn values_of(&mut self, node: &'a Node<'a>, null: Option<bool>) {
        let listed = node.get("enum").map(|list| list.items().iter().collect::<Vec<_>>());
        let Some(listed) = listed.or_else(|| node.get("const").map(|value| vec![value])) else { return };
        let has_null = listed.iter().any(|value| matches!(value.value, Datum::Null));
        if null.is_none() {
            let types = listed.iter().fold(0, |all, value| all | type_of(value));
            self.types = Some(self.types.unwrap_or(ANY) & types);
            self.null = Some(self.null.unwrap_or(true) && has_null);
        }
        let texts: BTreeSet<String> =
            listed.iter().filter(|v| !matches!(v.value, Datum::Null)).map(|v| v.canonical()).collect();
        self.values = Some(match self.values.take() {
            Some(values) => values.intersection(&texts).cloned().collect(),
            None => texts,
        });
    }

    fn numbers(&mut self, node: &'a Node<'a>) {
        let bound = |limit, exclusive| {
            let limit = node.number(limit);
            // 3.0 says whether the limit itself is left out, 3.1 gives another limit.
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
        self.multiple_of = node.number("multipleOf").or(self.multiple_of);
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
        self.items.extend(node.get("items").filter(|items| asks(view, items)));
        let open = ["additionalProperties", "unevaluatedProperties"].into_iter().filter_map(|key| node.get(key));
        for rest in open {
            let resolved = view.follow(rest);
            match (&mut self.additional, resolved.as_bool(), resolved.entries().is_empty()) {
                (Additional::Nothing, ..) | (_, Some(true), _) | (_, None, true) => {}
                (additional, Some(false), _) => *additional = Additional::Nothing,
                (Additional::Like(parts), ..) => parts.push(rest),
                (additional, ..) => *additional = Additional::Like(vec![rest]),
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

    /// Takes `oneOf` and `anyOf`: a member for null says that null is allowed, and a single other one is no choice.
    fn alternatives(&mut self, view: &View<'a>, node: &'a Node<'a>, depth: usize) {
        for key in ["oneOf", "anyOf"] {
            let members = node.get(key).map(Node::items).unwrap_or_default();
            let (nulls, rest): (Vec<&Node<'_>>, Vec<&Node<'_>>) =
                members.iter().partition(|member| view.follow(member).text("type") == Some("null"));
            if let [only] = rest.as_slice() {
                let before = self.null;
                self.add(view, only, depth - 1);
                if !nulls.is_empty() {
                    self.null = Some(before.unwrap_or(true));
                }
            } else if let Some(types) = plain_types(&rest, key) {
                self.types = Some(self.types.unwrap_or(ANY) & types);
                self.null = Some(self.null.unwrap_or(true) && !nulls.is_empty());
            } else if !rest.is_empty() {
                if !nulls.is_empty() {
                    self.null = Some(self.null.unwrap_or(true));
                }
                if key == "oneOf" { self.one_of.extend(rest) } else { self.any_of.extend(rest) }
            }
        }
    }

    /// Adds what a schema means that does not say its type.
    fn complete(&mut self) {
        if self.types.is_none() && self.one_of.is_empty() && self.any_of.is_empty() {
            let object = !self.properties.is_empty() || !self.required.is_empty();
            let array = !self.items.is_empty();
            self.types = match (object, array) {
                (true, false) => Some(OBJECT),
                (false, true) => Some(ARRAY),
                _ => None,
            };
        }
        // Among integers "above 0" is "from 1".
        if self.types == Some(INTEGER) {
            let whole = |bound: Bound, step: f64| match bound {
                Bound { limit, is_excluded: true } if limit.fract() == 0.0 => {
                    Bound { limit: limit + step, is_excluded: false }
                }
                bound => bound,
            };
            self.minimum = self.minimum.map(|bound| whole(bound, 1.0));
            self.maximum = self.maximum.map(|bound| whole(bound, -1.0));
        }
    }
}

impl Bound {
    pub(super) fn is_above(&self, other: &Bound) -> bool {
        self.limit > other.limit || (self.limit == other.limit && self.is_excluded && !other.is_excluded)
    }

    pub(super) fn is_below(&self, other: &Bound) -> bool {
        self.limit < other.limit || (self.limit == other.limit && self.is_excluded && !other.is_excluded)
    }

    pub(super) fn told(&self) -> String {
        format!("{}{}", self.limit, if self.is_excluded { " itself excluded" } else { "" })
    }
}

fn bits(name: &str) -> u8 {
    match name {
        "string" => STRING,
        "integer" => INTEGER,
        "number" => INTEGER | FRACTION,
        "boolean" => BOOLEAN,
        "array" => ARRAY,
        "object" => OBJECT,
        _ => 0,
    }
}

/// Returns the types of a choice whose members say nothing but their type: it is a list of types.
fn plain_types(members: &[&Node<'_>], key: &str) -> Option<u8> {
    let told = ["type", "title", "description", "example", "examples"];
    members
        .iter()
        .try_fold(0, |all, member| {
            let types = bits(member.text("type")?);
            let is_plain = types != 0 && member.entries().iter().all(|(key, _)| told.contains(&key.as_ref()));
            // A value of two members of `oneOf` is refused, so that these are more than a list.
            (is_plain && (key == "anyOf" || all & types == 0)).then_some(all | types)
        })
        .filter(|types| *types != 0)
}

fn type_of(node: &Node<'_>) -> u8 {
    match &node.value {
        Datum::Null => 0,
        Datum::Bool(_) => BOOLEAN,
        Datum::Number(_) if node.as_number().is_some_and(|number| number.fract() == 0.0) => INTEGER,
        Datum::Number(_) => INTEGER | FRACTION,
        Datum::Text(_) => STRING,
        Datum::List(_) => ARRAY,
        Datum::Map(_) => OBJECT,
    }
}

/// Writes types as a schema does.
pub(super) fn told(types: Option<u8>) -> String {
    let Some(types) = types.filter(|types| *types != ANY) else { return "any type".to_owned() };
    let number = types & FRACTION != 0;
    let all = [
        (STRING, "string"),
        (FRACTION, "number"),
        (if number { 0 } else { INTEGER }, "integer"),
        (BOOLEAN, "boolean"),
        (ARRAY, "array"),
        (OBJECT, "object"),
    ];
    let names: Vec<&str> = all.iter().filter(|(bit, _)| types & bit != 0).map(|(_, name)| *name).collect();
    if names.is_empty() { "null only".to_owned() } else { names.join(" or ") }
}
