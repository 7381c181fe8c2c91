use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_767_225_600;
const ROUND: i64 = 30;

fn look(fails: bool) -> CheckResult {
    CheckResult::new("container api", fails.then(|| "is not healthy".to_owned()))
}

/// Returns what is heard of looks that are a round apart: `x` fails, `.` passes.
fn heard(looks: &str) -> Vec<(usize, Change)> {
    let mut checks = Checks::default();
    let rounds = looks.chars().enumerate();
    rounds
        .flat_map(|(nth, c)| {
            // No state lives outside of what is written: each round is one of a new process.
            checks = serde_json::from_str(&serde_json::to_string(&checks).unwrap()).unwrap();
            let now = NOW + ROUND * i64::try_from(nth).unwrap();
            checks.round(&[look(c == 'x')], now).into_iter().map(|one| (nth, one.change)).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_day_without_a_fault_is_silent() {
    assert_eq!(heard(&".".repeat(24 * 3_600 / 30)), []);
    // Neither is one or two failures in a row one, however often.
    assert_eq!(heard(&"x.....".repeat(480)), []);
    assert_eq!(heard(&"xx....".repeat(480)), []);
}

#[test]
fn three_failures_are_down_and_two_passes_up_each_reported_once() {
    assert_eq!(heard("..xxxxxxxx.x..."), [(4, Change::Down), (13, Change::Up)]);
    assert_eq!(heard("xxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), [(2, Change::Down)]);
}

#[test]
fn a_minute_of_failures_is_down_however_few_looks_it_had() {
    let mut checks = Checks::default();
    assert_eq!(checks.note(&[look(true)], NOW), []);
    assert_eq!(checks.note(&[look(true)], NOW + DOWN_AFTER).len(), 1);
}

#[test]
fn an_event_is_down_at_once_and_its_end_has_the_same_beginning() {
    let mut checks = Checks::default();
    let down = checks.note(&[CheckResult::certain("container api", "exited with code 137".to_owned())], NOW);
    assert_eq!((down.len(), down[0].change), (1, Change::Down));
    assert_eq!(checks.round(&[look(false)], NOW + 10), []);
    let up = checks.round(&[look(false)], NOW + 40);
    assert_eq!((up[0].change, up[0].since), (Change::Up, down[0].since));
    assert_eq!(up[0].problem.as_deref(), Some("exited with code 137"));
}

#[test]
fn an_alert_that_comes_again_within_ten_minutes_is_one_message() {
    let mut checks = Checks::default();
    let died = [CheckResult::certain("service api", "its container exited with code 1".to_owned())];
    let heard: Vec<Notice> = (0..300).flat_map(|nth| checks.note(&died, nth * 2)).collect();
    assert_eq!(heard.iter().map(|notice| notice.change).collect::<Vec<_>>(), [Change::Down]);
}

#[test]
fn flapping_is_one_message_and_so_is_its_end() {
    // Down and up every three rounds: the fourth change is within ten minutes of the first.
    let looks = format!("{}{}", "xxx..".repeat(12), ".".repeat(40));
    let changes: Vec<Change> = heard(&looks).into_iter().map(|(_, change)| change).collect();
    assert_eq!(changes, [Change::Down, Change::Up, Change::Down, Change::Flapping, Change::Up]);
    let ends_down = format!("{}{}", "xxx..".repeat(12), "x".repeat(40));
    let changes: Vec<Change> = heard(&ends_down).into_iter().map(|(_, change)| change).collect();
    assert_eq!(changes, [Change::Down, Change::Up, Change::Down, Change::Flapping, Change::Down]);
}

#[test]
fn what_requires_a_person_is_reported_again_each_hour() {
    let mut checks = Checks::default();
    let stuck = |at: i64, checks: &mut Checks| {
        let look = CheckResult { is_repeated: true, ..CheckResult::certain("run", "run r is stuck".to_owned()) };
        checks.round(&[look], at).into_iter().map(|one| one.change).collect::<Vec<_>>()
    };
    let mut heard = Vec::new();
    for at in (0..3 * 3_600).step_by(30) {
        heard.extend(stuck(NOW + at, &mut checks));
    }
    assert_eq!(heard, [Change::Down, Change::StillDown, Change::StillDown]);
}

#[test]
fn a_pause_forgets_what_was_not_alerted_and_no_more() {
    let mut checks = Checks::default();
    let both =
        |a: bool, b: bool| [CheckResult::new("a", a.then(String::new)), CheckResult::new("b", b.then(String::new))];
    for nth in 0..3 {
        let _ = checks.round(&both(true, nth > 0), NOW + nth * ROUND);
    }
    checks.pause();
    let shown: Vec<_> = checks.0.values().map(|known| known.status).collect();
    assert_eq!(shown, [Status::Down, Status::Up]);
    assert_eq!(checks.round(&both(true, true), NOW + 3_600), []);
}

proptest! {
    #[test]
    fn down_and_up_take_turns_and_nothing_is_heard_without_a_failure(looks in "[x.]{0,400}") {
        let heard = heard(&looks);
        let mut is_down = false;
        for (nth, change) in heard {
            match change {
                Change::Down | Change::Flapping => { prop_assert!(looks[..=nth].contains('x')); is_down = true; }
                Change::Up => { prop_assert!(is_down); is_down = false; }
                Change::StillDown => prop_assert!(is_down),
            }
        }
    }

    #[test]
    fn a_check_that_is_down_for_long_is_always_heard_of(looks in "[x.]{0,200}") {
        // Whatever was before: ten minutes and three rounds of failures later it is down, and reported.
        let all = format!("{looks}{}", "x".repeat(30));
        let last = heard(&all).into_iter().next_back();
        prop_assert!(matches!(last, Some((_, Change::Down))), "{last:?}");
    }
}
