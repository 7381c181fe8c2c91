//! The suites, as the gate asks for them.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use stagegate_base::{compose::Model, config::Config};
use stagegate_gate_act::{Examination, Examine, schema_ahead};
use stagegate_gate_decide::verdict::{Verdict, verdict};
use stagegate_host::{earlier::config_of_release, error::with_causes, paths::StateDir, project::Project};
use stagegate_suites::{
    Scope, Trial, run,
    suite_run::{RunOptions, SuiteRun, Target, planned},
};

use crate::failure::print_message;

/// How long a run that is no promotion watches that nothing restarts.
pub(crate) const SHORT_SOAK: Duration = Duration::from_secs(1);

/// Runs every trial of an environment and judges.
pub(crate) struct Suites {
    pub(crate) config: Arc<Config>,
}

impl Suites {
    /// Runs checks against a target. A signal is the promotion's own business: it drops this and rolls back.
    async fn examined(
        config: Arc<Config>,
        target: Target,
        trials: Vec<Trial>,
        soak: Duration,
        keeps_records: bool,
    ) -> Examination {
        let planned = planned(&config, &trials);
        // A copy is examined as what it is made of states, the environment itself as its journals do.
        let schema_ahead = match &target {
            Target::Environment(environment) => schema_ahead(&StateDir::of(&config, &environment.project)),
            Target::Project(_) => None,
        };
        let soak = Some(soak);
        let options =
            RunOptions { soak, full_load: false, schema_ahead, keeps_records, signals: None, notice: print_message };
        let run = SuiteRun::new(Arc::clone(&config), target, options);
        let records = run.all(trials, |_| {}).await;
        run.finish().await;
        let verdict = verdict(&records, &planned, &config.readiness);
        Examination { verdict, records, planned }
    }
}

impl Examine for Suites {
    fn examine<'a>(
        &'a self,
        environment: &'a str,
        soak: Duration,
        earlier: Option<&'a Model>,
    ) -> BoxFuture<'a, Examination> {
        Box::pin(async move {
            let config = match (earlier, self.config.environment(environment)) {
                (Some(model), Ok(environment)) => config_of_release(&self.config, environment, model),
                _ => Arc::clone(&self.config),
            };
            let environment = match config.environment(environment) {
                Ok(environment) => environment,
                Err(error) => {
                    let verdict = Verdict::unknown(with_causes(&error));
                    return Examination { verdict, records: Vec::new(), planned: Vec::new() };
                }
            };
            let scope = Scope { config: &config, environment };
            let trials = run::select(stagegate_suites::trials(scope), environment, &[]);
            let target = Target::Environment(Box::new(environment.clone()));
            Self::examined(Arc::clone(&config), target, trials, soak, true).await
        })
    }

    fn examine_project<'a>(&'a self, project: Project, suites: &'a [&'a str]) -> BoxFuture<'a, Examination> {
        Box::pin(async move {
            let scope = Scope { config: &self.config, environment: &project.environment };
            let mut trials = stagegate_suites::trials(scope);
            trials.retain(|trial| suites.iter().any(|suite| trial.name.split("::").next() == Some(suite)));
            let trials = run::select(trials, &project.environment, &[]);
            let target = Target::Project(Box::new(project));
            Self::examined(Arc::clone(&self.config), target, trials, SHORT_SOAK, false).await
        })
    }
}
