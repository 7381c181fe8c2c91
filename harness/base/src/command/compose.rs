//! Compose's argument lists.

use std::path::{Path, PathBuf};

use super::Command;

/// The files that Compose resolves for an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The project's name, always given: a name taken from the folder would change with it, and with it the volumes.
    pub project: String,
    /// The folder that relative paths in the files are meant from.
    pub dir: PathBuf,
    /// Compose files, absolute.
    pub files: Vec<PathBuf>,
    /// Env files, absolute; later ones win.
    pub env_files: Vec<PathBuf>,
}

/// Compose's commands that gate runs.
pub(super) const VERBS: [&str; 11] =
    ["build", "config", "create", "down", "logs", "pull", "run", "start", "stop", "up", "version"];

fn compose(project: &str) -> Command {
    let command = Command::new("docker").without_caller();
    command.args(["compose", "--ansi", "never", "--progress", "plain", "--project-name", project])
}

fn of_source(source: &Source) -> Command {
    let mut command = compose(&source.project).arg("--project-directory").path(&source.dir).in_dir(&source.dir);
    for file in &source.env_files {
        command = command.arg("--env-file").path(file);
    }
    for file in &source.files {
        command = command.arg("--file").path(file);
    }
    command
}

fn of_model(project: &str, model: &Path) -> Command {
    compose(project).arg("--file").path(model)
}

/// Prints the resolved model as JSON, services with a profile included.
#[must_use]
pub fn config(source: &Source) -> Command {
    of_source(source).args(["--profile", "*", "config", "--format", "json"])
}

/// Prints the resolved model as JSON, only with the services that `up` starts: files that others name need not exist.
#[must_use]
pub fn config_of_active(source: &Source) -> Command {
    of_source(source).args(["config", "--format", "json"])
}

/// Prints the names of the services that `up` starts: those without a profile, and those of active profiles.
#[must_use]
pub fn active(source: &Source) -> Command {
    of_source(source).args(["config", "--services"])
}

/// Prints the model of one file with the environment of another source, as JSON.
#[must_use]
pub fn config_of(source: &Source, file: &Path) -> Command {
    config(&Source { files: vec![file.to_path_buf()], ..source.clone() })
}

/// Builds the images of some services, whatever their profiles.
///
/// Without the attestations that buildx adds by itself: they have the time of the build, and where the Engine keeps images in
/// containerd (the default since Engine 29) an image's id covers them, so that the same files would make another image each
/// time. What `build.provenance` and `build.sbom` of a service require is added.
#[must_use]
pub fn build(source: &Source, services: &[String]) -> Command {
    of_source(source)
        .args(["--profile", "*", "build"])
        .args(services.iter().cloned())
        .env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1")
}

/// What becomes of containers of the project whose service is not in the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphans {
    /// They are removed.
    Remove,
    /// They stay: somebody else may have started them.
    Leave,
}

/// Starts the services of a frozen model; nothing is built or pulled.
///
/// There is no `--wait`: it succeeds for a crash loop without a healthcheck and ill for a one-shot service that
/// succeeded, so the caller asks the Engine instead.
#[must_use]
pub fn up(project: &str, model: &Path, orphans: Orphans) -> Command {
    let command = of_model(project, model).args(["up", "--detach", "--no-build", "--pull", "never"]);
    match orphans {
        Orphans::Remove => command.arg("--remove-orphans"),
        Orphans::Leave => command,
    }
}

/// Starts some services of a frozen model and what they depend on.
#[must_use]
pub fn up_services(project: &str, model: &Path, services: &[String]) -> Command {
    of_model(project, model).args(["up", "--detach", "--no-build", "--pull", "never"]).args(services.iter().cloned())
}

/// Starts some services of a frozen model: what they depend on, and all others, stay as they are.
#[must_use]
pub fn up_alone(project: &str, model: &Path, services: &[String]) -> Command {
    up_services(project, model, services).arg("--no-deps")
}

/// Starts a second container of each service, as the model has it; containers that are there stay as they are.
#[must_use]
pub fn up_side_by_side(project: &str, model: &Path, services: &[String]) -> Command {
    let command = of_model(project, model).args(["up", "--detach", "--no-build", "--pull", "never", "--no-recreate"]);
    let scales = services.iter().flat_map(|service| ["--scale".to_owned(), format!("{service}=2")]);
    command.args(scales).args(services.iter().cloned())
}

/// Stops services, in the model's order.
#[must_use]
pub fn stop(project: &str, model: &Path, services: &[String]) -> Command {
    of_model(project, model).arg("stop").args(services.iter().cloned())
}

/// Restarts services without making their containers anew.
#[must_use]
pub fn restart(project: &str, model: &Path, services: &[String]) -> Command {
    of_model(project, model).arg("restart").args(services.iter().cloned())
}

/// Seconds that a copy's services have to stop, whatever their files grant them: the copy is removed afterwards.
pub const COPY_STOPS_IN: u64 = 10;

/// Stops services that need time to write what they hold to disk.
#[must_use]
pub fn stop_within(project: &str, model: &Path, services: &[String], seconds: u64) -> Command {
    of_model(project, model).args(["stop", "--timeout"]).arg(seconds.to_string()).args(services.iter().cloned())
}

/// Runs a one-shot service under a name of ours, without starting others; the variables in `names` are handed on from the
/// caller's own.
#[must_use]
pub fn run_once(project: &str, model: &Path, service: &str, name: &str, names: &[&str]) -> Command {
    let command = of_model(project, model).args(["run", "--rm", "--no-deps", "--no-TTY", "--name", name]);
    names.iter().fold(command, |command, name| command.args(["--env", name])).arg(service)
}

/// Runs a command in a service's image under a name of ours, without starting others; the variables in `names` are
/// handed on from the caller's own.
#[must_use]
pub fn run_command(project: &str, model: &Path, service: &str, name: &str, names: &[&str], argv: &[String]) -> Command {
    let mut command = of_model(project, model).args(["run", "--rm", "--no-deps", "--no-TTY", "--name", name]);
    for name in names {
        command = command.args(["--env", name]);
    }
    let (program, arguments) = argv.split_first().map_or(("", argv), |(program, rest)| (program.as_str(), rest));
    command.args(["--entrypoint", program, service]).args(arguments.iter().cloned())
}

/// Takes the project's containers and networks away, and its volumes where asked.
#[must_use]
pub fn down(project: &str, volumes: bool) -> Command {
    // A compose file of the caller's folder would be read, and may be another product's.
    let command = compose(project).in_dir(Path::new("/")).args(["down", "--remove-orphans"]);
    if volumes { command.arg("--volumes") } else { command }
}

/// Takes a copy's containers, networks and volumes away at once: nobody needs what they would write as they stop.
#[must_use]
pub fn remove_copy(project: &str) -> Command {
    down(project, true).args(["--timeout", "0"])
}

/// Prints the last log lines of the containers that a project has, whoever made them.
#[must_use]
pub fn logs(project: &str, services: &[String], tail: u32, follow: bool) -> Command {
    // Without a file Compose takes the containers' own labels; not in a folder of the user's, whose file it would take.
    let command = compose(project).in_dir(Path::new("/")).args(["logs", "--no-color", "--tail"]).arg(tail.to_string());
    let command = if follow { command.arg("--follow") } else { command };
    command.args(services.iter().cloned())
}

/// Prints Compose's version, such as `2.26.1`.
#[must_use]
pub fn version() -> Command {
    Command::new("docker").args(["compose", "version", "--short"])
}
