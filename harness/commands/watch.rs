//! `gate watch`: looks at an environment every 30 seconds, and at once where the Engine reports the end of a container.

mod install;
mod looks;
mod state;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use stagegate_base::{
    config::{Config, Event},
    exit::Exit,
    text::one_line,
};
use stagegate_host::{
    clock,
    engine::Engine,
    error::with_causes,
    http::{Http, Request},
    lock, secret,
    signal::{self, Again},
};
use stagegate_watch_act::events::{ContainerEvent, Happened, follow};
use stagegate_watch_decide::{
    notify::Message,
    watch::{Change, CheckResult, Notice, Status},
};

use self::{
    looks::{Looker, Round, check_of},
    state::Store,
};
use crate::{
    cli,
    failure::{Failure, print_message, print_result},
    notices,
};

pub(super) use state::known;

/// How long from one round to the next.
const EVERY: Duration = Duration::from_secs(30);
/// How long while a check fails that is not down yet: the failures that make it so are seen soon.
const EVERY_PENDING: Duration = Duration::from_secs(2);
/// How often the file of metrics is written at most.
const METRICS_EVERY: Duration = Duration::from_secs(60);
/// How many lines of a service's log a message has.
const LOG_LINES: u32 = 10;
/// An end that comes so many seconds after a process was ended for memory is its end.
const OOM_WITHIN: i64 = 10;

pub(super) async fn run(config: &Arc<Config>, args: cli::Watch) -> Result<Exit, Failure> {
    match args.command {
        Some(cli::WatchCommand::Install(args)) => install::install(config, &args).await,
        Some(cli::WatchCommand::Uninstall(args)) => install::uninstall(config, &args).await,
        Some(cli::WatchCommand::Status(args)) => state::status(config, &args),
        None => watch(config, &args.run).await,
    }
}

async fn watch(config: &Arc<Config>, args: &cli::RunWatch) -> Result<Exit, Failure> {
    let environment = super::named(config, args.env.as_ref())?;
    let ping = args.ping_url_file.as_ref().map(std::fs::read_to_string).transpose();
    let path = args.ping_url_file.clone().unwrap_or_default();
    let ping = ping.map_err(Failure::reading(&path))?.map(|url| url.trim().to_owned());
    let min_free =
        args.min_free.parse().map_err(|error| Failure::usage(format!("--min-free `{}`: {error}", args.min_free)))?;
    let looker = Looker::new(config, environment, min_free);
    let store = Store::open(&looker.state)?;
    let mut watch = Watch { config: Arc::clone(config), store, looker, ping, oom: None, metrics_at: None };
    if args.once {
        return watch.once().await;
    }
    let signals = signal::listen(Again::Waits);
    let mut events = follow(&environment.project);
    let mut next = tokio::time::Instant::now();
    print_result(&format!("watching {}; `gate watch status --env {0}` shows the checks", environment.name));
    loop {
        tokio::select! {
            () = signals.first() => return Ok(Exit::Passed),
            () = tokio::time::sleep_until(next) => {
                drop(watch.round().await?);
                watch.write_metrics();
                next = tokio::time::Instant::now() + watch.pause();
            }
            Some(event) = events.recv() => watch.event(event).await?,
        }
    }
}

/// A watch of one environment.
struct Watch<'a> {
    config: Arc<Config>,
    looker: Looker<'a>,
    store: Store,
    ping: Option<String>,
    /// The service of which a process was ended for memory last, and when.
    oom: Option<(String, i64)>,
    /// When the file of metrics was written last.
    metrics_at: Option<Instant>,
}

