//! A workflow as something that is asked again and again: all of its steps, clean-up included.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use stagegate_workflow_decide::Workflow;
use tokio::runtime::Handle;

use super::Fault;
use stagegate_workflow_act::{self as workflow, WorkflowContext};

/// A workflow, and where it runs.
#[derive(Clone)]
pub struct Flow {
    place: Arc<WorkflowContext>,
    workflow: Arc<Workflow>,
    /// The runtime of the one who asks for load: it is there until clean-up is over, a generator's is not.
    runtime: Handle,
    taken: Arc<AtomicU64>,
}

impl Flow {
    /// Makes a workflow ready to be asked. To be called within a runtime that outlives the load.
    ///
    /// A run that is given up for its time cleans up by itself; [`workflow::over`] waits for that.
    #[must_use]
    pub fn new(place: &Arc<WorkflowContext>, workflow: &Arc<Workflow>) -> Self {
        let (place, workflow) = (Arc::clone(place), Arc::clone(workflow));
        Flow { place, workflow, runtime: Handle::current(), taken: Arc::default() }
    }

    /// Runs it once more. What it has to do in its environment is no size of a response.
    pub(super) async fn once(&self) -> Result<u64, Fault> {
        let nth = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
        let result = workflow::begin(&self.runtime, &self.place, &self.workflow, nth).await;
        match result.first_not_passed() {
            Some(step) => Err(Fault::Workflow(u32::try_from(step.line).unwrap_or(u32::MAX))),
            None => Ok(0),
        }
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Flow").field("workflow", &self.workflow.name).finish_non_exhaustive()
    }
}
