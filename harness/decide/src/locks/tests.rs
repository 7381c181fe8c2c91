use std::time::Duration;

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
    let observed =
        statements(&[Event { lock_timeout: 1, ..event(10.2, "ALTER TABLE", &[("t", Mode::AccessExclusive)]) }]);
    let of = |copy: u64, target: &Sizes| {
        findings(&observed, &Samples::default(), &[], (&sizes(copy), target), &Thresholds::default())
    };
    let slow = of(2_000, &sizes(100_000));
    assert_eq!(
        slow[0].message,
        "ALTER TABLE took 10.0 s under ACCESS EXCLUSIVE on t (100000 rows on the target); at most 5.0 s are allowed"
    );
    assert_eq!(of(2_000, &sizes(20_000)), []);
    let observed = statements(&[event(10.2, "ALTER TABLE", &[("t", Mode::AccessExclusive)])]);
    let unknown = findings(&observed, &Samples::default(), &[], (&sizes(0), &Sizes::new()), &Thresholds::default());
    assert_eq!(unknown[0].trouble, Trouble::NoLockTimeout);
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
    let told = |request: Request| {
        findings(&observed, &Samples::default(), &[request], (&sizes(1), &sizes(1)), &Thresholds::default())
    };
    assert_eq!(told(request(Use::Write))[0].query, "a; b");
    assert_eq!(told(request(Use::Read))[0].query, "", "SHARE does not stop reads");
}
