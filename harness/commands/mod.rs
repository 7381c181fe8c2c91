//! One file a command, or a few that belong together.

mod accept;
mod audit;
mod backup;
mod bench;
mod compare;
pub(crate) mod complete;
mod confirm;
mod contract;
mod criterion;
mod dashboard;
mod differences;
mod doctor;
mod drift;
mod environment;
mod history;
mod history_run;
mod host;
mod incident;
mod incident_file;
mod init;
mod lint;
mod metrics;
mod migrations;
mod notify;
mod output;
mod pictures;
mod plan_file;
mod promote;
mod purge;
mod readings;
mod recover;
mod remote;
mod report;
mod restore;
mod runs;
mod salvage;
mod sanitize;
mod schedule;
mod schema;
mod schema_json;
mod show;
mod status;
mod sync;
mod test;
mod units;
mod version;
mod waivers;
mod watch;

use std::sync::Arc;

use stagegate_base::{
    command::compose::Source,
    config::{Config, Environment},
    exit::Exit,
    text::counted,
};
use stagegate_host::project::{self, read_config};

use crate::{
    Failure,
    cli::{self, Cli, Command},
    failure::print_message,
    notices, recovery,
};

/// Runs a command. What an earlier run left is finished first, but for commands that only look at files.
pub(crate) async fn run(cli: Cli) -> Result<Exit, Failure> {
    if let Command::Completions { shell } = cli.command {
        crate::failure::print_result(complete::script(shell)?.trim_end());
        return Ok(Exit::Passed);
    }
    if let Command::SchemaJson(args) = &cli.command {
        return schema_json::run(args);
    }
    if let Command::Version(args) = cli.command {
        return version::run(&args);
    }
    // Two files can be compared where there is no product at all.
    if let Command::Contract(cli::Contract::Diff(args)) = cli.command {
        return contract::diff(args, cli.config.as_deref()).await;
    }
    if let Command::VolumeWorker(args) = cli.command {
        return volume_worker(&args);
    }
    if let Command::HostSide(args) = cli.command {
        return remote::host_side(&args).await;
    }
    if let Command::Init(args) = cli.command {
        return init::run(cli.config.as_deref(), args).await;
    }
    if let Command::Doctor(args) = cli.command {
        return doctor::run(cli.config.as_deref(), args).await;
    }
    if let Command::Lint(args) = cli.command {
        return lint::run(cli.config.as_deref(), args).await;
    }
    if let Command::Migrations(args) = cli.command {
        return migrations::run(args).await;
    }
    if let Command::Approve(args) = cli.command {
        return plan_file::run(&args);
    }
    let config = Arc::new(read_config(cli.config.as_deref())?);
    for notice in &config.notices {
        crate::failure::print_message(&format!("notice: {}: {notice}", config.path.display()));
    }
    if let Command::Host(args) = cli.command {
        return host::run(&config, args).await;
    }
    if let Command::Attach(args) = cli.command {
        return remote::attached(&config, args).await;
    }
    if let Some(exit) = remote::run(&config, &cli.command).await? {
        return Ok(exit);
    }
    let mut recovered = true;
    match &cli.command {
        Command::Config(_)
        | Command::Audit(_)
        | Command::Env
        | Command::Accept(_)
        | Command::Unlock(_)
        | Command::Confirm(_)
        | Command::Resume(_)
        | Command::Recover(_)
        | Command::Report(_)
        | Command::Dashboard(_)
        | Command::Metrics(_)
        | Command::Incident(_)
        | Command::Notify(_)
        | Command::Watch(_)
        | Command::Criterion(_) => {}
        // These look on, whatever became of it; the history can be read even where Docker is down.
        Command::History(_)
        | Command::Status(_)
        | Command::Logs(_)
        | Command::Test(_)
        | Command::Bench(_)
        | Command::Compare(_)
        | Command::Backup(_)
        | Command::Schedule(_)
        | Command::Sanitize(_)
        | Command::Schema(_) => match recovery::finish_all(&config).await {
            Ok(finished) => recovered = finished.well,
            Err(failure) => {
                recovered = failure.exit() != Exit::PersonNeeded;
                crate::failure::print_message(&failure.text());
            }
        },
        _ => {
            if !recovery::finish_all(&config).await?.well {
                return Err(Failure::manual(
                    "an earlier run could not be finished; nothing else was \
                                                             done",
                ));
            }
        }
    }
    let sender = Sender::of(&cli.command);
    let end = conduct(&config, cli.command, recovered).await;
    if !matches!(sender, Sender::None) {
        metrics::renew(&config).await;
    }
    match sender {
        Sender::None => {}
        Sender::Here => notices::send_here(&config).await,
        Sender::Aside => notices::dispatch(&config).await,
    }
    end
}

/// Who sends the messages that wait after a command.
enum Sender {
    /// Nobody: it looks only, or sends by itself.
    None,
    /// The command's own process.
    Here,
    /// A process of its own.
    Aside,
}

impl Sender {
    fn of(command: &Command) -> Self {
        match command {
            Command::Notify(_)
            | Command::Watch(_)
            | Command::Criterion(_)
            | Command::Dashboard(_)
            | Command::Metrics(_)
            | Command::Config(_)
            | Command::Env => Sender::None,
            Command::Schedule(cli::Schedule::Run(_)) | Command::Recover(_) => Sender::Here,
            _ => Sender::Aside,
        }
    }
}

