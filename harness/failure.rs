//! Why a command did not do its work, and what a person reads of it.

use std::{error::Error, io::Write, path::Path};

pub(crate) use stagegate_base::exit::Cause;
use stagegate_base::{
    config::ConfigError,
    exit::Exit,
    report::{Colour, shown},
    text::json_escaped,
};
use stagegate_host::error::chain;

use crate::screen::{self, colour};

/// What wraps the text or error that a command failed with.
type Source = Box<dyn Error + Send + Sync>;

/// Why a command did not do its work: the cause decides the exit code, the error is what a person reads.
#[derive(Debug)]
pub(crate) struct Failure {
    cause: Cause,
    error: Source,
    /// The mistakes of a configuration file with their lines, in the error's place.
    rendered: Option<String>,
}

/// Names the cause of an error. Without it `?` does not take an error, so that none gets an exit code by accident.
pub(crate) trait Classify {
    /// Returns what made it happen.
    fn class(&self) -> Cause;

    /// Returns the error of a configuration file, where it is one: it is shown with the lines of the file.
    fn config(&self) -> Option<&ConfigError> {
        None
    }
}

/// A file that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {path}")]
struct FileError {
    verb: &'static str,
    path: String,
    source: std::io::Error,
}

/// A text with the error that it is about.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Context {
    text: String,
    source: Source,
}

impl Failure {
    pub(crate) fn new(cause: Cause, error: impl Into<Source>) -> Self {
        Failure { cause, error: error.into(), rendered: None }
    }

    pub(crate) fn usage(error: impl Into<Source>) -> Self {
        Self::new(Cause::Usage, error)
    }

    pub(crate) fn configuration(error: impl Into<Source>) -> Self {
        Self::new(Cause::Configuration, error)
    }

    pub(crate) fn not_run(error: impl Into<Source>) -> Self {
        Self::new(Cause::NotRun, error)
    }

    pub(crate) fn blocked(error: impl Into<Source>) -> Self {
        Self::new(Cause::Blocked, error)
    }

    pub(crate) fn manual(error: impl Into<Source>) -> Self {
        Self::new(Cause::ManualAction, error)
    }

    pub(crate) fn interrupted(error: impl Into<Source>) -> Self {
        Self::new(Cause::Interrupted, error)
    }

    pub(crate) fn unexpected(error: impl Into<Source>) -> Self {
        Self::new(Cause::Unexpected, error)
    }

    /// Makes the failure of a file that somebody named for reading: one that does not exist is a wrong command line.
    pub(crate) fn reading(path: &Path) -> impl Fn(std::io::Error) -> Failure {
        Self::with_file("read", path)
    }

    /// Makes the failure of a file that cannot be written.
    pub(crate) fn writing(path: &Path) -> impl Fn(std::io::Error) -> Failure {
        Self::with_file("write", path)
    }

    fn with_file(verb: &'static str, path: &Path) -> impl Fn(std::io::Error) -> Failure {
        let path = path.display().to_string();
        move |source| {
            use std::io::ErrorKind::{InvalidData, IsADirectory, NotFound};
            let is_wrong = verb == "read" && matches!(source.kind(), NotFound | InvalidData | IsADirectory);
            let cause = if is_wrong { Cause::Usage } else { Cause::File };
            Failure::new(cause, FileError { verb, path: path.clone(), source })
        }
    }

    /// Returns the failure with what it means in front; the error becomes its cause.
    pub(crate) fn context(self, text: impl Into<String>) -> Self {
        Failure { error: Box::new(Context { text: text.into(), source: self.error }), ..Failure::new(self.cause, "") }
    }

    /// Returns what made it happen.
    pub(crate) fn cause(&self) -> Cause {
        self.cause
    }

    pub(crate) fn exit(&self) -> Exit {
        self.cause.exit()
    }

    /// Returns the error and its causes, indented; for a bug also what to report.
    pub(crate) fn text(&self) -> String {
        let text = self.rendered.clone().unwrap_or_else(|| chain(self.error.as_ref()));
        if self.cause == Cause::Unexpected { format!("{text}\n{}", report_request()) } else { text }
    }
}

impl<E: Classify + Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let rendered = error.config().map(ConfigError::rendered);
        Failure { rendered, ..Failure::new(error.class(), error) }
    }
}

/// Returns what a person who met a bug is to report: the command and the version. No option of gate takes a secret.
pub(crate) fn report_request() -> String {
    let command: Vec<String> = std::env::args().skip(1).collect();
    format!(
        "this is a bug in gate; please report it with the lines above at {}/issues\n  command: gate {}\n  version: {} \
         ({}, {})",
        env!("CARGO_PKG_REPOSITORY"),
        command.join(" "),
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}

/// Returns an outcome that was to be written down: where both failed, the outcome is the error and the other one is printed.
pub(crate) fn outcome_first<T>(
    done: Result<T, Failure>,
    written: Result<(), impl Into<Failure>>,
) -> Result<T, Failure> {
    match (done, written) {
        (Ok(done), written) => written.map(|()| done).map_err(Into::into),
        (Err(failure), Ok(())) => Err(failure),
        (Err(failure), Err(error)) => {
            let error: Failure = error.into();
            print_message(&format!("the outcome could not be written down: {}", error.text()));
            Err(failure)
        }
    }
}

/// Prints something for the person: on standard error, since standard output is for what was requested.
///
/// Here, and in [`print_result`], whatever a service, a migration or a file put into the text loses what a terminal or a job's log
/// would obey.
pub(crate) fn print_message(text: &str) {
    to_stderr(&shown(text, colour(&std::io::stderr())));
}

/// Prints what was requested, for a person. A reader that went away (`| head`) is no error.
pub(crate) fn print_result(text: &str) {
    to_stdout(&shown(text.trim_end_matches('\n'), colour(&std::io::stdout())));
}

/// Hands on what another machine printed, as it is but for what a terminal would obey.
pub(crate) fn print_to(to: &mut impl Write, text: &str) {
    screen::printing(|| {
        let _ = to.write_all(shown(text, Colour::Plain).as_bytes());
        let _ = to.flush();
    });
}

/// Prints what was requested, as JSON: one line, or one a value.
pub(crate) fn give_json(text: &str) {
    give_document(&json_escaped(text));
}

/// Prints a document of a format that made its text harmless by itself.
pub(crate) fn give_document(text: &str) {
    to_stdout(text.trim_end_matches('\n'));
}

/// Prints a workflow command of our own, which a job of GitHub obeys.
pub(crate) fn command_the_job(text: &str) {
    to_stderr(text);
}

fn to_stdout(text: &str) {
    screen::printing(|| drop(writeln!(std::io::stdout(), "{text}")));
}

fn to_stderr(text: &str) {
    screen::printing(|| drop(writeln!(std::io::stderr(), "{text}")));
}
