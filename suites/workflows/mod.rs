//! Workflows: does what users do work from the front to the database?
//!
//! One trial a file of the release's folder `workflows`, listed without touching the network. A file that cannot be
//! read is a trial that fails.

mod file;
pub(crate) mod files;
mod hurl;
mod steps;

use std::sync::Arc;

use stagegate_base::record::Outcome;
use stagegate_workflow_decide::{self as workflow, FOLDER, Known};

use crate::trial::{Effect, Scope, Suite, Trial};

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "workflows", trials };

fn trials(scope: Scope<'_>) -> Vec<Trial> {
    let mut files = file::all(&scope.environment.workdir.join(FOLDER));
    let twins = file::clashes(&mut files);
    let (read, unreadable) = file::texts(&files, "toml");
    let release = Arc::new(workflow::read(&read, &Known::of(scope.config)));
    let steps = release.workflows.iter().map(|flow| steps::trial(scope, flow, &release));
    let broken =
        release.broken.iter().map(|broken| unusable((broken.name.clone(), "completes", broken.error.to_string())));
    let (hurl, unreadable_hurl) = file::texts(&files, "hurl");
    let hurl = hurl.into_iter().map(|(path, text)| hurl::trial(scope, &path, &text));
    let others = unreadable.into_iter().chain(unreadable_hurl).chain(twins).map(unusable);
    let mut trials: Vec<Trial> = steps.chain(broken).chain(hurl).chain(others).collect();
    trials.sort_by(|a, b| a.name.cmp(&b.name));
    trials
}

/// Makes the trial of a file that cannot be used: it fails, with what is wrong and where.
fn unusable((name, question, reason): file::Unusable) -> Trial {
    Trial::new("workflows", &name, question, Effect::Reads, move |_| {
        let outcome = Outcome::fail(reason.clone());
        async move { outcome }
    })
}

#[cfg(test)]
mod tests;
