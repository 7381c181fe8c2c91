//! How the value of a parameter or of a header is written.

use super::{
    differ::Differ,
    rule::{self, Rule},
    shape::Shape,
    source::View,
    tree::Node,
    types::{ARRAY, OBJECT},
};

/// How a parameter or a header is written.
pub(super) struct Written<'a> {
    style: &'a str,
    /// What the document states, whether it has an effect or not.
    explode: bool,
    /// Whether each element is written for itself; of lists and objects only.
    explodes: Option<bool>,
}

impl<'a> Written<'a> {
    // Source: OpenAPI 3.1.0, 4.8.12.2, the defaults of `style` and `explode`.
    pub(super) fn of(view: &View<'a>, node: &'a Node<'a>, place: &str) -> Self {
        if node.get("content").is_some() {
            return Written { style: "as a media type", explode: false, explodes: None };
        }
        let usual = if matches!(place, "query" | "cookie") { "form" } else { "simple" };
        let style = node.text("style").unwrap_or(usual);
        let types = node.get("schema").and_then(|schema| Shape::of(view, &[schema]).types).unwrap_or(0);
        let explode = node.get("explode").and_then(Node::as_bool).unwrap_or(style == "form");
        Written { style, explode, explodes: (types & (ARRAY | OBJECT) != 0).then_some(explode) }
    }

    /// Returns whether the two are read differently; a value alone is written as the list of it.
    fn differs(&self, other: &Self) -> bool {
        let explode = self.explodes.zip(other.explodes);
        self.style != other.style || explode.is_some_and(|(old, new)| old != new)
    }

    fn text(&self) -> String {
        let explode = self.explodes.map_or("", |explodes| if explodes { ", exploded" } else { ", in one" });
        format!("{}{explode}", self.style)
    }
}

impl<'a> Differ<'a> {
    /// Compares how two values are written; `changed` is the rule where a reader of one cannot read the other.
    pub(super) fn serialisation(
        &mut self,
        changed: Rule,
        (old, new): (&'a Node<'a>, &'a Node<'a>),
        (before, after): &(Written<'a>, Written<'a>),
    ) {
        if before.differs(after) {
            self.found(changed, (old, new), before.text(), after.text());
        } else if before.explode != after.explode && before.explodes.is_none() && after.explodes.is_none() {
            let text_of = |written: &Written<'_>| format!("explode {}", written.explode);
            self.found(rule::EXPLODE_WITHOUT_EFFECT, (old, new), text_of(before), text_of(after));
        }
    }
}
