//! Commands for environments on a host: they run there, and what they print is shown here.

use std::{cell::RefCell, sync::Arc};

use stagegate_base::{
    config::{Config, SshHost},
    exit::Exit,
};
use stagegate_host::signal::{self, Again};
use stagegate_target_act::{Connection, Ended, FollowEvent, HostError, attach, interrupt, side, start};
use stagegate_target_decide::{arguments, route};

use super::host::{host_of, sent};
use crate::{
    cli::{self, Command},
    confirm_option,
    failure::{self, Failure, print_message},
};

/// What is done for a command before and around its run on the host.
#[derive(Default)]
struct Wanted {
    environments: Vec<String>,
    /// The release is sent first: HEAD, and what `--release` names.
    sends: bool,
    release: Option<String>,
    /// The question before it, where nobody gave `--yes`.
    question: Option<&'static str>,
    /// Whether `--plan` answers what is going to be done.
    has_plan: bool,
    /// Whether it goes on after Ctrl-C.
    stays: bool,
}

/// Runs a command on the host of its environments; `None` where they are on this machine.
pub(super) async fn run(config: &Arc<Config>, command: &Command) -> Result<Option<Exit>, Failure> {
    let Some(wanted) = wanted(command) else { return Ok(None) };
    let names: Vec<&str> = wanted.environments.iter().map(String::as_str).collect();
    let Some(host) = route(config, &names).map_err(Failure::usage)? else { return Ok(None) };
    refuse_endless(command)?;
    on_host(config, host, &wanted).await.map(Some)
}

/// Returns what a command needs that can run on a host; `None` for any other.
fn wanted(command: &Command) -> Option<Wanted> {
    let named = |name: &Option<String>| {
        let name = name.clone().or_else(|| std::env::var("STAGEGATE_ENV").ok());
        name.filter(|name| !name.is_empty()).into_iter().collect::<Vec<_>>()
    };
    let reads = |environments| Some(Wanted { environments, ..Wanted::default() });
    match command {
        Command::Status(args) => reads(named(&args.env)),
        Command::Logs(args) => reads(named(&args.env)),
        Command::History(args) => reads(args.env.iter().cloned().collect()),
        Command::Test(args) => Some(Wanted { environments: named(&args.env), sends: true, ..Wanted::default() }),
        Command::Resume(args) => Some(Wanted { environments: named(&args.env), stays: true, ..Wanted::default() }),
        Command::Up(args) => Some(Wanted {
            environments: named(&args.env),
            sends: true,
            release: args.release.clone(),
            stays: true,
            ..Wanted::default()
        }),
        Command::Promote(args) => Some(Wanted {
            environments: args.from.iter().chain(&args.to).cloned().collect(),
            sends: true,
            release: args.release.clone(),
            question: (!args.yes && !args.plan).then_some("Continue?"),
            has_plan: true,
            stays: true,
        }),
        Command::Rollback(args) => Some(Wanted {
            environments: vec![args.env.clone()],
            question: (!args.yes && !args.list && !args.plan).then_some("Roll back?"),
            has_plan: true,
            stays: true,
            ..Wanted::default()
        }),
        _ => None,
    }
}

/// Refuses what has no end: it would go on there when this machine is gone.
fn refuse_endless(command: &Command) -> Result<(), Failure> {
    let option = match command {
        Command::Status(args) if args.watch => "--watch",
        Command::Logs(args) if args.follow => "--follow",
        _ => return Ok(()),
    };
    Err(Failure::usage(format!(
        "{option} has no end, and is not possible for an environment on a host; call it without"
    )))
}

/// Refuses an environment whose release would be the checkout: that follows HEAD of this machine.
fn refuse_shared(config: &Config, names: &[String]) -> Result<(), Failure> {
    let all = names.iter().filter_map(|name| config.environments.get(name));
    match all.into_iter().find(|environment| environment.workdir == config.root()) {
        None => Ok(()),
        Some(environment) => Err(Failure::configuration(format!(
            "{}: [environments.{name}] is on a host and needs a `workdir` of its own, such as \"../{}-{name}\"",
            config.path.display(),
            config.name,
            name = environment.name
        ))),
    }
}

async fn on_host(config: &Config, host: &SshHost, wanted: &Wanted) -> Result<Exit, Failure> {
    let environment = wanted.environments.last().cloned().unwrap_or_default();
    let connection = Connection::to(host, &environment);
    let typed: Vec<String> = std::env::args().skip(1).collect();
    // What names a file of this machine is refused before anything is sent.
    arguments(&typed, None, &[]).map_err(Failure::usage)?;
    let mut release = None;
    if wanted.sends {
        refuse_shared(config, &wanted.environments)?;
        release = sent(&connection, config, wanted.release.as_deref(), false).await?;
    }
    let of = |add: &[&str]| arguments(&typed, release.as_deref(), add).map_err(Failure::usage);
    let Some(question) = wanted.question else {
        return started(&connection, config, of(&[])?, wanted.stays).await;
    };
    if wanted.has_plan {
        let planned = started(&connection, config, of(&["--plan"])?, false).await?;
        if planned != Exit::Passed {
            return Ok(planned);
        }
    }
    confirm_option::confirm(&format!("`{environment}` on {}: {question}", connection.name()), false)?;
    started(&connection, config, of(&["--yes"])?, wanted.stays).await
}

