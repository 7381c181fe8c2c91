//! What holds of every text, whoever wrote it.

use proptest::prelude::*;

use super::*;

/// Pieces at which a cutter may go wrong, and any others.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            ";",
            "'",
            "''",
            "\"",
            "$$",
            "$a$",
            "$é$",
            "E'\\'",
            "U&'",
            "--",
            "\n",
            "/*",
            "*/",
            "(",
            ")",
            "\\g\n",
            "\\x ",
            "\u{feff}",
            "BEGIN ",
            "END ",
            "CASE ",
            "CREATE FUNCTION f() BEGIN ATOMIC ",
            "COPY t FROM stdin;\n",
            "\\.\n",
            "DO ",
            "SET standard_conforming_strings = off;",
            "ä",
            "€",
            "1",
            "$1",
            " ",
            "\0",
            "\r\n",
            "\u{a0}",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat())
}

/// A statement that is whole, with what looks like an end inside.
fn statement() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "SELECT ';'",
        "SELECT E'\\';' FROM \"a;b\"",
        "DO $x$ BEGIN; END $x$",
        "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END",
        "INSERT INTO t VALUES (1 /* ; */, $1)",
        "SELECT 'ä' -- ;\n, 2",
    ])
}

/// Returns what no statement holds: the text around the statements and the data of COPY.
fn rest(sql: &str, found: &[Statement]) -> String {
    let mut kept = sql.as_bytes().to_vec();
    let copied = found.iter().flat_map(|statement| &statement.traits).filter_map(|kind| match kind {
        Trait::CopyFromStdin(data) => Some(data.clone()),
        _ => None,
    });
    for range in found.iter().map(|statement| statement.range.clone()).chain(copied) {
        kept[range].fill(b' ');
    }
    String::from_utf8(kept).unwrap()
}

proptest! {
    #[test]
    fn statements_lie_in_the_text_at_their_lines(sql in text(), first in 1..1000_usize) {
        for found in statements(&sql, first) {
            let whole = sql.get(found.range.clone());
            prop_assert!(whole.is_some_and(|whole| !whole.is_empty()), "{:?}", found);
            let before = sql[..found.range.start].matches('\n').count();
            prop_assert_eq!(found.line, first + before);
        }
    }

    #[test]
    fn what_no_statement_holds_is_blank_or_comment(sql in text()) {
        let found = statements(&sql, 1);
        // The text behind COPY's statement ends with its line; what stands there is data's end and nothing else.
        prop_assume!(!found.iter().any(|one| one.traits.iter().any(|kind| matches!(kind, Trait::CopyFromStdin(_)))));
        let rest = rest(&sql, &found);
        let more: Vec<Token> = Lexer::new(&rest).filter(|token| token.kind != Kind::Symbol(b';')).collect();
        prop_assert!(more.is_empty(), "{:?} of {:?}", more, rest);
    }

    #[test]
    fn whole_statements_come_back_as_they_were_joined(all in prop::collection::vec(statement(), 0..8)) {
        let sql = all.join(";\n");
        let found: Vec<&str> = statements(&sql, 1).into_iter().map(|one| &sql[one.range]).collect();
        prop_assert_eq!(found, all);
    }

    #[test]
    fn a_cut_script_changes_its_last_statement_only(
        all in prop::collection::vec(statement(), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let sql = all.join(";\n");
        let ends: Vec<usize> = sql.char_indices().map(|(at, _)| at).collect();
        let cut = &sql[..ends[cut.index(ends.len())]];
        let found: Vec<&str> = statements(cut, 1).into_iter().map(|one| &cut[one.range]).collect();
        let whole = found.len().saturating_sub(1);
        prop_assert_eq!(&found[..whole], &all[..whole]);
    }

    #[test]
    fn tokens_follow_each_other(sql in text()) {
        let mut behind = 0;
        for token in Lexer::new(&sql) {
            prop_assert!(token.range.start >= behind && !token.range.is_empty(), "{:?}", token);
            prop_assert!(sql.get(token.range.clone()).is_some(), "{:?}", token);
            behind = token.range.end;
        }
    }
}
