//! The source of a promotion: what was tested there must be what runs there, from the plan until it was all read.
//!
//! The lock keeps other runs of the gate away. A plain `docker compose up`, `git checkout` or editor knows no lock, so
//! the source is compared with the plan after each time that something was read from it.

use stagegate_base::{
    compose::{Model, drift},
    config::Environment,
    release::Release,
};
use stagegate_gate_decide::promotion::{Kind, release_differences, source_changes};

use super::{Run, StepError};
use stagegate_host::{error::with_causes, git::Git, paths::StateDir, process::Runner, reach, release};

impl Run {
    /// Stops where the source is no longer what the plan states; `when` states what was done meanwhile.
    pub(super) async fn stop_at_changed_source(&self, when: &str) -> Result<(), StepError> {
        if self.plan.kind != Kind::Promote {
            return Ok(());
        }
        let name = &self.plan.environments.source;
        let environment = self.gate.config.environment(name)?;
        let mut changes = source_changes(&self.plan.source, &self.gate.engine.project(&environment.project).await?);
        changes.extend(worktree_changes(&self.runner, &self.git().await?, environment, &self.plan.release).await);
        let deployed = release::deployed(&StateDir::of(&self.gate.config, &environment.project))?;
        if deployed.as_ref().is_none_or(|deployed| deployed.release.commit != self.plan.release.commit) {
            let other = deployed.map_or_else(|| "nothing".to_owned(), |deployed| deployed.release.name);
            changes.push(format!("expected {} to be deployed, found {other}", self.plan.release.name));
        }
        if changes.is_empty() {
            return Ok(());
        }
        Err(StepError::blocked(format!(
            "`{name}` changed {when}: {}; what was tested is no longer what runs there. \
             Bring {} up there again (`gate up --env {name} --release {}`) and promote",
            changes.join("; "),
            self.plan.release.name,
            self.plan.release.name
        )))
    }

    /// Stops where somebody changed the target since the plan was made: a rollback restores what the plan states.
    pub(super) async fn stop_at_changed_target(&self) -> Result<(), StepError> {
        let old = self.snapshot("old")?.model;
        let changes = drift(&old, &self.gate.engine.project(&self.plan.project).await?);
        if changes.is_empty() {
            return Ok(());
        }
        let target = &self.plan.environments.target;
        let changes = changes.join("; ");
        Err(StepError::blocked(format!("`{target}` was changed since this run began: {changes}")))
    }

    /// Stops where the target does not run, service by service, the images and labels that the plan promises.
    pub(super) async fn stop_at_another_release(&self, model: &Model) -> Result<(), StepError> {
        let containers = self.gate.engine.project(&self.plan.project).await?;
        let differences = release_differences(&self.plan, model, &containers);
        if differences.is_empty() {
            return Ok(());
        }
        let (target, release) = (&self.plan.environments.target, &self.plan.release.name);
        Err(StepError::blocked(format!("`{target}` does not run {release} as planned: {}", differences.join("; "))))
    }
}

/// Returns in words how a worktree differs from a release; a folder that git does not know differs too.
pub(super) async fn worktree_changes(
    runner: &Runner,
    git: &Git,
    environment: &Environment,
    release: &Release,
) -> Vec<String> {
    let workdir = &environment.workdir;
    let found = async {
        let at = git.release_of(workdir).await?;
        let changes = reach::changes(runner, git, environment, workdir).await?;
        Ok::<_, stagegate_host::git::GitError>((at, changes))
    };
    match found.await {
        Err(error) => vec![with_causes(&error)],
        Ok((at, changes)) => {
            let other = (at.commit != release.commit)
                .then(|| format!("{} is at {}, expected {}", workdir.display(), at.name, release.name));
            let shown: Vec<&str> = changes.iter().take(10).map(String::as_str).collect();
            let changed = (!changes.is_empty()).then(|| {
                format!("{} has {} uncommitted changes ({})", workdir.display(), changes.len(), shown.join(", "))
            });
            other.into_iter().chain(changed).collect()
        }
    }
}
