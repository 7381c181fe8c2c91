//! Do the steps of a file hold, one after the other?

use std::sync::Arc;

use stagegate_base::record::{Outcome, Severity};
use stagegate_workflow_act as workflow;
use stagegate_workflow_decide::{Policy, Workflow, WorkflowFiles, outcome, select};

use crate::{
    session::Session,
    trial::{Effect, Scope, Trial},
};

pub(super) fn trial(scope: Scope<'_>, workflow: &Arc<Workflow>, files: &WorkflowFiles) -> Trial {
    let protected = scope.environment.protected;
    // In a protected environment the steps that write are left out by the run itself, so that it can say so.
    let effect = match protected || workflow.steps.iter().all(|step| step.safe) {
        true => Effect::Reads,
        false => Effect::Writes,
    };
    let nothing_left = protected && select(&workflow.steps, &files.logins, Policy::Protected).is_empty();
    // What cannot run by the environment's own policy must not hold every release to it.
    let severity = if nothing_left { Severity::Info } else { workflow.severity };
    let requested = Arc::clone(workflow);
    Trial::new("workflows", &workflow.name, "completes", effect, move |session| check(session, Arc::clone(&requested)))
        .with_severity(severity)
}

async fn check(session: Arc<Session>, requested: Arc<Workflow>) -> Outcome {
    let place = session.place().await;
    let result = workflow::run(&place, &requested).await;
    outcome(&result, &session.project.environment.name)
}
