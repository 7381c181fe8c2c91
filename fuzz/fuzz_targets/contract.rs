//! Any bytes are a contract or an error, as JSON and as YAML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stagegate_contract::{Format, diff::{Contract, compare}};

fuzz_target!(|text: &str| {
    for format in [Format::Json, Format::Yaml] {
        if let Ok(contract) = Contract::read(text, format) {
            assert!(compare(&contract, &contract, "2026-01-01").is_empty());
        }
    }
});
