//! The forms in which a statement compares a column with a constant, each with a value that the column would need.

use super::words::{Operand, Words};

/// A column and a value for it, as SQL.
pub(super) type Pair = (String, String);

/// Returns the columns and values of the comparison that has its operator, or its function's name, at a place.
pub(super) fn at(words: &Words<'_>, at: usize) -> Vec<Pair> {
    match words.word(at) {
        "=" => equal(words, at),
        "<" | ">" => ordered(words, at),
        "~" => {
            let pattern = at + 1 + usize::from(words.word(at + 1) == "*");
            let before = if at > 0 && words.word(at - 1) == "!" { at - 1 } else { at };
            of(words.before(before), words.string(pattern).and_then(matching))
        }
        "@" if words.word(at + 1) == ">" => contained(words, at),
        "&" if words.word(at + 1) == "&" => contained(words, at),
        "?" | "-" => of(words.before(at), words.string(at + 1).map(|key| format!("jsonb_build_object({key}, 'x')"))),
        word => named(words, at, &word.to_lowercase()),
    }
}

fn named(words: &Words<'_>, at: usize, word: &str) -> Vec<Pair> {
    let second_argument = || {
        let comma = (at + 2..words.len()).take_while(|at| words.word(*at) != ")").find(|at| words.word(*at) == ",")?;
        Some((words.before(comma), words.string(comma + 1)?))
    };
    let call = || (words.word(at + 1) == "(").then(second_argument).flatten();
    match word {
        "in" if words.word(at + 1) == "(" => all(words.before(at), words.list(at + 2)),
        "between" => {
            let and = (at + 1..words.len()).find(|at| words.is(*at, "and"));
            let ends = [words.constant(at + 1), and.and_then(|and| words.constant(and + 1))];
            all(words.before(at), ends.into_iter().flatten().collect())
        }
        "like" | "ilike" => of(words.before(at), words.string(at + 1).map(like)),
        "array_remove" | "array_replace" | "array_position" => {
            call().map(|(column, value)| of(column, array(&[value.to_owned()]))).unwrap_or_default()
        }
        "replace" | "strpos" | "split_part" => {
            call().map(|(column, value)| of(column, Some(format!("('x' || {value})")))).unwrap_or_default()
        }
        "regexp_replace" | "regexp_match" | "regexp_like" => {
            call().map(|(column, value)| of(column, matching(value))).unwrap_or_default()
        }
        "case" if words.is(at + 2, "when") || words.is(at + 4, "when") => cases(words, at),
        _ => Vec::new(),
    }
}

/// `a = 'x'`, `'x' = a`, `'x' = any (a)`, `a = any (array['x'])`.
fn equal(words: &Words<'_>, at: usize) -> Vec<Pair> {
    let Some(last) = at.checked_sub(1) else { return Vec::new() };
    // `<=`, `>=` and `:=` are others; `=>` names an argument.
    if [":", "=", "<", ">"].contains(&words.word(last)) || words.word(at + 1) == ">" {
        return Vec::new();
    }
    let before = if words.word(last) == "!" { last } else { at };
    if words.is(at + 1, "any") && words.word(at + 2) == "(" && words.is(at + 3, "array") {
        return all(words.before(before), words.list(at + 5));
    }
    if let Some(value) = words.constant(at + 1) {
        return of(words.before(before), Some(value));
    }
    let Some(value) = words.constant(last) else { return Vec::new() };
    // `b -> 'key' = a` compares two columns.
    let is_key = last >= 2 && words.word(last - 1) == ">";
    match words.after(at + 1).filter(|_| !is_key) {
        Some((column, true)) => array(&[value]).map(|value| (column, value)).into_iter().collect(),
        Some((column, false)) => vec![(column, value)],
        None => Vec::new(),
    }
}

