//! A chain of migrations on one scratch server, from its start to its end: the one way for the suite, for the schema's
//! comparison and for `gate migrations check`.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use stagegate_migration_act::{
    Options, ProveError, Proven, prove,
    scratch::{Scratch, ServerSpec},
};
use stagegate_migration_decide::{Chain, of_steps, round_trip::RoundTrip};

use crate::scratch::{self, StartError};

/// What one server showed.
#[derive(Debug)]
pub struct OnServer {
    /// The server, for a person: `PostgreSQL 17.12 (docker)`.
    pub server: String,
    /// Its major version.
    pub major: u32,
    /// What it showed.
    pub proven: Proven,
}

/// How far a proof is.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The server runs, and the migrations are known.
    Ready {
        /// The server, for a person.
        server: String,
        /// The migrations.
        chain: &'a Chain,
        /// How long the start took.
        took: Duration,
    },
    /// A migration went up, down and up again.
    Trip(&'a RoundTrip),
}

/// Why a chain was not proven.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// There is no server.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The chain could not be tried on it.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// `until` came first.
    #[error("interrupted; the scratch server was removed")]
    Interrupted,
}

/// Proves a chain on a server of its own, which is removed however this ends. Where `chain` is `None`, the commands of
/// `options` are run for it, and it is kept there for the next server.
///
/// # Errors
/// [`PipelineError`].
pub async fn prove_on(
    spec: &ServerSpec,
    chain: &mut Option<Chain>,
    options: &Options,
    until: impl Future<Output = ()>,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<OnServer, PipelineError> {
    let begun = Instant::now();
    let server = scratch::start(spec).await?;
    let proven = tokio::select! {
        proven = on(&server, chain, options, begun, &mut progress) => proven.map_err(PipelineError::from),
        () = until => Err(PipelineError::Interrupted),
    };
    let (name, major) = (server.description(), server.major());
    server.end().await;
    Ok(OnServer { server: name, major, proven: proven? })
}

async fn on(
    server: &Scratch,
    chain: &mut Option<Chain>,
    options: &Options,
    begun: Instant,
    progress: &mut impl FnMut(Progress<'_>),
) -> Result<Proven, ProveError> {
    let known = match (chain.take(), &options.commands) {
        (None, Some(commands)) => commands.chain(server, &options.before).await?,
        (known, _) => known.unwrap_or_else(|| of_steps(&[], false)),
    };
    let known = &*chain.insert(known);
    progress(Progress::Ready { server: server.description(), chain: known, took: begun.elapsed() });
    prove(server, known, options, |round_trip| progress(Progress::Trip(round_trip))).await
}
