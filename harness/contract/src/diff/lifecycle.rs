//! How long something stays: its stability, and the day on which it goes.

use super::{differ::Differ, rule, tree::Node};

/// The extension that states how stable something is, and its values from the least.
pub(super) const STABILITY: &str = "x-stability-level";
const LEVELS: [&str; 4] = ["draft", "alpha", "beta", "stable"];

impl<'a> Differ<'a> {
    /// Compares how stable something is reported to be, where both documents say it.
    pub(super) fn stability(&mut self, old: Option<&'a Node<'a>>, new: Option<&'a Node<'a>>) {
        let level = |node: &Node<'_>| LEVELS.iter().position(|level| node.as_text() == Some(*level));
        let Some((old, new)) = old.zip(new) else { return };
        let rule = match (level(old), level(new)) {
            (Some(was), Some(is)) if is < was => rule::STABILITY_DECREASED,
            (Some(was), Some(is)) if is > was => rule::STABILITY_INCREASED,
            _ => return,
        };
        let text_of = |node: &Node<'_>| node.as_text().unwrap_or_default().to_owned();
        self.found(rule, (old, new), text_of(old), text_of(new));
    }

    /// Compares the dates that something promises which is deprecated.
    pub(super) fn sunset(&mut self, before: &str, after: &str, spots: (&'a Node<'a>, &'a Node<'a>)) {
        let rule = match (before, after) {
            (before, after) if before == after => return,
            (_, "") => rule::SUNSET_REMOVED,
            (_, after) if !is_day(after) => rule::SUNSET_INVALID,
            (before, _) if !is_day(before) => return,
            (before, after) if after[..10] < before[..10] => rule::SUNSET_EARLIER,
            _ => rule::SUNSET_LATER,
        };
        self.found(rule, spots, before.to_owned(), after.to_owned());
    }
}

/// Returns whether a text begins with a day, as RFC 3339 writes it.
pub(super) fn is_day(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits =
        |range: std::ops::Range<usize>| bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let plain = digits(0..4) && digits(5..7) && digits(8..10) && bytes[4] == b'-' && bytes[7] == b'-';
    plain && ("01".."13").contains(&&text[5..7]) && ("01".."32").contains(&&text[8..10])
}
