//! How a run of the gate ended, as its journal has it.

use std::{error::Error, path::Path};

use serde::Serialize;
use stagegate_gate_decide::promotion::{Decision, End, Entry, Line, Step, read};
use stagegate_host::clock::seconds_between;

#[derive(Debug, PartialEq, Serialize)]
struct Outcome {
    run: String,
    end: Option<End>,
    exit: Option<u8>,
    /// The step that failed first.
    stopped_at: Option<Step>,
    /// Seconds from the decision to go back until the release from before ran again; `None` where it never stopped.
    serving_s: Option<f64>,
    /// Seconds from that decision until the suites had passed on it.
    verified_s: Option<f64>,
}

/// Reads a journal and tells how its run ended.
///
/// # Errors
/// Where there is no journal that can be relied on.
pub(crate) fn outcome(journal: &Path) -> Result<String, Box<dyn Error>> {
    let text = std::fs::read(journal).map_err(|error| format!("{}: {error}", journal.display()))?;
    let lines = read(&text)?.lines;
    Ok(serde_json::to_string(&of(&lines).ok_or("the journal is empty: the run did not begin")?)?)
}

fn of(lines: &[Line]) -> Option<Outcome> {
    let ended = lines.iter().find_map(|line| match line.entry {
        Entry::Ended { end, exit } => Some((end, exit.code())),
        _ => None,
    });
    let stopped_at = lines.iter().find_map(|line| match line.entry {
        Entry::Failed { step, .. } => Some(step),
        _ => None,
    });
    let decided = wall(lines, |entry| matches!(entry, Entry::Decided { decision: Decision::Rollback, .. }));
    let until = |wanted: Step| {
        let done = wall(lines, |entry| matches!(entry, Entry::Done { report } if report.step() == wanted));
        decided.zip(done).and_then(|(from, to)| seconds_between(from, to))
    };
    Some(Outcome {
        run: lines.first()?.run.clone(),
        end: ended.map(|(end, _)| end),
        exit: ended.map(|(_, exit)| exit),
        stopped_at,
        serving_s: until(Step::StartPrevious),
        verified_s: until(Step::VerifyRollback),
    })
}

fn wall(lines: &[Line], wanted: impl Fn(&Entry) -> bool) -> Option<&str> {
    lines.iter().find(|line| wanted(&line.entry)).map(|line| line.wall.as_str())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use stagegate_base::exit::Exit;
    use stagegate_gate_decide::promotion::{RollbackChecks, StepReport};

    use super::*;

    fn journal(entries: &[(&str, Entry)]) -> Vec<Line> {
        let line = |(seq, (second, entry)): (u64, &(&str, Entry))| Line {
            v: 1,
            seq,
            run: "r1".to_owned(),
            boot: String::new(),
            wall: format!("2026-01-02T03:04:{second}Z"),
            entry: entry.clone(),
            prev: String::new(),
        };
        (0..).zip(entries).map(line).collect()
    }

    fn failed(step: Step) -> Entry {
        Entry::Failed { step, reason: "it was so".to_owned(), exit: Exit::Held }
    }

    fn done(report: StepReport) -> Entry {
        Entry::Done { report }
    }

    fn decided(decision: Decision) -> Entry {
        Entry::Decided { decision, reason: "so".to_owned() }
    }

    #[rstest]
    #[case::promoted(
        &[("01.000", decided(Decision::Commit)), ("02.000", Entry::Ended { end: End::Promoted, exit: Exit::Passed })],
        Outcome { run: "r1".into(), end: Some(End::Promoted), exit: Some(0), stopped_at: None, serving_s: None, verified_s: None }
    )]
    #[case::held_before_anything_was_touched(
        &[
            ("01.000", failed(Step::Rehearse)),
            ("01.000", decided(Decision::Rollback)),
            ("02.000", Entry::Ended { end: End::Blocked, exit: Exit::Held }),
        ],
        Outcome { run: "r1".into(), end: Some(End::Blocked), exit: Some(3), stopped_at: Some(Step::Rehearse), serving_s: None, verified_s: None }
    )]
    #[case::rolled_back(
        &[
            ("01.000", failed(Step::Verify)),
            ("01.500", decided(Decision::Rollback)),
            ("03.000", done(StepReport::StartPrevious)),
            ("13.250", done(StepReport::VerifyRollback(RollbackChecks::default()))),
            ("13.300", Entry::Ended { end: End::RolledBack, exit: Exit::RolledBack }),
        ],
        Outcome { run: "r1".into(), end: Some(End::RolledBack), exit: Some(5), stopped_at: Some(Step::Verify), serving_s: Some(1.5), verified_s: Some(11.75) }
    )]
    #[case::cut_short(
        &[("01.000", failed(Step::Verify))],
        Outcome { run: "r1".into(), end: None, exit: None, stopped_at: Some(Step::Verify), serving_s: None, verified_s: None }
    )]
    fn an_outcome(#[case] entries: &[(&str, Entry)], #[case] want: Outcome) {
        assert_eq!(of(&journal(entries)), Some(want));
    }

    #[test]
    fn a_run_that_did_not_begin_has_no_outcome() {
        assert_eq!(of(&[]), None);
    }
}
