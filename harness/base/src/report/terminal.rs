//! What a terminal can show: whether colours are wanted, and lines that fit into it.

use super::Colour;

/// What the user wants of colours, by an option.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColourChoice {
    /// As the terminal and the variables have it.
    #[default]
    Auto,
    /// Also in a file or a pipe.
    Always,
    /// In no case.
    Never,
}

/// The variables that decide on colours, as the environment has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColourVariables {
    /// `NO_COLOR`: if not empty, no colours. Source: <https://no-color.org>.
    pub no_color: Option<String>,
    /// `CLICOLOR_FORCE`: if neither empty nor `0`, colours also without a terminal. Source: <https://bixense.com/clicolors>.
    pub clicolor_force: Option<String>,
    /// `TERM`: `dumb` is a terminal that knows no escape sequences.
    pub term: Option<String>,
}

impl ColourVariables {
    /// Returns whether the terminal knows escape sequences.
    #[must_use]
    pub fn knows_sequences(&self) -> bool {
        self.term.as_deref() != Some("dumb")
    }
}

/// Returns whether a stream gets colours: an option decides before the variables, and these before the terminal.
#[must_use]
pub fn wanted_colour(choice: ColourChoice, variables: &ColourVariables, is_terminal: bool) -> Colour {
    let is_set = |value: &Option<String>| value.as_deref().is_some_and(|value| !value.is_empty());
    let is_forced = is_set(&variables.clicolor_force) && variables.clicolor_force.as_deref() != Some("0");
    let is_wanted = match choice {
        ColourChoice::Always => true,
        ColourChoice::Never => false,
        ColourChoice::Auto if is_set(&variables.no_color) => false,
        ColourChoice::Auto => is_forced || (is_terminal && variables.knows_sequences()),
    };
    if is_wanted { Colour::Coloured } else { Colour::Plain }
}

/// Breaks lines that are longer than `columns` at a blank; what follows is indented by two more columns than the line is.
///
/// A word that is longer than a line stays whole, and so does a command in backticks: what is broken in two could not be copied.
#[must_use]
pub fn wrapped(text: &str, columns: usize) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| wrapped_line(line, columns)).collect();
    lines.join("\n")
}

fn wrapped_line(line: &str, columns: usize) -> String {
    if width(line) <= columns {
        return line.to_owned();
    }
    let blanks = line.len() - line.trim_start_matches(' ').len();
    let indent = (blanks + 2).min(columns / 2);
    let (mut out, mut used) = (line[..blanks].to_owned(), blanks);
    // Blanks between words are kept inside of a line: they align columns.
    for piece in pieces(&line[blanks..]) {
        let word = piece.trim_end_matches(' ');
        if used > indent && used + width(word) > columns {
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = indent;
            if word.is_empty() {
                continue;
            }
        }
        out.push_str(piece);
        used += width(piece);
    }
    out.truncate(out.trim_end_matches(' ').len());
    out
}

/// Returns the words of a line, each with one blank behind it; what stands in backticks is one word.
fn pieces(line: &str) -> Vec<&str> {
    let (mut pieces, mut from, mut is_quoted) = (Vec::new(), 0, false);
    for (at, one) in line.char_indices() {
        is_quoted ^= one == '`';
        if one == ' ' && !is_quoted {
            pieces.push(&line[from..=at]);
            from = at + 1;
        }
    }
    pieces.push(&line[from..]);
    pieces
}

/// Returns the columns that a line takes: its characters, without the colours of [`super::painted`].
#[must_use]
pub fn width(line: &str) -> usize {
    let mut characters = line.chars();
    let mut count = 0;
    while let Some(one) = characters.next() {
        match one {
            '\u{1b}' => drop(characters.by_ref().find(|one| *one == 'm')),
            _ => count += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::painted, *};

    #[rstest]
    #[case::a_terminal(ColourChoice::Auto, [None, None, Some("xterm")], true, true)]
    #[case::a_pipe(ColourChoice::Auto, [None, None, Some("xterm")], false, false)]
    #[case::no_color(ColourChoice::Auto, [Some("1"), None, Some("xterm")], true, false)]
    #[case::no_color_that_is_empty(ColourChoice::Auto, [Some(""), None, None], true, true)]
    #[case::no_color_before_force(ColourChoice::Auto, [Some("1"), Some("1"), None], true, false)]
    #[case::forced_in_a_pipe(ColourChoice::Auto, [None, Some("1"), None], false, true)]
    #[case::not_forced(ColourChoice::Auto, [None, Some("0"), None], false, false)]
    #[case::dumb(ColourChoice::Auto, [None, None, Some("dumb")], true, false)]
    #[case::dumb_and_forced(ColourChoice::Auto, [None, Some("1"), Some("dumb")], true, true)]
    #[case::always(ColourChoice::Always, [Some("1"), None, Some("dumb")], false, true)]
    #[case::never(ColourChoice::Never, [None, Some("1"), Some("xterm")], true, false)]
    fn an_option_decides_before_the_variables_and_these_before_the_terminal(
        #[case] choice: ColourChoice,
        #[case] values: [Option<&str>; 3],
        #[case] is_terminal: bool,
        #[case] is_coloured: bool,
    ) {
        let [no_color, clicolor_force, term] = values.map(|value| value.map(str::to_owned));
        let variables = ColourVariables { no_color, clicolor_force, term };
        let found = wanted_colour(choice, &variables, is_terminal);
        assert_eq!(found == Colour::Coloured, is_coloured);
    }

    #[test]
    fn a_long_line_is_broken_at_blanks_and_a_long_word_is_not() {
        let text = "FAIL health::api::http (0.1 s)\n  api answers with 500, expected 200, at http://127.0.0.1:8080/a/b/c/d/e/f\nPASSED";
        let want = "FAIL health::api::http\n  (0.1 s)\n  api answers with 500,\n    expected 200, at\n    http://127.0.0.1:8080/a/b/c/d/e/f\nPASSED";
        assert_eq!(wrapped(text, 25), want);
        assert_eq!(wrapped(text, 200), text);
    }

    #[test]
    fn a_command_in_backticks_is_not_broken() {
        let text = "  hint: start it with `gate up --env local`, or pass another --env";
        assert_eq!(wrapped(text, 30), "  hint: start it with\n    `gate up --env local`, or\n    pass another --env");
    }

    #[test]
    fn colours_take_no_columns_and_aligned_columns_stay() {
        let line = format!("{} contracts    15/16     1.1 s", painted("PASS  ", 32, Colour::Coloured));
        assert_eq!(width(&line), 35);
        assert_eq!(wrapped(&line, 35), line);
        let broken = wrapped(&format!("{line}  1 not run"), 40);
        assert_eq!(broken, format!("{line}  1\n  not run"));
    }
}
