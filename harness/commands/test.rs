//! `gate test`.

use std::sync::Arc;

use stagegate_act::{engine::Engine, process::Runner, project::Project};
use stagegate_decide::{
    config::{Config, EPHEMERAL},
    exit::Exit,
};
use stagegate_suites::{Scope, run, session::Session};

use crate::{Failure, cli, give};

pub(super) async fn run(config: &Arc<Config>, args: cli::Test) -> Result<Exit, Failure> {
    let name = args.env.clone().unwrap_or_else(|| EPHEMERAL.to_owned());
    let environment = config.environment(&name)?;
    let trials = run::select(stagegate_suites::trials(Scope { config, environment }), environment, &args.filters);
    let engine = Engine::connect().await?;
    let project = Project::load(&Runner::default(), config, &name).await?;
    let session = Session::new(project, engine, Runner::default());
    let expected: Vec<String> = trials.iter().map(|t| t.name.clone()).collect();
    let records = run::run(&session, trials, &[], |record| {
        give(&format!("{:?} {} {}", record.status, record.trial, record.message))
    })
    .await;
    Ok(crate::examine::judged(&records, &expected).0)
}
