//! What a person sees while a run goes on: one line a step.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use serde_json::Value;
use stagegate_decide::promotion::{Decision, End, Entry, Line};

/// Whether to use colour: a terminal, and nobody said NO_COLOR.
pub(crate) fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn painted(code: &str, text: &str) -> String {
    if colour() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Tells a journal line on standard error.
pub(crate) fn tell(line: &Line, took: Duration) {
    let seconds = took.as_secs_f64();
    let text = match &line.entry {
        Entry::Started { plan } => {
            format!("run {} begins (log and journal: gate history --env {})", plan.run, plan.environments.target)
        }
        Entry::Begun { step } => return while_it_lasts(step.title()),
        Entry::Done { step, data } => {
            format!("{} {:<28} {seconds:>6.1} s  {}", painted("32", "ok  "), step.title(), shown(data))
        }
        Entry::Failed { step, reason, .. } => {
            format!("{} {:<28} {seconds:>6.1} s\n     {reason}", painted("31", "FAIL"), step.title())
        }
        Entry::UndoBegun { step } => return while_it_lasts(&format!("undo: {}", step.title())),
        Entry::Undone { step, data } if seconds >= 0.1 => {
            format!("{} undo: {:<22} {seconds:>6.1} s  {}", painted("33", "back"), step.title(), shown(data))
        }
        Entry::Undone { .. } => return,
        Entry::UndoFailed { step, reason } => {
            format!("{} undo: {:<22} {seconds:>6.1} s\n     {reason}", painted("31", "FAIL"), step.title())
        }
        Entry::Decided { decision: Decision::Commit, .. } => painted("32", "commit: the release stays"),
        Entry::Decided { decision: Decision::Rollback, reason } => painted("33", &format!("back: {reason}")),
        Entry::Resumed { reason } => format!("the run is taken up again ({reason})"),
        Entry::Ended { end, .. } => ended(*end),
    };
    clear();
    crate::say(&text);
}

fn ended(end: End) -> String {
    match end {
        End::Promoted => painted("32", "promoted"),
        End::Held => painted("31", "held: the target was not touched"),
        End::Aborted => painted("33", "cut short: the target was not touched"),
        End::RolledBack => painted("33", "rolled back: the target is as it was, and verified"),
        End::BackNotVerified => painted("31", "back, but NOT verified: look at it now"),
        End::Stuck => painted("31", "STUCK: a person is needed"),
        End::Abandoned => "declared over".to_owned(),
    }
}

/// Returns what a step left, short: numbers and names, in one line.
fn shown(data: &Value) -> String {
    let Some(entries) = data.as_object() else { return String::new() };
    let one = |(key, value): (&String, &Value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) if number.is_f64() => format!("{:.2}", number.as_f64().unwrap_or_default()),
            Value::Number(number) => number.to_string(),
            Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_string) => {
                items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
            }
            _ => return None,
        };
        Some(format!("{}: {value}", key.replace('_', " ")))
    };
    entries.iter().filter_map(one).collect::<Vec<_>>().join(", ")
}

/// Shows on a terminal what is being done; the line is written over when it ended.
fn while_it_lasts(what: &str) {
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr(), "\r\u{1b}[2K...  {what}");
        let _ = std::io::stderr().flush();
    }
}

fn clear() {
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr(), "\r\u{1b}[2K");
    }
}
