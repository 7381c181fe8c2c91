//! Proofs that numbers, days and addresses of people are replaced by their columns' names alone, within types, checks and keys.

use rstest::rstest;
use stagegate_data_act::sync::SyncError;
use stagegate_data_decide::sanitize::Rules;

use crate::{
    schema::Scratch,
    sync::{databases, replaced},
};

const PERSONAL: &str = include_str!("../../../fixtures/sync/personal.sql");

async fn two(major: u32, more: &str) -> (Scratch, Scratch) {
    let (from, to) = (Scratch::start(major).await, Scratch::start(major).await);
    from.run("postgres", "create database live").await;
    from.run("live", PERSONAL).await;
    from.run("live", more).await;
    to.run("postgres", "create database copy").await;
    (from, to)
}

#[rstest]
#[case::oldest(15)]
#[case::newest(18)]
#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_days_of_people_are_replaced_without_a_line_of_rules(#[case] major: u32) {
    let (from, to) = two(major, "").await;
    let report = replaced(&from, &to, Rules::of_no_file()).await.1.unwrap();
    let replaced: Vec<&str> =
        report.sanitised.iter().filter_map(|(name, _)| name.strip_prefix("public.guest.")).collect();
    assert_eq!(replaced.len(), 17, "{replaced:?}");
    assert!(report.searched.is_some_and(|values| values >= 1_000), "{report:?}");
    let (live, copy) = (from.server.connect("live").await.unwrap(), to.server.connect("copy").await.unwrap());
    for column in [
        "phone",
        "mobile",
        "ssn",
        "card_number",
        "salary",
        "wage",
        "birthdate",
        "date_of_birth",
        "latitude",
        "longitude",
        "ip",
        "mac",
        "reset_token",
    ] {
        let sql = format!("select id, {column}::text from guest where id <= 200 order by id");
        let of =
            |rows: Vec<tokio_postgres::Row>| rows.iter().map(|row| row.get::<_, Option<String>>(1)).collect::<Vec<_>>();
        let (before, after) = (of(live.query(&sql, &[]).await.unwrap()), of(copy.query(&sql, &[]).await.unwrap()));
        let same = before.iter().zip(&after).filter(|(one, other)| one == other).count();
        assert!(
            before.len() == 200 && same <= 4 && after.iter().all(Option::is_some),
            "{column}: {same} are as before"
        );
    }
    for sql in [
        "select count(*) from guest where birth_year is null",
        "select count(*) from guest where id > 200 or length(phone::text) = 12 and length(ssn::text) = 9 and length(card_number::text) = 16",
        "select count(*) from guest join call using (phone)",
        "select count(*) from guest join visit using (phone) where guest.birthdate = visit.birthdate and guest.salary = visit.salary or visit.salary is null",
        "select count(*) from guest where id > 200 or phones[1] = phone and phones[2] is null and cardinality(ips) = 1 and ips[1] << '2001:db8::/32'",
        "select count(*) from guest where id > 200 or ip << '240.0.0.0/4'",
        "select count(distinct phone) from phones",
    ] {
        let rows: i64 = copy.query_one(sql, &[]).await.unwrap().get(0);
        assert_eq!(rows, if sql.contains("visit") { 200 } else { 201 }, "{sql}");
    }
    let odd =
        "select format('%s %s %s %s %s', phone, mobile, salary, birthdate, date_of_birth) from guest where id = 201";
    let odd: String = copy.query_one(odd, &[]).await.unwrap().get(0);
    assert_eq!(odd, "0 NaN Infinity infinity -infinity");
    let kept = "select sum(visits), min(created_at)::date::text, max(share)::text from guest";
    let (one, other) = (live.query_one(kept, &[]).await.unwrap(), copy.query_one(kept, &[]).await.unwrap());
    assert_eq!(
        (one.get::<_, i64>(0), one.get::<_, String>(1), one.get::<_, String>(2)),
        (other.get(0), other.get(1), other.get(2))
    );
}

#[rstest]
#[case::a_comment_in_the_schema("comment on table visit is 'first seen with card 4111111111110007.'", "the schema")]
#[case::a_text(
    "create table note (t text); insert into note select 'call ' || phone || ' back' from guest where id = 7",
    "table public.note"
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_long_number_that_got_elsewhere_stops_the_sync(#[case] sql: &str, #[case] place: &str) {
    let (from, to) = two(17, sql).await;
    let rules = "[databases.main.\"public.note\"]\nt = { rule = \"keep\", reason = \"texts of ours\" }";
    let rules = if sql.contains("note") { Rules::parse(rules, "main").unwrap() } else { Rules::of_no_file() };
    let error = replaced(&from, &to, rules).await.1.unwrap_err();
    let SyncError::Leak { found } = &error else { panic!("{error}") };
    assert!(found.iter().all(|found| found.place == place), "{error}");
    assert_eq!(databases(&to).await, ["copy", "postgres"]);
}

