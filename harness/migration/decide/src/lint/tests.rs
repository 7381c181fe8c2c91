use rstest::rstest;

use super::{
    super::{File, Tool, chain},
    *,
};

fn linted(sql: &str) -> Vec<Finding> {
    let file = |path: &str, sql: &str| File { path: path.to_owned(), bytes: sql.as_bytes().to_vec() };
    let files = [file("1_a.up.sql", sql), file("1_a.down.sql", "DROP TABLE t;")];
    lint(&chain(&files, Some(Tool::Sqlx)).unwrap())
}

fn codes_of(sql: &str) -> Vec<&'static str> {
    linted(sql)
        .into_iter()
        .map(|finding| crate::codes::code(&finding.code).unwrap().id)
        .filter(|code| *code != "lock-timeout-missing")
        .collect()
}

#[rstest]
#[case::index("CREATE INDEX i ON t (a)", "CREATE INDEX CONCURRENTLY i ON t (a)", "index-not-concurrent")]
#[case::unique_index(
    "CREATE UNIQUE INDEX IF NOT EXISTS i ON ONLY s.t USING btree (a)",
    "CREATE TABLE s.t (a int); CREATE INDEX ON s.t (a)",
    "index-not-concurrent"
)]
#[case::not_null(
    "ALTER TABLE t ADD COLUMN a int NOT NULL",
    "ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 0",
    "not-null-without-default"
)]
#[case::not_null_second(
    "ALTER TABLE t ADD a numeric(1,2), ADD b int NOT NULL",
    "ALTER TABLE t ADD a numeric(1,2), ADD b int",
    "not-null-without-default"
)]
#[case::volatile(
    "ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid()",
    "ALTER TABLE t ADD a timestamptz DEFAULT now()",
    "volatile-default"
)]
#[case::serial("ALTER TABLE ONLY t ADD COLUMN a bigserial", "ALTER TABLE t ADD COLUMN a bigint", "volatile-default")]
#[case::stored(
    "ALTER TABLE t ADD a int GENERATED ALWAYS AS (b + 1) STORED",
    "ALTER TABLE t ADD a int GENERATED ALWAYS AS (b + 1) VIRTUAL",
    "volatile-default"
)]
#[case::type_change(
    "ALTER TABLE t ALTER COLUMN a TYPE bigint",
    "ALTER TABLE t ALTER COLUMN a SET DEFAULT 1",
    "type-change"
)]
#[case::data_type(
    "ALTER TABLE IF EXISTS t ALTER a SET DATA TYPE text",
    "ALTER TABLE t ALTER \"type\" DROP DEFAULT",
    "type-change"
)]
#[case::foreign_key(
    "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (id)",
    "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (id) NOT VALID",
    "constraint-not-validated-apart"
)]
#[case::check(
    "ALTER TABLE t ADD CHECK (a > 0)",
    "ALTER TABLE t ADD CHECK (a > 0) NOT VALID",
    "constraint-not-validated-apart"
)]
#[case::unique(
    "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)",
    "ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i",
    "unique-without-index"
)]
#[case::primary(
    "ALTER TABLE t ADD PRIMARY KEY (a)",
    "ALTER TABLE t ADD PRIMARY KEY USING INDEX i",
    "unique-without-index"
)]
#[case::set_not_null("ALTER TABLE t ALTER a SET NOT NULL", "ALTER TABLE t ALTER a DROP NOT NULL", "set-not-null")]
#[case::rename("ALTER TABLE t RENAME COLUMN a TO b", "ALTER TABLE t RENAME CONSTRAINT a TO b", "renamed")]
#[case::rename_table("ALTER TABLE t RENAME TO u", "ALTER INDEX t RENAME TO u", "renamed")]
#[case::drop_column("ALTER TABLE t DROP COLUMN IF EXISTS a CASCADE", "ALTER TABLE t DROP CONSTRAINT a", "dropped")]
#[case::drop_table("DROP TABLE IF EXISTS s.t", "DROP VIEW v", "dropped")]
#[case::value(
    "ALTER TYPE e ADD VALUE 'b'; UPDATE t SET a = 'b' WHERE a = 'a'",
    "ALTER TYPE e ADD VALUE 'b'; UPDATE t SET a = 'c' WHERE a = 'a'",
    "enum-value-used-at-once"
)]
#[case::materialized_view(
    "CREATE INDEX ON v (a)",
    "CREATE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT 1 AS a; CREATE INDEX ON v (a)",
    "index-not-concurrent"
)]
#[case::select_into(
    "INSERT INTO u SELECT * FROM x; CREATE INDEX ON u (a)",
    "SELECT a, (b) INTO UNLOGGED TABLE u FROM t; CREATE INDEX ON u (a); WITH x AS (SELECT 1) SELECT a INTO w FROM x; CREATE INDEX ON w (a)",
    "index-not-concurrent"
)]
#[case::with_its_schema(
    "CREATE SCHEMA app; CREATE INDEX ON app.acc (a)",
    "CREATE SCHEMA app CREATE TABLE acc (a int) CREATE TABLE app.b (c int); CREATE INDEX ON app.acc (a); CREATE INDEX ON app.b (c)",
    "index-not-concurrent"
)]
#[case::with_its_owner(
    "CREATE INDEX ON acc (a)",
    "CREATE SCHEMA IF NOT EXISTS AUTHORIZATION app CREATE UNLOGGED TABLE acc (a int); CREATE INDEX ON app.acc (a)",
    "index-not-concurrent"
)]
#[case::under_its_new_name(
    "CREATE INDEX ON big (a)",
    "CREATE TABLE big_new (a int); ALTER TABLE big_new RENAME TO big; CREATE INDEX ON big (a)",
    "index-not-concurrent"
)]
#[case::column_named_as_a_type(
    "ALTER TABLE t ADD COLUMN a serial8",
    "ALTER TABLE t ADD COLUMN IF NOT EXISTS serial varchar(64), ADD random int DEFAULT 0, ADD generated text, ADD \"default\" text",
    "volatile-default"
)]
#[case::not_enforced(
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) ENFORCED",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT ENFORCED, ADD FOREIGN KEY (a) REFERENCES u (id) NOT ENFORCED",
    "constraint-not-validated-apart"
)]
#[case::column_named_valid(
    "ALTER TABLE t ADD CHECK (NOT valid)",
    "ALTER TABLE t ADD CHECK (NOT valid) NOT VALID",
    "constraint-not-validated-apart"
)]
#[case::not_null_constraint(
    "ALTER TABLE t ADD CONSTRAINT n NOT NULL a",
    "ALTER TABLE t ADD CONSTRAINT n NOT NULL a NOT VALID",
    "set-not-null"
)]
#[case::not_null_constraint_without_name(
    "ALTER TABLE t ADD NOT NULL a",
    "ALTER TABLE t ADD NOT NULL a NOT VALID",
    "set-not-null"
)]
#[case::delete("DELETE FROM t", "DELETE FROM t WHERE a = 1", "rows-without-where")]
#[case::update("UPDATE t SET a = 'where'", "CREATE TEMP TABLE t (a int); UPDATE t SET a = 1", "rows-without-where")]
fn each_rule_sees_the_bad_and_leaves_the_good(#[case] bad: &str, #[case] good: &str, #[case] code: &str) {
    assert_eq!(codes_of(bad), [code]);
    assert_eq!(codes_of(good), [""; 0]);
}

