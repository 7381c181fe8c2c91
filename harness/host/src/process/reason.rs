//! The lines of a program's output that say why it failed.

/// How many lines are kept.
const LINES: usize = 4;
/// How a line begins or goes on that names an error, as compilers, servers and shells write it.
const MARKS: [&str; 4] = ["error:", "fatal:", "panic:", "error "];

/// Returns the last lines of an output as one line; where none of them names an error, the last that does, with what
/// follows it.
///
/// `pg_restore` writes PostgreSQL's error first and the whole statement behind it.
pub(super) fn of(output: &str) -> String {
    let mut lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // Compose warns of each variable that is not set, line after line, before it says what it refuses.
    if lines.iter().any(|line| !is_warning(line)) {
        lines.retain(|line| !is_warning(line));
    }
    let tail = &lines[lines.len().saturating_sub(LINES)..];
    if tail.iter().any(|line| names_an_error(line)) {
        return tail.join(" | ");
    }
    match lines.iter().rposition(|line| names_an_error(line)) {
        Some(at) => {
            let rest = lines[at..].iter().take_while(|line| !line.starts_with("Command was:")).take(LINES);
            rest.copied().collect::<Vec<_>>().join(" | ")
        }
        None => tail.join(" | "),
    }
}

fn is_warning(line: &str) -> bool {
    line.contains("level=warning")
}

fn names_an_error(line: &str) -> bool {
    let lower = line.to_lowercase();
    let named = MARKS[..3].iter().any(|mark| lower.contains(mark));
    named || lower.starts_with(MARKS[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_error_is_kept_before_a_long_statement() {
        let output = "pg_restore: while PROCESSING TOC:\n\
             pg_restore: from TOC entry 218; 1259 16386 TABLE item shop\n\
             pg_restore: error: could not execute query: ERROR:  function cut(text) does not exist\n\
             LINE 1: select cut(t)\n               ^\n\
             HINT:  No function matches the given name and argument types.\n\
             Command was: CREATE TABLE public.item (\n    id integer NOT NULL,\n    name text NOT NULL,\n    s text\n);\n";
        let reason = of(output);
        assert!(reason.contains("ERROR:  function cut(text) does not exist"), "{reason}");
        assert!(reason.contains("HINT:"), "{reason}");
        assert!(!reason.contains("NOT NULL"), "{reason}");
    }

    #[test]
    fn warnings_do_not_hide_what_was_refused() {
        let warning = "time=\"2026-01-02T03:04:05Z\" level=warning msg=\"The \\\"A\\\" variable is not set.\"\n";
        let refused = "env file /srv/shop/.env not found: stat /srv/shop/.env: no such file or directory";
        assert_eq!(of(&format!("{}{refused}\n{warning}", warning.repeat(3))), refused);
        assert!(of(warning).contains("variable is not set"));
    }

    #[test]
    fn the_last_lines_are_told_where_they_name_the_error_or_nothing_does() {
        assert_eq!(of("a\nb\nc\nd\nERROR: no such file\n"), "b | c | d | ERROR: no such file");
        assert_eq!(of("one\n\ntwo\n"), "one | two");
        assert_eq!(of(""), "");
    }
}
