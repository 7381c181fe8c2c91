//! Steps that commands of the user's take: any tool, on this host or in a service's image.
//!
//! A command finds its database in variables, never in its arguments. What it did is asked of `status`, not of its exit
//! code alone: a tool that ends with 0 and did nothing, or too much, is reported.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use stagegate_base::{
    command::{Command, compose, docker, postgres::Reach},
    compose::Model,
    config::{Commands as Config, Tool},
    redact::{Mask, Secret},
};
use stagegate_migration_decide::{
    Chain, Direction, Listed, Script, Step, listed, of_steps,
    round_trip::{Failure, FailureCause},
    version_of,
};

use super::error::ProveError;
use crate::scratch::{Database, Scratch};
use stagegate_host::{
    error::with_causes,
    files,
    process::{RunError, Runner},
};

/// More steps than any chain has; a list that grows with each `up` would never end.
const MOST: usize = 20_000;
const REMOVED_WITHIN: Duration = Duration::from_secs(30);

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A tool by its commands, and where they run.
#[derive(Clone, Debug)]
pub struct Commands {
    /// What the user wrote.
    pub config: Config,
    /// The folder that they run in, where they run on this host.
    pub dir: PathBuf,
    /// The environment's compose model, where they run in a service of it.
    pub model: Option<Model>,
    /// How long one command may take.
    pub within: Duration,
    /// What is masked in all that they say.
    pub secrets: Vec<Secret>,
}

/// A command that did not do its work.
struct Stopped {
    line: String,
    said: String,
    why: FailureCause,
}

impl Stopped {
    /// Returns it as the reason why nothing can be tried.
    fn at_begin(self, config: &Config) -> ProveError {
        let advice = match config.tool {
            Some(_) => {
                "the tool has to start in `source` with the product's packages: see `program` and `service` of [migrations]"
            }
            None => "check `up` and `status` of [migrations]",
        };
        ProveError::Commands(format!("`{}`: {}", self.line, self.said), advice)
    }
}

impl Commands {
    /// Returns the tables in which tools record what they applied.
    #[must_use]
    pub fn history_tables(&self) -> Vec<&str> {
        let own = self.config.history_tables.iter().map(String::as_str);
        Tool::Command.bookkeeping_tables().iter().copied().chain(own).collect()
    }

    /// Takes all steps up on a database of its own, and returns them: which migrations each `up` applies.
    ///
    /// Those behind a step that fails are steps of one migration each.
    ///
    /// # Errors
    /// [`ProveError`] where there is no database, or `status` tells nothing.
    pub async fn chain(&self, scratch: &Scratch, before: &str) -> Result<Chain, ProveError> {
        let database = scratch.create(None).await?;
        if !before.is_empty() {
            let client = scratch.session(&database).await?;
            client
                .batch_execute(before)
                .await
                .map_err(|error| ProveError::Before(stagegate_host::database::error_text(&error)))?;
        }
        let steps = self.steps(scratch, &database).await;
        scratch.drop(&database).await?;
        let steps = steps.map_err(|stopped| stopped.at_begin(&self.config))?;
        Ok(of_steps(&steps, !self.config.down.is_empty()))
    }

    /// Takes what is no step of the product's on an empty database: migrations of installed packages.
    pub(super) async fn prepare(&self, scratch: &Scratch, database: &Database) -> Result<(), ProveError> {
        let Some(argv) = self.config.prepare() else { return Ok(()) };
        self.execute(scratch, database, &argv, None).await.map(|_| ()).map_err(|stopped| stopped.at_begin(&self.config))
    }

    async fn steps(&self, scratch: &Scratch, database: &Database) -> Result<Vec<Vec<String>>, Stopped> {
        let mut steps: Vec<Vec<String>> = Vec::new();
        let mut pending = names(&self.list(scratch, database).await?, false);
        // With the next one named in its arguments, `up` applies that one.
        let is_named = self.config.up.iter().any(|word| word.contains("{version}") || word.contains("{name}"));
        while !is_named && !pending.is_empty() && steps.len() < MOST {
            if self.execute(scratch, database, &self.config.up, pending.first()).await.is_err() {
                break;
            }
            let left = names(&self.list(scratch, database).await?, false);
            let applied: Vec<String> = pending.iter().filter(|name| !left.contains(name)).cloned().collect();
            if applied.is_empty() {
                break;
            }
            steps.push(applied);
            pending = left;
        }
        steps.extend(pending.into_iter().map(|name| vec![name]));
        Ok(steps)
    }

    /// Takes one step on a database, and sees to it that the tool did this step and no other.
    pub(super) async fn step(&self, scratch: &Scratch, database: &Database, script: &Script) -> Result<(), Failure> {
        let Some(step) = &script.step else { return Ok(()) };
        let done = match step.direction {
            _ if self.config.tool.is_some() => self.driven(scratch, database, step).await,
            Direction::Up => self.up(scratch, database, step).await,
            Direction::Down => self.down(scratch, database, step).await,
        };
        let Err(stopped) = done else { return Ok(()) };
        if stopped.why == FailureCause::TimedOut {
            self.end_sessions(scratch, database).await;
        }
        Err(Failure::of_command(script, &stopped.line, &stopped.said, stopped.why))
    }

