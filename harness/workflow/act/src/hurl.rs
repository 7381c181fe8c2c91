//! Runs `.hurl` files through an installed `hurl`.

use std::{path::Path, time::Duration};

use stagegate_base::record::Outcome;
use stagegate_workflow_decide::{LONGEST, hurl};

use super::WorkflowContext;
use stagegate_host::{error::with_causes, process::RunError};

/// How long `hurl --version` may take.
const VERSION_WITHIN: Duration = Duration::from_secs(5);

/// Runs a file against the place's services; a machine without `hurl` 8 skips it.
pub async fn run(place: &WorkflowContext, file: &Path) -> Outcome {
    let name = file.strip_prefix(&place.project.environment.workdir).unwrap_or(file).display().to_string();
    match place.runner.run_ok(&hurl::version(), VERSION_WITHIN).await {
        Err(RunError::Start { .. }) => {
            return Outcome::Skip(format!("{name}: no `hurl` is installed; install version {} or later", hurl::MAJOR));
        }
        Err(error) => return Outcome::Broken(with_causes(&error)),
        Ok(version) if hurl::major(&version).is_none_or(|major| major < hurl::MAJOR) => {
            let found = version.lines().next().unwrap_or_default();
            return Outcome::Skip(format!("{name} needs hurl {} or later, and this is `{found}`", hurl::MAJOR));
        }
        Ok(_) => {}
    }
    let mut urls = Vec::new();
    for service in place.project.config.services.keys() {
        if let Some(address) = place.addresses(service).await.ok().and_then(|all| all.first().copied()) {
            urls.push((service.clone(), format!("http://{address}")));
        }
    }
    match place.runner.run(&hurl::run(file, &urls), LONGEST).await {
        Ok(output) => hurl::outcome(&name, output.code, &format!("{}\n{}", output.stderr, output.stdout)),
        Err(error @ RunError::TimedOut { .. }) => Outcome::fail(with_causes(&error)),
        Err(error) => Outcome::Broken(with_causes(&error)),
    }
}