#[rstest]
#[case::a_check_of_ours(
    "create function odd(bigint) returns boolean immutable language sql as 'select $1 % 2 = 1'; \
     create table t (phone bigint check (odd(phone)))",
    "public.t.phone: rule `number`: numbers that satisfy its checks are not known"
)]
#[case::values_of_cards(
    "create table t (ref numeric); insert into t select 4111111111111111 from generate_series(1, 30)",
    "no sanitisation rule for public.t.ref (numeric)"
)]
#[case::a_comment(
    "create table t (c bigint); comment on column t.c is 'Phone number'",
    "no sanitisation rule for public.t.c (int8)"
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_a_person_that_no_rule_fits_stops_the_sync_before_a_byte_is_copied(
    #[case] sql: &str,
    #[case] want: &str,
) {
    let (from, to) = two(17, sql).await;
    let error = replaced(&from, &to, Rules::of_no_file()).await.1.unwrap_err();
    assert!(matches!(error, SyncError::Refused { .. }) && error.to_string().contains(want), "{error}");
    assert_eq!(databases(&to).await, ["copy", "postgres"]);
}

/// A table of partitions of partitions, one of which came later and has its columns in another order, with an index on an expression.
const PARTITIONED: &str = "
    create table event (id bigint not null, at date not null, kind int not null, note text, mail text) partition by range (at);
    create table event_2025 partition of event for values from ('2025-01-01') to ('2026-01-01') partition by list (kind);
    create table event_2025_1 partition of event_2025 for values in (1);
    create table event_2025_rest partition of event_2025 default;
    create table event_2026 (mail text, note text, kind int not null, at date not null, id bigint not null);
    alter table event attach partition event_2026 for values from ('2026-01-01') to ('2027-01-01');
    insert into event select i, date '2025-06-01' + i, i % 3, 'canarynote ' || i, 'Canary.' || i || '@corp.example' from generate_series(1, 400) i;
    create unique index on event (at, kind, lower(mail)) where note is not null;
    create table seen (id int primary key, at date, mail text);
    insert into seen select i, date '2025-06-01' + i, 'x' from generate_series(1, 10) i;
";
const RULES_OF_PARTITIONS: &str = "[databases.main.\"public.event\"]\nnote = \"text\"\nmail = \"email\"\n\
    [databases.main.\"public.seen\"]\nmail = \"hash\"\n";

#[rstest]
#[case::oldest(15)]
#[case::newest(18)]
#[tokio::test(flavor = "multi_thread")]
async fn one_rule_of_a_partitioned_table_is_that_of_all_its_partitions(#[case] major: u32) {
    let (from, to) = two(major, PARTITIONED).await;
    let report = replaced(&from, &to, Rules::parse(RULES_OF_PARTITIONS, "main").unwrap()).await.1.unwrap();
    let of = |name: &str| report.sanitised.iter().filter(|(column, _)| column.starts_with(name)).count();
    assert_eq!((of("public.event_2025_1."), of("public.event_2025_rest."), of("public.event_2026.")), (2, 2, 2));
    let copy = to.server.connect("copy").await.unwrap();
    let sql = "select count(*) from event where mail ~ '^user-[0-9a-f]+@example.test$' and note !~ 'canary'";
    assert_eq!(copy.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 400);
}

#[rstest]
#[case::a_key(
    "at = \"date-shift\"",
    "",
    "public.event_2026.at: rule `date-shift`, and the column is part of the partition key of public.event"
)]
#[case::a_key_of_a_partition(
    "kind = \"hash\"",
    "",
    "public.event_2025_1.kind: rule `hash`, and the column is part of the partition key of public.event_2025"
)]
#[case::an_expression(
    "",
    "create unique index on seen (left(mail, 5), id)",
    "public.seen.mail: rule `hash`, and a unique index has the expression"
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_a_key_refuses_is_refused_before_a_byte_is_copied(
    #[case] rule: &str,
    #[case] sql: &str,
    #[case] want: &str,
) {
    let (from, to) = two(17, &format!("{PARTITIONED}; {sql}")).await;
    let rules = RULES_OF_PARTITIONS.replacen("note =", &format!("{rule}\nnote ="), 1);
    let error = replaced(&from, &to, Rules::parse(&rules, "main").unwrap()).await.1.unwrap_err();
    assert!(matches!(error, SyncError::Refused { .. }) && error.to_string().contains(want), "{error}");
    assert_eq!(databases(&to).await, ["copy", "postgres"]);
}
