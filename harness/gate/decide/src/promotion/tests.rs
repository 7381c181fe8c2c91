use std::path::PathBuf;

use rstest::rstest;

use super::*;
use stagegate_base::{
    config::{Integrity, PortsMode},
    exit::Exit,
    release::Release,
    subfolder::Subfolder,
    units::{Size, Span},
};

use reports::{report, undo_report};

pub(super) fn plan(kind: Kind) -> Plan {
    let seconds = |n| Span(std::time::Duration::from_secs(n));
    Plan {
        readiness_needed: (kind == Kind::Promote).then_some(90),
        kind,
        run: "20260102-030405-ab12".into(),
        state: "00112233445566aa".into(),
        environments: Environments { source: "staging".into(), target: "production".into() },
        project: "shop-production".into(),
        release: Release { commit: "b".repeat(40), name: "v2".into() },
        previous: Release { commit: "a".repeat(40), name: "v1".into() },
        repository: PathBuf::from("/srv/shop"),
        subfolder: Subfolder::default(),
        workdir: PathBuf::from("/srv/shop-production"),
        env_files: vec![],
        tag: rollback_tag("20260102-030405-ab12"),
        new_databases: Vec::new(),
        databases: vec![PlanDatabase {
            id: "main".into(),
            service: "db".into(),
            name: "shop".into(),
            role: "shop".into(),
            password_variable: "POSTGRES_PASSWORD".into(),
            ca: None,
            is_limited: false,
            migrations: Some("migrate".into()),
            rows_may_fall: vec![],
            size: Size(1 << 20),
            notes: vec![],
        }],
        volumes: vec![volumes::volume()],
        freeze: vec!["web".into(), "api".into()],
        public: vec!["web".into()],
        reachable: Vec::new(),
        ports: PortsMode::Closed,
        tier: stagegate_base::config::Tier::Auto,
        integrity: Integrity::Checksums,
        services: vec![],
        source: std::collections::BTreeMap::new(),
        rows_since: vec![],
        schema_fit: None,
        rehearses_rollback: false,
        stop_grace: seconds(0),
        verify_within: seconds(300),
        rollback_within: Some(seconds(300)),
        ready_within: seconds(60),
        soak: seconds(10),
        confirm_within: None,
        migrate_within: seconds(600),
        backup_within: seconds(600),
        keep: 5,
        accept_caution: false,
        watchdog: Some(seconds(1_800)),
        by: None,
        file: None,
        trace_parent: None,
        rollout: None,
        cross_versions: stagegate_base::config::CrossVersions::Tell,
        longest_stall: None,
    }
}

/// A world that responds each move; `fails` states which steps end badly, and how often.
struct World {
    plan: Plan,
    tier: Tier,
    fails: Vec<(Step, usize)>,
    undo_fails: Vec<(Step, usize)>,
    lines: Vec<Line>,
}

impl World {
    fn new(kind: Kind, tier: Tier) -> Self {
        let plan = plan(kind);
        let mut world = World { plan: plan.clone(), tier, fails: vec![], undo_fails: vec![], lines: vec![] };
        world.write(Entry::Started { plan: Box::new(plan) });
        world
    }

    fn write(&mut self, entry: Entry) {
        let (seq, run) = (self.lines.len() as u64, self.plan.run.clone());
        self.lines.push(Line { v: VERSION, seq, run, boot: "b".into(), wall: "t".into(), entry, prev: String::new() });
    }

    fn ends_badly(list: &mut [(Step, usize)], step: Step) -> bool {
        match list.iter_mut().find(|(s, left)| *s == step && *left > 0) {
            Some((_, left)) => {
                *left -= 1;
                true
            }
            None => false,
        }
    }

