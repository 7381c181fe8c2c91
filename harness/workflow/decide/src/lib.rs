//! Workflows: what users do, as files of steps that are taken one after the other.
//!
//! In: the texts of `workflows/*.toml`, and later what services responded. Out: the steps to take, what each has to ask
//! with its templates filled in, and what became of a run. Nothing is sent here; `stagegate_workflow_act` takes the steps.

mod action;
mod assertion;
mod check;
pub mod env_file;
mod files;
pub mod hurl;
mod known;
mod observed;
pub mod page;
mod protected;
mod raw;
mod result;
mod source;
mod template;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

pub use action::{Action, Browser, Exec, Http, Redis, Sql, StepRequest};
pub use assertion::{Assertion, Type};
pub use files::{BrokenFile, WorkflowFiles, read};
pub use known::Known;
pub use observed::{NotJson, Observed};
pub use protected::{Policy, Selection, select};
pub use result::{ExecutedStep, State, WorkflowResult, outcome, waited};
pub use source::{Source, SourceError};
pub use template::{Template, TemplateError, Unset, Vars};

pub use stagegate_base::config::{WORKFLOW_WITHIN as WITHIN, WORKFLOWS as FOLDER};
use stagegate_base::{record::Severity, units::Span};

/// The longest time that a file may ask for: a trial is given up after 60 s, and clean-up needs its own time.
pub const LONGEST: Duration = Duration::from_secs(45);
/// How long the clean-up steps may take together.
pub const CLEAN_UP_WITHIN: Duration = Duration::from_secs(10);
/// How long one request, statement or program may take where the step states nothing.
pub const STEP_WITHIN: Duration = Duration::from_secs(10);

/// Returns the JSON Schema of workflow files, for editors; `reference` is the text of the annotated example.
///
/// # Errors
/// [`toml::de::Error`] where the reference is no TOML.
pub fn json_schema(reference: &str) -> Result<serde_json::Value, toml::de::Error> {
    stagegate_base::json_schema::json_schema::<raw::RawFile>("a workflow file of stagegate", reference)
}

/// A file's steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    /// The file's name without its ending.
    pub name: String,
    /// The file, as it was given.
    pub file: PathBuf,
    /// What it shows, in a few words.
    pub title: Option<String>,
    /// How long all steps may take together, clean-up apart.
    pub within: Span,
    /// How much it weighs where `[severity]` states nothing.
    pub severity: Severity,
    /// Variables of the process or keys of the env files, by the name that templates use.
    pub secrets: BTreeMap<String, String>,
    /// The steps, clean-up steps last.
    pub steps: Vec<Step>,
}

/// A login: steps that are taken once a run; what they capture is secret and shared.
#[derive(Clone, Debug, PartialEq)]
pub struct Login {
    /// Its name.
    pub name: String,
    /// The file that it is written in.
    pub file: PathBuf,
    /// As of [`Workflow`].
    pub secrets: BTreeMap<String, String>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it does, in the user's words.
    pub name: String,
    /// The line of the file where it begins.
    pub line: usize,
    /// What is asked.
    pub action: Action,
    /// It may run in a protected environment.
    pub safe: bool,
    /// It runs at the end, whatever happened before.
    pub cleanup: bool,
    /// What is kept of the response, by name.
    pub capture: BTreeMap<String, Source>,
    /// What has to hold.
    pub assertions: Vec<Assertion>,
    /// Whether it is asked again until everything holds.
    pub until: Option<Until>,
}

/// How long, and how often, a step is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    /// From the first question on.
    pub within: Duration,
    /// The first pause; each further one is twice as long, up to a second.
    pub every: Duration,
}

impl Until {
    /// The longest pause.
    const LONGEST_PAUSE: Duration = Duration::from_secs(1);

    /// Returns the pause after the `attempt`th question, from 1.
    #[must_use]
    pub fn pause(&self, attempt: u32) -> Duration {
        let doubled = self.every.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        doubled.min(Self::LONGEST_PAUSE.max(self.every))
    }
}

impl Step {
    /// Returns the names that its templates need.
    #[must_use]
    pub fn needs(&self) -> Vec<&str> {
        let of_assertions = self.assertions.iter().flat_map(Assertion::names);
        self.action.names().into_iter().chain(of_assertions).collect()
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod properties;
