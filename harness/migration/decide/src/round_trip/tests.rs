use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::{
    File, Migration, Route, chain,
    schema::{Difference, diff, parse},
};

const HEAD: &str = "# schema snapshot of stagegate, format 1\n";

fn facts(text: &str) -> crate::schema::Facts {
    parse(&format!("{HEAD}{text}")).unwrap()
}

fn differences(old: &str, new: &str) -> Vec<Difference> {
    diff(&facts(old), &facts(new))
}

fn migration(up: &str, down: &str) -> Migration {
    let file = |name: &str, text: &str| File { path: name.to_owned(), bytes: text.as_bytes().to_vec() };
    let files = [file("1_orders.up.sql", up), file("1_orders.down.sql", down)];
    chain(&files, None).unwrap().migrations.remove(0)
}

fn trip(down: Down) -> RoundTrip {
    RoundTrip {
        version: "1".to_owned(),
        label: "1_orders".to_owned(),
        route: Route::Session,
        up: None,
        down,
        left_open: Vec::new(),
        second_up: None,
        second_differs: Vec::new(),
        longest_stall: None,
        took: Duration::from_millis(3),
    }
}

fn failure(sqlstate: Option<&str>, message: &str) -> Failure {
    let migration = migration("create table orders (id int);\nselect nonsense;", "");
    Failure::of(&migration.up, migration.up.statements.get(1), sqlstate, message)
}

#[rstest]
#[case::syntax(Some("42601"), "syntax error at or near \"DELETE\"", FailureCause::Refused)]
#[case::limit(Some("57014"), "canceling statement due to statement timeout", FailureCause::TimedOut)]
#[case::extension(Some("0A000"), "extension \"postgis\" is not available", FailureCause::Unavailable)]
#[case::other_feature(Some("0A000"), "cannot alter type of a column used by a view or rule", FailureCause::Refused)]
#[case::right(Some("42501"), "permission denied to create extension", FailureCause::Unavailable)]
#[case::role(Some("42704"), "role \"app\" does not exist", FailureCause::Unavailable)]
#[case::other_object(Some("42704"), "type \"app\" does not exist", FailureCause::Refused)]
#[case::killed(Some("57P01"), "terminating connection due to administrator command", FailureCause::ServerGone)]
#[case::no_answer(None, "connection closed", FailureCause::ServerGone)]
fn a_refusal_is_reported_by_its_sqlstate(
    #[case] sqlstate: Option<&str>,
    #[case] message: &str,
    #[case] want: FailureCause,
) {
    assert_eq!(FailureCause::of(sqlstate, message), want);
}

#[rstest]
#[case::exact(trip(Down::Ran(Vec::new())), Verdict::Exact)]
#[case::error(trip(Down::Failed(failure(Some("42601"), "syntax error"))), Verdict::SqlError)]
#[case::gone(trip(Down::Failed(failure(None, "closed"))), Verdict::NotRun)]
#[case::none(trip(Down::NotUsable { is_there: false, left: Vec::new() }), Verdict::NoUsableDown)]
#[case::untried(trip(Down::NotTried("why".to_owned())), Verdict::NotRun)]
#[case::up(RoundTrip { up: Some(failure(Some("42601"), "x")), ..trip(Down::NotTried("why".to_owned())) }, Verdict::UpFails)]
#[case::extension(
    RoundTrip { up: Some(failure(Some("42501"), "x")), ..trip(Down::NotTried("why".to_owned())) }, Verdict::NotRun
)]
fn a_trip_is_judged_by_the_first_thing_that_went_wrong(#[case] trip: RoundTrip, #[case] want: Verdict) {
    assert_eq!(trip.verdict(), want);
}

const TABLE: &str = "[table public.orders]\n  [column public.orders.id]\n    type: bigint\n  \
    [column public.orders.note]\n    type: text\n";

#[rstest]
#[case::semantic(
    TABLE,
    "[table public.orders]\n  [column public.orders.id]\n    type: bigint\n",
    "schema-not-restored"
)]
#[case::enumeration(
    "[enum public.state]\n  values: 'a'\n",
    "[enum public.state]\n  values:\n    |'a'\n    |'b'\n",
    "enum-value-left"
)]
#[case::cosmetic(
    "[table public.orders]\n  [comment table public.orders]\n    text: a\n",
    "[table public.orders]\n  [comment table public.orders]\n    text: b\n",
    "cosmetic-residue"
)]
fn residue_is_classed(#[case] old: &str, #[case] new: &str, #[case] want: &str) {
    let found = of_round_trip(&trip(Down::Ran(differences(old, new))), &migration("select now();", "select now();"));
    assert_eq!(found.iter().map(|f| &*f.code).collect::<Vec<_>>(), [want]);
}

