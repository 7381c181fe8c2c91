//! Media types: `application/json; charset=utf-8`, and which documented one a response's is.

use std::collections::BTreeSet;

/// The parameter that names a character set.
const CHARSET: &str = "charset";

/// A media type, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Media {
    kind: String,
    subtype: String,
    parameters: Vec<(String, String)>,
}

impl Media {
    /// Reads a media type; what has no slash is taken as a type without a subtype, and matches itself only.
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/').unwrap_or((&essence, ""));
        let parameters = parts.filter_map(|part| part.split_once('=')).map(|(name, value)| {
            (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_ascii_lowercase())
        });
        Media { kind: kind.to_owned(), subtype: subtype.to_owned(), parameters: parameters.collect() }
    }

    /// Returns whether `found` is of this documented type, which may be a range and may ask for parameters.
    pub(super) fn takes(&self, found: &Media) -> bool {
        let kind = self.kind == "*" || self.kind == found.kind;
        let subtype = self.subtype == "*" || self.subtype == found.subtype;
        let is_met = |wanted: &(String, String)| found.parameters.contains(wanted) || self.is_without_effect(wanted);
        kind && subtype && self.parameters.iter().all(is_met)
    }

    /// Returns whether both are one type: only one of them names a character set, or the type is JSON.
    pub(super) fn is_alike(&self, other: &Media) -> bool {
        let named = |media: &Media| media.parameters.iter().any(|(name, _)| name == CHARSET);
        let others = |media: &Media| -> BTreeSet<(String, String)> {
            media.parameters.iter().filter(|(name, _)| name != CHARSET).cloned().collect()
        };
        let is_free = self.is_json() || !(named(self) && named(other));
        (&self.kind, &self.subtype) == (&other.kind, &other.subtype) && is_free && others(self) == others(other)
    }

    /// Returns whether a parameter changes nothing of the type.
    // Source: RFC 8259, section 11: a charset parameter of JSON has no effect on those who follow it.
    fn is_without_effect(&self, (name, _): &(String, String)) -> bool {
        name == CHARSET && self.is_json()
    }

    /// Returns how narrow the type is: an exact one goes before a range.
    pub(super) fn precision(&self) -> (bool, bool, usize) {
        (self.kind != "*", self.subtype != "*", self.parameters.len())
    }

    /// Returns whether a body of this type is JSON.
    pub(super) fn is_json(&self) -> bool {
        self.subtype == "json" || self.subtype.ends_with("+json")
    }

    /// Returns whether a body of this type is XML.
    pub(super) fn is_xml(&self) -> bool {
        self.subtype == "xml" || self.subtype.ends_with("+xml")
    }

    /// Returns whether a body of this type is that of a form.
    pub(super) fn is_form(&self) -> bool {
        self.kind == "multipart" || self.subtype == "x-www-form-urlencoded"
    }

    /// Returns whether it stands for several types.
    pub(super) fn is_range(&self) -> bool {
        self.kind == "*" || self.subtype == "*"
    }

    /// Returns whether a body of this type is text.
    pub(super) fn is_text(&self) -> bool {
        self.kind == "text"
    }
}
