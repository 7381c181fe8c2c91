//! The command line of `gate`.

mod accept;
mod bench;
mod compare;
mod contract;
mod examine;
mod look;
mod migrations;
mod release;
mod schema;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use accept::Accept;
pub(crate) use bench::{Bench, Criterion};
pub(crate) use compare::Compare;
pub(crate) use contract::{BreakingLevel, Contract, ContractDiff};
pub(crate) use examine::{FailOn, Lint, Test};
pub(crate) use look::{History, Logs, OneEnvironment, ShowConfig, Status, Unlock};
pub(crate) use migrations::{Migrations, MigrationsCheck, MigrationsCommand, ScratchWay};
pub(crate) use release::{Down, Promote, Reset, Rollback, Up};
pub(crate) use schema::{Checked, Form, OneDatabase, Schema, SchemaCommand, SchemaDiff};

/// Validates environments of a Docker Compose product and promotes releases between them.
#[derive(Debug, Parser)]
#[command(name = "gate", version, max_term_width = 110, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Configuration file [default: stagegate.toml in this folder or above]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0 passed or promoted    2 usage or configuration    3 held by a failed check    4 inconclusive
  5 rolled back and verified    6 a person is needed    7 locked by another run

Examples:
  gate up --env staging --release v2
  gate test --env staging
  gate promote --from staging --to production";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the suites against an environment
    #[command(after_help = "\
Examples:
  gate test --env staging
  gate test --env staging health contracts::api
  gate test --env production --json
  gate test --env staging --junit target/junit.xml --markdown summary.md")]
    Test(Test),
    /// Audit compose files, and the containers made from them; needs no stagegate.toml
    #[command(after_help = "\
Examples:
  gate lint docker-compose.yml
  gate lint docker-compose.yml --fix > docker-compose.mended.yml
  gate lint --env staging --sarif lint.sarif
  gate lint --explain healthcheck-cannot-fail")]
    Lint(Lint),
    /// Set two environments side by side, and score how ready A's release is for B
    #[command(after_help = "\
Examples:
  gate compare staging production
  gate compare staging production --markdown >> summary.md

Exit codes: 0 ready, 3 not ready or caution, 4 too little evidence")]
    Compare(Compare),
    /// Measure the probes of stagegate.toml, and compare with another environment's release or with an earlier day
    #[command(after_help = "\
Examples:
  gate bench --env staging --against production
  gate bench --env staging --save-baseline v1
  gate bench --env staging --baseline v1 --json")]
    Bench(Bench),
    /// Measure by criterion; `gate bench` starts it
    #[command(hide = true)]
    Criterion(Criterion),
    /// Take a release from one environment to the next, or back where it fails
    #[command(after_help = "\
Examples:
  gate promote --from staging --to production --plan
  gate promote --from staging --to production --release v2 --yes")]
    Promote(Promote),
    /// Take an earlier promotion back
    #[command(after_help = "\
Examples:
  gate rollback --env production --list
  gate rollback --env production
  gate rollback --env production --to rollback-20260102-030405 --with-data")]
    Rollback(Rollback),
    /// Bring an environment up, or say why it did not come up (exit code 3)
    #[command(after_help = "\
Examples:
  gate up --env laptop
  gate up --env staging --release v2")]
    Up(Up),
    /// Take an environment's containers away; its data stays
    #[command(after_help = "Example:\n  gate down --env laptop")]
    Down(Down),
    /// Take an environment down with its data, and bring it up again
    #[command(after_help = "Example:\n  gate reset --env laptop")]
    Reset(Reset),
    /// Show what runs in an environment: health, restarts, CPU, memory
    #[command(after_help = "\
Examples:
  gate status --env production
  gate status --env production --watch")]
    Status(Status),
    /// Show the last log lines of an environment's services
    #[command(after_help = "Example:\n  gate logs --env staging api --tail 100 --follow")]
    Logs(Logs),
    /// Show the runs of the gate
    #[command(after_help = "Example:\n  gate history --env production")]
    History(History),
    /// Finish a run that was cut short or needs a person
    #[command(after_help = "Example:\n  gate resume --env production")]
    Resume(OneEnvironment),
    /// Declare a run over that cannot be finished; its evidence stays
    #[command(after_help = "Example:\n  gate unlock --env production --run 20260102-030405-ab12")]
    Unlock(Unlock),
    /// Keep what the last run saw of answers as what is expected from now on
    #[command(after_help = "\
Examples:
  gate accept contracts::api::get_orders --env staging
  gate accept contracts --env staging")]
    Accept(Accept),
    /// Compare two contracts
    #[command(subcommand)]
    Contract(Contract),
    /// Read, compare and keep the schema of databases
    #[command(after_help = "\
Examples:
  gate schema dump --env staging
  gate schema diff staging production
  gate schema diff production snapshots/schema/shop.txt --markdown
  gate schema accept --env staging")]
    Schema(Schema),
    /// Prove migrations up, down and up again on a scratch server
    #[command(after_help = "\
Examples:
  gate migrations check migrations
  gate migrations check db/migrate --tool goose --pg 15,17,18
  gate migrations check migrations --verbose")]
    Migrations(Migrations),
    /// Show the configuration with every default, secrets masked
    #[command(after_help = "Example:\n  gate config --env production")]
    Config(ShowConfig),
    /// Show which environments there are and what kind of machine this is
    #[command(after_help = "Example:\n  gate env")]
    Env,
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  gate completions bash > /etc/bash_completion.d/gate")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}
