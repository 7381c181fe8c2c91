use rstest::rstest;

use super::*;

fn texts(sql: &str) -> Vec<&str> {
    statements(sql, 1).into_iter().map(|found| &sql[found.range]).collect()
}

fn traits(sql: &str) -> Vec<Trait> {
    statements(sql, 1).into_iter().flat_map(|found| found.traits).collect()
}

#[rstest]
#[case::two("SELECT 1; SELECT 2", &["SELECT 1", "SELECT 2"])]
#[case::empty(" ; ;; -- x\n/* y; */ ", &[])]
#[case::string("SELECT ';'';'; SELECT 2", &["SELECT ';'';'", "SELECT 2"])]
#[case::backslash_is_plain(r"SELECT '\'; SELECT 2", &[r"SELECT '\'", "SELECT 2"])]
#[case::escape_string(r"SELECT E'\';'; SELECT 2", &[r"SELECT E'\';'", "SELECT 2"])]
#[case::continued_escape_string("SELECT E'a'\n'\\';'; SELECT 2", &["SELECT E'a'\n'\\';'", "SELECT 2"])]
#[case::unicode_string(r"SELECT U&'\0041;'; SELECT 2", &[r"SELECT U&'\0041;'", "SELECT 2"])]
#[case::quoted_name("SELECT 1 AS \"a;\"\"b\"; SELECT 2", &["SELECT 1 AS \"a;\"\"b\"", "SELECT 2"])]
#[case::dollar("DO $$ BEGIN; END $$; SELECT 2", &["DO $$ BEGIN; END $$", "SELECT 2"])]
#[case::tagged("DO $a$ $$;$$ ; $b$ $a$; SELECT 2", &["DO $a$ $$;$$ ; $b$ $a$", "SELECT 2"])]
#[case::dollar_in_a_name("SELECT a$b$ FROM t; SELECT c$b$", &["SELECT a$b$ FROM t", "SELECT c$b$"])]
#[case::parameter("PREPARE p AS SELECT $1; SELECT $2", &["PREPARE p AS SELECT $1", "SELECT $2"])]
#[case::nested_comment("/* a /* b; */ c; */ SELECT 1 /* ; */; SELECT 2 -- ;\n", &["SELECT 1", "SELECT 2"])]
#[case::rule("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3",
    &["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 3"])]
#[case::atomic("CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3",
    &["CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END", "SELECT 3"])]
#[case::transaction("BEGIN; SELECT 1; END; SELECT 2", &["BEGIN", "SELECT 1", "END", "SELECT 2"])]
#[case::other_letters("SELECT 'ä;ß'; SELECT \u{20ac}", &["SELECT 'ä;ß'", "SELECT \u{20ac}"])]
#[case::strings_with_escapes("SET standard_conforming_strings = off; SELECT '\\';'; SELECT 2",
    &["SET standard_conforming_strings = off", "SELECT '\\';'", "SELECT 2"])]
#[case::mark("\u{feff}SELECT 1;", &["SELECT 1"])]
#[case::psql("\\restrict abc\nSELECT 1;\n\\connect x;y\nSELECT 2", &["\\restrict abc", "SELECT 1", "\\connect x;y", "SELECT 2"])]
#[case::psql_ends_it("SELECT 1 \\gexec\nSELECT 2", &["SELECT 1", "\\gexec", "SELECT 2"])]
fn statements_end_where_psql_ends_them(#[case] sql: &str, #[case] want: &[&str]) {
    assert_eq!(texts(sql), want);
}

#[test]
fn the_line_of_each_statement_is_that_of_its_first_word() {
    let sql = "-- a\n\nSELECT 1;\n/* b\n */ SELECT\n 2;\nCOPY t FROM STDIN;\n1\n\\.\nSELECT 3;";
    let lines: Vec<usize> = statements(sql, 10).iter().map(|found| found.line).collect();
    assert_eq!(lines, [12, 14, 16, 19]);
}

#[rstest]
#[case::with_end("COPY t (a) FROM stdin WITH (FORMAT csv);\n1;'\n2\n\\.\nSELECT 1;", Some("1;'\n2\n"), 2)]
#[case::without_end("COPY t FROM STDIN;\n1\n", Some("1\n"), 1)]
#[case::empty("COPY t FROM STDIN;\n\\.\n", Some(""), 1)]
#[case::other("COPY t FROM '/x'; SELECT 1", None, 2)]
#[case::out("COPY t TO STDOUT; SELECT 1", None, 2)]
fn the_lines_behind_a_copy_are_its_data(#[case] sql: &str, #[case] data: Option<&str>, #[case] count: usize) {
    let found = statements(sql, 1);
    assert_eq!(found[0].copy_data().map(|range| &sql[range]), data);
    assert_eq!(found.len(), count);
}

#[rstest]
#[case::begin("BEGIN", &[Trait::TransactionControl])]
#[case::start("start transaction", &[Trait::TransactionControl])]
#[case::savepoint("SAVEPOINT a; ROLLBACK TO a; RELEASE a", &[])]
#[case::rollback("ROLLBACK", &[Trait::TransactionControl])]
#[case::prepared("PREPARE TRANSACTION 'x'", &[Trait::TransactionControl])]
#[case::prepare("PREPARE x AS SELECT 1", &[])]
#[case::do_block("DO $$ BEGIN PERFORM 1; END $$", &[])]
#[case::do_commits("DO LANGUAGE plpgsql $$ BEGIN COMMIT; END $$", &[Trait::TransactionControl])]
#[case::do_says_commit("DO $$ BEGIN RAISE NOTICE 'commit'; -- commit\n END $$", &[])]
#[case::concurrently("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)", &[Trait::Concurrently])]
#[case::named_so("CREATE INDEX i ON concurrently_used (a)", &[])]
#[case::drop_it("DROP INDEX CONCURRENTLY i", &[Trait::Concurrently])]
#[case::refresh("REFRESH MATERIALIZED VIEW CONCURRENTLY v", &[])]
#[case::detach("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", &[Trait::Concurrently])]
#[case::vacuum("VACUUM t", &[Trait::OutsideTransaction])]
#[case::psql("\\i x.sql", &[Trait::MetaCommand("i".to_owned())])]
#[case::string("SELECT 'a", &[Trait::Unterminated("string")])]
#[case::body("DO $x$ BEGIN END", &[Trait::Unterminated("dollar-quoted body")])]
#[case::comment("SELECT 1 /* a", &[Trait::Unterminated("comment")])]
#[case::name("SELECT \"a", &[Trait::Unterminated("quoted name")])]
fn what_is_special_about_a_statement_is_seen(#[case] sql: &str, #[case] want: &[Trait]) {
    assert_eq!(traits(sql), want);
}

#[rstest]
#[case("SELECT 1", true)]
#[case("select 'down SQL query'", true)]
#[case("BEGIN", true)]
#[case("SELECT f()", false)]
#[case("SELECT 1 FROM t", false)]
#[case("DROP TABLE t", false)]
fn a_selection_of_constants_does_nothing(#[case] sql: &str, #[case] idle: bool) {
    assert_eq!(is_idle(sql), idle);
}
