//! The program's own texts speak the field's language too: no string literal of a searched source has a phrase of the
//! second table of `docs/glossary.md`.
//!
//! A text is a literal with two words or more: keys, names of columns and values of other programs have one. What stands
//! between braces is a variable's name. Tests, comments and the reasons of lint attributes are not searched.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{found, glossary, root};

/// Folders whose sources are searched.
const SOURCES: [&str; 12] = [
    "harness/cli",
    "harness/contract",
    "harness/data",
    "harness/commands",
    "harness/gate",
    "harness/host/src",
    "harness/migration",
    "harness/performance",
    "harness/policy",
    "harness/workflow",
    "harness/base",
    "suites",
];
/// Literals that are no text of ours: file, a part of the literal, and what it is.
const FOREIGN: [(&str, &str, &str); 2] = [
    ("harness/policy/decide/src/security/disclosure.rs", "Exception in thread", "what Java writes"),
    ("harness/policy/decide/src/isolation/reach.rs", "getent hosts", "a shell script"),
];

/// Returns the string literals of a source with their lines, from 1; what follows a module of tests is left out.
fn literals(source: &str) -> Vec<(usize, String)> {
    let code = source.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let bytes = code.as_bytes();
    let (mut at, mut literals) = (0, Vec::new());
    while at < bytes.len() {
        let rest = &code[at..];
        let line = || code[..at].matches('\n').count() + 1;
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some((text, length)) = raw(rest).or_else(|| quoted(rest)) {
            let is_reason = code[..at].trim_end().ends_with("reason =");
            if !is_reason {
                literals.push((line(), text));
            }
            at += length;
        } else {
            at += character(rest);
        }
    }
    literals
}

/// Reads `r"..."` or `r#"..."#`, and returns its length too.
fn raw(rest: &str) -> Option<(String, usize)> {
    let marks = rest.strip_prefix('r')?.bytes().take_while(|byte| *byte == b'#').count();
    let body = rest[1 + marks..].strip_prefix('"')?;
    let end = body.find(&format!("\"{}", "#".repeat(marks)))?;
    Some((body[..end].to_owned(), 1 + marks + 1 + end + 1 + marks))
}

/// Reads `"..."`: an escaped line end and the blanks after it are none, other escapes a blank.
fn quoted(rest: &str) -> Option<(String, usize)> {
    let body = rest.strip_prefix('"')?;
    let (mut text, mut escaped, mut skips) = (String::new(), false, false);
    for (at, c) in body.char_indices() {
        match c {
            _ if skips && c.is_whitespace() => {}
            '\n' if escaped => (escaped, skips) = (false, true),
            _ if escaped => {
                escaped = false;
                text.push(if matches!(c, '"' | '\'' | '\\') { c } else { ' ' });
            }
            '\\' => (escaped, skips) = (true, false),
            '"' => return Some((text, at + 2)),
            _ => {
                skips = false;
                text.push(c);
            }
        }
    }
    None
}

/// Returns the length of a character literal, a word or one other character: `'"'` begins no text, and `for"` no raw one.
fn character(rest: &str) -> usize {
    for literal in ["'\"'", "'\\\"'", "'\\''", "'\\\\'"] {
        if rest.starts_with(literal) {
            return literal.len();
        }
    }
    let word = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    if word > 0 { word } else { rest.chars().next().map_or(1, char::len_utf8) }
}

/// Returns a text without the names of its variables; `None` for a literal that is none, such as a key or a statement.
fn text(literal: &str) -> Option<String> {
    let mut plain = String::new();
    let mut depth = 0_usize;
    for c in literal.chars() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                plain.push('_');
            }
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let is_statement = ["select ", "sum(", " from pg_"].iter().any(|part| plain.contains(part));
    let words = plain.split_whitespace().filter(|word| word.bytes().any(|byte| byte.is_ascii_lowercase())).count();
    (words > 1 && !is_statement).then_some(plain)
}

/// Lists the sources below a folder, without those of tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if matches!(name.as_str(), "tests" | "tests.rs" | "fixtures.rs" | "words" | "words.rs" | "properties.rs") {
            continue;
        }
        if path.is_dir() {
            all.extend(sources(&path));
        } else if name.ends_with(".rs") {
            all.push(path);
        }
    }
    all
}

#[test]
fn texts_of_the_program_use_the_terms_of_the_glossary() {
    let rows = glossary();
    let (mut wrong, mut read) = (Vec::new(), 0);
    for path in SOURCES.iter().flat_map(|folder| sources(&root().join(folder))) {
        let file = path.strip_prefix(root()).unwrap().display().to_string();
        for (line, literal) in literals(&fs::read_to_string(&path).unwrap()) {
            let Some(text) = text(&literal) else { continue };
            read += 1;
            let is_foreign = FOREIGN.iter().any(|(foreign, part, _)| *foreign == file && literal.contains(part));
            let phrases = found(&rows, &text);
            if !phrases.is_empty() && !is_foreign {
                wrong.push(format!("{file}:{line}: {phrases:?} in: {}", text.trim()));
            }
        }
    }
    assert!(read > 1_000, "only {read} texts were read");
    assert!(wrong.is_empty(), "see docs/glossary.md for the terms to use:\n{}", wrong.join("\n"));
}

#[test]
fn what_is_left_out_is_there() {
    for (file, part, what) in FOREIGN {
        let source = fs::read_to_string(root().join(file)).unwrap();
        assert!(source.contains(part), "{file} has no `{part}` ({what})");
    }
}

#[test]
fn literals_are_read_as_the_compiler_reads_them() {
    let source = "// \"comment\"\nlet a = \"one \\\n    two\"; let q = '\"';\n#[expect(x, reason = \"no text\")]\n\
                  let b = r#\"a \"raw\" one\"#; let c = \"\\\"x\\\" {held}\";\n#[cfg(test)]\nmod tests {\n  \"test\"";
    let read: Vec<(usize, String)> = literals(source);
    let want = [(2, "one two"), (5, "a \"raw\" one"), (5, "\"x\" {held}")];
    assert_eq!(read, want.map(|(line, text)| (line, text.to_owned())));
    assert_eq!(text("a {held:?} is {0}").as_deref(), Some("a _ is _"));
    assert_eq!(text("asked"), None);
}
