//! When a run waits for a confirmation, and when it can be confirmed.

use super::*;

fn waiting() -> World {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    world.plan.confirm_within = Some(Span(std::time::Duration::from_secs(60)));
    world
}

fn at(world: &World, count: usize) -> Result<Waits, Unconfirmed> {
    waits(&world.plan, &world.lines[..count])
}

#[test]
fn a_confirmation_is_the_last_step_before_the_point_of_no_return() {
    let mut world = waiting();
    assert_eq!(world.run(), (End::Promoted, Exit::Passed));
    let begun = world.lines.iter().position(|line| matches!(line.entry, Entry::Begun { step: Step::Confirm })).unwrap();
    let after: Vec<&Entry> = world.lines[begun + 1..begun + 3].iter().map(|line| &line.entry).collect();
    assert!(matches!(
        after[..],
        [Entry::Done { report: StepReport::Confirm(_) }, Entry::Decided { decision: Decision::Commit, .. }]
    ));
    assert!(matches!(at(&world, begun), Err(Unconfirmed::NotYet { step: "verify", .. })));
    assert_eq!(at(&world, begun + 1), Ok(Waits::Now));
    assert_eq!(at(&world, begun + 2), Ok(Waits::Confirmed));
    assert_eq!(at(&world, begun + 3), Ok(Waits::Committed));
    assert_eq!(at(&world, world.lines.len()), Ok(Waits::Committed));
}

#[test]
fn a_release_that_nobody_confirms_is_rolled_back_and_cannot_be_confirmed_any_more() {
    let mut world = waiting();
    world.fails = vec![(Step::Confirm, 1)];
    assert_eq!(world.run(), (End::RolledBack, Exit::RolledBack));
    let failed = world.lines.iter().position(|line| matches!(line.entry, Entry::Failed { .. })).unwrap();
    for count in failed + 1..=world.lines.len() {
        assert!(matches!(at(&world, count), Err(Unconfirmed::RolledBack { .. })), "{count}");
    }
}

#[test]
fn a_run_that_was_taken_over_while_it_waited_cannot_be_confirmed() {
    let mut world = waiting();
    world.run();
    let begun = world.lines.iter().position(|line| matches!(line.entry, Entry::Begun { step: Step::Confirm })).unwrap();
    world.lines.truncate(begun + 1);
    let resumed = Line { entry: Entry::Resumed { reason: "by the watchdog".to_owned() }, ..world.lines[begun].clone() };
    world.lines.push(resumed);
    assert!(matches!(at(&world, begun + 2), Err(Unconfirmed::RolledBack { .. })));
    assert!(matches!(next(&world.plan, &world.lines), Move::Decide(Decision::Rollback, _)));
}

#[test]
fn nobody_confirms_what_needs_no_confirmation() {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    assert_eq!(world.run(), (End::Promoted, Exit::Passed));
    assert!(!world.has_begun(Step::Confirm));
    assert!(matches!(at(&world, 2), Err(Unconfirmed::NotRequired { .. })));
}
