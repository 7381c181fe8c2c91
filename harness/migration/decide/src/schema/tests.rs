use std::collections::BTreeMap;

use rstest::rstest;

use super::*;

/// Where snapshots of texts lie.
pub(super) fn snapshots() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

/// A fact: its address, its parent's, its payload as `key=value`.
fn fact(kind: Kind, name: &str, parent: Option<(Kind, &str)>, payload: &[(&str, &str)]) -> Fact {
    Fact {
        id: Id::new(kind, name),
        parent: parent.map(|(kind, name)| Id::new(kind, name)),
        payload: payload.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    }
}

const ORDERS: Option<(Kind, &str)> = Some((Kind::Table, "public.orders"));

fn table(name: &str) -> Vec<Fact> {
    let table = Some((Kind::Table, name));
    vec![
        fact(Kind::Schema, "public", None, &[]),
        fact(Kind::Table, name, Some((Kind::Schema, "public")), &[]),
        fact(Kind::Column, &format!("{name}.id"), table, &[("type", "bigint"), ("not null", "yes")]),
        fact(Kind::Column, &format!("{name}.note"), table, &[("type", "text")]),
        fact(Kind::ColumnOrder, name, table, &[("columns", "id\nnote")]),
        fact(Kind::Comment, &format!("table {name}"), table, &[("text", "what\nis \\ sold\r")]),
        fact(Kind::Index, "public.orders_idx", table, &[("definition", "USING btree (note)")]),
    ]
}

fn facts(facts: Vec<Fact>) -> Facts {
    Facts::new(facts, BTreeMap::new())
}

fn with(more: Vec<Fact>) -> Facts {
    facts(table("public.orders").into_iter().chain(more).collect())
}

fn told(old: &Facts, new: &Facts) -> Vec<String> {
    let change = |change: &Change| match change {
        Change::Added { parts } => format!("new ({parts})"),
        Change::Removed { parts } => format!("gone ({parts})"),
        Change::Renamed { to } => format!("renamed {to}"),
        Change::Changed { attributes } => attributes.iter().map(|a| a.name.clone()).collect::<Vec<_>>().join(" "),
    };
    diff(old, new).iter().map(|d| format!("{} / {}: {} {:?}", d.object, d.id, change(&d.change), d.severity)).collect()
}

#[test]
fn equal_facts_in_any_order_have_no_difference() {
    let mut turned = table("public.orders");
    turned.reverse();
    assert_eq!(told(&with(vec![]), &facts(turned)), Vec::<String>::new());
}

#[test]
fn a_snapshot_reads_back_as_it_was_written() {
    let odd =
        fact(Kind::Column, "public.orders.\"a: ]\nb\u{202e}\"", ORDERS, &[("type", ""), ("x", "\n"), ("y", " z ")]);
    let unmodelled = BTreeMap::from([("pg_largeobject_metadata".to_owned(), 3)]);
    let before = Facts::new(table("public.orders").into_iter().chain([odd]).collect(), unmodelled);
    let text = write(&before);
    let after = parse(&text).unwrap();
    assert_eq!(told(&before, &after), Vec::<String>::new());
    assert_eq!(write(&after), text);
    assert_eq!(after.unmodelled(), before.unmodelled());
    assert_eq!(parse(&text.replace('\n', "\r\n")).map(|facts| write(&facts)).unwrap(), text);
}

#[rstest]
#[case::no_head("[table public.a]\n", "line 1: a snapshot begins with")]
#[case::unknown_kind("# schema snapshot of stagegate, format 1\n[teapot public.a]\n", "line 2: `teapot public.a`")]
#[case::conflict(
    "# schema snapshot of stagegate, format 1\n<<<<<<< HEAD\n",
    "line 2: `<<<<<<< HEAD` is not an attribute"
)]
#[case::depth("# schema snapshot of stagegate, format 1\n    [table public.a]\n", "line 2: it is indented more")]
fn a_text_that_is_no_snapshot_is_reported_with_its_line(#[case] text: &str, #[case] want: &str) {
    let error = parse(text).unwrap_err().to_string();
    assert!(error.starts_with(want), "{error}");
}

#[test]
fn a_table_of_another_name_and_equal_content_is_a_rename_candidate() {
    let want = ["table public.orders / table public.orders: renamed table public.sales Semantic"];
    assert_eq!(told(&with(vec![]), &facts(table("public.sales"))), want);
}

#[test]
fn two_candidates_of_equal_content_are_not_paired() {
    let column = |name: &str| fact(Kind::Column, &format!("public.orders.{name}"), ORDERS, &[("type", "date")]);
    let found = told(&with(vec![column("a"), column("b")]), &with(vec![column("c")]));
    assert_eq!(found.iter().filter(|text| text.contains("renamed")).count(), 0, "{found:?}");
}

#[test]
fn what_went_with_its_parent_is_counted_and_not_reported() {
    let found = told(&with(vec![]), &facts(vec![fact(Kind::Schema, "public", None, &[])]));
    assert_eq!(found, ["table public.orders / table public.orders: gone (5) Semantic"]);
    let found = told(&with(vec![]), &facts(vec![]));
    assert_eq!(found.len(), 2, "what is in a schema is told one by one: {found:?}");
}

#[rstest]
#[case::turned("note\nid", Some(Severity::Order))]
#[case::one_more_at_the_end("id\nnote\nlate", None)]
#[case::one_more_between("id\nlate\nnote", None)]
fn only_another_order_of_common_columns_is_an_order_difference(#[case] columns: &str, #[case] want: Option<Severity>) {
    let mut other = table("public.orders");
    other[4].payload.insert("columns".into(), columns.into());
    let found = diff(&with(vec![]), &facts(other));
    assert_eq!(found.first().map(|difference| difference.severity), want);
}