impl Watch<'_> {
    async fn once(&mut self) -> Result<Exit, Failure> {
        let round = self.round().await?;
        let Some(round) = round else {
            print_result(&format!("paused: {}", self.store.state.paused.as_deref().unwrap_or_default()));
            return Ok(Exit::Passed);
        };
        for look in &round.looks {
            let text =
                look.problem.as_ref().map_or_else(|| "ok".to_owned(), |problem| format!("FAIL  {}", one_line(problem)));
            print_result(&format!("{:<28} {text}", look.check));
        }
        notices::send_here(&self.config).await;
        super::metrics::renew_aside(&self.config).await;
        let fails = round.looks.iter().any(|look| look.problem.is_some());
        Ok(if fails { Exit::Held } else { Exit::Passed })
    }

    /// Makes a round; `None` while the gate itself changes the environment.
    async fn round(&mut self) -> Result<Option<Round>, Failure> {
        if self.is_paused()? {
            self.ping();
            return Ok(None);
        }
        let began = Instant::now();
        let round = self.looker.round().await;
        // A run that began meanwhile makes of what was seen a matter of its own.
        if self.is_paused()? {
            return Ok(None);
        }
        let now = clock::unix_seconds();
        let checks = &mut self.store.state.checks;
        let heard = if round.is_whole { checks.round(&round.looks, now) } else { checks.note(&round.looks, now) };
        self.report(&heard, &round).await;
        self.store.state.round_at = now;
        self.store.state.round_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.store.write()?;
        if self.store.state.checks.are_well() {
            self.ping();
        }
        self.send();
        Ok(Some(round))
    }

    /// Returns how long it is until the next round.
    fn pause(&self) -> Duration {
        let is_pending = self.store.state.checks.0.values().any(|known| known.status == Status::Pending);
        if is_pending { EVERY_PENDING } else { EVERY }
    }

    /// Returns whether the gate is at work here, and notes it.
    fn is_paused(&mut self) -> Result<bool, Failure> {
        let owner = lock::at_work(&self.looker.state);
        let text = owner.map(|owner| format!("{} since {} (process {})", owner.what, owner.since, owner.pid));
        if text != self.store.state.paused {
            match &text {
                Some(text) => print_message(&format!("paused: {text}")),
                None => print_message("the gate is done; watching again"),
            }
            self.store.state.checks.pause();
            self.store.state.paused.clone_from(&text);
        }
        if text.is_some() {
            self.store.state.round_at = clock::unix_seconds();
            self.store.write()?;
        }
        Ok(text.is_some())
    }

    async fn event(&mut self, event: ContainerEvent) -> Result<(), Failure> {
        let ContainerEvent { service, what, at } = event;
        let code = match what {
            Happened::OutOfMemory => {
                self.oom = Some((service, at));
                return Ok(());
            }
            // Whether one that ended with 0 was meant to is seen in the round.
            Happened::Ended(0) => return Ok(()),
            Happened::Ended(code) => code,
        };
        if self.looker.is_one_shot(&service) || self.is_paused()? {
            return Ok(());
        }
        let for_memory = self.oom.take().is_some_and(|(other, then)| other == service && at - then <= OOM_WITHIN);
        let why = if for_memory { " (ended for memory)" } else { "" };
        let look = CheckResult::certain(check_of(&service), format!("its container exited with code {code}{why}"));
        let heard = self.store.state.checks.note(&[look], clock::unix_seconds());
        let round = Round { looks: Vec::new(), is_whole: false, containers: Vec::new() };
        self.report(&heard, &round).await;
        self.store.write()?;
        self.send();
        Ok(())
    }

    /// Prints what happened and writes the messages, which come before the state: killed in between, the watch finds the same
    /// again and writes the same message.
    async fn report(&self, heard: &[Notice], round: &Round) {
        for notice in heard {
            let log = if notice.change == Change::Up { Vec::new() } else { self.log_of(notice, round).await };
            let message = self.message(notice, log);
            print_message(&format!("{}  {}", message.at, message.title));
            notices::put(&self.config, self.looker.environment, &message);
        }
    }

    fn message(&self, notice: &Notice, log: Vec<String>) -> Message {
        let (environment, product) = (&self.looker.environment.name, &self.config.name);
        let Notice { check, change, since, at, problem } = notice;
        let what = match change {
            Change::Down => format!("{check} is DOWN"),
            Change::StillDown => format!("{check} still is DOWN"),
            Change::Up => format!("{check} is up again"),
            Change::Flapping => format!("{check} is FLAPPING: it goes down and up again and again"),
        };
        let live = self.looker.deployed().map_or_else(
            || "no release was deployed by gate".to_owned(),
            |live| format!("{} is deployed", live.release.name),
        );
        let word =
            serde_json::to_value(change).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        let again = if *change == Change::StillDown { format!("-{at}") } else { String::new() };
        let service = check.strip_prefix("service ");
        Message {
            events: vec![Event::Watch],
            environment: environment.clone(),
            title: format!("{product}: {environment}: {what}; {live}"),
            reason: problem.clone().map(|problem| match change {
                Change::Up => format!("it was: {problem}"),
                _ => problem,
            }),
            log,
            next: [format!("gate watch status --env {environment}")]
                .into_iter()
                .chain(service.map(|service| format!("gate logs --env {environment} {service} --tail 100")))
                .collect(),
            is_urgent: *change != Change::Up,
            ..Message::test(
                product,
                format!("watch-{environment}-{check}-{since}-{word}{again}").replace(' ', "_"),
                clock::now(),
            )
        }
    }

    /// Returns the last lines of a service's log, masked; none where its secrets are not known.
    async fn log_of(&self, notice: &Notice, round: &Round) -> Vec<String> {
        let Some(service) = notice.check.strip_prefix("service ") else { return Vec::new() };
        let Some(live) = self.looker.deployed() else { return Vec::new() };
        let read = async {
            let engine = Engine::connect().await.ok()?;
            let found = match round.containers.iter().find(|one| one.service == service) {
                Some(container) => container.clone(),
                None => engine
                    .project(&self.looker.environment.project)
                    .await
                    .ok()?
                    .into_iter()
                    .find(|one| one.service == service)?,
            };
            engine.last_logs(&found.id, LOG_LINES).await.ok()
        };
        let text = tokio::time::timeout(Duration::from_secs(2), read).await.ok().flatten().unwrap_or_default();
        secret::mask(&live.model).apply(&text).lines().map(one_line).filter(|line| !line.is_empty()).collect()
    }

    /// Sends what waits, and does not wait for that.
    fn send(&self) {
        let config = Arc::clone(&self.config);
        tokio::spawn(async move { notices::send_here(&config).await });
    }

    /// Writes the file of metrics, and does not wait for that.
    fn write_metrics(&mut self) {
        if self.config.metrics.textfile.is_none() || self.metrics_at.is_some_and(|at| at.elapsed() < METRICS_EVERY) {
            return;
        }
        self.metrics_at = Some(Instant::now());
        let config = Arc::clone(&self.config);
        tokio::spawn(async move { super::metrics::renew_aside(&config).await });
    }

    /// Requests the URL of whoever misses a watch that is gone.
    fn ping(&self) {
        let Some(url) = self.ping.clone() else { return };
        tokio::spawn(async move {
            let response = match Http::shared() {
                Ok(http) => http.body_cap(1 << 10).send_url(&url, &Request::get("/")).await,
                Err(error) => Err(error),
            };
            let failure = match response {
                Ok(response) if response.status < 300 => return,
                Ok(response) => format!("status {}", response.status),
                Err(error) => with_causes(&error),
            };
            // The whole URL of such services is a secret.
            print_message(&format!("the ping failed: {}", failure.replace(&url, "***")));
        });
    }
}
