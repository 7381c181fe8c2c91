//! What has to hold of a response: actual and expected side by side, each with its type.
//!
//! Nothing is converted: the string "5" is not the number 5. Integers and decimals meet by value: 5 is 5.0.

use std::cmp::Ordering;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::{
    Observed, Source, Unset, Vars,
    source::regex,
    template::{filled, names_of},
};
use stagegate_base::finding::Finding;

/// How much of a value is shown, in characters.
const SHOWN: usize = 200;

/// A JSON type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are JSON's")]
pub enum Type {
    Null,
    Boolean,
    Integer,
    Number,
    String,
    Array,
    Object,
}

/// A part of a response, and what has to hold of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    of: Source,
    predicates: Vec<Predicate>,
}

#[derive(Clone, Debug)]
enum Predicate {
    Equals(Value),
    NotEquals(Value),
    Contains(Value),
    Matches(Regex),
    Exists(bool),
    Is(Type),
    Count(u64),
    Compares(Bound, Value),
}

impl PartialEq for Predicate {
    fn eq(&self, other: &Self) -> bool {
        format!("{self:?}") == format!("{other:?}")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    LessThan,
    AtMost,
    GreaterThan,
    AtLeast,
}

impl Bound {
    fn holds(self, found: Ordering) -> bool {
        match self {
            Bound::LessThan => found == Ordering::Less,
            Bound::AtMost => found != Ordering::Greater,
            Bound::GreaterThan => found == Ordering::Greater,
            Bound::AtLeast => found != Ordering::Less,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Bound::LessThan => "less than",
            Bound::AtMost => "at most",
            Bound::GreaterThan => "greater than",
            Bound::AtLeast => "at least",
        }
    }
}

/// An assertion as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    of: Source,
    equals: Option<Value>,
    not_equals: Option<Value>,
    contains: Option<Value>,
    matches: Option<String>,
    exists: Option<bool>,
    is: Option<Type>,
    count: Option<u64>,
    less_than: Option<Value>,
    at_most: Option<Value>,
    greater_than: Option<Value>,
    at_least: Option<Value>,
}

impl TryFrom<Raw> for Assertion {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let bounds = [
            (Bound::LessThan, raw.less_than),
            (Bound::AtMost, raw.at_most),
            (Bound::GreaterThan, raw.greater_than),
            (Bound::AtLeast, raw.at_least),
        ];
        let mut predicates: Vec<Predicate> = [
            raw.exists.map(Predicate::Exists),
            raw.is.map(Predicate::Is),
            raw.equals.map(Predicate::Equals),
            raw.not_equals.map(Predicate::NotEquals),
            raw.contains.map(Predicate::Contains),
            raw.count.map(Predicate::Count),
        ]
        .into_iter()
        .flatten()
        .collect();
        if let Some(pattern) = raw.matches {
            predicates.push(Predicate::Matches(regex(&pattern).map_err(|error| error.to_string())?));
        }
        for (bound, value) in bounds.into_iter().filter_map(|(bound, value)| Some((bound, value?))) {
            if !value.is_number() && names_of(&value).is_empty() {
                return Err(format!(
                    "{} is not a number, and {} is compared with it; write a number",
                    display(&value),
                    raw.of
                ));
            }
            predicates.push(Predicate::Compares(bound, value));
        }
        if predicates.is_empty() {
            return Err(format!(
                "the assertion on `{}` compares nothing; add equals, not_equals, contains, matches, exists, is, count, less_than, \
                 at_most, greater_than or at_least",
                raw.of
            ));
        }
        Ok(Assertion { of: raw.of, predicates })
    }
}

