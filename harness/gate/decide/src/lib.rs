//! Decides promotions: plan, preflight, the lines of the journal, the next move; verdicts, readiness, reports.
//!
//! Pure: `promotion::next` is a function of a plan and the lines so far.

pub mod canary;
pub mod compare;
pub mod doctor;
pub mod history;
pub mod init;
pub mod log_errors;
pub mod promotion;
pub mod proxy;
pub mod readiness;
pub mod report;
pub mod run_summary;
pub mod verdict;
