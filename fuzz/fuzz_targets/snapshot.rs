//! A snapshot of a schema that can be read is written and read again as the same facts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stagegate_migration_decide::schema::{diff, parse, write};

fuzz_target!(|text: &str| {
    if let Ok(facts) = parse(text) {
        let written = write(&facts);
        let again = parse(&written).expect("what was written can be read");
        assert!(diff(&facts, &again).is_empty(), "{written}");
        assert_eq!(write(&again), written);
    }
});
