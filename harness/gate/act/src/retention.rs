//! Which databases that runs kept may go: those that carry the mark. What stays is reported, and fails nothing.

use std::collections::BTreeSet;

use stagegate_base::mark::Sessions;
use stagegate_gate_decide::promotion::{Entry, Leftover, PlanDatabase, StepReport, pruning};

use super::{Run, StepError};
use crate::journal;
use stagegate_host::{database::Dropped, error::with_causes};

impl Run {
    /// Drops what earlier runs kept and that are no longer needed, and returns what stays.
    pub(super) async fn drop_old_databases(&self) -> Result<Vec<Leftover>, StepError> {
        let services: BTreeSet<&String> = self.plan.databases.iter().map(|database| &database.service).collect();
        let reported = self.reported();
        let mut left = Vec::new();
        for service in services {
            let databases: Vec<&PlanDatabase> =
                self.plan.databases.iter().filter(|database| database.service == *service).collect();
            let Some(first) = databases.first() else { continue };
            let server = self.server(first).await?;
            let found = pruning(&self.plan, &databases, &server.databases().await?);
            for mark in found.drop {
                match server.drop_marked(&mark, &self.plan.live(), Sessions::Respect).await {
                    Ok(Dropped::Gone) => {}
                    Ok(Dropped::Stays(why)) => left.push(Leftover { name: mark.name, why }),
                    Err(error) => left.push(Leftover { name: mark.name, why: with_causes(&error) }),
                }
            }
            // Nobody wants to read of them after each promotion.
            left.extend(found.unknown.into_iter().filter(|unknown| !reported.contains(&unknown.name)));
        }
        Ok(left)
    }

    /// Returns the databases that an earlier run reported.
    fn reported(&self) -> BTreeSet<String> {
        let lines = journal::runs(&self.state.runs()).into_iter().filter_map(|dir| journal::lines(&dir).ok()).flatten();
        let pruned = lines.filter_map(|line| match line.entry {
            Entry::Done { report: StepReport::Prune(pruned) } => Some(pruned.left),
            _ => None,
        });
        pruned.flatten().map(|left| left.name).collect()
    }
}