async fn conduct(config: &Arc<Config>, command: Command, recovered: bool) -> Result<Exit, Failure> {
    match command {
        Command::Test(args) => test::run(config, args).await,
        Command::Bench(args) => bench::run(config, args).await,
        Command::Criterion(args) => criterion::run(config, args).await,
        Command::Compare(args) => compare::run(config, args).await,
        Command::Promote(args) => promote::promote(config, args).await,
        Command::Rollback(args) => promote::rollback(config, args).await,
        Command::Backup(args) => backup::run(config, args).await,
        Command::Restore(args) => restore::run(config, args).await,
        Command::Salvage(args) => salvage::run(config, args).await,
        Command::Schedule(args) => schedule::run(config, args).await,
        Command::Up(args) => environment::up(config, args).await,
        Command::Down(args) => environment::down(config, args).await,
        Command::Reset(args) => environment::reset(config, args).await,
        Command::Purge(args) => purge::run(config, args).await,
        Command::Status(args) => status::status(config, args).await.map(|exit| after_recovery(exit, recovered)),
        Command::Logs(args) => show::logs(config, args).await,
        Command::History(args) => history::show(config, args),
        Command::Recover(args) => recover::run(config, args).await,
        Command::Report(args) => report::run(config, &args).await,
        Command::Dashboard(args) => dashboard::run(config, args).await,
        Command::Notify(args) => notify::run(config, args).await,
        Command::Watch(args) => watch::run(config, args).await,
        Command::Incident(args) => incident::run(config, args),
        Command::Metrics(args) => metrics::run(config, &args).await,
        Command::Confirm(args) => confirm::run(config, args).await,
        Command::Resume(args) => history::resume(config, args).await,
        Command::Unlock(args) => history::unlock(config, args),
        Command::Audit(args) => audit::run(config, &args).await,
        Command::Accept(args) => accept::run(config, &args),
        Command::Schema(args) => schema::run(config, args).await,
        Command::Sanitize(cli::Sanitize::Suggest(args)) => sanitize::suggest(config, args).await,
        Command::Sync(args) => sync::run(config, args).await,
        Command::Config(args) => show::config(config, args).await,
        Command::Env => show::environments(config).await,
        Command::Contract(_)
        | Command::Completions { .. }
        | Command::Approve(_)
        | Command::Attach(_)
        | Command::Host(_)
        | Command::HostSide(_)
        | Command::Init(_)
        | Command::Doctor(_)
        | Command::VolumeWorker(_)
        | Command::Lint(_)
        | Command::Migrations(_)
        | Command::SchemaJson(_)
        | Command::Version(_) => Ok(Exit::Passed),
    }
}

/// Returns how a command ends that passed after its own recovery of an earlier run: not well where that got stuck.
fn after_recovery(exit: Exit, recovered: bool) -> Exit {
    if exit == Exit::Passed && !recovered { Exit::PersonNeeded } else { exit }
}

/// Returns the environment that was named, by the option or by STAGEGATE_ENV.
fn named<'a>(config: &'a Config, option: Option<&String>) -> Result<&'a Environment, Failure> {
    let name = option.cloned().or_else(|| std::env::var("STAGEGATE_ENV").ok()).filter(|name| !name.is_empty());
    let known: Vec<&str> = config.environments.keys().map(String::as_str).collect();
    let name = name
        .ok_or_else(|| Failure::usage(format!("no environment given; add --env NAME (known: {})", known.join(", "))))?;
    Ok(config.environment(&name)?)
}

/// Reports the variables of this shell that Compose would use for an environment, and does not get.
fn report_shell(environment: &Environment) {
    let Ok(source) = project::source(environment) else { return };
    report_ignored(&source, &format!("`{}`", environment.name));
}

fn report_ignored(source: &Source, of: &str) {
    let ignored = project::ignored_variables(source);
    if ignored.is_empty() {
        return;
    }
    let files: Vec<String> = source.env_files.iter().map(|file| file.display().to_string()).collect();
    let files = if files.is_empty() { "env files, and it has none (`env_file`)".to_owned() } else { files.join(", ") };
    print_message(&format!(
        "note: {} of this shell ignored: {}. Compose gets the variables of {of} from {files}",
        counted(ignored.len(), "variable"),
        ignored.join(", ")
    ));
}

/// Returns the id of a new run: time (UTC) and four hex digits that tell runs of one second apart.
fn new_run() -> String {
    // On a host the run that another machine follows has one name on both.
    let given = std::env::var("STAGEGATE_HOST_RUN").unwrap_or_default();
    let starter = std::os::unix::process::parent_id().to_string();
    if let Some((run, _)) = given.split_once('@').filter(|(_, process)| *process == starter) {
        return run.to_owned();
    }
    let now = stagegate_host::clock::stamp();
    format!("{now}-{:04x}", std::process::id() & 0xffff)
}

/// Does what the gate asks of this program in a container that mounts volumes.
fn volume_worker(args: &cli::VolumeWorker) -> Result<Exit, Failure> {
    let responses = stagegate_data_act::volume::serve(&args.jobs)?;
    crate::failure::give_json(&responses);
    Ok(Exit::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_whose_own_recovery_got_stuck_does_not_end_well() {
        assert_eq!(after_recovery(Exit::Passed, true), Exit::Passed);
        assert_eq!(after_recovery(Exit::Passed, false), Exit::PersonNeeded);
        assert_eq!(after_recovery(Exit::Inconclusive, false), Exit::Inconclusive);
    }
}
