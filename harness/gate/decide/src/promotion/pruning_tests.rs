use rstest::rstest;

use super::{super::tests::plan, *};
use crate::promotion::Kind;
use stagegate_base::mark::{NAME_BYTES, Sessions, refuses_drop};

const EARLIER: &str = "20250101-000000-0001";
const LATER: &str = "20250202-000000-0002";

fn mark(role: Role, run: &str) -> Mark {
    Plan { run: run.into(), ..plan(Kind::Promote) }.mark("shop", role)
}

fn marked(mark: &Mark) -> FoundDatabase {
    FoundDatabase { name: mark.name.clone(), comment: mark.comment(), limit: -1, sessions: vec![] }
}

fn named(name: &str) -> FoundDatabase {
    FoundDatabase { name: name.into(), limit: -1, ..FoundDatabase::default() }
}

#[rstest]
#[case::plain("shop")]
#[case::quotes("a\"b\"\"c\"")]
#[case::looks_like_a_mark("x\", run 1, state 0, named \"y")]
#[case::line_break("a\nb")]
#[case::not_ascii("größe")]
fn a_mark_is_read_as_it_was_written(#[case] of: &str) {
    for role in [Role::Copy, Role::Failed, Role::Left, Role::Restored, Role::Before, Role::After] {
        let mark = plan(Kind::Promote).mark(of, role);
        assert_eq!(Mark::parse(&mark.comment().unwrap()), Some(mark));
    }
}

#[test]
fn a_mark_states_what_the_database_is() {
    let text = mark(Role::Copy, EARLIER).comment().unwrap();
    let want = "stagegate: copy of \"shop\", run 20250101-000000-0001, state 00112233445566aa, named \
                \"shop__pre_20250101_000000_0001\"";
    assert_eq!(text, want);
}

#[rstest]
#[case::empty("")]
#[case::words("the shop's database")]
#[case::beginning("stagegate: copy of \"shop\"")]
#[case::unknown_role("stagegate: thing of \"a\", run r1, state 00112233445566aa, named \"b\"")]
#[case::short_state("stagegate: copy of \"a\", run r1, state 0011, named \"b\"")]
#[case::no_state("stagegate: copy of \"a\", run r1, state , named \"b\"")]
#[case::upper_case_state("stagegate: copy of \"a\", run r1, state 00112233445566AA, named \"b\"")]
#[case::no_run("stagegate: copy of \"a\", run , state 00112233445566aa, named \"b\"")]
#[case::more("stagegate: copy of \"a\", run r1, state 00112233445566aa, named \"b\" ")]
#[case::space_before(" stagegate: copy of \"a\", run r1, state 00112233445566aa, named \"b\"")]
#[case::open_quote("stagegate: copy of \"a\", run r1, state 00112233445566aa, named \"b")]
fn what_is_not_a_whole_mark_is_none(#[case] comment: &str) {
    assert_eq!(Mark::parse(comment), None);
}

#[test]
fn only_the_marked_database_is_dropped() {
    let mark = mark(Role::Copy, EARLIER);
    let live = vec!["shop".to_owned()];
    let refused = |found: &FoundDatabase| refuses_drop(&mark, found, &live, Sessions::Respect);
    assert_eq!(refused(&marked(&mark)), None);
    // Between the creation and the comment the limit of connections is the mark.
    assert_eq!(refused(&FoundDatabase { limit: mark.limit(), ..named(&mark.name) }), None);

    assert!(refused(&named(&mark.name)).unwrap().contains("no mark"));
    let own = FoundDatabase { comment: Some("mine".into()), limit: mark.limit(), ..named(&mark.name) };
    assert!(refused(&own).unwrap().contains("no mark"));
    let renamed = FoundDatabase { name: "salvaged".into(), ..marked(&mark) };
    assert!(refused(&renamed).unwrap().contains("another run, name"));
    let elsewhere = Mark { state: "ffffffffffffffff".into(), ..mark.clone() };
    assert!(refused(&FoundDatabase { comment: elsewhere.comment(), ..named(&mark.name) }).is_some());
    assert!(refuses_drop(&mark, &marked(&mark), std::slice::from_ref(&mark.name), Sessions::End).is_some());
}

#[test]
fn who_is_in_a_kept_database_keeps_it() {
    let mark = mark(Role::Failed, EARLIER);
    let found = FoundDatabase { sessions: vec!["psql of ann".into()], ..marked(&mark) };
    assert!(refuses_drop(&mark, &found, &[], Sessions::Respect).unwrap().contains("psql of ann"));
    assert_eq!(refuses_drop(&mark, &found, &[], Sessions::End), None);
}

