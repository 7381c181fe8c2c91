//! Rules about attributes.

use super::{
    Effect::{Review, Safe, Seen, Slower, Unsafe},
    Event, Rule,
};
use crate::schema::Kind;

const fn rule(
    name: &'static str,
    applies: fn(&Event<'_>) -> bool,
    old_on_new: (super::Effect, super::Effect),
    new_on_old: (super::Effect, super::Effect),
    reason: &'static str,
) -> Rule {
    Rule { name, applies, old_on_new, new_on_old, reason }
}

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("column order", |e| e.changes(&["columns"]) && e.kind == Kind::ColumnOrder, (Seen, Seen), (Seen, Seen),
        "SELECT * by position and COPY or INSERT without a column list see the order"),
    rule("length widened", |e| is_typed(e) && types(e, is_longer), (Safe, Safe), (Safe, Unsafe),
        "the new release may write what is too long for the old schema"),
    rule("length narrowed", |e| is_typed(e) && types(e, |old, new| is_longer(new, old)), (Safe, Unsafe), (Review, Safe),
        "the old release may write what is too long now; the new one may read it from the old schema"),
    rule("type widened", |e| is_typed(e) && types(e, is_wider), (Seen, Safe), (Seen, Unsafe),
        "clients that decode by type see a different one; the new release may write what does not fit the old schema"),
    rule("type narrowed", |e| is_typed(e) && types(e, |old, new| is_wider(new, old)), (Seen, Unsafe), (Review, Safe),
        "the old release may write what does not fit; the new one may read it from the old schema"),
    rule("type changed", |e| e.changes(&["type"]) && !is_relation_like(e), (Unsafe, Unsafe), (Unsafe, Unsafe),
        "values are read and written as another type"),
    rule("not null set", |e| e.gains("not null"), (Safe, Unsafe), (Seen, Safe),
        "the old release may write null; the new one may read null from the old schema"),
    rule("not null dropped", |e| e.loses("not null"), (Seen, Safe), (Safe, Unsafe),
        "the old release may read null; the new one may write null, which the old schema refuses"),
    rule("generated", |e| e.changes(&["generated"]), (Review, Unsafe), (Review, Unsafe),
        "a generated column takes no value but its own"),
    rule("identity", |e| e.changes(&["identity"]), (Safe, Review), (Safe, Review),
        "`always` refuses a value that a statement gives; without identity an insert has to give one"),
    rule("collation", |e| e.changes(&["collation"]), (Review, Review), (Review, Review),
        "text sorts and compares differently"),
    rule("default changed", |e| e.kind == Kind::Default && e.changes(&["expression"]), (Safe, Review), (Safe, Review),
        "rows that leave the column out get another value"),
    rule("enum value added", |e| values(e, is_within), (Seen, Safe), (Safe, Unsafe),
        "the old release may read a value that it does not know; the new one may write it where it does not exist"),
    rule("enum value removed", |e| values(e, |old, new| is_within(new, old)), (Safe, Unsafe), (Seen, Safe),
        "the old release may write it; the new one may read it from the old schema"),
    rule("enum values changed", |e| e.kind == Kind::Enum && e.changes(&["values"]), (Review, Review), (Review, Review),
        "values have another name, or compare in another order"),
    rule("invalid unique index", |e| e.is_unique && e.gains("invalid"), (Review, Unsafe), (Safe, Safe),
        "an invalid index guarantees no uniqueness to ON CONFLICT"),
    rule("invalid index", |e| e.changes(&["invalid", "index invalid"]), (Slower, Safe), (Slower, Safe),
        "no plan uses an invalid index"),
    rule("constraint not valid", |e| e.kind == Kind::Constraint && of_definition(e, |old, new| new == format!("{old} NOT VALID")), (Review, Safe), (Safe, Safe),
        "existing rows may break it"),
    rule("constraint validated", |e| e.kind == Kind::Constraint && of_definition(e, |old, new| old == format!("{new} NOT VALID")), (Safe, Safe), (Review, Safe),
        "the new release may read rows that break it from the old schema"),
    rule("constraint definition", |e| e.kind == Kind::Constraint && e.changes(&["definition", "enforcement"]), (Review, Unsafe), (Review, Unsafe),
        "each schema may refuse what the other takes"),
    rule("unique index definition", |e| e.kind == Kind::Index && e.is_unique && e.changes(&["definition", "unique"]), (Slower, Unsafe), (Slower, Unsafe),
        "each schema may refuse what the other takes; ON CONFLICT may find no index"),
    rule("index definition", |e| e.kind == Kind::Index && e.changes(&["definition"]), (Slower, Safe), (Slower, Safe),
        "plans that used it may not any more"),
    rule("index made unique", |e| e.kind == Kind::Index && e.changes(&["unique"]), (Safe, Unsafe), (Review, Unsafe),
        "the old release may write what it refuses; ON CONFLICT of the new one finds no index"),
    rule("view definition", |e| is_view(e) && e.changes(&["definition"]), (Review, Review), (Review, Review),
        "it returns different rows or values; columns that differ are listed separately"),
    rule("view options", |e| e.kind == Kind::View && e.changes(&["options"]), (Review, Review), (Review, Review),
        "security_invoker and security_barrier decide whose rights count; check_option refuses writes"),
    rule("view not populated", |e| e.changes(&["populated"]), (Unsafe, Safe), (Unsafe, Safe),
        "a materialised view without contents cannot be read"),
    rule("row security on", |e| e.gains("row security") || e.gains("force row security"), (Unsafe, Unsafe), (Review, Review),
        "without a policy for it a role sees no rows; in the old schema the new release sees all"),
    rule("row security off", |e| e.loses("row security") || e.loses("force row security"), (Review, Review), (Unsafe, Unsafe),
        "the old release sees rows that were hidden; the old schema hides rows from the new one"),
    rule("partitioning", |e| e.changes(&["partitioned by", "partition of", "partition bound", "inherits", "of type"]), (Review, Unsafe), (Review, Unsafe),
        "a row has to find its partition; a query of the parent sees other rows"),
    rule("where and how it is stored", |e| e.changes(&["persistence", "tablespace", "access method", "toast options", "storage", "compression",
        "statistics", "clustered", "index options", "index tablespace", "target", "inherits", "inherited"]) || is_table_like(e) && e.changes(&["options"]),
        (Safe, Safe), (Safe, Safe), "statements give the same; speed and safety after a crash may differ"),
    rule("replica identity", |e| e.changes(&["replica identity"]), (Safe, Review), (Safe, Review),
        "an update of a published table is refused where there is none"),
    rule("foreign", |e| e.changes(&["server", "server options", "options", "connection"]), (Review, Review), (Review, Review),
        "the data is elsewhere, or read in another way"),
    rule("body cosmetic", |e| e.is_cosmetic && e.changes(&["body"]), (Safe, Safe), (Safe, Safe),
        "only white space and comments of the body differ"),
    rule("function returns", |e| is_routine(e) && e.changes(&["returns", "kind"]), (Unsafe, Unsafe), (Unsafe, Unsafe),
        "its result has another type"),
    rule("function costs", |e| is_routine(e) && e.changes(&["cost", "rows", "support", "parallel", "leakproof", "state size"]), (Slower, Safe), (Slower, Safe),
        "it only affects plans"),
    rule("function", is_routine_change, (Review, Review), (Review, Review),
        "it may do or give something else; what it reads and writes is not known"),
    rule("trigger changed", |e| e.kind == Kind::Trigger && e.changes(&["definition", "state"]), (Safe, Review), (Safe, Review),
        "it runs at other times, or does something else"),
    rule("policy changed", |e| e.kind == Kind::Policy && e.changes(&["command", "restrictive", "roles", "using", "with check"]), (Unsafe, Unsafe), (Unsafe, Unsafe),
        "other rows are seen and written"),
    rule("sequence", |e| e.kind == Kind::Sequence && e.changes(&["type", "minimum", "maximum", "increment", "cycle", "cache"]), (Safe, Review), (Safe, Review),
        "it gives other numbers, or ends at another one"),
    rule("sequence belongs", |e| e.kind == Kind::Sequence && e.changes(&["owned by", "identity of", "start"]), (Safe, Safe), (Safe, Safe),
        "it gives the same numbers"),
    rule("privilege granted", |e| grants(e, |old, new| rights(old, new) && !rights(new, old)), (Safe, Safe), (Unsafe, Unsafe),
        "the new release may use a right that it does not have in the old schema"),
    rule("privilege revoked", |e| grants(e, |old, new| rights(new, old) && !rights(old, new)), (Unsafe, Unsafe), (Safe, Safe),
        "the old release may use a right that it has no more"),
    rule("privilege changed", |e| e.changes(&["granted"]), (Unsafe, Unsafe), (Unsafe, Unsafe),
        "each release may use a right that the other schema does not give"),
    rule("extension version", |e| e.kind == Kind::Extension, (Review, Review), (Review, Review),
        "what an extension brings is its own affair"),
];

