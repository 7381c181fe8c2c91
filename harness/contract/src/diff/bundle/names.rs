//! What the components are called that schemas of other files become.

use std::collections::{HashMap, HashSet};

/// Returns a name for each schema: its alias, else the short one if it is the only one of that name, else a long one.
///
/// A schema is given by its alias, its file and its JSON pointer there; `own` are the names that the document has.
pub(super) fn names<'a>(
    own: impl Iterator<Item = &'a str>,
    schemas: Vec<(Option<String>, String, String)>,
) -> Vec<String> {
    let mut taken: HashSet<String> = own.map(str::to_owned).collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for (_, file, pointer) in schemas.iter().filter(|(alias, ..)| alias.is_none()) {
        *counts.entry(short(file, pointer)).or_default() += 1;
    }
    let name = |(at, (alias, file, pointer)): (usize, (Option<String>, String, String))| {
        if let Some(alias) = alias {
            return alias;
        }
        let (short, long) = (short(&file, &pointer), plain(&format!("{file}{pointer}")));
        let is_free = counts.get(&short) == Some(&1) && !taken.contains(&short);
        let mut name = if is_free { short } else { long };
        if taken.contains(&name) {
            name = format!("{name}-{at}");
        }
        taken.insert(name.clone());
        name
    };
    schemas.into_iter().enumerate().map(name).collect()
}

/// Returns the last part of the pointer, or the file's name without its ending.
fn short(file: &str, pointer: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    match pointer.rsplit('/').next() {
        Some(last) if !last.is_empty() => plain(last),
        _ => plain(stem),
    }
}

/// Replaces what has to be escaped in a pointer or in a reference.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() || "_-".contains(c) { c } else { '.' }).collect()
}
