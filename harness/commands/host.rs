//! `gate host`: whether the host of an environment can run the gate, and the copy of the gate there.

use stagegate_base::{
    config::{Config, SshHost},
    exit::Exit,
    report::{self, Colour},
    units::Size,
};
use stagegate_target_act::{Checked, Connection, check, copy, push_env_file, send};
use stagegate_target_decide::{HostFinding, State};

use crate::{
    cli,
    failure::{Failure, give_json, print_message, print_result},
};

pub(super) async fn run(config: &Config, args: cli::Host) -> Result<Exit, Failure> {
    match args {
        cli::Host::Check(args) => checked(config, &args).await,
        cli::Host::Add(args) => add(config, &args.env, false).await,
        cli::Host::Upgrade(args) => add(config, &args.env, true).await,
        cli::Host::Env(cli::HostEnv::Push(args)) => push(config, &args).await,
    }
}

/// Returns the host of an environment.
pub(super) fn host_of<'a>(config: &'a Config, name: &str) -> Result<&'a SshHost, Failure> {
    config.any_environment(name)?.ssh.as_ref().ok_or_else(|| {
        let text = format!(
            "environment `{name}` has no host, it is on this machine; write host = \"ssh://USER@NAME\" into [environments.{name}]"
        );
        Failure::usage(text)
    })
}

async fn checked(config: &Config, args: &cli::CheckHost) -> Result<Exit, Failure> {
    let connection = Connection::to(host_of(config, &args.env)?, &args.env);
    let found = check(&connection).await?;
    if args.json {
        let value = serde_json::json!({ "host": connection.name(), "findings": found.findings });
        give_json(&serde_json::to_string_pretty(&value)?);
    } else {
        print_result(&connection.name());
        found.findings.iter().for_each(|finding| print_result(&line(finding)));
    }
    Ok(if blocked(&found).is_empty() { Exit::Passed } else { Exit::Held })
}

fn line(finding: &HostFinding) -> String {
    let (word, colour) = match finding.state {
        State::Ok => ("ok  ", 32),
        State::Warning => ("WARN", 33),
        State::Blocked => ("FAIL", 31),
    };
    let fix = if finding.fix.is_empty() { String::new() } else { format!("\n     {:<10} {}", "", finding.fix) };
    format!("{} {:<10} {}{fix}", report::painted(word, colour, Colour::Coloured), finding.check, finding.found)
}

fn blocked(found: &Checked) -> Vec<&HostFinding> {
    found.findings.iter().filter(|finding| finding.state == State::Blocked).collect()
}

/// Copies the program, then the product: a host with both runs any command.
async fn add(config: &Config, name: &str, is_upgrade: bool) -> Result<Exit, Failure> {
    let connection = Connection::to(host_of(config, name)?, name);
    copied(&connection, is_upgrade).await?;
    sent(&connection, config, None, is_upgrade).await?;
    Ok(Exit::Passed)
}

/// Sends HEAD and a release, and returns what the release is there.
pub(super) async fn sent(
    connection: &Connection,
    config: &Config,
    release: Option<&str>,
    replace: bool,
) -> Result<Option<String>, Failure> {
    let sent = send(connection, config, release, replace).await?;
    if !sent.note.is_empty() {
        print_message(&format!("note: {}", sent.note));
    }
    Ok(sent.release)
}

async fn push(config: &Config, args: &cli::PushEnv) -> Result<Exit, Failure> {
    let connection = Connection::to(host_of(config, &args.env)?, &args.env);
    let environment = config.any_environment(&args.env)?;
    let place = push_env_file(&connection, config, environment, &args.file).await?;
    print_message(&format!("{} has {place}, readable by its user only", connection.name()));
    Ok(Exit::Passed)
}

async fn copied(connection: &Connection, is_upgrade: bool) -> Result<(), Failure> {
    let (host, name) = (connection.name(), connection.environment());
    let found = check(connection).await?;
    let version = env!("CARGO_PKG_VERSION");
    let runs = found.facts.get("gate").is_some();
    if runs && found.facts.get("gate_hash") == Some(&found.hash) {
        print_message(&format!("{host} has this very program already ({version})"));
        return Ok(());
    }
    if runs && !is_upgrade {
        let text =
            format!("{host} has another build of gate; `gate host upgrade {name}` replaces it, earlier copies stay");
        return Err(Failure::usage(text));
    }
    // The copy may be what is wrong; anything else stops it.
    let in_the_way: Vec<String> = blocked(&found)
        .into_iter()
        .filter(|finding| finding.check != "gate")
        .map(|finding| format!("{}: {}; {}", finding.check, finding.found, finding.fix))
        .collect();
    if !in_the_way.is_empty() {
        return Err(Failure::blocked(format!("{host} cannot run the gate: {}", in_the_way.join("\n  "))));
    }
    print_message(&format!("copying gate {version} to {host}"));
    let started = std::time::Instant::now();
    let sent = copy(connection, &found).await?;
    let seconds = started.elapsed().as_secs_f64();
    print_message(&format!("{host} has gate {version} ({} sent in {seconds:.1} s, verified there)", Size(sent)));
    Ok(())
}
