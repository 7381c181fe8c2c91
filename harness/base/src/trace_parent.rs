//! The trace that a program takes part in, as it is handed from one to the next in `TRACEPARENT`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The variable that it is handed on by.
pub const VARIABLE: &str = "TRACEPARENT";

/// A span of a trace, and whether the trace is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceParent {
    /// The trace's id, 32 hexadecimal digits.
    pub trace: String,
    /// The span's id, 16 hexadecimal digits.
    pub span: String,
    /// Whether whoever began the trace records it.
    pub is_recorded: bool,
}

impl TraceParent {
    /// Reads the text of the variable; `None` where it is none.
    // Source: W3C, Trace Context, 3.2: version 00 has four parts; a later one may have more; ids are not all zeros.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.trim().split('-').collect();
        let [version, trace, span, flags, ref rest @ ..] = parts[..] else { return None };
        let is_hex = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_id = |part: &str, digits: usize| is_hex(part, digits) && part.bytes().any(|byte| byte != b'0');
        let is_known = is_hex(version, 2) && version != "ff" && (version != "00" || rest.is_empty());
        if !is_known || !is_id(trace, 32) || !is_id(span, 16) || !is_hex(flags, 2) {
            return None;
        }
        let is_recorded = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(TraceParent { trace: trace.to_owned(), span: span.to_owned(), is_recorded })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.is_recorded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_parent_is_read_and_written_as_the_recommendation_has_it() {
        let parent = TraceParent::read(&format!(" {TEXT}\n")).unwrap();
        assert!(parent.is_recorded && parent.to_string() == TEXT, "{parent}");
        let later = TEXT.replacen("00-", "cc-", 1) + "-what-comes-later";
        assert_eq!(TraceParent::read(&later), Some(parent));
        assert!(!TraceParent::read(&TEXT.replace("-01", "-02")).unwrap().is_recorded);
    }

    #[test]
    fn what_is_none_is_not_taken() {
        let zeros =
            ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"].map(|id| TEXT.replace(id, &"0".repeat(id.len())));
        let others = [
            "",
            "x",
            "00-1-2-01",
            &TEXT.to_uppercase(),
            &TEXT.replacen("00-", "ff-", 1),
            &format!("{TEXT}-x"),
            "\u{1b}-\n-'-;",
        ];
        for text in zeros.iter().map(String::as_str).chain(others) {
            assert_eq!(TraceParent::read(text), None, "{text}");
        }
    }
}
