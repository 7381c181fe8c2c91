//! Documents for users speak the field's language: none has a phrase of the second table of `docs/glossary.md`.
//!
//! The glossary is the only list. Code is not searched: neither code spans and blocks of Markdown, comments in them apart,
//! nor keys and values of TOML.

use std::{
    fs,
    path::{Path, PathBuf},
};

mod literals;

/// What the glossary calls the table of phrases.
const HEADING: &str = "## Words that are not used";

/// Rows that are no prose of a document: the code holds the same texts, and a test of that crate compares the two.
/// Where the code's texts are rewritten, remove the entry.
const COPIED: [(&str, &[&str], &str); 1] = [(
    "docs/migrations.md",
    &["| `"],
    "codes of stagegate_migration_decide: the_manual_has_every_code_with_its_severity",
)];

/// What users read outside of `docs/`.
const DOCUMENTS: [&str; 7] = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "fixtures/faults/README.md",
    "fixtures/images/README.md",
    "fixtures/shop/README.md",
    "fixtures/workflows/README.md",
];

/// A row of the table: phrases that no document has, and longer ones in which they are ordinary English.
struct Row {
    phrases: Vec<String>,
    allowed: Vec<String>,
}

/// Returns the code spans of a table's cell.
fn spans(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_lowercase).collect()
}

/// Reads the rows of the glossary's table of phrases.
fn rows(glossary: &str) -> Vec<Row> {
    let table = glossary.split(HEADING).nth(1).unwrap_or_default();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        Row { phrases: spans(cells[0]), allowed: spans(cells[2]) }
    })
    .collect()
}

