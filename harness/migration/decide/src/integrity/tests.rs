use rstest::rstest;

use super::{
    query::{Detail, checksum_query, examples, read_checksums},
    *,
};

fn column(name: &str, base: &str) -> Column {
    Column {
        name: name.to_owned(),
        data_type: base.to_owned(),
        base: base.to_owned(),
        is_builtin: true,
        has_modifier: false,
        is_deterministic: true,
        sequence: None,
    }
}

fn shape(columns: Vec<Column>) -> Shape {
    Shape { name: "public.t".to_owned(), is_partitioned: false, columns, key: vec!["id".to_owned()] }
}

#[rstest]
#[case::plain("int8", true, Exact::Value)]
#[case::scale_is_not_seen("numeric", true, Exact::ValueThenText)]
#[case::an_enum_is_hashed_by_its_oid("mood", false, Exact::Text)]
#[case::letters_case("citext", false, Exact::ValueThenText)]
#[case::no_hash("json", true, Exact::Text)]
fn a_type_whose_equality_is_not_the_equality_of_its_text_is_hashed_as_text(
    #[case] base: &str,
    #[case] is_builtin: bool,
    #[case] expected: Exact,
) {
    assert_eq!(exact(base, is_builtin, false, true), expected);
    assert_eq!(exact("numeric", true, true, true), Exact::Value);
    assert_eq!(exact("text", true, false, false), Exact::ValueThenText);
}

#[test]
fn one_pass_counts_and_sums_and_quotes_names() {
    let shape = shape(vec![column("id", "int8"), column("odd \"name", "jsonb")]);
    assert_eq!(
        checksum_query(&shape, Detail::Rows),
        "select array_to_string(array[(count(*))::text, \
         (sum(pg_catalog.hashfloat8extended(pg_catalog.hash_record_extended(row(whole_row.\"id\", \
         whole_row.\"odd \"\"name\"), 0)::float8, 0)))::text, \
         (sum(pg_catalog.hashfloat8extended(pg_catalog.hash_record_extended(row(whole_row.\"id\", \
         whole_row.\"odd \"\"name\"::text collate \"C\"), 1)::float8, 1)))::text], ',', '') \
         from only public.t as whole_row"
    );
}

#[test]
fn keys_are_read_only_where_they_are_numbers_or_uuids() {
    assert!(examples(&shape(vec![column("id", "uuid")])).is_some());
    assert!(examples(&shape(vec![column("id", "text")])).is_none());
}

#[test]
fn a_response_that_is_cut_off_is_none() {
    let of = |answer: &str| read_checksums(shape(vec![column("id", "int8")]), answer, &[]);
    assert_eq!(of("2,5,6,2,7,8,").unwrap().columns[0].filled, 2);
    assert!(of("2,5,6,2,7").is_none());
    assert!(of("").is_none());
}

#[test]
fn a_sequence_that_would_give_a_taken_value_is_behind() {
    let mut id = column("id", "int8");
    let sequence = |next, increment| Sequence { name: "s".to_owned(), next, increment, cycles: false };
    for (next, increment, end, is_behind) in
        [(8, 1, 7, false), (7, 1, 7, true), (-8, -1, -7, false), (-7, -1, -7, true)]
    {
        id.sequence = Some(sequence(next, increment));
        let table = read_checksums(shape(vec![id.clone()]), &format!("1,1,1,1,1,1,{end}"), &[]).unwrap();
        assert_eq!(!table.sequences_behind().is_empty(), is_behind, "{next} {increment} {end}");
    }
}