    fn run(&mut self) -> (End, Exit) {
        for _ in 0..200 {
            match next(&self.plan, &self.lines) {
                Move::Do(step) => {
                    self.write(Entry::Begun { step });
                    if Self::ends_badly(&mut self.fails, step) {
                        self.write(Entry::Failed { step, reason: "broke".into(), exit: Exit::Held });
                    } else {
                        self.write(Entry::Done { report: report(step, self.tier) });
                    }
                }
                Move::Undo(step) => {
                    self.write(Entry::UndoBegun { step });
                    if Self::ends_badly(&mut self.undo_fails, step) {
                        self.write(Entry::UndoFailed { step, reason: "broke".into() });
                    } else {
                        self.write(Entry::Undone { report: undo_report(step) });
                    }
                }
                Move::Decide(decision, reason) => self.write(Entry::Decided { decision, reason }),
                Move::End(end, exit) => self.write(Entry::Ended { end, exit }),
                Move::Rest(end, exit) => return (end, exit),
            }
        }
        panic!("the run does not end: {:?}", self.lines.last());
    }

    fn has(&self, wanted: impl Fn(&Entry) -> bool) -> bool {
        self.lines.iter().any(|line| wanted(&line.entry))
    }

    fn has_begun(&self, step: Step) -> bool {
        self.has(|e| matches!(e, Entry::Begun { step: s } if *s == step))
    }

    fn has_undone(&self, step: Step) -> bool {
        self.has(|e| matches!(e, Entry::Undone { report } if report.step() == step))
    }
}

#[test]
fn a_good_release_is_promoted_in_order() {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    assert_eq!(world.run(), (End::Promoted, Exit::Passed));
    let steps: Vec<Step> = world
        .lines
        .iter()
        .filter_map(|line| match line.entry {
            Entry::Begun { step } => Some(step),
            _ => None,
        })
        .collect();
    let mut wanted = [&Step::FORWARD[..], &Step::AFTER_COMMIT[..]].concat();
    wanted.retain(|step| ![Step::MoveTraffic, Step::Confirm].contains(step));
    assert_eq!(steps, wanted, "nothing is to be replaced without downtime, and nobody has to confirm");
}

#[test]
fn a_release_that_changes_no_data_neither_freezes_nor_migrates() {
    let mut world = World::new(Kind::Promote, Tier::Code);
    world.plan.volumes.clear();
    assert_eq!(world.run(), (End::Promoted, Exit::Passed));
    assert!(!world.has_begun(Step::Freeze) && !world.has_begun(Step::Migrate));
}

#[test]
fn a_signal_is_responded_by_what_the_run_does_with_it() {
    assert!(interrupt_text(None, 1).starts_with("interrupted: rolling back"));
    assert!(interrupt_text(None, 2).starts_with("still rolling back"));
    assert!(interrupt_text(Some(Decision::Rollback), 1).starts_with("still rolling back"));
    assert!(interrupt_text(Some(Decision::Commit), 1).contains("the release stays"));
}

#[rstest]
#[case(Step::Preflight, End::Blocked, Exit::Held)]
#[case(Step::Validate, End::Blocked, Exit::Held)]
#[case(Step::Prepare, End::Blocked, Exit::Held)]
#[case(Step::BackUp, End::Blocked, Exit::Held)]
#[case(Step::Rehearse, End::Blocked, Exit::Held)]
#[case(Step::Freeze, End::RolledBack, Exit::RolledBack)]
#[case(Step::Clone, End::RolledBack, Exit::RolledBack)]
#[case(Step::CopyVolumes, End::RolledBack, Exit::RolledBack)]
#[case(Step::Migrate, End::RolledBack, Exit::RolledBack)]
#[case(Step::Deploy, End::RolledBack, Exit::RolledBack)]
#[case(Step::Verify, End::RolledBack, Exit::RolledBack)]
fn a_step_that_fails_before_the_commit_line_is_undone_with_all_before_it(
    #[case] step: Step,
    #[case] end: End,
    #[case] exit: Exit,
) {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    world.fails = vec![(step, 1)];
    assert_eq!(world.run(), (end, exit));
    for earlier in Step::FORWARD.into_iter().take_while(|s| *s != step).chain([step]) {
        assert!(world.has_undone(earlier), "{earlier:?} was begun and is not undone");
    }
    assert_eq!(world.has_begun(Step::StartPrevious), end == End::RolledBack);
    assert!(world.has_begun(Step::Notify));
}