fn is_typed(e: &Event<'_>) -> bool {
    matches!(e.kind, Kind::Column | Kind::Domain)
}

/// Returns whether `type` is something else here than the type of values.
fn is_relation_like(e: &Event<'_>) -> bool {
    !matches!(e.kind, Kind::Column | Kind::Domain)
}

fn is_view(e: &Event<'_>) -> bool {
    matches!(e.kind, Kind::View | Kind::MaterializedView)
}

fn is_table_like(e: &Event<'_>) -> bool {
    matches!(e.kind, Kind::Table | Kind::MaterializedView | Kind::Index | Kind::Column | Kind::Constraint)
}

fn is_routine(e: &Event<'_>) -> bool {
    matches!(e.kind, Kind::Function | Kind::Procedure | Kind::Aggregate)
}

fn is_routine_change(e: &Event<'_>) -> bool {
    is_routine(e) && matches!(e.what, super::ChangeKind::Attribute(..))
}

fn types(e: &Event<'_>, holds: fn(&str, &str) -> bool) -> bool {
    matches!(e.of("type"), Some((Some(old), Some(new))) if holds(old, new))
}

fn values(e: &Event<'_>, holds: fn(&str, &str) -> bool) -> bool {
    matches!(e.of("values"), Some((Some(old), Some(new))) if e.kind == Kind::Enum && holds(old, new))
}

