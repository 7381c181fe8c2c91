use std::collections::BTreeMap;

use rstest::rstest;
use stagegate_base::exit::Cause;

use super::{
    DatabaseDump, MANIFEST, Manifest, SUMS,
    checksums::{FoundFile, problems, text},
    file_name,
    retention::{Decision, Listed, Policy, decide, minute},
    schedule::{Pace, Task, drill_overdue, drill_waits_for, due, overdue},
};
use crate::DataFacts;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// 2026-01-01 00:00 UTC, a Thursday.
const START: i64 = 1_767_225_600;
const POLICY: Policy = Policy { keep_last: 1, hourly: 168, daily: 30, weekly: 0, monthly: 0, min_keep: 3 };

fn listed(id: usize, taken: i64) -> Listed {
    Listed {
        id: format!("b{id:04}"),
        taken,
        groups: vec!["database main".into()],
        verified: true,
        pinned: false,
        in_use: None,
    }
}

fn kept(decisions: &[Decision]) -> usize {
    decisions.iter().filter(|one| one.keep).count()
}

#[test]
fn the_default_keeps_every_6_hours_for_7_days_and_daily_for_30() {
    let all: Vec<Listed> = (0..400).map(|n| listed(n, START + n as i64 * 6 * HOUR)).collect();
    let decisions = decide(&all, &POLICY, START + 400 * 6 * HOUR);
    // 28 of the 7 days, and the last of each earlier day of the 30.
    assert!((50..=52).contains(&kept(&decisions)), "{}", kept(&decisions));
    assert!(decisions.iter().all(|one| !one.reason.is_empty()));
    let removed = decisions.iter().find(|one| !one.keep).unwrap();
    assert!(removed.reason.contains("has the newer b"), "{}", removed.reason);
}

#[test]
fn an_hour_is_a_length_of_time_and_not_a_number_of_backups() {
    let policy = Policy { keep_last: 0, hourly: 2, daily: 0, weekly: 0, monthly: 0, min_keep: 1 };
    let all: Vec<Listed> = (0..10).map(|n| listed(n, START + n as i64 * DAY)).collect();
    assert_eq!(kept(&decide(&all, &policy, START + 10 * DAY)), 1);
}

#[rstest]
#[case::days(Policy { daily: 30, ..Policy { keep_last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, min_keep: 1 } }, 30)]
#[case::weeks(Policy { weekly: 4, ..Policy { keep_last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, min_keep: 1 } }, 5)]
#[case::months(Policy { monthly: 3, ..Policy { keep_last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, min_keep: 1 } }, 4)]
fn a_bucket_keeps_its_newest(#[case] policy: Policy, #[case] most: usize) {
    let all: Vec<Listed> = (0..400).map(|n| listed(n, START + n as i64 * 6 * HOUR)).collect();
    let found = kept(&decide(&all, &policy, START + 400 * 6 * HOUR));
    assert!((most - 1..=most).contains(&found), "{found} of {most}");
}

#[test]
fn a_clock_that_was_set_back_removes_nothing() {
    let all: Vec<Listed> = (0..100).map(|n| listed(n, START + n as i64)).collect();
    let decisions = decide(&all, &POLICY, START - 3 * HOUR);
    assert_eq!(kept(&decisions), 100);
    assert!(decisions[0].reason.contains("the clock was set back"), "{}", decisions[0].reason);
}

#[test]
fn a_damaged_backup_takes_no_place_of_a_good_one() {
    let policy = Policy { keep_last: 0, hourly: 0, daily: 1, weekly: 0, monthly: 0, min_keep: 1 };
    let mut all = vec![listed(1, START), listed(2, START + 1), listed(3, START + 2)];
    all[2].verified = false;
    let kept: Vec<String> =
        decide(&all, &policy, START + 3).into_iter().filter(|one| one.keep).map(|one| one.id).collect();
    assert_eq!(kept, ["b0003", "b0002"]);
}

#[test]
fn a_backup_of_one_database_does_not_replace_one_of_two() {
    let policy = Policy { keep_last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, min_keep: 1 };
    let mut all = vec![listed(1, START), listed(2, START + 1)];
    all[0].groups.push("database ledger".into());
    assert_eq!(kept(&decide(&all, &policy, START + 2)), 2);
}

#[test]
fn pinned_and_used_backups_stay() {
    let policy = Policy { keep_last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, min_keep: 1 };
    let mut all: Vec<Listed> = (0..4).map(|n| listed(n, START + n as i64)).collect();
    all[0].pinned = true;
    all[1].in_use = Some("being restored".into());
    let decisions = decide(&all, &policy, START + 9);
    let reasons: Vec<&str> = decisions.iter().filter(|one| one.keep).map(|one| one.reason.as_str()).collect();
    assert_eq!(reasons, ["newest verified backup of database main", "being restored", "pinned"]);
}

