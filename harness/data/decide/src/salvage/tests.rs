use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn column(name: &str) -> ColumnOf {
    let text = || "text".to_owned();
    ColumnOf { name: name.to_owned(), declared: text(), unlimited: text(), ..ColumnOf::default() }
}

fn relation(name: &str, columns: &[&str], key: &[&str], refers_to: &[&str]) -> Relation {
    Relation {
        schema: "public".to_owned(),
        name: name.to_owned(),
        columns: columns.iter().map(|name| column(name)).collect(),
        key: key.iter().map(ToString::to_string).collect(),
        references: refers_to.iter().map(|to| Reference { to: (*to).to_owned(), ..Reference::default() }).collect(),
        ..Relation::default()
    }
}

#[test]
fn a_table_comes_after_those_that_it_refers_to_and_a_circle_ends() {
    let all = [
        relation("a_line", &["id"], &["id"], &["public.order", "public.item"]),
        relation("item", &["id"], &["id"], &["public.item"]),
        relation("order", &["id"], &["id"], &["public.person"]),
        relation("person", &["id"], &["id"], &["public.order"]),
    ];
    let ordered = pairs(&all, &all, &[]).unwrap();
    let names: Vec<&str> = ordered.iter().map(|pair| pair.kept.name.as_str()).collect();
    assert_eq!(names.len(), 4);
    let at = |name: &str| names.iter().position(|one| *one == name).unwrap();
    assert!(at("item") < at("order") && at("order") < at("a_line") || at("a_line") > at("item"), "{names:?}");
}

#[test]
fn rows_are_matched_by_the_live_key_over_common_columns() {
    let kept = [relation("t", &["id", "tenant", "name", "price"], &["tenant", "id"], &[])];
    let live = [relation("t", &["id", "tenant", "name", "old"], &["id"], &[])];
    let pair = &pairs(&kept, &live, &["t".to_owned()]).unwrap()[0];
    assert_eq!(
        (pair.key.clone(), pair.columns.clone()),
        (vec!["id".to_owned()], ["id", "tenant", "name"].map(String::from).to_vec())
    );
    assert_eq!(TableRows::of(pair).left_out, ["price"]);
    let other = [relation("t", &["number", "name"], &["number"], &[])];
    assert!(pairs(&kept, &other, &[]).unwrap()[0].key.is_empty(), "the kept table has no `number`");
    assert_eq!(pairs(&kept, &live, &["public.u".to_owned()]), Err(NoTable("public.u".to_owned())));
}

#[test]
fn a_history_table_is_left_out_unless_it_is_named() {
    let history = Relation { is_history: true, ..relation("alembic_version", &["version_num"], &["version_num"], &[]) };
    let all = [relation("t", &["id"], &["id"], &[]), history];
    let names = |wanted: &[String]| -> Vec<String> {
        pairs(&all, &all, wanted).unwrap().into_iter().map(|pair| pair.kept.name).collect()
    };
    assert_eq!(names(&[]), ["t"]);
    assert_eq!(names(&["alembic_version".to_owned()]), ["alembic_version"]);
}

#[rstest::rstest]
#[case::alembic("public", "alembic_version", true)]
#[case::of_another_schema("app", "django_migrations", true)]
#[case::flyway("public", "flyway_schema_history", true)]
#[case::a_lock("public", "databasechangeloglock", true)]
#[case::sqitch("sqitch", "events", true)]
#[case::drizzle("drizzle", "__drizzle_migrations", true)]
#[case::configured("app", "versions", true)]
#[case::of_the_schema_of_another("public", "versions", false)]
#[case::a_product_s("public", "changes", false)]
fn history_tables_are_known(#[case] schema: &str, #[case] name: &str, #[case] expected: bool) {
    assert_eq!(crate::live::is_history_table(schema, name, &["app.versions".to_owned()]), expected);
}

#[test]
fn what_cannot_be_carried_is_known_before() {
    let kept = relation("t", &["id"], &["id"], &[]);
    let one = |live: &[Relation]| pairs(std::slice::from_ref(&kept), live, &[]).unwrap()[0].refusal();
    assert_eq!(one(&[]).as_deref(), Some("the live database has no such table"));
    let mut live = relation("t", &["id", "size"], &["id"], &[]);
    assert_eq!(one(&[live.clone()]), None);
    live.columns[1].is_needed = true;
    assert!(one(&[live]).unwrap().starts_with("column `size` of the live table needs a value"));
}