fn grants(e: &Event<'_>, holds: fn(&str, &str) -> bool) -> bool {
    matches!(e.of("granted"), Some((Some(old), Some(new))) if holds(old, new))
}

fn of_definition(e: &Event<'_>, holds: fn(&str, &str) -> bool) -> bool {
    matches!(e.of("definition"), Some((Some(old), Some(new))) if holds(old, new))
}

/// Returns whether all lines of `few` stand in `many`, in the same order.
fn is_within(few: &str, many: &str) -> bool {
    let mut many = many.lines();
    few.lines().all(|value| many.any(|other| other == value))
}

/// Returns whether all rights of `few` are in `many`.
fn rights(few: &str, many: &str) -> bool {
    let is_all = |text: &str| matches!(text, "ALL" | "ALL*" | "what is usual");
    let list =
        |text: &str| -> Vec<String> { text.split(", ").map(|right| right.trim_end_matches('*').to_owned()).collect() };
    few == "nothing" || is_all(many) || (!is_all(few) && list(few).iter().all(|right| list(many).contains(right)))
}

/// Splits `character varying(20)` into its name and its numbers.
fn parts(type_name: &str) -> (&str, Vec<i64>) {
    match type_name.split_once('(') {
        Some((name, rest)) => {
            (name, rest.trim_end_matches(')').split(',').filter_map(|n| n.trim().parse().ok()).collect())
        }
        None => (type_name, Vec::new()),
    }
}

/// Returns whether both are of one type and `new` takes all that `old` takes.
fn is_longer(old: &str, new: &str) -> bool {
    let ((old_name, old), (new_name, new)) = (parts(old), parts(new));
    let sized = ["character varying", "numeric", "bit varying"].contains(&old_name);
    let whole =
        |numbers: &[i64]| numbers.first().zip(Some(numbers.get(1).copied().unwrap_or(0))).map(|(p, s)| (p - s, s));
    sized
        && old_name == new_name
        && old != new
        && match (whole(&old), whole(&new)) {
            (Some(_), None) => true,
            (Some(old), Some(new)) => new.0 >= old.0 && new.1 >= old.1,
            (None, _) => false,
        }
}

/// Returns whether all values of `old` are values of `new` without loss.
// Source: PostgreSQL manual, tables 8.2 and 8.4: the ranges of numeric types; float4 and float8 hold whole numbers of
// 24 and 53 bits.
fn is_wider(old: &str, new: &str) -> bool {
    let ((old_name, _), (new_name, new_size)) = (parts(old), parts(new));
    let wider: &[&str] = match old_name {
        "smallint" => &["integer", "bigint", "numeric", "real", "double precision"],
        "integer" => &["bigint", "numeric", "double precision"],
        "bigint" => &["numeric"],
        "real" => &["double precision"],
        "character varying" => &["text"],
        "date" => &["timestamp without time zone"],
        "json" => &["text"],
        _ => &[],
    };
    new_size.is_empty() && wider.contains(&new_name)
}
