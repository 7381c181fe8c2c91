//! What a schema means in addition to its words: the type that its keywords imply, and what of them has no effect.

use regex::Regex;
use serde_json::Value;

use super::{
    rule::Aspect,
    shape::{Additional, BYTES, Bound, Shape},
    step::is_multiple,
    types::{ARRAY, BOOLEAN, FRACTION, INTEGER, OBJECT, STRING, kind},
};

/// What restricts single values, so that listed ones can be tested.
const LIMITS: [Aspect; 11] = [
    Aspect::Minimum,
    Aspect::Maximum,
    Aspect::MultipleOf,
    Aspect::MinLength,
    Aspect::MaxLength,
    Aspect::Pattern,
    Aspect::MinItems,
    Aspect::MaxItems,
    Aspect::UniqueItems,
    Aspect::MinProperties,
    Aspect::MaxProperties,
];

impl Shape<'_> {
    /// Adds what a schema means that does not state its type, and leaves out what changes nothing.
    pub(super) fn complete(&mut self) {
        self.complete_types();
        self.complete_content();
        self.complete_values();
        self.drop_foreign();
        if self.values.is_some() {
            self.drop_limits();
        }
        self.complete_bounds();
    }

    fn complete_types(&mut self) {
        if self.types.is_none() && self.one_of.is_empty() && self.any_of.is_empty() {
            let object = !self.properties.is_empty() || !self.required.is_empty();
            let array = !self.items.is_empty();
            self.types = match (object, array) {
                (true, false) => Some(OBJECT),
                (false, true) => Some(ARRAY),
                _ => None,
            };
            // What names properties or items is meant as one of them, and not as null.
            self.null = self.null.or(self.types.map(|_| false));
        }
    }

    /// Takes the formats of 3.0 that 3.1 writes with keywords.
    // Source: OpenAPI 3.1.0, 4.8.14.2; the migration guide from 3.0 to 3.1 of the OpenAPI initiative.
    fn complete_content(&mut self) {
        let (key, content) = match self.format {
            Some("byte") => ("contentEncoding", "base64"),
            Some("binary") => ("contentMediaType", BYTES),
            _ => return,
        };
        self.format = None;
        self.content.entry(key).or_insert(content);
    }

    /// Leaves out listed values that the types or limits next to the list do not allow; a list of both booleans,
    /// or of null alone, is their type.
    fn complete_values(&mut self) {
        let Some(mut values) = self.values.take() else { return };
        let types = self.types;
        values.retain(|text| types.is_none_or(|types| types & kind(text) != 0) && self.takes_listed(text));
        let is_type = types == Some(0) || (types == Some(BOOLEAN) && values.len() == 2);
        self.values = (!is_type).then_some(values);
    }

    fn takes_listed(&self, text: &str) -> bool {
        let value = serde_json::from_str(text);
        value.map_or(true, |value| LIMITS.iter().all(|limit| self.takes(*limit, &value)))
    }

    /// Leaves out keywords of types that are not allowed.
    // Source: JSON Schema 2020-12 Core, 7.6.1: a keyword that does not apply to a value's type accepts the value.
    fn drop_foreign(&mut self) {
        let Some(types) = self.types else { return };
        if types & (INTEGER | FRACTION) == 0 {
            (self.minimum, self.maximum, self.multiple_of) = (None, None, None);
        }
        for (at, kind) in [STRING, ARRAY, OBJECT].into_iter().enumerate() {
            if types & kind == 0 {
                (self.least[at], self.most[at]) = (0.0, None);
            }
        }
        if types & STRING == 0 {
            self.patterns.clear();
            self.content.clear();
        }
        if types & ARRAY == 0 {
            self.is_unique = false;
            self.items.clear();
        }
        if types & OBJECT == 0 {
            self.required.clear();
            self.properties.clear();
            self.additional = Additional::Any;
        }
        self.keywords.drop_foreign(types);
    }

    /// Leaves out the limits of a schema that lists its values: all of them are within.
    fn drop_limits(&mut self) {
        (self.minimum, self.maximum, self.multiple_of) = (None, None, None);
        (self.least, self.most) = ([0.0; 3], [None; 3]);
        self.patterns.clear();
        self.is_unique = false;
    }

    /// Writes limits of integers in one way: "above 0" and "from 0.5" are "from 1", and all are multiples of 1.
    fn complete_bounds(&mut self) {
        if self.types == Some(INTEGER) {
            let whole = |bound: Bound, step: f64, nearest: fn(f64) -> f64| match bound {
                Bound { limit, is_excluded: true } if limit.fract() == 0.0 => limit + step,
                Bound { limit, .. } => nearest(limit),
            };
            let of = |limit| Bound { limit, is_excluded: false };
            self.minimum = self.minimum.map(|bound| of(whole(bound, 1.0, f64::ceil)));
            self.maximum = self.maximum.map(|bound| of(whole(bound, -1.0, f64::floor)));
        }
        if self.types.is_some_and(|types| types & FRACTION == 0) {
            self.multiple_of = self.multiple_of.filter(|step| !is_multiple(1.0, *step));
        }
    }

    /// Returns whether a limit accepts a value; one of another type it accepts.
    pub(super) fn takes(&self, limit: Aspect, value: &Value) -> bool {
        let number = value.as_f64();
        let is_long = |at: usize, size: f64| size >= self.least[at];
        let is_short = |at: usize, size: f64| self.most[at].is_none_or(|most| size <= most);
        match limit {
            Aspect::Minimum => number
                .zip(self.minimum)
                .is_none_or(|(number, bound)| number > bound.limit || (!bound.is_excluded && number >= bound.limit)),
            Aspect::Maximum => number
                .zip(self.maximum)
                .is_none_or(|(number, bound)| number < bound.limit || (!bound.is_excluded && number <= bound.limit)),
            Aspect::MultipleOf => number.zip(self.multiple_of).is_none_or(|(number, step)| is_multiple(number, step)),
            Aspect::Pattern => value.as_str().is_none_or(|text| {
                // A pattern that cannot be read here may refuse the value.
                let matches = |pattern: &&str| Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text));
                self.patterns.iter().all(matches)
            }),
            Aspect::UniqueItems => {
                let is_unique = |items: &Vec<Value>| (1..items.len()).all(|at| !items[..at].contains(&items[at]));
                !self.is_unique || value.as_array().is_none_or(is_unique)
            }
            Aspect::MinLength | Aspect::MinItems | Aspect::MinProperties => {
                size(limit, value).is_none_or(|(at, size)| is_long(at, size))
            }
            Aspect::MaxLength | Aspect::MaxItems | Aspect::MaxProperties => {
                size(limit, value).is_none_or(|(at, size)| is_short(at, size))
            }
            _ => true,
        }
    }
}

/// Returns the size that a limit is of, with the place of its type among the limits of sizes.
#[expect(clippy::cast_precision_loss, reason = "no listed value is that large")]
fn size(limit: Aspect, value: &Value) -> Option<(usize, f64)> {
    let (at, size) = match (limit, value) {
        (Aspect::MinLength | Aspect::MaxLength, Value::String(text)) => (0, text.chars().count()),
        (Aspect::MinItems | Aspect::MaxItems, Value::Array(items)) => (1, items.len()),
        (Aspect::MinProperties | Aspect::MaxProperties, Value::Object(members)) => (2, members.len()),
        _ => return None,
    };
    Some((at, size as f64))
}
