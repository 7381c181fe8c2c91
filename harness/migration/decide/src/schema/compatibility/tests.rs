use std::collections::BTreeMap;

use rstest::rstest;

use super::{super::diff, *};
use crate::schema::{Fact, Kind};

type Payload<'a> = &'a [(&'a str, &'a str)];

fn side(kind: Kind, payload: Option<Payload<'_>>, default: Option<&str>) -> Facts {
    let fact = |kind, payload: Payload<'_>| Fact {
        id: Id::new(kind, "public.t.x"),
        parent: (kind == Kind::Default).then(|| Id::new(Kind::Column, "public.t.x")),
        payload: payload.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
    };
    let own = payload.map(|payload| fact(kind, payload));
    let default = default.map(|text| fact(Kind::Default, &[("expression", text)]));
    Facts::new(own.into_iter().chain(default).collect(), BTreeMap::new())
}

/// Returns the four effects of the first difference: old on new (reads, writes), new on old (reads, writes).
fn judged(old: &Facts, new: &Facts) -> [Effect; 4] {
    let found = diff(old, new).remove(0).compatibility;
    [found.old_on_new.reads, found.old_on_new.writes, found.new_on_old.reads, found.new_on_old.writes]
}

use Effect::{Review, Safe, Seen, Slower, Unsafe};

#[rstest]
#[case::table(Kind::Table, &[], [Safe, Safe, Unsafe, Unsafe], [Unsafe, Unsafe, Safe, Safe])]
#[case::nullable_column(Kind::Column, &[("type", "text")], [Safe, Safe, Unsafe, Unsafe], [Unsafe, Unsafe, Safe, Safe])]
#[case::required_column(Kind::Column, &[("not null", "yes")], [Safe, Unsafe, Unsafe, Unsafe], [Unsafe, Unsafe, Safe, Unsafe])]
#[case::identity_column(Kind::Column, &[("identity", "always"), ("not null", "yes")], [Safe, Safe, Unsafe, Unsafe], [Unsafe, Unsafe, Safe, Safe])]
#[case::index(Kind::Index, &[("definition", "USING btree (a)")], [Safe, Safe, Slower, Safe], [Slower, Safe, Safe, Safe])]
#[case::unique_index(Kind::Index, &[("unique", "yes")], [Safe, Unsafe, Review, Unsafe], [Review, Unsafe, Safe, Unsafe])]
#[case::check(Kind::Constraint, &[("definition", "CHECK (x > 1)")], [Safe, Unsafe, Review, Safe], [Review, Safe, Safe, Unsafe])]
#[case::unique(Kind::Constraint, &[("definition", "UNIQUE (x)")], [Safe, Unsafe, Review, Unsafe], [Review, Unsafe, Safe, Unsafe])]
#[case::trigger(Kind::Trigger, &[], [Safe, Unsafe, Safe, Review], [Safe, Review, Safe, Unsafe])]
#[case::rule(Kind::Rule, &[], [Review, Unsafe, Review, Unsafe], [Review, Unsafe, Review, Unsafe])]
#[case::policy(Kind::Policy, &[], [Unsafe, Unsafe, Safe, Review], [Unsafe, Unsafe, Review, Review])]
#[case::privilege(Kind::Privilege, &[("granted", "SELECT")], [Safe, Safe, Unsafe, Unsafe], [Unsafe, Unsafe, Safe, Safe])]
#[case::revoked(Kind::Privilege, &[("granted", "nothing")], [Unsafe, Unsafe, Safe, Safe], [Safe, Safe, Unsafe, Unsafe])]
#[case::comment(Kind::Comment, &[], [Safe; 4], [Safe; 4])]
#[case::statistics(Kind::Statistics, &[], [Slower, Safe, Slower, Safe], [Slower, Safe, Slower, Safe])]
#[case::setting(Kind::Setting, &[], [Review; 4], [Review; 4])]
#[case::event_trigger(Kind::EventTrigger, &[], [Safe; 4], [Safe; 4])]
#[case::default_privilege(Kind::DefaultPrivilege, &[], [Safe; 4], [Safe; 4])]
#[case::publication(Kind::Publication, &[], [Safe, Review, Safe, Review], [Safe, Review, Safe, Review])]
#[case::owner(Kind::Owner, &[], [Review; 4], [Review; 4])]
#[case::unknown(Kind::AccessMethod, &[], [Review; 4], [Review; 4])]
fn what_came_and_what_went(
    #[case] kind: Kind,
    #[case] payload: Payload<'_>,
    #[case] added: [Effect; 4],
    #[case] removed: [Effect; 4],
) {
    let (without, with) = (side(kind, None, None), side(kind, Some(payload), None));
    assert_eq!(judged(&without, &with), added, "added");
    assert_eq!(judged(&with, &without), removed, "removed");
}