#[test]
fn after_the_commit_line_nothing_is_undone() {
    for step in Step::AFTER_COMMIT {
        let mut world = World::new(Kind::Promote, Tier::Swap);
        world.fails = vec![(step, 1)];
        assert_eq!(world.run(), (End::Promoted, Exit::Passed), "{step:?}");
        assert!(!world.has(|e| matches!(e, Entry::UndoBegun { .. })));
    }
}

#[test]
fn ports_that_do_not_open_need_manual_action_and_new_tries_may_end_it_well() {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    world.fails = vec![(Step::OpenPorts, 3)];
    assert_eq!(world.run(), (End::Stuck, Exit::PersonNeeded));
    world.write(Entry::Resumed { reason: "by a person".into() });
    assert_eq!(world.run(), (End::Promoted, Exit::Passed));
}

#[test]
fn an_undo_is_tried_again_and_then_a_person_is_needed() {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    world.fails = vec![(Step::Verify, 1)];
    world.undo_fails = vec![(Step::Migrate, 2)];
    assert_eq!(world.run(), (End::RolledBack, Exit::RolledBack));
    let mut world = World::new(Kind::Promote, Tier::Swap);
    world.fails = vec![(Step::Verify, 1)];
    world.undo_fails = vec![(Step::Migrate, 3)];
    assert_eq!(world.run(), (End::Stuck, Exit::PersonNeeded));
    assert!(!world.has_undone(Step::Freeze), "what comes before a stuck undo is left alone");
}

/// The heart of it: wherever a run is killed, also twice, the next one ends it, all forward or all back.
#[rstest]
#[case::good(vec![])]
#[case::failing(vec![(Step::Verify, 1)])]
fn a_run_that_is_killed_after_any_line_ends_whole(
    #[case] fails: Vec<(Step, usize)>,
    #[values(Tier::Code, Tier::Swap, Tier::Restore)] tier: Tier,
) {
    let mut whole = World::new(Kind::Promote, tier);
    whole.fails.clone_from(&fails);
    let _ = whole.run();
    for first in 1..whole.lines.len() {
        let mut killed = World::new(Kind::Promote, tier);
        killed.lines = whole.lines[..first].to_vec();
        killed.write(Entry::Resumed { reason: "killed".into() });
        let _ = killed.run();
        assert_is_whole(&killed);
        for second in first + 1..killed.lines.len() {
            let mut again = World::new(Kind::Promote, tier);
            again.lines = killed.lines[..second].to_vec();
            again.write(Entry::Resumed { reason: "killed again".into() });
            let _ = again.run();
            assert_is_whole(&again);
        }
    }
}

#[test]
fn a_run_that_is_killed_between_its_last_step_and_the_decision_turns_back() {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    let _ = world.run();
    let decided = world.lines.iter().position(|line| matches!(line.entry, Entry::Decided { .. })).unwrap();
    world.lines.truncate(decided);
    world.write(Entry::Resumed { reason: "killed".into() });
    assert_eq!(world.run(), (End::RolledBack, Exit::RolledBack));
}

fn assert_is_whole(world: &World) {
    let committed = world.has(|e| matches!(e, Entry::Decided { decision: Decision::Commit, .. }));
    let decisions = world.lines.iter().filter(|l| matches!(l.entry, Entry::Decided { .. })).count();
    assert_eq!(decisions, 1, "a run turns once");
    let Some(Entry::Ended { end, .. }) = world.lines.last().map(|line| &line.entry) else { panic!("no end") };
    if committed {
        assert_eq!(*end, End::Promoted);
        assert!(!world.has(|e| matches!(e, Entry::UndoBegun { .. })));
        return;
    }
    assert!(matches!(end, End::RolledBack | End::Blocked | End::Aborted), "{end:?}");
    for step in Step::FORWARD.into_iter().filter(|step| world.has_begun(*step)) {
        assert!(world.has_undone(step), "{step:?} was begun and is not undone");
    }
    let touched = Step::FORWARD.into_iter().any(|step| step.touches_target() && world.has_begun(step));
    assert_eq!(touched, *end == End::RolledBack);
}

