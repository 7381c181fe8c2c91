//! The YAML that most documents are written in: blocks, line by line, without anchors and tags.
//!
//! In: a text. Out: its tree, or nothing where a line is more than that; the parser then reads the whole text. What is
//! read here is read as the parser does, which a test enforces, without an event for each value.

use std::borrow::Cow;

use super::{
    json::twice,
    scalar::plain,
    tree::{Datum, Node},
};

/// How deep values may be nested here.
const DEPTH: usize = 100;

/// Reads a text that consists of blocks.
pub(super) fn read(text: &str) -> Option<Node<'_>> {
    let text = text.trim_start_matches('\u{feff}');
    // Tabs, carriage returns and what no page shows have rules of their own.
    let is_odd = |c: char| c < ' ' && c != '\n' || ('\u{7f}'..='\u{a0}').contains(&c) || c == '\u{feff}';
    if text.contains(|c: char| {
        is_odd(c) || ('\u{2028}'..='\u{2029}').contains(&c) || ('\u{fff0}'..'\u{10000}').contains(&c)
    }) {
        return None;
    }
    let mut reader = Reader { text, at: 0, number: 0, current: None, next_id: 0, depth: 0 };
    reader.advance();
    if reader.current.is_some_and(|line| line.indent == 0 && line.content == "---") {
        reader.advance();
    }
    let indent = reader.current?.indent;
    let root = reader.block(indent)?;
    reader.current.is_none().then_some(root)
}

/// What is left of a line, and how far it is indented.
#[derive(Clone, Copy)]
struct Line<'t> {
    indent: usize,
    content: &'t str,
    number: u32,
}

struct Reader<'t> {
    text: &'t str,
    /// Where the line after the current one begins.
    at: usize,
    number: u32,
    current: Option<Line<'t>>,
    next_id: u32,
    depth: usize,
}

impl<'t> Reader<'t> {
    /// Goes to the next line that is neither blank nor a comment.
    fn advance(&mut self) {
        self.current = None;
        while let Some(rest) = self.text.get(self.at..).filter(|rest| !rest.is_empty()) {
            let line = rest.split('\n').next().unwrap_or_default();
            self.at += line.len() + 1;
            self.number += 1;
            let content = line.trim_matches(' ');
            if !content.is_empty() && !content.starts_with('#') {
                let indent = line.len() - line.trim_start_matches(' ').len();
                self.current = Some(Line { indent, content, number: self.number });
                return;
            }
        }
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Reads the list or the map that begins in the current line.
    fn block(&mut self, indent: usize) -> Option<Node<'t>> {
        let first = self.current?;
        let is_marker = first.indent == 0 && ["---", "...", "%"].iter().any(|marker| first.content.starts_with(marker));
        if self.depth >= DEPTH || is_marker {
            return None;
        }
        self.depth += 1;
        let id = self.id();
        let value = if is_item(first.content) { self.list(indent)? } else { self.map(indent)? };
        self.depth -= 1;
        // A line that is indented further belongs to nothing here.
        let is_other = |line: Line<'_>| line.indent == indent && is_item(line.content) != is_item(first.content);
        let is_end = self.current.is_none_or(|line| line.indent < indent || is_other(line));
        is_end.then_some(Node { id, line: first.number, value })
    }

