//! The command line of `gate`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Show what runs in an environment
    #[command(after_help = "Example:\n  gate status --env production")]
    Status(OneEnvironment),
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

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Environment [default: $STAGEGATE_ENV, else `ephemeral`, a throw-away copy]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Run only trials whose name contains one of these
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// List the trials and run none
    #[arg(long)]
    pub(crate) list: bool,
    /// Print records and verdict as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
    /// Write JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write Markdown, as for a job summary
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Compose files, later ones override [default: those of the environment, else the one in this folder]
    #[arg(value_name = "FILE", conflicts_with = "env")]
    pub(crate) files: Vec<PathBuf>,
    /// Environment of stagegate.toml, with its running containers [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Variables for the files [default: .env beside the first one]
    #[arg(long, value_name = "FILE", conflicts_with = "env")]
    pub(crate) env_file: Vec<PathBuf>,
    /// The least severity that ends with exit code 3
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub(crate) fail_on: FailOn,
    /// Print JSON
    #[arg(long, conflicts_with = "fix")]
    pub(crate) json: bool,
    /// Write SARIF 2.1.0, for a code host
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,
    /// Print the lines to add, as a compose file to be merged over the others; nothing is changed
    #[arg(long)]
    pub(crate) fix: bool,
    /// Explain a rule; `all` lists them
    #[arg(long, value_name = "RULE")]
    pub(crate) explain: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FailOn {
    Required,
    Warning,
    Info,
}

#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// Where the release was tested
    #[arg(long, value_name = "NAME")]
    pub(crate) from: String,
    /// Where it goes
    #[arg(long, value_name = "NAME")]
    pub(crate) to: String,
    /// Git revision [default: what the source environment runs]
    #[arg(long, value_name = "REV")]
    pub(crate) release: Option<String>,
    /// Show the plan and what would refuse it, and do nothing
    #[arg(long)]
    pub(crate) plan: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print the journal as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// Environment
    #[arg(long, value_name = "NAME")]
    pub(crate) env: String,
    /// List the rollback points and do nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Rollback point [default: the newest]
    #[arg(long, value_name = "TAG")]
    pub(crate) to: Option<String>,
    /// Put the data back too: rows written since are kept beside, and no longer served
    #[arg(long)]
    pub(crate) with_data: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print the journal as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Git revision to check out in the environment's workdir first [default: the workdir as it is]; a protected
    /// environment in which something runs needs --yes-really-NAME as well
    #[arg(long, value_name = "REV")]
    pub(crate) release: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Down {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Delete the volumes too, and with them all data
    #[arg(long, short = 'v')]
    pub(crate) volumes: bool,
    /// Do not ask (a protected environment needs --yes-really-NAME as well)
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Do not ask (a protected environment needs --yes-really-NAME as well)
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct OneEnvironment {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Services [default: all]
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// How many lines of each
    #[arg(long, default_value_t = 50)]
    pub(crate) tail: u32,
    /// Go on as lines come
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// Environment [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Print JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// Environment
    #[arg(long, value_name = "NAME")]
    pub(crate) env: String,
    /// The run, as `gate history` shows it
    #[arg(long, value_name = "RUN")]
    pub(crate) run: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// Show what changed between two OpenAPI documents; exit 3 where a caller of the old one is hurt
    #[command(after_help = "\
Examples:
  gate contract diff old.yaml new.yaml
  gate contract diff git:v1.2:contracts/api.json contracts/api.json --markdown
  gate contract diff old.json new.json --json --fail-on warning")]
    Diff(ContractDiff),
}

#[derive(Debug, Args)]
pub(crate) struct ContractDiff {
    /// The contract that callers know: a file, or git:REV:PATH
    pub(crate) old: String,
    /// The contract that replaces it: a file, or git:REV:PATH
    pub(crate) new: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print Markdown
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
    /// The least level that makes the exit code 3
    #[arg(long, value_name = "LEVEL", value_enum, default_value = "error")]
    pub(crate) fail_on: BreakingLevel,
    /// Waivers [default: contract-waivers.toml beside stagegate.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) waivers: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum BreakingLevel {
    Error,
    Warning,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    #[command(subcommand)]
    pub(crate) command: SchemaCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SchemaCommand {
    /// Print the schema as a snapshot
    Dump(OneDatabase),
    /// Compare two schemas; exits 3 where they differ
    Diff(SchemaDiff),
    /// Compare an environment with its committed snapshots; exits 3 where they differ
    Snapshot(OneDatabase),
    /// Write an environment's schemas to snapshots/schema/ beside stagegate.toml
    Accept(OneDatabase),
}

#[derive(Debug, Args)]
pub(crate) struct OneDatabase {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Database, as `[databases]` names it [default: all; for a dump the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Option<String>,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaDiff {
    /// Environment or snapshot file: what the old release was made for
    #[arg(value_name = "OLD")]
    pub(crate) old: String,
    /// Environment or snapshot file: what the new release was made for
    #[arg(value_name = "NEW")]
    pub(crate) new: String,
    /// Database, as `[databases]` names it [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Option<String>,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Form {
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    pub(crate) json: bool,
    /// Print Markdown
    #[arg(long)]
    pub(crate) markdown: bool,
    /// Fail where there are objects that are not modelled
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowConfig {
    /// Environment whose variables are shown too
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
}
