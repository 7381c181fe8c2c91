//! Takes the steps of workflows: asks services, databases, caches, programs and pages, and returns what became of it.
//!
//! Clean-up steps run whatever happened: a failure, the end of the time, a caller that gave up, Ctrl-C. Therefore a
//! run is a task of its own, which outlives its caller by as long as clean-up takes; [`settle`] waits for that.

mod browser;
mod context;
mod exec;
mod http;
pub mod hurl;
mod open;
mod redis;
pub(crate) mod result;
mod sql;
mod step_runner;
mod token;

use std::{sync::Arc, time::Instant};

use stagegate_workflow_decide::{CLEAN_UP_WITHIN, ExecutedStep, Policy, State, Step, Workflow, WorkflowResult, select};
use tokio::{runtime::Handle, sync::oneshot};

pub use context::{AddressError, WorkflowContext};
pub use open::{over, settle};
pub use token::{TokenError, token};

use open::Open;
use step_runner::StepRunner;

/// Runs a workflow to its end, clean-up included.
///
/// Where the environment is protected only the steps run that may. The time is bounded by the workflow's `within` and
/// [`CLEAN_UP_WITHIN`]. A caller that drops the future stops the steps, and clean-up runs all the same.
pub async fn run(place: &Arc<WorkflowContext>, workflow: &Arc<Workflow>) -> WorkflowResult {
    begin(&Handle::current(), place, workflow, 0).await
}

/// Begins a workflow as [`run`] does, on a runtime that has to be there until clean-up is over.
///
/// `nth` is the number of the run in one place, from 1: its `run.id` is another one each time.
pub fn begin(
    runtime: &Handle,
    place: &Arc<WorkflowContext>,
    workflow: &Arc<Workflow>,
    nth: u64,
) -> impl Future<Output = WorkflowResult> + Send + use<> {
    let (alive, gone) = oneshot::channel::<()>();
    let begun = Instant::now();
    let workflow = Arc::clone(workflow);
    let run = Run { place: Arc::clone(place), workflow: Arc::clone(&workflow), nth };
    let taken = runtime.spawn(run_in_order(run, gone, Open::new()));
    async move {
        let result = taken.await;
        drop(alive);
        result.unwrap_or_else(|error| {
            let state = State::Broken(format!("the step crashed: {error}"));
            let name = workflow.name.clone();
            let took = begun.elapsed();
            let step = ExecutedStep { name, line: 1, cleanup: false, attempts: 0, took, state, screenshot: None };
            ran_of(&workflow, vec![step], String::new(), begun)
        })
    }
}

/// What is run, where, and for which time there.
struct Run {
    place: Arc<WorkflowContext>,
    workflow: Arc<Workflow>,
    nth: u64,
}

async fn run_in_order(run: Run, gone: oneshot::Receiver<()>, _open: Open) -> WorkflowResult {
    let Run { place, workflow, nth } = run;
    let begun = Instant::now();
    let policy = if place.project.environment.protected { Policy::Protected } else { Policy::Open };
    let selection = select(&workflow.steps, place.logins(), policy);
    let (clean_up, steps): (Vec<Step>, Vec<Step>) = selection.steps.iter().cloned().partition(|step| step.cleanup);
    if steps.is_empty() {
        return ran_of(&workflow, Vec::new(), selection.left_out_steps(), begun);
    }
    let mut runner = match StepRunner::new(&place, &workflow.secrets, nth) {
        Ok(runner) => runner,
        Err(reason) => return ran_of(&workflow, vec![not_run(&steps[0], reason)], selection.left_out_steps(), begun),
    };
    let cut = tokio::select! {
        () = runner.take(&steps) => None,
        () = tokio::time::sleep(workflow.within.0) => Some(format!("the workflow timed out after {}", workflow.within)),
        () = open::stopped(gone) => Some("interrupted".to_owned()),
    };
    if let Some(reason) = cut {
        runner.cut(&reason);
    }
    runner.clean_up(&clean_up, CLEAN_UP_WITHIN).await;
    let steps = runner.into_steps();
    ran_of(&workflow, steps, selection.left_out_steps(), begun)
}

fn not_run(step: &Step, reason: String) -> ExecutedStep {
    let (name, state) = (step.name.clone(), State::Broken(reason));
    let (line, took) = (step.line, std::time::Duration::ZERO);
    ExecutedStep { name, line, cleanup: false, attempts: 0, took, state, screenshot: None }
}

fn ran_of(workflow: &Workflow, steps: Vec<ExecutedStep>, left_out: String, begun: Instant) -> WorkflowResult {
    let (name, file) = (workflow.name.clone(), workflow.file.clone());
    WorkflowResult { workflow: name, file, steps, left_out, took: begun.elapsed() }
}