#[test]
fn a_rollback_of_code_alone_touches_no_data() {
    let mut world = World::new(Kind::Rollback { run: "r".into(), data: false }, Tier::Swap);
    assert_eq!(world.run(), (End::Promoted, Exit::Passed));
    assert!(!world.has_begun(Step::Migrate) && !world.has_begun(Step::Validate));
    let mut world = World::new(Kind::Rollback { run: "r".into(), data: true }, Tier::Swap);
    let _ = world.run();
    assert!(world.has_begun(Step::Migrate) && world.has_begun(Step::BackUp));
}

#[test]
fn a_rollback_of_code_alone_that_fails_its_rehearsal_touches_nothing() {
    let mut world = World::new(Kind::Rollback { run: "r".into(), data: false }, Tier::Code);
    world.plan.rehearses_rollback = true;
    assert_eq!(world.run(), (End::Promoted, Exit::Passed));
    assert!(world.has_begun(Step::Rehearse) && !world.has_begun(Step::Migrate));
    let mut world = World::new(Kind::Rollback { run: "r".into(), data: false }, Tier::Code);
    world.plan.rehearses_rollback = true;
    world.fails = vec![(Step::Rehearse, 1)];
    assert_eq!(world.run().0, End::Blocked);
    assert!(!Step::FORWARD.into_iter().any(|step| step.touches_target() && world.has_begun(step)));
}

fn journal() -> (Vec<u8>, usize) {
    journal_of(Kind::Promote)
}

fn journal_of(kind: Kind) -> (Vec<u8>, usize) {
    let mut world = World::new(kind, Tier::Swap);
    let _ = world.run();
    let (mut text, mut prev) = (Vec::new(), String::new());
    for line in &mut world.lines {
        line.prev = prev;
        let (line_text, hash) = chained(line).unwrap();
        text.extend(line_text.into_bytes());
        prev = hash;
    }
    (text, world.lines.len())
}

#[rstest]
#[case(Kind::Promote)]
#[case(Kind::Rollback { run: "20260101-000000-aaaa".into(), data: true })]
fn a_journal_is_read_as_it_was_written(#[case] kind: Kind) {
    let (text, count) = journal_of(kind);
    let chain = read(&text).unwrap();
    assert_eq!((chain.lines.len(), chain.bytes), (count, text.len()));
}

/// A journal that was emptied, cut between two lines, or put back from an older copy is chained all the same.
#[test]
fn lines_that_are_gone_at_the_end_are_found_by_what_is_kept_next_to() {
    let (text, count) = journal();
    let whole = read(&text).unwrap();
    let head = |lines: usize| {
        let hash = whole.lines.get(lines).map_or(&whole.head, |next| &next.prev).clone();
        Head::read(&Head { lines, hash }.text()).unwrap()
    };
    let ends: Vec<usize> = (0..text.len()).filter(|at| text[*at] == b'\n').map(|at| at + 1).collect();
    for left in 0..count {
        let cut = read(&text[..left.checked_sub(1).map_or(0, |last| ends[last])]).unwrap();
        assert_eq!(cut.lines.len(), left);
        let refused = cut.clone().whole(Some(&head(count)));
        assert_eq!(refused, Err(JournalError::Cut { found: left, written: count }));
        assert!(cut.clone().whole(None).is_ok(), "of an earlier version, which kept nothing beside");
        assert!(left == 0 || cut.whole(Some(&head(left))).is_ok());
    }
    // Killed between a line and its head, or right after it.
    assert!(whole.clone().whole(Some(&head(count - 1))).is_ok() && whole.clone().whole(Some(&head(count))).is_ok());
    let other = Head { lines: count, hash: "0".repeat(64) };
    assert!(whole.whole(Some(&other)).is_err(), "another last line");
    assert_eq!(["", "12", "x y"].map(Head::read), [None, None, None]);
}

