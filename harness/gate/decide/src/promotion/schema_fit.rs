//! Decides whether a rollback of code alone can work: what the rehearsals saw of the earlier release on today's schema.

use super::{End, Entry, Health, Kind, Line, Plan, Rehearsal, SchemaFit, StepReport, Tier};
use stagegate_base::text::one_line;

/// Returns what is known of the release from before `run` on today's schema; `journals` are all of the target's, oldest
/// first.
#[must_use]
pub fn schema_fit(run: &str, journals: &[Vec<Line>]) -> SchemaFit {
    let mut since: Vec<(&str, Option<&Rehearsal>)> = Vec::new();
    for lines in journals {
        let Some((plan, Entry::Ended { end: End::Promoted, .. })) = plan_and_last(lines) else { continue };
        match &plan.kind {
            Kind::Promote if plan.run.as_str() >= run => since.push((&plan.run, rehearsal(lines))),
            // What was rolled back with its data has left no schema.
            Kind::Rollback { run, data: true } => since.retain(|(promoted, _)| *promoted < run.as_str()),
            Kind::Promote | Kind::Rollback { .. } => {}
        }
    }
    let changed: Vec<_> = since
        .into_iter()
        .filter(|(_, found)| found.is_none_or(|found| found.tier != Tier::Code || found.cross_versions.is_some()))
        .collect();
    match changed[..] {
        [] => SchemaFit::Unchanged,
        [(of, Some(found))] if of == run => fit(found),
        [_] => SchemaFit::Unknown { reason: "a later release changed the schema".to_owned() },
        _ => SchemaFit::Unknown { reason: format!("{} releases changed the schema since", changed.len()) },
    }
}

fn plan_and_last(lines: &[Line]) -> Option<(&Plan, &Entry)> {
    match &lines.first()?.entry {
        Entry::Started { plan } => Some((plan, &lines.last()?.entry)),
        _ => None,
    }
}

fn rehearsal(lines: &[Line]) -> Option<&Rehearsal> {
    lines.iter().find_map(|line| match &line.entry {
        Entry::Done { report: StepReport::Rehearse(rehearsal) } => Some(rehearsal),
        _ => None,
    })
}

fn fit(rehearsal: &Rehearsal) -> SchemaFit {
    let Some(found) = rehearsal.cross_versions.as_ref().map(|report| &report.live_on_new) else {
        let reason = match rehearsal.start {
            Some(_) => {
                "the release changes the schema when it starts, and its rehearsal did not start the earlier one after that"
            }
            None => "its rehearsal did not start it there (`cross_versions` of [gate])",
        };
        return SchemaFit::Unknown { reason: reason.into() };
    };
    let reason = || found.reasons.first().map_or_else(|| "no reason was recorded".to_owned(), |first| one_line(first));
    match found.health {
        Health::Healthy if found.only_ports => SchemaFit::Unknown {
            reason: "its rehearsal tested only its ports there (set `health` of [services] to a page that reads the database)"
                .into(),
        },
        Health::Healthy => SchemaFit::Healthy,
        Health::Unhealthy => SchemaFit::Unhealthy { reason: reason() },
        Health::Unknown => SchemaFit::Unknown { reason: reason() },
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::{Compatibility, CrossVersionReport, VERSION, tests::plan};
    use super::*;
    use stagegate_base::exit::Exit;

    const FIRST: &str = "20260101-000000-aaaa";
    const SECOND: &str = "20260102-000000-bbbb";

    fn journal(run: &str, kind: Kind, rehearsal: Option<Rehearsal>, end: End) -> Vec<Line> {
        let started = Entry::Started { plan: Box::new(Plan { run: run.to_owned(), ..plan(kind) }) };
        let done = rehearsal.map(|rehearsal| Entry::Done { report: StepReport::Rehearse(rehearsal) });
        let entries = std::iter::once(started).chain(done).chain([Entry::Ended { end, exit: Exit::Passed }]);
        let line = |(seq, entry)| Line {
            v: VERSION,
            seq,
            run: run.to_owned(),
            boot: String::new(),
            wall: String::new(),
            entry,
            prev: String::new(),
        };
        (0..).zip(entries).map(line).collect()
    }

    fn found(tier: Tier, health: Option<Health>) -> Option<Rehearsal> {
        let compatibility = |health| Compatibility {
            health,
            only_ports: false,
            reasons: vec!["migrate exited (code 1):\nunknown revision".into()],
        };
        let cross_versions = health.map(|health| CrossVersionReport {
            live_on_new: compatibility(health),
            candidate_on_old: compatibility(Health::Healthy),
        });
        Some(Rehearsal {
            tier,
            migration_seconds: 1.0,
            impacts: vec![],
            cross_versions,
            start: None,
            earlier: None,
            server_wide: vec![],
            expected: None,
        })
    }

    fn promoted(run: &str, tier: Tier, health: Option<Health>) -> Vec<Line> {
        journal(run, Kind::Promote, found(tier, health), End::Promoted)
    }

    #[rstest]
    #[case::no_change(Tier::Code, None, None)]
    #[case::proven(Tier::Swap, Some(Health::Healthy), None)]
    #[case::decided(Tier::Code, Some(Health::Healthy), None)]
    #[case::broken(Tier::Swap, Some(Health::Unhealthy), Some("was not healthy on the current schema"))]
    #[case::not_known(Tier::Swap, Some(Health::Unknown), None)]
    #[case::switched_off(Tier::Restore, None, None)]
    fn code_alone_is_refused_where_a_rehearsal_saw_it_fail(
        #[case] tier: Tier,
        #[case] health: Option<Health>,
        #[case] refusal: Option<&str>,
    ) {
        let found = schema_fit(FIRST, &[promoted(FIRST, tier, health)]).refusal("v1");
        assert_eq!(found.is_some(), refusal.is_some(), "{found:?}");
        if let Some((found, word)) = found.zip(refusal) {
            assert!(found.contains(word) && found.contains("--with-data"), "{found}");
            assert!(found.contains("--accept-newer-schema") && found.lines().count() == 1, "{found}");
        }
    }

    #[test]
    fn what_came_later_counts_and_what_was_rolled_back_with_its_data_does_not() {
        let healthy = || Some(Health::Healthy);
        let two = [promoted(FIRST, Tier::Swap, healthy()), promoted(SECOND, Tier::Swap, healthy())];
        assert!(matches!(schema_fit(FIRST, &two), SchemaFit::Unknown { .. }));
        assert_eq!(schema_fit(SECOND, &two), SchemaFit::Healthy);
        let kind = Kind::Rollback { run: SECOND.to_owned(), data: true };
        let back = [&two[..], &[journal("20260103-000000-cccc", kind, None, End::Promoted)]].concat();
        assert_eq!(schema_fit(FIRST, &back), SchemaFit::Healthy);
        let failed = [
            promoted(FIRST, Tier::Code, None),
            journal(SECOND, Kind::Promote, found(Tier::Swap, None), End::RolledBack),
        ];
        assert_eq!(schema_fit(FIRST, &failed), SchemaFit::Unchanged);
    }
}