#[test]
fn a_column_with_a_default_is_not_required() {
    let with = side(Kind::Column, Some(&[("not null", "yes")]), Some("0"));
    assert_eq!(judged(&side(Kind::Column, None, None), &with), [Safe, Safe, Unsafe, Unsafe]);
}

#[test]
fn a_default_that_came_and_one_that_went() {
    let (without, with) = (side(Kind::Column, Some(&[]), None), side(Kind::Column, Some(&[]), Some("0")));
    assert_eq!(judged(&without, &with), [Safe, Safe, Safe, Unsafe]);
    assert_eq!(judged(&with, &without), [Safe, Unsafe, Safe, Safe]);
    let other = side(Kind::Column, Some(&[]), Some("1"));
    assert_eq!(judged(&with, &other), [Safe, Review, Safe, Review]);
}

#[rstest]
#[case::index(Kind::Index, [Safe, Seen, Safe, Seen])]
#[case::trigger(Kind::Trigger, [Safe; 4])]
#[case::table(Kind::Table, [Unsafe; 4])]
fn renamed(#[case] kind: Kind, #[case] want: [Effect; 4]) {
    let named = |name: &str| {
        Facts::new(vec![Fact { id: Id::new(kind, name), parent: None, payload: BTreeMap::new() }], BTreeMap::new())
    };
    assert_eq!(judged(&named("public.a"), &named("public.b")), want);
}

