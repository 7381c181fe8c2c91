//! The command line of `gate`: commands, options and their help. It reads no file and runs nothing.
#![expect(
    missing_docs,
    reason = "clap takes a doc comment of a struct of options as its command's help, in place of the command's own"
)]

mod accept;
mod attach;
mod audit;
mod backup;
mod bench;
mod compare;
mod confirm;
mod contract;
mod examine;
mod host;
mod incident;
mod init;
mod look;
mod migrations;
mod notify;
mod output;
mod recover;
mod release;
mod salvage;
mod schema;
mod schema_json;
mod sync;
#[cfg(test)]
mod tests;
mod version;
mod watch;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use accept::Accept;
pub use attach::{Attach, HostSide};
pub use audit::{Audit, MakeCheckpoint, VerifyAudit};
pub use backup::{
    Backup, BackupCommand, ImportBackup, InstallSchedule, ListBackups, ListStored, MakeBackup, OneBackup, PruneBackups,
    Restore, RunSchedule, Schedule, UninstallSchedule, UploadBackups, VerifyBackup,
};
pub use bench::{Bench, Criterion};
pub use compare::Compare;
pub use confirm::Confirm;
pub use contract::{Contract, ContractDiff};
pub use examine::{FailOn, Lint, Test};
pub use host::{CheckHost, Host, HostEnv, OneHost, PushEnv};
pub use incident::{CloseIncident, Incident, ListIncidents, OpenIncident};
pub use init::Init;
pub use look::{Dashboard, Doctor, History, Logs, Metrics, OneEnvironment, Pages, ShowConfig, Status, Unlock};
pub use migrations::{Migrations, MigrationsCheck, MigrationsCommand, ScratchMethod};
pub use notify::{Notify, PendingNotify, SendNotify, TestNotify};
pub use output::{ColorWhen, Output};
pub use recover::{Recover, WatchRun};
pub use release::{Approve, Down, Promote, Purge, Reset, Rollback, Up, VolumeWorker};
pub use salvage::Salvage;
pub use schema::{Checked, OneDatabase, Schema, SchemaCommand, SchemaDiff};
pub use schema_json::{SchemaJson, UserFile};
pub use sync::{Sanitize, SanitizeSuggest, Sync};
pub use version::Version;
pub use watch::{InstallWatch, RunWatch, UninstallWatch, Watch, WatchCommand, WatchStatus};

