//! A step of a chain that commands take.

use serde::Serialize;

/// Which way a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// There.
    Up,
    /// Back.
    Down,
}

/// One run of a command, or as many as it takes to go back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The migrations that one `up` applies, in order.
    pub names: Vec<String>,
    /// Which way it goes.
    pub direction: Direction,
}
