//! `gate`: parse, wire, map the end to an exit code.

mod ask;
mod cli;
mod commands;
mod examine;
mod progress;
mod recovery;

use std::{io::Write, process::ExitCode};

use clap::Parser;
use stagegate_decide::exit::Exit;

fn main() -> ExitCode {
    if stagegate_suites::ephemeral::reap_if_asked() {
        return ExitCode::SUCCESS;
    }
    let (args, consents) = ask::without_consents(std::env::args_os());
    let cli = cli::Cli::parse_from(args);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return ended(Err(Failure::new(Exit::PersonNeeded, format!("no runtime: {error}")))),
    };
    let end = runtime.block_on(commands::run(cli, consents));
    // A child that hangs must not keep the process: its output is in the log, and its mark is found by the next run.
    runtime.shutdown_background();
    ended(end)
}

/// Why a command did not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure { exit, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(Exit::Usage, stagegate_act::error::with_causes(&error))
    }
}

fn ended(end: Result<Exit, Failure>) -> ExitCode {
    let exit = end.unwrap_or_else(|failure| {
        say(&format!("error: {}", failure.message));
        failure.exit
    });
    ExitCode::from(exit.code())
}

/// Says something to the person: on standard error, since standard output is for what was asked for.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Gives what was asked for. A reader that went away (`| head`) is no error.
pub(crate) fn give(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end_matches('\n'));
}
