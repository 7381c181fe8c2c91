use std::time::Duration;

use rstest::rstest;

use super::*;

fn end(environment: &str, database: &str) -> End {
    let (environment, database) = (environment.to_owned(), database.to_owned());
    End { environment, database, cluster: "7".to_owned(), version: 170_005, ..End::default() }
}

fn ends(change: impl Fn(&mut End, &mut End)) -> Vec<String> {
    let (mut source, mut target) = (end("production", "shop"), end("staging", "shop_staging"));
    change(&mut source, &mut target);
    Ends { source, target }.refusals()
}

#[test]
fn two_databases_of_one_server_may_be_synchronised_and_one_with_itself_may_not() {
    assert_eq!(ends(|_, _| {}), Vec::<String>::new());
    let refused = ends(|_, target| target.database = "shop".to_owned());
    assert_eq!(refused.len(), 1);
    assert!(refused[0].contains("nothing can be copied onto itself"), "{refused:?}");
}

#[rstest]
#[case::too_old(&|from: &mut End, to: &mut End| { from.version = 130_002; to.version = 130_002 }, "PostgreSQL 13")]
#[case::older_target(&|_: &mut End, to: &mut End| to.version = 150_001, "only 15")]
#[case::role(&|from: &mut End, _: &mut End| from.roles.push("r\"x".to_owned()), "create role \"r\"\"x\"")]
#[case::extension(&|from: &mut End, _: &mut End| from.extensions.push(("postgis".to_owned(), "3.4".to_owned())), "`postgis` 3.4")]
#[case::row_security(&|from: &mut End, _: &mut End| from.hidden.push("app.users".to_owned()), "BYPASSRLS")]
fn what_would_fail_later_is_refused_before_anything_is_copied(
    #[case] change: &dyn Fn(&mut End, &mut End),
    #[case] want: &str,
) {
    let refused = ends(change);
    assert!(refused.iter().any(|reason| reason.contains(want)), "{refused:?}");
}

fn table(name: &str, blocks: u64) -> Table {
    let column = Column { name: "id".to_owned(), is_portable: true, is_hashable: true, ..Column::default() };
    let (schema, name) = ("public".to_owned(), name.to_owned());
    Table { schema, name, blocks, has_blocks: true, columns: vec![column], ..Table::default() }
}

#[test]
fn a_table_that_would_hold_one_worker_up_is_cut_into_ranges_and_the_largest_work_comes_first() {
    let tables = [table("small", 10), table("large", 100_000), table("middle", 20_000)];
    let jobs = jobs(&tables, 2);
    let of = |index: usize| jobs.iter().filter(move |job| job.table == index);
    assert_eq!((of(0).count(), of(1).count(), of(2).count()), (1, 13, 1));
    assert!(of(1).all(|job| !job.is_alone) && of(2).all(|job| job.is_alone && job.ranges.len() == 3));
    assert_eq!(jobs[0].table, 2);
    let read: u64 = of(1).map(|job| job.blocks).sum();
    assert_eq!(read, 100_000);
    assert_eq!(
        of(1).filter(|job| matches!(job.ranges[0], Range::Blocks { to: None, .. })).count(),
        1,
        "one range is open at the end"
    );
}

#[test]
fn statements_name_each_column_and_quote_every_name() {
    let mut one = table("a\"b", 3);
    assert_eq!(one.copy_out(None), "copy \"public\".\"a\"\"b\" (\"id\") to stdout (format binary)");
    assert_eq!(
        one.copy_out(Some(&Range::Blocks { from: 8, to: Some(16) })),
        "copy (select \"id\" from only \"public\".\"a\"\"b\" where ctid >= '(8,0)'::tid and ctid < '(16,0)'::tid) to stdout \
         (format binary)"
    );
    one.columns[0].is_portable = false;
    assert_eq!(one.copy_in(true), "copy \"public\".\"a\"\"b\" (\"id\") from stdin (format text, freeze)");
    one.columns[0].is_hashable = false;
    assert!(one.check(true).contains("row(\"id\"::text collate \"C\")"));
    one.columns[0].is_sanitised = true;
    assert!(one.check(true).contains("null::text from only"));
}

const SCRIPT: &str = r#"--
\restrict abc
SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
SET default_tablespace = '';
-- Name: a; Type: CONSTRAINT
ALTER TABLE ONLY public."A table"
    ADD CONSTRAINT a_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX "on; x" ON ONLY public."A table" USING btree (id);
SET default_tablespace = fast;
CREATE INDEX b ON public.b USING btree (lower('\restrict ;'::text));
SET default_tablespace = '';
CREATE RULE r AS ON UPDATE TO public.b DO INSTEAD (SELECT 1; SELECT 2);
CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION public.f();
ALTER TABLE ONLY public.b
    ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES public."A table"(id);
