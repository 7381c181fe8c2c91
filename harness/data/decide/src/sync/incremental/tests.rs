use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::{
    sanitize::Key,
    sync::{Column, Table, subset::RowPlace},
};

fn key() -> Key {
    Key::new(*b"0123456789abcdef")
}

/// A COPY of places, keys of one number and hashes.
fn copied(rows: &[(u32, i64, i64)]) -> Vec<u8> {
    let mut out = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for (block, id, hash) in rows {
        out.extend_from_slice(&3_i16.to_be_bytes());
        out.extend_from_slice(&6_i32.to_be_bytes());
        out.extend_from_slice(&block.to_be_bytes());
        out.extend_from_slice(&1_u16.to_be_bytes());
        for number in [id, hash] {
            out.extend_from_slice(&8_i32.to_be_bytes());
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
    out.extend_from_slice(&(-1_i16).to_be_bytes());
    out
}

fn id_of(key: &[u8]) -> i64 {
    i64::from_be_bytes(key[4..].try_into().unwrap())
}

proptest! {
    // Rows as (key, contents), each in one of four ranges, before and after: what is settled makes the one of the other.
    #[test]
    fn a_copy_that_is_changed_as_settled_holds_what_the_source_holds(
        before in prop::collection::btree_map(0_i64..200, (0_i64..3, 0_usize..4), 0..150),
        after in prop::collection::btree_map(0_i64..200, (0_i64..3, 0_usize..4), 0..150),
    ) {
        let mut changes = Changes::default();
        for range in 0..4 {
            let of = |rows: &BTreeMap<i64, (i64, usize)>| -> Vec<(u32, i64, i64)> {
                let here = rows.iter().filter(|(_, (_, at))| *at == range);
                here.map(|(id, (hash, _))| (u32::try_from(*id).unwrap(), *id, *hash)).collect()
            };
            let (was, is) = (copied(&of(&before)), copied(&of(&after)));
            let was = HashedRows::read(&was, 1, &key()).unwrap().encoded();
            let is = HashedRows::read(&is, 1, &key()).unwrap();
            changes.compare(&kept_rows(&was).unwrap(), &is.rows);
        }
        let settled = changes.settled();
        let mut copy: BTreeMap<i64, i64> = before.iter().map(|(id, (hash, _))| (*id, *hash)).collect();
        for key in &settled.gone {
            prop_assert!(copy.remove(&id_of(key)).is_some(), "a row is deleted that is not there");
        }
        for RowPlace { block, .. } in &settled.came {
            let id = i64::from(*block);
            prop_assert!(copy.insert(id, after[&id].0).is_none(), "a row is inserted twice");
        }
        let expected: BTreeMap<i64, i64> = after.iter().map(|(id, (hash, _))| (*id, *hash)).collect();
        prop_assert_eq!(&copy, &expected);
        let touched = after.iter().filter(|(id, (hash, _))| before.get(id).is_none_or(|was| was.0 != *hash)).count();
        prop_assert_eq!(settled.came.len(), touched, "rows that only moved are not copied");
    }

    #[test]
    fn damaged_kept_rows_never_pass_for_whole_ones(cut in 1_usize..40) {
        let stream = copied(&[(1, 7, 11), (1, 8, 12)]);
        let kept = HashedRows::read(&stream, 1, &key()).unwrap().encoded();
        let cut = cut.min(kept.len() - 1);
        let read = kept_rows(&kept[..cut]);
        prop_assert!(read.is_err() || read.unwrap().len() < 2);
        prop_assert!(HashedRows::read(&stream[..stream.len() - cut], 1, &key()).is_err());
    }
}

#[test]
fn what_is_kept_of_a_row_depends_on_the_key_and_not_on_its_place() {
    let (one, two) = (copied(&[(1, 7, 11)]), copied(&[(9, 7, 11)]));
    let kept = |bytes: &[u8], key: &Key| HashedRows::read(bytes, 1, key).unwrap().encoded();
    assert_eq!(kept(&one, &key()), kept(&two, &key()));
    assert_ne!(kept(&one, &key()), kept(&one, &Key::new([7; 16])));
    assert_ne!(range_checksum(&key(), 11), range_checksum(&Key::new([7; 16]), 11));
}

fn terms() -> Terms {
    Terms::new(("production", "shop"), "7", (170_005, 170_005), "schema".into(), "rules".into())
}

#[rstest]
#[case::another_source(Terms { source: "other/shop".into(), ..terms() }, "the last sync was from other/shop")]
#[case::another_server(Terms { cluster: "8".into(), ..terms() }, "the source is on another server")]
#[case::a_new_major(Terms { major_versions: (16, 17), ..terms() }, "PostgreSQL was 16 (source) and 17 (target)")]
#[case::the_schema(Terms { schema: "x".into(), ..terms() }, "the schema of the source changed")]
#[case::the_rules(Terms { rules: "x".into(), ..terms() }, "the sanitisation rules or their key changed")]
fn whatever_the_hashes_depend_on_is_part_of_what_is_kept(#[case] was: Terms, #[case] reason: &str) {
    let found = was.change(&terms()).unwrap();
    assert!(found.starts_with(reason), "{found}");
    assert_eq!(terms().change(&terms()), None);
}

#[test]
fn every_tenth_run_is_compared_in_full() {
    let state = |since_compared| State { terms: terms(), since_compared, tables: Vec::new() };
    assert!(!state(0).is_compare_due() && !state(8).is_compare_due() && state(9).is_compare_due());
}

#[test]
fn the_statements_hash_what_equal_values_differ_in() {
    let column = |name: &str, type_name: &str, is_hashable| Column {
        name: name.into(),
        type_name: type_name.into(),
        is_hashable,
        is_portable: true,
        ..Column::default()
    };
    let types = [
        ("n", "numeric", true),
        ("t", "text", true),
        ("j", "jsonb", true),
        ("a", "int4[]", true),
        ("e", "enum", false),
    ];
    let mut columns = vec![column("id", "int8", true)];
    columns.extend(types.map(|(name, type_name, is_hashable)| column(name, type_name, is_hashable)));
    let table = Table {
        schema: "public".into(),
        name: "t".into(),
        columns,
        blocks: 300,
        has_blocks: true,
        key: vec!["id".into()],
        ..Table::default()
    };
    let ranges = ranges(&table);
    assert_eq!(ranges.len(), 2);
    assert_eq!(
        table.hash_sum(ranges[1].as_ref()),
        "select count(*), coalesce(sum(hashfloat8extended(hash_record_extended(row(\"id\", scale(\"n\"), \"n\", \"t\" collate \"C\", \"j\"::text, \
         \"a\"::text collate \"C\", \"e\"::text collate \"C\"), 20260202)::float8, 20260202)), 0)::text from only \"public\".\"t\" where ctid >= '(256,0)'::tid"
    );
    let known = table.known_key().unwrap();
    assert!(table.hashed_rows(None, &known).starts_with("copy (select ctid, \"id\", hashfloat8extended("));
    let by_sql = Column { expression: Some("null".into()), ..column("id", "int8", true) };
    let unknown = Table { columns: vec![by_sql], ..table };
    assert_eq!(unknown.known_key(), None, "a key that SQL replaces is not known here");
}
