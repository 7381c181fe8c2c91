//! Two values of an attribute in one line, cut so that their first difference is in view.

use crate::schema::Attribute;

/// How many characters of a value are shown.
const LENGTH: usize = 60;

/// How many of them stand before the first difference.
const BEFORE: usize = 20;

/// Returns what an attribute is, and what was expected.
pub(super) fn changed(attribute: &Attribute) -> String {
    let Attribute { name, old, new } = attribute;
    let (Some(old), Some(new)) = (old, new) else {
        let whole = |value: &Option<String>| value.as_deref().map_or("none".to_owned(), |text| cut(&line(text), 0));
        return format!("{name} is {}, expected {}", whole(new), whole(old));
    };
    let (old, new) = (line(old), line(new));
    if old == new {
        return format!("{name} differs in white space");
    }
    let same = old.chars().zip(new.chars()).take_while(|(a, b)| a == b).count();
    let is_short = old.chars().count().max(new.chars().count()) <= LENGTH;
    let from = if is_short || same < LENGTH - BEFORE { 0 } else { same - BEFORE };
    format!("{name} is {}, expected {}", cut(&new, from), cut(&old, from))
}

fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Shows a text from a character on.
fn cut(text: &str, from: usize) -> String {
    let before = if from > 0 { ".." } else { "" };
    let after = if text.chars().count() > from + LENGTH { ".." } else { "" };
    let shown: String = text.chars().skip(from).take(LENGTH).collect();
    format!("`{before}{shown}{after}`")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::short(Some("bigint"), Some("integer"), "x is `integer`, expected `bigint`")]
    #[case::added(None, Some("yes"), "x is `yes`, expected none")]
    #[case::blanks(Some("a  b"), Some("a\nb"), "x differs in white space")]
    #[case::early(
        Some("begin return one; end; -- and so much more that it does not fit into a line"),
        Some("begin return two; end;"),
        "x is `begin return two; end;`, expected `begin return one; end; -- and so much more that it does not ..`"
    )]
    fn both_values_are_shown(#[case] old: Option<&str>, #[case] new: Option<&str>, #[case] want: &str) {
        let attribute = Attribute { name: "x".to_owned(), old: old.map(str::to_owned), new: new.map(str::to_owned) };
        assert_eq!(changed(&attribute), want);
    }

    #[test]
    fn long_values_are_shown_around_their_first_difference() {
        let body = |word: &str| Some(format!("{} return {word}; {}", "\u{e4}b ".repeat(50), "c ".repeat(50)));
        let text = changed(&Attribute { name: "body".to_owned(), old: body("old"), new: body("new") });
        let (found, expected) = text.split_once(", expected ").unwrap();
        assert!(found.contains("return new; c") && expected.contains("return old; c"), "{text}");
        assert!(found.starts_with("body is `..") && expected.ends_with("..`"), "{text}");
    }
}
