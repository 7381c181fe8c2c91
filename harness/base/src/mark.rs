//! Which databases of a server the gate made: known by a mark in the database itself, never by a name.
//!
//! The mark is the database's comment, which every owner may write. It names the database that it lies in, so that one
//! that was renamed is the gate's no more, and the state folder, so that another installation's is left alone. Until
//! the comment is written, right after `CREATE DATABASE`, the limit of connections stands for it: PostgreSQL sets that
//! one in the very statement. Nothing without the mark is dropped, and no database of the plan, whatever it carries.

use sha2::{Digest, Sha256};

/// How every mark begins.
const BEGINNING: &str = "stagegate: ";
/// PostgreSQL's limit of a name, in bytes; it cuts a longer one without an error.
// Source: PostgreSQL manual 4.1.1, NAMEDATALEN - 1.
pub const NAME_BYTES: usize = 63;

/// What a database of the gate's is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The copy from before a migration.
    Copy,
    /// What a failed release made of the database.
    Failed,
    /// What a rollback with data replaced.
    Left,
    /// A dump, restored to be put in the database's place.
    Restored,
    /// In a rehearsal: the copy from before the migrations.
    Before,
    /// In a rehearsal: the migrated copy, once the one from before is in its place.
    After,
    /// What a sync copies into, until it takes the database's place.
    Synced,
    /// What a sync replaced; the next sync drops it.
    Replaced,
    /// What a sync copied, kept so that the next one copies only what changed.
    Kept,
}

impl Role {
    /// Each role, its word in a mark, and the part of the database's name that tells a person what it is for.
    pub const ALL: [(Role, &'static str, &'static str); 9] = [
        (Role::Copy, "copy", "pre"),
        (Role::Failed, "failed", "failed"),
        (Role::Left, "left", "left"),
        (Role::Restored, "restored", "restored"),
        (Role::Before, "before", "before"),
        (Role::After, "after", "after"),
        (Role::Synced, "synced", "sync"),
        (Role::Replaced, "replaced", "presync"),
        (Role::Kept, "kept", "synced"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(role, ..)| *role == self).map_or("", |(_, word, _)| word)
    }

    /// Returns the part of the database's name that tells a person what it is for.
    #[must_use]
    pub fn infix(self) -> &'static str {
        Self::ALL.iter().find(|(role, ..)| *role == self).map_or("", |(.., infix)| infix)
    }
}

/// What a database of the gate's states of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The database's own name.
    pub name: String,
    /// The database of the plan that it was made of.
    pub of: String,
    /// What it is for.
    pub role: Role,
    /// The run that made it.
    pub run: String,
    /// The id of that run's state folder: 16 hexadecimal digits; empty for a run of a version that set no marks.
    pub state: String,
}

impl Mark {
    /// Returns the mark, with the name, of what `run` makes of `database` for `role`; `state` is its state folder's id.
    #[must_use]
    pub fn of(database: &str, role: Role, run: &str, state: &str) -> Self {
        Mark {
            name: database_name(database, role, run, !state.is_empty()),
            of: database.to_owned(),
            role,
            run: run.to_owned(),
            state: state.to_owned(),
        }
    }

    /// Returns the mark as the database's comment; `None` for a run of a version that set no marks.
    #[must_use]
    pub fn comment(&self) -> Option<String> {
        let Mark { name, of, role, run, state } = self;
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        is_state(state).then(|| {
            format!("{BEGINNING}{} of {}, run {run}, state {state}, named {}", role.word(), quoted(of), quoted(name))
        })
    }

    /// Reads a comment; `None` where it is anything but a whole mark.
    #[must_use]
    pub fn parse(comment: &str) -> Option<Self> {
        let (word, rest) = comment.strip_prefix(BEGINNING)?.split_once(" of ")?;
        let role = Role::ALL.iter().find(|(_, known, _)| *known == word)?.0;
        let (of, rest) = unquoted(rest)?;
        let (run, rest) = rest.strip_prefix(", run ")?.split_once(", state ")?;
        let (state, rest) = rest.split_once(", named ")?;
        let (name, rest) = unquoted(rest)?;
        let is_run = !run.is_empty() && run.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        (rest.is_empty() && is_run && is_state(state)).then(|| Mark {
            name,
            of,
            role,
            run: run.to_owned(),
            state: state.to_owned(),
        })
    }

    /// Returns the mark of a database without a comment that a run of the state folder `state` made of `database`: one that
    /// was killed between the two statements. Its name gives the run, its limit of connections proves it.
    #[must_use]
    pub fn of_uncommented(found: &FoundDatabase, database: &str, state: &str) -> Option<Self> {
        let mark = |(role, _, infix): &(Role, &str, &str)| {
            let (_, run) = found.name.rsplit_once(&format!("__{infix}_"))?;
            Some(Mark::of(database, *role, &run.replace('_', "-"), state)).filter(|mark| mark.is_of(found))
        };
        found.comment.is_none().then(|| Role::ALL.iter().find_map(mark)).flatten()
    }

