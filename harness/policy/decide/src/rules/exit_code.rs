//! Can a shell text fail? Read as far as healthchecks need it: lists, pipelines and one `if`; nothing is run.

/// How a command is joined to what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joint {
    /// `;`, a line break, or nothing before it.
    Next,
    And,
    Or,
    Pipe,
}

/// Returns whether a text exits with 0 whatever its commands do.
pub(super) fn always_succeeds(text: &str) -> bool {
    let commands = commands(text);
    let Some((_, last)) = commands.last() else { return true };
    if last == "fi" {
        return if_always_succeeds(&commands) && !leaves_early(&commands);
    }
    let start = commands.iter().rposition(|(joint, _)| *joint == Joint::Next).unwrap_or_default();
    let (before, list) = commands.split_at(start);
    let fails_in_pipes =
        list.iter().any(|(joint, _)| *joint == Joint::Pipe) && before.iter().any(|(_, c)| c.contains("pipefail"));
    list_succeeds(list) && !fails_in_pipes && !leaves_early(before) && !leaves_with_failure(list)
}

/// Returns the command that decides: enough to recognise the text, and without the password that a longer one may hold.
pub(super) fn ending(text: &str) -> String {
    let commands = commands(text);
    let last = commands.iter().rev().map(|(_, command)| without_keyword(command)).find(|command| !command.is_empty());
    last.unwrap_or_default().to_owned()
}

/// Returns whether every branch of the `if` that ends the text succeeds; one inside of another is not read.
fn if_always_succeeds(commands: &[(Joint, String)]) -> bool {
    let starts = |word: &str| commands.iter().filter(|(_, command)| first_word(command) == word).count();
    let ends_of_branches = commands
        .windows(2)
        .filter(|pair| matches!(first_word(&pair[1].1), "elif" | "else" | "fi"))
        .map(|pair| &pair[0].1);
    starts("if") == 1 && ends_of_branches.into_iter().all(|command| is_success(without_keyword(command)))
}

/// Goes through the commands of one list: `||` runs one where the last failed, `&&` where it succeeded.
fn list_succeeds(list: &[(Joint, String)]) -> bool {
    list.iter().fold(false, |succeeds, (joint, command)| match joint {
        Joint::Next | Joint::Pipe => is_success(command),
        Joint::Or => succeeds || is_success(command),
        Joint::And => succeeds && is_success(command),
    })
}

fn leaves_early(before: &[(Joint, String)]) -> bool {
    let (settings, others): (Vec<&str>, Vec<&str>) =
        before.iter().map(|(_, command)| command.as_str()).partition(|command| command.starts_with("set "));
    let ends_at_failures = settings.iter().any(|setting| setting.starts_with("set -e"));
    leaves_with_failure(before) || ends_at_failures && !others.into_iter().all(is_success)
}

fn leaves_with_failure(commands: &[(Joint, String)]) -> bool {
    commands.iter().any(|(_, command)| {
        let mut words =
            command.split(|c: char| c.is_whitespace() || "(){}".contains(c)).skip_while(|word| *word != "exit");
        words.next().is_some() && words.next() != Some("0")
    })
}

fn is_success(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let alone = !command.contains(['|', '&', '$', '`']);
    match words.as_slice() {
        [] | ["true" | ":" | "/bin/true" | "/usr/bin/true"] | ["exit", "0"] => true,
        ["echo", ..] => alone,
        _ => false,
    }
}

fn first_word(command: &str) -> &str {
    command.split_whitespace().next().unwrap_or_default()
}

fn without_keyword(command: &str) -> &str {
    let keyword = first_word(command);
    let is_keyword = matches!(keyword, "if" | "then" | "elif" | "else" | "fi" | "do" | "done");
    if is_keyword { command[keyword.len()..].trim_start() } else { command }
}

