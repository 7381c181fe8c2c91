//! What holds for a whole chain is reported once.

use crate::{Chain, Finding, codes::DOWN_MISSING};

/// Reports once that no migration of a chain has a down migration, in the place of one finding for each. Call it when
/// waivers were applied: what they accept stays as it is.
pub fn once_for_chain(chain: &Chain, found: &mut Vec<Finding>) {
    let is_missing = |finding: &&Finding| finding.code == DOWN_MISSING.id;
    let of_all = chain.findings.iter().filter(is_missing).find(|finding| finding.place.object.is_empty());
    let Some(of_all) = of_all else { return };
    let is_open = |finding: &Finding| is_missing(&finding) && finding.waived.is_none();
    if found.iter().filter(|finding| is_open(finding)).count() < 2 {
        return;
    }
    let at = found.iter().position(is_open).unwrap_or_default();
    let accepted = found.iter().filter(is_missing).filter(|finding| finding.waived.is_some()).count();
    found.retain(|finding| !is_open(finding));
    let mut one = of_all.clone();
    if accepted > 0 {
        one.found.push_str(&format!("; {accepted} of them waived"));
    }
    found.insert(at, one);
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;
    use crate::{
        Extent, File, Route, apply_waivers, chain,
        round_trip::{Down, RoundTrip, of_trips},
    };
    use stagegate_base::{config::Tool, waiver::Waivers};

    const WITHOUT: &str =
        "none of 3 migrations has a down migration; a rollback past one needs `gate rollback --with-data`";

    fn found(names: &[&str], waivers: &str) -> Vec<(String, String, bool)> {
        let file = |name: &&str| File { path: (*name).to_owned(), bytes: b"create table t (id int);".to_vec() };
        let chain = chain(&names.iter().map(file).collect::<Vec<_>>(), Some(Tool::Flyway)).unwrap();
        let round_trip_of = |migration: &crate::Migration| RoundTrip {
            version: migration.version.clone(),
            label: migration.label(),
            route: Route::Session,
            up: None,
            down: match migration.down {
                Some(_) => Down::Ran(Vec::new()),
                None => Down::NotUsable { is_there: false, left: Vec::new() },
            },
            left_open: Vec::new(),
            second_up: None,
            second_differs: Vec::new(),
            longest_stall: None,
            took: Duration::ZERO,
        };
        let round_trips: Vec<RoundTrip> = chain.migrations.iter().map(round_trip_of).collect();
        let mut found = of_trips(&chain, &round_trips);
        let waivers = Waivers::parse(Path::new("x.toml"), waivers, &[]).unwrap();
        apply_waivers(&waivers, &mut found, "2026-01-31", Extent::Files);
        once_for_chain(&chain, &mut found);
        found.into_iter().map(|f| (f.place.object.to_string(), f.found, f.waived.is_some())).collect()
    }

    #[test]
    fn a_chain_without_any_down_migration_is_one_finding_whatever_is_repeatable() {
        let reported = found(&["V1__a.sql", "V2__b.sql", "V3__c.sql", "R__views.sql"], "");
        assert_eq!(reported, [(String::new(), WITHOUT.to_owned(), false)]);
        let reported = found(&["V1__a.sql", "V2__b.sql", "U2__b.sql", "V3__c.sql", "R__views.sql"], "");
        let of: Vec<&str> = reported.iter().map(|(version, ..)| version.as_str()).collect();
        assert_eq!(of, ["1", "3"], "where some have one, the others are named");
    }

    #[test]
    fn what_is_declared_irreversible_stays_waived() {
        let one = |version: u32| {
            format!("[[irreversible]]\nmigration = \"{version}\"\nreason = \"merged\"\nowner = \"ada\"\n")
        };
        let names = ["V1__a.sql", "V2__b.sql", "V3__c.sql"];
        let all = found(&names, &[one(1), one(2), one(3)].concat());
        assert!(all.len() == 3 && all.iter().all(|(.., is_waived)| *is_waived), "{all:?}");
        let reported = found(&names, &one(2));
        let open: Vec<&str> = reported.iter().filter(|f| !f.2).map(|(_, message, _)| message.as_str()).collect();
        assert_eq!(open, [format!("{WITHOUT}; 1 of them waived")]);
    }
}