#[test]
fn a_torn_last_line_is_dropped_at_any_byte() {
    let (text, count) = journal();
    let start = text[..text.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    for cut in start..text.len() {
        let chain = read(&text[..cut]).unwrap();
        assert_eq!((chain.lines.len(), chain.bytes), (count - 1, start));
    }
}

#[test]
fn a_changed_missing_or_swapped_line_is_found() {
    let (text, _) = journal();
    let lines: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
    let changed = String::from_utf8(text.clone()).unwrap().replacen("production", "produktion", 1).into_bytes();
    assert!(matches!(read(&changed), Err(JournalError::Damaged { line: 2, .. })));
    let missing = [&lines[..3], &lines[4..]].concat().concat();
    assert!(matches!(read(&missing), Err(JournalError::Damaged { line: 4, .. })));
    assert!(matches!(read(&lines[1..].concat()), Err(JournalError::Damaged { line: 1, .. })));
}

#[test]
fn a_journal_of_a_later_version_is_refused_in_one_sentence() {
    let text = b"{\"v\":7,\"seq\":0,\"what\":\"ever\"}\n{}\n";
    let error = read(text).unwrap_err();
    assert_eq!(error, JournalError::Version { found: 7 });
    let sentence = "the journal has format 7, this version of gate reads formats 1 to 2; use the version that wrote it";
    assert_eq!(error.to_string(), sentence);
}

#[rstest]
#[case::sound(Facts::default(), &[])]
#[case::dirty(Facts { repository_changes: vec![" M api/main.rs".into()], ..Facts::default() }, &["uncommitted", "api/main.rs", "commit or stash"])]
#[case::working_copy(Facts { workdir_is_working_copy: true, ..Facts::default() }, &["working copy", "`workdir`"])]
#[case::not_tested(Facts { source_runs: Some("cccc".into()), ..Facts::default() }, &["runs cccc"])]
#[case::no_source(Facts { source_runs: None, ..Facts::default() }, &["no release deployed"])]
#[case::unfinished(Facts { unfinished_run: Some("r1".into()), ..Facts::default() }, &["r1", "gate resume"])]
#[case::disk(Facts { databases: 100 << 20, wal: 16 << 20, free_volumes: Some(200 << 20), ..Facts::default() }, &["200.0 MiB free", "236.0 MiB"])]
#[case::image(Facts { missing_images: vec!["sha256:1".into()], ..Facts::default() }, &["sha256:1"])]
#[case::drift(Facts { target_drift: vec!["api runs another image".into()], ..Facts::default() }, &["api runs another image"])]
#[case::taken(Facts { taken: vec!["shop__pre_x".into()], ..Facts::default() }, &["`shop__pre_x`", "already exists", "rename it"])]
fn a_run_is_refused_with_what_was_found_and_the_way_out(#[case] facts: Facts, #[case] words: &[&str]) {
    let source_runs = if words.first() == Some(&"runs cccc") || words.first() == Some(&"no release deployed") {
        facts.source_runs.clone()
    } else {
        Some("abcd".to_owned())
    };
    let free_state = if facts.free_state == 0 { 1 << 40 } else { facts.free_state };
    let facts = Facts { release: "abcd".into(), source_runs, free_state, ..facts };
    let refusals = refusals(&Kind::Promote, &facts);
    assert_eq!(refusals.len(), usize::from(!words.is_empty()), "{refusals:?}");
    for word in words {
        assert!(refusals[0].contains(word), "{refusals:?}");
    }
}

fn stuck(fails: &[(Step, usize)], undo_fails: &[(Step, usize)], tier: Tier) -> String {
    let mut world = World::new(Kind::Promote, tier);
    (world.fails, world.undo_fails) = (fails.to_vec(), undo_fails.to_vec());
    assert_eq!(world.run(), (End::Stuck, Exit::PersonNeeded));
    let dumps = [PathBuf::from("/var/lib/run/backup/main.dump")];
    manual_steps(&world.plan, std::path::Path::new("/var/lib/run"), &world.lines, &dumps).join("\n")
}

#[rstest]
#[case::data_not_restored(&[(Step::Verify, 1)], &[(Step::Migrate, 3)], Tier::Swap,
    &["gate resume --env production", "shop__pre_20260102_030405_ab12", "rename", "allow_connections", "old/model.json",
      "backup/main.dump", "gate unlock"], &["new/model.json"])]