/// `a > 5`, `a <= 'x'`, `a < now() - ..`, `a <> 'x'`.
fn ordered(words: &Words<'_>, at: usize) -> Vec<Pair> {
    let operator = words.word(at);
    let last = at.checked_sub(1).map_or("", |at| words.word(at));
    // `->`, `->>`, `=>`, `@>`, the second half of `<>`, and `>>`.
    if ["-", ">", "=", "@", "<"].contains(&last) || words.word(at + 1) == operator {
        return Vec::new();
    }
    let is_exact = ["=", ">"].contains(&words.word(at + 1));
    let right = at + 1 + usize::from(is_exact);
    let value = match (words.number(right), words.string(right)) {
        (Some(number), _) if is_exact => Some(number),
        (Some(number), _) => Some(format!("({number} {} 1)", if operator == ">" { "+" } else { "-" })),
        (_, Some(text)) if !is_exact && is_date(text) => {
            let sign = if operator == ">" { "+" } else { "-" };
            Some(format!("({text}::timestamp {sign} interval '1 day')"))
        }
        (_, Some(text)) => Some(text.to_owned()),
        _ if operator == "<" && is_clock(words, right) => Some("(now() - interval '20 years')".to_owned()),
        _ => None,
    };
    of(words.before(at), value)
}

fn is_clock(words: &Words<'_>, at: usize) -> bool {
    ["now", "current_timestamp", "current_date", "localtimestamp"].iter().any(|word| words.is(at, word))
}

fn is_date(text: &str) -> bool {
    let text = text.trim_matches('\'');
    text.len() >= 10
        && text.bytes().take(10).enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// `a @> array['x']`, `a && '{x}'`.
fn contained(words: &Words<'_>, at: usize) -> Vec<Pair> {
    let value = match words.is(at + 2, "array") {
        true => array(&words.list(at + 4)),
        false => words.string(at + 2).map(str::to_owned),
    };
    of(words.before(at), value)
}

/// `case a when 'x' then .. when 'y' ..`.
fn cases(words: &Words<'_>, at: usize) -> Vec<Pair> {
    let Some(when) = (at + 1..words.len()).find(|at| words.is(*at, "when")) else { return Vec::new() };
    let end = (when..words.len()).find(|at| words.is(*at, "end")).unwrap_or(words.len());
    let values = (when..end).filter(|at| words.is(*at, "when")).filter_map(|at| words.constant(at + 1));
    all(words.before(when), values.collect())
}

/// Returns an array of constants as a string, which arrays of any type take; none of strings in another form than `'x'`.
fn array(values: &[String]) -> Option<String> {
    let element = |value: &String| match value.strip_prefix('\'') {
        Some(rest) => Some(format!("\"{}\"", rest.strip_suffix('\'')?.replace('\\', "\\\\").replace('"', "\\\""))),
        None => (!value.contains('\'')).then(|| value.clone()),
    };
    let elements: Vec<String> = values.iter().map(element).collect::<Option<_>>()?;
    (!elements.is_empty()).then(|| format!("'{{{}}}'", elements.join(", ")))
}

fn of(operand: Option<Operand>, value: Option<String>) -> Vec<Pair> {
    all(operand, value.into_iter().collect())
}

fn all(operand: Option<Operand>, values: Vec<String>) -> Vec<Pair> {
    let Some(Operand { column, keys }) = operand else { return Vec::new() };
    let within =
        |value: String| keys.iter().rev().fold(value, |value, key| format!("jsonb_build_object({key}, {value})"));
    values.into_iter().map(|value| (column.clone(), within(value))).collect()
}

/// Returns a text that a pattern of LIKE takes.
fn like(pattern: &str) -> String {
    let mut found = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '%' => {}
            '_' => found.push('x'),
            '\\' => found.extend(rest.next()),
            c => found.push(c),
        }
    }
    found
}

/// Returns a text that a regular expression takes, where it is a literal with anchors.
fn matching(pattern: &str) -> Option<String> {
    let inner = pattern.strip_prefix('\'')?.strip_suffix('\'')?;
    let inner = inner.strip_prefix('^').unwrap_or(inner);
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    let mut found = String::new();
    let mut rest = inner.trim_end_matches(".*").chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => found.push(rest.next().filter(|c| !c.is_alphanumeric())?),
            '.' => found.push('x'),
            '[' | ']' | '(' | ')' | '{' | '}' | '*' | '+' | '?' | '|' | '^' | '$' => return None,
            c => found.push(c),
        }
    }
    Some(format!("'{found}'"))
}
