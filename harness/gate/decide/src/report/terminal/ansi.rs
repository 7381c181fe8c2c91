//! ANSI codes of the colours.

pub(super) const RED: u8 = 31;
pub(super) const GREEN: u8 = 32;
pub(super) const YELLOW: u8 = 33;
pub(super) const CYAN: u8 = 36;
