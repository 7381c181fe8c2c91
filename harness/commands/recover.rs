//! `gate recover`: finishes runs that were interrupted; the boot unit that does so after a reboot; the watchdog of a run.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use stagegate_base::{config::Config, exit::Exit};
use stagegate_gate_act::{
    unfinished,
    watchdog::{Takeover, Watch, watch},
};
use stagegate_host::{engine::Engine, paths::StateDir};

use super::schedule::install::{BOOTED, CARRIED, UNITS, config_of, crontab_word, exec_quoted, systemctl, unit_quoted};
use crate::{
    cli,
    failure::{Failure, give, say},
    recovery,
};

/// How long Docker Engine may take to be there after a boot.
const ENGINE_WITHIN: Duration = Duration::from_secs(300);
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
        say("no run was interrupted");
        return Ok(Exit::Passed);
    }
    let began = Instant::now();
    while let Err(error) = answering_engine().await {
        if began.elapsed() > ENGINE_WITHIN {
            return Err(error);
        }
        tokio::time::sleep(ENGINE_EVERY).await;
    }
    Ok(if recovery::finish_all(config).await? { Exit::Passed } else { Exit::PersonNeeded })
}

async fn answering_engine() -> Result<(), Failure> {
    Engine::connect().await?.about().await?;
    Ok(())
}

/// Tells whether a run has not ended, or cannot be read.
fn any_open(config: &Config) -> bool {
    let open = |state: StateDir| unfinished(&state).map_or(true, |run| run.is_some());
    config.environments.values().any(|environment| open(StateDir::of(config, &environment.project)))
}

fn status(config: &Config) -> Result<Exit, Failure> {
    let unit = Unit::of(config, None);
    let installed = unit.path().exists();
    give(&match (installed, Path::new(BOOTED).is_dir()) {
        (true, _) => format!("{} finishes interrupted runs at boot", unit.path().display()),
        (false, true) => "no unit finishes interrupted runs at boot; `gate recover install` writes it".to_owned(),
        (false, false) => {
            "systemd does not run on this host; `gate recover install --cron` prints a line for a crontab".to_owned()
        }
    });
    let mut exit = Exit::Passed;
    for environment in config.environments.values() {
        let Some(run) = unfinished(&StateDir::of(config, &environment.project))? else { continue };
        exit = Exit::PersonNeeded;
        let how = if run.stuck { "stuck" } else { "unfinished" };
        give(&format!("run {} of {} is {how}: gate resume --env {1}", run.run, environment.name));
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
            say(&format!("run {} of `{}`: {reason}", run.run, environment.name));
            recovery::finish(config, state, lock, &run, &reason).await
        }
    }
}

/// The unit that finishes interrupted runs of a product at boot.
struct Unit {
    dir: PathBuf,
    name: String,
}

