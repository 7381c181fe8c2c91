//! What the gate knows of the suites.

use std::time::Duration;

use futures_util::future::BoxFuture;
use stagegate_base::{
    compose::Model,
    record::{Planned, Record},
};
use stagegate_gate_decide::verdict::Verdict;
use stagegate_host::project::Project;

/// What the suites found of an environment.
#[derive(Clone, Debug)]
pub struct Examination {
    /// Whether the environment is healthy, and why.
    pub verdict: Verdict,
    /// What became of each check.
    pub records: Vec<Record>,
    /// The checks that should have run.
    pub planned: Vec<Planned>,
}

/// Runs the suites. The gate knows only this of them.
pub trait Examine: Send + Sync {
    /// Examines an environment: waits until its services are ready, runs every check and watches it for `soak`.
    ///
    /// `earlier` is the frozen model of the live release where that is not the newest one: after a rollback. It is examined
    /// as its own configuration states.
    fn examine<'a>(
        &'a self,
        environment: &'a str,
        soak: Duration,
        earlier: Option<&'a Model>,
    ) -> BoxFuture<'a, Examination>;

    /// Examines a stack that is no environment by `suites` alone; nothing is recorded on disk.
    fn examine_project<'a>(&'a self, project: Project, suites: &'a [&'a str]) -> BoxFuture<'a, Examination>;
}
