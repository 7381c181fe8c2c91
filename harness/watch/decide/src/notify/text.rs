//! The text of a message within a service's limit.

use stagegate_base::text::{clean, one_line};

use super::{LOG_LINES, Message};

/// What stands in the place of what was cut.
const CUT: &str = " ... ";
/// How many lines of what to do are sent.
const NEXT_LINES: usize = 8;

/// How a service counts, and what it would take as markup.
#[derive(Clone, Copy)]
pub struct Style {
    /// The longest text that it takes, in its own unit.
    pub limit: usize,
    /// The length of an escaped text in that unit.
    pub length: fn(&str) -> usize,
    /// Writes a character so that the service shows it as it is.
    pub escape: fn(char, &mut String),
}

impl Style {
    fn escaped(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        text.chars().for_each(|c| (self.escape)(c, &mut out));
        out
    }

    fn length(&self, text: &str) -> usize {
        (self.length)(&self.escaped(text))
    }

    /// Returns the longest beginning of `text` within `room`.
    fn head<'a>(&self, text: &'a str, room: usize) -> &'a str {
        let mut used = 0;
        for (at, c) in text.char_indices() {
            used += self.length(c.encode_utf8(&mut [0; 4]));
            if used > room {
                return &text[..at];
            }
        }
        text
    }

    /// Returns the longest end of `text` within `room`.
    fn tail<'a>(&self, text: &'a str, room: usize) -> &'a str {
        let mut used = 0;
        for (at, c) in text.char_indices().rev() {
            used += self.length(c.encode_utf8(&mut [0; 4]));
            if used > room {
                return &text[at + c.len_utf8()..];
            }
        }
        text
    }

    /// Returns a text without its middle, within `room`.
    fn without_middle(&self, text: &str, room: usize) -> String {
        if self.length(text) <= room {
            return text.to_owned();
        }
        let Some(left) = room.checked_sub(self.length(CUT)) else { return self.head(text, room).to_owned() };
        let head = self.head(text, left - left / 3);
        format!("{head}{CUT}{}", self.tail(text, left / 3))
    }
}

/// The parts of a text, each without what a terminal or a service would obey.
struct Parts {
    title: String,
    reason: String,
    log: Vec<String>,
    next: Vec<String>,
}

impl Parts {
    fn of(message: &Message) -> Self {
        let lines = |of: &[String]| of.iter().map(|line| one_line(line)).collect::<Vec<_>>();
        let reason = message.reason.as_deref().map(clean).unwrap_or_default();
        let mut next = lines(&message.next);
        next.truncate(NEXT_LINES);
        let skipped = message.log.len().saturating_sub(LOG_LINES);
        Parts { title: one_line(&message.title), reason, log: lines(&message.log[skipped..]), next }
    }

    fn text(&self, log: &[String]) -> String {
        let mut text = self.title.clone();
        if !self.reason.is_empty() {
            text += &format!("\nreason: {}", self.reason);
        }
        log.iter().for_each(|line| text += &format!("\n  {line}"));
        match self.next.as_slice() {
            [] => {}
            [only] => text += &format!("\nnext: {only}"),
            all => text += &format!("\nnext:\n  {}", all.join("\n  ")),
        }
        text
    }

    /// Returns the log with so many of its lines, those of the middle left out.
    fn shortened(&self, lines: usize) -> Vec<String> {
        let left_out = self.log.len() - lines;
        let head = lines - lines / 2;
        let mut log = self.log[..head].to_vec();
        log.push(format!("... {left_out} of the log left out ..."));
        log.extend_from_slice(&self.log[self.log.len() - lines / 2..]);
        log
    }
}

/// Returns the text of a message, escaped, and never longer than the style's limit.
///
/// What is too long loses lines from the middle of the log, then the middle of the reason, then what to do, and at last the
/// end of the first line. The link is the last line, as it is; where it would take more than half of the limit it is left out.
#[must_use]
pub fn fitted(message: &Message, style: &Style) -> String {
    let link = message.link.as_deref().map(|link| format!("\nlink: {}", one_line(link))).unwrap_or_default();
    let taken = (style.length)(&link);
    if taken > style.limit / 2 {
        return without_link(message, style);
    }
    without_link(message, &Style { limit: style.limit - taken, ..*style }) + &link
}

fn without_link(message: &Message, style: &Style) -> String {
    let mut parts = Parts::of(message);
    let fits = |text: &str| style.length(text) <= style.limit;
    let whole = parts.text(&parts.log);
    if fits(&whole) {
        return style.escaped(&whole);
    }
    for lines in (0..parts.log.len()).rev() {
        let text = parts.text(&parts.shortened(lines));
        if fits(&text) {
            return style.escaped(&text);
        }
    }
    let reason = std::mem::take(&mut parts.reason);
    while !parts.next.is_empty() && style.length(&parts.text(&[])) + style.length("\nreason: ") > style.limit {
        parts.next.pop();
    }
    let room = style.limit.saturating_sub(style.length(&parts.text(&[])) + style.length("\nreason: "));
    parts.reason = style.without_middle(&reason, room);
    let text = parts.text(&[]);
    let text = if fits(&text) { text } else { style.without_middle(&parts.title, style.limit) };
    style.escaped(&text)
}
