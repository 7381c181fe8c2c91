//! The codes of all findings about migrations: what each means, why it hurts, how to fix it. One file a group.

mod applied;
mod content;
mod files;
mod lint;
mod observed;
pub mod round_trip;
mod waivers;

pub use self::{applied::*, content::*, files::*, lint::*, observed::*, waivers::*};
use super::code::Code;

/// Lists the codes, in the order in which they are explained.
#[must_use]
pub fn codes() -> Vec<&'static Code> {
    let groups: [&[Code]; 7] =
        [files::CODES, lint::CODES, round_trip::CODES, content::CODES, observed::CODES, applied::CODES, waivers::CODES];
    groups.into_iter().flatten().collect()
}

/// Returns a code by its id.
#[must_use]
pub fn code(id: &str) -> Option<&'static Code> {
    codes().into_iter().find(|code| code.id == id)
}

/// Returns whether a code is reported from the files alone.
#[must_use]
pub fn is_of_files(id: &str) -> bool {
    files::CODES.iter().chain(lint::CODES).any(|code| code.id == id)
}

/// Returns whether a code is reported from the tool's own table.
#[must_use]
pub fn is_of_applied(id: &str) -> bool {
    applied::CODES.iter().any(|code| code.id == id)
}

/// Returns the id that is near to a mistyped one.
#[must_use]
pub fn nearest(id: &str) -> Option<&'static str> {
    let known: Vec<&'static str> = codes().iter().map(|code| code.id).collect();
    stagegate_base::suggest::closest(id, &known)
}
