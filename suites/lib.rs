//! The suites: one folder a suite, one file a check.
//!
//! A check asks one question and gives back an outcome; what the outcome lets a release do is decided elsewhere.
//!
//! To run them: [`trials`] lists, a [`suite_run::SuiteRun`] reaches the environment and runs them. The environment
//! `ephemeral` is brought up first, see [`ephemeral::Stack`].

pub mod ephemeral;
pub mod migrations;
pub mod ready;
pub mod records;
pub mod run;
pub mod scratch;
pub mod session;
pub mod suite_run;
pub mod trial;

#[cfg(test)]
mod circles;
mod contracts;
#[cfg(test)]
mod errors;
mod files;
#[cfg(test)]
mod fixtures;
mod health;
mod isolation;
mod performance;
mod policy;
pub mod schema;
mod security;
mod token;
mod word;
mod workflows;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod words;

pub use trial::{Effect, Scope, Suite, Trial};

/// Lists the suites, in the order in which they are reported.
#[must_use]
pub fn catalog() -> Vec<Suite> {
    vec![
        health::SUITE,
        contracts::SUITE,
        workflows::SUITE,
        policy::SUITE,
        schema::SUITE,
        migrations::SUITE,
        security::SUITE,
        isolation::SUITE,
        performance::SUITE,
    ]
}

/// Lists all trials of an environment.
#[must_use]
pub fn trials(scope: Scope<'_>) -> Vec<Trial> {
    catalog().iter().flat_map(|suite| (suite.trials)(scope)).collect()
}

/// Lists the codes of all findings that a waiver can accept.
#[must_use]
pub fn codes() -> Vec<&'static str> {
    let policy = stagegate_policy_decide::rules::rules().into_iter().map(|rule| rule.id);
    let contracts = stagegate_contract::diff::rules().into_iter().map(|rule| rule.id);
    let migrations = stagegate_migration_decide::codes::codes().into_iter().map(|code| code.id);
    policy.chain(contracts).chain(migrations).collect()
}
