//! One form for casts of arrays, which a server writes in two.
//!
//! `status IN ('new', 'paid')` on a varchar column is `(ARRAY['new'::character varying, ..])::text[]` at first. Read again,
//! by a restore, the cast is taken to each element: `ARRAY[('new'::character varying)::text, ..]`. Both mean the same.
// Source: parse_expr.c, transformTypeCast: a cast of an ARRAY[] to an array type is passed down to its elements.

use super::{Fact, Kind, scan};

/// What the server writes from expressions that it parsed.
const WRITTEN: &[&str] = &[
    "arguments",
    "default",
    "definition",
    "expression",
    "generated",
    "partitioned by",
    "using",
    "where",
    "with check",
];
const CAST: &str = "(ARRAY[";

/// Brings the expressions of a fact to the form that they have after a restore.
pub(super) fn settle(fact: &mut Fact) {
    let is_routine = matches!(fact.id.kind, Kind::Function | Kind::Procedure);
    for (attribute, text) in &mut fact.payload {
        // Another body is the user's own text.
        let is_parsed =
            attribute == "body" && is_routine && (text.starts_with("RETURN ") || text.starts_with("BEGIN ATOMIC"));
        if text.contains(CAST) && (is_parsed || WRITTEN.contains(&attribute.as_str())) {
            *text = by_element(text);
        }
    }
}

/// Takes casts of whole arrays to their elements.
fn by_element(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while !rest.is_empty() {
        let taken = match cast(rest) {
            Some((list, to, length)) => {
                out.push_str(&array(list, to));
                length
            }
            None => {
                let length = scan::piece(rest);
                out.push_str(&rest[..length]);
                length
            }
        };
        rest = &rest[taken..];
    }
    out
}

/// Reads a cast of a whole array: its elements, the type of one, and how long the cast is.
fn cast(text: &str) -> Option<(&str, &str, usize)> {
    let inner = text.strip_prefix(CAST)?;
    let list = &inner[..scan::closing(inner)];
    let to = inner[list.len()..].strip_prefix("])::")?;
    let to = &to[..type_name(to)];
    Some((list, to, CAST.len() + list.len() + "])::".len() + to.len() + "[]".len()))
        .filter(|(.., end)| text[..*end].ends_with("[]"))
}

/// Returns the length of the name of a type that stands at the beginning, such as `character varying(10)`.
fn type_name(text: &str) -> usize {
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        at += match rest.as_bytes()[0] {
            b'"' => scan::piece(rest),
            b'(' => (scan::closing(&rest[1..]) + 2).min(rest.len()),
            // Words that go on after a type are written in capitals.
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'$' | b' ' | 128.. => scan::piece(rest),
            _ => break,
        };
    }
    at
}

fn array(list: &str, to: &str) -> String {
    let element = |element: &str| match element.strip_prefix("ARRAY[").and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) if scan::closing(inner) == inner.len() => array(inner, to),
        _ => format!("({})::{to}", by_element(element)),
    };
    let elements: Vec<String> = scan::list(list).into_iter().map(element).collect();
    format!("ARRAY[{}]", elements.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;
    use crate::schema::Id;

    #[rstest]
    #[case::varchar(
        "CHECK (((status)::text = ANY ((ARRAY['new'::character varying, 'it''s, \"x\"]'::character varying])::text[])))",
        "CHECK (((status)::text = ANY (ARRAY[('new'::character varying)::text, ('it''s, \"x\"]'::character varying)::text])))"
    )]
    #[case::length(
        "(a = ANY ((ARRAY['a'::text])::character varying(3)[]))",
        "(a = ANY (ARRAY[('a'::text)::character varying(3)]))"
    )]
    #[case::quoted(
        "((ARRAY[a, f(b, c)])::app.\"Odd Type\"[])",
        "(ARRAY[(a)::app.\"Odd Type\", (f(b, c))::app.\"Odd Type\"])"
    )]
    #[case::two_dimensions(
        "(ARRAY[ARRAY[a, b], ARRAY[c, d]])::text[]",
        "ARRAY[ARRAY[(a)::text, (b)::text], ARRAY[(c)::text, (d)::text]]"
    )]
    #[case::twice("(ARRAY[a])::text[] || (ARRAY[b])::text[]", "ARRAY[(a)::text] || ARRAY[(b)::text]")]
    #[case::within("(ARRAY[((ARRAY[a])::text[])[1]])::name[]", "ARRAY[((ARRAY[(a)::text])[1])::name]")]
    #[case::no_array("(ARRAY[1, 2])::int2vector AND (a = b[1])", "(ARRAY[1, 2])::int2vector AND (a = b[1])")]
    #[case::in_a_text("('(ARRAY[a])::text[]'::text)", "('(ARRAY[a])::text[]'::text)")]
    #[case::restored("ANY (ARRAY[('new'::character varying)::text])", "ANY (ARRAY[('new'::character varying)::text])")]
    #[case::cut("(ARRAY[a, 'b", "(ARRAY[a, 'b")]
    fn a_cast_of_an_array_is_one_of_its_elements(#[case] text: &str, #[case] want: &str) {
        assert_eq!(by_element(text), want);
        assert_eq!(by_element(want), want, "again");
    }

    #[test]
    fn a_body_of_the_users_own_is_left_as_it_is() {
        let body = |text: &str| {
            let payload = BTreeMap::from([("body".to_owned(), text.to_owned())]);
            let mut fact = Fact { id: Id::new(Kind::Function, "app.f()"), parent: None, payload };
            settle(&mut fact);
            fact.payload["body"].clone()
        };
        assert_eq!(body("select (ARRAY[a])::text[]"), "select (ARRAY[a])::text[]");
        assert_eq!(body("RETURN (ARRAY[a])::text[]"), "RETURN ARRAY[(a)::text]");
    }
}