ALTER TABLE public.parts ADD CONSTRAINT fk2 FOREIGN KEY (a) REFERENCES public.b(id);
ALTER TABLE ONLY public.b ADD CONSTRAINT fk3 FOREIGN KEY (a) REFERENCES public.b(id) NOT VALID;
\unrestrict abc
"#;

#[test]
fn each_statement_of_the_section_is_in_one_phase() {
    let post = Post::read(SCRIPT);
    assert_eq!(post.settings, "SET statement_timeout = 0;\nSELECT pg_catalog.set_config('search_path', '', false);\n");
    assert_eq!(post.side_by_side(str::to_owned), [vec![0, 1], vec![2]]);
    assert_eq!(post.side_by_side(|_| "one family".to_owned()), [vec![0, 1, 2]]);
    assert_eq!((post.in_order(), post.last()), (vec![3, 5, 6, 7], vec![4]));
    let sql = |at: usize| post.statements[at].sql.as_str();
    assert!(sql(1).starts_with("CREATE UNIQUE INDEX \"on; x\""), "{}", sql(1));
    assert!(sql(2).starts_with("SET default_tablespace = fast;\nCREATE INDEX b"), "{}", sql(2));
    assert!(sql(3).ends_with("SELECT 2)") && sql(5).ends_with("(id) NOT VALID") && sql(6).ends_with("(id)"));
    assert_eq!(post.validations(), [vec!["alter table only public.b validate constraint fk".to_owned()]]);
}

fn types() -> Types {
    let facts = |name: &str, kind, element| TypeFacts {
        name: name.to_owned(),
        kind,
        base: if kind == 'd' { 20_001 } else { 0 },
        element,
        subtype: if kind == 'r' { 23 } else { 0 },
        has_binary: true,
        attributes: if kind == 'c' { vec![25] } else { Vec::new() },
    };
    let all = [
        (23, facts("int4", 'b', 0)),
        (25, facts("text", 'b', 0)),
        (1009, facts("_text", 'b', 25)),
        (2205, facts("regclass", 'b', 0)),
        (20_000, facts("mood", 'e', 0)),
        (20_001, facts("_mood", 'b', 20_000)),
        (20_002, facts("moods", 'd', 0)),
        (20_003, facts("address", 'c', 0)),
        (20_004, facts("span", 'r', 0)),
    ];
    Types(all.into_iter().collect())
}

#[rstest]
#[case::number(23, true, true, false)]
#[case::array_of_text(1009, true, true, true)]
#[case::object_id(2205, false, false, false)]
#[case::enumeration(20_000, true, false, false)]
#[case::array_of_own(20_001, false, false, false)]
#[case::domain_over_array_of_own(20_002, false, false, false)]
#[case::composite(20_003, false, false, true)]
#[case::own_range(20_004, true, false, false)]
#[case::unknown(9, false, false, true)]
fn what_is_bound_to_its_database_travels_as_text(
    #[case] oid: u32,
    #[case] portable: bool,
    #[case] hashable: bool,
    #[case] free_text: bool,
) {
    let types = types();
    assert_eq!((types.is_portable(oid), types.is_hashable(oid)), (portable, hashable));
    assert_eq!(types.is_free_text(oid), free_text);
}

#[test]
fn a_rate_spreads_what_is_read_and_makes_up_for_no_pause() {
    let (pace, second) = (Pace { bytes: 1_000 }, Duration::from_secs);
    assert_eq!(pace.after(second(0), second(0), 500), Duration::from_millis(500));
    assert_eq!(pace.after(Duration::from_millis(500), second(0), 500), second(1), "of two sessions together");
    assert_eq!(pace.after(second(1), second(9), 1_000), second(10), "eight idle seconds allow no burst");
    assert_eq!(Pace { bytes: 1 }.after(second(0), second(0), u64::MAX), Duration::from_nanos(u64::MAX));
}

#[rstest]
#[case::full("write public.t", "ERROR 53100: could not extend file", "disk of the target's server is full")]
#[case::dropped("read public.t", "ERROR 42P01: relation does not exist", "dropped or renamed")]
#[case::locked("read public.t", "ERROR 55P03: canceling statement due to lock timeout", "`lock_timeout` of [sync]")]
#[case::shut_down("read public.t", "FATAL 57P01: terminating connection", "ended the session")]
#[case::gone("read public.t", "connection closed", "ended the session")]
#[case::cut("read public.t", "error communicating with the server: broken pipe: it ended", "ended the session")]
fn an_error_that_ends_a_sync_names_what_to_do(#[case] what: &str, #[case] reason: &str, #[case] want: &str) {
    assert!(hint(what, reason).is_some_and(|hint| hint.contains(want)), "{:?}", hint(what, reason));
}

#[test]
fn an_error_that_is_known_only_by_its_words_gets_no_advice() {
    assert_eq!(hint("create index a on b", "ERROR 42P01: relation does not exist"), None);
    assert_eq!(hint("write public.t", "ERROR 22P02: invalid input syntax: \"a\""), None);
}
