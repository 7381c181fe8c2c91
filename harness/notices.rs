//! What becomes a message: writes it into the environment's outbox, and sees to it that somebody sends it.
//!
//! Nothing here fails or delays a run: what cannot be written is reported and left out.

use std::{path::Path, sync::Arc};

use stagegate_base::config::{Config, EPHEMERAL, Environment};
use stagegate_gate_act::{Observer, journal};
use stagegate_gate_decide::promotion::{Entry, Line};
use stagegate_host::{clock, detached, files, paths::StateDir};
use stagegate_watch_act::Outbox;
use stagegate_watch_decide::notify::{self, Message};

use crate::{failure::print_message, run_records::of_run};

/// Seconds between the last line of a run and the outbox that is made for it.
const CLOSE: i64 = 5;
/// In a run's folder: the id of the last message of its end that was written.
const NOTED: &str = "notified";
/// So many of the newest runs may have a message that was not written.
const LOOKED_AT: usize = 20;

/// Writes a message for whoever hears of it; returns whether it was written.
pub(crate) fn put(config: &Config, environment: &Environment, message: &Message) -> bool {
    let outbox = Outbox::of(&StateDir::of(config, &environment.project));
    match outbox.put(&config.notify, message) {
        Ok(_) => true,
        Err(error) => {
            print_message(&format!("no message is sent: cannot write {}: {error}", outbox.dir().display()));
            false
        }
    }
}

/// Returns an observer of a run's journal that writes the messages of its beginning and its end.
pub(crate) fn observing(config: &Arc<Config>, observe: Observer) -> Observer {
    if config.notify.is_empty() {
        return observe;
    }
    let config = Arc::clone(config);
    Arc::new(move |line, took| {
        observe(line, took);
        match &line.entry {
            Entry::Started { plan } => {
                let Ok(environment) = config.environment(&plan.environments.target) else { return };
                // From here on what ends is news.
                let _ = Outbox::of(&StateDir::of(&config, &environment.project)).since();
                if put(&config, environment, &notify::begin(&config.name, plan, &line.wall)) {
                    let config = Arc::clone(&config);
                    tokio::spawn(async move { send_aside(&config).await });
                }
            }
            Entry::Ended { .. } => config.environments.values().for_each(|environment| catch_up(&config, environment)),
            _ => {}
        }
    })
}

/// Writes the messages of the ends of the newest runs where none was written: a process may have been killed in between. What ended
/// before there was an outbox is no news.
pub(crate) fn catch_up(config: &Config, environment: &Environment) {
    if config.notify.is_empty() || environment.name == EPHEMERAL {
        return;
    }
    let state = StateDir::of(config, &environment.project);
    let runs = journal::runs(&state.runs());
    for (nth, dir) in runs.iter().rev().take(LOOKED_AT).enumerate() {
        // Only the newest run can end once more.
        if nth == 0 || !dir.join(NOTED).exists() {
            catch_up_with(config, environment, (&state, dir));
        }
    }
}

fn catch_up_with(config: &Config, environment: &Environment, (state, dir): (&StateDir, &Path)) {
    let Ok(lines) = journal::lines(dir) else { return };
    let (Some(id), noted) = (notify::end_id(&lines), dir.join(NOTED)) else { return };
    if std::fs::read_to_string(&noted).is_ok_and(|known| known == id) {
        return;
    }
    let Some(message) = end_of(config, dir, &lines) else { return };
    let since = Outbox::of(state).since();
    let is_news = clock::unix_seconds_of(&message.at).zip(since.ok()).is_some_and(|(at, since)| at + CLOSE >= since);
    if !is_news || put(config, environment, &message) {
        let _ = files::write_whole(&noted, message.id.as_bytes());
    }
}

fn end_of(config: &Config, dir: &Path, lines: &[Line]) -> Option<Message> {
    notify::end(&config.name, lines, (dir, &stagegate_gate_act::dumps(dir)), &of_run(config, lines), clock::unix_of)
}

/// Sees to it that what waits is sent: by a process of its own, which the command does not wait for.
pub(crate) async fn dispatch(config: &Config) {
    if config.notify.is_empty() {
        return;
    }
    config.environments.values().for_each(|environment| catch_up(config, environment));
    let now = clock::unix_seconds();
    let is_due = |environment: &Environment| {
        let outbox = Outbox::of(&StateDir::of(config, &environment.project));
        outbox.waiting().0.iter().any(|one| one.parcel.is_due(now))
    };
    if config.environments.values().any(is_due) {
        send_aside(config).await;
    }
}

/// Sends what is due in this process: a child would end with the unit of systemd that this one runs in.
pub(crate) async fn send_here(config: &Config) {
    for environment in config.environments.values().filter(|_| !config.notify.is_empty()) {
        catch_up(config, environment);
        let outbox = Outbox::of(&StateDir::of(config, &environment.project));
        match outbox.pass(config.root(), &config.notify, false).await {
            Ok(passed) => passed.iter().flat_map(|one| &one.failures).for_each(|failure| print_message(failure)),
            Err(error) => print_message(&format!("{}: {error}", outbox.dir().display())),
        }
    }
}

async fn send_aside(config: &Config) {
    let Some(dir) = config
        .environments
        .values()
        .map(|environment| Outbox::of(&StateDir::of(config, &environment.project)).dir().to_path_buf())
        .find(|dir| dir.is_dir())
    else {
        return;
    };
    let path = config.path.display().to_string();
    let args = ["--config", &path, "notify", "send", "--stay"].map(str::to_owned);
    let unit = format!("stagegate-notify-{}-{}", config.name, std::process::id());
    let started = detached::start(&unit, &args, (&dir, "sender"), &[]).await;
    if let Err(error) = started {
        print_message(&format!(
            "messages wait: their sender could not be started ({error}); `gate notify send` sends them"
        ));
    }
}
