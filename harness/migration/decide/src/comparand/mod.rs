//! Which values do a script's statements ask for? Rows without them would never be met by its conditions.

mod forms;
mod words;

use super::{Script, split};
use words::Words;

/// A value that a statement compares a column with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparand {
    /// The column's name, without quotes.
    pub column: String,
    /// The value, as SQL.
    pub value: String,
    /// The names that the statement holds, of tables and others; without quotes.
    pub names: Vec<String>,
    /// The statement, by its place among those that compare anything.
    pub statement: usize,
    /// Whether the statement sets the column to it, and compares nothing.
    pub is_assigned: bool,
}

/// More values than any one script is made rows for.
const MOST: usize = 64;

/// What a statement begins with that may change rows by conditions.
const CHANGES: [&str; 6] = ["update", "delete", "insert", "with", "merge", "do"];

/// Returns the values with which statements that change rows compare columns, bodies of DO included: `status = 'old'`,
/// `kind in ('a', 'b')`, `s ->> 'kind' = 'draft'`; of patterns and ranges a value that meets them.
#[must_use]
pub fn comparands(script: &Script) -> Vec<Comparand> {
    let mut found: Vec<Comparand> = Vec::new();
    for statement in &script.statements {
        let text = script.text_of(statement);
        let words = Words::of(text);
        let computes = words.is(0, "alter") && (0..words.len()).any(|at| words.is(at, "using"));
        if computes || CHANGES.iter().any(|word| words.is(0, word)) {
            of_statement(&words, &mut found);
        }
        if words.is(0, "do") {
            for body in words.bodies() {
                for inner in split::statements(body, 1) {
                    of_statement(&Words::of(&body[inner.range]), &mut found);
                }
            }
        }
    }
    found.truncate(MOST);
    found
}

fn of_statement(words: &Words<'_>, found: &mut Vec<Comparand>) {
    let statement = found.last().map_or(0, |last| last.statement + 1);
    let names: Vec<String> = (0..words.len()).filter_map(|at| words.name(at)).collect();
    let assignments = words.assignments();
    for at in 0..words.len() {
        let is_assigned = assignments.contains(&at);
        for (column, value) in forms::at(words, at) {
            found.push(Comparand { column, value, names: names.clone(), statement, is_assigned });
        }
    }
}

/// Returns the values that one row needs to meet all conditions of a statement: the first of each column, for each statement
/// that compares more than one.
#[must_use]
pub fn comparand_rows(comparands: &[Comparand]) -> Vec<Vec<&Comparand>> {
    let statements = comparands.chunk_by(|a, b| a.statement == b.statement).map(first_of_each_column);
    statements.filter(|firsts| firsts.len() > 1).collect()
}

fn first_of_each_column(comparands: &[Comparand]) -> Vec<&Comparand> {
    let mut firsts: Vec<&Comparand> = Vec::new();
    for comparand in comparands.iter().filter(|comparand| !comparand.is_assigned) {
        if firsts.iter().all(|first| first.column != comparand.column) {
            firsts.push(comparand);
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{File, chain};

    fn of(up: &str) -> Vec<Comparand> {
        let file = |name: &str, text: &str| File { path: name.to_owned(), bytes: text.as_bytes().to_vec() };
        let files = [file("1_a.up.sql", up), file("1_a.down.sql", "select 1;")];
        comparands(&chain(&files, None).unwrap().migrations[0].up)
    }

    fn told(found: &[Comparand]) -> String {
        found.iter().map(|one| format!("{}={}", one.column, one.value)).collect::<Vec<_>>().join(" ")
    }

    #[rstest]
    #[case::equal("DELETE FROM orders WHERE status = 'cancelled';", "status='cancelled'")]
    #[case::list("update o set x = 1 where o.kind in ('a', 'b') and n=3;", "x=1 kind='a' kind='b' n=3")]
    #[case::quoted("delete from o where \"Kind\" = 'it''s'; select 1 where a = 2;", "Kind='it''s'")]
    #[case::other_column("delete from o where a = b;", "")]
    #[case::body("DO $$ BEGIN DELETE FROM notif WHERE type='promo'; END $$;", "type='promo'")]
    #[case::merge("merge into a using b on a.id = b.id when matched and b.kind = 'x' then delete;", "kind='x'")]
    #[case::cast("delete from n where type::text = 'sms' and a::varchar(3) = 'b';", "type='sms' a='b'")]
    #[case::turned("delete from n where 'sms' = n.type and 5 = lower(b);", "type='sms' b=5")]
    #[case::function("delete from n where lower(type) = 'sms' and f(a) = 1;", "type='sms'")]
    #[case::like("delete from n where email LIKE '%@test.com' or a not ilike 'b_%';", "email='@test.com' a='bx'")]
    #[case::regular("delete from n where a ~ '^X-' and b ~* 'a\\.b$' and c !~ '\\d+';", "a='X-' b='a.b'")]
    #[case::between("delete from n where qty BETWEEN 500 AND 600;", "qty=500 qty=600")]
    #[case::greater(
        "delete from n where price > 1000000000 and a <= -5 and b <> 'x';",
        "price=(1000000000 + 1) a=-5 b='x'"
    )]
    #[case::earlier("delete from n where at < '2020-01-01';", "at=('2020-01-01'::timestamp - interval '1 day')")]
    #[case::long_ago("delete from n where at < now() - interval '30 days';", "at=(now() - interval '20 years')")]
    #[case::member("delete from n where 'guest' = ANY(roles);", "roles='{\"guest\"}'")]
    #[case::one_of("delete from n where kind = any (array['a', 'b']);", "kind='a' kind='b'")]
    #[case::removed("update n set roles = array_remove(roles, 'guest');", "roles='{\"guest\"}'")]
    #[case::contains(
        "delete from n where tags @> array['a', 'b'] or s @> '{\"a\": 1}';",
        "tags='{\"a\", \"b\"}' s='{\"a\": 1}'"
    )]
    #[case::json("delete from n where s->>'kind' = 'draft';", "s=jsonb_build_object('kind', 'draft')")]
    #[case::json_within(
        "delete from n where (s->'a'->>'b')::int = 5;",
        "s=jsonb_build_object('a', jsonb_build_object('b', 5))"
    )]
    #[case::json_key(
        "update n set s = s - 'theme' where s ? 'theme';",
        "s=jsonb_build_object('theme', 'x') s=jsonb_build_object('theme', 'x')"
    )]
    #[case::replaced("update n set email = replace(email, '@old.example', '@new');", "email=('x' || '@old.example')")]
    #[case::case_when("update n set a = case status when 'a' then 1 when 'b' then 2 end;", "status='a' status='b'")]
    #[case::using("alter table n alter a type int using case a when 'x' then 1 end;", "a='x'")]
    #[case::no_condition("create table n (a text default 'x' check (a = 'y'));", "")]
    fn constants_are_reported_with_their_columns(#[case] up: &str, #[case] want: &str) {
        assert_eq!(told(&of(up)), want);
    }

    #[test]
    fn the_values_of_one_statement_meet_in_one_row() {
        let found = of(
            "delete from o where a in ('x', 'y') and b = 'z'; delete from o where c = 1; delete from o where d = 1 and e = 2;",
        );
        let rows: Vec<String> =
            comparand_rows(&found).iter().map(|row| told(&row.iter().copied().cloned().collect::<Vec<_>>())).collect();
        assert_eq!(rows, ["a='x' b='z'", "d=1 e=2"]);
    }
}
