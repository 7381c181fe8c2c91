//! The runs that are not over, and the wish to end them: Ctrl-C is one for the whole process.

use std::{sync::LazyLock, time::Duration};

use stagegate_workflow_decide::CLEAN_UP_WITHIN;
use tokio::sync::{oneshot, watch};

/// What ending takes next to the clean-up steps.
const BESIDE: Duration = Duration::from_secs(2);

static RUNS: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::Sender::new(0));
static STOP: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));

/// A run that is not over.
pub(super) struct Open(());

impl Open {
    pub(super) fn new() -> Self {
        RUNS.send_modify(|runs| *runs += 1);
        Open(())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        RUNS.send_modify(|runs| *runs -= 1);
    }
}

/// Waits until the caller is gone, or the process is to end.
pub(super) async fn stopped(caller: oneshot::Receiver<()>) {
    let mut stop = STOP.subscribe();
    tokio::select! {
        // The caller never sends: it is gone when its end of the channel is.
        _ = caller => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// Stops every workflow of this process, waits for their clean-up, and returns how many were still not over.
///
/// To be called before a process ends early. No workflow takes a step after it.
pub async fn settle() -> usize {
    STOP.send_replace(true);
    over().await
}

/// Waits until no workflow is under way, clean-up of given up ones included, and returns how many were still not over.
pub async fn over() -> usize {
    let mut runs = RUNS.subscribe();
    let _ = tokio::time::timeout(CLEAN_UP_WITHIN + BESIDE, runs.wait_for(|runs| *runs == 0)).await;
    *RUNS.borrow()
}
