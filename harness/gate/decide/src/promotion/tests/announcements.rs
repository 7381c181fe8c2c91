//! Who hears of the end of a run, and how often.

use std::path::Path;

use rstest::rstest;

use super::*;

/// Returns how a run of this world is announced at each of its steps to notify, in their order.
fn announced(world: &World) -> Vec<(End, Exit)> {
    let is_it = |line: &Line| matches!(line.entry, Entry::Begun { step: Step::Notify });
    let at = world.lines.iter().enumerate().filter(|(_, line)| is_it(line)).map(|(at, _)| at);
    at.map(|at| coming_end(&world.plan, &world.lines[..=at]).expect("it ends next")).collect()
}

#[rstest]
#[case::promoted(&[], &[], (End::Promoted, Exit::Passed))]
#[case::blocked(&[(Step::Rehearse, 1)], &[], (End::Blocked, Exit::Held))]
#[case::rolled_back(&[(Step::Verify, 1)], &[], (End::RolledBack, Exit::RolledBack))]
#[case::not_verified(&[(Step::Verify, 1), (Step::VerifyRollback, 1)], &[], (End::NotVerified, Exit::PersonNeeded))]
#[case::stuck_forward(&[(Step::OpenPorts, 3)], &[], (End::Stuck, Exit::PersonNeeded))]
#[case::stuck_in_an_undo(&[(Step::Verify, 1)], &[(Step::Migrate, 3)], (End::Stuck, Exit::PersonNeeded))]
#[case::stuck_with_nothing_touched(&[(Step::Rehearse, 1)], &[(Step::Prepare, 3)], (End::Stuck, Exit::PersonNeeded))]
#[case::stuck_at_the_start(&[(Step::Verify, 1), (Step::StartPrevious, 3)], &[], (End::Stuck, Exit::PersonNeeded))]
fn each_end_is_announced_once_as_what_it_is(
    #[case] fails: &[(Step, usize)],
    #[case] undo_fails: &[(Step, usize)],
    #[case] end: (End, Exit),
    #[values(0, 1)] notify_fails: usize,
) {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    (world.fails, world.undo_fails) = (fails.to_vec(), undo_fails.to_vec());
    world.fails.push((Step::Notify, notify_fails));
    assert_eq!(world.run(), end, "a receiver changes no end");
    assert_eq!(announced(&world), [end]);
}

#[test]
fn back_but_not_verified_is_never_called_rolled_back() {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    world.fails = vec![(Step::Deploy, 1), (Step::VerifyRollback, 1)];
    assert_eq!(world.run(), (End::NotVerified, Exit::PersonNeeded));
}

#[test]
fn a_stuck_run_that_is_resumed_and_gets_stuck_again_is_announced_again() {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    world.fails = vec![(Step::OpenPorts, 6)];
    for times in 1..=2 {
        assert_eq!(world.run(), (End::Stuck, Exit::PersonNeeded));
        assert_eq!(announced(&world).len(), times);
        world.write(Entry::Resumed { reason: "by a person".into() });
    }
    assert_eq!(world.run(), (End::Promoted, Exit::Passed));
    assert_eq!(announced(&world).last(), Some(&(End::Promoted, Exit::Passed)));
    assert_eq!(announced(&world).len(), 3);
}

/// A process that is killed after any line: the end that its run comes to was announced after the last thing that the run did.
#[rstest]
#[case::good(vec![], vec![])]
#[case::failing(vec![(Step::Verify, 1)], vec![])]
#[case::stuck(vec![(Step::OpenPorts, 3)], vec![])]
#[case::stuck_back(vec![(Step::Verify, 1)], vec![(Step::Freeze, 3)])]
#[case::not_verified(vec![(Step::Verify, 1), (Step::VerifyRollback, 2)], vec![])]
fn no_end_is_written_that_was_not_announced(#[case] fails: Vec<(Step, usize)>, #[case] undo_fails: Vec<(Step, usize)>) {
    let mut whole = World::new(Kind::Promote, Tier::Swap);
    (whole.fails, whole.undo_fails) = (fails, undo_fails);
    let _ = whole.run();
    for cut in 1..whole.lines.len() {
        let mut killed = World::new(Kind::Promote, Tier::Swap);
        killed.lines = whole.lines[..cut].to_vec();
        killed.write(Entry::Resumed { reason: "killed".into() });
        let end = killed.run();
        assert_eq!(announced(&killed).last(), Some(&end), "killed after line {cut}");
        // Twice where the process died before the line that it was sent, or where it got new tries.
        assert!((1..=2).contains(&announced(&killed).len()), "killed after line {cut}");
    }
}

#[test]
fn a_stuck_run_states_what_fails_why_it_turned_and_what_to_do() {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    (world.fails, world.undo_fails) = (vec![(Step::Verify, 1)], vec![(Step::Migrate, 3)]);
    let _ = world.run();
    let at = world.lines.iter().position(|line| matches!(line.entry, Entry::Begun { step: Step::Notify })).unwrap();
    let message = announcement(&world.plan, &world.lines[..=at], (Path::new("/run"), &[]));
    assert_eq!(message["end"], "stuck");
    assert_eq!((&message["exit"], &message["urgent"], &message["promoted"]), (&6.into(), &true.into(), &false.into()));
    assert_eq!(message["reason"], "undo of migrate failed: broke; the run turned back since verify failed: broke");
    let next = message["next"].as_array().unwrap();
    assert!(next.iter().any(|line| line == "gate resume --env production"), "{next:?}");
}

#[test]
fn ports_that_do_not_open_are_not_announced_as_promoted() {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    world.fails = vec![(Step::OpenPorts, 3)];
    let _ = world.run();
    let message = announcement(&world.plan, &world.lines[..world.lines.len() - 2], (Path::new("/run"), &[]));
    assert_eq!((&message["end"], &message["promoted"]), (&"stuck".into(), &false.into()));
    assert_eq!(message["reason"], "turn traffic on failed: broke");
}

#[test]
fn a_receiver_that_failed_is_not_why_a_run_did_not_go_through() {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    let _ = world.run();
    let deployed = world.lines.iter().position(|line| matches!(line.entry, Entry::Begun { step: Step::Deploy }));
    world.lines.truncate(deployed.unwrap() + 1);
    world.write(Entry::Resumed { reason: "killed".into() });
    world.fails = vec![(Step::Notify, 1)];
    assert_eq!(world.run().0, End::RolledBack);
    assert_eq!(reason(&world.lines), Some("the run was interrupted during: deploy"));
}