impl Assertion {
    /// Returns the names that its expected values need.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.expected().flat_map(names_of).collect()
    }

    /// Returns all strings of its expected values.
    pub(super) fn strings(&self) -> impl Iterator<Item = &str> {
        self.expected().flat_map(super::template::strings)
    }

    fn expected(&self) -> impl Iterator<Item = &Value> {
        self.predicates.iter().filter_map(|predicate| match predicate {
            Predicate::Equals(v) | Predicate::NotEquals(v) | Predicate::Contains(v) | Predicate::Compares(_, v) => {
                Some(v)
            }
            _ => None,
        })
    }

    /// Compares a response with what has to hold, and returns what does not.
    ///
    /// # Errors
    /// [`Unset`] where an expected value needs a name that has none.
    pub fn differences(&self, observed: &Observed, vars: &Vars) -> Result<Vec<Finding>, Unset> {
        let found = self.of.of(observed);
        let mut findings = Vec::new();
        for predicate in &self.predicates {
            let predicate = predicate.filled(vars)?;
            let (holds, found) = match &found {
                Ok(value) => (predicate.holds(value.as_ref()), predicate.found(value.as_ref())),
                Err(reason) => (false, reason.to_string()),
            };
            if !holds {
                findings.push(Finding::differs(self.of.to_string(), predicate.expected(), found));
            }
        }
        Ok(findings)
    }
}

impl Predicate {
    fn filled(&self, vars: &Vars) -> Result<Predicate, Unset> {
        Ok(match self {
            Predicate::Equals(value) => Predicate::Equals(filled(value, vars)?),
            Predicate::NotEquals(value) => Predicate::NotEquals(filled(value, vars)?),
            Predicate::Contains(value) => Predicate::Contains(filled(value, vars)?),
            Predicate::Compares(bound, value) => Predicate::Compares(*bound, filled(value, vars)?),
            other => other.clone(),
        })
    }

    fn holds(&self, found: Option<&Value>) -> bool {
        let Some(found) = found else { return matches!(self, Predicate::Exists(false)) };
        match self {
            Predicate::Equals(expected) => same(found, expected),
            Predicate::NotEquals(expected) => !same(found, expected),
            Predicate::Contains(expected) => contains(found, expected),
            Predicate::Matches(regex) => found.as_str().is_some_and(|text| regex.is_match(text)),
            // Of a query for many, none found is not there.
            Predicate::Exists(wanted) => *wanted != found.as_array().is_some_and(Vec::is_empty),
            Predicate::Is(wanted) => is(found, *wanted),
            Predicate::Count(wanted) => count(found) == Some(*wanted),
            Predicate::Compares(bound, limit) => order(found, limit).is_some_and(|order| bound.holds(order)),
        }
    }

    fn expected(&self) -> String {
        match self {
            Predicate::Equals(value) => display(value),
            Predicate::NotEquals(value) => format!("not {}", display(value)),
            Predicate::Contains(value) => format!("to contain {}", display(value)),
            Predicate::Matches(regex) => format!("a string that matches {regex}"),
            Predicate::Exists(true) => "present".to_owned(),
            Predicate::Exists(false) => "absent".to_owned(),
            Predicate::Is(wanted) => format!("{wanted:?}").to_ascii_lowercase(),
            Predicate::Count(wanted) => format!("{wanted} items"),
            Predicate::Compares(bound, limit) => format!("{} {}", bound.words(), display(limit)),
        }
    }

