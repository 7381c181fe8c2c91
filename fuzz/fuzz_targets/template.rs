//! Any text is a template, an env file and a configuration, or refused; a template with all its names has a text.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use stagegate_base::config::Config;
use stagegate_workflow_decide::{Template, Vars, env_file};

fuzz_target!(|text: &str| {
    if let Ok(template) = Template::parse(text) {
        let vars: Vars = template.names().map(|name| (name.to_owned(), "x".into())).collect();
        assert!(template.text(&vars).is_ok());
    }
    let _ = env_file::value(text, "KEY");
    let _ = Config::parse(Path::new("stagegate.toml"), text);
});
