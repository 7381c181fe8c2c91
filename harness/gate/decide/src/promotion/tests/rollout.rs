//! When requests are moved, and that they are moved back first.

use super::*;

#[rstest]
#[case::no_data_changes(Tier::Code, true, true)]
#[case::data_changes(Tier::Swap, true, false)]
#[case::no_service_is_named(Tier::Code, false, false)]
fn requests_are_moved_after_the_checks_where_no_data_changes(
    #[case] tier: Tier,
    #[case] is_named: bool,
    #[case] want: bool,
) {
    let mut world = World::new(Kind::Promote, tier);
    world.plan.volumes.clear();
    let services = is_named.then(|| ("web".to_owned(), vec!["web-80".to_owned()])).into_iter().collect();
    let drain = Span(std::time::Duration::from_secs(30));
    world.plan.rollout = Some(PlanRollout { services, drain, canary: None, recreated: None });
    world.fails = vec![(Step::MoveTraffic, 1)];
    let end = if want { (End::RolledBack, Exit::RolledBack) } else { (End::Promoted, Exit::Passed) };
    assert_eq!(world.run(), end);
    assert_eq!(world.has_begun(Step::MoveTraffic), want);
    let undone = |step: Step| {
        world.lines.iter().position(|line| matches!(&line.entry, Entry::UndoBegun { step: s } if *s == step))
    };
    assert!(!want || undone(Step::MoveTraffic) < undone(Step::Deploy), "requests go first");
}
