//! Criterion next to the gate's own blocks: it measures, and keeps baselines and samples. It decides nothing.
//!
//! It runs in a child process, which is this program with a subcommand that people need not know.

mod child;

use std::{path::Path, time::Duration};

use serde_json::json;
use stagegate_base::{
    command::Command,
    config::{Config, Environment},
};
use stagegate_host::{error::with_causes, process::Runner};
use stagegate_performance_act::bench::{self, criterion};
use stagegate_performance_decide::criterion::CriterionResult;

pub(super) use child::run;

use crate::failure::{Failure, give_json, print_message, print_result};

/// What connecting, analysing and writing may take for one probe, next to the measuring.
const BESIDE: Duration = Duration::from_secs(30);

/// What is to become of the samples.
#[derive(Clone, Copy)]
pub(super) enum Keep<'a> {
    /// They are the newest ones, until the next time.
    Nothing,
    /// They are kept under a name too.
    As(&'a str),
    /// They are compared with what was kept under a name, in the folder of the release that it was kept of.
    Compared(&'a str, &'a Path),
}

/// A run of criterion.
pub(super) struct Run<'a> {
    pub(super) config: &'a Config,
    pub(super) environment: &'a Environment,
    /// Folder for the files of this environment and release.
    pub(super) dir: &'a Path,
    pub(super) keep: Keep<'a>,
    /// The name that confirms a protected environment; the child asks for it again.
    pub(super) confirm: Option<&'a str>,
    pub(super) json: bool,
}

impl Run<'_> {
    /// Measures all probes by criterion and reports what it keeps.
    ///
    /// That criterion fails is reported, and changes no verdict: the verdict is not its own.
    pub(super) async fn print_notes(&self) {
        if let Err(failure) = self.measured().await {
            print_message(&failure);
        }
    }

    async fn measured(&self) -> Result<(), String> {
        let text_of = |error: criterion::CriterionError| with_causes(&error);
        let baseline = match self.keep {
            Keep::Compared(name, from) => Some((from, name)),
            _ => None,
        };
        criterion::prepare(self.dir, baseline).map_err(text_of)?;
        print_message("criterion is measuring the same probes");
        let command = self.command().map_err(|error| error.to_string())?;
        let name = baseline.map(|(_, name)| name);
        let result = criterion::measure(&Runner::default(), &command, self.dir, name, self.within()).await;
        self.print_results(&result.map_err(text_of)?, name);
        Ok(())
    }

    fn print_results(&self, result: &[CriterionResult], baseline: Option<&str>) {
        for result in result {
            match self.json {
                true => give_json(&json!({ "criterion": result, "said": result.words(baseline) }).to_string()),
                false => print_result(&format!("{:<20} {}", result.probe, result.words(baseline))),
            }
        }
        print_message(&format!("criterion's samples, baselines and plots: {}", self.dir.display()));
    }

    fn command(&self) -> std::io::Result<Command> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(&program.to_string_lossy())
            .args(["criterion", "--env", &self.environment.name, "--dir"])
            .path(self.dir)
            .arg("--config")
            .path(&self.config.path);
        command = match self.keep {
            Keep::Nothing => command,
            Keep::As(name) => command.args(["--save-baseline", name]),
            Keep::Compared(name, _) => command.args(["--baseline", name]),
        };
        let confirm = self.confirm.into_iter().flat_map(|name| ["--confirm", name]);
        // Criterion otherwise asks cargo where its folder is.
        Ok(command.args(confirm).env("CRITERION_HOME", self.dir.to_string_lossy()))
    }

    fn within(&self) -> Duration {
        bench::measurable(self.config).map(|probe| probe.warm_up.0 + probe.compare_within.0 + BESIDE).sum()
    }
}

/// Why the child could do nothing: its last line on standard output, which is kept.
fn ended(failure: Failure) -> Failure {
    print_result(&failure.text());
    failure
}