impl Unit {
    fn of(config: &Config, dir: Option<&Path>) -> Self {
        Unit {
            dir: dir.unwrap_or(Path::new(UNITS)).to_path_buf(),
            name: format!("stagegate-{}-recover.service", config.name),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(&self.name)
    }

    /// Refuses a unit of this name that starts `gate` for another configuration.
    fn refuse_foreign(&self, config: &Config) -> Result<(), Failure> {
        let path = self.path();
        let text = fs::read_to_string(&path).unwrap_or_default();
        if text.is_empty() || text.contains(&config_of(config)) {
            return Ok(());
        }
        let (path, own) = (path.display(), config.path.display());
        Err(Failure::usage(format!(
            "{path} does not start gate for {own}; nothing was changed. If another product has the same `name`, rename one of \
             them; else remove the file"
        )))
    }
}

async fn install(config: &Config, args: &cli::InstallSchedule) -> Result<Exit, Failure> {
    let gate = std::env::current_exe().map_err(Failure::reading(Path::new("the path of gate")))?;
    let gate = gate.display().to_string();
    let set = |name: &&'static str| Some((*name, std::env::var(name).ok().filter(|value| !value.is_empty())?));
    let carried: Vec<(&str, String)> = CARRIED.iter().filter_map(set).collect();
    if args.cron {
        give(&crontab(&gate, config, &carried));
        return Ok(Exit::Passed);
    }
    if args.dir.is_none() && !Path::new(BOOTED).is_dir() {
        give(&crontab(&gate, config, &carried));
        let text = "systemd does not run on this host, so nothing was installed; add the line above to a crontab (`crontab -e`)";
        return Err(Failure::not_run(text));
    }
    let unit = Unit::of(config, args.dir.as_deref());
    unit.refuse_foreign(config)?;
    let path = unit.path();
    fs::write(&path, unit_text(&gate, config, &carried)).map_err(Failure::writing(&path))?;
    give(&format!("wrote {}", path.display()));
    if args.dir.is_none() {
        systemctl(&["daemon-reload"]).await?;
        systemctl(&["enable", &unit.name]).await?;
        give(&format!("{} is enabled: it finishes an interrupted run at the next boot", unit.name));
    }
    Ok(Exit::Passed)
}

async fn uninstall(config: &Config, args: &cli::UninstallSchedule) -> Result<Exit, Failure> {
    let unit = Unit::of(config, args.dir.as_deref());
    unit.refuse_foreign(config)?;
    let path = unit.path();
    if !path.exists() {
        say(&format!("{} is not installed in {}", unit.name, unit.dir.display()));
        return Ok(Exit::Passed);
    }
    let is_live = args.dir.is_none() && Path::new(BOOTED).is_dir();
    if is_live {
        systemctl(&["disable", &unit.name]).await?;
    }
    fs::remove_file(&path).map_err(Failure::writing(&path))?;
    give(&format!("removed {}", path.display()));
    if is_live {
        systemctl(&["daemon-reload"]).await?;
    }
    Ok(Exit::Passed)
}

/// A rollback has no time limit of systemd's: it is never cut short.
fn unit_text(gate: &str, config: &Config, carried: &[(&str, String)]) -> String {
    let carried: String = carried
        .iter()
        .map(|(name, value)| format!("Environment={}\n", unit_quoted(&format!("{name}={value}"))))
        .collect();
    format!(
        "[Unit]\nDescription=stagegate for {}: finishes a run that a reboot interrupted\n\
         After=docker.service network-online.target\nWants=docker.service network-online.target\n\n\
         [Service]\nType=oneshot\nTimeoutStartSec=infinity\n{carried}ExecStart={} {} recover run\n\n\
         [Install]\nWantedBy=multi-user.target\n",
        config.name,
        exec_quoted(gate),
        config_of(config)
    )
}

fn crontab(gate: &str, config: &Config, carried: &[(&str, String)]) -> String {
    let carried: String = carried.iter().map(|(name, value)| format!("{name}={} ", crontab_word(value))).collect();
    let file = crontab_word(&config.path.display().to_string());
    format!("@reboot {carried}{} --config {file} recover run", crontab_word(gate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(path: &str) -> Config {
        Config::parse(Path::new(path), "[project]\nname = \"shop\"\n").unwrap()
    }

    #[test]
    fn the_boot_unit_waits_for_docker_and_has_no_time_limit() {
        let carried = [("STAGEGATE_STATE_DIR", "/srv/50% $x".to_owned())];
        let text = unit_text("/opt/my gate", &config("/srv/50%/$x.toml"), &carried);
        assert!(text.contains("After=docker.service network-online.target\n"), "{text}");
        assert!(text.contains("TimeoutStartSec=infinity\n") && text.contains("WantedBy=multi-user.target\n"), "{text}");
        assert!(text.contains("ExecStart=\"/opt/my gate\" --config \"/srv/50%%/$$x.toml\" recover run\n"), "{text}");
        let line = crontab("/opt/gate", &config("/srv/my app/50%.toml"), &carried);
        assert_eq!(
            line,
            "@reboot STAGEGATE_STATE_DIR='/srv/50\\% $x' /opt/gate --config '/srv/my app/50\\%.toml' recover run"
        );
    }

    #[test]
    fn a_unit_of_another_product_is_neither_replaced_nor_removed() {
        let dir = std::env::temp_dir().join(format!("stagegate-recover-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let own = config("/srv/shop/stagegate.toml");
        let unit = Unit::of(&own, Some(&dir));
        fs::write(unit.path(), unit_text("/opt/gate", &own, &[])).unwrap();
        assert!(unit.refuse_foreign(&own).is_ok());
        assert!(unit.refuse_foreign(&config("/srv/other/stagegate.toml")).is_err());
        fs::remove_dir_all(&dir).unwrap();
    }
}