/// Returns a text as words with one space around each, in lower case. Marks that divide a sentence are a word of their
/// own; others are none, so that a phrase that a line end or a comment's sign divides is one phrase.
fn words(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '-' | '_' => plain.push(c),
            '.' | ',' | ';' | ':' | '!' | '?' | '(' | ')' => plain.push_str(" . "),
            _ if c.is_alphanumeric() => plain.extend(c.to_lowercase()),
            _ => plain.push(' '),
        }
    }
    format!(" {} ", plain.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Returns the phrases that a text has, each once.
fn found(rows: &[Row], text: &str) -> Vec<String> {
    let padded = words(text).replace(' ', "  ");
    let phrase = |words: &str| format!(" {} ", words.replace(' ', "  "));
    let mut found = Vec::new();
    for row in rows {
        let text = row.allowed.iter().fold(padded.clone(), |text, allowed| text.replace(&phrase(allowed), " . "));
        found.extend(row.phrases.iter().filter(|words| text.contains(&phrase(words))).cloned());
    }
    found
}

/// Returns what a person reads of Markdown as prose: no code spans, of code blocks the comments, of blocks of text all.
fn prose(markdown: &str) -> String {
    let mut block: Option<String> = None;
    let mut prose = String::new();
    for line in markdown.lines() {
        let line = match (line.trim_start().strip_prefix("```"), &block) {
            (Some(_), Some(_)) => {
                block = None;
                continue;
            }
            (Some(language), None) => {
                block = Some(language.to_owned());
                continue;
            }
            (None, None) => line.to_owned(),
            (None, Some(language)) => match language.as_str() {
                "text" => line.to_owned(),
                "sh" | "toml" => comment(line).to_owned(),
                _ => continue,
            },
        };
        prose.push_str(&line);
        prose.push('\n');
    }
    without(&prose, '`')
}

/// Returns the comment of a line of shell or TOML.
fn comment(line: &str) -> &str {
    let starts = line.starts_with('#').then_some(0).or_else(|| line.find(" #"));
    starts.map_or("", |start| &line[start..])
}

/// Leaves out what stands between two marks, across line ends too; a paragraph with a lone mark is kept whole.
fn without(text: &str, mark: char) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| {
        let pieces: Vec<&str> = paragraph.split(mark).collect();
        match pieces.len() % 2 {
            0 => paragraph.to_owned(),
            _ => pieces.into_iter().step_by(2).collect::<Vec<_>>().join(" _ "),
        }
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Returns the comments of a TOML file; words in quotes or backticks are keys and values.
fn toml_prose(text: &str) -> String {
    let comments: Vec<&str> = text.lines().map(comment).collect();
    without(&without(&comments.join("\n"), '`'), '"')
}

/// Cuts prose into paragraphs, items of lists and rows of tables.
fn parts(prose: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for line in prose.lines() {
        let begins = line.is_empty() || ["|", "- ", "#"].iter().any(|mark| line.starts_with(mark));
        if begins && !line.starts_with("# ") {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    parts
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Lists the documents that users read, relative to the root.
fn documents() -> Vec<PathBuf> {
    let mut documents: Vec<PathBuf> = DOCUMENTS.map(PathBuf::from).into();
    let listed =
        fs::read_dir(root().join("docs")).unwrap().map(|entry| Path::new("docs").join(entry.unwrap().file_name()));
    documents.extend(listed.filter(|path| path.extension().is_some_and(|end| end == "md" || end == "toml")));
    documents.sort();
    documents
}

/// Returns what is searched of a document: its prose, without the rows that are copies of texts in the code.
fn searched(document: &Path) -> String {
    let text = fs::read_to_string(root().join(document)).unwrap();
    if document.extension().is_some_and(|end| end == "toml") {
        return toml_prose(&text);
    }
    let copied = COPIED.iter().find(|(path, ..)| Path::new(path) == document).map_or(&[][..], |(_, rows, _)| rows);
    let own = text.lines().filter(|line| !copied.iter().any(|row| line.starts_with(row)));
    prose(&own.collect::<Vec<_>>().join("\n"))
}

fn glossary() -> Vec<Row> {
    rows(&fs::read_to_string(root().join("docs/glossary.md")).unwrap())
}

#[test]
fn documents_use_the_terms_of_the_glossary() {
    let rows = glossary();
    assert!(rows.iter().map(|row| row.phrases.len()).sum::<usize>() > 70, "the glossary was not understood");
    let documents = documents();
    assert!(documents.len() > 20, "only {} documents were found", documents.len());
    let mut wrong = Vec::new();
    for document in &documents {
        for part in parts(&searched(document)) {
            let phrases = found(&rows, &part);
            if !phrases.is_empty() {
                wrong.push(format!("{}: {phrases:?} in: {}", document.display(), part.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "see docs/glossary.md for the terms to use:\n{}", wrong.join("\n"));
}

#[test]
fn each_row_that_is_left_out_is_there() {
    for (document, rows, reason) in COPIED {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for row in rows {
            assert!(text.lines().any(|line| line.starts_with(row)), "{document} has no row `{row}` ({reason})");
        }
    }
}

#[test]
fn a_phrase_is_found_as_whole_words_whatever_divides_it() {
    let rows =
        rows(&format!("{HEADING}\n\n| Not | But | Allowed |\n|---|---|---|\n| `way back`, `held` | x | `held back` |"));
    assert_eq!(found(&rows, "no way\n  back."), ["way back"]);
    assert_eq!(found(&rows, "# no way\n# back"), ["way back"]);
    assert_eq!(found(&rows, "(Held) was it, held back it was"), ["held"]);
    assert!(found(&rows, "held back, held back; upheld, by the way. Back there: way backs").is_empty());
}

#[test]
fn code_is_not_searched_and_its_comments_are() {
    assert_eq!(words(&prose("a `door\nheld` b\n```sql\nheld\n```\nc")), " a _ b c ");
    assert_eq!(words(&prose("a lone ` mark")), " a lone mark ");
    assert_eq!(words(&prose("```toml\ndoor = \"x\" # told\n```\n```text\nheld\n```")), " told held ");
    assert_eq!(words(&toml_prose("# it is \"tell\" or `door`\ndoor = \"open\"\n")), " it is _ or _ ");
}
