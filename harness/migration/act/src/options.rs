//! How a chain is tried, and how rows are made for it.

use super::{commands::Commands, session_options::SessionOptions};
use crate::seed::Plan;

/// How a chain is tried.
#[derive(Clone, Debug)]
pub struct Options {
    /// How scripts are run.
    pub manner: SessionOptions,
    /// The tables in which the tool records what it applied, where its configuration names others than by default; one
    /// that is named with its schema is found whatever search path a script leaves.
    pub history_tables: Vec<String>,
    /// Statements that are run before the first migration, such as for roles.
    pub before: String,
    /// Whether each migration is tried on a copy, whatever its scripts say.
    pub always_clone: bool,
    /// Whether the down migrations are tried, or the ways up only.
    pub ways_back: bool,
    /// The commands that take the chain's steps, where it has steps and no scripts.
    pub commands: Option<Commands>,
    /// How rows are made, to prove that they stay; none where that is not asked for.
    pub rows: Option<Rows>,
}

/// How rows are made.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Statements of the user's that go first; where they do not run yet on a schema, they are left out.
    pub seed: Option<String>,
    /// What the generator makes of the tables that are empty after that.
    pub plan: Plan,
    /// How many of the newest migrations are tried with rows in all tables and with their locks watched. The others,
    /// applied long ago, are tried with rows in the tables that they may change.
    pub newest: usize,
}

impl Default for Rows {
    fn default() -> Self {
        Rows { seed: None, plan: Plan::default(), newest: 20 }
    }
}
