//! goose: both directions in one file, after `-- +goose Up` and `-- +goose Down`; some steps are written in Go.
// Source: goose internal/sqlparser/parser.go: a statement ends with the line that ends in a semicolon, or at StatementEnd.

use std::ops::Range;

use super::{
    super::{Migration, Script, Transaction, codes},
    File, Reading, migration,
    name::{fits, number},
};

pub(super) fn read(reading: &mut Reading<'_>) -> Vec<Migration> {
    let mut found = Vec::new();
    for file in reading.files.clone() {
        let is_go = file.name().ends_with(".go");
        if !file.is_at_top() || !(is_go && !file.name().ends_with("_test.go") || file.name().ends_with(".sql")) {
            continue;
        }
        let stem = file.name().rsplit_once('.').map_or("", |(stem, _)| stem);
        let Some((version, name)) =
            stem.split_once('_').filter(|(version, _)| fits(version) && !number(version).1.is_empty())
        else {
            // Go files without a number are helpers of the package, and passed over.
            if !is_go {
                reading.refuses(file, "`<number>_<name>.sql`, the number above 0");
            }
            continue;
        };
        reading.uses(file);
        let steps = if is_go { Some(in_go(reading, file)) } else { sections(reading, file) };
        found.extend(steps.map(|(up, down)| migration(version, name, up, down)));
    }
    found.sort_by(|a, b| number(&a.version).cmp(&number(&b.version)));
    found
}

fn in_go(reading: &mut Reading<'_>, file: &File) -> (Script, Option<Script>) {
    reading.report(&codes::FOREIGN_STEP, file, 0, "a step in Go");
    let script = || Script::foreign(&file.path, "a step in Go, and no script stands in for it");
    (script(), Some(script()))
}

/// What goose reads in a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Up,
    Down,
    Begin,
    End,
    NoTransaction,
    Substitute,
    Literal,
    Unknown,
}

/// Reads an annotation: a comment line with `+goose`, as it is written, and one known word or two after it, in any case.
/// goose refuses blanks in front of it and other words; a byte order mark makes the line none of its comments.
// Source: goose internal/sqlparser/parser.go, `extractAnnotation`.
fn mark(line: &str) -> Option<Mark> {
    if !(line.trim().starts_with("--") && line.contains("+goose")) {
        return None;
    }
    let words = line.replace("--", "").replacen("+goose", "", 1).trim().to_ascii_lowercase();
    Some(match words.as_str() {
        _ if line.starts_with([' ', '\t']) => Mark::Unknown,
        "up" => Mark::Up,
        "down" => Mark::Down,
        "statementbegin" => Mark::Begin,
        "statementend" => Mark::End,
        "no transaction" => Mark::NoTransaction,
        "envsub on" => Mark::Substitute,
        "envsub off" => Mark::Literal,
        _ => Mark::Unknown,
    })
}

/// Returns whether a text has a mark of goose.
pub(super) fn is_marked(text: &str) -> bool {
    text.lines().any(|line| mark(line).is_some_and(|mark| mark != Mark::Unknown))
}

/// One direction, while it is read.
#[derive(Default)]
struct Section {
    start: usize,
    line: usize,
    end: usize,
    batches: Vec<Range<usize>>,
}

#[derive(Default)]
struct Parser {
    up: Option<Section>,
    down: Option<Section>,
    /// Where the open statement began, and its line.
    open: Option<(usize, usize)>,
    /// The line of the open StatementBegin.
    block: Option<usize>,
    bare: bool,
    substituted: Option<usize>,
    wrong: Vec<(usize, String)>,
}

impl Parser {
    fn section(&mut self) -> Option<&mut Section> {
        self.down.as_mut().or(self.up.as_mut())
    }

    fn line(&mut self, number: usize, range: &Range<usize>, line: &str) {
        let trimmed = line.trim();
        if let Some(mark) = mark(line) {
            return self.mark(mark, number, range);
        }
        if self.open.is_none() && (trimmed.is_empty() || trimmed.starts_with("--")) {
            return;
        }
        if self.section().is_none() {
            if self.wrong.is_empty() {
                self.wrong.push((number, "a statement comes before `-- +goose Up`".to_owned()));
            }
            return;
        }
        let start = self.open.get_or_insert((range.start, number)).0;
        if self.block.is_none() && ends_statement(trimmed) {
            self.close(start..range.end);
        }
    }

