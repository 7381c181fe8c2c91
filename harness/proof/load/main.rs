//! `load-bench`: the load generator next to `wrk`, against a small server that keeps a log of its own.
//!
//! Rounds take turns on the same server, so that whatever else the machine does falls on both alike. Prints a table in
//! Markdown to standard output; `scripts/bench-load.sh` puts it into the docs.

mod compare;
mod server;
mod wrk;

use std::{error::Error, io::Write, process::ExitCode};

use clap::{Parser, Subcommand};
use stagegate_base::units::Span;

/// Measures the load generator.
#[derive(Debug, Parser)]
#[command(name = "load-bench", max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer requests on a free port of the loopback, which is reported on standard output
    Serve,
    /// Measure in turns, and compare
    Compare(compare::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve => server::serve(),
        Command::Compare(args) => compare::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

type Done = Result<(), Box<dyn Error>>;

/// How long one round lasts where nothing is said.
const ROUND: &str = "3s";

fn seconds(span: Span) -> u64 {
    span.0.as_secs().max(1)
}
