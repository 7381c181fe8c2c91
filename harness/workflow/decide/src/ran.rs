//! What became of a run of steps, and the outcome that this is.

use std::{path::PathBuf, time::Duration};

use serde::Serialize;

use stagegate_base::{
    finding::Finding,
    record::{Evidence, Outcome},
    text::counted,
};

/// A run of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ran {
    /// The workflow's name.
    pub workflow: String,
    /// Its file.
    pub file: PathBuf,
    /// What became of each step, in the order in which they were taken; clean-up last.
    pub steps: Vec<StepRan>,
    /// Steps that the environment's policy left out, told.
    pub left_out: String,
    /// All of it.
    pub took: Duration,
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepRan {
    /// Its name.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    /// It is a clean-up step.
    pub cleanup: bool,
    /// How often it asked.
    pub attempts: u32,
    /// From its first question to its last answer.
    pub took: Duration,
    /// What became of it.
    pub state: State,
    /// The file with the picture of its page, of the last question.
    pub screenshot: Option<String>,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum State {
    /// Everything holds.
    Passed,
    /// Something does not hold, or there was no answer.
    Failed {
        /// What is wrong.
        message: String,
        /// The differences of the last answer.
        #[serde(skip)]
        findings: Vec<Finding>,
        /// The last answer and what belongs to it.
        #[serde(skip)]
        evidence: Vec<Evidence>,
    },
    /// It could not be asked; the reason is not the environment's.
    Broken(String),
    /// It was not asked, since this machine or the run lacks something that may be lacking.
    Skipped(String),
}

impl Ran {
    /// Returns the first step that did not pass; a clean-up step that had nothing to clean up is none.
    #[must_use]
    pub fn first_not_passed(&self) -> Option<&StepRan> {
        let has_passed = |step: &&StepRan| match &step.state {
            State::Passed => true,
            State::Skipped(_) => step.cleanup,
            State::Failed { .. } | State::Broken(_) => false,
        };
        self.steps.iter().find(|step| !has_passed(step))
    }
}

/// Says what a run means for its environment.
#[must_use]
pub fn outcome(ran: &Ran, environment: &str) -> Outcome {
    let first = |wanted: fn(&State) -> bool| ran.steps.iter().position(|step| wanted(&step.state));
    let failed = first(|state| matches!(state, State::Failed { .. }));
    let broken = first(|state| matches!(state, State::Broken(_)));
    let skipped = ran.steps.iter().position(|step| !step.cleanup && matches!(step.state, State::Skipped(_)));
    match (failed, broken, skipped) {
        (Some(at), ..) => failure(ran, at, environment),
        (None, Some(at), _) => Outcome::Broken(description(ran, at)),
        (None, None, Some(at)) => Outcome::Skip(description(ran, at)),
        (None, None, None) if ran.steps.iter().all(|step| step.cleanup) => {
            Outcome::Skip(format!("no step may run in `{environment}`, which is protected: {}", ran.left_out))
        }
        (None, None, None) => Outcome::Pass(passed(ran)),
    }
}

fn passed(ran: &Ran) -> String {
    let steps = ran.steps.iter().filter(|step| step.state == State::Passed).count();
    let rest = if ran.left_out.is_empty() { String::new() } else { format!("; not run here: {}", ran.left_out) };
    let pictures = ran.steps.iter().filter_map(|step| step.screenshot.as_ref());
    let pictures: String = pictures.map(|path| format!("; screenshot {path}")).collect();
    format!("{} in {} ms{rest}{pictures}", counted(steps, "step"), ran.took.as_millis())
}

fn description(ran: &Ran, at: usize) -> String {
    let step = &ran.steps[at];
    let what = match &step.state {
        State::Passed => "",
        State::Failed { message, .. } => message.as_str(),
        State::Broken(reason) | State::Skipped(reason) => reason.as_str(),
    };
    let kind = if step.cleanup { "clean-up " } else { "" };
    format!("{kind}step `{}` ({}:{}): {what}", step.name, ran.file.display(), step.line)
}

fn failure(ran: &Ran, at: usize, environment: &str) -> Outcome {
    let State::Failed { findings, evidence, .. } = &ran.steps[at].state else {
        return Outcome::fail(description(ran, at));
    };
    let mut evidence = evidence.clone();
    evidence.push(Evidence { name: "steps".to_owned(), text: steps(ran) });
    let hint = format!(
        "if the change is intended, change the step in {} and run `gate test --env {environment} workflows::{}` again",
        ran.file.display(),
        ran.workflow
    );
    Outcome::Fail { message: description(ran, at), findings: findings.clone(), evidence, hint: Some(hint) }
}

/// Lists the steps, one a line.
fn steps(ran: &Ran) -> String {
    let line = |step: &StepRan| {
        let became = match &step.state {
            State::Passed => "passed".to_owned(),
            State::Failed { message, .. } => format!("FAILED: {message}"),
            State::Broken(reason) => format!("could not run: {reason}"),
            State::Skipped(reason) => format!("skipped: {reason}"),
        };
        let kind = if step.cleanup { ", clean-up" } else { "" };
        format!("{} ({:.2} s{kind}): {became}", step.name, step.took.as_secs_f64())
    };
    ran.steps.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Cuts a text at `length` characters, and says so.
pub(super) fn truncated(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((at, _)) => format!("{}.. ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}

/// Says how long was waited for what did not come.
#[must_use]
pub fn waited(waited: Duration, attempts: u32) -> String {
    format!("not met after {:.1} s ({})", waited.as_secs_f64(), counted(attempts, "attempt"))
}