    fn close(&mut self, range: Range<usize>) {
        self.open = None;
        if let Some(section) = self.section() {
            section.batches.push(range);
        }
    }

    fn mark(&mut self, mark: Mark, number: usize, range: &Range<usize>) {
        let begun = |end: usize| Some(Section { start: end, line: number + 1, end, batches: Vec::new() });
        match mark {
            Mark::Up if self.up.is_none() => self.up = begun(range.end),
            Mark::Down if self.up.is_some() && self.down.is_none() => {
                self.unfinished();
                if let Some(up) = &mut self.up {
                    up.end = range.start;
                }
                self.down = begun(range.end);
            }
            Mark::Up => self.wrong.push((number, "`-- +goose Up` occurs twice".to_owned())),
            Mark::Down => {
                self.wrong.push((number, "`-- +goose Down` occurs twice, or before `-- +goose Up`".to_owned()));
            }
            Mark::Begin if self.block.is_some() || self.section().is_none() => {
                let reported = "`-- +goose StatementBegin` occurs twice, or before `-- +goose Up`";
                self.wrong.push((number, reported.to_owned()));
            }
            Mark::Begin => self.block = Some(number),
            Mark::End if self.block.is_none() => {
                self.wrong.push((number, "`-- +goose StatementEnd` has no `-- +goose StatementBegin`".to_owned()));
            }
            Mark::End => {
                self.block = None;
                if let Some((start, _)) = self.open {
                    self.close(start..range.start);
                }
            }
            Mark::Literal => {}
            Mark::NoTransaction => self.bare = true,
            Mark::Substitute => self.substituted = Some(number),
            Mark::Unknown => {
                let reported = "expected `-- +goose` at the beginning of the line and one of goose's words after it";
                self.wrong.push((number, reported.to_owned()));
            }
        }
    }

    /// Reports of a statement that goose does not take for ended; it is kept, so that it can be read.
    fn unfinished(&mut self) {
        if let Some(line) = self.block.take() {
            self.wrong.push((line, "`-- +goose StatementBegin` has no `-- +goose StatementEnd`".to_owned()));
        }
        if let Some((_, line)) = self.open.take() {
            let reported = "no line ends with `;` after this statement, so goose rejects it";
            self.wrong.push((line, reported.to_owned()));
        }
    }
}

fn ends_statement(line: &str) -> bool {
    let code = line.split_whitespace().take_while(|word| !word.starts_with("--"));
    code.last().is_some_and(|word| word.ends_with(';'))
}

fn sections(reading: &mut Reading<'_>, file: &File) -> Option<(Script, Option<Script>)> {
    let text = file.text();
    let (mut parser, mut at) = (Parser::default(), 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        parser.line(index + 1, &(at..at + line.len()), line);
        at += line.len();
    }
    parser.unfinished();
    if let Some(section) = parser.section() {
        section.end = text.len();
    }
    if parser.up.is_none() {
        parser.wrong.insert(0, (1, "expected a line `-- +goose Up`, found none".to_owned()));
    }
    for (line, message) in std::mem::take(&mut parser.wrong) {
        reading.report(&codes::BAD_ANNOTATION, file, line, message);
    }
    if let Some(line) = parser.substituted {
        reading.report(&codes::PLACEHOLDER, file, line, "goose substitutes environment variables from here on");
    }
    let transaction = if parser.bare { Transaction::Bare } else { Transaction::Wrapped };
    let script = |section: Section| {
        let text = &text[section.start..section.end];
        let moved = |range: Range<usize>| range.start - section.start..range.end - section.start;
        let batches = section.batches.into_iter().map(moved).collect();
        Script::of_batches(&file.path, section.line, text, transaction, batches)
    };
    Some((script(parser.up?), parser.down.map(script)))
}
