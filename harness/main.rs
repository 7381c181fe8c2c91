//! `gate`: parse, wire, map the end to an exit code.

mod causes;
mod commands;
mod confirm_option;
mod examine;
mod failure;
mod notices;
mod progress;
mod recovery;
mod run_records;
mod screen;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use clap::Parser;
use failure::{Cause, Failure, print_message};
use stagegate_base::{exit::Exit, report::ColourChoice};
use stagegate_cli as cli;

fn main() -> ExitCode {
    if stagegate_suites::ephemeral::reap_if_requested() {
        return ExitCode::SUCCESS;
    }
    if commands::complete::completed() {
        return ExitCode::SUCCESS;
    }
    let cli = cli::Cli::parse_from(confirm_option::with_confirm(std::env::args_os()));
    screen::begin(choice(cli.color));
    // The default hook has printed what happened and where; the exit code must not be one that means something else.
    let end = catch_unwind(AssertUnwindSafe(|| run(cli)))
        .unwrap_or_else(|_| Err(Failure::unexpected("gate panicked; where and why is in the lines above")));
    let exit = end.unwrap_or_else(|failure| {
        print_message(&format!("error: {}", failure.text()));
        failure.exit()
    });
    screen::clear();
    ExitCode::from(exit.code())
}

fn choice(when: cli::ColorWhen) -> ColourChoice {
    match when {
        cli::ColorWhen::Auto => ColourChoice::Auto,
        cli::ColorWhen::Always => ColourChoice::Always,
        cli::ColorWhen::Never => ColourChoice::Never,
    }
}

fn run(cli: cli::Cli) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(Cause::File, error).context("cannot start the threads that gate needs"))?;
    let end = runtime.block_on(commands::run(cli));
    // A child that hangs must not keep the process: its output is in the log, and its mark is found by the next run.
    runtime.shutdown_background();
    end
}
