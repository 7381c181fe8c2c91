//! The scratch server of a run: what killed runs left is swept first, and a reaper stands by.

use std::io::Write;

use stagegate_host::{
    error::with_causes,
    owner::{Claim, Owner},
};
use stagegate_migration_act::scratch::{self, Scratch, Wish};

use crate::ephemeral::reaper;

/// Starts a scratch server that goes with this process, however that ends.
///
/// # Errors
/// A text that says why there is none and what to do.
pub async fn start(wish: &Wish) -> Result<Scratch, String> {
    for name in scratch::sweep().await {
        let _ = writeln!(std::io::stderr(), "stagegate: removed {name}, left behind by a killed run");
    }
    let owner = Owner::living(std::process::id()).map_err(|error| error.to_string())?;
    let name = Scratch::new_name().map_err(|error| error.to_string())?;
    // Never waited for: it ends by itself after this process.
    drop(reaper::start(&name, &owner).map_err(|error| format!("cannot start the reaper: {error}"))?);
    Scratch::start(&name, &Claim::from_now(owner), wish).await.map_err(|error| with_causes(&error))
}
