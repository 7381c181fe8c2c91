//! The lines of a program's output that say why it failed.

/// How many lines are kept.
const LINES: usize = 4;
/// How many characters of the command of a build's step are kept.
const STEP: usize = 100;
/// How a line begins or goes on that names an error, as compilers, servers and shells write it.
const MARKS: [&str; 4] = ["error:", "fatal:", "panic:", "error "];

/// Returns the last lines of an output as one line; where none of them names an error, the last that does, with what
/// follows it.
///
/// `pg_restore` writes PostgreSQL's error first and the whole statement behind it.
pub(super) fn of(output: &str) -> String {
    let mut lines: Vec<&str> = output.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // Compose warns of each variable that is not set, line after line, before it states what it refuses.
    if lines.iter().any(|line| !is_warning(line)) {
        lines.retain(|line| !is_warning(line));
    }
    if let Some(excerpt) = of_build(&lines) {
        return excerpt;
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

/// Returns the step of a build that failed and the last lines that it wrote; nothing where the output has no such excerpt.
// Source: BuildKit, util/progress/progressui: the excerpt is between lines of dashes and begins with ` > [STEP] COMMAND:`.
fn of_build(lines: &[&str]) -> Option<String> {
    let at = lines.iter().rposition(|line| line.starts_with("> ["))?;
    let step = lines[at].trim_start_matches("> ").trim_end_matches(':');
    let step =
        if step.chars().count() > STEP { step.chars().take(STEP).chain(['…']).collect() } else { step.to_owned() };
    let written: Vec<&str> = lines[at + 1..].iter().copied().take_while(|line| !line.starts_with("------")).collect();
    let last = &written[written.len().saturating_sub(LINES)..];
    (!last.is_empty()).then(|| format!("{step}: {}", last.join(" | ")))
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
    fn of_a_failed_build_the_step_and_what_it_wrote_last_are_kept() {
        let excerpt = "#6 ERROR: executor failed running [/bin/sh -c apt-get update && apt-get install -y no-such]: exit code: 100\n\
             ------\n > [web 2/4] RUN apt-get update && apt-get install -y no-such:\n\
             1.058 Get:1 bookworm InRelease [151 kB]\n\
             2.227 Get:2 bookworm/main amd64 Packages [8790 kB]\n\
             10.85 Reading package lists...\n14.02 Building dependency tree...\n\
             15.05 E: Unable to locate package no-such\n------\n";
        let older =
            format!("{excerpt}failed to solve: executor failed running [/bin/sh -c apt-get ..]: exit code: 100\n");
        let newer = format!(
            "{excerpt}Dockerfile:2\n--------------------\n   2 | >>> RUN apt-get update\n--------------------\nfailed to solve: exit code: 100\n"
        );
        for output in [older, newer] {
            let reason = of(&output);
            assert!(reason.starts_with("[web 2/4] RUN apt-get update"), "{reason}");
            assert!(reason.ends_with("15.05 E: Unable to locate package no-such"), "{reason}");
        }
        let no_lines = "------\n > [web 2/4] COPY none /:\n------\nfailed to solve: \"/none\": not found\n";
        assert!(of(no_lines).ends_with("failed to solve: \"/none\": not found"), "{}", of(no_lines));
    }

    #[test]
    fn warnings_do_not_hide_what_was_refused() {
        let warning = "time=\"2026-01-02T03:04:05Z\" level=warning msg=\"The \\\"A\\\" variable is not set.\"\n";
        let refused = "env file /srv/shop/.env not found: stat /srv/shop/.env: no such file or directory";
        assert_eq!(of(&format!("{}{refused}\n{warning}", warning.repeat(3))), refused);
        assert!(of(warning).contains("variable is not set"));
    }

    #[test]
    fn the_last_lines_are_reported_where_they_name_the_error_or_nothing_does() {
        assert_eq!(of("a\nb\nc\nd\nERROR: no such file\n"), "b | c | d | ERROR: no such file");
        assert_eq!(of("one\n\ntwo\n"), "one | two");
        assert_eq!(of(""), "");
    }
}
