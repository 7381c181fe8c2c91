//! Units of systemd that start `gate`, and what stands in for them without systemd.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_base::{command::Command, config::Config};
use stagegate_host::process::Runner;

use crate::failure::{Failure, print_message, print_result};

/// Where units are, unless a folder is named.
pub(super) const UNITS: &str = "/etc/systemd/system";
/// Is there where systemd is the first process.
// Source: sd_booted(3).
pub(super) const BOOTED: &str = "/run/systemd/system";
const WITHIN: Duration = Duration::from_secs(30);
/// Settings of the caller without which the timer would work on another state folder or Engine.
const CARRIED: [&str; 5] = ["STAGEGATE_STATE_DIR", "XDG_STATE_HOME", "DOCKER_HOST", "DOCKER_CONFIG", "STAGEGATE_HERE"];

/// How a unit or a crontab starts `gate`.
pub(super) struct Start {
    gate: String,
    /// `--config FILE`, quoted for systemd.
    config: String,
    path: String,
    carried: Vec<(&'static str, String)>,
}

impl Start {
    /// Returns how this very program is started for a configuration.
    pub(super) fn of(config: &Config) -> Result<Self, Failure> {
        let gate = std::env::current_exe().map_err(Failure::reading(Path::new("the path of gate")))?;
        let set = |name: &&'static str| Some((*name, std::env::var(name).ok().filter(|value| !value.is_empty())?));
        Ok(Self::with(&gate.display().to_string(), config, CARRIED.iter().filter_map(set).collect()))
    }

    /// Returns how a program is started with some variables.
    pub(super) fn with(gate: &str, config: &Config, carried: Vec<(&'static str, String)>) -> Self {
        Start { gate: gate.to_owned(), config: config_of(config), path: config.path.display().to_string(), carried }
    }

    /// Returns the lines of a service: variables, and the command with its arguments.
    pub(super) fn lines(&self, args: &[&str]) -> String {
        let carried = self.carried.iter();
        let carried: String =
            carried.map(|(name, value)| format!("Environment={}\n", unit_quoted(&format!("{name}={value}")))).collect();
        let args: String = args.iter().map(|arg| format!(" {}", plain_or(arg, exec_quoted))).collect();
        format!("{carried}ExecStart={} {}{args}\n", exec_quoted(&self.gate), self.config)
    }

    /// Returns the line of a crontab; `when` is its first part, such as `@reboot`.
    pub(super) fn crontab(&self, when: &str, args: &[&str]) -> String {
        let carried = self.carried.iter();
        let carried: String = carried.map(|(name, value)| format!("{name}={} ", crontab_word(value))).collect();
        let args: String = args.iter().map(|arg| format!(" {}", crontab_word(arg))).collect();
        let (gate, file) = (crontab_word(&self.gate), crontab_word(&self.path));
        format!("{when} {carried}{gate} --config {file}{args}")
    }
}

/// Prints a crontab line where it is wanted or all that there is; `true` where it was all.
///
/// # Errors
/// Where systemd does not run, and nobody asked for the line.
pub(super) fn only_crontab(line: &str, cron: bool, dir: Option<&PathBuf>) -> Result<bool, Failure> {
    let has_systemd = dir.is_some() || Path::new(BOOTED).is_dir();
    if !cron && has_systemd {
        return Ok(false);
    }
    print_result(line);
    if cron {
        return Ok(true);
    }
    let text =
        "systemd does not run on this host, so nothing was installed; add the line above to a crontab (`crontab -e`)";
    Err(Failure::not_run(text))
}

/// Unit files of one purpose, in a folder; the last one starts `gate`.
pub(super) struct Units {
    dir: PathBuf,
    names: Vec<String>,
}

impl Units {
    /// Returns units by name; `dir` is the folder where another one than that of systemd is meant.
    pub(super) fn of(dir: Option<&Path>, names: Vec<String>) -> Self {
        Units { dir: dir.unwrap_or(Path::new(UNITS)).to_path_buf(), names }
    }

    /// Returns the files.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.names.iter().map(|name| self.dir.join(name)).collect()
    }

    /// Returns the unit that is enabled.
    pub(super) fn name(&self) -> &str {
        self.names.first().map_or("", String::as_str)
    }

    /// Refuses units of this name that start `gate` for another configuration.
    pub(super) fn refuse_foreign(&self, config: &Config) -> Result<(), Failure> {
        let Some(path) = self.paths().pop() else { return Ok(()) };
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

    /// Writes the files; where they are systemd's, enables the first one, `now` if it is started too.
    pub(super) async fn install(&self, config: &Config, texts: &[String], now: bool) -> Result<bool, Failure> {
        self.refuse_foreign(config)?;
        for (path, text) in self.paths().iter().zip(texts) {
            fs::write(path, text).map_err(Failure::writing(path))?;
            print_result(&format!("wrote {}", path.display()));
        }
        let is_live = self.dir == Path::new(UNITS) && Path::new(BOOTED).is_dir();
        if is_live {
            systemctl(&["daemon-reload"]).await?;
            let now: &[&str] = if now { &["--now"] } else { &[] };
            systemctl(&[&["enable"], now, &[self.name()]].concat()).await?;
        }
        Ok(is_live)
    }

    /// Disables and removes what is there; `false` where nothing is.
    pub(super) async fn uninstall(&self, config: &Config) -> Result<bool, Failure> {
        self.refuse_foreign(config)?;
        let there: Vec<PathBuf> = self.paths().into_iter().filter(|path| path.exists()).collect();
        if there.is_empty() {
            print_message(&format!("{} is not installed in {}", self.name(), self.dir.display()));
            return Ok(false);
        }
        let is_live = self.dir == Path::new(UNITS) && Path::new(BOOTED).is_dir();
        if is_live {
            systemctl(&["disable", "--now", self.name()]).await?;
        }
        for path in &there {
            fs::remove_file(path).map_err(Failure::writing(path))?;
            print_result(&format!("removed {}", path.display()));
        }
        if is_live {
            systemctl(&["daemon-reload"]).await?;
        }
        Ok(true)
    }
}

async fn systemctl(args: &[&str]) -> Result<(), Failure> {
    let command = Command::new("systemctl").args(args.iter().copied());
    Runner::default().run_ok(&command, WITHIN).await?;
    Ok(())
}

/// Returns properties of a unit as systemd shows them; none where it does not run.
pub(super) async fn unit_properties(unit: &str, properties: &str) -> Vec<(String, String)> {
    let command = Command::new("systemctl").args(["show", unit, "--property", properties]);
    let text = Runner::default().run_ok(&command, WITHIN).await.unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn config_of(config: &Config) -> String {
    format!("--config {}", exec_quoted(&config.path.display().to_string()))
}

/// Writes a word for systemd, which expands `%`.
fn unit_quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

/// Writes a word of a command line for systemd, which expands `$` there too.
fn exec_quoted(text: &str) -> String {
    unit_quoted(text).replace('$', "$$")
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:".contains(c))
}

fn plain_or(text: &str, quoted: fn(&str) -> String) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// Writes a word for cron's shell; cron itself ends a command at `%`.
fn crontab_word(text: &str) -> String {
    plain_or(text, |text| format!("'{}'", text.replace('\'', "'\\''").replace('%', "\\%")))
}
