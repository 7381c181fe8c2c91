//! Each folder of fixtures/migrations is named as a code: `bad` has it, `good` has it not.

use std::{fs, path::Path};

use stagegate_base::config::Tool;
use stagegate_migration_decide::{chain, codes, lint};

use super::files;

fn found(folder: &Path) -> Vec<&'static str> {
    let files = files(folder).unwrap();
    // A pair of one up and one down is read by sqlx's rules where nothing else is seen.
    let pairs = files.iter().all(|file| file.name().starts_with("2026") || file.name().ends_with(".sql"));
    let marked = files.iter().any(|file| file.name().starts_with(['1', 'V']) || file.name().starts_with("0000"));
    let chain = chain(&files, (pairs && !marked).then_some(Tool::Sqlx)).unwrap();
    let linted = lint(&chain);
    chain
        .findings
        .into_iter()
        .chain(linted)
        .map(|finding| stagegate_migration_decide::codes::code(&finding.code).unwrap().id)
        .collect()
}

#[test]
fn each_bad_folder_has_its_finding_and_each_good_one_has_not() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../fixtures/migrations"));
    let mut seen = 0;
    for entry in fs::read_dir(root).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let code = codes::code(&name).map(|code| code.id);
        assert!(code.is_some(), "`{name}` is no code");
        let (bad, good) = (found(&folder.join("bad")), found(&folder.join("good")));
        assert!(bad.contains(&code.unwrap()), "{name}/bad: {bad:?}");
        assert!(!good.contains(&code.unwrap()), "{name}/good: {good:?}");
        seen += 1;
    }
    assert!(seen >= 30, "{seen} folders");
}
