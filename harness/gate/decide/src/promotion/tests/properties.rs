//! What holds of every journal, whatever was written into it and wherever it was cut.

use proptest::prelude::*;

use super::*;
use crate::readiness::Band;
use stagegate_data_decide::volume::CopyMethod;
use stagegate_performance_decide::Cost;

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("\\PC{0,12}", 0..3)
}

/// Seconds as a clock gives them, with digits that no short text holds.
fn seconds() -> impl Strategy<Value = f64> {
    -1e12..1e12
}

fn tier() -> impl Strategy<Value = Tier> {
    prop::sample::select(vec![Tier::Code, Tier::Swap, Tier::Restore])
}

fn checks() -> impl Strategy<Value = Checks> {
    ("\\PC{0,12}", texts(), texts()).prop_map(|(summary, warnings, log_errors)| Checks {
        summary,
        warnings,
        log_errors,
    })
}

fn contract() -> impl Strategy<Value = ContractReport> {
    prop_oneof![
        "\\PC{0,12}".prop_map(|reason| ContractReport::NotCompared { reason }),
        (any::<[usize; 3]>(), texts()).prop_map(|([breaking, warnings, compatible], first)| {
            ContractReport::Compared { breaking, warnings, compatible, first }
        }),
    ]
}

fn validation() -> impl Strategy<Value = Validation> {
    let contracts = prop::collection::btree_map("[a-z]{1,6}", contract(), 0..3);
    let band = prop::option::of(prop::sample::select(vec![Band::Ready, Band::Caution, Band::NotReady]));
    let score = prop::option::of(0..=100_u8);
    let readiness = prop::option::of((score, band).prop_map(|(score, band)| ReadinessReport { score, band }));
    (checks(), contracts, readiness).prop_map(|(checks, contracts, readiness)| Validation {
        checks,
        contracts,
        readiness,
    })
}

fn cost() -> impl Strategy<Value = Cost> {
    (any::<u64>(), prop::option::of(any::<u64>()), prop::option::of(seconds()))
        .prop_map(|(requests, memory, cpu_ns)| Cost { requests, memory, cpu_ns, ..Cost::default() })
}

fn preparation() -> impl Strategy<Value = Preparation> {
    let probe = ("[a-z]{1,6}", "\\PC{0,12}", seconds(), prop::option::of([cost(), cost()]))
        .prop_map(|(probe, result, seconds, costs)| PerformanceReport { probe, result, seconds, costs });
    (texts(), prop::collection::vec(probe, 0..3))
        .prop_map(|(services, performance)| Preparation { services, performance })
}

fn volume_copies() -> impl Strategy<Value = VolumeCopies> {
    let way = prop::sample::select(vec![CopyMethod::Reflink, CopyMethod::Plain]);
    let one = ("[a-z]{1,6}", any::<u64>(), any::<u64>(), way, seconds())
        .prop_map(|(id, bytes, entries, way, seconds)| CopiedVolume { id, bytes, entries, way, seconds });
    (prop::collection::vec(one, 0..3), seconds()).prop_map(|(volumes, seconds)| VolumeCopies { volumes, seconds })
}

fn volume_rollback() -> impl Strategy<Value = VolumeRollback> {
    let one = ("[a-z]{1,6}", prop::option::of("/\\PC{0,12}"), any::<u64>())
        .prop_map(|(id, kept, entries)| SwitchedVolume { id, kept_as: kept.map(PathBuf::from), entries });
    let left = ("\\PC{0,12}", "\\PC{0,12}").prop_map(|(name, why)| Leftover { name, why });
    let lists = (prop::collection::vec(one, 0..3), prop::collection::vec(left, 0..2));
    (lists, seconds()).prop_map(|((volumes, left), switch_seconds)| VolumeRollback { volumes, switch_seconds, left })
}

fn compatibility() -> impl Strategy<Value = Compatibility> {
    let health = prop::sample::select(vec![Health::Healthy, Health::Unhealthy, Health::Unknown]);
    (health, any::<bool>(), texts()).prop_map(|(health, only_ports, reasons)| Compatibility {
        health,
        only_ports,
        reasons,
    })
}

