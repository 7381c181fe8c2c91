//! The suites, as the gate asks for them.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use stagegate_base::{
    config::Config,
    record::{Planned, Record},
};
use stagegate_gate_act::{Examination, Examine};
use stagegate_gate_decide::verdict::{Verdict, verdict};
use stagegate_host::{engine::Engine, error::with_causes, paths::StateDir, process::Runner, project::Project};
use stagegate_suites::{Scope, Trial, records::Records, run, session::Session};

/// How long a run that is no promotion watches that nothing restarts.
pub(crate) const SHORT_SOAK: Duration = Duration::from_secs(1);

/// Runs every trial of an environment and judges.
pub(crate) struct Suites {
    pub(crate) config: Arc<Config>,
    pub(crate) engine: Engine,
}

impl Suites {
    async fn examined(&self, environment: &str, soak: Duration) -> Result<Examination, String> {
        let project =
            Project::load(&Runner::default(), &self.config, environment).await.map_err(|error| with_causes(&error))?;
        let records =
            Records::open(&StateDir::of(&self.config, project.compose_name()).tests(), &Records::name_of_run());
        let scope = Scope { config: &self.config, environment: &project.environment };
        let trials = run::select(stagegate_suites::trials(scope), &project.environment, &[]);
        let keep = |record: &Record| {
            // Records are kept for people; the verdict is made of those in memory.
            if let Ok(file) = &records {
                let _ = file.append(record);
            }
        };
        Ok(self.asked(project, trials, soak, keep).await)
    }

    async fn asked(
        &self,
        project: Project,
        trials: Vec<Trial>,
        soak: Duration,
        keep: impl FnMut(&Record) + Send,
    ) -> Examination {
        let planned = planned(&self.config, &trials);
        let session = Session::with_soak(project, self.engine.clone(), Runner::default(), soak);
        let records = run::run(&session, trials, &[], keep).await;
        let verdict = verdict(&records, &planned, &self.config.readiness);
        Examination { verdict, records, planned }
    }
}

impl Examine for Suites {
    fn examine<'a>(&'a self, environment: &'a str, soak: Duration) -> BoxFuture<'a, Examination> {
        Box::pin(async move {
            let examined = self.examined(environment, soak).await;
            examined.unwrap_or_else(|reason| Examination {
                verdict: Verdict::unknown(reason),
                records: Vec::new(),
                planned: Vec::new(),
            })
        })
    }

    fn examine_project<'a>(&'a self, project: Project, suites: &'a [&'a str]) -> BoxFuture<'a, Examination> {
        Box::pin(async move {
            let scope = Scope { config: &self.config, environment: &project.environment };
            let mut trials = stagegate_suites::trials(scope);
            trials.retain(|trial| suites.iter().any(|suite| trial.name.split("::").next() == Some(suite)));
            self.asked(project, trials, SHORT_SOAK, |_| {}).await
        })
    }
}

/// Says which trials have to leave a record, and how much each weighs.
pub(crate) fn planned(config: &Config, trials: &[Trial]) -> Vec<Planned> {
    let plan = |trial: &Trial| Planned {
        trial: trial.name.clone(),
        severity: config.severity_of(&trial.name, trial.severity),
    };
    trials.iter().map(plan).collect()
}
