//! The annotated references of the files that users write, their readers and their JSON Schemas hold together.

use std::{collections::BTreeSet, fs, path::Path};

use rstest::rstest;
use serde_json::{Value, json};
use stagegate_base::{
    config::{self, Config},
    waiver::{self, Waivers},
};
use stagegate_data_decide::{sanitize, sync::subset};
use stagegate_workflow_decide as workflow;

use super::root;

/// A file that users write.
#[derive(Clone, Copy, Debug)]
enum File {
    Config,
    Workflow,
    Waivers,
    Sanitize,
    Subset,
}

impl File {
    fn reference(self) -> String {
        let name = match self {
            File::Config => "stagegate.toml",
            File::Workflow => "workflow.toml",
            File::Waivers => "stagegate-waivers.toml",
            File::Sanitize => "stagegate-sanitize.toml",
            File::Subset => "subset.toml",
        };
        fs::read_to_string(root().join("docs").join(name)).unwrap()
    }

    fn schema(self) -> Value {
        let reference = self.reference();
        match self {
            File::Config => config::json_schema(&reference),
            File::Workflow => workflow::json_schema(&reference),
            File::Waivers => waiver::json_schema(&reference),
            File::Sanitize => sanitize::json_schema(&reference),
            File::Subset => subset::json_schema(&reference),
        }
        .unwrap()
    }

    /// Reads a text as `gate` does.
    fn read(self, text: &str) -> Result<(), String> {
        match self {
            File::Config => Config::parse(Path::new("/x/stagegate.toml"), text).map(drop).map_err(|e| e.to_string()),
            File::Waivers => Waivers::parse(Path::new("/x/w.toml"), text, &[]).map(drop).map_err(|e| e.to_string()),
            File::Sanitize => sanitize::Rules::parse(text, "main").map(drop).map_err(|e| e.to_string()),
            File::Subset => subset::SubsetFile::parse(text).map(drop).map_err(|e| e.to_string()),
            File::Workflow => {
                let config = Config::parse(Path::new("/x/stagegate.toml"), &File::Config.reference()).unwrap();
                let read =
                    workflow::read(&[("workflows/x.toml".into(), text.to_owned())], &workflow::Known::of(&config));
                match read.broken.first() {
                    Some(broken) => Err(format!("{broken:?}")),
                    None => Ok(()),
                }
            }
        }
    }
}

/// Returns a text of TOML as JSON, as editors see it: a date is a text.
fn as_json(text: &str) -> Value {
    fn value(of: &toml::Value) -> Value {
        match of {
            toml::Value::String(text) => json!(text),
            toml::Value::Integer(number) => json!(number),
            toml::Value::Float(number) => json!(number),
            toml::Value::Boolean(truth) => json!(truth),
            toml::Value::Datetime(date) => json!(date.to_string()),
            toml::Value::Array(items) => items.iter().map(value).collect(),
            toml::Value::Table(table) => {
                table.iter().map(|(key, inner)| (key.clone(), value(inner))).collect::<serde_json::Map<_, _>>().into()
            }
        }
    }
    value(&toml::Value::Table(text.parse().unwrap()))
}

fn mistakes(schema: &Value, text: &str) -> Vec<String> {
    let validator = jsonschema::draft7::new(schema).unwrap();
    validator.iter_errors(&as_json(text)).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Lists the keys of a schema, each with its path and whether it is only an earlier name.
fn keys(schema: &Value, path: &str, into: &mut Vec<(String, bool)>) {
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        assert!(property["description"].as_str().is_some_and(|text| text.len() > 8), "{path}: {property}");
        into.push((path.trim_start_matches('.').to_owned(), property["deprecated"] == json!(true)));
        keys(property, &path, into);
    }
    for form in schema["anyOf"].as_array().into_iter().flatten() {
        keys(form, path, into);
    }
    for (inner, step) in [("additionalProperties", ".*"), ("items", "[]")] {
        if schema[inner].is_object() {
            keys(&schema[inner], &format!("{path}{step}"), into);
        }
    }
}