fn rehearsal() -> impl Strategy<Value = Rehearsal> {
    let impact = ("[a-z]{1,6}", "\\PC{0,12}", prop::option::of(any::<u64>()))
        .prop_map(|(database, summary, longest_stall_ms)| Impact { database, summary, longest_stall_ms });
    let cross_versions = (compatibility(), compatibility())
        .prop_map(|(live_on_new, candidate_on_old)| CrossVersionReport { live_on_new, candidate_on_old });
    let start = prop_oneof![
        Just(StartReport::Unchanged),
        Just(StartReport::Changed),
        "\\PC{0,12}".prop_map(|reason| StartReport::Unknown { reason }),
    ];
    let (impacts, start) = (prop::collection::vec(impact, 0..3), prop::option::of(start));
    (tier(), seconds(), impacts, prop::option::of(cross_versions), start).prop_map(
        |(tier, migration_seconds, impacts, cross_versions, start)| Rehearsal {
            tier,
            migration_seconds,
            impacts,
            cross_versions,
            start,
            earlier: None,
            server_wide: Vec::new(),
            expected: Some(ExpectedRollback { checks_seconds: migration_seconds, ..ExpectedRollback::default() }),
        },
    )
}

fn left() -> impl Strategy<Value = Vec<Leftover>> {
    prop::collection::vec(("\\PC{0,12}", "\\PC{0,12}").prop_map(|(name, why)| Leftover { name, why }), 0..3)
}

fn step_report() -> impl Strategy<Value = StepReport> {
    prop_oneof![
        prop::sample::select(vec![
            StepReport::Preflight,
            StepReport::OpenPorts,
            StepReport::StartPrevious,
            StepReport::Notify
        ]),
        validation().prop_map(StepReport::Validate),
        preparation().prop_map(StepReport::Prepare),
        (any::<u64>(), any::<u64>(), "\\PC{0,12}").prop_map(|(rows, bytes, tag)| StepReport::BackUp(Backup {
            rows,
            bytes,
            tag
        })),
        rehearsal().prop_map(StepReport::Rehearse),
        (texts(), prop::option::of("\\PC{0,12}"))
            .prop_map(|(stopped, watchdog)| StepReport::Freeze(Freeze { stopped, watchdog })),
        (tier(), seconds()).prop_map(|(tier, seconds)| StepReport::Clone(Copies { tier, seconds })),
        (seconds(), prop::option::of(volume_rollback()))
            .prop_map(|(seconds, volumes)| StepReport::Migrate(Migrations { seconds, volumes })),
        volume_copies().prop_map(StepReport::CopyVolumes),
        (prop::sample::select(vec![Ports::Closed, Ports::Open]), texts(), prop::option::of("\\PC{0,12}"))
            .prop_map(|(ports, reachable, watchdog)| StepReport::Deploy(Deployment { ports, reachable, watchdog })),
        checks().prop_map(StepReport::Verify),
        (texts(), any::<[u64; 3]>(), texts(), checks()).prop_map(
            |(services, [ready_ms, drained_ms, cut], canary, checks)| {
                StepReport::MoveTraffic(MovedTraffic { services, ready_ms, drained_ms, cut, canary, checks })
            }
        ),
        (prop::option::of("\\PC{0,12}"), any::<u64>())
            .prop_map(|(by, waited_ms)| StepReport::Confirm(Confirmed { by, waited_ms })),
        (checks(), texts())
            .prop_map(|(checks, kept_rows)| RollbackChecks {
                checks,
                server_wide: kept_rows.clone(),
                late: kept_rows.first().cloned(),
                kept_rows,
                volumes: Vec::new(),
            })
            .prop_map(StepReport::VerifyRollback),
        (texts(), left()).prop_map(|(rollback_points, left)| StepReport::Prune(Pruned { rollback_points, left })),
    ]
}

