//! The known name that a mistyped one was probably meant to be.

/// Finds the known name that a mistyped one was probably meant to be.
///
/// Of a name of up to four letters one may be wrong, of a longer one two or a third; the beginning of a name counts as near.
#[must_use]
pub fn closest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (distance(found, name), *name))
        .filter(|(distance, name)| *distance <= if name.len() <= 4 { 1 } else { 2.max(name.len() / 3) })
        .min()
        .map(|(_, name)| name)
}

fn distance(found: &str, name: &str) -> usize {
    let begun = found.len() >= 3 && name.starts_with(found);
    let typed = strsim::damerau_levenshtein(found, name);
    if begun { 0 } else { typed }
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_swap("wbe", &["web", "db"], Some("web"))]
    #[case::the_beginning_comes_first("protect", &["project", "protected"], Some("protected"))]
    #[case::a_long_beginning("prod", &["production", "staging"], Some("production"))]
    #[case::two_of_four_letters("name", &["gate", "logs"], None)]
    #[case::two_of_many("enviroments", &["environments", "errors"], Some("environments"))]
    fn a_name_is_near_by_its_length(#[case] found: &str, #[case] known: &[&str], #[case] want: Option<&str>) {
        assert_eq!(closest(found, known), want);
    }
}
