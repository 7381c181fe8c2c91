//! One login to a host: a script, its input, its output.

use std::{
    fs::File,
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use stagegate_base::config::SshHost;
use stagegate_host::process::{Runner, Started};
use stagegate_target_decide::{Framed, Ssh, answer, framed, login, problem, ssh};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{HostError, scratch};

/// Variable that names the configuration file of `ssh`, in place of `~/.ssh/config`.
const CONFIG_VARIABLE: &str = "STAGEGATE_SSH_CONFIG";
/// What `ssh` itself exits with where it has no connection.
const NO_CONNECTION: i32 = 255;

/// A host, and how it is reached.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) runner: Runner,
    host: SshHost,
    options: Ssh,
    environment: String,
}

/// What a script printed, and when.
pub(crate) struct ScriptOutput {
    pub(crate) text: String,
    /// Seconds since 1970 in the middle of the exchange.
    pub(crate) now: f64,
    /// How long the exchange took, in seconds.
    pub(crate) took: f64,
}

/// A login that was started.
pub(crate) struct Opened {
    pub(crate) started: Started,
    pub(crate) errors: File,
    pub(crate) framed: Framed,
}

impl Connection {
    /// Returns the connection to the host of an environment; nothing is sent yet.
    #[must_use]
    pub fn to(host: &SshHost, environment: &str) -> Self {
        let config = std::env::var_os(CONFIG_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        Connection {
            runner: Runner::default(),
            host: host.clone(),
            options: Ssh { config },
            environment: environment.to_owned(),
        }
    }

    /// Returns the host as it is shown.
    #[must_use]
    pub fn name(&self) -> String {
        self.host.to_string()
    }

    /// Returns the environment that the host was named by.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// Returns the line by which a person logs in.
    #[must_use]
    pub fn login(&self) -> String {
        login(&self.host, self.options.config.as_deref())
    }

    /// Starts `ssh` with a script; what the script reads comes after it on standard input.
    pub(crate) fn open(&self, script: &str) -> Result<Opened, HostError> {
        let framed = framed(script, &nonce());
        let errors = scratch::file().map_err(HostError::file("write a temporary file"))?;
        let log = errors.try_clone().map_err(HostError::file("write a temporary file"))?;
        let started = self.runner.start_logged(&ssh(&self.host, &self.options, &framed.line), log)?;
        Ok(Opened { started, errors, framed })
    }

    /// Runs a script with `input` on its standard input, and returns what it printed.
    pub(crate) async fn script(
        &self,
        script: &str,
        input: Option<File>,
        within: Duration,
    ) -> Result<ScriptOutput, HostError> {
        let begun = seconds();
        let mut opened = self.open(script)?;
        let Some((mut stdin, mut stdout)) = opened.started.streams() else { return Err(self.silent(within)) };
        let script = opened.framed.script.clone();
        let send = async move {
            // Where it is not read, the host's own words or ssh's exit code are the error.
            if stdin.write_all(script.as_bytes()).await.is_ok()
                && let Some(input) = input
            {
                let _ = tokio::io::copy(&mut tokio::fs::File::from_std(input), &mut stdin).await;
            }
            let _ = stdin.shutdown().await;
        };
        let mut output = Vec::new();
        let exchange = async { tokio::join!(send, stdout.read_to_end(&mut output)).1 };
        match tokio::time::timeout(within, exchange).await {
            Err(_) => {
                opened.started.end().await;
                return Err(self.silent(within));
            }
            Ok(read) => drop(read.map_err(HostError::file("read the output of ssh"))?),
        }
        let ended = seconds();
        let code = opened.started.wait().await.map_err(HostError::file("wait for ssh"))?;
        let output = String::from_utf8_lossy(&output);
        match answer(&opened.framed, &output) {
            Ok(text) => {
                Ok(ScriptOutput { text: text.to_owned(), now: f64::midpoint(begun, ended), took: ended - begun })
            }
            Err(none) => Err(self.failed(code, &opened.errors, &none.instead)),
        }
    }

    /// Returns why a login gave no result.
    pub(crate) fn failed(&self, code: i32, errors: &File, instead: &str) -> HostError {
        let errors = scratch::tail(errors);
        if code == NO_CONNECTION {
            return problem(&self.host, &self.login(), &errors).into();
        }
        let last = errors.lines().last().unwrap_or_default().trim();
        let instead = [instead, last].into_iter().find(|text| !text.is_empty()).unwrap_or("nothing");
        HostError::NoAnswer { host: self.name(), login: self.login(), instead: instead.to_owned() }
    }

    /// Makes the error of a refusal; the host does not know the environment's name and writes NAME.
    pub(crate) fn refused(&self, reason: &str) -> HostError {
        HostError::Refused { host: self.name(), reason: reason.replace("NAME", &self.environment) }
    }

    pub(crate) fn no_checkout(&self) -> HostError {
        HostError::NoCheckout { host: self.name(), environment: self.environment.clone() }
    }

    pub(crate) fn absent(&self) -> HostError {
        HostError::Absent { host: self.name(), environment: self.environment.clone() }
    }

    pub(crate) fn other_gate(&self, found: String) -> HostError {
        HostError::OtherGate { host: self.name(), found, environment: self.environment.clone() }
    }

    pub(crate) fn lost(&self, run: String) -> HostError {
        HostError::Lost { host: self.name(), run, environment: self.environment.clone() }
    }

    pub(crate) fn silent(&self, within: Duration) -> HostError {
        HostError::Silent { host: self.name(), login: self.login(), within }
    }
}

/// Seconds since 1970: the host's clock is compared with it, so it has to be that of the day.
fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Returns letters and digits that no banner prints.
fn nonce() -> String {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{:x}x{nanos:x}", std::process::id())
}