#[rstest]
#[case(File::Config)]
#[case(File::Workflow)]
#[case(File::Waivers)]
#[case(File::Sanitize)]
#[case(File::Subset)]
fn a_reference_is_read_and_is_valid(#[case] file: File) {
    let (schema, reference) = (file.schema(), file.reference());
    assert!(jsonschema::draft7::meta::is_valid(&schema), "not a schema of draft 7");
    assert_eq!(mistakes(&schema, &reference), [] as [String; 0]);
    assert_eq!(file.read(&reference), Ok(()));
}

#[rstest]
#[case(File::Config, 150, &["gate.door", "migrations.*.books"])]
#[case(File::Workflow, 80, &[])]
#[case(
    File::Waivers,
    11,
    &["contract", "irreversible[].place", "policy", "waiver[].finding", "waiver[].migration", "waiver[].rule", "waiver[].service"]
)]
#[case(File::Sanitize, 10, &[])]
#[case(File::Subset, 13, &[])]
fn every_key_that_is_read_has_its_words_but_for_earlier_names(
    #[case] file: File,
    #[case] minimum: usize,
    #[case] earlier: &[&str],
) {
    let mut all = Vec::new();
    keys(&file.schema(), "", &mut all);
    assert!(all.len() >= minimum, "only {} keys", all.len());
    let found: BTreeSet<&str> = all.iter().filter(|(_, old)| *old).map(|(path, _)| path.as_str()).collect();
    assert!(earlier.iter().all(|name| found.contains(name)), "{found:?}");
    let unwritten: Vec<_> = found.iter().filter(|name| !earlier.iter().any(|e| name.starts_with(e))).collect();
    assert!(unwritten.is_empty(), "docs lack {unwritten:?}");
}

/// What is wrong in each text is wrong for the reader and for the schema.
#[rstest]
#[case::key(File::Config, "compose = [", "compos = [")]
#[case::word(File::Config, "tier = \"auto\"", "tier = \"fast\"")]
#[case::type_of(File::Config, "watchdog = true", "watchdog = \"yes\"")]
#[case::unit(File::Config, "soak = \"10s\"", "soak = \"10\"")]
#[case::port(File::Config, "port = 8080", "port = 80800")]
#[case::required(File::Config, "name = \"shop\"\n\n# The compose", "# The compose")]
#[case::files(File::Config, "env_file = \".env.staging\"", "env_file = 3")]
#[case::percent(File::Config, "ready = 90", "ready = 900")]
#[case::step(File::Workflow, "name = \"log in\"", "nam = \"log in\"")]
#[case::assertion(File::Workflow, "at_most = 7", "at_mos = 7")]
#[case::until(File::Workflow, "within = \"3s\"", "within = 3")]
#[case::reason(File::Waivers, "reason = \"it loads a kernel module\"\n", "")]
#[case::rule(File::Sanitize, "email = \"email\"\n", "email = \"e-mail\"\n")]
#[case::rule_of_a_table(File::Sanitize, "rule = \"sql\"", "rule = \"sequel\"")]
#[case::rule_of_a_path(File::Sanitize, "\"$..token\" = \"hash\"", "\"$..token\" = \"sql\"")]
#[case::no_reason(File::Sanitize, "reason = \"chosen from a list of ours\"\n", "")]
#[case::no_paths(File::Sanitize, "paths = {", "# paths = {")]
#[case::key_of_a_rule(File::Sanitize, "reason = \"chosen", "valu = \"x\"\nreason = \"chosen")]
#[case::unknown(File::Sanitize, "unknown = \"refuse\"", "unknown = \"ignore\"")]
#[case::others(File::Subset, "others = \"whole\"", "others = \"all\"")]
#[case::no_roots(File::Subset, "[roots]\nusers = \"id % 100 = 7\"", "")]
#[case::key_of_keys(File::Subset, "child = \"comments\"", "chld = \"comments\"")]
#[case::type_of_rows(File::Subset, "max_rows = 200000", "max_rows = \"200000\"")]
fn a_mistake_is_seen_by_the_reader_and_by_the_editor(#[case] file: File, #[case] good: &str, #[case] bad: &str) {
    let reference = file.reference();
    assert!(reference.contains(good), "the case must change the text");
    let wrong = reference.replacen(good, bad, 1);
    assert_ne!(mistakes(&file.schema(), &wrong), [] as [String; 0]);
    assert!(file.read(&wrong).is_err());
}