    fn found(&self, found: Option<&Value>) -> String {
        match (self, found) {
            (_, None) => "missing".to_owned(),
            (Predicate::Count(_), Some(value)) if count(value).is_some() => {
                format!("{} items: {}", count(value).unwrap_or_default(), display(value))
            }
            (_, Some(value)) => display(value),
        }
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => order(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn contains(found: &Value, part: &Value) -> bool {
    match (found, part) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(items), part) => items.iter().any(|item| same(item, part)),
        (Value::Object(map), Value::Object(part)) => {
            part.iter().all(|(key, value)| map.get(key).is_some_and(|found| same(found, value)))
        }
        _ => false,
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn is(value: &Value, wanted: Type) -> bool {
    match wanted {
        Type::Null => value.is_null(),
        Type::Boolean => value.is_boolean(),
        Type::Integer => value.is_i64() || value.is_u64(),
        Type::Number => value.is_number(),
        Type::String => value.is_string(),
        Type::Array => value.is_array(),
        Type::Object => value.is_object(),
    }
}

fn count(value: &Value) -> Option<u64> {
    let count = match value {
        Value::Array(items) => items.len(),
        Value::Object(map) => map.len(),
        _ => return None,
    };
    u64::try_from(count).ok()
}

/// Shows a value with its type.
pub(super) fn display(value: &Value) -> String {
    let kind = match value {
        Value::Null => return "null".to_owned(),
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("{kind} {}", super::result::truncated(&value.to_string(), SHOWN))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn assertion(text: &str) -> Result<Assertion, String> {
        toml::from_str::<Raw>(text).map_err(|error| error.message().to_owned())?.try_into()
    }

    fn differences(text: &str) -> Vec<(String, String)> {
        let body = br#"{"id": 7, "price": 7.0, "name": "seven", "tags": ["a", "b"], "five": "5", "no": null}"#;
        let observed = Observed::new(201, vec![("etag".into(), "x1".into())], body, false, Duration::ZERO);
        let vars = Vars::from([("id".to_owned(), json!(7))]);
        let found = assertion(text).unwrap().differences(&observed, &vars).unwrap();
        found.into_iter().map(|finding| (finding.expected, finding.found)).collect()
    }

    #[rstest]
    #[case("of = \"status\"\nequals = 201")]
    #[case("of = \"$.id\"\nequals = \"{{ id }}\"\nis = \"integer\"")]
    #[case("of = \"$.price\"\nequals = 7")]
    #[case("of = \"$.id\"\nat_least = 7\nat_most = 7.0\nless_than = 8\ngreater_than = 6.5")]
    #[case("of = \"$.name\"\ncontains = \"eve\"\nmatches = \"^s\"\nnot_equals = \"eight\"")]
    #[case("of = \"$.tags\"\ncount = 2\ncontains = \"b\"")]
    #[case("of = \"$.tags[*]\"\nequals = [\"a\", \"b\"]")]
    #[case("of = \"$.none[*]\"\nexists = false\ncount = 0")]
    #[case("of = \"$.nope\"\nexists = false")]
    #[case("of = \"$.no\"\nexists = true\nis = \"null\"")]
    #[case("of = \"header:ETag\"\nequals = \"x1\"")]
    fn what_holds_makes_no_finding(#[case] text: &str) {
        assert_eq!(differences(text), []);
    }

    #[rstest]
    #[case::types("of = \"$.five\"\nequals = 5", "integer 5", "string \"5\"")]
    #[case::value("of = \"$.id\"\nequals = 8", "integer 8", "integer 7")]
    #[case::missing("of = \"$.nope\"\nequals = 8", "integer 8", "missing")]
    #[case::is("of = \"$.price\"\nis = \"string\"", "string", "number 7.0")]
    #[case::count("of = \"$.tags\"\ncount = 3", "3 items", "2 items: array [\"a\",\"b\"]")]
    #[case::count_of_no_list("of = \"$.id\"\ncount = 3", "3 items", "integer 7")]
    #[case::bound("of = \"$.name\"\nless_than = 3", "less than integer 3", "string \"seven\"")]
    #[case::there("of = \"$.id\"\nexists = false", "absent", "integer 7")]
    #[case::none("of = \"$.none[*]\"\nexists = true", "present", "array []")]
    #[case::not("of = \"$.id\"\nnot_equals = 7", "not integer 7", "integer 7")]
    #[case::matches("of = \"$.id\"\nmatches = \"7\"", "a string that matches 7", "integer 7")]
    fn what_does_not_hold_is_reported_with_both_types(#[case] text: &str, #[case] expected: &str, #[case] found: &str) {
        assert_eq!(differences(text), [(expected.to_owned(), found.to_owned())]);
    }

    #[rstest]
    #[case("of = \"$.id\"", "the assertion on `$.id` compares nothing")]
    #[case("of = \"$.id\"\nat_least = \"7\"", "string \"7\" is not a number")]
    #[case("of = \"$.id\"\nmatches = \"(\"", "is not a valid regular expression")]
    #[case("of = \"$.id\"\nis = \"text\"", "unknown variant `text`")]
    #[case("of = \"$.id\"\nequal = 1", "unknown field `equal`")]
    fn an_assertion_that_states_nothing_is_refused(#[case] text: &str, #[case] want: &str) {
        let error = assertion(text).unwrap_err();
        assert!(error.contains(want), "{error}");
    }
}
