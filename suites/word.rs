//! Names of trials: of `[a-z0-9_]` and colons.

/// Returns a text as it stands in a name.
pub(crate) fn word(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}
