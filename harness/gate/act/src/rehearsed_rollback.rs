//! The rehearsal of a rollback of code alone: the earlier release is started on a copy of the current data, where no
//! rehearsal has shown that it works there. One that is not healthy ends the rollback before the target is touched.

use stagegate_base::compose::Model;
use stagegate_gate_decide::promotion::{Health, Kind, Rehearsal, Tier, rehearsal_refusal};
use stagegate_host::release::Snapshot;

use super::{Run, StepError, cross_version::Side, rehearsal::with_reach_hint};

impl Run {
    /// Starts the earlier release on the copies that the backup was proven with, and checks it there.
    pub(super) async fn rehearse_earlier(&self) -> Result<Rehearsal, StepError> {
        let git = self.git().await?;
        git.remove_worktree(&self.tree()).await?;
        git.check_out(&self.tree(), &self.plan.release.commit).await?;
        let found = self.compatibility(Side::Earlier).await;
        let removed = self.end_rehearsal().await;
        git.remove_worktree(&self.tree()).await?;
        // Whether it is healthy or not: this is worse than whatever else was found.
        self.stop_at_changed_live_data().await?;
        self.stop_at_changed_target().await?;
        if found.health != Health::Healthy {
            let reason = rehearsal_refusal(&self.plan.release.name, &found.reasons);
            return Err(with_reach_hint(StepError::blocked(reason)));
        }
        removed?;
        Ok(Rehearsal {
            tier: Tier::Code,
            migration_seconds: 0.0,
            impacts: Vec::new(),
            cross_versions: None,
            start: None,
            earlier: Some(found),
            server_wide: Vec::new(),
            expected: None,
        })
    }

    /// Returns the earlier release's model with the files of its own commit; what git does not have is the workdir's.
    pub(super) fn earlier_in_tree(&self) -> Result<Model, StepError> {
        let Kind::Rollback { run, .. } = &self.plan.kind else {
            return Err(StepError::blocked("only a rollback has an earlier release"));
        };
        let model = Snapshot::read(&self.state.run(run).join("old"))?.model;
        let (work, tree) = (&self.plan.workdir, self.tree());
        let tops = self.plan.subfolder.top_of(work).zip(self.plan.subfolder.top_of(&tree));
        let (from, to) = tops.unwrap_or_else(|| (work.clone(), tree));
        let is_there = |path: &str| std::path::Path::new(path).exists();
        Ok(model.rebased_where(&from.to_string_lossy(), &to.to_string_lossy(), is_there))
    }
}
