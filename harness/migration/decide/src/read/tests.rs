use rstest::rstest;

use stagegate_base::record::Severity;

use super::{super::Transaction, *};

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
}

pub(super) fn read(tool: Option<Tool>, files: &[(&str, &str)]) -> Chain {
    let files: Vec<File> = files.iter().map(|(path, text)| file(path, text)).collect();
    chain(&files, tool).unwrap()
}

/// Returns the code and the file of each finding.
pub(super) fn codes_of_files(chain: &Chain) -> Vec<String> {
    let one = |finding: &Finding| format!("{} {}", finding.code, finding.place.file.as_deref().unwrap_or_default());
    chain.findings.iter().map(one).collect()
}

fn labels(chain: &Chain) -> Vec<String> {
    chain.migrations.iter().map(Migration::label).collect()
}

fn codes(chain: &Chain) -> Vec<&str> {
    let mut found: Vec<&str> = chain.findings.iter().map(|finding| &*finding.code).collect();
    found.dedup();
    found
}

const UP: &str = "CREATE TABLE t (a int);";
const DOWN: &str = "DROP TABLE t;";

#[rstest]
#[case::sqitch(&[("sqitch.plan", "%project=x\na 2024 b <c>"), ("deploy/a.sql", UP), ("revert/a.sql", DOWN)], Tool::Sqitch)]
#[case::goose(&[("001_a.sql", "-- +goose UP\nSELECT f();")], Tool::Goose)]
#[case::dbmate(&[("001_a.sql", "-- migrate:up\nSELECT f();\n-- migrate:down\n")], Tool::Dbmate)]
#[case::diesel(&[("2024-01-31-1200_a/up.sql", UP), ("2024-01-31-1200_a/down.sql", DOWN)], Tool::Diesel)]
#[case::flyway(&[("V1__a.sql", UP), ("R__v.sql", UP)], Tool::Flyway)]
#[case::refinery(&[("V1__a.sql", UP), ("mod.rs", "")], Tool::Refinery)]
#[case::sqlx(&[("20240131120000_a.up.sql", UP), ("20240131120000_a.down.sql", DOWN)], Tool::Sqlx)]
#[case::sqlx_marked(&[("1_a.sql", "-- no-transaction\nVACUUM;")], Tool::Sqlx)]
#[case::golang_migrate(&[("000001_a.up.sql", UP), ("000001_a.down.sql", DOWN)], Tool::GolangMigrate)]
#[case::golang_migrate_and_a_rollback(&[("000001_a.up.sql", UP), ("000001_a.down.sql", DOWN), ("000001_a.rollback.sql", DOWN)],
    Tool::GolangMigrate)]
#[case::golang_migrate_begins(&[("20240131120000_a.up.sql", "BEGIN;\nSELECT f();\nCOMMIT;")], Tool::GolangMigrate)]
#[case::plain(&[("001_a.up.sql", UP), ("001_a.down.sql", DOWN)], Tool::Plain)]
fn names_and_marks_report_the_tool(#[case] files: &[(&str, &str)], #[case] want: Tool) {
    assert_eq!(read(None, files).tool, want);
}

#[test]
fn a_folder_without_migrations_is_an_error_that_states_what_is_there() {
    let error = chain(&[file("README.md", ""), file(".hidden.sql", "")], None).unwrap_err().to_string();
    assert!(error.contains("(1 file: README.md)"), "{error}");
}

#[rstest]
#[case::sqlx(Tool::Sqlx, &["10_b.sql", "9_a.sql"], &["9_a", "10_b"])]
#[case::golang(Tool::GolangMigrate, &["10_b.up.sql", "9_a.up.sql"], &["9_a", "10_b"])]
#[case::goose(Tool::Goose, &["10_b.sql", "00009_a.sql"], &["00009_a", "10_b"])]
#[case::dbmate_by_name(Tool::Dbmate, &["10_b.sql", "9_a.sql"], &["10_b", "9_a"])]
#[case::diesel_as_text(Tool::Diesel, &["2020-01-02-000000_b/up.sql", "20200101000000_a/up.sql"],
    &["20200101000000_a", "20200102000000_b"])]