fn undo_report() -> impl Strategy<Value = UndoReport> {
    let switched = ("\\PC{0,12}", "\\PC{0,12}", proptest::collection::vec("\\PC{0,12}", 0..2)).prop_map(
        |(database, kept_as, emptied)| SwitchedDatabase { database, kept_as, differs: emptied.clone(), emptied },
    );
    prop_oneof![
        prop::sample::select(vec![
            UndoReport::Preflight,
            UndoReport::Validate,
            UndoReport::Prepare,
            UndoReport::BackUp,
            UndoReport::Rehearse,
            UndoReport::Freeze,
            UndoReport::Verify
        ]),
        left().prop_map(|left| UndoReport::Clone(KeptCopies { left })),
        (prop::collection::vec(switched, 0..3), seconds())
            .prop_map(|(databases, switch_seconds)| UndoReport::Migrate(DataRollback { databases, switch_seconds })),
        volume_rollback().prop_map(UndoReport::CopyVolumes),
        (texts(), any::<[u64; 2]>()).prop_map(|(services, [moved_ms, cut])| UndoReport::MoveTraffic(TrafficBack {
            services,
            moved_ms,
            cut
        })),
        texts().prop_map(|files| {
            let env_files = files.into_iter().map(PathBuf::from).collect();
            UndoReport::Deploy(ConfigurationRollback { env_files })
        }),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let step = prop::sample::select(vec![Step::Prepare, Step::BackUp, Step::Freeze, Step::Migrate, Step::Verify]);
    prop_oneof![
        step.clone().prop_map(|step| Entry::Begun { step }),
        step_report().prop_map(|report| Entry::Done { report }),
        undo_report().prop_map(|report| Entry::Undone { report }),
        (step.clone(), "\\PC{0,20}").prop_map(|(step, reason)| Entry::Failed { step, reason, exit: Exit::Held }),
        (step, "\\PC{0,20}\n").prop_map(|(step, reason)| Entry::UndoFailed { step, reason }),
        "\\PC{0,20}".prop_map(|reason| Entry::Decided { decision: Decision::Rollback, reason }),
    ]
}

/// Writes a journal as the gate does, and returns its lines with where each ends.
fn written(entries: Vec<Entry>) -> (String, Vec<Line>, Vec<usize>) {
    let first = Entry::Started { plan: Box::new(plan(Kind::Promote)) };
    let (mut text, mut lines, mut ends, mut prev) = (String::new(), Vec::new(), Vec::new(), String::new());
    for (seq, entry) in std::iter::once(first).chain(entries).enumerate() {
        let (v, run, boot, wall) = (VERSION, "r".to_owned(), "b".to_owned(), "t".to_owned());
        let line = Line { v, seq: seq as u64, run, boot, wall, entry, prev };
        let (one, hash) = chained(&line).unwrap();
        (text, prev) = (text + &one, hash);
        ends.push(text.len());
        lines.push(line);
    }
    (text, lines, ends)
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(chain) = read(&bytes) {
            prop_assert_eq!(chain, Chain::default());
        }
    }

    #[test]
    fn a_journal_is_read_as_it_was_written_and_goes_on_with_the_same_hash(
        entries in prop::collection::vec(entry(), 0..8),
    ) {
        let (text, lines, _) = written(entries);
        let found = read(text.as_bytes()).unwrap();
        prop_assert_eq!(&found.lines, &lines);
        prop_assert_eq!(found.bytes, text.len());
        // Who resumes a run continues the chain: its head is the hash of the last line as it was written.
        let (_, head) = chained(lines.last().unwrap()).unwrap();
        prop_assert_eq!(found.head, head);
    }

    #[test]
    fn a_journal_that_is_cut_anywhere_keeps_its_whole_lines(
        entries in prop::collection::vec(entry(), 0..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let (text, lines, ends) = written(entries);
        let cut = cut.index(text.len() + 1);
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let found = read(&text.as_bytes()[..cut]).unwrap();
        prop_assert_eq!(&found.lines[..], &lines[..whole]);
        prop_assert_eq!(found.bytes, if whole == 0 { 0 } else { ends[whole - 1] });
    }

    #[test]
    fn a_byte_that_changed_before_the_last_line_is_found(
        entries in prop::collection::vec(entry(), 1..6),
        at in any::<prop::sample::Index>(),
        bits in 1..=255_u8,
    ) {
        let (text, _, ends) = written(entries);
        let mut bytes = text.into_bytes();
        let at = at.index(ends[ends.len() - 2]);
        bytes[at] ^= bits;
        prop_assert!(read(&bytes).is_err());
    }
}
