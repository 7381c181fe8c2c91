//! Migrations: does each one lead there, back, and there again?
//!
//! All questions of one database are asked of one run on a scratch server; the environment itself is not touched.

mod applied;
mod outcome;
mod pipeline;
pub(crate) mod proof;

pub use pipeline::{OnServer, PipelineError, Progress, prove_on};

use std::{sync::Arc, time::Duration};

use stagegate_base::{config::Migrations, record::Outcome};
use stagegate_migration_decide::locks::Sizes;

use crate::{
    session::Session,
    trial::{Effect, Scope, Suite, Trial},
};

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "migrations", trials };

/// What a start of the server may take next to the migrations themselves.
pub(crate) const BESIDE: Duration = Duration::from_secs(100);

fn trials(scope: Scope<'_>) -> Vec<Trial> {
    let of_one = |migrations: &Migrations| {
        outcome::QUESTIONS.map(|(name, question, severity)| {
            let (id, migrations) = (migrations.database.clone(), migrations.clone());
            let within = migrations.within.0 + BESIDE;
            Trial::new(SUITE.name, &id, name, Effect::Reads, move |session| {
                check(session, migrations.clone(), question)
            })
            .within(within)
            .with_severity(severity)
        })
    };
    let noted = scope.config.migrations.values().filter_map(applied::trial);
    scope.config.migrations.values().flat_map(of_one).chain(noted).collect()
}

async fn check(session: Arc<Session>, migrations: Migrations, question: outcome::Question) -> Outcome {
    match proof::of(&session, &migrations).await {
        Ok(proof) => {
            let is_of_target = question == outcome::Question::Locks;
            let target = if is_of_target { proof::sizes(&session, &migrations).await } else { Sizes::new() };
            outcome::outcome(&proof, &migrations, question, &target)
        }
        Err(reason) => Outcome::Broken(reason),
    }
}