#[rstest]
#[case::missing("ALTER TABLE t DROP COLUMN a; DROP TABLE u", 1)]
#[case::set_local("SET LOCAL lock_timeout = '2s'; ALTER TABLE t DROP COLUMN a", 0)]
#[case::set("SET lock_timeout TO '2s'; ALTER TABLE t DROP COLUMN a", 0)]
#[case::by_function("SELECT set_config('lock_timeout', '2s', true); ALTER TABLE t DROP COLUMN a", 0)]
#[case::too_late("ALTER TABLE t DROP COLUMN a; SET LOCAL lock_timeout = '2s'", 1)]
#[case::new_table("CREATE TABLE t (a int); ALTER TABLE t ALTER a SET NOT NULL", 0)]
fn a_lock_without_a_time_limit_is_reported_once_a_script(#[case] sql: &str, #[case] want: usize) {
    assert_eq!(linted(sql).iter().filter(|finding| finding.code == "lock-timeout-missing").count(), want);
}

#[test]
fn a_table_that_was_renamed_away_is_an_older_one() {
    let sql = "CREATE TABLE big_new (a int); ALTER TABLE big RENAME TO big_old; ALTER TABLE big_new RENAME TO big; \
        CREATE INDEX ON big (a); CREATE INDEX ON big_old (a)";
    let found = linted(sql).into_iter().filter(|finding| finding.code == "index-not-concurrent");
    assert_eq!(found.map(|finding| finding.aspect).collect::<Vec<_>>(), ["public.big_old/index"]);
}

#[rstest]
#[case::validated("ALTER TABLE t VALIDATE CONSTRAINT t_a_check", false)]
#[case::not_validated("SELECT 1", true)]
#[case::other("ALTER TABLE t VALIDATE CONSTRAINT t_b_check", true)]
#[case::dropped("ALTER TABLE t VALIDATE CONSTRAINT t_a_check; ALTER TABLE t DROP CONSTRAINT IF EXISTS t_a_check", true)]
fn set_not_null_relies_on_a_check_that_the_chain_validated(#[case] second: &str, #[case] is_reported: bool) {
    for check in ["CHECK (a IS NOT NULL)", "CONSTRAINT t_a_check CHECK ((a IS NOT NULL))"] {
        let texts = [
            &format!("ALTER TABLE t ADD {check} NOT VALID"),
            second,
            "ALTER TABLE public.t ALTER COLUMN a SET NOT NULL",
        ];
        let file =
            |(nth, sql): (usize, &&str)| File { path: format!("{nth}_a.up.sql"), bytes: sql.as_bytes().to_vec() };
        let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
        let files: Vec<File> = texts.iter().enumerate().map(file).collect();
        let found = lint(&chain(&files, Some(Tool::Sqlx)).unwrap());
        assert_eq!(found.iter().any(|finding| finding.code == "set-not-null"), is_reported, "{found:?}");
    }
}

#[test]
fn a_finding_names_file_line_statement_and_subject() {
    let found = linted("SET lock_timeout = '1s';\n\nALTER TABLE shop.\"Orders\"\n  DROP COLUMN a;");
    let finding = &found[0];
    assert_eq!((finding.place.position(), finding.place.object.as_str()), ("1_a.up.sql:3".to_owned(), "1"));
    assert_eq!(finding.excerpt, "ALTER TABLE shop.\"Orders\" DROP COLUMN a");
    assert_eq!(finding.aspect, "shop.Orders/drop");
}
