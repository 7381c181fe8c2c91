//! The impact on users while migrations ran: how many requests failed, the longest stall, and what caused it.
//!
//! In: requests at their intended times, and the statements that ran meanwhile with the locks that they took. Times are
//! microseconds from one common beginning.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stagegate_base::text::counted;

/// A request is a stall from here on, in microseconds; what is shorter nobody feels.
const FELT_US: u64 = 50_000;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// When it should have been sent.
    pub intended_us: u64,
    /// When its response was whole, or when it was given up.
    pub ended_us: u64,
    /// It was answered well.
    pub good: bool,
}

/// One statement of a migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Its text, or as much of it as is reported.
    pub text: String,
    /// The strongest lock that it took on a table that was there before, such as `AccessExclusiveLock on public.orders`;
    /// `None` where it took none that others wait for.
    pub lock: Option<String>,
    /// When the lock was taken, or the statement began.
    pub from_us: u64,
    /// When the lock was given back: at the end of the transaction.
    pub until_us: u64,
}

/// The impact of migrations on requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestImpact {
    /// Requests that were due.
    pub sent: u64,
    /// Requests that failed.
    pub failed: u64,
    /// The longest stall; `None` where no request took 50 ms.
    pub stall: Option<Stall>,
}

/// A stretch of time in which requests waited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// When the request that waited longest should have been sent.
    pub from_us: u64,
    /// When it was answered or given up.
    pub until_us: u64,
    /// Requests that were due in this time.
    pub waiting: u64,
    /// The statement that held a lock for the most of it; `None` where none did.
    pub cause: Option<Statement>,
}

/// Returns the impact of `statements` on those who sent `requests`.
#[must_use]
pub fn impact(requests: &[Request], statements: &[Statement]) -> RequestImpact {
    let took = |request: &&Request| request.ended_us.saturating_sub(request.intended_us);
    let longest = requests.iter().max_by_key(took).filter(|request| took(request) >= FELT_US);
    RequestImpact {
        sent: requests.len() as u64,
        failed: requests.iter().filter(|request| !request.good).count() as u64,
        stall: longest.map(|request| stall(request, requests, statements)),
    }
}

fn stall(longest: &Request, requests: &[Request], statements: &[Statement]) -> Stall {
    let (from_us, until_us) = (longest.intended_us, longest.ended_us);
    let overlap = |s: &Statement| s.until_us.min(until_us).saturating_sub(s.from_us.max(from_us));
    let cause = statements.iter().filter(|s| s.lock.is_some() && overlap(s) > 0).max_by_key(|s| overlap(s));
    // A lock that was held for less than half of the stall explains it no better than chance.
    let cause = cause.filter(|statement| 2 * overlap(statement) >= until_us - from_us);
    Stall {
        from_us,
        until_us,
        waiting: requests.iter().filter(|r| (from_us..until_us).contains(&r.intended_us)).count() as u64,
        cause: cause.cloned(),
    }
}

impl RequestImpact {
    /// Returns how long the longest stall was; zero without one.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.stall.as_ref().map_or(Duration::ZERO, |stall| Duration::from_micros(stall.until_us - stall.from_us))
    }

    /// Reports it in one line.
    #[must_use]
    pub fn words(&self) -> String {
        let failed = format!("{} of {} failed", self.failed, counted(self.sent, "request"));
        if self.sent == 0 {
            return "no request was sent while the migrations ran".to_owned();
        }
        let Some(stall) = &self.stall else { return format!("{failed}, no request waited 50 ms or longer") };
        let ms = (stall.until_us - stall.from_us) / 1_000;
        let cause = match &stall.cause {
            Some(Statement { text, lock: Some(lock), .. }) => {
                format!("; the transaction of `{}` had {lock}", shortened(text))
            }
            _ => "; no statement's lock explains it".to_owned(),
        };
        format!("{failed}, longest stall {ms} ms ({}){cause}", counted(stall.waiting, "request"))
    }
}

fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(intended_ms: u64, took_ms: u64, good: bool) -> Request {
        Request { intended_us: intended_ms * 1_000, ended_us: (intended_ms + took_ms) * 1_000, good }
    }

    fn statement(text: &str, lock: Option<&str>, from_ms: u64, until_ms: u64) -> Statement {
        Statement {
            text: text.into(),
            lock: lock.map(Into::into),
            from_us: from_ms * 1_000,
            until_us: until_ms * 1_000,
        }
    }

    /// A request every 10 ms; those due from 100 to 400 wait until 400.
    fn stalled() -> Vec<Request> {
        (0..60)
            .map(|i| 10 * i)
            .map(|at| request(at, if (100..400).contains(&at) { 400 - at } else { 2 }, true))
            .collect()
    }

    #[test]
    fn a_stall_is_put_down_to_the_statement_that_held_its_lock() {
        let statements = [
            statement("ALTER TABLE items ADD note text", Some("AccessExclusiveLock on public.items"), 20, 30),
            statement("CREATE TABLE t ()", None, 30, 500),
            statement(
                "ALTER TABLE orders\n  ALTER total TYPE numeric",
                Some("AccessExclusiveLock on public.orders"),
                98,
                399,
            ),
        ];
        let impact = impact(&stalled(), &statements);
        let stall = impact.stall.clone().unwrap();
        assert_eq!((impact.failed, stall.waiting, impact.longest()), (0, 30, Duration::from_millis(300)));
        assert_eq!(
            impact.words(),
            "0 of 60 requests failed, longest stall 300 ms (30 requests); the transaction of \
             `ALTER TABLE orders ALTER total TYPE numeric` had AccessExclusiveLock on public.orders"
        );
    }

    #[test]
    fn a_stall_that_no_lock_explains_has_no_cause() {
        let short = [statement("ALTER TABLE items ADD a int", Some("AccessExclusiveLock on items"), 100, 140)];
        assert_eq!(impact(&stalled(), &short).stall.unwrap().cause, None);
        assert!(impact(&stalled(), &[]).words().ends_with("no statement's lock explains it"));
    }

    #[test]
    fn failures_are_counted_and_a_quick_migration_is_not_felt() {
        let requests = [request(0, 2, true), request(10, 49, false), request(20, 2, true)];
        assert_eq!(impact(&requests, &[]).words(), "1 of 3 requests failed, no request waited 50 ms or longer");
        assert_eq!(impact(&[], &[]).words(), "no request was sent while the migrations ran");
    }
}
