//! The contracts of the live release and of the candidate: do its callers of today still work tomorrow?

use std::{collections::BTreeMap, path::Path};

use stagegate_base::{
    config::{BreakingChanges, Service},
    finding::Finding,
    waiver::{self, Waivers},
};
use stagegate_contract::{
    diff::{self, Contract},
    report::{breaking, counts, reasons},
};
use stagegate_gate_decide::promotion::{ContractReport, Kind};

use super::{Run, StepError};
use stagegate_host::{
    clock,
    contract::{ContractSourceError, read_at},
    error::with_causes,
    waivers,
};

impl Run {
    /// Compares every service's contract with the live one. A rollback is never blocked by it.
    pub(super) async fn compare_contracts(&self) -> Result<BTreeMap<String, ContractReport>, StepError> {
        let mut all = BTreeMap::new();
        if self.plan.kind != Kind::Promote {
            return Ok(all);
        }
        let waivers = waivers::read(self.gate.config.root(), &[])?;
        let mut blocking = Vec::new();
        for service in self.gate.config.services.values() {
            let Some(path) = service.contract.as_deref() else { continue };
            if service.breaking_changes == BreakingChanges::Ignore {
                continue;
            }
            match self.compared(path, &waivers).await {
                Ok(found) => {
                    all.insert(service.name.clone(), summary(&found));
                    if service.breaking_changes == BreakingChanges::Hold && breaking(&found).next().is_some() {
                        blocking.push(reason(service, &found));
                    }
                }
                Err(reason) => drop(all.insert(service.name.clone(), ContractReport::NotCompared { reason })),
            }
        }
        if blocking.is_empty() { Ok(all) } else { Err(StepError::blocked(blocking.join("; "))) }
    }

    /// Compares one contract; the reason where there is nothing to compare. Whether the candidate's own contract is
    /// valid is checked by the suites, which ran before.
    async fn compared(&self, path: &Path, waivers: &Waivers) -> Result<Vec<Finding>, String> {
        let product = (self.plan.repository.as_path(), &self.plan.subfolder);
        let read = async |commit: &str| read_at(&self.runner, product, commit, path).await;
        let text = |error: ContractSourceError| with_causes(&error);
        let old = read(&self.plan.previous.commit).await.map_err(text)?;
        let new = read(&self.plan.release.commit).await.map_err(text)?;
        let parsed = |release: &str, error| format!("{} of {release}: {error}", path.display());
        let before = Contract::of(&old).map_err(|error| parsed(&self.plan.previous.name, error))?;
        let after = Contract::of(&new).map_err(|error| parsed(&self.plan.release.name, error))?;
        let today = clock::today();
        let name = path.display().to_string();
        Ok(diff::judge(&diff::compare(&before, &after, &today), (&name, &name), waivers, &today))
    }
}

fn summary(found: &[Finding]) -> ContractReport {
    let [breaking, warnings, compatible] = counts(found);
    ContractReport::Compared { breaking, warnings, compatible, first: reasons(found) }
}

fn reason(service: &Service, found: &[Finding]) -> String {
    let name = &service.name;
    format!(
        "the contract of `{name}` breaks its clients: {}; keep it compatible, add a waiver to {} next to \
         stagegate.toml, or set breaking_changes = \"warn\" for [services.{name}]",
        reasons(found).join("; "),
        waiver::FILE_NAME
    )
}