#[case::refinery(Tool::Refinery, &["V10__b.sql", "sub/V9__a.sql"], &["9_a", "10_b"])]
#[case::flyway_by_parts(Tool::Flyway, &["V1.10__c.sql", "V1_9__b.sql", "V1__a.sql", "R__z.sql"], &["1_a", "1_9_b", "1.10_c", "z"])]
#[case::plain(Tool::Plain, &["10_b.up.sql", "9_a.up.sql", "setup.sql"], &["9_a", "10_b", "setup"])]
fn migrations_come_in_the_order_of_their_tool(#[case] tool: Tool, #[case] names: &[&str], #[case] want: &[&str]) {
    let text = "-- migrate:up\n-- +goose Up\nSELECT f();\n";
    let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, text)).collect();
    assert_eq!(labels(&read(Some(tool), &files)), want);
}

#[test]
fn an_up_and_a_down_of_one_version_belong_together_whatever_their_names() {
    let found = read(Some(Tool::GolangMigrate), &[("1_add.up.sql", UP), ("1_remove.down.sql", DOWN)]);
    assert!(found.migrations[0].usable_down().is_some());
    assert_eq!(codes(&found), [""; 0]);
}

#[test]
fn a_migration_that_does_nothing_in_both_directions_is_no_finding() {
    let files =
        [("1_a.up.sql", "SELECT 1;"), ("1_a.down.sql", "-- nothing\n"), ("2_b.up.sql", UP), ("2_b.down.sql", "")];
    let found = read(Some(Tool::GolangMigrate), &files);
    assert!(found.migrations[0].is_placeholder() && !found.migrations[1].is_placeholder());
    assert_eq!(codes(&found), ["down-empty"], "only of the one that does something");
}

#[test]
fn goose_cuts_at_lines_that_end_in_a_semicolon_and_keeps_blocks_whole() {
    let text = "-- +goose NO TRANSACTION\n-- +goose up\nSELECT f(); SELECT g();\nSELECT ';'\n  ;  -- end\n-- +goose StatementBegin\nDO $$ BEGIN\nPERFORM 1;\nEND $$\n-- +goose StatementEnd\n-- +goose Down\nDROP TABLE t;\n";
    let found = read(None, &[("1_a.sql", text)]);
    let up = &found.migrations[0].up;
    let batches: Vec<&str> = up.batches.iter().map(|range| up.text[range.clone()].trim()).collect();
    let block = "DO $$ BEGIN\nPERFORM 1;\nEND $$";
    assert_eq!(batches, ["SELECT f(); SELECT g();", "SELECT ';'\n  ;  -- end", block]);
    assert_eq!(up.statements.iter().map(|found| found.line).collect::<Vec<_>>(), [3, 3, 4, 7]);
    assert_eq!(up.transaction, Transaction::Bare);
    let down = found.migrations[0].down.as_ref().unwrap();
    assert_eq!((down.statements[0].line, down.text_of(&down.statements[0])), (12, "DROP TABLE t"));
    assert_eq!(codes(&found), [""; 0]);
}

#[rstest]
#[case::no_up("SELECT 1;\n", "expected a line `-- +goose Up`", 1)]
#[case::no_semicolon("-- +goose Up\nSELECT f()\n-- +goose Down\nSELECT g();\n", "no line ends with", 2)]
#[case::no_end("-- +goose Up\n-- +goose StatementBegin\nSELECT f();\n", "has no `-- +goose StatementEnd`", 2)]
#[case::twice("-- +goose Up\nSELECT f();\n-- +goose Up\n", "occurs twice", 3)]
#[case::upper("-- +GOOSE Up\nSELECT f();\n", "a statement comes before", 2)]
#[case::indented(" -- +goose Up\nSELECT f();\n", "at the beginning of the line", 1)]
#[case::byte_order_mark("\u{feff}-- +goose Up\nSELECT f();\n", "a statement comes before", 1)]
#[case::other_words("-- about this +goose Up\n-- +goose Up\nSELECT f();\n", "one of goose's words", 1)]
#[case::end_alone("-- +goose Up\nSELECT f();\n-- +goose StatementEnd\n", "has no `-- +goose StatementBegin`", 3)]
#[case::nothing_in_front_of_up("SELECT f();\n-- +goose Up\n", "a statement comes before", 1)]
#[case::begin_first("-- +goose StatementBegin\n-- +goose Up\nSELECT f();\n", "or before `-- +goose Up`", 1)]
fn wrong_marks_of_goose_are_reported_with_their_line(#[case] text: &str, #[case] want: &str, #[case] line: usize) {
    let found = read(Some(Tool::Goose), &[("1_a.sql", text)]);
    let reported: Vec<_> = found.findings.iter().filter(|finding| finding.code == "bad-annotation").collect();
    assert!(reported.iter().any(|finding| finding.found.contains(want) && finding.place.line == line), "{reported:?}");
}

