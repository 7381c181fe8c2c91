//! The JSON Schema of the file of rules, for editors.

use serde_json::{Value, json};
use stagegate_base::json_schema;

use super::rule::{NEEDS, RawRules, RawTable, Rule, SIMPLE, names};

/// The keys above the rules of a table's columns.
const COLUMNS: [&str; 4] = ["databases", "*", "*", "*"];

/// Returns the JSON Schema of the file of rules; `reference` is the text of the annotated example.
///
/// # Errors
/// [`toml::de::Error`] where the reference is no TOML.
pub fn json_schema(reference: &str) -> Result<Value, toml::de::Error> {
    let mut schema = json_schema::json_schema::<RawRules>(super::FILE_NAME, reference)?;
    let simple: Vec<&str> = SIMPLE.iter().map(Rule::name).collect();
    let mut table = json_schema::table_schema::<RawTable>(&COLUMNS, reference)?;
    table["required"] = json!(["rule"]);
    table["properties"]["rule"]["enum"] = json!(names());
    table["properties"]["paths"]["additionalProperties"]["enum"] = json!(simple);
    table["allOf"] = NEEDS.iter().map(needs).collect();
    let mut columns = &mut schema["properties"]["databases"];
    for _ in &COLUMNS[1..] {
        columns = &mut columns["additionalProperties"];
    }
    *columns = json!({ "anyOf": [{ "enum": simple }, table] });
    Ok(schema)
}

fn needs((rule, key): &(&str, &str)) -> Value {
    json!({ "if": { "properties": { "rule": { "const": rule } } }, "then": { "required": [key] } })
}