#[rstest]
#[case::longer(Kind::Column, "type", "character varying(10)", "character varying(20)", [Safe, Safe, Safe, Unsafe])]
#[case::shorter(Kind::Column, "type", "character varying", "character varying(20)", [Safe, Unsafe, Review, Safe])]
#[case::more_digits(Kind::Column, "type", "numeric(10,2)", "numeric(12,2)", [Safe, Safe, Safe, Unsafe])]
#[case::more_scale(Kind::Column, "type", "numeric(10,2)", "numeric(10,4)", [Unsafe; 4])]
#[case::wider(Kind::Column, "type", "integer", "bigint", [Seen, Safe, Seen, Unsafe])]
#[case::narrower(Kind::Column, "type", "text", "character varying", [Seen, Unsafe, Review, Safe])]
#[case::other_type(Kind::Column, "type", "text", "integer", [Unsafe; 4])]
#[case::domain(Kind::Domain, "type", "integer", "bigint", [Seen, Safe, Seen, Unsafe])]
#[case::not_null(Kind::Column, "not null", "", "yes", [Safe, Unsafe, Seen, Safe])]
#[case::null(Kind::Column, "not null", "yes", "", [Seen, Safe, Safe, Unsafe])]
#[case::generated(Kind::Column, "generated", "", "stored a", [Review, Unsafe, Review, Unsafe])]
#[case::identity(Kind::Column, "identity", "always", "by default", [Safe, Review, Safe, Review])]
#[case::collation(Kind::Column, "collation", "", "\"C\"", [Review; 4])]
#[case::storage(Kind::Column, "storage", "", "main", [Safe; 4])]
#[case::order(Kind::ColumnOrder, "columns", "a\nb", "b\na", [Seen; 4])]
#[case::enum_more(Kind::Enum, "values", "'a'\n'c'", "'a'\n'b'\n'c'", [Seen, Safe, Safe, Unsafe])]
#[case::enum_fewer(Kind::Enum, "values", "'a'\n'b'", "'b'", [Safe, Unsafe, Seen, Safe])]
#[case::enum_order(Kind::Enum, "values", "'a'\n'b'", "'b'\n'a'", [Review; 4])]
#[case::invalid(Kind::Index, "invalid", "", "yes", [Slower, Safe, Slower, Safe])]
#[case::index(Kind::Index, "definition", "USING btree (a)", "USING hash (a)", [Slower, Safe, Slower, Safe])]
#[case::made_unique(Kind::Index, "unique", "", "yes", [Safe, Unsafe, Review, Unsafe])]
#[case::not_valid(Kind::Constraint, "definition", "CHECK (a)", "CHECK (a) NOT VALID", [Review, Safe, Safe, Safe])]
#[case::validated(Kind::Constraint, "definition", "CHECK (a) NOT VALID", "CHECK (a)", [Safe, Safe, Review, Safe])]
#[case::constraint(Kind::Constraint, "definition", "CHECK (a)", "CHECK (b)", [Review, Unsafe, Review, Unsafe])]
#[case::view(Kind::View, "definition", "SELECT 1", "SELECT 2", [Review; 4])]
#[case::view_options(Kind::View, "options", "security_invoker=true", "", [Review; 4])]
#[case::matview(Kind::MaterializedView, "populated", "", "no", [Unsafe, Safe, Unsafe, Safe])]
#[case::security_on(Kind::Table, "row security", "", "on", [Unsafe, Unsafe, Review, Review])]
#[case::security_off(Kind::Table, "force row security", "on", "", [Review, Review, Unsafe, Unsafe])]
#[case::partition(Kind::Table, "partition bound", "DEFAULT", "", [Review, Unsafe, Review, Unsafe])]
#[case::fillfactor(Kind::Table, "options", "", "fillfactor=70", [Safe; 4])]
#[case::replica(Kind::Table, "replica identity", "", "nothing", [Safe, Review, Safe, Review])]
#[case::server(Kind::ForeignServer, "options", "host=a", "host=b", [Review; 4])]
#[case::returns(Kind::Function, "returns", "integer", "text", [Unsafe; 4])]
#[case::cost(Kind::Function, "cost", "", "5", [Slower, Safe, Slower, Safe])]
#[case::body(Kind::Function, "body", "a", "b", [Review; 4])]
#[case::body_cosmetic(Kind::Function, "body", "a -- x", "a", [Safe; 4])]
#[case::trigger(Kind::Trigger, "state", "", "disabled", [Safe, Review, Safe, Review])]
#[case::policy(Kind::Policy, "using", "true", "false", [Unsafe; 4])]
#[case::sequence(Kind::Sequence, "increment", "1", "2", [Safe, Review, Safe, Review])]
#[case::sequence_owner(Kind::Sequence, "owned by", "t.a", "", [Safe; 4])]
#[case::granted(Kind::Privilege, "granted", "SELECT", "INSERT, SELECT", [Safe, Safe, Unsafe, Unsafe])]
#[case::revoked(Kind::Privilege, "granted", "ALL", "SELECT", [Unsafe, Unsafe, Safe, Safe])]
#[case::swapped(Kind::Privilege, "granted", "INSERT", "SELECT", [Unsafe; 4])]
#[case::extension(Kind::Extension, "version", "1", "2", [Review; 4])]
fn what_states_something_else(
    #[case] kind: Kind,
    #[case] attribute: &str,
    #[case] old: &str,
    #[case] new: &str,
    #[case] want: [Effect; 4],
) {
    let with = |value: &str| {
        let pair = [(attribute, value)];
        side(kind, Some(if value.is_empty() { &[] } else { &pair }), None)
    };
    assert_eq!(judged(&with(old), &with(new)), want);
}

#[test]
fn an_invalid_unique_index_keeps_nothing_unique() {
    let old = side(Kind::Index, Some(&[("unique", "yes")]), None);
    let new = side(Kind::Index, Some(&[("invalid", "yes"), ("unique", "yes")]), None);
    assert_eq!(judged(&old, &new), [Review, Unsafe, Safe, Safe]);
}

#[test]
fn each_rule_has_a_name_and_a_reason_of_its_own() {
    let mut names: Vec<&str> = rules().map(|rule| rule.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    assert!(rules().all(|rule| !rule.reason.is_empty()));
}

#[test]
fn the_manual_has_every_rule() {
    let manual = include_str!("../../../../../../docs/schema.md");
    for rule in rules() {
        let row = format!(
            "| {} | {}, {} | {}, {} | {} |",
            rule.name,
            rule.old_on_new.0.word(),
            rule.old_on_new.1.word(),
            rule.new_on_old.0.word(),
            rule.new_on_old.1.word(),
            rule.reason
        );
        assert!(manual.contains(&row), "docs/schema.md misses the row\n{row}");
    }
}
