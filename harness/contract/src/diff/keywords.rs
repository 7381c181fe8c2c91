//! What the rarer keywords of a schema ask for; they are compared in `conditions`.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    lifecycle::STABILITY,
    source::View,
    tree::{Node, Parts},
    types::{ARRAY, OBJECT, STRING},
};

/// What the rarer keywords of a schema ask for.
#[derive(Clone, Debug, Default)]
pub(super) struct Keywords<'a> {
    /// Schemas that a part of the value has to meet, by keyword and, where it has one, by name.
    pub(super) subs: BTreeMap<(&'a str, &'a str), Parts<'a>>,
    /// The schemas of a list's first elements.
    pub(super) prefix: Vec<Parts<'a>>,
    pub(super) nots: Parts<'a>,
    /// The schemas that have `if`.
    pub(super) conditions: Parts<'a>,
    /// What has to be there next to a property.
    pub(super) dependent: BTreeMap<&'a str, BTreeSet<&'a str>>,
    pub(super) least_contained: Option<f64>,
    pub(super) most_contained: Option<f64>,
    pub(super) extensible: Option<BTreeSet<&'a str>>,
    /// How stable it is reported to be.
    pub(super) stability: Option<&'a Node<'a>>,
}

const SINGLE: [&str; 4] = ["contains", "propertyNames", "contentSchema", "unevaluatedItems"];
const NAMED: [&str; 2] = ["patternProperties", "dependentSchemas"];
/// What a schema is composed with.
pub(super) const COMPOSED: [&str; 3] = ["allOf", "oneOf", "anyOf"];
/// Keywords that only describe.
pub(super) const TOLD: [&str; 6] = ["description", "title", "summary", "example", "examples", "externalDocs"];

impl<'a> Keywords<'a> {
    /// Adds what one more schema asks for.
    pub(super) fn add(&mut self, view: &View<'a>, node: &'a Node<'a>) {
        // One walk: most schemas have none of these.
        for (key, value) in node.entries() {
            match key.as_ref() {
                key if SINGLE.contains(&key) => self.sub_of(view, key, "", value),
                key if NAMED.contains(&key) => {
                    value.entries().iter().for_each(|(name, schema)| self.sub_of(view, key, name, schema));
                }
                "prefixItems" => self.prefix_of(view, value),
                "not" => self.nots.push(value),
                "if" => self.conditions.push(node),
                "dependentRequired" => {
                    for (name, needs) in value.entries() {
                        let needs = needs.items().iter().filter_map(Node::as_text);
                        self.dependent.entry(name.as_ref()).or_default().extend(needs);
                    }
                }
                "minContains" => self.least_contained = value.as_number(),
                "maxContains" => self.most_contained = value.as_number(),
                "x-extensible-enum" => {
                    self.extensible = Some(value.items().iter().filter_map(Node::as_text).collect());
                }
                STABILITY => self.stability = Some(value),
                _ => {}
            }
        }
    }

    /// Leaves out keywords of types that are not allowed.
    pub(super) fn drop_foreign(&mut self, types: u8) {
        let applies = |key: &str| match key {
            "contains" | "unevaluatedItems" => types & ARRAY != 0,
            "contentSchema" => types & STRING != 0,
            _ => types & OBJECT != 0,
        };
        self.subs.retain(|(key, _), _| applies(key));
        if types & ARRAY == 0 {
            self.prefix.clear();
        }
        if types & OBJECT == 0 {
            self.dependent.clear();
        }
        if types & STRING == 0 {
            self.extensible = None;
        }
    }

    fn sub_of(&mut self, view: &View<'a>, key: &'a str, name: &'a str, schema: &'a Node<'a>) {
        if requires(view, schema) {
            self.subs.entry((key, name)).or_default().push(schema);
        }
    }

    fn prefix_of(&mut self, view: &View<'a>, list: &'a Node<'a>) {
        for (at, schema) in list.items().iter().enumerate() {
            self.prefix.resize(self.prefix.len().max(at + 1), Vec::new());
            self.prefix[at].extend(requires(view, schema).then_some(schema));
        }
    }
}

/// Tells whether a schema asks for anything.
pub(super) fn requires<'a>(view: &View<'a>, schema: &'a Node<'a>) -> bool {
    let node = view.follow(schema);
    let is_open = |node: &Node<'_>| {
        node.is_map() && node.entries().iter().all(|(key, _)| key == "$ref" || TOLD.contains(&key.as_ref()))
    };
    node.as_bool() != Some(true) && !(is_open(node) && is_open(schema))
}