/// A generator of numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        // Knuth's MMIX; the low bits are poor.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn seconds(&mut self, limit: i64) -> i64 {
        i64::try_from(self.below(limit.unsigned_abs())).unwrap()
    }
}

/// One history: backups, prunes, pins, restores, damage, and a clock that jumps.
fn history(random: &mut Random) -> usize {
    let (mut now, mut all, mut number) = (START, Vec::<Listed>::new(), 0);
    let groups = [vec!["database a"], vec!["database b"], vec!["database a", "database b"], vec!["volume up"]];
    let count = |random: &mut Random| u32::try_from(random.below(4)).unwrap();
    let policy = Policy {
        keep_last: random.below(3) as usize,
        hourly: count(random) * 8,
        daily: count(random),
        weekly: count(random),
        monthly: count(random),
        min_keep: random.below(4) as usize,
    };
    let mut removed = 0;
    for _ in 0..24 {
        now += random.seconds(9 * HOUR);
        match random.below(10) {
            0..=4 => {
                number += 1;
                let mut one = listed(number, now);
                one.groups = groups[random.below(4) as usize].iter().map(|group| (*group).to_owned()).collect();
                one.verified = random.below(8) > 0;
                all.push(one);
            }
            5 if !all.is_empty() => {
                let at = random.below(all.len() as u64) as usize;
                match random.below(4) {
                    0 => all[at].pinned = !all[at].pinned,
                    1 => all[at].verified = false,
                    2 => all[at].in_use = Some("being restored".into()),
                    _ => all[at].in_use = None,
                }
            }
            6 => now -= random.seconds(40 * DAY),
            7 => now += random.seconds(400 * DAY),
            _ => {
                let decisions = decide(&all, &policy, now);
                let after: Vec<Listed> =
                    all.iter().filter(|one| decisions.iter().any(|d| d.id == one.id && d.keep)).cloned().collect();
                holds(&all, &after, &policy, now);
                removed += all.len() - after.len();
                all = after;
            }
        }
    }
    removed
}

/// What no prune may break.
fn holds(before: &[Listed], after: &[Listed], policy: &Policy, now: i64) {
    for group in ["database a", "database b", "volume up"] {
        let of = |all: &[Listed]| {
            let mut ids: Vec<(i64, String)> = all
                .iter()
                .filter(|one| one.verified && one.groups.iter().any(|g| g == group))
                .map(|one| (one.taken, one.id.clone()))
                .collect();
            ids.sort();
            ids
        };
        let (was, is) = (of(before), of(after));
        assert_eq!(was.last(), is.last(), "the newest verified backup of {group} is lost");
        assert!(is.len() >= was.len().min(policy.min_keep.max(1)), "{group}: below min_keep");
    }
    let lost = |one: &&Listed| !after.contains(one);
    assert!(!before.iter().filter(lost).any(|one| one.pinned || one.in_use.is_some()));
    assert!(before.iter().all(|one| one.taken <= now) || before.len() == after.len(), "the clock was set back");
}

#[test]
fn in_100_000_histories_the_newest_verified_backup_is_never_lost() {
    let seed = 20_260_101;
    let mut random = Random(seed);
    let removed: usize = (0..100_000).map(|_| history(&mut random)).sum();
    // Rules that remove nothing would hold everything.
    assert!(removed > 100_000, "seed {seed}: only {removed} were removed");
}

#[rstest]
#[case::a_thursday(START, "2026-01-01 00:00 UTC")]
#[case::leap_day(1_709_164_800, "2024-02-29 00:00 UTC")]
#[case::before_1970(-1, "1969-12-31 23:59 UTC")]
fn a_time_is_written_in_utc(#[case] time: i64, #[case] want: &str) {
    assert_eq!(minute(time), want);
}

fn pace(task: Task, last: Option<i64>, every: i64) -> Pace {
    Pace { task, last, every }
}

#[rstest]
#[case::never_done(None, true)]
#[case::just_now(Some(START), false)]
#[case::before_the_next_tick(Some(START - 6 * HOUR + 300), true)]
#[case::long_ago(Some(START - 40 * DAY), true)]
#[case::in_the_future(Some(START + DAY), true)]
fn a_backup_is_due_by_its_last_time(#[case] last: Option<i64>, #[case] want: bool) {
    assert_eq!(!due(&[pace(Task::Backup, last, 6 * HOUR)], START).is_empty(), want);
    assert!(due(&[pace(Task::Backup, last, 0)], START).is_empty(), "0 is never");
}

