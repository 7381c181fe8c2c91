//! Texts with `{{ name }}` in them: which names they need, and what they become.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What templates are filled in with: captures by their names, and `secrets.x`, `login.x.y`, `run.id`,
/// `run.environment`.
pub type Vars = BTreeMap<String, Value>;

/// A text that cannot be a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It opens and does not close.
    #[error("`{{{{` is not closed in `{0}`; write {{{{ name }}}}")]
    Open(String),
    /// What stands between the braces is no name.
    #[error("`{{{{{0}}}}}` contains no name; write {{{{ name }}}} with a-z, A-Z, 0-9, `_`, `-` and `.`")]
    NoName(String),
}

/// A name that has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{{{{ {0} }}}}` has no value")]
pub struct Unset(pub String);

/// A text that may hold names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

impl TryFrom<String> for Template {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        Template::parse(&text)
    }
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// [`TemplateError`] where braces are left open or hold no name.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let (inside, behind) = after.split_once("}}").ok_or_else(|| TemplateError::Open(text.to_owned()))?;
            let name = inside.trim();
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) {
                return Err(TemplateError::NoName(inside.to_owned()));
            }
            parts.extend((!before.is_empty()).then(|| Part::Text(before.to_owned())));
            parts.push(Part::Name(name.to_owned()));
            rest = behind;
        }
        parts.extend((!rest.is_empty()).then(|| Part::Text(rest.to_owned())));
        Ok(Template { parts })
    }

    /// Returns the names that it needs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Returns the text with all names filled in.
    ///
    /// # Errors
    /// [`Unset`] with the first name that has no value.
    pub fn text(&self, vars: &Vars) -> Result<String, Unset> {
        let part = |part: &Part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Name(name) => vars.get(name).map(plain).ok_or_else(|| Unset(name.clone())),
        };
        self.parts.iter().map(part).collect()
    }

    /// Returns the value: a text that is one name and nothing else keeps the type of what the name stands for.
    ///
    /// # Errors
    /// As [`Template::text`].
    pub fn value(&self, vars: &Vars) -> Result<Value, Unset> {
        match self.parts.as_slice() {
            [Part::Name(name)] => vars.get(name).cloned().ok_or_else(|| Unset(name.clone())),
            _ => self.text(vars).map(Value::String),
        }
    }
}

/// Writes a value as it stands in a text: a string without quotes, all else as JSON.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Fills in all strings of a value.
pub(super) fn filled(value: &Value, vars: &Vars) -> Result<Value, Unset> {
    match value {
        // A text that is no template was refused when the file was read.
        Value::String(text) => Template::parse(text).map_or_else(|_| Ok(value.clone()), |t| t.value(vars)),
        Value::Array(items) => items.iter().map(|item| filled(item, vars)).collect(),
        Value::Object(map) => {
            let filled = map.iter().map(|(key, item)| Ok((key.clone(), filled(item, vars)?)));
            filled.collect::<Result<_, Unset>>().map(Value::Object)
        }
        other => Ok(other.clone()),
    }
}

/// Returns all strings of a value.
pub(super) fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(map) => map.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

/// Returns the names that the strings of a value need.
pub(super) fn names_of(value: &Value) -> Vec<&str> {
    strings(value).into_iter().flat_map(names_in).collect()
}

/// Returns the names of a text that was found to be a template.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").skip(1).filter_map(|part| part.split_once("}}").map(|(name, _)| name.trim()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn vars() -> Vars {
        Vars::from([("id".to_owned(), json!(7)), ("login.a.token".to_owned(), json!("t0"))])
    }

    #[rstest]
    #[case::typed("{{id}}", json!(7))]
    #[case::inside("/orders/{{ id }}", json!("/orders/7"))]
    #[case::two("{{id}}-{{login.a.token}}", json!("7-t0"))]
    #[case::none("a } b", json!("a } b"))]
    fn names_become_values(#[case] text: &str, #[case] want: Value) {
        assert_eq!(Template::parse(text).unwrap().value(&vars()), Ok(want));
    }

    #[test]
    fn strings_inside_of_a_value_are_filled_in_with_their_types() {
        let value = json!({"a": ["{{id}}", 1], "b": {"c": "x{{id}}"}});
        assert_eq!(filled(&value, &vars()), Ok(json!({"a": [7, 1], "b": {"c": "x7"}})));
        assert_eq!(names_of(&value), ["id", "id"]);
    }

    #[rstest]
    #[case("{{ id", "is not closed")]
    #[case("{{ }}", "contains no name")]
    #[case("{{ a b }}", "contains no name")]
    fn braces_that_hold_no_name_are_refused(#[case] text: &str, #[case] want: &str) {
        assert!(Template::parse(text).unwrap_err().to_string().contains(want));
    }

    #[test]
    fn a_name_without_a_value_is_reported() {
        assert_eq!(Template::parse("{{nope}}").unwrap().text(&vars()), Err(Unset("nope".to_owned())));
    }
}