#[test]
fn a_step_in_go_keeps_its_place_and_is_reported() {
    let found = read(
        None,
        &[
            ("1_a.sql", "-- +goose Up\nSELECT f();\n-- +goose Down\nSELECT g();"),
            ("2_b.go", ""),
            ("2_b_test.go", ""),
            ("helper.go", ""),
        ],
    );
    assert_eq!(labels(&found), ["1_a", "2_b"]);
    assert!(matches!(found.migrations[1].up.route(), super::super::Route::Unreadable(_)));
    assert_eq!(codes(&found), ["foreign-step"]);
}

#[test]
fn without_a_tool_two_names_of_one_number_are_one_migration_and_two_names_without_are_not() {
    let found = read(
        Some(Tool::Plain),
        &[("7_inputs.up.sql", UP), ("7_input.down.sql", DOWN), ("b.up.sql", UP), ("c.down.sql", DOWN)],
    );
    assert_eq!((labels(&found).join(" "), codes(&found).contains(&"down-without-up")), ("7_inputs b".to_owned(), true));
    assert_eq!(found.migrations[0].down.as_ref().unwrap().file, "7_input.down.sql");
}

#[rstest]
#[case::golang_migrate(Tool::GolangMigrate)]
#[case::plain(Tool::Plain)]
fn a_direction_in_go_keeps_its_place_between_scripts(#[case] tool: Tool) {
    let names = ["1_a.up.sql", "1_a.down.sql", "2_b.up.go", "2_b.down.sql", "3_c.up.go", "3_c.down.go", "3_c_test.go"];
    let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, UP)).collect();
    let found = read(Some(tool), &files);
    assert_eq!(labels(&found), ["1_a", "2_b", "3_c"]);
    assert_eq!((codes(&found), found.findings.len()), (vec!["foreign-step"], 3));
    let second = &found.migrations[1];
    assert!(matches!(second.up.route(), super::super::Route::Unreadable(_)));
    assert_eq!(second.down.as_ref().unwrap().file, "2_b.down.sql");
}

#[test]
fn dbmate_takes_options_and_lines_from_its_marks() {
    let text = "-- a comment\n-- migrate:up transaction:false\nVACUUM t;\n\n--migrate:down\nSELECT f();\n";
    let found = read(None, &[("001_a.sql", text)]);
    let migration = &found.migrations[0];
    assert_eq!((migration.up.transaction, migration.up.statements[0].line), (Transaction::Bare, 3));
    let down = migration.down.as_ref().unwrap();
    assert_eq!((down.transaction, down.statements[0].line), (Transaction::Wrapped, 6));
}

#[rstest]
#[case::missing(None, "down-missing")]
#[case::empty(Some(""), "down-empty")]
#[case::comment(Some("-- nothing ; to do\n;;"), "down-empty")]
#[case::constant(Some("BEGIN; SELECT 1; COMMIT;"), "down-empty")]
fn a_way_back_that_does_nothing_is_reported(#[case] down: Option<&str>, #[case] want: &str) {
    let mut files = vec![("1_a.up.sql", UP), ("2_b.up.sql", UP), ("2_b.down.sql", DOWN)];
    files.extend(down.map(|text| ("1_a.down.sql", text)));
    let found = read(Some(Tool::GolangMigrate), &files);
    let reported = &found.findings[0];
    assert_eq!((&*reported.code, reported.place.object.as_str()), (want, "1"));
    assert_eq!(found.migrations.iter().filter(|migration| migration.usable_down().is_none()).count(), 1);
}

