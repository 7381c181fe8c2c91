use proptest::prelude::*;
use rstest::rstest;
use stagegate_base::{
    config::{LogErrors, NewErrors},
    units::Span,
};

use super::*;

fn rules() -> LogErrors {
    LogErrors {
        severity: NewErrors::Warning,
        find: vec!["slow query".into()],
        ignore: vec!["client went away".into()],
        within: Span(std::time::Duration::from_secs(7 * 24 * 3_600)),
    }
}

#[rstest]
#[case::level("2026-11-30 10:00:01 ERROR connection to 10.0.0.7:5432 refused", Some("# ERROR connection to # refused"))]
#[case::word("TypeError: x is undefined", Some("TypeError: x is undefined"))]
#[case::panic("thread 'main' panicked at src/main.rs:12", Some("thread 'main' panicked at /"))]
#[case::json(r#"{"level":"error","time":1767,"msg":"order 4711 failed"}"#, Some("order # failed"))]
#[case::pino(r#"{"level":50,"msg":"no route to host"}"#, Some("no route to host"))]
#[case::nested(r#"{"err":{"message":"connect ECONNREFUSED"},"msg":"fatal"}"#, Some("fatal connect ECONNREFUSED"))]
#[case::logfmt("ts=1 level=error msg=timeout id=ab12", Some("ts=# level=error msg=timeout id=#"))]
#[case::postgres(
    "2026-11-30 10:00:01.000 UTC [31] ERROR:  relation \"x\" does not exist",
    Some("# UTC # ERROR: relation \"x\" does not exist")
)]
#[case::ansi("\u{1b}[31mERROR\u{1b}[0m at /srv/a/b.py", Some("ERROR at /"))]
#[case::wanted("slow query of 12 s", Some("slow query of # s"))]
#[case::info("2026 INFO 0 errors, last error none", None)]
#[case::info_json(r#"{"level":"info","msg":"error rate 0"}"#, None)]
#[case::postgres_log("LOG:  could not receive data: error 104", None)]
#[case::count("found 0 errors", None)]
#[case::ignored("ERROR client went away", None)]
#[case::rest("    at error (/srv/x.js:1:2)", None)]
fn a_line_has_the_shape_of_its_words(#[case] line: &str, #[case] want: Option<&str>) {
    assert_eq!(shape(&rules(), line).as_deref(), want);
}

/// What a product logs that is healthy: requests, and some errors of its own that every release has.
fn ordinary(errors: &mut ServiceErrors, from: i64, to: i64, seed: u64) {
    for (nth, at) in (from..to).enumerate() {
        let nth = nth as u64 + seed;
        errors.note(&rules(), at, &format!("INFO GET /items/{nth} 200 in {} ms", nth % 90));
        if nth.is_multiple_of(37) {
            errors.note(&rules(), at, &format!("ERROR payment {nth} declined by bank {:x}", nth * 7_919));
        }
    }
}

/// What it logs as it starts: the database is not there yet.
fn start(errors: &mut ServiceErrors, at: i64, seed: u64) {
    for nth in 0..(3 + seed % 9) as i64 {
        errors.note(
            &rules(),
            at + nth,
            &format!("ERROR cannot connect to db:5432 (try {nth}), retrying in {} ms", seed * 3),
        );
        errors.note(&rules(), at + nth, "CRITICAL cache is cold");
    }
}

fn before(seed: u64) -> ServiceErrors {
    let (mut errors, mut of_start) = (ServiceErrors::of(10_000, 90_000), ServiceErrors::of(9_000, 9_120));
    ordinary(&mut errors, 10_000, 14_000, seed);
    start(&mut of_start, 9_000, seed);
    errors.know(&of_start);
    errors
}

/// Errors that a broken release logs.
const NEW: [&str; 20] = [
    "ERROR relation \"orders\" does not exist",
    "ERROR column \"price\" of relation \"item\" does not exist",
    "TypeError: Cannot read properties of undefined (reading 'id')",
    "java.lang.NullPointerException: null",
    "panic: runtime error: index out of range [5] with length 3",
    "thread 'worker' panicked at 'called unwrap on None'",
    "Traceback (most recent call last):",
    "django.db.utils.IntegrityError: duplicate key value",
    "level=error msg=\"upstream timed out\" upstream=billing",
    "{\"level\":\"error\",\"msg\":\"mail could not be sent\"}",
    "{\"level\":60,\"msg\":\"out of memory in worker\"}",
    "FATAL: password authentication failed for user \"app\"",
    "[error] 31#31: *1 open() failed (13: Permission denied)",
    "E 10:00 SEVERE cannot bind to port",
    "ERROR deadlock detected",
    "redis.exceptions.ConnectionError: no host",
    "ERROR certificate has expired",
    "ActionView::Template::Error (undefined method name)",
    "2026 CRITICAL disk quota exceeded for tenant",
    "UnhandledPromiseRejection: Error: socket hang up",
];

#[test]
fn each_of_twenty_new_errors_is_found() {
    let before = before(1);
    for (nth, line) in NEW.iter().enumerate() {
        let mut now = ServiceErrors::of(100_000, 100_060);
        ordinary(&mut now, 100_000, 100_060, 5);
        start(&mut now, 100_000, nth as u64);
        (0..3).for_each(|at| now.note(&rules(), 100_010 + at * 9, line));
        let found = findings("api", Some(&before), &now);
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert!(found[0].starts_with("api logs a new error, 3 lines in 60 s: "), "{found:?}");
    }
}

#[test]
fn fifty_releases_that_log_what_was_logged_before_raise_no_alarm() {
    for seed in 0..50 {
        let mut now = ServiceErrors::of(100_000, 100_090);
        start(&mut now, 100_000, seed * 31);
        ordinary(&mut now, 100_000, 100_090, seed * 977);
        // Once, or within one second, is chance.
        now.note(&rules(), 100_050, "ERROR bot sent nonsense");
        (0..8).for_each(|_| now.note(&rules(), 100_060, "ERROR one request, many lines"));
        assert_eq!(findings("api", Some(&before(seed)), &now), Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn a_known_error_that_comes_more_often_is_found_and_without_a_baseline_nothing_is() {
    let mut now = ServiceErrors::of(100_000, 100_060);
    (0..30).for_each(|nth| now.note(&rules(), 100_000 + nth, &format!("ERROR payment {nth} declined by bank ab12")));
    let found = findings("api", Some(&before(1)), &now);
    assert!(found.len() == 1 && found[0].contains("more often, 30.0 a minute"), "{found:?}");
    assert!(findings("api", None, &now).is_empty());
}

proptest! {
    #[test]
    fn no_line_takes_more_than_its_room(line in "\\PC{0,400}", times in 1..50_usize) {
        let mut errors = ServiceErrors::of(0, 10);
        for nth in 0..times {
            errors.note(&rules(), 1, &format!("ERROR {line}{}", "x".repeat(nth * 1_000)));
        }
        prop_assert!(errors.shapes.len() <= SHAPES);
        for (shape, seen) in &errors.shapes {
            prop_assert!(shape.chars().count() <= 240 && seen.example.chars().count() <= SHOWN);
            let has_escapes = seen.example.contains('\u{1b}');
            prop_assert!(!has_escapes);
        }
    }
}
