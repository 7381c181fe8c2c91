//! The known name that a mistyped one was probably meant to be.

/// Finds the known name that a mistyped one was probably meant to be.
#[must_use]
pub fn closest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(found, name), *name))
        .filter(|(distance, name)| *distance <= 2.max(name.len() / 3))
        .min()
        .map(|(_, name)| name)
}

/// Finds a near name in serde's "unknown field `x`, expected one of `a`, `b`".
#[must_use]
pub fn suggestion(message: &str) -> Option<String> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut names = message.split('`').skip(1).step_by(2);
    let found = names.next()?;
    let known: Vec<&str> = names.collect();
    closest(found, &known).map(|near| format!("did you mean `{near}`?"))
}
