use std::time::Duration;

use rstest::rstest;

use super::*;

fn event(at: f64, tag: &str, locks: &[(&str, Mode)]) -> Event {
    let locks = locks.iter().map(|(table, mode)| ((*table).to_owned(), *mode)).collect();
    let (query, tag) = ("a; b".to_owned(), tag.to_owned());
    Event { pid: 1, query, tag, transaction: 10.0, message: 10.0, at, locks, ..Event::default() }
}

fn sizes(rows: u64) -> Sizes {
    [("t".to_owned(), rows)].into()
}

#[test]
fn a_lock_is_the_first_statements_that_took_it_and_time_is_counted_from_the_one_before() {
    let first = event(11.0, "ALTER TABLE", &[("t", Mode::AccessExclusive)]);
    let second = event(13.0, "CREATE INDEX", &[("t", Mode::Share), ("t", Mode::AccessExclusive)]);
    let found = statements(&[first, second]);
    assert_eq!(found[0].locks, [("t".to_owned(), Mode::AccessExclusive)]);
    assert_eq!(found[1].locks, [("t".to_owned(), Mode::Share)]);
    assert_eq!((found[1].nth, found[1].took), (1, Duration::from_secs(2)));
}

#[test]
fn a_time_is_stretched_to_the_targets_rows_and_an_unknown_target_counts_as_large() {
    let lock = [("t", Mode::AccessExclusive)];
    let after = |rows| statements(&[Event { lock_timeout: 1, rows, ..event(10.2, "ALTER TABLE", &lock) }]);
    let of = |rows: u64, copy: u64, target: &Sizes| {
        findings(&after(rows), &Samples::default(), &[], (&sizes(copy), target), &Thresholds::default())
    };
    let slow = of(2_000, 2_000, &sizes(100_000));
    assert_eq!(
        slow[0].message,
        "ALTER TABLE took 10.0 s under ACCESS EXCLUSIVE on t (100000 rows on the target); allowed: 2.0 s"
    );
    assert_eq!(of(2_000, 2_000, &sizes(20_000)), []);
    // What reads and writes no row takes as long on a table of any size.
    assert_eq!(of(0, 2_000, &sizes(1_000_000_000)), []);
    let observed = statements(&[event(10.2, "ALTER TABLE", &[("t", Mode::AccessExclusive)])]);
    let unknown = findings(&observed, &Samples::default(), &[], (&sizes(0), &Sizes::new()), &Thresholds::default());
    assert_eq!(unknown[0].trouble, HarmKind::NoLockTimeout);
}

#[test]
fn rows_are_those_of_the_statement_and_not_of_the_one_before_in_its_transaction() {
    let lock = [("t", Mode::Share)];
    let observed = statements(&[
        Event { rows: 5, ..event(10.2, "CREATE TABLE", &lock) },
        Event { rows: 5, ..event(10.3, "CREATE TABLE", &lock) },
        Event { rows: 6, ..event(10.4, "CREATE TABLE", &lock) },
        Event { rows: 6, transaction: 11.0, ..event(11.4, "CREATE TABLE", &lock) },
    ]);
    let touched: Vec<bool> = observed.iter().map(|statement| statement.has_touched_rows).collect();
    assert_eq!(touched, [true, false, true, true]);
}

#[test]
fn a_stall_is_the_last_statements_whose_lock_was_in_its_way() {
    let index = event(11.0, "CREATE INDEX", &[("t", Mode::Share)]);
    let request = |purpose| Request {
        table: "t".to_owned(),
        purpose,
        took: Duration::from_secs(1),
        ended: 11.1,
        error: None,
        count: 1,
    };
    let observed = statements(&[index]);
    let text_of = |request: Request| {
        findings(&observed, &Samples::default(), &[request], (&sizes(1), &sizes(1)), &Thresholds::default())
    };
    assert_eq!(text_of(request(Use::Write))[0].query, "a; b");
    assert_eq!(text_of(request(Use::Read))[0].query, "", "SHARE does not stop reads");
}

#[test]
fn a_transaction_holds_its_locks_until_its_end() {
    let lock = [("t", Mode::AccessExclusive)];
    let first = Event { lock_timeout: 1_000, ..event(10.1, "ALTER TABLE", &lock) };
    let last = Event { message: 13.0, ..event(13.5, "CREATE TABLE", &lock) };
    let observed = statements(&[first, last]);
    let found = findings(&observed, &Samples::default(), &[], (&sizes(8), &sizes(50_000)), &Thresholds::default());
    assert_eq!(
        found[0].message,
        "ALTER TABLE and the rest of its transaction took 3.5 s under ACCESS EXCLUSIVE on t (50000 rows on the \
         target); allowed: 2.0 s"
    );
}

#[rstest]
#[case::none(0, Some("with lock_timeout = 0:"))]
#[case::short(2_000, None)]
#[case::long(60_000, Some("with lock_timeout = 60.0 s (allowed: 10.0 s):"))]
fn a_lock_timeout_that_is_missing_or_too_long_is_reported(#[case] millis: i64, #[case] want: Option<&str>) {
    let event = Event { lock_timeout: millis, ..event(10.1, "ALTER TABLE", &[("t", Mode::AccessExclusive)]) };
    let observed = statements(&[event]);
    let found = findings(&observed, &Samples::default(), &[], (&sizes(8), &sizes(50_000)), &Thresholds::default());
    assert_eq!(found.len(), usize::from(want.is_some()), "{found:?}");
    assert!(want.is_none_or(|want| found[0].message.contains(want)), "{found:?}");
}

#[rstest]
#[case::any_is_told(Duration::ZERO, 1_000_000, true)]
#[case::within_the_limit(Duration::from_secs(3), 1_000_000, false)]
#[case::beyond_the_limit(Duration::from_secs(3), 2_000_000, true)]
fn a_rewrite_is_reported_by_its_time_at_the_targets_size(
    #[case] limit: Duration,
    #[case] rows: u64,
    #[case] is_told: bool,
) {
    let rewrite = Event { rewritten: Some("t".to_owned()), reason: Some(4), ..event(10.05, "ALTER TABLE", &[]) };
    let observed = statements(&[rewrite, Event { lock_timeout: 1, ..event(10.1, "ALTER TABLE", &[]) }]);
    let thresholds = Thresholds { rewrite: limit, ..Thresholds::default() };
    let found = findings(&observed, &Samples::default(), &[], (&sizes(8), &sizes(rows)), &thresholds);
    assert_eq!(found.iter().any(|hurt| hurt.trouble == HarmKind::Rewrite), is_told, "{found:?}");
    assert!(found.iter().all(|hurt| hurt.message.contains("at 500000 rows a second")), "{found:?}");
}