#[rstest]
#[case::space("begin  return 1;\nend", "begin return 1; end", Severity::Cosmetic)]
#[case::comment("select 1 -- one\n", "select /* a /* b */ */ 1", Severity::Cosmetic)]
#[case::quoted("select 'a  b'", "select 'a b'", Severity::Semantic)]
#[case::word("select 1", "select 2", Severity::Semantic)]
fn white_space_and_comments_of_a_body_are_cosmetic(#[case] old: &str, #[case] new: &str, #[case] want: Severity) {
    let function = |body: &str| facts(vec![fact(Kind::Function, "public.f()", None, &[("body", body)])]);
    assert_eq!(diff(&function(old), &function(new))[0].severity, want);
}

#[rstest]
#[case::one(
    " SELECT t.a,\n    upper(t.b) AS b\n   FROM s.t\n  ORDER BY t.a;",
    " SELECT a,\n    upper(b) AS b\n   FROM s.t\n  ORDER BY a;"
)]
#[case::alias(" SELECT z.id\n   FROM s.t z\n  WHERE (z.id > 3);", " SELECT id\n   FROM s.t z\n  WHERE (id > 3);")]
#[case::inner(
    " SELECT t.id\n   FROM s.t\n  WHERE (EXISTS ( SELECT 1\n           FROM s.u\n          WHERE (u.id = t.id)));",
    " SELECT id\n   FROM s.t\n  WHERE (EXISTS ( SELECT 1\n           FROM s.u\n          WHERE (u.id = t.id)));"
)]
#[case::join(
    " SELECT t.id\n   FROM (s.t\n     JOIN s.u USING (id));",
    " SELECT t.id\n   FROM (s.t\n     JOIN s.u USING (id));"
)]
#[case::union(
    " SELECT t.id\n   FROM s.t\nUNION ALL\n SELECT u.id\n   FROM s.u;",
    " SELECT t.id\n   FROM s.t\nUNION ALL\n SELECT u.id\n   FROM s.u;"
)]
#[case::text(" SELECT 't.a'::text AS x\n   FROM s.t;", " SELECT 't.a'::text AS x\n   FROM s.t;")]
#[case::row(" SELECT row_to_json(u.*) AS doc\n   FROM users u;", " SELECT row_to_json(u.*) AS doc\n   FROM users u;")]
fn a_view_of_one_relation_is_written_as_newer_servers_do(#[case] old: &str, #[case] want: &str) {
    assert_eq!(single_relation_view(old), want);
}

#[rstest]
#[case::name("en_US", "en-US")]
#[case::tag("de-DE-u-co-phonebk", "de-DE-u-co-phonebk")]
#[case::keyword("de_DE@collation=phonebook", "de-DE-u-co-phonebk")]
#[case::several("en@colStrength=secondary;colNumeric=yes", "en-u-kn-ks-level2")]
#[case::only_keywords("@colNumeric=yes", "und-u-kn")]
#[case::none("", "und")]
fn a_locale_of_icu_is_kept_as_newer_servers_do(#[case] old: &str, #[case] want: &str) {
    assert_eq!(icu_locale(old), want);
}

#[test]
fn differences_are_reported_with_both_sides_and_what_they_mean() {
    let mut other = table("public.orders");
    other[3].payload.insert("type".into(), "integer".into());
    other[3].payload.insert("not null".into(), "yes".into());
    other[5].payload.insert("text".into(), "what\nis bought".into());
    let sides = Sides { old: "staging".into(), new: "production".into() };
    let (old, new) = (with(vec![]), facts(other));
    let found = diff(&old, &new);
    let want = "\
table public.orders
  * column public.orders.note differs
      not null       (none)  ->  yes
      type           text  ->  integer
      old release on new schema: reads unsafe, writes unsafe; new release on old schema: reads unsafe, writes unsafe
      because the old release may write null; the new one may read null from the old schema
      because values are read and written as another type
  * comment table public.orders differs  (cosmetic)
      text  (- staging, + production)
        - is \\ sold
        + is bought
";
    assert_eq!(terminal(&sides, &found), want);
    assert_eq!(summary(&found), "2 differences: 1 semantic, 1 cosmetic");
    let value = json(&sides, &old, &new, &found);
    assert_eq!(value["differences"][0]["id"], "column public.orders.note");
    assert_eq!(value["differences"][0]["compatibility"]["old_on_new"]["writes"], "unsafe");
}

#[rstest]
#[case("owner on pg_namespace", 20, "20 ownership entries (pg_namespace) are not compared")]
#[case("comment on pg_type", 1, "1 comment entry (pg_type) is not compared")]
#[case("pg_largeobject_metadata", 3, "3 objects (pg_largeobject_metadata) are not compared")]
fn what_is_not_compared_is_counted(#[case] what: &str, #[case] count: u64, #[case] want: &str) {
    assert_eq!(not_compared(what, count), want);
}

#[test]
fn settings_that_are_new_or_gone_are_named() {
    let setting = |name: &str| fact(Kind::Setting, "this database", None, &[(name, "UTC"), ("work_mem", "8MB")]);
    let found = diff(&with(vec![]), &with(vec![setting("timezone")]));
    assert_eq!(found[0].values_text(), ": timezone = UTC, work_mem = 8MB");
    let gone = diff(&with(vec![setting("timezone")]), &with(vec![]));
    let sides = Sides { old: "staging".into(), new: "production".into() };
    assert!(terminal(&sides, &gone).contains("- it is gone: timezone = UTC, work_mem = 8MB\n"));
    let changed = diff(&with(vec![setting("timezone")]), &with(vec![setting("datestyle")]));
    assert_eq!(changed[0].values_text(), "", "its attributes are named");
}
