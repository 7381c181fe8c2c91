//! The suites, as the gate asks for them.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use stagegate_act::{
    engine::Engine,
    gate::{Examination, Examine, told},
    paths::StateDir,
    process::Runner,
    project::Project,
};
use stagegate_decide::{
    config::Config,
    exit::Exit,
    record::{Record, Status},
};
use stagegate_suites::{Scope, records::Records, run, session::Session};

/// Runs every trial of an environment and judges.
pub(crate) struct Suites {
    pub(crate) config: Arc<Config>,
    pub(crate) engine: Engine,
}

impl Suites {
    async fn examined(&self, environment: &str, soak: Duration) -> Result<Examination, String> {
        let project =
            Project::load(&Runner::default(), &self.config, environment).await.map_err(|error| told(&error))?;
        let records =
            Records::open(&StateDir::of(&self.config, project.compose_name()).tests(), &Records::name_of_now());
        let scope = Scope { config: &self.config, environment: &project.environment };
        let trials = run::select(stagegate_suites::trials(scope), &project.environment, &[]);
        let expected: Vec<String> = trials.iter().map(|trial| trial.name.clone()).collect();
        let session = Session::with_soak(project.clone(), self.engine.clone(), Runner::default(), soak);
        let found = run::run(&session, trials, &[], |record| {
            // Records are kept for people; the verdict is made of those in memory.
            if let Ok(file) = &records {
                let _ = file.append(record);
            }
        })
        .await;
        let (exit, reasons) = judged(&found, &expected);
        Ok(Examination { exit, reasons })
    }
}

impl Examine for Suites {
    fn examine<'a>(&'a self, environment: &'a str, soak: Duration) -> BoxFuture<'a, Examination> {
        Box::pin(async move {
            let examined = self.examined(environment, soak).await;
            examined.unwrap_or_else(|reason| Examination { exit: Exit::Inconclusive, reasons: vec![reason] })
        })
    }
}

pub(crate) fn judged(found: &[Record], _expected: &[String]) -> (Exit, Vec<String>) {
    let bad: Vec<String> =
        found.iter().filter(|r| r.status != Status::Pass).map(|r| format!("{}: {}", r.trial, r.message)).collect();
    if found.iter().any(|r| r.status == Status::Fail) {
        (Exit::Held, bad)
    } else if !bad.is_empty() || found.is_empty() {
        (Exit::Inconclusive, bad)
    } else {
        (Exit::Passed, vec![format!("{} checks passed", found.len())])
    }
}
