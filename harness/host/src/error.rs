//! Errors as a person reads them.

use std::error::Error;

/// What libraries put around the cause, and what states nothing of it: a person reads `Connection refused (os error 111)`.
const WRAPPERS: [&str; 4] =
    ["Error in the hyper legacy client", "client error (Connect)", "error sending request", "tcp connect error"];

/// Returns the causes of an error, the nearest one first, without those whose text the one before has already.
fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !texts.iter().any(|above| above.contains(&text)) {
            texts.push(text);
        }
        cause = inner.source();
    }
    let last = texts.len() - 1;
    let is_wrapper = |text: &str| WRAPPERS.iter().any(|wrapper| text.trim_end_matches(": ").starts_with(wrapper));
    let reported = texts.into_iter().enumerate().filter(|(nth, text)| *nth == 0 || *nth == last || !is_wrapper(text));
    reported.map(|(_, text)| text).collect()
}

/// Returns an error and its causes as one line: for a place that has only one, such as a record or a journal line.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    causes(error).join(": ")
}

/// Returns an error and its causes, each cause in a line of its own, indented below what it caused.
///
/// ```text
/// cannot read /srv/shop/stagegate.toml
///   caused by: Permission denied (os error 13)
/// ```
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut lines = Vec::new();
    for (depth, text) in causes(error).iter().enumerate() {
        let indent = "  ".repeat(depth);
        let lead = if depth == 0 { String::new() } else { format!("{indent}caused by: ") };
        // A text of several lines stays together below its first one.
        lines.push(format!("{lead}{}", text.trim_end().replace('\n', &format!("\n{indent}  "))));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Link>>,
    }

    fn links(texts: &[&'static str]) -> Option<Box<Link>> {
        let (text, rest) = texts.split_first()?;
        Some(Box::new(Link { text, source: links(rest) }))
    }

    #[test]
    fn each_cause_is_indented_below_what_it_caused() {
        let error =
            links(&["release v2 cannot be built", "`docker compose build` ended with code 1\nno space", "disk full"]);
        let want = "release v2 cannot be built\n  caused by: `docker compose build` ended with code 1\n    no space\n    \
                    caused by: disk full";
        assert_eq!(chain(error.unwrap().as_ref()), want);
    }

    #[test]
    fn what_libraries_put_around_a_cause_is_left_out_and_the_cause_is_not() {
        let refused = "Connection refused (os error 111)";
        let error = links(&[
            "cannot reach Docker Engine",
            "Error in the hyper legacy client",
            "client error (Connect)",
            "tcp connect error",
            refused,
        ]);
        assert_eq!(with_causes(error.unwrap().as_ref()), format!("cannot reach Docker Engine: {refused}"));
        let error = links(&["cannot reach Docker Engine", "client error (Connect)"]);
        assert_eq!(with_causes(error.unwrap().as_ref()), "cannot reach Docker Engine: client error (Connect)");
    }

    #[test]
    fn a_cause_that_the_error_quotes_is_not_repeated() {
        let error = links(&["cannot read a.toml: not found", "not found", "os error 2"]);
        assert_eq!(chain(error.unwrap().as_ref()), "cannot read a.toml: not found\n  caused by: os error 2");
    }
}
