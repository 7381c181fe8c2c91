//! Findings: what is wrong, where, how grave it is, and what to do about it. One model for every check and command.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::severity::Severity;

/// One difference between what was expected and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The id of the rule or code, such as `healthcheck-missing`; empty where a check has only one.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub code: Cow<'static, str>,
    /// How grave it is here.
    #[serde(default)]
    pub severity: Severity,
    /// Where it is. Records of earlier versions call it `at`, a text.
    #[serde(default, alias = "at")]
    pub place: Place,
    /// What was expected, with its type or unit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expected: String,
    /// What was found, with its type or unit.
    #[serde(default)]
    pub found: String,
    /// What comes of it; empty where the rule states no more than the finding.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub why: Cow<'static, str>,
    /// What to do.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub fix: Cow<'static, str>,
    /// The beginning of the text that it is about, such as a statement; empty where none is meant.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
    /// Why it is accepted, by whom and until when, where a waiver covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<String>,
    /// What of the object it is about, such as `public.orders/lock`: of two findings on one aspect, one may be dropped.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub aspect: String,
    /// The other places at which the same one thing is met, such as the operations that name a component.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// Other names by which a waiver may name the place.
    #[serde(skip)]
    pub aliases: Vec<String>,
    /// What to add to the object in its file, where adding fixes it.
    #[serde(skip)]
    pub addition: Option<Value>,
}

impl Finding {
    /// Makes a finding of a rule; `found` states what is there, against what should be.
    pub fn new(rule: &Rule, found: impl Into<String>) -> Self {
        Finding {
            code: rule.id.into(),
            severity: rule.severity,
            found: found.into(),
            why: rule.why.into(),
            fix: rule.fix.into(),
            ..Finding::default()
        }
    }

    /// Makes a finding about `object`, a JSON path, a service, a header, that is not as expected.
    pub fn differs(object: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Finding { place: Place::of(object), expected: expected.into(), found: found.into(), ..Finding::default() }
    }

    /// Names the object: a service, a migration.
    #[must_use]
    pub fn of(mut self, object: &str) -> Self {
        object.clone_into(&mut self.place.object);
        self
    }

    /// Names the file and the line; 0 is the whole file.
    #[must_use]
    pub fn at(mut self, file: &str, line: usize) -> Self {
        (self.place.file, self.place.line) = (Some(file.to_owned()), line);
        self
    }

    /// Names the aspect, such as a table and what becomes of it.
    #[must_use]
    pub fn about(mut self, aspect: impl Into<String>) -> Self {
        self.aspect = aspect.into();
        self
    }

    /// Sets another severity than that of the rule.
    #[must_use]
    pub fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Returns whether no waiver covers it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.waived.is_none()
    }
}

/// Where a finding is: an object, a line of a file, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// A service, a container, a migration, an operation, a JSON path; empty where only the file is meant.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// The file, relative to the repository where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1; 0 where the whole file is meant.
    #[serde(skip_serializing_if = "is_zero")]
    pub line: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(line: &usize) -> bool {
    *line == 0
}

impl Place {
    /// Makes the place of an object that stands in no known file.
    pub fn of(object: impl Into<String>) -> Self {
        Place { object: object.into(), file: None, line: 0 }
    }

    /// Names the file and the line, from 1.
    #[must_use]
    pub fn within(mut self, file: impl Into<String>, line: usize) -> Self {
        (self.file, self.line) = (Some(file.into()), line);
        self
    }

    /// Returns `file:line`, or the file alone, or nothing.
    #[must_use]
    pub fn position(&self) -> String {
        match (&self.file, self.line) {
            (None, _) => String::new(),
            (Some(file), 0) => file.clone(),
            (Some(file), line) => format!("{file}:{line}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.position();
        match (self.object.as_str(), position.as_str()) {
            (object, "") => f.write_str(object),
            ("", position) => f.write_str(position),
            (object, position) => write!(f, "{object} ({position})"),
        }
    }
}

// Earlier versions wrote a text.
impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Parts {
                #[serde(default)]
                object: String,
                #[serde(default)]
                file: Option<String>,
                #[serde(default)]
                line: usize,
            },
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Text(object) => Place::of(object),
            Form::Parts { object, file, line } => Place { object, file, line },
        })
    }
}

/// A kind of finding, as a catalogue describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its id: lowercase words and dashes.
    pub id: &'static str,
    /// How grave it is where nobody configures otherwise.
    pub severity: Severity,
    /// What is wrong where it is found.
    pub title: &'static str,
    /// What comes of it.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_of_an_earlier_version_is_read() {
        let old = r#"{"at":"$.total","expected":"number","found":"string"}"#;
        let read: Finding = serde_json::from_str(old).unwrap();
        assert_eq!(read, Finding::differs("$.total", "number", "string"));
    }

    #[test]
    fn a_finding_is_read_as_it_was_written() {
        let finding = Finding {
            code: "privileged".into(),
            severity: Severity::Warning,
            place: Place::of("api").within("compose.yaml", 3),
            waived: Some("because (ada, until 2027-01-01)".to_owned()),
            ..Finding::differs("", "no", "yes")
        };
        let text = serde_json::to_string(&finding).unwrap();
        assert_eq!(serde_json::from_str::<Finding>(&text).unwrap(), finding);
        assert_eq!(finding.place.to_string(), "api (compose.yaml:3)");
    }
}