/// Checks Docker Compose environments and gates releases between them.
#[derive(Debug, Parser)]
#[command(name = "gate", version, max_term_width = 110, after_help = EXIT_CODES)]
pub struct Cli {
    /// Configuration file [default: stagegate.toml in this folder or a parent folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print colours: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub color: ColorWhen,
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  passed or promoted
  2  usage or configuration error
  3  blocked by a failed check
  4  inconclusive: a required check did not run
  5  rolled back and verified
  6  manual action required
  7  locked by another run

Examples:
  gate up --env staging --release v2
  gate test --env staging
  gate promote --from staging --to production";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first stagegate.toml from the compose files of this folder and from what runs
    #[command(after_help = "\
Examples:
  gate init
  gate init --print --no-run")]
    Init(Init),
    /// Examine this machine and the environments: Docker, git, disks, rights, files, variables; each fault with its fix
    #[command(after_help = "\
Examples:
  gate doctor
  gate doctor --env production --json

Exit codes: 0 nothing fails, 3 something fails until it is fixed")]
    Doctor(Doctor),
    /// Run the suites of checks against an environment
    #[command(after_help = "\
Examples:
  gate test --env staging
  gate test --env staging health contracts::api
  gate test --env production --json
  gate test --env staging --junit target/junit.xml --markdown summary.md")]
    Test(Test),
    /// Audit compose files and their running containers; needs no stagegate.toml
    #[command(after_help = "\
Examples:
  gate lint docker-compose.yml
  gate lint docker-compose.yml --fix > docker-compose.fixed.yml
  gate lint --env staging --sarif lint.sarif
  gate lint --explain healthcheck-cannot-fail")]
    Lint(Lint),
    /// Compare two environments and score how ready A's release is for B
    #[command(after_help = "\
Examples:
  gate compare staging production
  gate compare staging production --markdown >> summary.md

Exit codes: 0 ready, 3 not ready or caution, 4 too little evidence")]
    Compare(Compare),
    /// Measure the `[[performance]]` probes; compare with another environment or a saved baseline
    #[command(after_help = "\
Examples:
  gate bench --env staging --against production
  gate bench --env staging --save-baseline v1
  gate bench --env staging --baseline v1 --json")]
    Bench(Bench),
    /// Measure with criterion; started by `gate bench`
    #[command(hide = true)]
    Criterion(Criterion),
    /// Work on the volumes that this container mounts; started by `gate promote`
    #[command(hide = true)]
    VolumeWorker(VolumeWorker),
    /// Promote a release to the next environment; roll back on failure
    #[command(after_help = "\
Examples:
  gate promote --from staging --to production --plan
  gate promote --from staging --to production --release v2 --yes
  gate promote --from staging --to production --plan --out plan.json
  gate promote --apply plan.json --yes")]
    Promote(Promote),
    /// Approve a plan file of another user, so that it can be applied
    #[command(after_help = "Example:\n  gate approve plan.json")]
    Approve(Approve),
    /// Roll back an earlier promotion
    #[command(after_help = "\
Examples:
  gate rollback --env production --list
  gate rollback --env production
  gate rollback --env production --to rollback-20260102-030405 --with-data")]
    Rollback(Rollback),
    /// Back up databases and configuration; a backup counts once it was restored and compared
    #[command(after_help = "\
Examples:
  gate backup --env production
  gate backup list --env production
  gate backup verify --env production latest --restore
  gate backup prune --env production --dry-run")]
    Backup(Backup),
    /// Restore a backup into a new database, verify it, and switch to it
    #[command(after_help = "\
Examples:
  gate restore --env staging latest
  gate restore --env production 20260102-030405-ab12 --database main --confirm production
  gate restore --env production latest --into shop_check --yes --confirm production")]
    Restore(Restore),
    /// Compare a database that a rollback put aside with the live one; export rows, or carry them over
    #[command(after_help = "\
Examples:
  gate salvage --env production
  gate salvage 20260102-030405-ab12 --env production
  gate salvage 20260102-030405-ab12 --env production --csv rows
  gate salvage 20260102-030405-ab12 --env production --carry --confirm production

Exit codes: 0 compared or carried, 3 some rows could not be carried")]
    Salvage(Salvage),
    /// Back up, test restores and remove old backups on a schedule
    #[command(
        subcommand,
        after_help = "\
Examples:
  gate schedule install
  gate schedule run --dry-run"
    )]
    Schedule(Schedule),
    /// Start an environment; exit 3 with the reason if it does not become healthy
    #[command(after_help = "\
Examples:
  gate up --env laptop
  gate up --env staging --release v2")]
    Up(Up),
    /// Stop and remove an environment's containers; its data is kept
    #[command(after_help = "Example:\n  gate down --env laptop")]
    Down(Down),
    /// Delete what the gate keeps of an environment that is down: rollback points, history, image names, git tags
    #[command(after_help = "Example:\n  gate purge --env laptop")]
    Purge(Purge),
    /// Delete an environment's containers and data, and start it again
    #[command(after_help = "Example:\n  gate reset --env laptop")]
    Reset(Reset),
    /// Show an environment's containers: health, restarts, CPU, memory
    #[command(after_help = "\
Examples:
  gate status --env production
  gate status --env production --watch")]
    Status(Status),
    /// Show the last log lines of an environment's services
    #[command(after_help = "Example:\n  gate logs --env staging api --tail 100 --follow")]
    Logs(Logs),
    /// Show past promotions and rollbacks
    #[command(after_help = "\
Examples:
  gate history --env production --since 30d
  gate history 20260102-030405-ab12
  gate history --diff 20260102-030405-ab12 20260103-030405-cd34")]
    History(History),
    /// Write the history, the delivery figures and each run as HTML pages
    #[command(after_help = "\
Examples:
  gate report --out report
  gate report --out /var/www/status --public --env production")]
    Report(Pages),
    /// Serve the pages of `gate report`, renewed as journals grow; reads files only
    #[command(after_help = "\
Examples:
  gate dashboard
  gate dashboard --listen 10.0.0.5:7979 --token-file /etc/stagegate/token --host status.example.com")]
    Dashboard(Dashboard),
    /// Print the history as Prometheus metrics
    #[command(after_help = "\
Examples:
  gate metrics
  gate metrics --textfile /var/lib/prometheus/node-exporter")]
    Metrics(Metrics),
    /// Watch an environment and report what goes down and comes up again
    #[command(after_help = "\
