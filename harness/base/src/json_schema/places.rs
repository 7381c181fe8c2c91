//! In which table of a file a key belongs, found by letting the file's own type read.

use serde::de::DeserializeOwned;

use super::trace::{PathStep, Shape, shape};

/// Most tables that are named of a key that several have.
const MOST: usize = 3;

/// Returns in which tables `T` reads a key, as a person writes them; `None` where it reads it nowhere.
#[must_use]
pub fn place_of<T: DeserializeOwned>(key: &str) -> Option<String> {
    let mut found = Vec::new();
    places::<T>(key, &mut Vec::new(), &mut found);
    match found.as_slice() {
        [] => None,
        [Place::Table(table), ..] => Some(format!("`{key}` is a table of the file itself: write {table}")),
        _ => {
            let tables: Vec<&str> =
                found.iter().map(|(Place::Table(name) | Place::KeyOf(name))| name.as_str()).collect();
            let more = if tables.len() > MOST { " and others" } else { "" };
            Some(format!("`{key}` is a key of {}{more}", tables[..tables.len().min(MOST)].join(", ")))
        }
    }
}

enum Place {
    /// It is a table of the file, written so.
    Table(String),
    /// It is a key of a table that is written so.
    KeyOf(String),
}

fn places<T: DeserializeOwned>(wanted: &str, path: &mut Vec<PathStep>, found: &mut Vec<Place>) {
    let step = match shape::<T>(path) {
        Shape::Table(keys) => {
            for key in keys {
                path.push(PathStep::Key(key));
                if *key == wanted {
                    found.push(place::<T>(path));
                }
                places::<T>(wanted, path, found);
                path.pop();
            }
            return;
        }
        Shape::Names => PathStep::AnyName,
        Shape::List => PathStep::Item,
        _ => return,
    };
    path.push(step);
    places::<T>(wanted, path, found);
    path.pop();
}

/// Returns the place of the key that a path ends in.
fn place<T: DeserializeOwned>(path: &[PathStep]) -> Place {
    if path.len() > 1 {
        return Place::KeyOf(written(&path[..path.len() - 1]));
    }
    let below = |step| [path, &[step]].concat();
    Place::Table(match shape::<T>(path) {
        Shape::Names => written(&below(PathStep::AnyName)),
        Shape::List => written(&below(PathStep::Item)),
        _ => written(path),
    })
}

/// Writes the header of a table.
fn written(path: &[PathStep]) -> String {
    let names = path.iter().filter_map(|step| match step {
        PathStep::Key(key) => Some(*key),
        PathStep::AnyName => Some("NAME"),
        PathStep::Item => None,
    });
    let name = names.collect::<Vec<_>>().join(".");
    if path.last() == Some(&PathStep::Item) { format!("[[{name}]]") } else { format!("[{name}]") }
}