#[rstest]
#[case::sqlx(Tool::Sqlx, &["1_a.sql", "2_b.sql"], Some(Severity::Warning))]
#[case::golang_migrate(Tool::GolangMigrate, &["1_a.up.sql", "2_b.up.sql"], Some(Severity::Warning))]
#[case::goose(Tool::Goose, &["1_a.sql"], Some(Severity::Warning))]
#[case::flyway(Tool::Flyway, &["V1__a.sql", "R__b.sql"], Some(Severity::Warning))]
#[case::plain(Tool::Plain, &["a.sql", "b.sql"], Some(Severity::Warning))]
#[case::refinery(Tool::Refinery, &["V1__a.sql", "V2__b.sql"], Some(Severity::Warning))]
#[case::prisma(Tool::Prisma, &["1_a/migration.sql"], None)]
#[case::dbmate_refuses_it(Tool::Dbmate, &["1_a.sql", "2_b.sql"], Some(Severity::Required))]
#[case::one_has_one(Tool::GolangMigrate, &["1_a.up.sql", "2_b.up.sql", "2_b.down.sql"], Some(Severity::Required))]
fn a_project_that_writes_no_down_migrations_is_not_stopped_for_it(
    #[case] tool: Tool,
    #[case] names: &[&str],
    #[case] want: Option<Severity>,
) {
    let text = match tool {
        Tool::Goose => "-- +goose Up\nSELECT f();",
        Tool::Dbmate => "-- migrate:up\nSELECT f();",
        _ => UP,
    };
    let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, text)).collect();
    let found = read(Some(tool), &files);
    let reported: Vec<Severity> = found
        .findings
        .iter()
        .filter(|reported| reported.code == "down-missing")
        .map(|reported| reported.severity)
        .collect();
    assert_eq!(reported, Vec::from_iter(want), "{:?}", found.findings);
}

#[rstest]
#[case::duplicate(&["1_a.up.sql", "1_b.up.sql"], "duplicate-version")]
#[case::duplicate_with_zeros(&["01_a.up.sql", "1_b.up.sql"], "duplicate-version")]
#[case::gap(&["1_a.up.sql", "2_b.up.sql", "3_c.up.sql", "4_d.up.sql", "5_e.up.sql", "7_f.up.sql"], "version-gap")]
#[case::alone(&["1_a.up.sql", "2_b.down.sql"], "down-without-up")]
#[case::ignored(&["1_a.up.sql", "seed.sql"], "ignored-file")]
fn versions_and_names_are_checked(#[case] names: &[&str], #[case] want: &str) {
    let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, UP)).collect();
    let found = read(Some(Tool::GolangMigrate), &files);
    assert!(codes(&found).contains(&want), "{:?}", codes(&found));
}

#[rstest]
#[case::latin(b"SELECT 'a';\nSELECT '\xe4';", "not-utf8", 2)]
#[case::utf16(b"\xff\xfeS\0", "not-utf8", 1)]
#[case::zero(b"SELECT 1;\n\0", "nul-byte", 2)]
#[case::mark(b"\xef\xbb\xbfSELECT f();", "byte-order-mark", 1)]
#[case::line_ends(b"SELECT f();\r\n", "carriage-returns", 1)]
#[case::psql(b"\nSELECT f();\n\\connect x\n", "meta-command", 3)]
#[case::copy(b"COPY t FROM STDIN;\n1\n\\.\n", "copy-data", 1)]
#[case::open(b"SELECT f();\n\nSELECT 'a", "unterminated", 3)]
#[case::begin(b"BEGIN;\nSELECT f();\nCOMMIT;", "transaction-in-transaction", 1)]
#[case::concurrently(b"CREATE INDEX CONCURRENTLY i ON t (a)", "concurrently-in-transaction", 1)]
#[case::vacuum(b"VACUUM", "outside-transaction", 1)]
#[case::no_transaction(b"-- no-transaction\nVACUUM;\nVACUUM;", "outside-transaction", 2)]
fn bad_bytes_and_statements_are_reported_with_their_line(#[case] text: &[u8], #[case] want: &str, #[case] line: usize) {
    let files = [File { path: "1_a.sql".to_owned(), bytes: text.to_vec() }];
    let found = chain(&files, Some(Tool::Sqlx)).unwrap();
    assert!(
        found.findings.iter().any(|reported| reported.code == want && reported.place.line == line),
        "{:?}",
        found.findings
    );
}

