//! `gate`: parse, wire, map the end to an exit code.

mod ask;
mod commands;
mod examine;
mod failure;
mod progress;
mod recovery;

use std::process::ExitCode;

use clap::Parser;
use failure::{Failure, say};
use stagegate_base::exit::Exit;
use stagegate_cli as cli;

fn main() -> ExitCode {
    if stagegate_suites::ephemeral::reap_if_asked() {
        return ExitCode::SUCCESS;
    }
    let cli = cli::Cli::parse_from(ask::with_confirm(std::env::args_os()));
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            return ended(Err(Failure::new(Exit::PersonNeeded, format!("cannot start the async runtime: {error}"))));
        }
    };
    let end = runtime.block_on(commands::run(cli));
    // A child that hangs must not keep the process: its output is in the log, and its mark is found by the next run.
    runtime.shutdown_background();
    ended(end)
}

fn ended(end: Result<Exit, Failure>) -> ExitCode {
    let exit = end.unwrap_or_else(|failure| {
        say(&format!("error: {}", failure.message));
        failure.exit
    });
    ExitCode::from(exit.code())
}
