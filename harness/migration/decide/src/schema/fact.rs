//! A fact: one addressable thing of a schema.

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer};

use super::Kind;

/// The address of a thing: its kind and its qualified name, such as `column public.orders.note`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// What it is.
    pub kind: Kind,
    /// Its name, each part quoted where it has to be.
    pub name: String,
}

impl Id {
    /// Makes an address.
    #[must_use]
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        Id { kind, name: name.into() }
    }

    /// Returns the name without what the parent's name states, so that a renamed parent has equal parts.
    pub(crate) fn within(&self, parent: &Id) -> &str {
        if self.kind.is_attached() {
            let rest = self.name.strip_prefix(parent.kind.word()).and_then(|rest| rest.strip_prefix(' '));
            return rest.and_then(|rest| rest.strip_prefix(&parent.name)).unwrap_or(&self.name);
        }
        match self.name.strip_prefix(&parent.name) {
            Some("") => "",
            Some(rest) => rest.strip_prefix('.').unwrap_or(&self.name),
            None => &self.name,
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One addressable thing of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Its address.
    pub id: Id,
    /// What it is a part of.
    pub parent: Option<Id>,
    /// What is reported of it, by attribute; its own name is not in it.
    pub payload: BTreeMap<String, String>,
}
