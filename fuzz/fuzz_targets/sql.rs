//! Any file is a migration of any tool, whose statements lie in its text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stagegate_base::config::Tool;
use stagegate_migration_decide::{File, chain};

fuzz_target!(|bytes: &[u8]| {
    for (tool, name) in [
        (Tool::Sqlx, "1_a.up.sql"),
        (Tool::Dbmate, "1_a.sql"),
        (Tool::Goose, "1_a.sql"),
        (Tool::Flyway, "V1__a.sql"),
    ] {
        let file = File { path: name.to_owned(), bytes: bytes.to_vec() };
        let Ok(chain) = chain(&[file], Some(tool)) else { continue };
        for script in chain.migrations.iter().map(|migration| &migration.up) {
            for statement in &script.statements {
                assert!(!script.text_of(statement).is_empty());
            }
        }
    }
});
