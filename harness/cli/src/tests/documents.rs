//! Holds the calls of scripts in the documents, and the links between documents, against what is there.

use std::{fs, path::PathBuf};

use super::{
    root,
    scripts::{cases, is_of_gate, options, scripts},
};

/// Returns the documents that users and contributors read.
fn documents() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|end| end == "md"));
    pages.chain(["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root().join(name))).collect()
}

/// Returns the pieces of code of a Markdown text: spans, and lines of blocks.
fn code(text: &str) -> Vec<&str> {
    let mut pieces: Vec<&str> = Vec::new();
    for (at, part) in text.split("```").enumerate() {
        match at % 2 {
            1 => pieces.extend(part.lines()),
            _ => pieces.extend(part.split('`').skip(1).step_by(2)),
        }
    }
    pieces
}

/// Returns what is wrong with a call of a script; nothing where all of it exists, or where it is none.
fn wrong(piece: &str) -> Option<String> {
    let call = piece.split('#').next().unwrap_or_default();
    let start = call.find("scripts/").filter(|start| call.trim_start().find(' ').is_none_or(|space| *start < space))?;
    let mut words = call[start..].split([' ', ',']).filter(|word| !word.is_empty());
    let path = words.next().filter(|path| path.ends_with(".sh"))?;
    let Ok(source) = fs::read_to_string(root().join(path)) else { return Some(format!("{path} does not exist")) };
    let is_operators = scripts().iter().any(|name| path == format!("scripts/{name}"));
    let exists = |option: &String| match is_operators {
        true => cases(&source).contains(option) || is_of_gate(&source, option) || option == "--help",
        false => source.contains(option.as_str()),
    };
    let unknown = options(&call[start..]).into_iter().find(|option| !exists(option))?;
    Some(format!("{path} does not take {unknown}"))
}

#[test]
fn the_documents_call_scripts_and_options_that_exist() {
    let (mut found, mut calls) = (Vec::new(), 0);
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        calls += code(&text).iter().filter(|piece| piece.contains("scripts/")).count();
        found
            .extend(code(&text).into_iter().filter_map(|piece| Some(format!("{}: {}", path.display(), wrong(piece)?))));
    }
    assert!(calls > 60, "only {calls} calls of scripts were found");
    assert_eq!(found, [] as [String; 0]);
    for name in scripts() {
        let is_named = |path: &PathBuf| fs::read_to_string(path).unwrap().contains(&format!("scripts/{name}"));
        assert!(documents().iter().any(is_named), "no document names scripts/{name}");
    }
}

#[test]
fn a_call_of_a_script_that_does_not_exist_is_found() {
    assert_eq!(wrong("scripts/rollback.sh --lsit").as_deref(), Some("scripts/rollback.sh does not take --lsit"));
    assert_eq!(wrong("/opt/stagegate/scripts/deploy.sh # x").as_deref(), Some("scripts/deploy.sh does not exist"));
    assert_eq!(wrong("scripts/rollback.sh --with-data --tag TAG # --no-comment"), None);
    assert_eq!(wrong("cp -R scripts /opt/stagegate/"), None);
}

/// What others print: Docker, Compose, the system.
const PRINTED_BY_OTHERS: [&str; 5] = [
    "required variable",
    "is missing a value",
    "address already in use",
    "connection refused",
    "no space left on device",
];

/// Returns the sources of the program and of the scripts for operators, each string on one line.
fn sources() -> String {
    let mut files = Vec::new();
    for folder in ["harness", "suites"] {
        super::variables::rust_files(&root().join(folder), &mut files);
    }
    files.push(root().join("scripts/operate.sh"));
    let texts: Vec<String> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let mut lines = String::new();
    for line in texts.iter().flat_map(|text| text.lines()) {
        match line.strip_suffix('\\') {
            Some(begun) => lines.push_str(begun.trim_start()),
            None => lines.extend([line.trim_start(), "\n"]),
        }
    }
    lines.to_lowercase()
}

#[test]
fn the_symptoms_of_troubleshooting_are_what_the_program_prints() {
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")).filter(|row| !row.starts_with("You see"));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    let spans: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(spans.len() > 25, "{spans:?}");
    let sources = sources();
    let pieces = spans.iter().flat_map(|span| span.split("..")).map(|piece| piece.trim().trim_matches([',', '(']));
    let is_printed = |piece: &&str| PRINTED_BY_OTHERS.contains(piece) || sources.contains(&piece.to_lowercase());
    let unknown: Vec<&str> = pieces.filter(|piece| piece.len() > 3 && !is_printed(piece)).collect();
    assert_eq!(unknown, [] as [&str; 0]);
}

/// Returns the headings of a Markdown text as the links name them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let plain = |heading: &str| -> String {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(plain).collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let prose: String = text.split("```").step_by(2).collect();
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let has = |text: String| anchor.is_empty() || anchors(&text).iter().any(|one| one == anchor);
            // A picture is no text.
            let is_there = fs::read(&target).is_ok_and(|bytes| has(String::from_utf8_lossy(&bytes).into_owned()));
            if !(target.is_dir() || is_there) {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert_eq!(broken, [] as [String; 0]);
}

#[test]
fn the_start_page_leads_to_every_page() {
    let start = fs::read_to_string(root().join("docs/README.md")).unwrap();
    let names = documents().into_iter().filter(|path| path.parent().is_some_and(|folder| folder.ends_with("docs")));
    let names = names.map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    let missing: Vec<String> =
        names.filter(|name| name != "README.md" && !start.contains(&format!("({name}"))).collect();
    assert_eq!(missing, [] as [String; 0]);
    assert!(fs::read_to_string(root().join("README.md")).unwrap().contains("(docs/README.md)"));
}
