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
pub struct WorkflowResult {
    /// The workflow's name.
    pub workflow: String,
    /// Its file.
    pub file: PathBuf,
    /// What became of each step, in the order in which they were taken; clean-up last.
    pub steps: Vec<ExecutedStep>,
    /// Steps that the environment's policy left out, reported.
    pub left_out: String,
    /// All of it.
    pub took: Duration,
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExecutedStep {
    /// Its name.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    /// It is a clean-up step.
    pub cleanup: bool,
    /// How often it asked.
    pub attempts: u32,
    /// From its first question to its last response.
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
    /// Something does not hold, or there was no response.
    Failed {
        /// What is wrong.
        message: String,
        /// The differences of the last response.
        #[serde(skip)]
        findings: Vec<Finding>,
        /// The last response and what belongs to it.
        #[serde(skip)]
        evidence: Vec<Evidence>,
    },
    /// It could not be asked; the reason is not the environment's.
    Broken(String),
    /// It was not asked, since this machine or the run lacks something that may be lacking.
    Skipped(String),
}

impl WorkflowResult {
    /// Returns the first step that did not pass; a clean-up step that had nothing to clean up is none.
    #[must_use]
    pub fn first_not_passed(&self) -> Option<&ExecutedStep> {
        let has_passed = |step: &&ExecutedStep| match &step.state {
            State::Passed => true,
            State::Skipped(_) => step.cleanup,
            State::Failed { .. } | State::Broken(_) => false,
        };
        self.steps.iter().find(|step| !has_passed(step))
    }
}

/// States what a run means for its environment.
#[must_use]
pub fn outcome(result: &WorkflowResult, environment: &str) -> Outcome {
    let first = |wanted: fn(&State) -> bool| result.steps.iter().position(|step| wanted(&step.state));
    let failed = first(|state| matches!(state, State::Failed { .. }));
    let broken = first(|state| matches!(state, State::Broken(_)));
    let skipped = result.steps.iter().position(|step| !step.cleanup && matches!(step.state, State::Skipped(_)));
    match (failed, broken, skipped) {
        (Some(at), ..) => failure(result, at, environment),
        (None, Some(at), _) => Outcome::Broken(description(result, at)),
        (None, None, Some(at)) => Outcome::Skip(description(result, at)),
        (None, None, None) if result.steps.iter().all(|step| step.cleanup) => {
            Outcome::Skip(format!("no step may run in `{environment}`, which is protected: {}", result.left_out))
        }
        (None, None, None) => Outcome::Pass(passed(result)),
    }
}

fn passed(result: &WorkflowResult) -> String {
    let steps = result.steps.iter().filter(|step| step.state == State::Passed).count();
    let rest = if result.left_out.is_empty() { String::new() } else { format!("; not run here: {}", result.left_out) };
    let pictures = result.steps.iter().filter_map(|step| step.screenshot.as_ref());
    let pictures: String = pictures.map(|path| format!("; screenshot {path}")).collect();
    format!("{} in {} ms{rest}{pictures}", counted(steps, "step"), result.took.as_millis())
}

fn description(result: &WorkflowResult, at: usize) -> String {
    let step = &result.steps[at];
    let what = match &step.state {
        State::Passed => "",
        State::Failed { message, .. } => message.as_str(),
        State::Broken(reason) | State::Skipped(reason) => reason.as_str(),
    };
    let kind = if step.cleanup { "clean-up " } else { "" };
    format!("{kind}step `{}` ({}:{}): {what}", step.name, result.file.display(), step.line)
}

fn failure(result: &WorkflowResult, at: usize, environment: &str) -> Outcome {
    let State::Failed { findings, evidence, .. } = &result.steps[at].state else {
        return Outcome::fail(description(result, at));
    };
    let mut evidence = evidence.clone();
    evidence.push(Evidence { name: "steps".to_owned(), text: steps(result) });
    let hint = format!(
        "if the change is intended, change the step in {} and run `gate test --env {environment} workflows::{}` again",
        result.file.display(),
        result.workflow
    );
    Outcome::Fail { message: description(result, at), findings: findings.clone(), evidence, hint: Some(hint) }
}

/// Lists the steps, one a line.
fn steps(result: &WorkflowResult) -> String {
    let line = |step: &ExecutedStep| {
        let became = match &step.state {
            State::Passed => "passed".to_owned(),
            State::Failed { message, .. } => format!("FAILED: {message}"),
            State::Broken(reason) => format!("could not run: {reason}"),
            State::Skipped(reason) => format!("skipped: {reason}"),
        };
        let kind = if step.cleanup { ", clean-up" } else { "" };
        format!("{} ({:.2} s{kind}): {became}", step.name, step.took.as_secs_f64())
    };
    result.steps.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Cuts a text at `length` characters, and states so.
pub(super) fn truncated(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((at, _)) => format!("{}.. ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}

/// States how long was waited for what did not come.
#[must_use]
pub fn waited(waited: Duration, attempts: u32) -> String {
    format!("not met after {:.1} s ({})", waited.as_secs_f64(), counted(attempts, "attempt"))
}
