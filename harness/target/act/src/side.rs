//! The host's side: what the copy of this program does there for one on another machine.
//!
//! A request is one line on standard input, with data behind it; the events go to standard output, which may close at any
//! moment. A run is detached from it ([`supervise`]) and writes to files.

mod confirm;
mod product;
mod receive;
mod run;

use std::{
    io::{self, BufRead, Write},
    path::Path,
};

use stagegate_host::error::chain;
use stagegate_target_decide::{Envelope, Event, PROTOCOL, Request};

pub use run::{RUN_VARIABLE, supervise};

use product::Product;

/// Why a request was refused; nothing was done then, or what was done is whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SideError {
    /// The product was never sent.
    #[error("there is no checkout")]
    NoCheckout,
    /// Something else, with the next command.
    #[error("{0}")]
    Refused(String),
    /// git on the host.
    #[error(transparent)]
    Run(#[from] stagegate_host::process::RunError),
    /// A file on the host.
    #[error("cannot use {what}")]
    File {
        /// The file.
        what: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The other machine is gone.
    #[error("the connection has ended")]
    Gone,
}

impl SideError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = path.display().to_string();
        move |source| SideError::File { what, source }
    }
}

/// Carries out the one request on standard input.
pub async fn serve() {
    let ended = request().await;
    let event = match ended {
        Ok(()) | Err(SideError::Gone) => return,
        Err(SideError::NoCheckout) => Event::NoCheckout,
        Err(error) => Event::Refused { reason: chain(&error) },
    };
    let _ = report(&event);
}

async fn request() -> Result<(), SideError> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|_| SideError::Gone)?;
    let envelope: Envelope = serde_json::from_str(&line).map_err(|error| {
        SideError::Refused(format!("the request cannot be read ({error}); both machines need the same gate"))
    })?;
    if envelope.protocol != PROTOCOL {
        let text = format!("protocol {} was requested, and this gate speaks {PROTOCOL}", envelope.protocol);
        return Err(SideError::Refused(format!("{text}; `gate host upgrade NAME`")));
    }
    let product = Product::named(&envelope.product)?;
    match envelope.request {
        Request::Releases { objects, names } => receive::releases(&product, &objects, &names).await,
        Request::Receive { pack, commits, tags, release, checkout, replace } => {
            let wanted = receive::Wanted { commits, tags, release, checkout, replace };
            receive::receive(&product, pack, &wanted).await
        }
        Request::EnvFile { path, sha256 } => receive::env_file(&product, Path::new(&path), &sha256),
        Request::Start { args, environment } => run::start(&product, args, environment).await,
        Request::Follow { run, output, messages } => run::follow(&product, run.as_deref(), (output, messages)).await,
        Request::Interrupt { run } => run::interrupt(&product, run.as_deref()),
        Request::Confirm { run, environment } => confirm::confirm(&product, run, &environment).await,
    }
}

/// Writes an event; fails where nobody reads it any more.
pub(crate) fn report(event: &Event) -> Result<(), SideError> {
    let line = serde_json::to_string(event).map_err(|_| SideError::Gone)?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(|_| SideError::Gone)
}
