//! `gate audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Verify that the journals of past runs, and their evidence, are those that were written; exit 3 if one is not
    Verify(VerifyAudit),
    /// Print how far the journals are written, to be kept elsewhere
    Checkpoint(MakeCheckpoint),
}

#[derive(Debug, Args)]
pub struct VerifyAudit {
    /// Environment [default: all]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Also compare with a checkpoint of `gate audit checkpoint`
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Require that the evidence is signed by this public key (Ed25519, PEM)
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct MakeCheckpoint {
    /// Environment [default: all]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
}