/// Splits a shell text into its commands; what is in quotes or brackets stays together, and comments are left out.
fn commands(text: &str) -> Vec<(Joint, String)> {
    let mut found = vec![(Joint::Next, String::new())];
    let (mut quote, mut depth, mut is_comment) = (None, 0_usize, false);
    let mut rest = text.trim().trim_end_matches(';').chars().peekable();
    while let Some(c) = rest.next() {
        let Some((_, command)) = found.last_mut() else { break };
        is_comment &= c != '\n';
        is_comment |= c == '#' && quote.is_none() && command.chars().next_back().is_none_or(char::is_whitespace);
        if is_comment {
            continue;
        }
        match c {
            _ if quote == Some(c) => quote = None,
            '"' | '\'' | '`' if quote.is_none() => quote = Some(c),
            '(' if quote.is_none() => depth += 1,
            ')' if quote.is_none() => depth = depth.saturating_sub(1),
            _ => {}
        }
        let joint = match c {
            _ if quote.is_some() || depth > 0 => None,
            ';' | '\n' => Some(Joint::Next),
            '|' if rest.next_if_eq(&'|').is_some() => Some(Joint::Or),
            '|' => Some(Joint::Pipe),
            '&' if rest.next_if_eq(&'&').is_some() => Some(Joint::And),
            _ => None,
        };
        match joint {
            Some(joint) => found.push((joint, String::new())),
            None => command.push(c),
        }
    }
    let mut trimmed: Vec<(Joint, String)> =
        found.into_iter().map(|(joint, command)| (joint, command.trim().to_owned())).collect();
    // A comment or a break at the end is no command of its own.
    while trimmed.len() > 1
        && trimmed.last().is_some_and(|(joint, command)| *joint == Joint::Next && command.is_empty())
    {
        trimmed.pop();
    }
    trimmed
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    #[rstest]
    #[case("exit 0", true)]
    #[case("true", true)]
    #[case(":", true)]
    #[case("curl -f http://x || true", true)]
    #[case("curl -f http://x||exit 0", true)]
    #[case("curl -f http://x; true;", true)]
    #[case("curl -f http://x\nexit 0", true)]
    #[case("curl -f http://x || echo down", true)]
    #[case("echo ok", true)]
    #[case("curl -f http://x || exit 1", false)]
    #[case("curl -f http://x || exit 1; exit 0", false)]
    #[case("curl -f http://x || exit", false)]
    #[case("redis-cli ping | grep -q PONG", false)]
    #[case("echo ruok | nc 127.0.0.1 2181", false)]
    #[case("echo 'a; true'", true)]
    #[case("test \"a || true\" = b", false)]
    #[case("set -e; curl -f http://x; true", false)]
    #[case("set -e; curl -f http://x || true", true)]
    #[case::piped("pg_isready | true", true)]
    #[case::every_part_counts("set -o pipefail; pg_isready | true", false)]
    #[case::both("curl x || true && true", true)]
    #[case::only_then("curl x && true", false)]
    #[case::chosen("curl x && exit 0 || exit 0", true)]
    #[case::in_brackets("(curl x || exit 1) && exit 0", false)]
    #[case::substituted("test $(curl x || true) = ok", false)]
    #[case::a_comment("exit 0 # todo", true)]
    #[case::a_comment_alone("curl -f x # || true", false)]
    #[case::an_anchor("curl -f http://x/#a", false)]
    #[case::either_branch("if curl -f x; then exit 0; else exit 0; fi", true)]
    #[case::no_other_branch("if curl -f x; then echo up; fi", true)]
    #[case::a_branch_that_fails("if curl -f x; then exit 0; else exit 1; fi", false)]
    #[case::a_branch_that_may_fail("if true; then curl -f x; else exit 0; fi", false)]
    fn only_a_text_that_always_succeeds_is_reported(#[case] text: &str, #[case] want: bool) {
        assert_eq!(super::always_succeeds(text), want);
    }

    #[rstest]
    #[case("curl http://u:pw@x || true", "true")]
    #[case("exit 0 # todo", "exit 0")]
    #[case("if curl http://u:pw@x; then exit 0; else exit 0; fi", "exit 0")]
    fn the_command_that_decides_is_shown(#[case] text: &str, #[case] want: &str) {
        assert_eq!(super::ending(text), want);
    }
}