#[test]
fn tasks_are_done_in_their_order() {
    let all = [pace(Task::Prune, None, 1), pace(Task::Drill, None, 1), pace(Task::Backup, None, 1)];
    assert_eq!(due(&all, START), [Task::Backup, Task::Drill, Task::Prune]);
}

#[rstest]
#[case::nothing_failed(&[], true, None)]
#[case::database_down(&[(Task::Backup, Cause::Database)], true, None)]
#[case::dump_differs(&[(Task::Backup, Cause::Blocked)], true, None)]
#[case::no_engine(&[(Task::Backup, Cause::Docker)], true, Some(Task::Backup))]
#[case::no_room(&[(Task::Backup, Cause::File)], false, Some(Task::Backup))]
#[case::no_scratch_server(&[(Task::Backup, Cause::NotRun)], false, Some(Task::Backup))]
#[case::place_away(&[(Task::Backup, Cause::Database), (Task::Upload, Cause::NotRun)], true, Some(Task::Upload))]
#[case::place_not_needed(&[(Task::Upload, Cause::NotRun)], false, None)]
#[case::another_file_there(&[(Task::Upload, Cause::Blocked)], true, None)]
#[case::prune(&[(Task::Prune, Cause::File)], true, None)]
fn a_drill_waits_where_what_failed_before_concerns_it(
    #[case] failed: &[(Task, Cause)],
    #[case] offsite: bool,
    #[case] want: Option<Task>,
) {
    assert_eq!(drill_waits_for(failed, offsite), want);
}

#[rstest]
#[case::none(None, true)]
#[case::in_time(Some(START - 8 * HOUR), false)]
#[case::late(Some(START - 10 * HOUR), true)]
fn backups_are_overdue_after_one_and_a_half_times(#[case] newest: Option<i64>, #[case] want: bool) {
    assert_eq!(overdue("database main", newest, 6 * HOUR, START).is_some(), want);
}

#[rstest]
#[case::no_backup_yet(None, None, 7 * DAY, false)]
#[case::none_and_young(None, Some(START - 9 * DAY), 7 * DAY, false)]
#[case::none_and_old(None, Some(START - 11 * DAY), 7 * DAY, true)]
#[case::in_time(Some(START - 10 * DAY), Some(START - 90 * DAY), 7 * DAY, false)]
#[case::late(Some(START - 11 * DAY), Some(START - 90 * DAY), 7 * DAY, true)]
#[case::off(Some(START - 99 * DAY), Some(START - 99 * DAY), 0, false)]
fn a_drill_is_overdue_by_its_last_time_or_by_the_first_backup(
    #[case] last: Option<i64>,
    #[case] first: Option<i64>,
    #[case] every: i64,
    #[case] want: bool,
) {
    assert_eq!(drill_overdue(last, first, every, START).is_some(), want);
}

fn dump(file: &str) -> DatabaseDump {
    DatabaseDump {
        database: "main".into(),
        name: "shop".into(),
        file: file.into(),
        sha256: "aa".into(),
        bytes: 3,
        major: 17,
        restored_bytes: 9,
        dump_seconds: 0.5,
        proof_seconds: 1.5,
        locale: None,
        roles: vec![],
        superusers: vec![],
        preload: String::new(),
        facts: DataFacts::default(),
    }
}

fn found(names: &[(&str, &str, u64)]) -> BTreeMap<String, FoundFile> {
    let one = |(name, sha256, bytes): &(&str, &str, u64)| {
        ((*name).to_owned(), FoundFile { sha256: (*sha256).to_owned(), bytes: *bytes })
    };
    names.iter().map(one).collect()
}

#[test]
fn each_wrong_file_of_a_backup_is_named() {
    let manifest = Manifest { v: 2, objects: vec![dump("main.dump")], ..Manifest::default() };
    let good = found(&[("main.dump", "aa", 3), (MANIFEST, "bb", 7), (SUMS, "cc", 1)]);
    let checksums = text(&good);
    assert_eq!(checksums, "aa  main.dump\nbb  manifest.json\n");
    assert!(problems(&manifest, &checksums, &good).is_empty());
    let changed = found(&[("main.dump", "ab", 3), (MANIFEST, "bb", 7), (SUMS, "cc", 1)]);
    assert_eq!(problems(&manifest, &checksums, &changed), ["main.dump: its contents changed"]);
    let cut = found(&[("main.dump", "ab", 2), (MANIFEST, "bb", 7), ("x", "1", 1)]);
    assert!(problems(&manifest, &checksums, &cut).contains(&"main.dump: expected 3 bytes, found 2".to_owned()));
    assert!(problems(&manifest, &checksums, &cut).contains(&"x is not in the manifest".to_owned()));
    assert_eq!(problems(&manifest, &checksums.replace("  ", " "), &good), ["SHA256SUMS is damaged"]);
    let other = found(&[("main.dump", "aa", 3), (MANIFEST, "b0", 7), (SUMS, "cc", 1)]);
    assert_eq!(problems(&manifest, &checksums, &other), ["manifest.json: its contents changed"]);
}

