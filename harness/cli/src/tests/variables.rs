//! Holds `docs/environment-variables.md` against the source: every variable that the program or a script for operators reads.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::root;

/// Arguments of `env::var` that are names of the user's, or of the caller's: no variable of the program's own.
const NAMED_ELSEWHERE: [&str; 3] = ["name", "variable", "key"];

pub(super) fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match path.is_dir() {
            true if !["tests", "proof"].contains(&name.as_str()) => rust_files(&path, into),
            false if name.ends_with(".rs") && name != "tests.rs" => into.push(path),
            _ => {}
        }
    }
}

/// Returns the variables that the text of a source file reads.
fn read_by(source: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for call in ["env::var(", "env::var_os("] {
        for rest in source.split(call).skip(1) {
            let argument = rest.split(')').next().unwrap_or_default().trim();
            let value = match argument.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
                Some(literal) => literal.to_owned(),
                None if NAMED_ELSEWHERE.contains(&argument) => continue,
                None => constant(source, argument).unwrap_or_else(|| panic!("`{argument}` is no constant of its file")),
            };
            names.insert(value);
        }
    }
    names
}

fn constant(source: &str, name: &str) -> Option<String> {
    let rest = source.split(&format!("const {name}: &str = \"")).nth(1)?;
    rest.split('"').next().map(str::to_owned)
}

/// Returns the variables that the scripts for operators read.
fn read_by_scripts() -> BTreeSet<String> {
    let texts = super::scripts::scripts().into_iter().chain(["operate.sh".to_owned()]);
    let texts: String = texts.map(|name| fs::read_to_string(root().join("scripts").join(name)).unwrap()).collect();
    let names = texts.split("${").skip(1).filter_map(|rest| rest.split([':', '-', '}', '[']).next());
    let is_own = |name: &&str| name.chars().all(|c| c.is_ascii_uppercase() || c == '_') && name.len() > 1;
    names.filter(is_own).filter(|name| !["BASH_SOURCE", "PIPESTATUS"].contains(name)).map(str::to_owned).collect()
}

/// Returns the variables in the first column of the page's tables.
fn documented(page: &str) -> BTreeSet<String> {
    let cells = page.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn the_page_of_variables_has_those_that_are_read_and_no_others() {
    let page = fs::read_to_string(root().join("docs/environment-variables.md")).unwrap();
    let documented = documented(&page);
    let mut files = Vec::new();
    for folder in ["harness", "suites"] {
        rust_files(&root().join(folder), &mut files);
    }
    assert!(files.len() > 200, "only {} files were found", files.len());
    let mut read: BTreeSet<String> =
        files.iter().flat_map(|file| read_by(&fs::read_to_string(file).unwrap())).collect();
    read.extend(read_by_scripts());
    // The folder of the user, and images by their major version.
    read.extend(["HOME", "POSTGRES_IMAGE", "POSTGRES_17_IMAGE"].map(str::to_owned));
    let passed_on = fs::read_to_string(root().join("harness/base/src/command/variables.rs")).unwrap();
    let passed_on = passed_on.split("const PASSED_ON").nth(1).unwrap().split("];").next().unwrap();
    read.extend(passed_on.split('"').skip(1).step_by(2).map(str::to_owned));
    assert!(read.contains("STAGEGATE_HOST") && read.contains("LOG_DIR") && read.contains("DOCKER_HOST"), "{read:?}");
    let missing: Vec<&String> = read.difference(&documented).collect();
    let unknown: Vec<&String> = documented.difference(&read).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "not on the page: {missing:?}; read by nothing: {unknown:?}");
}
