//! A trial: one question about one thing of one environment.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use stagegate_base::{
    config::{Config, Environment},
    record::{Outcome, Severity},
};

use crate::{session::Session, word::word};

/// Whether asking the question changes something in the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only reads.
    Reads,
    /// It writes; left out in a protected environment.
    Writes,
}

/// The question: asked of a session, it gives an outcome.
pub type CheckFn = Arc<dyn Fn(Arc<Session>) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// One question about one thing.
#[derive(Clone)]
pub struct Trial {
    /// `suite::thing::question`, of `[a-z0-9_:]`.
    pub name: String,
    /// Whether it changes something.
    pub effect: Effect,
    /// How much it weighs where the configuration states nothing.
    pub severity: Severity,
    /// Whether other trials of the session have to wait meanwhile.
    pub alone: bool,
    /// How long it may take, where that is more than usual.
    pub within: Duration,
    /// The question.
    pub run: CheckFn,
}

impl Trial {
    /// Makes a trial; characters that a name may not have become `_`.
    pub fn new<F, R>(suite: &str, thing: &str, question: &str, effect: Effect, ask: F) -> Self
    where
        F: Fn(Arc<Session>) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let name = [suite, thing, question].map(word).join("::");
        Trial {
            name,
            effect,
            severity: Severity::default(),
            alone: false,
            within: Duration::ZERO,
            run: Arc::new(move |session| Box::pin(ask(session))),
        }
    }

    /// Returns the trial with another severity than `required`, for where the configuration states nothing.
    #[must_use]
    pub fn with_severity(self, severity: Severity) -> Self {
        Trial { severity, ..self }
    }

    /// Returns the trial as one next to which no other one of the session is asked, since it would measure its load.
    #[must_use]
    pub fn alone(self) -> Self {
        Trial { alone: true, ..self }
    }

    /// Returns the trial with so much time, where that is more than every trial has.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Trial { within, ..self }
    }
}

/// What a suite may look at to list its trials: files, never the network.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The whole configuration.
    pub config: &'a Config,
    /// The environment that is asked about.
    pub environment: &'a Environment,
}

/// A family of checks.
pub struct Suite {
    /// Its name, the first part of its trials' names.
    pub name: &'static str,
    /// Lists its trials without touching the network.
    pub trials: fn(Scope<'_>) -> Vec<Trial>,
}