    fn list(&mut self, indent: usize) -> Option<Datum<'t>> {
        let mut items = Vec::new();
        while let Some(line) = self.current.filter(|line| line.indent == indent && is_item(line.content)) {
            let rest = line.content[1..].trim_start_matches(' ');
            if rest.is_empty() {
                self.advance();
                let next = self.current.filter(|next| next.indent > indent)?;
                items.push(self.block_or_bail(next.indent)?);
            } else if is_item(rest) || entry(rest).is_some() {
                let inner = line.indent + line.content.len() - rest.len();
                self.current = Some(Line { indent: inner, content: rest, ..line });
                items.push(self.block(inner)?);
            } else {
                items.push(self.value(rest, line, indent)?);
            }
        }
        items.shrink_to_fit();
        Some(Datum::List(items))
    }

    fn map(&mut self, indent: usize) -> Option<Datum<'t>> {
        let mut entries: Vec<(Cow<'t, str>, Node<'t>)> = Vec::new();
        while let Some(line) = self.current.filter(|line| line.indent == indent && !is_item(line.content)) {
            let (key, rest) = entry(line.content)?;
            if key == "<<" || key.starts_with("...") {
                return None;
            }
            let mut node = if rest.is_empty() {
                self.advance();
                match self.current {
                    Some(next) if next.indent > indent => self.block_or_bail(next.indent)?,
                    // A list may stand as far left as its key.
                    Some(next) if next.indent == indent && is_item(next.content) => self.block(indent)?,
                    _ => Node { id: self.id(), line: line.number, value: Datum::Null },
                }
            } else {
                self.value(rest, line, indent)?
            };
            node.line = line.number;
            entries.push((Cow::Borrowed(key), node));
        }
        entries.shrink_to_fit();
        // What is wrong with it is what the parser states.
        (!entries.is_empty() && twice(&entries).is_none()).then_some(Datum::Map(entries))
    }

    /// Reads a block below a key; a text of several lines is none.
    fn block_or_bail(&mut self, indent: usize) -> Option<Node<'t>> {
        let line = self.current?;
        (is_item(line.content) || entry(line.content).is_some()).then(|| self.block(indent)).flatten()
    }

    /// Reads the value at the end of a line, and goes on to the next one.
    fn value(&mut self, rest: &'t str, line: Line<'t>, indent: usize) -> Option<Node<'t>> {
        let id = self.id();
        let value = match rest.as_bytes().first()? {
            b'|' | b'>' => return self.text_block(rest, (line, indent), id),
            b'"' | b'\'' => Datum::Text(Cow::Borrowed(quoted(rest)?)),
            b'[' if rest == "[]" => Datum::List(Vec::new()),
            b'{' if rest == "{}" => Datum::Map(Vec::new()),
            b'[' => self.words(rest, line.number)?,
            _ => plain(Cow::Borrowed(unquoted(rest)?)),
        };
        self.advance();
        // A value may go on in a line that is indented further.
        let is_over = self.current.is_none_or(|next| next.indent <= indent);
        is_over.then_some(Node { id, line: line.number, value })
    }

    /// Reads a list of words in one line: `[id, name]`.
    fn words(&mut self, rest: &'t str, line: u32) -> Option<Datum<'t>> {
        let inner = rest.strip_prefix('[')?.strip_suffix(']')?;
        let word = |word: &'t str| {
            let word = word.trim_matches(' ');
            let is_word =
                word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/'));
            (is_word && !word.is_empty() && !word.starts_with('-')).then_some(word)
        };
        let words: Option<Vec<&str>> = inner.split(',').map(word).collect();
        let node = |word| Node { id: self.id(), line, value: plain(Cow::Borrowed(word)) };
        Some(Datum::List(words?.into_iter().map(node).collect()))
    }

    /// Reads a text in the lines below: `|` keeps their ends, `>` folds them.
    fn text_block(&mut self, rest: &'t str, (line, indent): (Line<'t>, usize), id: u32) -> Option<Node<'t>> {
        if !matches!(rest, "|" | "|-" | ">" | ">-") {
            return None;
        }
        let mut lines: Vec<&'t str> = Vec::new();
        while let Some(text) = self.text.get(self.at..).filter(|text| !text.is_empty()) {
            let own = text.split('\n').next().unwrap_or_default();
            let is_blank = own.trim_matches(' ').is_empty();
            if !is_blank && own.len() - own.trim_start_matches(' ').len() <= indent {
                break;
            }
            self.at += own.len() + 1;
            self.number += 1;
            lines.push(own);
        }
        let first = lines.iter().find(|line| !line.trim_matches(' ').is_empty())?;
        let margin = first.len() - first.trim_start_matches(' ').len();
        // Blank lines that are wider than the text, and lines that stand out, have rules of their own.
        let has_margin =
            |line: &&str| line.is_empty() || line.len() > margin && line.bytes().take(margin).all(|byte| byte == b' ');
        let is_folded = rest.starts_with('>');
        let stands_out = |line: &&str| line.get(margin..).is_some_and(|text| text.is_empty() || text.starts_with(' '));
        if !lines.iter().all(has_margin) || lines.iter().any(|line| !line.is_empty() && stands_out(line)) {
            return None;
        }
        let end = lines.iter().rposition(|line| !line.is_empty())? + 1;
        let lines: Vec<&str> = lines[..end].iter().map(|line| line.get(margin..).unwrap_or_default()).collect();
        // The last line of a file may lack its end, and a blank line that is folded is the end of one.
        if self.at > self.text.len() || is_folded && lines.iter().any(|line| line.is_empty()) {
            return None;
        }
        let mut text = lines.join(if is_folded { " " } else { "\n" });
        if !rest.ends_with('-') {
            text.push('\n');
        }
        self.advance();
        Some(Node { id, line: line.number, value: Datum::Text(Cow::Owned(text)) })
    }
}

fn is_item(content: &str) -> bool {
    content == "-" || content.starts_with("- ")
}

/// Splits a member of a map into its key and what stands behind it.
fn entry(content: &str) -> Option<(&str, &str)> {
    let (key, rest) = match content.as_bytes().first()? {
        quote @ (b'"' | b'\'') => {
            let end = 1 + content[1..].find(char::from(*quote))?;
            let (key, rest) = (&content[1..end], &content[end + 1..]);
            (!key.contains('\\')).then_some((key, rest.strip_prefix(':')?))?
        }
        first if first.is_ascii_alphanumeric() || b"/$_^.<".contains(first) => {
            let colon = content.match_indices(':').map(|(at, _)| at);
            let is_end = |at: &usize| matches!(content.as_bytes().get(at + 1), None | Some(b' '));
            let at = colon.into_iter().find(is_end)?;
            (content[..at].trim_end_matches(' '), &content[at + 1..])
        }
        _ => return None,
    };
    let is_plain = !key.contains(" #") && key.len() < 500;
    (is_plain && (rest.is_empty() || rest.starts_with(' '))).then_some((key, rest.trim_start_matches(' ')))
}

/// Returns a text in quotes that has no escapes and nothing behind it.
fn quoted(rest: &str) -> Option<&str> {
    let quote = rest.chars().next()?;
    let inner = rest[1..].strip_suffix(quote)?;
    (!inner.contains([quote, '\\'])).then_some(inner)
}

/// Returns a text without quotes that ends with its line.
fn unquoted(rest: &str) -> Option<&str> {
    let first = rest.chars().next()?;
    let may_begin =
        first.is_alphanumeric() || matches!(first, '/' | '$' | '_' | '^' | '.' | '(' | '<' | '+' | '~' | '=');
    let is_negative = first == '-' && rest[1..].starts_with(|c: char| c.is_ascii_digit());
    let goes_on = rest.contains(": ") || rest.contains(" #") || rest.ends_with(':');
    ((may_begin || is_negative) && !goes_on).then_some(rest)
}