#[test]
fn a_row_that_the_live_column_would_cut_is_not_written() {
    let kept = relation("t", &["id", "code"], &["id"], &[]);
    let mut live = kept.clone();
    live.columns[1].declared = "character varying(5)".to_owned();
    live.columns[1].unlimited = "character varying".to_owned();
    let pair = &pairs(std::slice::from_ref(&kept), &[live], &[]).unwrap()[0];
    let cut = "(v1::character varying is distinct from v1::character varying(5))";
    assert!(pair.carry(0).contains(&format!("not {cut}")), "{}", pair.carry(0));
    assert!(pair.count_shortened(0).ends_with(cut), "{}", pair.count_shortened(0));
    let same = &pairs(std::slice::from_ref(&kept), std::slice::from_ref(&kept), &[]).unwrap()[0];
    assert!(same.carry(0).contains("not (false)"), "{}", same.carry(0));
}

#[test]
fn names_with_quotes_and_backslashes_stay_names() {
    let odd = relation("a\"b", &["c\\d'"], &[], &[]);
    let pair = &pairs(std::slice::from_ref(&odd), std::slice::from_ref(&odd), &[]).unwrap()[0];
    assert!(pair.hashes(Side::Kept).contains("\"public\".\"a\"\"b\""), "{}", pair.hashes(Side::Kept));
    assert!(
        pair.inserts(0).contains("insert into \"public\".\"a\"\"b\" (\"c\\\\d\\'' \")")
            || pair.inserts(0).contains("(\"c\\\\d''\")"),
        "{}",
        pair.inserts(0)
    );
}

/// Walks along both sides as the session does.
fn walk(kept: &BTreeMap<u8, u8>, live: &BTreeMap<u8, u8>) -> (TableRows, Vec<(String, Kind)>) {
    let hashes = |side: &BTreeMap<u8, u8>| -> Vec<Hashes> {
        side.iter().map(|(key, value)| (format!("{key:02x}"), format!("{value:02x}"))).collect()
    };
    let (kept, live) = (hashes(kept), hashes(live));
    let (mut k, mut l, mut found, mut remembered) = (0, 0, TableRows::default(), Vec::new());
    loop {
        let next = step(kept.get(k), live.get(l));
        if let Some(kind) = found.count(next) {
            remembered.push((kept[k].0.clone(), kind));
        }
        match next {
            Step::Kept => k += 1,
            Step::Live => l += 1,
            Step::Both(_) => (k, l) = (k + 1, l + 1),
            Step::End => return (found, remembered),
        }
    }
}

proptest! {
    #[test]
    fn the_walk_counts_what_a_recount_does(
        kept in proptest::collection::btree_map(0_u8..40, 0_u8..3, 0..40),
        live in proptest::collection::btree_map(0_u8..40, 0_u8..3, 0..40),
    ) {
        let (found, remembered) = walk(&kept, &live);
        let missing: Vec<u8> = kept.keys().filter(|key| !live.contains_key(key)).copied().collect();
        let changed = kept.iter().filter(|(key, value)| live.get(key).is_some_and(|other| other != *value)).count() as u64;
        let only_live = live.keys().filter(|key| !kept.contains_key(key)).count() as u64;
        prop_assert_eq!(
            (found.kept, found.missing, found.changed, found.only_live),
            (kept.len() as u64, missing.len() as u64, changed, only_live)
        );
        let named: Vec<String> = missing.iter().map(|key| format!("{key:02x}")).collect();
        let of_kind = |wanted: Kind| remembered.iter().filter(move |(_, kind)| *kind == wanted).map(|(hash, _)| hash.clone());
        prop_assert_eq!(of_kind(Kind::OnlyKept).collect::<Vec<_>>(), named);
        prop_assert_eq!(of_kind(Kind::Changed).count() as u64, changed);
    }
}

#[test]
fn refused_rows_are_counted_by_reason() {
    let mut carried = CarryResult { table: "public.t".to_owned(), rows: 1, ..CarryResult::default() };
    for reason in ["a", "b", "a"] {
        carried.refuse(1, reason);
    }
    assert_eq!(carried.remaining(), 3);
    assert_eq!(carried.text(), "public.t: 1 row carried; 2 rows not: a; 1 row not: b");
}
