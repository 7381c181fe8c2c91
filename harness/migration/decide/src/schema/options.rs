//! Which storage options are facts: those that a user can set, and so `pg_dump` writes.
//!
//! A server keeps notes of its own in the same place, and each release may bring one. So what is not known as a user's
//! option is taken out of a fact and counted as not modelled: never a difference, and never missed in silence.

use std::collections::BTreeMap;

use super::{Fact, Kind, scan};

/// What a server is known to keep for itself: no user sets it, `pg_dump` leaves it out. It is not worth a count.
// `pg_attver`: PostgreSQL 17.12 counts changes of a column in it; each ALTER and each restore gives another number.
const OF_SERVER: &[&str] = &["pg_attver"];

// Source for all: PostgreSQL manual 15 to 18, ALTER TABLE, CREATE TABLE, CREATE INDEX and CREATE VIEW.
const OF_COLUMN: &[&str] = &["n_distinct", "n_distinct_inherited"];
const OF_VIEW: &[&str] = &["check_option", "security_barrier", "security_invoker"];
const OF_TABLE: &[&str] = &[
    "autovacuum_analyze_scale_factor",
    "autovacuum_analyze_threshold",
    "fillfactor",
    "parallel_workers",
    "toast_tuple_target",
    "user_catalog_table",
];
/// Options of tables that their TOAST tables have too.
const OF_TABLE_AND_TOAST: &[&str] = &[
    "autovacuum_enabled",
    "autovacuum_freeze_max_age",
    "autovacuum_freeze_min_age",
    "autovacuum_freeze_table_age",
    "autovacuum_multixact_freeze_max_age",
    "autovacuum_multixact_freeze_min_age",
    "autovacuum_multixact_freeze_table_age",
    "autovacuum_vacuum_cost_delay",
    "autovacuum_vacuum_cost_limit",
    "autovacuum_vacuum_insert_scale_factor",
    "autovacuum_vacuum_insert_threshold",
    "autovacuum_vacuum_max_threshold",
    "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_threshold",
    "log_autovacuum_min_duration",
    "vacuum_index_cleanup",
    "vacuum_max_eager_freeze_failure_rate",
    "vacuum_truncate",
];
const OF_INDEX: &[&str] = &[
    "autosummarize",
    "buffering",
    "deduplicate_items",
    "fastupdate",
    "fillfactor",
    "gin_pending_list_limit",
    "pages_per_range",
    // Without effect since PostgreSQL 14, but still kept and written.
    "vacuum_cleanup_index_scale_factor",
];
/// The server's own index methods. One that an extension brings has options that only the extension knows.
const INDEX_METHODS: &[&str] = &["brin", "btree", "gin", "gist", "hash", "spgist"];

/// What every count of an option begins with.
const COUNTED: &str = "option ";

/// Returns whether a count of what is not modelled is one of options, not of objects.
pub(super) fn is_count_of_options(what: &str) -> bool {
    what.starts_with(COUNTED)
}

/// Takes out of a fact the options that are no fact, and counts the unknown ones.
pub(super) fn settle(fact: &mut Fact, unmodelled: &mut BTreeMap<String, u64>) {
    let kind = fact.id.kind;
    match kind {
        Kind::Column => filter(fact, "options", "", unmodelled, |name| OF_COLUMN.contains(&name)),
        Kind::View => filter(fact, "options", "", unmodelled, |name| OF_VIEW.contains(&name)),
        Kind::Table | Kind::MaterializedView => {
            // Another access method than the server's own may have options that only its extension knows.
            let is_own = !fact.payload.contains_key("access method");
            let is_of_table = |name: &str| !is_own || OF_TABLE.contains(&name) || OF_TABLE_AND_TOAST.contains(&name);
            filter(fact, "options", "", unmodelled, is_of_table);
            filter(fact, "toast options", "toast.", unmodelled, |name| OF_TABLE_AND_TOAST.contains(&name));
        }
        Kind::Constraint => {
            let is_own = has_own_method(fact);
            filter(fact, "index options", "", unmodelled, |name| !is_own || OF_INDEX.contains(&name));
        }
        Kind::Index => index(fact, unmodelled),
        _ => {}
    }
}

