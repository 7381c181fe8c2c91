//! Partitions whose definition states nothing that their parent's does not.

use std::collections::BTreeMap;

use super::{Fact, Facts, Id, Kind};

/// What is a partition's own.
const OWN: [&str; 3] = ["partition of", "partition bound", "partitioned by"];

/// Returns whether a thing is a partition whose columns, indexes, constraints, triggers, owner and privileges are its parent's.
#[must_use]
pub(super) fn follows(id: &Id, facts: &Facts) -> bool {
    let Some(partition) = facts.get(id).filter(|fact| fact.id.kind == Kind::Table) else { return false };
    let above = partition.payload.get("partition of").map(|name| Id::new(Kind::Table, name.clone()));
    let Some(parent) = above.and_then(|id| facts.get(&id)) else { return false };
    let same_table = partition
        .payload
        .iter()
        .all(|(key, value)| OWN.contains(&key.as_str()) || parent.payload.get(key) == Some(value));
    same_table
        && same_columns(partition, parent, facts)
        && parts(partition, facts).all(|part| is_meant(part, partition, parent, facts))
}

fn parts<'a>(of: &Fact, facts: &'a Facts) -> impl Iterator<Item = &'a Fact> {
    facts.children(Some(&of.id)).iter().filter_map(|id| facts.get(id))
}

/// What a column states, and its default.
type Column<'a> = (&'a BTreeMap<String, String>, Vec<&'a BTreeMap<String, String>>);

fn columns<'a>(table: &Fact, facts: &'a Facts) -> BTreeMap<String, Column<'a>> {
    let columns = parts(table, facts).filter(|part| part.id.kind == Kind::Column);
    let of = |column: &'a Fact| {
        let defaults = parts(column, facts).filter(|part| part.id.kind == Kind::Default).map(|part| &part.payload);
        (column.id.within(&table.id).to_owned(), (&column.payload, defaults.collect()))
    };
    columns.map(of).collect()
}

fn same_columns(partition: &Fact, parent: &Fact, facts: &Facts) -> bool {
    columns(partition, facts) == columns(parent, facts)
}

/// Returns whether a part is there because the parent has it.
fn is_meant(part: &Fact, partition: &Fact, parent: &Fact, facts: &Facts) -> bool {
    match part.id.kind {
        // A comment changes nothing, and the order of columns may be that of the table that was attached.
        Kind::Column | Kind::ColumnOrder | Kind::Comment => true,
        Kind::Constraint | Kind::Trigger => part.payload.contains_key("inherited"),
        Kind::Index => part.payload.contains_key("inherits"),
        Kind::Owner | Kind::Privilege => parts(parent, facts).any(|other| {
            let same = other.id.within(&parent.id) == part.id.within(&partition.id);
            other.id.kind == part.id.kind && same && other.payload == part.payload
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::schema::parse;

    const PARENT: &str = "# schema snapshot of stagegate, format 1\n[table public.log]\n  partitioned by: RANGE (at)\n  \
        [column public.log.at]\n    type: date\n    [default public.log.at]\n      expression: now()\n  \
        [owner table public.log]\n    role: app\n[table public.log_2]\n  partition bound: FOR VALUES FROM (1) TO (2)\n  \
        partition of: public.log\n  [owner table public.log_2]\n    role: app\n  [column public.log_2.at]\n    type: date\n    \
        [default public.log_2.at]\n      expression: now()\n";

    #[rstest]
    #[case::same("", "", true)]
    #[case::constraint_of_the_parent("", "  [constraint public.log_2.c]\n    inherited: yes\n", true)]
    #[case::index_of_the_parent("", "  [index public.log_2_i]\n    inherits: public.log_i\n", true)]
    #[case::comment("", "  [comment table public.log_2]\n    text: x\n", true)]
    #[case::own_constraint("", "  [constraint public.log_2.c]\n    definition: CHECK (true)\n", false)]
    #[case::own_index("", "  [index public.log_2_i]\n    definition: USING btree (at)\n", false)]
    #[case::own_column("", "  [column public.log_2.b]\n    type: text\n", false)]
    #[case::own_policy("", "  [policy public.log_2.p]\n    command: all\n", false)]
    #[case::other_owner("role: app\n  [column public.log_2", "role: other\n  [column public.log_2", false)]
    #[case::other_default(
        "public.log_2.at]\n      expression: now()",
        "public.log_2.at]\n      expression: '1'",
        false
    )]
    #[case::unlogged("partition of: public.log\n", "partition of: public.log\n  persistence: unlogged\n", false)]
    #[case::no_partition("  partition of: public.log\n", "", false)]
    fn a_partition_follows_from_its_parent_where_it_states_nothing_else(
        #[case] from: &str,
        #[case] to: &str,
        #[case] want: bool,
    ) {
        let text = if from.is_empty() { format!("{PARENT}{to}") } else { PARENT.replace(from, to) };
        assert!(from.is_empty() || text != PARENT);
        assert_eq!(follows(&Id::new(Kind::Table, "public.log_2"), &parse(&text).unwrap()), want, "{text}");
    }
}
