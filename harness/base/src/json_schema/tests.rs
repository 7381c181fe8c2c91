use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::*;
use crate::units::Span;

const REFERENCE: &str = "\
# The name of it.
#
# Required.
name = \"a\"

# --- A section ---
#
# Things, by name.

[things.one]
# How many; `unit` is what of.
count = 3
unit = \"box\"

# How long.
within = \"5s\"
# One file, or a list.
file = \"a\"

[things.two]
file = [\"a\"]

# Each of them.
[[item]]
# Which word.
word = \"this\"
# Not with `count`:
#   [item.more]
#   deep = true
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape counts")]
struct File {
    name: Spanned<String>,
    #[serde(default)]
    things: BTreeMap<Spanned<String>, Spanned<Thing>>,
    #[serde(default)]
    item: Vec<Spanned<Item>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape counts")]
struct Thing {
    #[serde(default, alias = "number")]
    count: Option<u8>,
    unit: Option<String>,
    within: Option<Span>,
    file: OneOrMany,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its shape counts")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape counts")]
struct Item {
    word: Word,
    more: Option<More>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    This,
    That,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its shape counts")]
struct More {
    deep: bool,
}

#[test]
fn a_schema_has_what_the_type_reads_and_what_the_reference_reports_of_it() {
    let schema = json_schema::<File>("a file", REFERENCE).unwrap();
    assert_eq!(schema["required"], json!(["name"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    assert_eq!(
        schema["properties"]["name"],
        json!({ "type": "string", "description": "The name of it.\n\nRequired." })
    );
    let things = &schema["properties"]["things"];
    assert_eq!(things["description"], "Things, by name.");
    let thing = &things["additionalProperties"];
    assert_eq!(thing["required"], json!(["file"]));
    let of = |key: &str| thing["properties"][key].clone();
    assert_eq!((&of("count")["type"], &of("count")["maximum"]), (&json!("integer"), &json!(255)));
    assert_eq!(of("unit")["description"], "How many; `unit` is what of.");
    assert_eq!(of("within")["pattern"], json!(WITH_UNIT));
    assert_eq!(of("file")["type"], json!(["array", "string"]));
    assert_eq!((&of("number")["deprecated"], &of("number")["description"]), (&json!(true), &json!(EARLIER)));
    let item = &schema["properties"]["item"]["items"]["properties"];
    assert_eq!(item["word"]["enum"], json!(["this", "that"]));
    assert_eq!(item["more"]["description"], "Not with `count`:");
    assert_eq!(item["more"]["properties"]["deep"]["type"], "boolean");
}

#[test]
fn tables_of_a_place_have_the_words_that_the_reference_has_there() {
    let schema = table_schema::<More>(&["things", "*"], "[things.one]\n# How deep it goes.\ndeep = true\n").unwrap();
    assert_eq!(schema["properties"]["deep"], json!({ "type": "boolean", "description": "How deep it goes." }));
}

#[test]
fn a_reference_that_is_no_toml_is_refused() {
    assert!(json_schema::<File>("a file", "name = ").is_err());
}
