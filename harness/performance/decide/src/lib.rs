//! Is a release fast enough, and is it slower than the one before it?
//!
//! In: [`Probe`]s as the user wrote them, and [`Block`]s as they were measured. Out: a verdict in words. Invariant: no
//! samples, too few samples or nothing but errors is never a pass. No clock, no I/O.

mod baseline;
mod block;
mod budget;
mod comparison;
mod copies;
pub mod cost;
pub mod criterion;
mod database;
mod fitness;
pub mod plot;
mod render;
pub mod resources;
pub mod stall;
pub mod statistics;
mod words;

pub use baseline::{BASELINE_VERSION, Baseline, Host};
pub use block::{Arm, Block, Latencies, median, order};
pub use budget::{budget, faults, summary, time};
pub use comparison::{Comparison, Judgement, Next, Ratio, Rules, next, next_stored};
pub use copies::{Allowance, PAIRS, over_copies};
pub use cost::{Cost, Grown, StatementCost, grown_over_copies};
pub use database::{DatabaseUse, Figures, LockWaits, StatementFigures, TableFigures, database_use};
pub use fitness::{Unsuitable, changed_size, changed_size_stored, unsuitable, unsuitable_stored};
pub use render::{MeasurementProgress, Row, progress, table};
pub use resources::Usage;
pub use stagegate_base::config::{Budget, Growth, Limits, Load, Probe, ResourceLimits, Target};
pub use words::{Compared, exit};

#[cfg(test)]
mod tests;