/// Keeps of a list of options what `is_known`.
fn filter(
    fact: &mut Fact,
    attribute: &str,
    prefix: &str,
    unmodelled: &mut BTreeMap<String, u64>,
    is_known: impl Fn(&str) -> bool,
) {
    let Some(all) = fact.payload.get_mut(attribute) else { return };
    let kind = fact.id.kind;
    let kept: Vec<&str> =
        all.split(", ").filter(|option| is_kept(option, prefix, kind, unmodelled, &is_known)).collect();
    let kept = kept.join(", ");
    if kept.is_empty() {
        fact.payload.remove(attribute);
    } else {
        *all = kept;
    }
}

fn is_kept(
    option: &str,
    prefix: &str,
    kind: Kind,
    unmodelled: &mut BTreeMap<String, u64>,
    is_known: impl Fn(&str) -> bool,
) -> bool {
    let name = option.split('=').next().unwrap_or_default();
    if OF_SERVER.contains(&name) {
        return false;
    }
    if !is_known(name) {
        *unmodelled.entry(format!("{COUNTED}{prefix}{name} of {kind}")).or_insert(0) += 1;
        return false;
    }
    true
}

/// Returns whether the index of a constraint or an index is of one of the server's own methods.
fn has_own_method(fact: &Fact) -> bool {
    let definition = fact.payload.get("definition").map_or("", String::as_str);
    let named = definition.split_once("USING ").map(|(_, rest)| rest.split([' ', '(']).next().unwrap_or_default());
    // A primary key and a UNIQUE name none: theirs is always a B-tree.
    match (fact.id.kind, named) {
        (Kind::Constraint, _) if !definition.starts_with("EXCLUDE ") => true,
        (_, method) => method.is_none_or(|method| INDEX_METHODS.contains(&method)),
    }
}