#[rstest]
#[case::marked_alone("-- no-transaction\nCREATE INDEX CONCURRENTLY i ON t (a);")]
#[case::savepoint("SAVEPOINT a; SELECT f(); ROLLBACK TO a;")]
#[case::words_in_strings("SELECT f('BEGIN; COMMIT;', $$ VACUUM; $$);")]
fn what_the_tool_can_run_is_not_reported(#[case] text: &str) {
    let found = read(Some(Tool::Sqlx), &[("1_a.up.sql", text), ("1_a.down.sql", DOWN)]);
    assert_eq!(codes(&found), [""; 0]);
}

#[test]
fn diesel_leaves_the_transaction_out_where_its_metadata_state_so() {
    let found = read(
        None,
        &[
            ("1_a/up.sql", UP),
            ("1_a/down.sql", DOWN),
            ("1_a/metadata.toml", "run_in_transaction = false"),
            ("2_b/up.sql", UP),
            ("2_b/down.sql", DOWN),
        ],
    );
    let of = |at: usize| found.migrations[at].up.transaction;
    assert_eq!((of(0), of(1)), (Transaction::Bare, Transaction::Wrapped));
}

// Measured: sqlx 0.9 passes over `2_b.SQL`; goose, "migration IDs must be greater than zero".
#[rstest]
#[case::sqlx_ending(Tool::Sqlx, "2_b.SQL", "ignored-file")]
#[case::sqlx_number(Tool::Sqlx, "b_2.sql", "bad-name")]
#[case::goose_zero(Tool::Goose, "000_b.sql", "bad-name")]
fn a_name_is_refused_or_passed_over_as_by_the_tool(#[case] tool: Tool, #[case] name: &str, #[case] want: &str) {
    let text = "-- +goose Up\nSELECT f();\n-- +goose Down\nSELECT g();\n";
    let found = read(Some(tool), &[("1_a.sql", text), (name, text)]);
    let of_name = found.findings.iter().filter(|finding| finding.place.file.as_deref() == Some(name));
    assert!(of_name.clone().any(|finding| finding.code == want), "{:?}", of_name.collect::<Vec<_>>());
    assert_eq!(found.migrations.len(), 1);
}

#[test]
fn a_second_mark_of_dbmate_is_reported_with_its_line() {
    let text = "-- migrate:up\nSELECT f();\n-- migrate:up\nSELECT g();\n-- migrate:down\nSELECT h();\n";
    let found = read(Some(Tool::Dbmate), &[("1_a.sql", text)]);
    let reported: Vec<_> = found.findings.iter().map(|finding| (&*finding.code, finding.place.line)).collect();
    assert_eq!(reported, [("bad-annotation", 3)]);
}

// Measured with dbmate 2.37: "does not support statements preceding the '-- migrate:up' block".
#[rstest]
#[case::lines("-- about\n\n  -- this\n", None)]
#[case::block("-- about\n/* this */\n", Some(2))]
#[case::statement("SELECT f();\n", Some(1))]
fn dbmate_takes_lines_of_comments_before_its_mark(#[case] before: &str, #[case] want: Option<usize>) {
    let text = format!("{before}-- migrate:up\nSELECT f();\n-- migrate:down\nSELECT g();\n");
    let found = read(None, &[("1_a.sql", &text)]);
    let reported =
        found.findings.iter().find(|finding| finding.code == "bad-annotation").map(|finding| finding.place.line);
    assert_eq!((found.tool, reported), (Tool::Dbmate, want));
}

