//! Workflows: does what users do work from the front to the database?
//!
//! One trial a file of the release's folder `workflows`, listed without touching the network. A file that cannot be
//! read is a trial that fails.

mod file;
mod hurl;
mod steps;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stagegate_base::config::{Config, Environment};
use stagegate_workflow_decide::{self as workflow, Book, FOLDER, Known, Workflow};

use crate::trial::{Scope, Suite, Trial};
use file::File;

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "workflows", trials };

fn trials(scope: Scope<'_>) -> Vec<Trial> {
    let mut files = file::all(&scope.environment.workdir.join(FOLDER));
    let twins = file::twins(&mut files);
    let (read, unreadable) = texts(&files, "toml");
    let book = Arc::new(workflow::read(&read, &Known::of(scope.config)));
    let steps = book.workflows.iter().map(|flow| steps::trial(scope, flow, &book));
    let broken = book.broken.iter().map(|broken| file::broken(&broken.name, "completes", broken.error.to_string()));
    let (hurl, unreadable_hurl) = texts(&files, "hurl");
    let hurl = hurl.into_iter().map(|(path, text)| hurl::trial(scope, &path, &text));
    let mut trials: Vec<Trial> =
        steps.chain(broken).chain(unreadable).chain(hurl).chain(unreadable_hurl).chain(twins).collect();
    trials.sort_by(|a, b| a.name.cmp(&b.name));
    trials
}

/// Returns the files with an ending, each with its text, and a broken trial for each that cannot be read.
fn texts(files: &[File], ending: &str) -> (Vec<(PathBuf, String)>, Vec<Trial>) {
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    for file in files.iter().filter(|file| file.path.extension().is_some_and(|found| found == ending)) {
        let shown = file::shown(&file.path);
        match &file.text {
            Ok(text) => read.push((shown, text.clone())),
            Err(reason) => {
                let (name, question) = (file::stem(&shown), file::question(&shown).unwrap_or_default());
                unreadable.push(file::broken(&name, question, format!("{}: {reason}", shown.display())));
            }
        }
    }
    (read, unreadable)
}

/// Reads the workflow files of an environment's release; what cannot be used is told by the trials.
pub(crate) fn book(config: &Config, environment: &Environment) -> Book {
    let mut files = file::all(&environment.workdir.join(FOLDER));
    file::clashes(&mut files);
    workflow::read(&texts(&files, "toml").0, &Known::of(config))
}

/// Returns the workflow of a file of an environment's release.
///
/// # Errors
/// A text that says why it cannot be run, or which files there are.
pub(crate) fn find(config: &Config, environment: &Environment, file: &Path) -> Result<Arc<Workflow>, String> {
    let book = book(config, environment);
    if let Some(workflow) = book.workflows.iter().find(|workflow| workflow.file == file) {
        return Ok(Arc::clone(workflow));
    }
    if let Some(broken) = book.broken.iter().find(|broken| broken.name == file::stem(file)) {
        return Err(broken.error.to_string());
    }
    let known: Vec<String> = book.workflows.iter().map(|workflow| workflow.file.display().to_string()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(format!("`{}` is no workflow file in {} (known: {known})", file.display(), environment.workdir.display()))
}

#[cfg(test)]
mod tests;