/// Does to the options within an index's definition what is done to a list of them, and sorts them: the server writes
/// them in the order in which they were set.
fn index(fact: &mut Fact, unmodelled: &mut BTreeMap<String, u64>) {
    let is_own = has_own_method(fact);
    let kind = fact.id.kind;
    let Some(definition) = fact.payload.get_mut("definition") else { return };
    const WITH: &str = " WITH (";
    let Some(start) = scan::find_outermost(definition, WITH) else { return };
    let inner = start + WITH.len();
    let end = inner + scan::closing(&definition[inner..]);
    let is_known = |name: &str| !is_own || OF_INDEX.contains(&name);
    let mut kept: Vec<&str> = scan::list(&definition[inner..end])
        .into_iter()
        .filter(|option| is_kept(option, "", kind, unmodelled, is_known))
        .collect();
    kept.sort_unstable();
    let list = if kept.is_empty() { String::new() } else { format!("{WITH}{})", kept.join(", ")) };
    let rest = definition.get(end + 1..).unwrap_or_default();
    *definition = format!("{}{list}{rest}", &definition[..start]);
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::schema::Id;

    fn settled(kind: Kind, payload: &[(&str, &str)]) -> (BTreeMap<String, String>, BTreeMap<String, u64>) {
        let payload = payload.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut fact = Fact { id: Id::new(kind, "app.x"), parent: None, payload };
        let mut unmodelled = BTreeMap::new();
        settle(&mut fact, &mut unmodelled);
        (fact.payload, unmodelled)
    }

    #[rstest]
    #[case::counter(Kind::Column, "options", "pg_attver=26576736", None)]
    #[case::beside(Kind::Column, "options", "n_distinct=5, pg_attver=26576736", Some("n_distinct=5"))]
    #[case::table(Kind::Table, "options", "fillfactor=80, pg_attver=1", Some("fillfactor=80"))]
    #[case::toast(Kind::Table, "toast options", "pg_attver=1", None)]
    #[case::view(Kind::View, "options", "pg_attver=1, security_barrier=true", Some("security_barrier=true"))]
    #[case::key(Kind::Constraint, "index options", "fillfactor=60, pg_attver=1", Some("fillfactor=60"))]
    fn what_the_server_keeps_for_itself_is_no_fact(
        #[case] kind: Kind,
        #[case] attribute: &str,
        #[case] value: &str,
        #[case] want: Option<&str>,
    ) {
        let (payload, unmodelled) = settled(kind, &[(attribute, value)]);
        assert_eq!(payload.get(attribute).map(String::as_str), want);
        assert_eq!(unmodelled, BTreeMap::new());
    }

    #[rstest]
    #[case::column(Kind::Column, "options", "option pg_future of column")]
    #[case::table(Kind::Table, "options", "option pg_future of table")]
    #[case::toast(Kind::Table, "toast options", "option toast.pg_future of table")]
    #[case::view(Kind::View, "options", "option pg_future of view")]
    #[case::materialized(Kind::MaterializedView, "options", "option pg_future of materialized view")]
    #[case::key(Kind::Constraint, "index options", "option pg_future of constraint")]
    fn an_unknown_option_is_counted_and_no_fact(#[case] kind: Kind, #[case] attribute: &str, #[case] counted: &str) {
        let (payload, unmodelled) = settled(kind, &[(attribute, "pg_future=1"), ("type", "text")]);
        assert_eq!(payload, BTreeMap::from([("type".to_owned(), "text".to_owned())]));
        assert_eq!(unmodelled, BTreeMap::from([(counted.to_owned(), 1)]));
        assert!(is_count_of_options(counted));
    }

    #[rstest]
    #[case::sorted(
        "USING btree (a) WITH (fillfactor='70', deduplicate_items=off) WHERE (a > 1)",
        "USING btree (a) WITH (deduplicate_items=off, fillfactor='70') WHERE (a > 1)"
    )]
    #[case::unknown(
        "USING btree (a) INCLUDE (b) WITH (pg_future='1') TABLESPACE fast",
        "USING btree (a) INCLUDE (b) TABLESPACE fast"
    )]
    #[case::last("USING gin (a) WITH (fastupdate=off, pg_future='1')", "USING gin (a) WITH (fastupdate=off)")]
    #[case::of_a_class("USING gist (t tsvector_ops (siglen='100'))", "USING gist (t tsvector_ops (siglen='100'))")]
    #[case::in_a_text("USING btree ((' WITH (a=1)'::text))", "USING btree ((' WITH (a=1)'::text))")]
    #[case::of_an_extension(
        "USING hnsw (v) WITH (m='16', pg_future='1')",
        "USING hnsw (v) WITH (m='16', pg_future='1')"
    )]
    fn options_within_an_index_are_those_of_its_method(#[case] definition: &str, #[case] want: &str) {
        let (payload, unmodelled) = settled(Kind::Index, &[("definition", definition)]);
        assert_eq!(payload["definition"], want);
        let counted = u64::from(definition.contains("pg_future") && !want.contains("pg_future"));
        assert_eq!(unmodelled.values().sum::<u64>(), counted);
    }

    #[rstest]
    #[case::column_of_a_foreign_table(Kind::Column, "server options")]
    #[case::foreign_table(Kind::ForeignTable, "server options")]
    #[case::wrapper(Kind::ForeignDataWrapper, "options")]
    #[case::server(Kind::ForeignServer, "options")]
    #[case::mapping(Kind::UserMapping, "options")]
    #[case::setting(Kind::Setting, "app.tenant")]
    fn options_of_foreign_data_and_settings_are_free_and_so_all_facts(#[case] kind: Kind, #[case] attribute: &str) {
        let (payload, unmodelled) = settled(kind, &[(attribute, "pg_future=1, table_name=t")]);
        assert_eq!(payload[attribute], "pg_future=1, table_name=t");
        assert_eq!(unmodelled, BTreeMap::new());
    }

    #[test]
    fn a_table_of_another_access_method_keeps_the_options_that_only_its_extension_knows() {
        let (payload, unmodelled) =
            settled(Kind::Table, &[("access method", "columnar"), ("options", "compress=5, pg_attver=1")]);
        assert_eq!(payload["options"], "compress=5");
        assert_eq!(unmodelled, BTreeMap::new());
    }

    #[rstest]
    #[case::of_an_extension("EXCLUDE USING other (a WITH =)", Some("depth=5"))]
    #[case::own("EXCLUDE USING gist (a WITH =)", None)]
    #[case::key("PRIMARY KEY (a)", None)]
    fn the_index_of_a_constraint_has_the_options_of_its_method(#[case] definition: &str, #[case] want: Option<&str>) {
        let (payload, _) = settled(Kind::Constraint, &[("definition", definition), ("index options", "depth=5")]);
        assert_eq!(payload.get("index options").map(String::as_str), want);
    }
}
