//! Which copies of volumes that runs kept may go. What stays is reported, and fails nothing.

use stagegate_data_decide::volume::{CopyRecord, Reply, Request, may_go};
use stagegate_gate_decide::promotion::{Leftover, PlanVolume};

use crate::{Run, StepError};

impl Run {
    /// Removes the copies that earlier runs kept and that are no longer needed, and returns those that stay.
    pub(crate) async fn remove_old_copies(&self) -> Vec<Leftover> {
        // Whether the folder is there only root may know.
        let volumes: Vec<&PlanVolume> = self.plan.volumes.iter().filter(|one| !one.live.is_empty()).collect();
        match self.old_copies(&volumes).await {
            Ok(old) => self.remove_copies(old).await,
            Err(error) => {
                let name = |one: &&PlanVolume| one.parent.display().to_string();
                volumes.iter().map(|one| Leftover { name: name(one), why: error.reason.clone() }).collect()
            }
        }
    }

    async fn old_copies<'a>(
        &self,
        volumes: &[&'a PlanVolume],
    ) -> Result<Vec<(&'a PlanVolume, Vec<CopyRecord>)>, StepError> {
        let list = volumes.iter().map(|one| Request::List { live: one.live.clone() }).collect();
        let responses = self.work(volumes, list).await?;
        let old = volumes.iter().zip(responses).map(|(one, response)| match response {
            Reply::Kept { kept } => (*one, may_go(&kept, &self.plan.run, &self.plan.state)),
            _ => (*one, Vec::new()),
        });
        Ok(old.filter(|(_, kept)| !kept.is_empty()).collect())
    }

    async fn remove_copies(&self, old: Vec<(&PlanVolume, Vec<CopyRecord>)>) -> Vec<Leftover> {
        let (volumes, copies): (Vec<&PlanVolume>, Vec<Vec<CopyRecord>>) = old.into_iter().unzip();
        let remove = copies.iter().map(|kept| Request::Remove { kept: kept.clone() }).collect();
        let Err(error) = self.work(&volumes, remove).await else { return Vec::new() };
        let each = volumes.iter().zip(copies).flat_map(|(one, kept)| kept.into_iter().map(move |kept| (one, kept)));
        let name = |one: &PlanVolume, kept: &CopyRecord| one.parent.join(kept.path()).display().to_string();
        each.map(|(one, kept)| Leftover { name: name(one, &kept), why: error.reason.clone() }).collect()
    }
}
