//! Finds the parts of an SQL text that a server wrote: what stands in quotes or parentheses is one piece.

/// Returns the length of the piece that `text` begins with: a quoted text or name as a whole, else one character.
pub(super) fn piece(text: &str) -> usize {
    match text.chars().next() {
        // A doubled quote within is two quoted pieces side by side, which comes to the same.
        Some(quote @ ('\'' | '"')) => text[1..].find(quote).map_or(text.len(), |at| at + 2),
        Some(c) => c.len_utf8(),
        None => 0,
    }
}

/// Returns where the parenthesis or bracket closes that was opened just before `text`; its length where none does.
pub(super) fn closing(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        match text.as_bytes()[at] {
            b'(' | b'[' => depth += 1,
            b')' | b']' if depth == 0 => return at,
            b')' | b']' => depth -= 1,
            _ => {}
        }
        at += piece(&text[at..]);
    }
    text.len()
}

/// Returns where `wanted` stands outside of quotes and parentheses.
pub(super) fn find_outermost(text: &str, wanted: &str) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(wanted) {
            return Some(at);
        }
        at += match text.as_bytes()[at] {
            b'(' | b'[' => (closing(&text[at + 1..]) + 2).min(text.len() - at),
            _ => piece(&text[at..]),
        };
    }
    None
}

/// Returns the parts of a list that commas divide, trimmed.
pub(super) fn list(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = find_outermost(rest, ",") {
        parts.push(rest[..at].trim());
        rest = &rest[at + 1..];
    }
    parts.push(rest.trim());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_or_in_parentheses_is_one_piece() {
        assert_eq!(
            list("a, 'b, c', (d, [e, f]), \"g,\"\",\", 'it''s, x'"),
            ["a", "'b, c'", "(d, [e, f])", "\"g,\"\",\"", "'it''s, x'"]
        );
        assert_eq!(find_outermost("(a WITH b) ' WITH ' WITH c", " WITH c"), Some(19));
        assert_eq!(closing("a, ')', (b)) rest"), 11);
    }

    #[test]
    fn a_text_that_does_not_end_what_it_begins_is_taken_to_its_end() {
        assert_eq!(closing("a, (b"), 5);
        assert_eq!(find_outermost("'a, b", ","), None);
        assert_eq!(find_outermost("(é", ","), None);
        assert_eq!(list("a, (b"), ["a", "(b"]);
    }
}
