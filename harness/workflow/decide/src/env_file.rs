//! Env files, as far as a named key is looked for: `NAME=value` a line.

/// Returns the value of a key; the last line counts. Quotes around a value are taken away, nothing is expanded.
#[must_use]
pub fn value(text: &str, key: &str) -> Option<String> {
    let pair = |line: &str| {
        let line = line.trim_start();
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        (name.trim() == key).then(|| unquoted(value.trim()))
    };
    text.lines().filter_map(pair).next_back()
}

fn unquoted(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some((inside, _)) = value.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inside.to_owned();
        }
    }
    // Source: Compose, env file syntax: a comment begins with ` #`.
    value.split_once(" #").map_or(value, |(value, _)| value).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TEXT: &str = "# KEY=no\nKEY=one\nexport QUOTED=\"a # b\" # c\nSINGLE='x=y'\nPLAIN=a#b # c\nKEY=two\n";

    #[rstest]
    #[case("KEY", Some("two"))]
    #[case("QUOTED", Some("a # b"))]
    #[case("SINGLE", Some("x=y"))]
    #[case("PLAIN", Some("a#b"))]
    #[case("NOPE", None)]
    fn a_key_has_the_value_of_its_last_line(#[case] key: &str, #[case] want: Option<&str>) {
        assert_eq!(value(TEXT, key).as_deref(), want);
    }
}