async fn started(connection: &Connection, config: &Config, args: Vec<String>, stays: bool) -> Result<Exit, Failure> {
    let environment = std::env::var("STAGEGATE_ENV").ok().filter(|name| !name.is_empty());
    let run = RefCell::new(None);
    let show = |shown: FollowEvent<'_>| show(connection, &run, stays, &shown);
    let signals = signal::listen(Again::Ends);
    let again = (args.clone(), environment.clone());
    let product = &config.name;
    let conduct = async {
        match start(connection, product, (args, environment), &show).await {
            Err(HostError::NoCheckout { .. }) => {
                sent(connection, config, None, false).await?;
                Ok(start(connection, product, again, &show).await?)
            }
            ended => Ok::<_, Failure>(ended?),
        }
    };
    tokio::select! {
        ended = conduct => exit(connection, &ended?),
        () = signals.first() => {
            let run = run.borrow().clone();
            disconnected(connection, config, run, stays).await
        }
    }
}

/// Shows what comes of a run; what it printed goes where it would have gone here.
fn show(connection: &Connection, run: &RefCell<Option<String>>, is_named: bool, shown: &FollowEvent<'_>) {
    match shown {
        FollowEvent::Run(id, _) => {
            *run.borrow_mut() = Some((*id).to_owned());
            if is_named {
                print_message(&format!("on {}: run {id} (Ctrl-C leaves it running)", connection.name()));
            }
        }
        FollowEvent::Output(text) => failure::print_to(&mut std::io::stdout(), text),
        FollowEvent::Message(text) => failure::print_to(&mut std::io::stderr(), text),
        FollowEvent::Waits => print_message(&format!("confirming over a new connection to {}", connection.name())),
        FollowEvent::Confirmed(Ok(text)) => print_message(text),
        FollowEvent::Confirmed(Err(HostError::Refused { .. })) => {}
        FollowEvent::Confirmed(Err(error)) => print_message(&format!("not confirmed yet, trying again: {error}")),
        FollowEvent::Reconnects(error) => {
            print_message(&format!(
                "the connection to {} is lost, the run goes on there; connecting again: {error}",
                connection.name()
            ));
        }
    }
}

fn exit(connection: &Connection, ended: &Ended) -> Result<Exit, Failure> {
    match ended.code {
        Some(code) => Exit::of_code(code).ok_or_else(|| {
            Failure::not_run(format!(
                "{}: run {} ended with the unknown exit code {code}",
                connection.name(),
                ended.run
            ))
        }),
        None => Err(Failure::manual(format!(
            "{}: run {} was killed, or the host was restarted, before it ended; `gate status --env {}` finishes what it left",
            connection.name(),
            ended.run,
            connection.environment()
        ))),
    }
}

/// Ends reading after a signal. What changes an environment goes on; anything else is interrupted there too.
async fn disconnected(
    connection: &Connection,
    config: &Config,
    run: Option<String>,
    stays: bool,
) -> Result<Exit, Failure> {
    let (host, environment) = (connection.name(), connection.environment());
    let Some(run) = run else {
        let text =
            format!("interrupted; if the command was started on {host}, `gate attach --env {environment}` shows it");
        return Err(Failure::interrupted(text));
    };
    if !stays {
        interrupt(connection, &config.name, Some(run)).await?;
        return Err(Failure::interrupted(format!("interrupted, on {host} too")));
    }
    Err(Failure::interrupted(format!(
        "run {run} goes on on {host}: `gate attach {run} --env {environment}` follows it, `gate attach {run} --env {environment} \
         --interrupt` interrupts it (a promotion is rolled back)"
    )))
}

/// `gate attach`: follows a run on a host from its beginning, or interrupts it.
pub(super) async fn attached(config: &Config, args: cli::Attach) -> Result<Exit, Failure> {
    let name = args.env.or_else(|| std::env::var("STAGEGATE_ENV").ok()).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Failure::usage("no environment given; add --env NAME"))?;
    let connection = Connection::to(host_of(config, &name)?, &name);
    if args.interrupt {
        print_message(&interrupt(&connection, &config.name, args.run).await?);
        return Ok(Exit::Passed);
    }
    let run = RefCell::new(args.run.clone());
    let signals = signal::listen(Again::Ends);
    let shown = |shown: FollowEvent<'_>| show(&connection, &run, true, &shown);
    let ended = tokio::select! {
        ended = attach(&connection, &config.name, args.run, shown) => ended?,
        () = signals.first() => {
            let run = run.borrow().clone();
            return disconnected(&connection, config, run, true).await;
        }
    };
    exit(&connection, &ended)
}

/// Does what a gate on another machine requests of this one.
pub(super) async fn host_side(args: &cli::HostSide) -> Result<Exit, Failure> {
    match &args.supervise {
        Some(dir) => side::supervise(dir).map_err(Failure::writing(dir))?,
        None => side::serve().await,
    }
    Ok(Exit::Passed)
}