#[rstest]
#[case::fails(Some(failure(Some("42P07"), "relation \"zz\" already exists")), "", &["not-repeatable"])]
#[case::differs(None, "[table public.zz]\n", &["not-repeatable"])]
#[case::runs_again(None, "", &[])]
fn a_repeatable_migration_has_to_run_again_on_what_it_left(
    #[case] second_up: Option<Failure>,
    #[case] left: &str,
    #[case] want: &[&str],
) {
    let file = File { path: "R__zz.sql".to_owned(), bytes: b"CREATE VIEW zz AS SELECT f();".to_vec() };
    let migration = chain(&[file], None).unwrap().migrations.remove(0);
    let none = Down::NotUsable { is_there: false, left: Vec::new() };
    let found =
        of_round_trip(&RoundTrip { second_up, second_differs: differences("", left), ..trip(none) }, &migration);
    assert_eq!(found.iter().map(|finding| &*finding.code).collect::<Vec<_>>(), want);
    assert!(found.iter().all(|finding| finding.found.starts_with("run again, as after each change of its text: ")));
}

#[test]
fn residue_is_placed_at_the_statement_that_names_it() {
    let migration = migration(
        "alter table orders drop column note;",
        "-- back\nselect now();\nalter table orders add column notes text;\nalter table orders add column note text;",
    );
    let left = differences(TABLE, "[table public.orders]\n  [column public.orders.id]\n    type: bigint\n");
    let found = of_round_trip(&trip(Down::Ran(left)), &migration);
    assert_eq!(found[0].place.position(), "1_orders.down.sql:4");
    assert_eq!(found[0].found, "column public.orders.note is missing");
}

#[test]
fn a_refusal_names_file_line_and_statement() {
    let found = of_round_trip(
        &RoundTrip {
            up: Some(failure(Some("42703"), "column \"nonsense\" does not exist")),
            ..trip(Down::Ran(Vec::new()))
        },
        &migration("", ""),
    );
    assert_eq!(found.len(), 1);
    assert_eq!((&*found[0].code, found[0].place.position().as_str()), ("up-fails", "1_orders.up.sql:2"));
    assert_eq!(found[0].excerpt, "select nonsense");
    assert_eq!(found[0].found, "column \"nonsense\" does not exist (42703)");
}

#[test]
fn what_could_not_be_run_is_never_a_failure_of_the_migration() {
    let stopped = RoundTrip { up: Some(failure(Some("42501"), "permission denied")), ..trip(Down::Ran(Vec::new())) };
    assert_eq!(of_round_trip(&stopped, &migration("", ""))[0].code, "not-run");
}

#[test]
fn migrations_that_were_not_tried_for_one_reason_are_reported_together() {
    let file = |name: &str| File { path: name.to_owned(), bytes: b"select now();".to_vec() };
    let names = ["1_a.up.sql", "1_a.down.sql", "2_b.up.sql", "2_b.down.sql", "3_c.up.sql", "3_c.down.sql"];
    let chain = chain(&names.map(file), None).unwrap();
    let untried = || trip(Down::NotTried("the server ended".to_owned()));
    let found = findings(&chain, &[untried(), untried(), untried()], &Whole::default());
    let reported: Vec<&str> = found.iter().map(|finding| finding.found.as_str()).collect();
    assert_eq!(reported, ["the server ended", "2 more not tried for the same reason"]);
}

#[test]
fn the_books_of_the_tool_are_no_part_of_the_schema() {
    let history_tables = format!(
        "[table public.schema_migrations]\n  [column public.schema_migrations.version]\n    type: bigint\n{TABLE}"
    );
    assert!(diff(&facts(TABLE), &without_bookkeeping(facts(&history_tables), &["schema_migrations"])).is_empty());
    assert!(!diff(&facts(TABLE), &without_bookkeeping(facts(&history_tables), &["other"])).is_empty());
}

#[test]
fn a_summary_counts_each_verdict() {
    let round_trips = [trip(Down::Ran(Vec::new())), trip(Down::Failed(failure(Some("42601"), "x")))];
    assert_eq!(summary(&Counts::of(&round_trips)), "2 migrations: 1 exact, 1 SQL error");
}

#[test]
fn what_servers_showed_reads_as_a_page_of_markdown() {
    let file = |name: &str, text: &str| File { path: name.to_owned(), bytes: text.as_bytes().to_vec() };
    let files = [file("1_orders.up.sql", "create table orders (id int);"), file("1_orders.down.sql", "select 'a|b';")];
    let (chain, whole) = (chain(&files, None).unwrap(), Whole::default());
    let left = Down::Ran(differences("", "[table public.orders]\n"));
    let report = |server: &str, down: Down| {
        let round_trips = [trip(down)];
        Report::new(&chain, server, &round_trips, &whole, findings(&chain, &round_trips, &whole))
    };
    let reports = [report("PostgreSQL 15 from `a`", left), report("PostgreSQL 17", Down::Ran(Vec::new()))];
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        let least = Some("the minimum major version is 15 for up and 15 for down");
        insta::assert_snapshot!("round_trip_markdown", merged("db/migrations", &reports, least).markdown());
    });
}