    /// Returns the limit of connections that the database is created with, a number of this mark alone: it stands for
    /// the comment until that is written.
    #[must_use]
    pub fn limit(&self) -> i32 {
        let hash = Sha256::digest(self.comment().unwrap_or_default().as_bytes());
        let number = hash.iter().take(4).fold(0_u32, |all, byte| (all << 8) | u32::from(*byte));
        1_000_000_000 + i32::try_from(number % 1_000_000_000).unwrap_or_default()
    }

    /// Returns whether `found` is the very database that the mark speaks of.
    ///
    /// A run of a version that set no marks is taken at its journal's word, for names only: nothing of it is dropped.
    #[must_use]
    pub fn is_of(&self, found: &FoundDatabase) -> bool {
        let has_mark = match (self.comment(), &found.comment) {
            (None, _) => true,
            (Some(mark), Some(comment)) => *comment == mark,
            (Some(_), None) => found.limit == self.limit(),
        };
        has_mark && self.name == found.name
    }
}

/// Returns a name of at most 63 bytes for what a run makes of `database`. Of a longer one the end of the database's part
/// becomes a hash of all of it, so that two databases that begin alike stay apart.
#[must_use]
pub fn name_of(database: &str, role: Role, run: &str) -> String {
    database_name(database, role, run, true)
}

/// As [`name_of`]; without a hash where not `hashed`.
fn database_name(database: &str, role: Role, run: &str, hashed: bool) -> String {
    let ending = format!("__{}_{}", role.infix(), run.replace('-', "_"));
    if database.len() + ending.len() <= NAME_BYTES {
        return format!("{database}{ending}");
    }
    let short = |text: &str| Sha256::digest(text.as_bytes()).iter().take(4).map(|b| format!("{b:02x}")).collect();
    let hash: String = if hashed { short(database) } else { String::new() };
    let hash = if hashed { format!("_{hash}") } else { hash };
    let mut kept = NAME_BYTES.saturating_sub(ending.len() + hash.len());
    while !database.is_char_boundary(kept) {
        kept -= 1;
    }
    format!("{}{hash}{ending}", &database[..kept])
}

fn is_state(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Reads a name in quotes, two of which stand for one; returns what follows too.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut name = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

/// A database as its server shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundDatabase {
    /// Its name.
    pub name: String,
    /// Its comment.
    pub comment: Option<String>,
    /// Its limit of connections.
    pub limit: i32,
    /// Who is in it, the gate's own sessions left out.
    pub sessions: Vec<String>,
}

impl FoundDatabase {
    /// Returns the comment that is the user's own.
    #[must_use]
    pub fn own_comment(&self) -> Option<&str> {
        self.comment.as_deref().filter(|comment| Mark::parse(comment).is_none())
    }
}

/// What becomes of sessions in a database that is to be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// They are ended. For a copy of the run at work: the database that it was made of holds every row of it.
    End,
    /// They keep the database. For what was kept for people: who is in it may be saving rows.
    Respect,
}

/// Returns why a database must not be dropped; `None` where it may. `live` are the databases of the plan.
#[must_use]
pub fn refuses_drop(mark: &Mark, found: &FoundDatabase, live: &[String], sessions: Sessions) -> Option<String> {
    if live.contains(&found.name) {
        return Some("the plan names this database".to_owned());
    }
    if mark.comment().is_none() {
        return Some("it was created by a version that set no marks, or not by stagegate".to_owned());
    }
    if !mark.is_of(found) {
        return Some(not_ours(found).to_owned());
    }
    if sessions == Sessions::Respect && !found.sessions.is_empty() {
        return Some(format!("it has open sessions: {}", found.sessions.join(", ")));
    }
    None
}

/// States why a database is not the one of a mark.
#[must_use]
pub fn not_ours(found: &FoundDatabase) -> &'static str {
    match found.comment.as_deref().map(Mark::parse) {
        Some(Some(_)) => "its mark belongs to another run, name or state folder",
        _ => "it has no mark of stagegate",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_a_killed_run_did_not_comment_is_known_by_its_name_and_limit_together() {
        let mark = Mark::of("shop", Role::Kept, "20260101-000000-0001-sync", "0123456789abcdef");
        let found = FoundDatabase { name: mark.name.clone(), limit: mark.limit(), ..FoundDatabase::default() };
        let of = |found: &FoundDatabase, database: &str, state: &str| Mark::of_uncommented(found, database, state);
        assert_eq!(of(&found, "shop", "0123456789abcdef"), Some(mark.clone()));
        assert_eq!(of(&found, "shop", "fedcba9876543210"), None, "of another state folder");
        assert_eq!(of(&found, "sho", "0123456789abcdef"), None, "of another database");
        let unlimited = FoundDatabase { limit: -1, ..found.clone() };
        assert_eq!(of(&unlimited, "shop", "0123456789abcdef"), None, "a name proves nothing");
        let own = FoundDatabase { comment: Some("ours".to_owned()), ..found };
        assert_eq!(of(&own, "shop", "0123456789abcdef"), None, "it has a comment of its user");
    }
}
