//! A report a step, as small as it can be.

use super::*;

/// Returns a report as small as a step's report can be.
pub(super) fn report(step: Step, tier: Tier) -> StepReport {
    let rehearsal = Rehearsal {
        tier,
        migration_seconds: 1.0,
        impacts: vec![],
        cross_versions: None,
        start: None,
        earlier: None,
        server_wide: vec![],
        expected: None,
    };
    let backup = Backup { rows: 1, bytes: 1, tag: "rollback-1".into() };
    match step {
        Step::Preflight => StepReport::Preflight,
        Step::Validate => StepReport::Validate(Validation::default()),
        Step::Prepare => StepReport::Prepare(Preparation::default()),
        Step::BackUp => StepReport::BackUp(backup),
        Step::Rehearse => StepReport::Rehearse(rehearsal),
        Step::Freeze => StepReport::Freeze(Freeze::default()),
        Step::Clone => StepReport::Clone(Copies { tier, seconds: 1.0 }),
        Step::CopyVolumes => StepReport::CopyVolumes(VolumeCopies::default()),
        Step::Migrate => StepReport::Migrate(Migrations { seconds: 1.0, volumes: None }),
        Step::Deploy => StepReport::Deploy(Deployment { ports: Ports::Closed, reachable: Vec::new(), watchdog: None }),
        Step::Verify => StepReport::Verify(Checks::default()),
        Step::MoveTraffic => StepReport::MoveTraffic(MovedTraffic::default()),
        Step::Confirm => StepReport::Confirm(Confirmed::default()),
        Step::OpenPorts => StepReport::OpenPorts,
        Step::StartPrevious => StepReport::StartPrevious,
        Step::VerifyRollback => StepReport::VerifyRollback(RollbackChecks::default()),
        Step::Notify => StepReport::Notify,
        Step::Prune => StepReport::Prune(Pruned::default()),
    }
}

pub(super) fn undo_report(step: Step) -> UndoReport {
    match step {
        Step::Validate => UndoReport::Validate,
        Step::Prepare => UndoReport::Prepare,
        Step::BackUp => UndoReport::BackUp,
        Step::Rehearse => UndoReport::Rehearse,
        Step::Freeze => UndoReport::Freeze,
        Step::Clone => UndoReport::Clone(KeptCopies::default()),
        Step::CopyVolumes => UndoReport::CopyVolumes(VolumeRollback::default()),
        Step::Migrate => UndoReport::Migrate(DataRollback { databases: vec![], switch_seconds: 1.0 }),
        Step::Deploy => UndoReport::Deploy(ConfigurationRollback::default()),
        Step::Verify => UndoReport::Verify,
        Step::MoveTraffic => UndoReport::MoveTraffic(TrafficBack::default()),
        Step::Confirm => UndoReport::Confirm,
        _ => UndoReport::Preflight,
    }
}
