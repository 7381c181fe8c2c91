//! The timer that starts `gate schedule run`: units of systemd, or a line of a crontab.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use stagegate_base::{
    command::Command,
    config::{Config, Place},
    exit::Exit,
};
use stagegate_host::process::Runner;

use crate::{
    cli,
    failure::{Failure, give, say},
};

pub(in crate::commands) const UNITS: &str = "/etc/systemd/system";
/// Is there where systemd is the first process.
// Source: sd_booted(3).
pub(in crate::commands) const BOOTED: &str = "/run/systemd/system";
const WITHIN: Duration = Duration::from_secs(30);
/// Settings of the caller without which the timer would work on another state folder or Engine.
pub(in crate::commands) const CARRIED: [&str; 4] =
    ["STAGEGATE_STATE_DIR", "XDG_STATE_HOME", "DOCKER_HOST", "DOCKER_CONFIG"];

/// The two units of a product, in a folder.
struct Units {
    dir: PathBuf,
    service: String,
    timer: String,
}

impl Units {
    fn of(config: &Config, dir: Option<&Path>) -> Self {
        let name = format!("stagegate-{}", config.name);
        let dir = dir.unwrap_or(Path::new(UNITS)).to_path_buf();
        Units { dir, service: format!("{name}.service"), timer: format!("{name}.timer") }
    }

    fn paths(&self) -> [PathBuf; 2] {
        [self.dir.join(&self.timer), self.dir.join(&self.service)]
    }

    /// Refuses units of this name that start `gate` for another configuration.
    fn refuse_foreign(&self, config: &Config) -> Result<(), Failure> {
        let path = self.dir.join(&self.service);
        let text = fs::read_to_string(&path).unwrap_or_default();
        if text.is_empty() || text.contains(&config_of(config)) {
            return Ok(());
        }
        let (path, own) = (path.display(), config.path.display());
        Err(Failure::usage(format!(
            "{path} is there and does not start gate for {own}; nothing was changed. If another product has the same `name`, \
             rename one of them; else remove the file"
        )))
    }
}

pub(super) async fn install(config: &Config, args: &cli::InstallSchedule) -> Result<Exit, Failure> {
    let gate = std::env::current_exe().map_err(Failure::reading(Path::new("the path of gate")))?;
    let gate = gate.display().to_string();
    let carried: Vec<(&str, String)> = CARRIED
        .iter()
        .filter_map(|name| Some((*name, std::env::var(name).ok().filter(|value| !value.is_empty())?)))
        .collect();
    if let Some(text) = without_key(config) {
        say(&text);
    }
    if args.cron {
        give(&crontab(&gate, config, &carried));
        return Ok(Exit::Passed);
    }
    if args.dir.is_none() && !Path::new(BOOTED).is_dir() {
        give(&crontab(&gate, config, &carried));
        let text = "systemd does not run on this host, so nothing was installed; add the line above to a crontab (`crontab -e`)";
        return Err(Failure::not_run(text));
    }
    let units = Units::of(config, args.dir.as_deref());
    units.refuse_foreign(config)?;
    let texts = [timer(&config.name), service(&gate, config, &carried)];
    for (path, text) in units.paths().iter().zip(texts) {
        fs::write(path, text).map_err(Failure::writing(path))?;
        give(&format!("wrote {}", path.display()));
    }
    if args.dir.is_none() {
        systemctl(&["daemon-reload"]).await?;
        systemctl(&["enable", "--now", &units.timer]).await?;
        give(&format!("{} is enabled; `gate schedule status` shows it, and what is due", units.timer));
    }
    Ok(Exit::Passed)
}

/// Returns what to do where the timer would have no access key: one of this shell's environment is not carried, since units are
/// readable by everybody.
fn without_key(config: &Config) -> Option<String> {
    let offsite = config.backup.offsite.as_ref()?;
    let is_missing = matches!(offsite.place, Place::S3 { .. }) && offsite.credentials.is_none();
    is_missing.then(|| {
        format!(
            "notice: the timer does not get the access key of this shell's environment, so that it cannot write to {}; name a file \
             with the key by `credentials` of [backup.offsite]",
            offsite.place.url()
        )
    })
}

pub(super) async fn uninstall(config: &Config, args: &cli::UninstallSchedule) -> Result<Exit, Failure> {
    let units = Units::of(config, args.dir.as_deref());
    units.refuse_foreign(config)?;
    let there: Vec<PathBuf> = units.paths().into_iter().filter(|path| path.exists()).collect();
    if there.is_empty() {
        say(&format!("{} is not installed in {}", units.timer, units.dir.display()));
        return Ok(Exit::Passed);
    }
    let is_live = args.dir.is_none() && Path::new(BOOTED).is_dir();
    if is_live {
        systemctl(&["disable", "--now", &units.timer]).await?;
    }
    for path in &there {
        fs::remove_file(path).map_err(Failure::writing(path))?;
        give(&format!("removed {}", path.display()));
    }
    if is_live {
        systemctl(&["daemon-reload"]).await?;
    }
    say("the backups, their journal and the logs stay");
    Ok(Exit::Passed)
}

