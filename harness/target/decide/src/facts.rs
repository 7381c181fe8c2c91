//! What a script on a host found.

use std::collections::BTreeMap;

/// What the script printed: one value a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<String, String>);

impl Facts {
    /// Returns a value; nothing where it is absent or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Tells whether a program is there.
    #[must_use]
    pub fn has(&self, program: &str) -> bool {
        self.get("programs").is_some_and(|list| list.split(' ').any(|one| one == program))
    }
}

/// Reads the lines `name=value` of the script.
#[must_use]
pub fn facts(answer: &str) -> Facts {
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
    Facts(answer.lines().filter_map(pair).collect())
}

/// Reads the first two numbers of a version.
pub(crate) fn version_of(text: &str) -> Option<(u32, u32)> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut parts = text[start..].split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next().unwrap_or("0").parse().unwrap_or(0)))
}
