//! Contracts of the services on both sides.

use super::{Row, Rules, Section, Side, record};
use stagegate_base::{
    config::BreakingChanges,
    finding::Finding,
    record::{Outcome, Record, Severity},
    text::counted,
    waiver,
};
use stagegate_contract::{
    Files,
    diff::{self, Contract},
    report::{breaking, counts, reasons},
};

/// Reports what changed between the contracts; asks that no caller of the target's is hurt by the source's.
pub(super) fn contracts(a: &Side, b: &Side, rules: Rules<'_>) -> (Vec<Row>, Vec<Record>) {
    let mut rows = Vec::new();
    let mut records = Vec::new();
    for service in rules.config.services.values() {
        let name = &service.name;
        let (Some(left), Some(right)) = (a.contracts.get(name), b.contracts.get(name)) else { continue };
        let own = match service.breaking_changes {
            BreakingChanges::Hold => Severity::Required,
            BreakingChanges::Warn => Severity::Warning,
            BreakingChanges::Ignore => continue,
        };
        let (row, outcome) = match (left, right) {
            (Ok(new), Ok(old)) => both(name, old, new, rules),
            _ => {
                let text_of = |side: &Result<Files, String>| side.as_ref().err().cloned().unwrap_or_default();
                let row = Row { differs: true, ..Row::new(Section::Contracts, name, text_of(left), text_of(right)) };
                let why = [text_of(left), text_of(right)].into_iter().filter(|why| !why.is_empty());
                // A release that has no contract yet breaks nobody.
                (row, Outcome::Skip(why.collect::<Vec<_>>().join("; ")))
            }
        };
        rows.push(row);
        // Skipped where there is nothing to compare: that must not keep a first release from going.
        let own = if matches!(outcome, Outcome::Skip(_)) { Severity::Info } else { own };
        records.push(record(a, rules, name, "contract", own, outcome));
    }
    (rows, records)
}

fn both(name: &str, old: &Files, new: &Files, rules: Rules<'_>) -> (Row, Outcome) {
    match judged(old, new, rules) {
        Err(why) => {
            (Row { differs: true, ..Row::new(Section::Contracts, name, why.clone(), "") }, Outcome::Broken(why))
        }
        Ok(found) => {
            let [breaking, warnings, compatible] = counts(&found);
            let counts = format!(
                "{breaking} breaking, {}, {}",
                counted(warnings, "warning"),
                counted(compatible, "compatible change")
            );
            let row = Row { differs: !found.is_empty(), ..Row::new(Section::Contracts, name, &counts, "") };
            (row, outcome(&found, &counts, new))
        }
    }
}

fn judged(old: &Files, new: &Files, rules: Rules<'_>) -> Result<Vec<Finding>, String> {
    let unreadable = |files: &Files, error| format!("{} cannot be read: {error}", files.shown());
    let before = Contract::of(old).map_err(|error| unreadable(old, error))?;
    let after = Contract::of(new).map_err(|error| unreadable(new, error))?;
    let names = (old.shown(), new.shown());
    Ok(diff::judge(&diff::compare(&before, &after, rules.today), names, rules.waivers, rules.today))
}

fn outcome(found: &[Finding], counts: &str, new: &Files) -> Outcome {
    if breaking(found).next().is_none() {
        return Outcome::Pass(counts.to_owned());
    }
    let finding =
        |reason: String| Finding::differs(new.shown().to_owned(), "clients of the live release keep working", reason);
    Outcome::Fail {
        message: format!("it breaks clients: {counts}"),
        findings: reasons(found).into_iter().map(finding).collect(),
        evidence: Vec::new(),
        hint: Some(format!("keep the contract compatible, or add a waiver to {}", waiver::FILE_NAME)),
    }
}