    /// Takes a step by the driver, which prints what is applied when it is done.
    async fn driven(&self, scratch: &Scratch, database: &Database, step: &Step) -> Result<(), Stopped> {
        let is_up = step.direction == Direction::Up;
        let argv = if is_up { &self.config.up } else { &self.config.down };
        let name = step.names.first();
        let printed = self.execute(scratch, database, argv, name).await?;
        let listed = self.read(argv, &printed)?;
        let at = listed.iter().position(|one| Some(&one.name) == name);
        let Some(at) = at else {
            return Err(self.did(argv, &format!("{} is not listed any more", names_text(&step.names))));
        };
        let more: Vec<String> =
            listed[at + 1..].iter().filter(|one| one.is_applied).map(|one| one.name.clone()).collect();
        match (listed[at].is_applied == is_up, more.is_empty()) {
            (true, true) => Ok(()),
            (true, false) => Err(self.did(
                argv,
                &format!("{} is applied too; expected only {}", names_text(&more), names_text(&step.names)),
            )),
            (false, _) => Err(self.did(argv, &format!("it changed nothing; expected {}", names_text(&step.names)))),
        }
    }

    /// Takes all steps in the direction of `script`, the first of them, by one start of the tool; `None` where it has no
    /// command for that.
    pub(super) async fn all(
        &self,
        scratch: &Scratch,
        database: &Database,
        script: &Script,
    ) -> Option<Result<(), (String, Failure)>> {
        let is_up = script.step.as_ref().is_some_and(|step| step.direction == Direction::Up);
        let argv = self.config.all(is_up)?;
        let Err(stopped) = self.execute(scratch, database, &argv, None).await else { return Some(Ok(())) };
        // It stopped at the next one in its direction.
        let listed = self.list(scratch, database).await.unwrap_or_default();
        let next = if is_up { names(&listed, false).into_iter().next() } else { names(&listed, true).pop() };
        let name = next.unwrap_or_else(|| script.file.clone());
        Some(Err((name, Failure::of_command(script, &stopped.line, &stopped.said, stopped.why))))
    }

    /// States what a command did that it was not meant to do.
    fn did(&self, argv: &[String], printed: &str) -> Stopped {
        Stopped { line: self.config.shown(argv), said: printed.to_owned(), why: FailureCause::Refused }
    }

    fn read(&self, argv: &[String], printed: &str) -> Result<Vec<Listed>, Stopped> {
        listed(printed).map_err(|error| self.did(argv, &error.to_string()))
    }

    async fn up(&self, scratch: &Scratch, database: &Database, step: &Step) -> Result<(), Stopped> {
        let argv = &self.config.up;
        let before: BTreeSet<String> = names(&self.list(scratch, database).await?, true).into_iter().collect();
        self.execute(scratch, database, argv, step.names.first()).await?;
        let after = names(&self.list(scratch, database).await?, true);
        let new: Vec<String> = after.into_iter().filter(|name| !before.contains(name)).collect();
        if new == step.names {
            return Ok(());
        }
        Err(self.did(argv, &format!("it applied {}; expected {}", names_text(&new), names_text(&step.names))))
    }

    /// Goes back until nothing of the step is applied: a tool may roll back one migration at a time that it applied
    /// together.
    async fn down(&self, scratch: &Scratch, database: &Database, step: &Step) -> Result<(), Stopped> {
        let argv = &self.config.down;
        let mut applied = names(&self.list(scratch, database).await?, true);
        let kept: Vec<String> = applied.iter().filter(|name| !step.names.contains(name)).cloned().collect();
        while applied != kept {
            self.execute(scratch, database, argv, step.names.last()).await?;
            let now = names(&self.list(scratch, database).await?, true);
            if now.len() >= applied.len() {
                return Err(self.did(argv, &format!("it reverted nothing; expected {}", names_text(&step.names))));
            }
            let lost: Vec<String> = kept.iter().filter(|name| !now.contains(name)).cloned().collect();
            if !lost.is_empty() {
                let message =
                    format!("it also reverted {}; expected only {}", names_text(&lost), names_text(&step.names));
                return Err(self.did(argv, &message));
            }
            applied = now;
        }
        Ok(())
    }

    async fn list(&self, scratch: &Scratch, database: &Database) -> Result<Vec<Listed>, Stopped> {
        let printed = self.execute(scratch, database, &self.config.status, None).await?;
        self.read(&self.config.status, &printed)
    }