Examples:
  gate watch --env production --once
  gate watch install --env production
  gate watch status --env production")]
    Watch(Watch),
    /// Open, close and list incidents: what people report of an environment by hand
    #[command(
        subcommand,
        after_help = "\
Examples:
  gate incident open --env production --run 20260102-030405-ab12 \"checkout fails for some\"
  gate incident close --env production \"v2.3.1 has the fix\"
  gate incident list --env production"
    )]
    Incident(Incident),
    /// Test the receivers of `[[notify]]`; list and send the messages that wait
    #[command(
        subcommand,
        after_help = "\
Examples:
  gate notify test releases
  gate notify pending
  gate notify send"
    )]
    Notify(Notify),
    /// Verify the journals of past runs
    #[command(
        subcommand,
        after_help = "\
Examples:
  gate audit verify --env production
  gate audit checkpoint > audit.json
  gate audit verify --checkpoint audit.json"
    )]
    Audit(Audit),
    /// Resume an interrupted or stuck promotion
    #[command(after_help = "Example:\n  gate resume --env production")]
    Resume(OneEnvironment),
    /// Confirm a promotion that waits, so that its release stays
    #[command(after_help = "\
Examples:
  gate confirm --env production
  gate confirm 20260102-030405-ab12")]
    Confirm(Confirm),
    /// Finish interrupted runs, now or at every boot
    #[command(
        subcommand,
        after_help = "\
Examples:
  gate recover install
  gate recover status
  gate recover run"
    )]
    Recover(Recover),
    /// Abandon a stuck run; its files are kept
    #[command(after_help = "Example:\n  gate unlock --env production --run 20260102-030405-ab12")]
    Unlock(Unlock),
    /// Accept the API responses of the last run as the new baseline
    #[command(after_help = "\
Examples:
  gate accept contracts::api::get_orders --env staging
  gate accept contracts --env staging")]
    Accept(Accept),
    /// Compare two OpenAPI contracts
    #[command(subcommand)]
    Contract(Contract),
    /// Dump, compare and accept database schemas
    #[command(after_help = "\
Examples:
  gate schema dump --env staging
  gate schema diff staging production
  gate schema diff production snapshots/schema/shop.txt --markdown
  gate schema accept --env staging")]
    Schema(Schema),
    /// Copy the data of one environment into another one
    #[command(after_help = "\
Examples:
  gate sync --from production --to staging --dry-run
  gate sync --from production --to staging --yes
  gate sync --from production --to staging --files")]
    Sync(Sync),
    /// Work on the rules by which `gate sync` replaces values
    #[command(subcommand)]
    Sanitize(Sanitize),
    /// Test migrations up, down and up again on a scratch server
    #[command(after_help = "\
Examples:
  gate migrations check migrations
  gate migrations check db/migrate --tool goose --pg 15,17,18
  gate migrations check migrations --verbose")]
    Migrations(Migrations),
    /// Show the effective configuration with all defaults, secrets masked
    #[command(after_help = "Example:\n  gate config --env production")]
    Config(ShowConfig),
    /// Print the JSON Schema of a file that users write, for editors
    #[command(after_help = "\
Examples:
  gate schema-json > stagegate.schema.json
  gate schema-json workflow > workflows/workflow.schema.json
  gate schema-json sanitize > stagegate-sanitize.schema.json

An editor reads it where the first line of the file names it: #:schema ./stagegate.schema.json")]
    SchemaJson(SchemaJson),
    /// List the environments and show the kind of this machine
    #[command(after_help = "Example:\n  gate env")]
    Env,
    /// Check and prepare hosts that environments are on (`host = "ssh://.."`)
    #[command(
        subcommand,
        after_help = "\
Examples:
  gate host check production
  gate host add production
  gate host env push production .env.production"
    )]
    Host(Host),
    /// Follow a run on a host again, from its beginning, or interrupt it
    #[command(after_help = "\
Examples:
  gate attach --env production
  gate attach 20260102-030405-ab12 --env production --interrupt")]
    Attach(Attach),
    /// Carry out a request of a gate on another machine; started over SSH
    #[command(hide = true)]
    HostSide(HostSide),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  gate completions bash > /etc/bash_completion.d/gate")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Show the version, the commit that it was built from, and the target
    #[command(after_help = "Example:\n  gate version --json")]
    Version(Version),
}