#[case::dump_only(&[(Step::Verify, 1)], &[(Step::Migrate, 3)], Tier::Restore,
    &["restore the frozen dump", "rename", "old/model.json"], &["holds the rows"])]
#[case::data_restored(&[(Step::Verify, 1)], &[(Step::Freeze, 3)], Tier::Swap,
    &["allow_connections", "old/model.json"], &["rename", "shop__pre"])]
#[case::no_data_touched(&[(Step::Verify, 1)], &[(Step::Deploy, 3)], Tier::Code,
    &["gate resume", "old/model.json", "_data.pre.20260102-030405-ab12'"], &["shop__pre", "allow_connections"])]
#[case::after_the_point_of_no_return(&[(Step::OpenPorts, 3)], &[], Tier::Swap,
    &["v2 stays", "new/model.json", "gate unlock"], &["old/model.json", "rename", "allow_connections"])]
fn a_stuck_run_names_the_commands_of_its_side_and_only_what_exists(
    #[case] fails: &[(Step, usize)],
    #[case] undo_fails: &[(Step, usize)],
    #[case] tier: Tier,
    #[case] has: &[&str],
    #[case] has_not: &[&str],
) {
    let text = stuck(fails, undo_fails, tier);
    for word in has {
        assert!(text.contains(word), "no {word}: {text}");
    }
    for word in has_not {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn an_inconclusive_end_is_not_called_blocked() {
    let plan = plan(Kind::Promote);
    assert!(end_text(&plan, End::Blocked, Exit::Inconclusive).starts_with("inconclusive"));
    assert!(end_text(&plan, End::Blocked, Exit::Held).starts_with("blocked"));
}

mod announcements;
mod confirmation;
mod format1;
mod properties;
mod reports;
mod rollout;
mod volumes;

#[test]
fn the_plan_names_what_stays_reachable_while_traffic_is_off() {
    let open = Plan { reachable: vec![("api".into(), "network proxy".into())], ..plan(Kind::Promote) };
    assert!(open.text().contains("traffic   api stays reachable through network proxy"), "{}", open.text());
    assert!(!plan(Kind::Promote).text().contains("stays reachable"));
}

#[test]
fn the_statements_of_a_recipe_hold_for_names_with_quotes() {
    let mut world = World::new(Kind::Promote, Tier::Swap);
    (world.fails, world.undo_fails) = (vec![(Step::Verify, 1)], vec![(Step::Migrate, 3)]);
    world.plan.databases[0].name = "my\"shop".to_owned();
    assert_eq!(world.run(), (End::Stuck, Exit::PersonNeeded));
    let text = manual_steps(&world.plan, std::path::Path::new("/run"), &world.lines, &[]).join("\n");
    assert!(text.contains("alter database \"my\"\"shop\" allow_connections true;"), "{text}");
    assert!(
        text.contains("alter database \"my\"\"shop__pre_20260102_030405_ab12\" rename to \"my\"\"shop\""),
        "{text}"
    );
}
