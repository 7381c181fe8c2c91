//! What holds of every file that is read with lines, whoever wrote it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{
    json,
    tree::{Datum, Node},
    yaml,
};

/// Keys and texts of letters that both formats write in quotes.
fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 _#:,~/{}\\[\\]\"'\\\\\näö€😀-]{0,8}"
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(|number: f64| Value::from(number)),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(word(), inner, 0..5)
                .prop_map(|map| Value::from(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Returns what a node holds as a value of `serde_json`.
fn held(node: &Node<'_>) -> Value {
    match &node.value {
        Datum::Null => Value::Null,
        Datum::Bool(value) => json!(value),
        Datum::Number(text) => serde_json::from_str(text).unwrap(),
        Datum::Text(text) => json!(text),
        Datum::List(items) => items.iter().map(held).collect(),
        Datum::Map(entries) => {
            Value::from(entries.iter().map(|(key, node)| (key.to_string(), held(node))).collect::<Map<_, _>>())
        }
    }
}

/// Checks that each member's line holds its key, and each node's id leads to a pointer that leads to the node.
fn placed(root: &Node<'_>, node: &Node<'_>, lines: &[&str]) -> Result<(), TestCaseError> {
    let pointer = root.pointer(node.id);
    prop_assert_eq!(root.at(&pointer).map(|found| found.id), Some(node.id), "{}", pointer);
    for (key, member) in node.entries() {
        let line = lines[member.line as usize - 1];
        prop_assert!(line.contains(&format!("{}:", json!(key))), "{} is not in line {}: {}", key, member.line, line);
        placed(root, member, lines)?;
    }
    node.items().iter().try_for_each(|item| placed(root, item, lines))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[\\PC\n\t{}\\[\\]\":,&*!<>|-]{0,60}") {
        let _ = (json::read(&text), yaml::read(&text));
    }

    #[test]
    fn json_that_was_written_is_read_with_its_lines(value in value()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let root = json::read(&text).unwrap();
        prop_assert_eq!(held(&root), value);
        placed(&root, &root, &lines)?;
    }

    #[test]
    fn yaml_that_was_written_is_read_with_its_lines(value in value()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let root = yaml::read(&text).unwrap();
        prop_assert_eq!(held(&root), value);
        placed(&root, &root, &lines)?;
    }

    #[test]
    fn a_file_that_is_cut_is_refused(value in value(), cut in any::<prop::sample::Index>()) {
        let text = serde_json::to_string_pretty(&json!({ "whole": value })).unwrap();
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let cut = &text[..ends[cut.index(ends.len())]];
        prop_assert!(json::read(cut).is_err(), "{}", cut);
        prop_assert!(yaml::read(cut).is_err(), "{}", cut);
    }
}
