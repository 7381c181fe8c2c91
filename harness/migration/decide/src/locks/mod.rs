//! What did each statement of a migration lock, rewrite and hold up?
//!
//! In: [`Event`]s of the recorder's event triggers, [`Samples`] from outside, [`Request`]s of probes, the target's
//! [`Sizes`]. Out: [`statements()`], one entry each with what it did to tables that were there before, and
//! [`findings()`]: what of it hurts on tables of the target's size. It reports what was observed, never what might be.
//! No clock, no I/O.

mod chain;
mod event;
mod sample;

mod harm;
#[cfg(test)]
mod tests;

pub use chain::{Watched, of_chain};
pub use event::{Event, Mode, Observed, statements, without_recorder};
pub use harm::{Harm, HarmKind, Sizes, Thresholds, findings, harm_finding};
pub use sample::{Request, Sample, Samples, Use};
