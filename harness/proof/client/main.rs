//! `shop-client`: a client of the sample stack that never pauses, and what it saw meanwhile.
//!
//! `poll` asks and orders at fixed times and keeps a line of each request; `report` counts what failed in a stretch
//! of time and looks for every order that was acknowledged; `outcome` reads how a run of the gate ended. Answers go
//! to standard output, as one line of JSON.

mod attempt;
mod outcome;
mod poll;
mod report;
mod shop;

use std::{error::Error, io::Write, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use stagegate_base::units::Span;

/// Polls the sample shop and reports what became of its requests.
#[derive(Debug, Parser)]
#[command(name = "shop-client", max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read and order in turn until SIGTERM or SIGINT
    Poll {
        /// Where the shop's web service is, such as http://127.0.0.1:8082
        #[arg(long)]
        url: String,
        /// File that gets one JSON line a request; what it held is lost
        #[arg(long, value_name = "FILE")]
        log: PathBuf,
        /// Time from the start of one request to the start of the next
        #[arg(long, default_value = "100ms")]
        every: Span,
    },
    /// Count requests, failures and the longest gap, and look for the acknowledged orders
    Report {
        /// File that `poll` wrote
        #[arg(long, value_name = "FILE")]
        log: PathBuf,
        /// Only requests from here on, in milliseconds since 1970
        #[arg(long, value_name = "N", default_value_t = 0)]
        since_ms: u64,
        /// Only requests up to here, in milliseconds since 1970
        #[arg(long, value_name = "N", default_value_t = u64::MAX)]
        until_ms: u64,
        /// Where to look for the acknowledged orders [default: they are not looked for]
        #[arg(long)]
        url: Option<String>,
    },
    /// Tell how a run of the gate ended, from its journal
    Outcome {
        /// journal.jsonl of a run, or what `gate promote --json` printed
        #[arg(long, value_name = "FILE")]
        journal: PathBuf,
    },
    /// Print what the shop answers, and fail where that is not 200
    Get {
        /// Address
        url: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(response) => {
            if let Some(response) = response {
                // A reader that went away (`| head`) is no error.
                let _ = writeln!(std::io::stdout(), "{}", response.trim_end());
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            let causes = std::iter::successors(error.source(), |cause| (*cause).source());
            let reported = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
            let _ = writeln!(std::io::stderr(), "error: {reported}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<Option<String>, Box<dyn Error>> {
    match command {
        Command::Poll { url, log, every } => poll::poll(&url, &log, every.0).await.map(|()| None),
        Command::Report { log, since_ms, until_ms, url } => {
            report::report(&log, since_ms, until_ms, url.as_deref()).await.map(Some)
        }
        Command::Outcome { journal } => outcome::outcome(&journal).map(Some),
        Command::Get { url } => shop::body(&url).await.map(Some),
    }
}
