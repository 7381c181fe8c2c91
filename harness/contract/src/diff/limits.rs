//! Limits of single values: numbers, sizes, patterns.
//!
//! Where one schema lists its values, these decide: a limit of the other one is a change only if it refuses one of them.

use super::{
    differ::{Differ, Encoding},
    rule::{Aspect, Effect},
    schema::{Sides, effect, list, number, spot_of, text},
    shape::{BYTES, Bound, LEAST, MOST, Shape},
    step::is_multiple,
    types::INTEGER,
};

impl<'a> Differ<'a> {
    /// Keeps a difference of a limit, unless it refuses none of the values that the other schema lists.
    fn limit(&mut self, sides: &Sides<'a>, aspect: Aspect, effect: Effect, keyword: &str, reported: (String, String)) {
        let (values, other) = match (&sides.old.values, &sides.new.values) {
            (Some(values), None) => (values, &sides.new),
            (None, Some(values)) => (values, &sides.old),
            _ => return self.differs(sides, aspect, effect, keyword, reported),
        };
        let is_within = |text: &String| serde_json::from_str(text).is_ok_and(|value| other.takes(aspect, &value));
        if !values.iter().all(is_within) {
            // A limit that refuses a listed value is more than what always held, written down.
            let effect = if effect == Effect::Limited { Effect::Narrowed } else { effect };
            self.differs(sides, aspect, effect, keyword, reported);
        }
    }

    pub(super) fn numbers(&mut self, sides: &Sides<'a>) {
        let (old, new) = (&sides.old, &sides.new);
        self.bound(
            sides,
            Aspect::Minimum,
            ["minimum", "exclusiveMinimum"],
            (old.minimum, new.minimum),
            Bound::is_above,
        );
        self.bound(
            sides,
            Aspect::Maximum,
            ["maximum", "exclusiveMaximum"],
            (old.maximum, new.maximum),
            Bound::is_below,
        );
        // An integer is a multiple of 1 where the other one has to be a multiple.
        let step = |shape: &Shape<'_>, other: &Shape<'_>| {
            let is_whole = shape.types == Some(INTEGER) && other.multiple_of.is_some();
            shape.multiple_of.or(is_whole.then_some(1.0))
        };
        let effect = match (step(old, new), step(new, old)) {
            (old, new) if old == new => return,
            (Some(_), None) => Effect::Widened,
            (None, _) => Effect::Narrowed,
            (Some(old), Some(new)) if is_multiple(new, old) => Effect::Narrowed,
            (Some(old), Some(new)) if is_multiple(old, new) => Effect::Widened,
            _ => Effect::Changed,
        };
        let reported = (number(old.multiple_of), number(new.multiple_of));
        self.limit(sides, Aspect::MultipleOf, effect, "multipleOf", reported);
    }

    fn bound(
        &mut self,
        sides: &Sides<'a>,
        aspect: Aspect,
        keywords: [&str; 2],
        (old, new): (Option<Bound>, Option<Bound>),
        is_tighter: fn(&Bound, &Bound) -> bool,
    ) {
        let effect = match (old, new) {
            (old, new) if old == new => return,
            (Some(_), None) => Effect::Widened,
            (None, Some(_)) => Effect::Limited,
            (Some(old), Some(new)) if is_tighter(&old, &new) => Effect::Widened,
            _ => Effect::Narrowed,
        };
        let [plain, strict] = keywords;
        let keyword = if spot_of(&self.new, &sides.parts.1, plain).is_some() { plain } else { strict };
        let text_of = |bound: Option<Bound>| bound.map(|bound| bound.text()).unwrap_or_default();
        self.limit(sides, aspect, effect, keyword, (text_of(old), text_of(new)));
    }

    pub(super) fn sizes(&mut self, sides: &Sides<'a>) {
        let least = [Aspect::MinLength, Aspect::MinItems, Aspect::MinProperties];
        for (at, aspect) in least.into_iter().enumerate() {
            // An empty part of a path leads to another path.
            let is_part = self.encoding == Encoding::Path && self.depth == 1 && aspect != Aspect::MinProperties;
            let least = |shape: &Shape<'_>| if is_part { shape.least[at].max(1.0) } else { shape.least[at] };
            let (old, new) = (least(&sides.old), least(&sides.new));
            let effect = match new > old {
                true if old == 0.0 => Effect::Limited,
                true => Effect::Narrowed,
                false => Effect::Widened,
            };
            if (new - old).abs() > 0.0 {
                self.limit(sides, aspect, effect, LEAST[at], (old.to_string(), new.to_string()));
            }
        }
        let most = [Aspect::MaxLength, Aspect::MaxItems, Aspect::MaxProperties];
        for (at, aspect) in most.into_iter().enumerate() {
            let (old, new) = (sides.old.most[at], sides.new.most[at]);
            let is_tighter = new.is_some_and(|new| old.is_none_or(|old| new < old));
            let effect = match is_tighter {
                true if old.is_none() => Effect::Limited,
                true => Effect::Narrowed,
                false => Effect::Widened,
            };
            if old != new {
                self.limit(sides, aspect, effect, MOST[at], (number(old), number(new)));
            }
        }
        if sides.old.is_unique != sides.new.is_unique {
            let effect = if sides.new.is_unique { Effect::Narrowed } else { Effect::Widened };
            let reported = (sides.old.is_unique.to_string(), sides.new.is_unique.to_string());
            self.limit(sides, Aspect::UniqueItems, effect, "uniqueItems", reported);
        }
    }

    pub(super) fn texts(&mut self, sides: &Sides<'a>) {
        let (old, new) = (&sides.old.patterns, &sides.new.patterns);
        if old != new {
            let reported = (list(old.iter()), list(new.iter()));
            self.limit(sides, Aspect::Pattern, effect(old.is_subset(new), new.is_subset(old)), "pattern", reported);
        }
        for key in ["contentEncoding", "contentMediaType"] {
            let (old, new) = (sides.old.content.get(key), sides.new.content.get(key));
            let reported = (text(old), text(new));
            let effect = match (old, new) {
                (old, new) if old == new => continue,
                // Bytes are the type of no file in particular.
                (Some(&BYTES), Some(_)) | (Some(_), Some(&BYTES)) => continue,
                // Source: JSON Schema 2020-12 Validation, 8.1: an annotation; but a text is not bytes.
                (Some(only), None) | (None, Some(only)) if key == "contentMediaType" && *only != BYTES => continue,
                (old, new) => effect(old.is_none(), new.is_none()),
            };
            self.differs(sides, Aspect::Content, effect, key, reported);
        }
    }
}
