//! The scratch server of a run: what killed runs left is swept first, and a reaper stands by.

use std::io::Write;

use stagegate_host::owner::{Claim, Owner};
use stagegate_migration_act::scratch::{self, Scratch, ScratchError, ServerSpec};

use crate::ephemeral::reaper;

/// Why there is no scratch server.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// This process cannot be named, or no random name can be made.
    #[error("a scratch server needs an owner and a name of its own")]
    Process(#[source] std::io::Error),
    /// Nobody would remove it after this process.
    #[error("no reaper can be started for the scratch server")]
    Reaper(#[source] std::io::Error),
    /// None of the ways led to one.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
}

/// Starts a scratch server that goes with this process, however that ends.
///
/// # Errors
/// [`StartError`], which states what to do.
pub async fn start(spec: &ServerSpec) -> Result<Scratch, StartError> {
    for name in scratch::sweep().await {
        let _ = writeln!(std::io::stderr(), "stagegate: removed {name}, left behind by a killed run");
    }
    let owner = Owner::living(std::process::id()).map_err(StartError::Process)?;
    let name = Scratch::new_name().map_err(StartError::Process)?;
    // Never waited for: it ends by itself after this process.
    drop(reaper::start(&name, &owner).map_err(StartError::Reaper)?);
    Ok(Scratch::start(&name, &Claim::from_now(owner), spec).await?)
}
