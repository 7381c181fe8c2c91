//! What holds of every template and env file, whoever wrote it.

use proptest::prelude::*;
use serde_json::Value;

use super::{
    env_file,
    template::{Template, Vars, names_of},
};

/// Text without braces.
fn plain() -> impl Strategy<Value = String> {
    "[^{}]{0,8}"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_.-]{0,6}"
}

/// A value that an env file of `NAME=value` lines can hold, quoted where it has to be.
fn kept() -> impl Strategy<Value = String> {
    "[ -&(-~äö€]{0,12}"
}

proptest! {
    #[test]
    fn any_text_is_a_template_or_refused(text in "[{} a-z\\PC]{0,24}") {
        if let Ok(template) = Template::parse(&text) {
            let vars: Vars = template.names().map(|name| (name.to_owned(), Value::from("x"))).collect();
            prop_assert!(template.text(&vars).is_ok());
            let listed: Vec<&str> = template.names().collect();
            let value = Value::from(text.as_str());
            prop_assert_eq!(names_of(&value), listed);
        }
    }

    #[test]
    fn names_are_replaced_and_nothing_else_is(parts in prop::collection::vec((plain(), name(), plain()), 0..6)) {
        let text: String = parts.iter().map(|(a, name, b)| format!("{a}{{{{ {name} }}}}{b}")).collect();
        let vars: Vars = parts.iter().map(|(_, name, _)| (name.clone(), Value::from(format!("<{name}>")))).collect();
        let want: String = parts.iter().map(|(a, name, b)| format!("{a}<{name}>{b}")).collect();
        prop_assert_eq!(Template::parse(&text).unwrap().text(&vars).unwrap(), want);
    }

    #[test]
    fn a_template_that_is_cut_inside_of_a_name_is_refused(before in plain(), name in name(), cut in 2..8_usize) {
        let text = format!("{before}{{{{{name}}}}}");
        let end = (before.len() + cut).min(text.len() - 1);
        prop_assert!(Template::parse(&text[..end]).is_err(), "{}", &text[..end]);
    }

    #[test]
    fn any_env_file_is_read(text in "[\\PC\n=\"'#]{0,40}", key in "[A-Z]{1,3}") {
        let _ = env_file::value(&text, &key);
    }

    #[test]
    fn a_quoted_value_is_read_as_it_was_written(
        all in prop::collection::vec(("[A-Z_]{1,4}", kept()), 1..6),
        export in any::<bool>(),
    ) {
        let export = if export { "export " } else { "" };
        let text: String = all.iter().map(|(key, value)| format!("{export}{key}='{value}' # x\n")).collect();
        for (key, _) in &all {
            let last = all.iter().rev().find(|(other, _)| other == key).map(|(_, value)| value.clone());
            prop_assert_eq!(env_file::value(&text, key), last);
        }
    }
}
