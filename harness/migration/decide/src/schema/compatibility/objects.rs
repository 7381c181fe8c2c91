//! Rules about things that came, went or were renamed; and the last one, for what no rule knows.

use super::{
    ChangeKind::{Added, Removed, Renamed},
    Effect::{Review, Safe, Seen, Slower, Unsafe},
    Event, Rule,
};
use crate::schema::Kind;

const USED: &[Kind] = &[
    Kind::Schema,
    Kind::Extension,
    Kind::Language,
    Kind::Enum,
    Kind::Domain,
    Kind::CompositeType,
    Kind::Range,
    Kind::BaseType,
    Kind::Collation,
    Kind::Sequence,
    Kind::Table,
    Kind::ForeignTable,
    Kind::View,
    Kind::MaterializedView,
    Kind::Column,
    Kind::Function,
    Kind::Procedure,
    Kind::Aggregate,
    Kind::Operator,
    Kind::Cast,
    Kind::TextSearchConfiguration,
    Kind::TextSearchDictionary,
    Kind::ForeignServer,
    Kind::UserMapping,
];

const fn rule(
    name: &'static str,
    applies: fn(&Event<'_>) -> bool,
    old_on_new: (super::Effect, super::Effect),
    new_on_old: (super::Effect, super::Effect),
    reason: &'static str,
) -> Rule {
    Rule { name, applies, old_on_new, new_on_old, reason }
}

/// What no other rule knows.
pub(super) const UNJUDGED: Rule =
    rule("unjudged", |_| true, (Review, Review), (Review, Review), "no rule knows what this does to statements");

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("comment", |e| e.kind == Kind::Comment, (Safe, Safe), (Safe, Safe), "no statement sees a comment"),
    rule("required column added", |e| e.is(&[Kind::Column], Added) && e.is_required, (Safe, Unsafe), (Unsafe, Unsafe),
        "the old release's inserts do not name the column, which is not null without a default; the new one uses a column that the old schema does not have"),
    rule("used object added", |e| e.is(USED, Added), (Safe, Safe), (Unsafe, Unsafe),
        "only the new release uses it, and the old schema does not have it"),
    rule("required column removed", |e| e.is(&[Kind::Column], Removed) && e.is_required, (Unsafe, Unsafe), (Safe, Unsafe),
        "the old release names it; the new one's inserts do not, and in the old schema it is not null without a default"),
    rule("used object removed", |e| e.is(USED, Removed), (Unsafe, Unsafe), (Safe, Safe),
        "the old release may name it; the new one does not"),
    rule("used object renamed", |e| e.is(USED, Renamed), (Unsafe, Unsafe), (Unsafe, Unsafe),
        "each release uses one of the names"),
    rule("unique index added", |e| e.is(&[Kind::Index], Added) && e.is_unique, (Safe, Unsafe), (Review, Unsafe),
        "the old release may write what it refuses; ON CONFLICT of the new one finds no index"),
    rule("index added", |e| e.is(&[Kind::Index], Added), (Safe, Safe), (Slower, Safe),
        "the new release may count on its speed"),
    rule("unique index removed", |e| e.is(&[Kind::Index], Removed) && e.is_unique, (Review, Unsafe), (Safe, Unsafe),
        "ON CONFLICT of the old release finds no index; the new one may write what the old schema refuses"),
    rule("index removed", |e| e.is(&[Kind::Index], Removed), (Slower, Safe), (Safe, Safe),
        "the old release may count on its speed"),
    rule("unique constraint added", |e| e.is(&[Kind::Constraint], Added) && e.is_unique, (Safe, Unsafe), (Review, Unsafe),
        "the old release may write what it refuses; ON CONFLICT of the new one finds no constraint"),
    rule("constraint added", |e| e.is(&[Kind::Constraint], Added), (Safe, Unsafe), (Review, Safe),
        "the old release may write what it refuses; the new one may read rows that break it"),
    rule("unique constraint removed", |e| e.is(&[Kind::Constraint], Removed) && e.is_unique, (Review, Unsafe), (Safe, Unsafe),
        "ON CONFLICT of the old release finds no constraint; the new one may write what the old schema refuses"),
    rule("constraint removed", |e| e.is(&[Kind::Constraint], Removed), (Review, Safe), (Safe, Unsafe),
        "the old release may read rows that it never saw; the new one may write what the old schema refuses"),
    rule("constraint or index renamed", |e| e.is(&[Kind::Constraint, Kind::Index], Renamed), (Safe, Seen), (Safe, Seen),
        "a client that knows the name sees another in an error; ON CONFLICT ON CONSTRAINT names it"),
    rule("inner object renamed", |e| e.is(&[Kind::Trigger, Kind::Rule, Kind::Policy, Kind::Statistics], Renamed), (Safe, Safe), (Safe, Safe),
        "no statement uses the name"),
    rule("default added", |e| e.is(&[Kind::Default], Added), (Safe, Safe), (Safe, Unsafe),
        "the new release may leave the column out, which is null or refused then"),
    rule("default removed", |e| e.is(&[Kind::Default], Removed), (Safe, Unsafe), (Safe, Safe),
        "the old release may leave the column out, which is null or refused now"),
    rule("trigger added", |e| e.is(&[Kind::Trigger], Added), (Safe, Unsafe), (Safe, Review),
        "it changes or refuses what the old release writes; the new one may count on it"),
    rule("trigger removed", |e| e.is(&[Kind::Trigger], Removed), (Safe, Review), (Safe, Unsafe),
        "the old release may count on it; it changes or refuses what the new one writes"),
    rule("rule added or removed", |e| e.kind == Kind::Rule, (Review, Unsafe), (Review, Unsafe),
        "it replaces statements by others"),
    rule("policy added", |e| e.is(&[Kind::Policy], Added), (Unsafe, Unsafe), (Safe, Review),
        "where row security is on it decides which rows are seen and written; without it the new release may see more or fewer"),
    rule("policy removed", |e| e.is(&[Kind::Policy], Removed), (Unsafe, Unsafe), (Review, Review),
        "the old release may see and write fewer rows without it, or more than meant"),
    rule("owner", |e| e.kind == Kind::Owner, (Review, Review), (Review, Review),
        "an owner has all rights and is not bound by row security: it matters where the application is one"),
    rule("default privilege", |e| e.kind == Kind::DefaultPrivilege, (Safe, Safe), (Safe, Safe),
        "it only applies to objects created later"),
    rule("setting", |e| e.kind == Kind::Setting, (Review, Review), (Review, Review),
        "sessions begin with it: a search_path or a timeout changes any statement"),
    rule("statistics", |e| e.kind == Kind::Statistics, (Slower, Safe), (Slower, Safe), "it only affects plans"),
    rule("event trigger", |e| e.kind == Kind::EventTrigger, (Safe, Safe), (Safe, Safe),
        "it only affects statements that change the schema"),
    rule("replication", |e| matches!(e.kind, Kind::Publication | Kind::PublicationTable | Kind::Subscription), (Safe, Review), (Safe, Review),
        "subscribers see it; an update of a published table without replica identity is refused"),
];
