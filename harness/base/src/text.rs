//! Text of unknown origin, made harmless and escaped for what it is written into.

use std::{fmt::Display, iter::Peekable, str::Chars};

/// Returns a text on one line: breaks become blanks.
#[must_use]
pub fn one_line(text: &str) -> String {
    clean(text).split(['\n', '\t']).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Returns a text of lines without escape sequences, control characters and marks of direction.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            '\u{9b}' => skip_parameters(&mut rest),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => out.push('\n'),
            c if is_harmful(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// Returns whether a character is taken out: all of them lie in the basic plane, below U+10000.
#[must_use]
pub fn is_harmful(c: char) -> bool {
    let control = c.is_control() && !matches!(c, '\n' | '\t');
    // Marks that turn the direction of writing make a text read as another one; U+FFFE and U+FFFF are no XML.
    let unseen = matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    control || unseen || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Skips what follows an escape character.
// Source: ECMA-48, 5.4 (control sequences) and 5.6 (control strings).
fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_parameters(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(rest),
        // An escape before a line break is a lone one: the break stays.
        Some('\n' | '\r') | None => {}
        Some(_) => drop(rest.next()),
    }
}

/// Skips a control sequence up to its final byte; where it is none, only what could belong to it.
fn skip_parameters(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|c| matches!(c, ' '..='?')).is_some() {}
    rest.next_if(|c| matches!(c, '@'..='~'));
}

/// Skips a control string up to its end; one that does not end goes to the end of its line.
fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    while let Some(c) = rest.next_if(|c| *c != '\n') {
        if c == '\u{7}' || c == '\u{9c}' {
            return;
        }
        if c == '\u{1b}' {
            rest.next_if_eq(&'\\');
            return;
        }
    }
}

/// Returns at most `chars` characters, and states how many there were more.
#[must_use]
pub fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some((end, _)) => {
            let more = counted(text[end..].chars().count(), "more character");
            format!("{}\n... ({more})", &text[..end])
        }
    }
}

/// Returns a count with its noun: `1 migration`, `2 migrations`, `0 entries`.
///
/// `noun` is the singular; its last word is the one that changes.
#[must_use]
pub fn counted(count: impl Display, noun: &str) -> String {
    let count = count.to_string();
    if count == "1" { format!("1 {noun}") } else { format!("{count} {}", plural(noun)) }
}

/// Returns the plural of a regular noun.
#[must_use]
pub fn plural(noun: &str) -> String {
    let before_y = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    match before_y {
        Some(stem) => format!("{stem}ies"),
        None if noun.ends_with(['s', 'x']) || noun.ends_with("ch") || noun.ends_with("sh") => format!("{noun}es"),
        None => format!("{noun}s"),
    }
}

/// Escapes `&`, `<` and `>`, which HTML takes as its own between tags.
#[must_use]
pub fn angles_escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Escapes a line for Markdown, table cells included.
#[must_use]
pub fn markdown_escaped(text: &str) -> String {
    let mut out = String::new();
    for c in angles_escaped(&one_line(text)).chars() {
        if r"\`*_[]|~#!".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Escapes what JSON lets through bare: marks of direction, DEL, control characters above ASCII, and the older form of a
/// workflow command, which counts anywhere in a line of a job's log.
#[must_use]
pub fn json_escaped(line: &str) -> String {
    // Outside of its strings, JSON knows neither of them.
    let line = line.replace("##[", "##\\u005b");
    line.chars().map(|c| if is_harmful(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }).collect()
}

/// Keeps XML and HTML from being a workflow command where a job prints the file; the text is the same.
#[must_use]
pub fn markup_inert(markup: &str) -> String {
    let one = |line: &str| match line.trim_start().strip_prefix("::") {
        Some(rest) => format!("{}&#58;:{rest}", &line[..line.len() - rest.len() - 2]),
        None => line.to_owned(),
    };
    markup.replace("##[", "##&#91;").split('\n').map(one).collect::<Vec<_>>().join("\n")
}

/// Escapes what XML and HTML would take as their own, and takes out what harms.
#[must_use]
pub fn xml_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    #[rstest]
    #[case::colour("\u{1b}[31mred\u{1b}[0m", "red")]
    #[case::eight_bit("\u{9b}31mred", "red")]
    #[case::title("\u{1b}]0;owned\u{7}text", "text")]
    #[case::link("\u{1b}]8;;http://x\u{1b}\\text", "text")]
    #[case::unended("\u{1b}]0;owned\nnext", "\nnext")]
    #[case::lone("a\u{1b}", "a")]
    #[case::lone_before_break("a\u{1b}\nb", "a\nb")]
    #[case::bidi("a\u{202e}b\u{2066}c\u{200f}", "abc")]
    #[case::control("a\0b\u{8}c\td", "abc\td")]
    #[case::breaks("a\r\nb\rc\u{2028}d", "a\nb\nc\nd")]
    #[case::words("häuser 家 👨\u{200d}👩", "häuser 家 👨\u{200d}👩")]
    fn what_harms_is_taken_out(#[case] text: &str, #[case] want: &str) {
        assert_eq!(super::clean(text), want);
    }

    #[test]
    fn a_line_has_no_breaks() {
        assert_eq!(super::one_line(" a\n\n b\tc\r"), "a b c");
    }

    #[rstest]
    #[case("migration", "1 migration, 2 migrations, 0 migrations")]
    #[case("rollback point", "1 rollback point, 2 rollback points, 0 rollback points")]
    #[case("entry", "1 entry, 2 entries, 0 entries")]
    #[case("key", "1 key, 2 keys, 0 keys")]
    #[case("index", "1 index, 2 indexes, 0 indexes")]
    #[case("class", "1 class, 2 classes, 0 classes")]
    #[case("match", "1 match, 2 matches, 0 matches")]
    fn one_thing_is_singular(#[case] noun: &str, #[case] want: &str) {
        assert_eq!([1, 2, 0].map(|count| super::counted(count, noun)).join(", "), want);
    }

    #[test]
    fn what_is_cut_is_counted() {
        assert_eq!(super::cut("äöü", 2), "äö\n... (1 more character)");
        assert_eq!(super::cut("äöü", 3), "äöü");
    }
}
