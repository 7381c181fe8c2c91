//! What can go wrong with a host.

use std::time::Duration;

use stagegate_host::{git::GitError, process::RunError};
use stagegate_target_decide::Problem;

/// What did not work on a host, or on the way to it. Nothing of an environment was changed unless it reports so.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// `ssh` could not connect, or lost the connection.
    #[error(transparent)]
    Ssh(#[from] Problem),
    /// It connected, or tried to, and nothing came.
    #[error("{host} did not respond within {} s; `{login} true` shows whether a login works at all", within.as_secs())]
    Silent {
        /// The host.
        host: String,
        /// How a person logs in.
        login: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// The login runs something else than a command.
    #[error(
        "{host}: expected the output of a script, found `{instead}`: the login does not run commands (a ForceCommand, or a \
         login shell that is none); `{login} echo works` must print `works`"
    )]
    NoAnswer {
        /// The host.
        host: String,
        /// How a person logs in.
        login: String,
        /// The first lines of what it printed.
        instead: String,
    },
    /// The program cannot run there.
    #[error("this program cannot run on {host}: {reason}; {fix}")]
    Unfit {
        /// The host.
        host: String,
        /// Why.
        reason: String,
        /// What to do.
        fix: String,
    },
    /// The copy did not arrive.
    #[error(
        "{host}: the program could not be copied: {reason}; what was there before is unchanged, `gate host check {environment}` \
         shows the free space"
    )]
    Copy {
        /// The host.
        host: String,
        /// What the host printed.
        reason: String,
        /// The environment, for the next command.
        environment: String,
    },
    /// There is no copy of the program.
    #[error("{host} has no gate yet; `gate host add {environment}` copies this program")]
    Absent {
        /// The host.
        host: String,
        /// The environment, for the next command.
        environment: String,
    },
    /// The copy of the program does not understand this one.
    #[error(
        "{host}: its gate does not understand this one ({found}); `gate host upgrade {environment}` copies this program"
    )]
    OtherGate {
        /// The host.
        host: String,
        /// What it printed.
        found: String,
        /// The environment, for the next command.
        environment: String,
    },
    /// The product was never sent there.
    #[error("{host} has no checkout of this product yet; `gate host upgrade {environment}` sends it")]
    NoCheckout {
        /// The host.
        host: String,
        /// The environment, for the next command.
        environment: String,
    },
    /// The host refused a request.
    #[error("{host}: {reason}")]
    Refused {
        /// The host.
        host: String,
        /// Why, and the next command.
        reason: String,
    },
    /// The connection ended while a run was followed; the run goes on.
    #[error(
        "the connection to {host} is lost; run {run} goes on there: `gate attach {run} --env {environment}` follows it again"
    )]
    Lost {
        /// The host.
        host: String,
        /// The run.
        run: String,
        /// The environment, for the next command.
        environment: String,
    },
    /// The repository on this machine has only a part of its history.
    #[error("this repository is a shallow clone, and a host needs whole releases; `git fetch --unshallow` first")]
    Shallow,
    /// The product is a folder of a larger repository.
    #[error(
        "the product is the folder {subfolder} of its repository, which is supported on this machine only; run gate on the host, \
         in a clone there"
    )]
    InSubfolder {
        /// The product's folder, relative to the repository's top.
        subfolder: String,
    },
    /// git on this machine.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A program on this machine.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file on this machine.
    #[error("cannot {what}")]
    File {
        /// What was done with which file.
        what: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl HostError {
    /// Makes the error of a file: `what` is "read x" or "write x".
    pub(crate) fn file(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| HostError::File { what, source }
    }
}
