//! `gate recover`: finishes runs that were interrupted; the boot unit that does so after a reboot; the watchdog of a run.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use stagegate_base::{config::Config, exit::Exit};
use stagegate_gate_act::{
    unfinished,
    watchdog::{Takeover, Watch, watch},
};
use stagegate_host::{engine::Engine, lock, paths::StateDir};

use super::units::{BOOTED, Start, Units, only_crontab};
use crate::{
    cli,
    failure::{Failure, print_message, print_result},
    recovery,
};

/// How long Docker Engine may take to be there after a boot.
const ENGINE_WITHIN: Duration = Duration::from_secs(300);
/// What the boot unit starts `gate` with.
const ARGS: [&str; 2] = ["recover", "run"];
const ENGINE_EVERY: Duration = Duration::from_secs(2);

pub(super) async fn run(config: &Arc<Config>, args: cli::Recover) -> Result<Exit, Failure> {
    match args {
        cli::Recover::Run => finish(config).await,
        cli::Recover::Install(args) => install(config, &args).await,
        cli::Recover::Uninstall(args) => uninstall(config, &args).await,
        cli::Recover::Status => status(config),
        cli::Recover::Watch(args) => watchdog(config, args).await,
    }
}

/// Finishes the runs that were interrupted, in every environment.
async fn finish(config: &Arc<Config>) -> Result<Exit, Failure> {
    if !any_open(config) {
        print_message("no run was interrupted");
        return Ok(Exit::Passed);
    }
    let began = Instant::now();
    while let Err(error) = answering_engine().await {
        if began.elapsed() > ENGINE_WITHIN {
            return Err(error);
        }
        tokio::time::sleep(ENGINE_EVERY).await;
    }
    let finished = recovery::finish_all(config).await?;
    Ok(if finished.well && finished.all { Exit::Passed } else { Exit::PersonNeeded })
}

async fn answering_engine() -> Result<(), Failure> {
    Engine::connect().await?.about().await?;
    Ok(())
}

/// Returns whether a run has not ended, or cannot be read.
fn any_open(config: &Config) -> bool {
    let open = |state: StateDir| unfinished(&state).map_or(true, |run| run.is_some());
    config.environments.values().any(|environment| open(StateDir::of(config, &environment.project)))
}

fn status(config: &Config) -> Result<Exit, Failure> {
    let unit = units(config, None).paths().remove(0);
    let installed = unit.exists();
    print_result(&match (installed, Path::new(BOOTED).is_dir()) {
        (true, _) => format!("{} finishes interrupted runs at boot", unit.display()),
        (false, true) => "no unit finishes interrupted runs at boot; `gate recover install` writes it".to_owned(),
        (false, false) => {
            "systemd does not run on this host; `gate recover install --cron` prints a line for a crontab".to_owned()
        }
    });
    let mut exit = Exit::Passed;
    for environment in config.environments.values() {
        let state = StateDir::of(config, &environment.project);
        let Some(run) = unfinished(&state)? else { continue };
        if lock::at_work(&state).is_some() {
            print_result(&format!("run {} of {} is in progress", run.run, environment.name));
            continue;
        }
        exit = Exit::PersonNeeded;
        let how = if run.stuck { "stuck" } else { "unfinished" };
        print_result(&format!("run {} of {} is {how}: gate resume --env {1}", run.run, environment.name));
    }
    Ok(exit)
}

/// Watches a run of another process, and finishes it where that one cannot.
async fn watchdog(config: &Arc<Config>, args: cli::WatchRun) -> Result<Exit, Failure> {
    let environment = config.environment(&args.env)?;
    let state = StateDir::of(config, &environment.project);
    let watched = Watch { run: args.run, process: args.process, until: Duration::from_secs(args.until) };
    match watch(&state, &environment.project, &watched).await? {
        None => Ok(Exit::Passed),
        Some(Takeover { lock, run, reason }) => {
            print_message(&format!("run {} of `{}`: {reason}", run.run, environment.name));
            recovery::finish(config, state, lock, &run, &reason).await
        }
    }
}

/// Returns the unit that finishes interrupted runs of a product at boot.
fn units(config: &Config, dir: Option<&Path>) -> Units {
    Units::of(dir, vec![format!("stagegate-{}-recover.service", config.name)])
}

async fn install(config: &Config, args: &cli::InstallSchedule) -> Result<Exit, Failure> {
    let start = Start::of(config)?;
    if only_crontab(&start.crontab("@reboot", &ARGS), args.cron, args.dir.as_ref())? {
        return Ok(Exit::Passed);
    }
    let units = units(config, args.dir.as_deref());
    if units.install(config, &[unit_text(&config.name, &start)], false).await? {
        print_result(&format!("{} is enabled: it finishes an interrupted run at the next boot", units.name()));
    }
    Ok(Exit::Passed)
}

async fn uninstall(config: &Config, args: &cli::UninstallSchedule) -> Result<Exit, Failure> {
    units(config, args.dir.as_deref()).uninstall(config).await?;
    Ok(Exit::Passed)
}

/// A rollback has no time limit of systemd's: it is never cut short.
fn unit_text(product: &str, start: &Start) -> String {
    format!(
        "[Unit]\nDescription=stagegate for {product}: finishes a run that a reboot interrupted\n\
         After=docker.service network-online.target\nWants=docker.service network-online.target\n\n\
         [Service]\nType=oneshot\nTimeoutStartSec=infinity\n{}\n\
         [Install]\nWantedBy=multi-user.target\n",
        start.lines(&ARGS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(path: &str) -> Config {
        Config::parse(Path::new(path), "[project]\nname = \"shop\"\n").unwrap()
    }

    #[test]
    fn the_boot_unit_waits_for_docker_and_has_no_time_limit() {
        let carried = || vec![("STAGEGATE_STATE_DIR", "/srv/50% $x".to_owned())];
        let text = unit_text("shop", &Start::with("/opt/my gate", &config("/srv/50%/$x.toml"), carried()));
        assert!(text.contains("After=docker.service network-online.target\n"), "{text}");
        assert!(text.contains("TimeoutStartSec=infinity\n") && text.contains("WantedBy=multi-user.target\n"), "{text}");
        assert!(text.contains("ExecStart=\"/opt/my gate\" --config \"/srv/50%%/$$x.toml\" recover run\n"), "{text}");
        let line = Start::with("/opt/gate", &config("/srv/my app/50%.toml"), carried()).crontab("@reboot", &ARGS);
        assert_eq!(
            line,
            "@reboot STAGEGATE_STATE_DIR='/srv/50\\% $x' /opt/gate --config '/srv/my app/50\\%.toml' recover run"
        );
    }

    #[test]
    fn a_unit_of_another_product_is_neither_replaced_nor_removed() {
        let dir = std::env::temp_dir().join(format!("stagegate-recover-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let own = config("/srv/shop/stagegate.toml");
        let units = units(&own, Some(&dir));
        std::fs::write(&units.paths()[0], unit_text("shop", &Start::with("/opt/gate", &own, Vec::new()))).unwrap();
        assert!(units.refuse_foreign(&own).is_ok());
        assert!(units.refuse_foreign(&config("/srv/other/stagegate.toml")).is_err());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