#[test]
fn nothing_of_a_version_that_set_no_marks_is_dropped() {
    let mark = Mark { state: String::new(), ..mark(Role::Copy, EARLIER) };
    assert_eq!(mark.comment(), None);
    assert!(mark.is_of(&named(&mark.name)));
    for sessions in [Sessions::End, Sessions::Respect] {
        assert!(refuses_drop(&mark, &named(&mark.name), &[], sessions).is_some());
    }
}

fn pruned(plan: &Plan, found: &[FoundDatabase]) -> (Vec<String>, Vec<String>) {
    let databases: Vec<&PlanDatabase> = plan.databases.iter().collect();
    let Pruning { drop, unknown } = pruning(plan, &databases, found);
    (drop.into_iter().map(|mark| mark.name).collect(), unknown.into_iter().map(|left| left.name).collect())
}

#[test]
fn names_that_look_like_the_gates_drop_nothing() {
    let mut plan = plan(Kind::Promote);
    // The live database's own name has the gate's word in it.
    plan.databases[0].name = "app__pre_x".into();
    let others =
        ["app__pre_x", "app__pre_release", "app__failed_imports", "app__left_over", "app__pre_x__pre_y", "app"];
    let forged = FoundDatabase { comment: mark(Role::Copy, EARLIER).comment(), ..named("app__pre_forged") };
    let found: Vec<FoundDatabase> = others.iter().map(|name| named(name)).chain([forged]).collect();
    assert_eq!(pruned(&plan, &found), (vec![], vec![]));
}

#[test]
fn earlier_copies_go_and_the_newest_failed_one_stays() {
    let plan = plan(Kind::Promote);
    let marks = [
        mark(Role::Copy, EARLIER),
        mark(Role::Restored, EARLIER),
        plan.mark("shop", Role::Copy),
        mark(Role::Failed, EARLIER),
        mark(Role::Failed, LATER),
        mark(Role::Left, EARLIER),
    ];
    let found: Vec<FoundDatabase> = marks.iter().map(marked).collect();
    let want = [0, 1, 3].map(|at| marks[at].name.clone()).to_vec();
    assert_eq!(pruned(&plan, &found), (want, vec![]));
}

#[test]
fn what_an_earlier_version_or_another_state_folder_may_have_made_is_named_and_stays() {
    let plan = plan(Kind::Promote);
    let elsewhere = Mark { state: "ffffffffffffffff".into(), ..mark(Role::Copy, LATER) };
    let found =
        [named("shop__pre_20250101_000000_0001"), named("shop__failed_20250101_000000_0001"), marked(&elsewhere)];
    let want = found.iter().map(|found| found.name.clone()).collect();
    assert_eq!(pruned(&plan, &found), (vec![], want));
    let left = Leftover { name: "a\"b".into(), why: String::new() };
    assert_eq!(left.command(), "drop database \"a\"\"b\"");
}

#[test]
fn a_comment_of_the_users_is_distinguished_from_a_mark() {
    let mark = mark(Role::Copy, EARLIER);
    assert_eq!(marked(&mark).own_comment(), None);
    let own = FoundDatabase { comment: Some("orders and users".into()), ..named("shop") };
    assert_eq!(own.own_comment(), Some("orders and users"));
}

#[rstest]
#[case::short("shop", "shop__pre_20260102_030405_ab12")]
#[case::fits(&"x".repeat(37), &format!("{}__pre_20260102_030405_ab12", "x".repeat(37)))]
fn a_name_that_fits_is_kept_whole(#[case] of: &str, #[case] want: &str) {
    assert_eq!(plan(Kind::Promote).copy_of(of), want);
}

#[rstest]
#[case::ascii("x")]
#[case::two_bytes("ü")]
#[case::three_bytes("語")]
#[case::four_bytes("🦀")]
fn names_that_are_too_long_fit_in_bytes_and_stay_apart(#[case] letter: &str) {
    let plan = plan(Kind::Promote);
    for length in 1..=(NAME_BYTES / letter.len()) {
        let mut names = Vec::new();
        for of in [letter.repeat(length), format!("{}a", letter.repeat(length)), format!("{}b", letter.repeat(length))]
        {
            names.extend(Role::ALL.iter().map(|(role, ..)| plan.mark(&of, *role).name));
        }
        assert!(names.iter().all(|name| name.len() <= NAME_BYTES), "{names:?}");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 3 * Role::ALL.len(), "{names:?}");
    }
}
