//! Makes facts of rows: names, parents, and what belongs to an extension.

use std::collections::{BTreeMap, HashMap, HashSet};

use stagegate_migration_decide::schema::{Fact, Facts, Id, Kind, icu_locale, single_relation_view};
use tokio_postgres::Row;

use stagegate_host::database::DatabaseError;

/// Class, object and part, as `pg_depend` names things.
type Key = (u32, u32, i32);
const NOTHING: Key = (0, 0, 0);

/// One row of a family.
pub(super) struct Line {
    key: Key,
    kind: Option<Kind>,
    /// The name with its rest; `None` where it is the address of what the thing is a part of.
    name: Option<String>,
    /// The rest of a name that is not known yet.
    rest: Option<String>,
    parent: Key,
    payload: BTreeMap<String, String>,
}

/// What is known of the objects by their keys.
struct Known {
    /// The address, or the object that tells of this one.
    told: HashMap<Key, Result<Id, Key>>,
    parents: HashMap<Key, Key>,
    members: HashSet<(u32, u32)>,
    /// Of these, what a range type brought.
    of_types: HashSet<(u32, u32)>,
    namespaces: u32,
}

pub(super) fn facts(
    version: i32,
    lines: Vec<Line>,
    members: &[Row],
    catalogs: &[Row],
    objects: &[Row],
) -> Result<Facts, DatabaseError> {
    let named = |class: u32| {
        catalogs.iter().find(|row| row.get::<_, u32>(1) == class).map_or("another catalog", |row| row.get(0))
    };
    let known = known(&lines, members);
    let mut unmodelled = BTreeMap::new();
    for object in objects.iter().map(|row| (row.get::<_, u32>(0), row.get::<_, u32>(1))) {
        if !known.told.contains_key(&(object.0, object.1, 0)) && !known.members.contains(&object) {
            *unmodelled.entry(named(object.0).to_owned()).or_insert(0) += 1;
        }
    }
    let mut found = Vec::with_capacity(lines.len());
    for line in lines {
        let Some(kind) = line.kind else { continue };
        // Of an extension's members a dump writes what was done to them since: privileges, labels, policies.
        // Source: pg_dump.c, checkExtensionMembership.
        let is_since = matches!(kind, Kind::Privilege | Kind::SecurityLabel | Kind::Policy);
        let is_brought = match is_since {
            true => known.is_of_type(line.parent),
            false => known.is_brought(line.key) || known.is_brought(line.parent),
        };
        if is_brought {
            continue;
        }
        let parent = known.address(line.parent).cloned();
        let of_parent = || parent.as_ref().map(|parent| format!("{parent}{}", line.rest.unwrap_or_default()));
        let Some(name) = line.name.or_else(of_parent) else {
            *unmodelled.entry(format!("{kind} on {}", named(line.parent.0))).or_insert(0) += 1;
            continue;
        };
        let id = Id::new(kind, name);
        found.push(Fact { id, parent, payload: canonical(version, kind, line.payload) });
    }
    Ok(Facts::new(found, unmodelled))
}

/// Makes a line of a row.
pub(super) fn line(row: &Row) -> Result<Line, DatabaseError> {
    let kind: Option<&str> = row.get(3);
    let kind =
        kind.map(str::parse::<Kind>).transpose().map_err(|error| DatabaseError::Unexpected(error.to_string()))?;
    let name: Option<Vec<&str>> = row.get(4);
    let payload: Option<Vec<Option<&str>>> = row.get(9);
    let pairs = payload.unwrap_or_default();
    let pair = |pair: &[Option<&str>]| match pair {
        [Some(key), Some(value)] => Some(((*key).to_owned(), (*value).to_owned())),
        _ => None,
    };
    let name = name.map(|parts| parts.into_iter().map(quoted).collect::<Vec<_>>().join("."));
    let rest: Option<&str> = row.get(5);
    let (name, rest) = match name {
        Some(name) => (Some(name + rest.unwrap_or_default()), None),
        None => (None, rest.map(str::to_owned)),
    };
    Ok(Line {
        key: (row.get(0), row.get(1), row.get(2)),
        kind,
        name,
        rest,
        parent: (row.get(6), row.get(7), row.get(8)),
        payload: pairs.chunks(2).filter_map(pair).collect(),
    })
}

fn known(lines: &[Line], members: &[Row]) -> Known {
    let mut known = Known {
        told: HashMap::with_capacity(lines.len()),
        parents: HashMap::with_capacity(lines.len()),
        members: members.iter().map(|row| (row.get(0), row.get(1))).collect(),
        of_types: members.iter().filter(|row| !row.get::<_, bool>(2)).map(|row| (row.get(0), row.get(1))).collect(),
        namespaces: 0,
    };
    for line in lines.iter().filter(|line| line.key != NOTHING) {
        let reported = match (line.kind, &line.name) {
            (Some(kind), Some(name)) => Ok(Id::new(kind, name.clone())),
            _ => Err(line.parent),
        };
        if line.kind == Some(Kind::Schema) {
            known.namespaces = line.key.0;
        }
        known.told.insert(line.key, reported);
        known.parents.insert(line.key, line.parent);
    }
    known
}

impl Known {
    fn address(&self, key: Key) -> Option<&Id> {
        match self.told.get(&key)? {
            Ok(id) => Some(id),
            Err(other) => self.address(*other),
        }
    }

    /// Returns whether a range type brought it.
    fn is_of_type(&self, key: Key) -> bool {
        self.of_types.contains(&(key.0, key.1))
    }

    /// Returns whether an extension or a type brought it, or what it is a part of. A schema does not count: what a user puts into
    /// an extension's schema is the user's.
    fn is_brought(&self, key: Key) -> bool {
        if key == NOTHING {
            return false;
        }
        let is_member = self.members.contains(&(key.0, key.1));
        let parent = self.parents.get(&key).copied().filter(|parent| parent.0 != self.namespaces);
        is_member || parent.is_some_and(|parent| self.is_brought(parent))
    }
}

/// Quotes a name where it has to be.
///
/// The server's own `quote_ident` quotes keywords too, and each major has other ones.
fn quoted(name: &str) -> String {
    let is_first = |c: char| c.is_ascii_lowercase() || c == '_';
    let is_plain = name.starts_with(is_first) && name.chars().all(|c| is_first(c) || c.is_ascii_digit() || c == '$');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn canonical(version: i32, kind: Kind, mut payload: BTreeMap<String, String>) -> BTreeMap<String, String> {
    if version < 160_000
        && matches!(kind, Kind::View | Kind::MaterializedView)
        && let Some(definition) = payload.get_mut("definition")
    {
        *definition = single_relation_view(definition);
    }
    if version < 160_000
        && kind == Kind::Collation
        && payload.get("provider").is_some_and(|provider| provider == "icu")
        && let Some(locale) = payload.get_mut("locale")
    {
        *locale = icu_locale(locale);
    }
    payload
}
