//! Headers of tables: one where a list is wanted, a list where one is wanted, and what is there twice.

use std::ops::Range;

use super::{Explained, line_at};

/// The tables that have a name each, so that their header has two parts.
const NAMED: [&str; 5] = ["environments", "services", "databases", "volumes", "migrations"];
/// The tables of which a file has as many as it likes.
const LISTS: [&str; 2] = ["notify", "performance"];

/// Returns the name in a table's header, and whether it has two brackets; `None` where the line is none.
pub(super) fn header(line: &str) -> Option<(&str, bool)> {
    let line = line.split('#').next()?.trim();
    if let Some(name) = line.strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) {
        return Some((name.trim(), true));
    }
    line.strip_prefix('[')?.strip_suffix(']').map(|name| (name.trim(), false))
}

/// Explains a message about a table's header; `None` where it is about something else.
pub(super) fn explained(text: &str, span: &Range<usize>, message: &str) -> Option<Explained> {
    let (line, start) = line_at(text, span.start);
    if message == "duplicate key" {
        return Some(twice(text, start, line));
    }
    let named = header(line);
    if message.starts_with("unknown variant ") && named.is_none() {
        return in_a_table(text, start, line, message);
    }
    let (name, is_list) = named?;
    let is_shape = message.starts_with("invalid type") || message.starts_with("wanted exactly 1 element");
    let is_wanted_list = LISTS.contains(&name);
    match (is_shape, is_list) {
        (true, true) if !is_wanted_list => Some(one_wanted(name)),
        (true, false) if is_wanted_list => Some(Explained {
            message: format!("[{name}] is one table, and there may be several"),
            label: None,
            hint: Some(format!("write [[{name}]], with two brackets")),
        }),
        (true, false) if name.starts_with("severity.") => Some(severity_table(name)),
        (false, _) if message.starts_with("unknown field ") => surplus_part(name, span.start > start + 1),
        _ => None,
    }
}

fn one_wanted(name: &str) -> Explained {
    let hint = match NAMED.contains(&name) {
        true => format!("write [{name}.NAME], a table for each, with its name in the header"),
        false => format!("write [{name}], with one bracket"),
    };
    Explained {
        message: format!("[[{name}]] is a list of tables, and one table is expected"),
        label: None,
        hint: Some(hint),
    }
}

fn severity_table(name: &str) -> Explained {
    let prefix = name.trim_start_matches("severity.").replace('.', "::");
    Explained {
        message: format!("[{name}] is a table, and a severity is expected"),
        label: None,
        hint: Some(format!("write below [severity]: \"{prefix}::NAME\" = \"required\", \"warning\" or \"info\"")),
    }
}

/// Explains a table in the place of a word: the reader takes its first key for the word.
fn in_a_table(text: &str, start: usize, line: &str, message: &str) -> Option<Explained> {
    let found = message.strip_prefix("unknown variant `")?.split('`').next()?;
    let key = line.split_once('=')?.0.trim().trim_matches('"');
    let (name, _) = (key == found).then(|| above(text, start))??;
    name.starts_with("severity.").then(|| severity_table(name))
}

/// Explains a header with more parts than the table has: a name with a dot in it.
fn surplus_part(name: &str, is_inner: bool) -> Option<Explained> {
    let parts: Vec<&str> = name.split('.').collect();
    let [table @ ("environments" | "services" | "databases"), first, rest @ ..] = parts.as_slice() else { return None };
    (is_inner && !rest.is_empty()).then(|| Explained {
        message: format!("[{name}] has one part too many: `{}` is no table of [{table}.{first}]", rest.join(".")),
        label: None,
        hint: Some(format!("a name has no dot: [{table}.{first}-{}]", rest.join("-"))),
    })
}

/// Explains a key or a header that is there twice, with the line of the first one.
fn twice(text: &str, start: usize, line: &str) -> Explained {
    let earlier = text[..start].lines().enumerate().map(|(index, line)| (index + 1, line));
    let (what, first, hint) = match header(line) {
        Some((name, _)) => {
            let first = earlier.filter(|(_, line)| header(line).is_some_and(|(other, _)| other == name)).last();
            (format!("table [{name}]"), first, "write all of its keys below one header")
        }
        None => {
            let key = |line: &str| line.split('=').next().unwrap_or_default().trim().trim_matches('"').to_owned();
            let first = earlier.filter(|(_, other)| other.contains('=') && key(other) == key(line)).last();
            (format!("key `{}`", key(line)), first, "remove one of the two lines")
        }
    };
    let place = first.map(|(number, _)| format!(", first in line {number}")).unwrap_or_default();
    Explained { message: format!("duplicate {what}{place}"), label: None, hint: Some(hint.to_owned()) }
}

/// Returns the header that the line at a place stands below.
fn above(text: &str, start: usize) -> Option<(&str, bool)> {
    text[..start].lines().rev().find_map(header)
}
