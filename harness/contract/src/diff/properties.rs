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

/// Lines as people write YAML, and some that mean more than they seem to.
fn lines() -> impl Strategy<Value = String> {
    let content = prop_oneof![
        "[a-c]: [a-d0-9]{1,3}",
        "[a-c]:",
        "- [a-d]{1,2}",
        "- [a-c]: [0-9.]{1,3}",
        "- - [a-c]",
        "-",
        "'[a-c]': \"[a-d ]{0,3}\"",
        "[a-c]: [|>]-?",
        "[a-c]: \\[[a-c], ?[0-9]\\]",
        "[a-c]: (\\[\\]|\\{\\}|~|null|true|-1|- a|a: b|a #b|a#b|&x 1|\\*x|!!str 1|'a''b'|\"\\\\n\"|\\{a: 1\\})",
        "[a-d] [a-d]",
        "[a-d]{1,2}  ",
        "<<: a",
        "# [a-c]",
        "---",
        "\\.\\.\\.",
        "",
        " ",
    ];
    let line = (0..4usize, content).prop_map(|(indent, content)| format!("{}{content}", " ".repeat(indent * 2)));
    let odd = (0..7usize, "[a-c]: [a-d]").prop_map(|(indent, content)| format!("{}{content}", " ".repeat(indent)));
    let lines = prop::collection::vec(prop_oneof![8 => line, 1 => odd], 1..9);
    (lines, any::<bool>()).prop_map(|(lines, ends)| lines.join("\n") + if ends { "\n" } else { "" })
}

/// Writes a value as blocks.
fn blocks(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    let below = |value: &Value, out: &mut String| match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            blocks(value, indent + 2, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            blocks(value, indent, out);
        }
        other => out.push_str(&format!(" {other}\n")),
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            out.push_str(&format!("{pad}{}:", json!(key)));
            below(value, out);
        }),
        Value::Array(items) => items.iter().for_each(|item| match item {
            Value::Object(map) if !map.is_empty() => {
                let mut inner = String::new();
                blocks(item, indent + 2, &mut inner);
                out.push_str(&format!("{pad}- {}", inner.trim_start()));
            }
            other => out.push_str(&format!("{pad}- {other}\n")),
        }),
        other => out.push_str(&format!("{other}\n")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn what_is_read_line_by_line_is_read_as_the_parser_reads_it(text in lines()) {
        if let Some(root) = super::block::read(&text) {
            let parsed = yaml::parsed(&text);
            prop_assert_eq!(format!("{:?}", Ok::<_, super::super::ContractError>(root)), format!("{parsed:?}"), "{}", text);
        }
    }
}

proptest! {
    #[test]
    fn blocks_are_read_line_by_line(value in value()) {
        let mut text = String::new();
        blocks(&json!({ "whole": value }), 0, &mut text);
        if let Some(root) = super::block::read(&text) {
            prop_assert_eq!(format!("{root:?}"), format!("{:?}", yaml::parsed(&text).unwrap()), "{}", text);
        }
    }
}

#[test]
fn a_document_of_blocks_needs_no_parser() {
    let text = "openapi: 3.1.0\ninfo:\n  title: \"shop: all\"\n  description: |\n    one\n    two\n\n  version: '1'\npaths:\n  /a/{id}:\n    get:\n      tags: [a, b]\n      parameters:\n      - name: id\n        in: path\n        schema: {}\n      - $ref: \"#/x\"\n      security: []\n      responses:\n        '200':\n          description: fine\n        404:\n";
    let root = super::block::read(text).unwrap();
    assert_eq!(format!("{root:?}"), format!("{:?}", yaml::parsed(text).unwrap()));
}
