//! Commands as plain values: a program and its arguments. Only `stagegate_host::process` runs them.

pub mod age;
pub mod compose;
pub mod docker;
pub mod git;
pub mod postgres;
pub mod rclone;
pub mod restic;
pub mod variables;

use std::path::{Path, PathBuf};

use crate::redact::Secret;

/// A program to run, with arguments; never a shell string.
///
/// Secrets travel in `env`, never in `args`: arguments are seen by every user of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program's name, looked up on PATH.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables that are set for it next to those of this process.
    pub env: Vec<(String, Secret)>,
    /// The folder it runs in; that of this process where `None`.
    pub dir: Option<PathBuf>,
    /// Which variables of this process it gets.
    pub inherits: Inherits,
}

/// Which variables of the caller a program gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inherits {
    /// All.
    #[default]
    Everything,
    /// Those by which Docker finds its Engine and its files ([`variables::is_passed_on`]): the rest would be configuration.
    DockerOnly,
}

impl Command {
    /// Starts a command without arguments.
    #[must_use]
    pub fn new(program: &str) -> Self {
        Command {
            program: program.to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            inherits: Inherits::Everything,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments in order.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: Into<String>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds a path as one argument.
    #[must_use]
    pub fn path(self, path: &Path) -> Self {
        self.arg(path.to_string_lossy().into_owned())
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.env.push((key.to_owned(), Secret::new(value)));
        self
    }

    /// Hands on only what Docker needs of the caller's variables.
    #[must_use]
    pub fn without_caller(mut self) -> Self {
        self.inherits = Inherits::DockerOnly;
        self
    }

    /// Runs it in `dir`.
    #[must_use]
    pub fn in_dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_path_buf());
        self
    }

    /// Returns what a person calls it, without arguments: `docker compose up`, `pg_dump` in a container, `git`.
    #[must_use]
    pub fn title(&self) -> String {
        const DATABASE: [&str; 4] = ["pg_dump", "pg_dumpall", "pg_restore", "psql"];
        let words: Vec<&str> = self.args.iter().map(String::as_str).collect();
        if let Some(inner) = words.iter().find(|word| DATABASE.contains(word)) {
            return (*inner).to_owned();
        }
        let verb = match words.split_first() {
            Some((&"compose", rest)) => {
                rest.iter().find(|word| compose::VERBS.contains(word)).map(|verb| format!("compose {verb}"))
            }
            Some((first, _)) if self.program == "docker" => Some((*first).to_owned()),
            _ => None,
        };
        verb.map_or_else(|| self.program.clone(), |verb| format!("{} {verb}", self.program))
    }

    /// Returns the line that a person would type, without variables.
    #[must_use]
    pub fn line(&self) -> String {
        let mut words = vec![self.program.clone()];
        words.extend(self.args.iter().map(|arg| quoted(arg)));
        words.join(" ")
    }
}

fn quoted(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) { arg.to_owned() } else { format!("'{}'", arg.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::compose(compose::version(), "docker compose version")]
    #[case::docker(Command::new("docker").args(["pull", "postgres:17"]), "docker pull")]
    #[case::in_a_container(Command::new("docker").args(["exec", "-i", "db", "pg_restore", "-d", "x"]), "pg_restore")]
    #[case::any(Command::new("git").args(["-C", "/srv", "status"]).in_dir(Path::new("/srv")), "git")]
    fn a_command_is_called_by_its_verb(#[case] command: Command, #[case] want: &str) {
        assert_eq!(command.title(), want);
    }
}