    /// Runs a command and returns what it printed.
    async fn execute(
        &self,
        scratch: &Scratch,
        database: &Database,
        argv: &[String],
        next: Option<&String>,
    ) -> Result<String, Stopped> {
        let argv = filled(argv, next);
        let line = self.config.shown(&argv);
        let argv = [self.interpreter(), argv].concat();
        let cannot = |said: String| Stopped { line: line.clone(), said, why: FailureCause::Unreadable };
        let result = match (&self.config.service, &self.model) {
            (Some(service), Some(model)) => {
                let none = "commands in a service need a scratch server in a container; start Docker";
                let (container, reach) = scratch.reach_inside(database).ok_or_else(|| cannot(none.to_owned()))?;
                if !model.has(service) {
                    return Err(cannot(format!("the compose model has no service `{service}`")));
                }
                let (key, value) = scratch.label();
                let project = format!("{container}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
                let model = model.within(service, container, &project).labelled(key, value);
                self.in_service(&model, service, &project, &argv, &reach).await
            }
            _ => {
                let reach = scratch.reach(database);
                let reach = reach.ok_or_else(|| cannot("the scratch server has no address".to_owned()))?;
                self.on_host(&argv, &reach).await
            }
        };
        let output = result.map_err(|error| stopped(&line, &error))?;
        if output.code == 0 {
            return Ok(output.stdout);
        }
        let said = self.mask_for(scratch, database).apply(&last_words(&output));
        let why = FailureCause::of_words(&said);
        Err(Stopped { said: format!("exit code {}: {said}", output.code), line, why })
    }

    /// Returns what stands in front of a driver: the interpreter that is configured, of the folder, or of the host or image.
    fn interpreter(&self) -> Vec<String> {
        let Some(tool) = self.config.tool.filter(|_| self.config.program.is_empty()) else {
            return self.config.program.clone();
        };
        let (own, of_host, of_image) = tool.interpreters();
        if self.config.service.is_some() {
            return vec![of_image.to_owned()];
        }
        let found = own.iter().find(|path| self.dir.join(path).exists());
        vec![(*found.unwrap_or(&of_host)).to_owned()]
    }

    async fn on_host(&self, argv: &[String], reach: &Reach) -> Result<stagegate_host::process::Output, RunError> {
        let (program, arguments) = argv.split_first().map_or(("", argv), |(program, rest)| (program.as_str(), rest));
        // A path with a slash is meant from the folder that the command runs in.
        let inside = self.dir.join(program);
        let program = if program.contains('/') { inside.to_string_lossy().into_owned() } else { program.to_owned() };
        let mut command = Command::new(&program).args(arguments.iter().cloned()).in_dir(&self.dir);
        command.env = reach.variables(&self.config.url_variable);
        Runner::default().with_mask(self.mask(reach)).run(&command, self.within).await
    }

    async fn in_service(
        &self,
        model: &Model,
        service: &str,
        project: &str,
        argv: &[String],
        reach: &Reach,
    ) -> Result<stagegate_host::process::Output, RunError> {
        let runner = Runner::default().with_mask(self.mask(reach));
        let path = std::env::temp_dir().join(format!("{project}.json"));
        let variables = reach.variables(&self.config.url_variable);
        let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
        let mut command = compose::run_command(project, &path, service, project, &names, argv);
        command.env.clone_from(&variables);
        let written = private(&path, &model.to_json());
        let result = match written {
            Ok(()) => runner.run(&command, self.within).await,
            Err(source) => Err(RunError::Stream { line: path.display().to_string(), source }),
        };
        let _ = fs::remove_file(&path);
        if matches!(result, Err(RunError::TimedOut { .. })) {
            // The client is dead, its container is not.
            let _ = runner.run(&docker::remove(project), REMOVED_WITHIN).await;
        }
        result
    }

    fn mask(&self, reach: &Reach) -> Mask {
        Mask::new(self.secrets.iter().cloned().chain(reach.password.clone()).chain([reach.url()]))
    }

    fn mask_for(&self, scratch: &Scratch, database: &Database) -> Mask {
        scratch.reach(database).map_or_else(|| Mask::new(self.secrets.clone()), |reach| self.mask(&reach))
    }

    /// Ends what a killed command left in the server.
    async fn end_sessions(&self, scratch: &Scratch, database: &Database) {
        let Ok(client) = scratch.session(database).await else { return };
        let end = "select pg_terminate_backend(pid) from pg_stat_activity \
                   where datname = current_database() and application_name <> 'stagegate/scratch'";
        // A session that stays is ended with its database.
        let _ = client.batch_execute(end).await;
    }
}

fn private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    files::private_file(path)?.write_all(text.as_bytes())
}

fn names(listed: &[Listed], applied: bool) -> Vec<String> {
    listed.iter().filter(|one| one.is_applied == applied).map(|one| one.name.clone()).collect()
}

fn names_text(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn filled(argv: &[String], next: Option<&String>) -> Vec<String> {
    let Some(name) = next else { return argv.to_vec() };
    argv.iter().map(|word| word.replace("{version}", version_of(name)).replace("{name}", name)).collect()
}

fn stopped(line: &str, error: &RunError) -> Stopped {
    let why =
        if matches!(error, RunError::TimedOut { .. }) { FailureCause::TimedOut } else { FailureCause::Unreadable };
    Stopped { line: line.to_owned(), said: with_causes(error), why }
}

/// Returns the last lines that say something.
fn last_words(output: &stagegate_host::process::Output) -> String {
    let printed = if output.stderr.trim().is_empty() { &output.stdout } else { &output.stderr };
    let lines: Vec<&str> = printed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join(" | ")
}