// Measured with diesel 2.3: "Attempted to run an empty migration" and "Received an empty query", in both directions.
#[rstest]
#[case::blank("\n", &["up-empty", "down-empty"])]
#[case::comment("-- nothing\n", &["up-empty", "down-empty"])]
#[case::constant("SELECT 1;\n", &[])]
fn a_script_without_a_statement_is_refused_by_diesel(#[case] text: &str, #[case] want: &[&str]) {
    let found = read(Some(Tool::Diesel), &[("1_a/up.sql", text), ("1_a/down.sql", text)]);
    let required = found.findings.iter().filter(|finding| finding.severity == Severity::Required);
    let codes: BTreeSet<&str> = required.map(|finding| &*finding.code).collect();
    assert_eq!(codes, want.iter().copied().collect());
}

#[test]
fn checksums_are_those_of_the_tools() {
    let sqlx = read(Some(Tool::Sqlx), &[("1_a.sql", "abc")]);
    // Source: FIPS 180-4, the example of SHA-384 over `abc`.
    let sum = sqlx.migrations[0].checksum.as_deref().unwrap();
    assert!(sum.starts_with("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"), "{sum}");
}

#[test]
fn a_file_of_many_megabytes_is_reported_and_read_whole() {
    let text = format!("-- {}\nSELECT f();", "x".repeat(10 << 20));
    let found = read(Some(Tool::Sqlx), &[("1_a.sql", text.as_str())]);
    assert_eq!(found.migrations[0].up.statements[0].line, 2);
    assert!(codes(&found).contains(&"large-file"));
}

#[test]
fn statements_keep_their_place_in_a_long_script() {
    let row = "INSERT INTO t VALUES (1, 'it''s; a row', $$ ; $$); -- more\n";
    let found = read(Some(Tool::Sqlx), &[("1_a.sql", row.repeat(2_000).as_str())]);
    let up = &found.migrations[0].up;
    assert_eq!((up.statements.len(), up.statements[1_999].line), (2_000, 2_000));
    assert_eq!(up.statement_at(row.len() * 1_500 + 3).unwrap().line, 1_501);
}

#[rstest]
#[case::sqlx(Tool::Sqlx, true)]
#[case::golang_migrate(Tool::GolangMigrate, true)]
#[case::psql(Tool::Plain, false)]
fn a_byte_order_mark_is_sent_by_the_tools_that_send_it(#[case] tool: Tool, #[case] is_sent: bool) {
    let chain = read(Some(tool), &[("1_a.up.sql", "\u{feff}-- first\ncreate table a ();\n\u{feff}create table b ();")]);
    let up = &chain.migrations[0].up;
    let sent: Vec<bool> = up.statements.iter().map(|statement| up.text_of(statement).contains('\u{feff}')).collect();
    assert_eq!(sent, [is_sent, true], "one in the middle of a file is cut off by nobody");
}

#[rstest]
#[case::sqlx(Tool::Sqlx)]
#[case::golang_migrate(Tool::GolangMigrate)]
fn bytes_that_are_not_utf8_are_not_repaired(#[case] tool: Tool) {
    let file = |path: &str, bytes: &[u8]| File { path: path.to_owned(), bytes: bytes.to_vec() };
    let both = file("1_a.sql", b"-- +goose Up\nselect 1;\n-- +goose Down\nselect '\xff';\n");
    let goose = chain(&[both], Some(Tool::Goose)).unwrap();
    let down = goose.migrations[0].down.as_ref().unwrap();
    assert!(goose.migrations[0].up.not_utf8.is_none() && down.not_utf8.is_some());
    let files = [file("1_a.up.sql", b"select '\xef\xbf\xbd';"), file("2_b.up.sql", b"select '\xff';")];
    let chain = chain(&files, Some(tool)).unwrap();
    let found: Vec<Option<usize>> = chain.migrations.iter().map(|migration| migration.up.not_utf8).collect();
    assert_eq!(found, [None, Some(8)], "a replacement character of its own is text");
}