#[test]
fn a_manifest_of_a_promotion_of_an_earlier_version_is_read() {
    let text = r#"{"v":1,"run":"20260102-030405-ab12","release":{"commit":"c","name":"v1"},"objects":
        [{"database":"main","sha256":"aa","bytes":3,"facts":{"tables":{},"schema":""}}]}"#;
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    assert_eq!((manifest.id.as_str(), manifest.objects[0].file.as_str()), ("20260102-030405-ab12", "main.dump"));
}

#[test]
fn a_volume_in_a_repository_is_no_file_of_the_backup_and_a_part_of_its_outline() {
    let text = r#"{"v":4,"id":"x","encrypted_to":["age1"],"volumes":[
        {"volume":"uploads","file":"uploads.tar","sha256":"aa","bytes":3,"seconds":1.0,"entries":{"a":{"kind":"file","mode":420,
        "owner":[0,0],"size":1,"content":"bb"}},"snapshot":{"repository":"/r","id":"f354","tag":"t"}},
        {"volume":"media","file":"media.tar.zst","sha256":"cc","bytes":5,"seconds":1.0,"entries":{}}]}"#;
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    assert_eq!(manifest.checksums().collect::<Vec<_>>(), [("media.tar.zst", "cc", 5)]);
    assert_eq!(manifest.groups(), ["volume uploads", "volume media"]);
    let outline = manifest.outline();
    let snapshots: Vec<_> = outline.snapshots().map(|(volume, one)| (volume.entries.len(), one.id.as_str())).collect();
    assert_eq!(snapshots, [(0, "f354")]);
    assert_eq!(Manifest::parse(&manifest.text().unwrap()).unwrap(), manifest);
}

#[rstest]
#[case::newer(r#"{"v":5,"anything":1}"#, "format 5")]
#[case::no_json("{", "damaged")]
#[case::foreign("{}", "damaged")]
#[case::outside(r#"{"v":2,"id":"x","files":[{"file":"../x","path":null,"sha256":"","bytes":0}]}"#, "../x")]
#[case::hidden(r#"{"v":2,"id":"x","files":[{"file":".x","path":null,"sha256":"","bytes":0}]}"#, ".x")]
fn a_manifest_that_cannot_be_used_is_refused(#[case] text: &str, #[case] want: &str) {
    let error = Manifest::parse(text.as_bytes()).unwrap_err().to_string();
    assert!(error.contains(want), "{error}");
}

#[test]
fn a_manifest_is_read_as_it_was_written() {
    let manifest = Manifest { v: 2, id: "x".into(), objects: vec![dump("main.dump")], ..Manifest::default() };
    assert_eq!(Manifest::parse(&manifest.text().unwrap()).unwrap(), manifest);
}

#[test]
fn an_outline_states_nothing_of_what_the_database_holds_and_still_names_each_file() {
    let mut dump = dump("main.dump.age");
    dump.facts.schema = "create table customer".into();
    dump.roles = vec!["billing_owner".into()];
    let manifest = Manifest {
        v: 3,
        id: "x".into(),
        objects: vec![dump],
        encrypted_to: vec!["age1x".into()],
        ..Manifest::default()
    };
    let text = String::from_utf8(manifest.outline().text().unwrap()).unwrap();
    assert!(!text.contains("customer") && !text.contains("billing_owner"), "{text}");
    assert!(Manifest::parse(text.as_bytes()).unwrap().checksums().eq(manifest.checksums()));
    assert_eq!(manifest.outline().outline(), manifest.outline());
}

#[rstest]
#[case("main", "main.dump")]
#[case("../etc", "object-4.dump")]
#[case("a b", "object-4.dump")]
#[case("config-1", "object-4.dump")]
#[case("", "object-4.dump")]
fn a_file_is_named_after_its_database_where_that_is_a_name(#[case] id: &str, #[case] want: &str) {
    assert_eq!(file_name(id, 4, "dump"), want);
}
