//! Volumes in a run whose rows stay.

use super::*;

pub(in crate::promotion) fn volume() -> PlanVolume {
    PlanVolume {
        id: "uploads".into(),
        volume: "shop-production_uploads".into(),
        parent: PathBuf::from("/var/lib/docker/volumes/shop-production_uploads"),
        live: "_data".into(),
        services: vec!["api".into()],
        redis: vec![],
        size: Size(1 << 30),
        entries: 1200,
        way: stagegate_data_decide::volume::CopyMethod::Plain,
        expected: Span(std::time::Duration::from_secs(4)),
        stays: None,
    }
}

#[test]
fn a_release_that_changes_no_rows_still_has_the_volumes_copied_that_it_can_write() {
    let mut world = World::new(Kind::Promote, Tier::Code);
    world.fails = vec![(Step::Verify, 1)];
    assert_eq!(world.run(), (End::RolledBack, Exit::RolledBack));
    assert!(world.has_undone(Step::CopyVolumes) && world.has_undone(Step::Freeze));
    assert!(!world.has_begun(Step::Clone) && !world.has_begun(Step::Migrate));
    let mut world = World::new(Kind::Promote, Tier::Code);
    world.plan.volumes[0].stays = Some("no service of either release can write it".into());
    assert_eq!(world.run(), (End::Promoted, Exit::Passed));
    assert!(!world.has_begun(Step::Freeze) && !world.has_begun(Step::CopyVolumes));
}

#[test]
fn a_switched_volume_states_where_the_failed_content_is() {
    let volume = |kept_as: Option<&str>| SwitchedVolume {
        id: "uploads".into(),
        kept_as: kept_as.map(PathBuf::from),
        entries: 12,
    };
    let rollback = VolumeRollback {
        volumes: vec![volume(Some("/v/.stagegate/_data.failed.1")), volume(None)],
        switch_seconds: 0.004,
        left: vec![],
    };
    let want = "switched in 0.00 s: uploads (12 entries as before; what was live is kept in \
                /v/.stagegate/_data.failed.1), uploads (nothing was written)";
    assert_eq!(UndoReport::CopyVolumes(rollback).text(), want);
}
