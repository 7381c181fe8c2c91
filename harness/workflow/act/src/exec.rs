//! Steps that run a program of this machine: no shell, a time limit, the environment in its variables.

use std::time::Instant;

use stagegate_base::{command::Command, record::Evidence};
use stagegate_workflow_decide::{Observed, StepRequest};

use super::{
    WorkflowContext,
    result::{StepError, StepResult},
};
use stagegate_host::{error::with_causes, http::BODY_CAP, process::RunError};

/// How much of its standard error is shown, in characters.
const SHOWN: usize = 600;

pub(super) async fn run(place: &WorkflowContext, ask: &StepRequest) -> Result<StepResult, StepError> {
    let StepRequest::Exec { program, args, env, within } = ask else {
        return Err(StepError::Broken("not a program's step".to_owned()));
    };
    let workdir = &place.project.environment.workdir;
    // A name is looked for on PATH, a path in the release.
    let program = if program.contains('/') { workdir.join(program).display().to_string() } else { program.clone() };
    let mut command = Command::new(&program).args(args.clone()).in_dir(workdir);
    for (key, value) in variables(place).await.into_iter().chain(env.clone()) {
        command = command.env(&key, value);
    }
    let begun = Instant::now();
    let output = place.runner.run(&command, *within).await.map_err(|error| match error {
        RunError::TimedOut { .. } => StepError::Failed(with_causes(&error)),
        error => StepError::Broken(with_causes(&error)),
    })?;
    let bytes = output.stdout.as_bytes();
    let (kept, cut) = (&bytes[..bytes.len().min(BODY_CAP)], bytes.len() > BODY_CAP);
    let observed = Observed::new(i64::from(output.code), Vec::new(), kept, cut, begun.elapsed());
    let stderr = output.stderr.trim().chars().take(SHOWN).collect::<String>();
    let evidence = (!stderr.is_empty()).then(|| Evidence { name: "standard error".to_owned(), text: stderr });
    Ok(StepResult { observed, findings: Vec::new(), evidence: evidence.into_iter().collect() })
}

/// Returns the variables that every program gets: the environment, and where each service responds.
async fn variables(place: &WorkflowContext) -> Vec<(String, String)> {
    let environment = &place.project.environment;
    let mut variables = vec![
        ("STAGEGATE_ENV".to_owned(), environment.name.clone()),
        ("STAGEGATE_PROJECT".to_owned(), environment.project.clone()),
        ("STAGEGATE_WORKDIR".to_owned(), environment.workdir.display().to_string()),
    ];
    for service in place.project.config.services.keys() {
        // A service that is down has no address; the program is to find that out as a user would.
        if let Some(address) = place.addresses(service).await.ok().and_then(|all| all.first().copied()) {
            let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
            let name: String = service.chars().map(upper).collect();
            variables.push((format!("STAGEGATE_{name}_ADDRESS"), address.to_string()));
        }
    }
    variables
}
