//! Tries again what may go away by itself: a server that crashed, or is started, needs some seconds.

use std::time::{Duration, Instant};

use super::StepError;

/// The pause before the second try, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Tries something until it works, fails for good, or its time is over; pauses double.
///
/// The time is `within` since the first failure, which `ends` keeps for whatever is tried next.
pub(crate) async fn with_pauses<T>(
    (ends, within): (&mut Option<Instant>, Duration),
    note: impl Fn(&StepError, Duration),
    mut attempt: impl AsyncFnMut() -> Result<T, StepError>,
) -> Result<T, StepError> {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match attempt().await {
            Err(error) if error.is_transient => error,
            outcome => return outcome,
        };
        if Instant::now() + pause > *ends.get_or_insert_with(|| Instant::now() + within) {
            return Err(error);
        }
        note(&error, pause);
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, io};

    use super::*;

    #[tokio::test]
    async fn what_may_go_away_is_tried_again_within_its_time_and_a_decision_is_not() {
        let away = || StepError::from(io::Error::from(io::ErrorKind::ConnectionRefused));
        let mut ends = None;
        let mut tries = async |within: Duration, outcomes: &[Option<StepError>]| {
            let (mut left, mut pauses) = (outcomes.iter(), RefCell::new(Vec::new()));
            let note = |_: &StepError, pause: Duration| pauses.borrow_mut().push(pause.as_secs());
            let attempt = async || left.next().cloned().flatten().map_or(Ok(()), Err);
            let outcome = with_pauses((&mut ends, within), note, attempt).await;
            (outcome.is_ok(), std::mem::take(pauses.get_mut()))
        };
        assert_eq!(tries(Duration::ZERO, &[Some(StepError::blocked("rows differ"))]).await, (false, vec![]));
        assert_eq!(tries(Duration::from_secs(2), &[Some(away()), Some(away())]).await, (false, vec![1]));
        assert_eq!(tries(Duration::from_secs(60), &[Some(away())]).await, (false, vec![]), "one time for all");
    }
}
