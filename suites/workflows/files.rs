//! The workflows of an environment's release, for what asks for them and lists no trials.

use std::{path::Path, sync::Arc};

use stagegate_base::config::{Config, Environment};
use stagegate_workflow_decide::{self as workflow, FOLDER, Known, Workflow, WorkflowFiles};

use super::file::{all, clashes, stem, texts};

/// Reads the workflow files of an environment's release; what cannot be used is reported by the trials.
pub(crate) fn read(config: &Config, environment: &Environment) -> WorkflowFiles {
    let mut files = all(&environment.workdir.join(FOLDER));
    clashes(&mut files);
    workflow::read(&texts(&files, "toml").0, &Known::of(config))
}

/// Returns the workflow of a file of an environment's release.
///
/// # Errors
/// A text that states why it cannot be run, or which files there are.
pub(crate) fn find(config: &Config, environment: &Environment, file: &Path) -> Result<Arc<Workflow>, String> {
    let files = read(config, environment);
    if let Some(workflow) = files.workflows.iter().find(|workflow| workflow.file == file) {
        return Ok(Arc::clone(workflow));
    }
    if let Some(broken) = files.broken.iter().find(|broken| broken.name == stem(file)) {
        return Err(broken.error.to_string());
    }
    let known: Vec<String> = files.workflows.iter().map(|workflow| workflow.file.display().to_string()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(format!("`{}` is not a workflow file in {} (known: {known})", file.display(), environment.workdir.display()))
}
