//! `perf-selftest`: how often the comparison of releases is wrong, measured on this machine.
//!
//! `record` measures servers that cost the same, 5, 10 and 20 % more, in rotating blocks, and keeps every latency.

mod client;
mod judge;
mod others;
mod record;
mod server;

use std::{error::Error, process::ExitCode};

use clap::{Parser, Subcommand};

/// Measures the error rates of the comparison of releases.
#[derive(Debug, Parser)]
#[command(name = "perf-selftest", max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve answers that cost work, until standard input ends
    Serve {
        /// Steps of work a response
        #[arg(long)]
        steps: u64,
    },
    /// Measure rounds of all arms and write one JSON line a rotation
    Record(record::Record),
    /// Judge what was recorded
    Judge(judge::Judge),
}

fn main() -> ExitCode {
    match done(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn done(cli: Cli) -> Result<(), Box<dyn Error>> {
    match cli.command {
        Command::Serve { steps } => Ok(server::serve(steps)?),
        Command::Record(record) => record.run(),
        Command::Judge(judge) => judge.run(),
    }
}
