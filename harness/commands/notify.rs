//! `gate notify`: the receivers of messages, and what waits for them.

use std::time::{Duration, Instant};

use serde_json::json;
use stagegate_base::{
    config::{Config, Environment, Receiver},
    exit::Exit,
    text::{counted, one_line},
};
use stagegate_data_decide::backup::schedule::length;
use stagegate_host::{clock, detached, paths::StateDir};
use stagegate_watch_act::{Outbox, OutboxLock, Waiting, deliver};
use stagegate_watch_decide::notify::Message;

use crate::{
    cli,
    failure::{Failure, give_json, print_message, print_result},
    notices,
};

/// How long a sender that was started by a run stays for what fails.
const STAYS: Duration = Duration::from_secs(3 * 3_600);
/// How often it looks at what is due.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// How long it waits for another sender to end its pass.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn run(config: &Config, args: cli::Notify) -> Result<Exit, Failure> {
    match args {
        cli::Notify::Test(args) => test(config, args.name.as_deref()).await,
        cli::Notify::Pending(args) => pending(config, &args),
        cli::Notify::Send(args) if args.stay => stay(config).await,
        cli::Notify::Send(args) => send(config, &args).await,
    }
}

fn environments<'a>(config: &'a Config, env: Option<&String>) -> Result<Vec<&'a Environment>, Failure> {
    match env {
        Some(name) => Ok(vec![config.environment(name)?]),
        None => Ok(config.environments.values().collect()),
    }
}

fn outbox(config: &Config, environment: &Environment) -> Outbox {
    Outbox::of(&StateDir::of(config, &environment.project))
}

async fn test(config: &Config, name: Option<&str>) -> Result<Exit, Failure> {
    let known: Vec<&str> = config.notify.iter().map(|one| one.name.as_str()).collect();
    let chosen: Vec<&Receiver> = config.notify.iter().filter(|one| name.is_none_or(|name| one.name == name)).collect();
    if chosen.is_empty() {
        return Err(Failure::usage(match name {
            Some(name) if !known.is_empty() => {
                format!("the configuration has no receiver `{name}` (known: {})", known.join(", "))
            }
            _ => format!("{} has no [[notify]]; docs/notifications.md shows one", config.path.display()),
        }));
    }
    let spool = std::env::temp_dir().join(format!("stagegate-notify-{}", std::process::id()));
    let mut failed = 0;
    for receiver in chosen {
        let id = format!("test-{}-{}", clock::stamp(), std::process::id());
        let message = Message::test(&config.name, id, clock::now());
        match deliver((config.root(), &spool), receiver, &message).await {
            Ok(()) => print_result(&format!("{}: sent", receiver.name)),
            Err(error) => {
                failed += 1;
                print_result(&format!("{}: NOT sent: {error}", receiver.name));
            }
        }
    }
    let _ = std::fs::remove_dir(&spool);
    Ok(if failed == 0 { Exit::Passed } else { Exit::Inconclusive })
}

fn pending(config: &Config, args: &cli::PendingNotify) -> Result<Exit, Failure> {
    let (now, mut count, mut values) = (clock::unix_seconds(), 0, Vec::new());
    for environment in environments(config, args.env.as_ref())? {
        let outbox = outbox(config, environment);
        let (waiting, unread) = outbox.waiting();
        unread.iter().for_each(|path| print_message(&format!("{} cannot be read as a message", path.display())));
        let given_up = outbox.undelivered();
        let all = waiting.iter().map(|one| (one, false)).chain(given_up.iter().map(|one| (one, true)));
        for (one, is_given_up) in all {
            count += usize::from(!is_given_up);
            if args.json {
                let mut value = serde_json::to_value(&one.parcel)?;
                value["given_up"] = json!(is_given_up);
                values.push(value);
            } else {
                print_result(&line(one, is_given_up, now));
            }
        }
    }
    if args.json {
        give_json(&serde_json::to_string_pretty(&json!({ "v": 1, "messages": values }))?);
    } else if count == 0 {
        print_message("no message waits");
    }
    Ok(Exit::Passed)
}

fn line(one: &Waiting, is_given_up: bool, now: i64) -> String {
    let parcel = &one.parcel;
    let due = match parcel.due - now {
        _ if is_given_up => format!("given up after {}", counted(parcel.attempts, "try")),
        ..=0 => "due now".to_owned(),
        seconds => format!("next try in {}", length(seconds)),
    };
    let tries = if parcel.attempts == 0 { "not tried".to_owned() } else { counted(parcel.attempts, "try") };
    let error = parcel.error.as_ref().map(|error| format!("\n    {}", one_line(error))).unwrap_or_default();
    let title = one_line(&parcel.message.title);
    format!("{}  {}  {tries}, {due}  {title}{error}", parcel.message.at, parcel.receiver)
}

async fn send(config: &Config, args: &cli::SendNotify) -> Result<Exit, Failure> {
    let (mut sent, mut failures) = (0, Vec::new());
    for environment in environments(config, args.env.as_ref())? {
        notices::catch_up(config, environment);
        let outbox = outbox(config, environment);
        let began = Instant::now();
        let passed = loop {
            let pass = outbox.pass(config.root(), &config.notify, !args.due).await;
            match pass.map_err(Failure::writing(outbox.dir()))? {
                Some(passed) => break passed,
                None if began.elapsed() > PATIENCE => {
                    let text =
                        format!("another process sends the messages of `{}`; nothing was done", environment.name);
                    return Err(Failure::not_run(text));
                }
                None => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        };
        sent += passed.sent;
        failures.extend(passed.failures);
    }
    failures.iter().for_each(|failure| print_message(failure));
    print_result(&format!("{} sent", counted(sent, "message")));
    Ok(if failures.is_empty() { Exit::Passed } else { Exit::Inconclusive })
}

/// Sends what waits, and stays for what fails; one process does for each environment.
async fn stay(config: &Config) -> Result<Exit, Failure> {
    detached::leave_terminal();
    let began = Instant::now();
    let mut held: Vec<(Outbox, OutboxLock)> = Vec::new();
    for environment in config.environments.values() {
        let outbox = outbox(config, environment);
        if outbox.waiting().0.is_empty() {
            continue;
        }
        match outbox.lock("stay").map_err(Failure::writing(outbox.dir()))? {
            Some(lock) => held.push((outbox, lock)),
            // The other one looks again soon; this message shall not wait for that.
            None => drop(outbox.pass(config.root(), &config.notify, false).await),
        }
    }
    while began.elapsed() < STAYS {
        for (outbox, _) in &held {
            match outbox.pass(config.root(), &config.notify, false).await {
                Ok(passed) => passed.iter().flat_map(|one| &one.failures).for_each(|failure| print_message(failure)),
                Err(error) => print_message(&format!("{}: {error}", outbox.dir().display())),
            }
        }
        held.retain(|(outbox, _)| !outbox.waiting().0.is_empty());
        if held.is_empty() {
            break;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(Exit::Passed)
}