/// Returns the state of the timer in words and as JSON.
pub(super) async fn state(config: &Config) -> (String, Value) {
    let units = Units::of(config, None);
    if !Path::new(BOOTED).is_dir() {
        let text = "systemd does not run on this host; `gate schedule install --cron` prints a line for a crontab";
        return (text.to_owned(), Value::Null);
    }
    let timer = shown(&units.timer, "ActiveState,UnitFileState,NextElapseUSecRealtime,LastTriggerUSec").await;
    let service = shown(&units.service, "Result,ExecMainStatus").await;
    let of = |from: &[(String, String)], key: &str| {
        from.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let [active, enabled, next, last] =
        ["ActiveState", "UnitFileState", "NextElapseUSecRealtime", "LastTriggerUSec"].map(|key| of(&timer, key));
    let json = json!({
        "unit": units.timer, "active": active, "enabled": enabled, "next": next, "last": last,
        "last_exit_code": of(&service, "ExecMainStatus").parse::<i32>().ok(),
    });
    if enabled.is_empty() {
        return (format!("{} is not installed; `gate schedule install` does it", units.timer), json);
    }
    let last = match last.as_str() {
        "" | "n/a" => "never ran".to_owned(),
        last => format!("last {last} with exit code {}", of(&service, "ExecMainStatus")),
    };
    (format!("{} is {active} and {enabled}, {last}, next {next}", units.timer), json)
}

async fn shown(unit: &str, properties: &str) -> Vec<(String, String)> {
    let command = Command::new("systemctl").args(["show", unit, "--property", properties]);
    let text = Runner::default().run_ok(&command, WITHIN).await.unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

pub(in crate::commands) async fn systemctl(args: &[&str]) -> Result<(), Failure> {
    let command = Command::new("systemctl").args(args.iter().copied());
    Runner::default().run_ok(&command, WITHIN).await?;
    Ok(())
}

pub(in crate::commands) fn config_of(config: &Config) -> String {
    format!("--config {}", exec_quoted(&config.path.display().to_string()))
}

fn service(gate: &str, config: &Config, carried: &[(&str, String)]) -> String {
    let carried: String = carried
        .iter()
        .map(|(name, value)| format!("Environment={}\n", unit_quoted(&format!("{name}={value}"))))
        .collect();
    format!(
        "[Unit]\nDescription=stagegate for {}: backups, restore drills, removal of old backups and logs\n\
         After=docker.service network-online.target\nWants=network-online.target\n\n\
         [Service]\nType=oneshot\n{carried}ExecStart={} {} schedule run\n",
        config.name,
        exec_quoted(gate),
        config_of(config)
    )
}

/// Neither `Persistent` nor a random delay: with both, a machine that is restarted often never gets to it. What was missed
/// is due at the next tick.
// Source: systemd issue 21166.
fn timer(name: &str) -> String {
    format!(
        "[Unit]\nDescription=stagegate for {name}, every 15 minutes\n\n\
         [Timer]\nOnBootSec=3min\nOnCalendar=*:0/15\nAccuracySec=30s\n\n[Install]\nWantedBy=timers.target\n"
    )
}

/// Writes a word for systemd, which expands `%`.
pub(in crate::commands) fn unit_quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

/// Writes a word of a command line for systemd, which expands `$` there too.
pub(in crate::commands) fn exec_quoted(text: &str) -> String {
    unit_quoted(text).replace('$', "$$")
}

fn crontab(gate: &str, config: &Config, carried: &[(&str, String)]) -> String {
    let carried: String = carried.iter().map(|(name, value)| format!("{name}={} ", crontab_word(value))).collect();
    let file = crontab_word(&config.path.display().to_string());
    format!("*/15 * * * * {carried}{} --config {file} schedule run", crontab_word(gate))
}

/// Writes a word for cron's shell; cron itself ends a command at `%`.
pub(in crate::commands) fn crontab_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''").replace('%', "\\%"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(path: &str) -> Config {
        Config::parse(Path::new(path), "[project]\nname = \"shop\"\n").unwrap()
    }

    #[test]
    fn a_timer_has_no_random_delay_and_paths_are_quoted_for_whoever_reads_them() {
        assert!(!timer("shop").contains("Random") && !timer("shop").contains("Persistent"));
        let carried = [("STAGEGATE_STATE_DIR", "/srv/50% $x".to_owned())];
        let text = service("/opt/my gate", &config("/srv/50%/$x.toml"), &carried);
        assert!(text.contains("ExecStart=\"/opt/my gate\" --config \"/srv/50%%/$$x.toml\" schedule run\n"), "{text}");
        assert!(text.contains("Environment=\"STAGEGATE_STATE_DIR=/srv/50%% $x\"\n"), "{text}");
        let line = crontab("/opt/gate", &config("/srv/my app/50%.toml"), &carried);
        assert_eq!(
            line,
            "*/15 * * * * STAGEGATE_STATE_DIR='/srv/50\\% $x' /opt/gate --config '/srv/my app/50\\%.toml' schedule run"
        );
    }

    #[test]
    fn a_timer_without_the_key_of_a_bucket_is_reported() {
        let of = |offsite: &str| {
            let text = format!("[project]\nname = \"shop\"\n{offsite}");
            without_key(&Config::parse(Path::new("/srv/stagegate.toml"), &text).unwrap())
        };
        let bucket = "[backup.offsite]\nurl = \"s3://copies/shop\"\nregion = \"eu-central-1\"\n";
        assert!(of(bucket).unwrap().contains("credentials"));
        assert_eq!([of(&format!("{bucket}credentials = \"/root/key\"\n")), of("")], [None, None]);
    }

    #[test]
    fn units_of_another_product_are_neither_replaced_nor_removed() {
        let dir = std::env::temp_dir().join(format!("stagegate-units-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let units = Units::of(&config("/srv/shop/stagegate.toml"), Some(&dir));
        let refused = |path: &str| units.refuse_foreign(&config(path)).is_err();
        assert!(!refused("/srv/shop/stagegate.toml"));
        fs::write(dir.join("stagegate-shop.service"), service("/opt/gate", &config("/srv/shop/stagegate.toml"), &[]))
            .unwrap();
        assert!(!refused("/srv/shop/stagegate.toml") && refused("/srv/other/stagegate.toml"));
        fs::remove_dir_all(&dir).unwrap();
    }
}
