//! `gate dashboard`: the pages of `gate report` and the metrics over HTTP. It reads files, and neither Docker nor a database.

use std::{path::Path, sync::Arc};

use stagegate_base::{config::Config, exit::Exit, redact::Secret};
use stagegate_host::signal::{self, Again};
use stagegate_watch_act::{Access, Page, Pages, Serving, serve};

use super::{metrics, readings, report};
use crate::{
    cli,
    failure::{Failure, print_message},
};

/// Shorter ones can be guessed.
const TOKEN_BYTES: usize = 16;

struct Live {
    config: Arc<Config>,
    days: u32,
}

impl Pages for Live {
    async fn page(&self, path: String) -> Option<Page> {
        let (config, days) = (Arc::clone(&self.config), self.days);
        let handle = tokio::runtime::Handle::current();
        // Files are read while others are served.
        let made = tokio::task::spawn_blocking(move || handle.block_on(made(&config, &path, days))).await;
        match made {
            Ok(Ok(page)) => page,
            Ok(Err(failure)) => {
                print_message(&failure.text());
                None
            }
            Err(_) => None,
        }
    }

    fn version(&self) -> u64 {
        readings::version(&self.config)
    }
}

async fn made(config: &Config, path: &str, days: u32) -> Result<Option<Page>, Failure> {
    if path == "metrics" {
        let text = metrics::written(config, None, days).await?;
        return Ok(Some(Page { media: "text/plain; version=0.0.4; charset=utf-8", text }));
    }
    let page = report::page_at(config, path, days).await?;
    Ok(page.map(|text| Page { media: "text/html; charset=utf-8", text }))
}

pub(super) async fn run(config: &Arc<Config>, args: cli::Dashboard) -> Result<Exit, Failure> {
    let token = args.token_file.as_deref().map(token).transpose()?;
    let address = args.listen.ip();
    if token.is_none() && !address.is_loopback() {
        return Err(Failure::usage(format!(
            "--listen {}: other machines reach this address: name a file with a token of \
             {TOKEN_BYTES} characters or more with --token-file, or listen at 127.0.0.1",
            args.listen
        )));
    }
    let shown = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
    let own = ["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned(), shown];
    let mut hosts: Vec<String> =
        own.into_iter().chain(args.host.iter().map(|host| host.to_ascii_lowercase())).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let serving = Serving { listen: args.listen, access: Access { hosts, token } };
    let signals = signal::listen(Again::Ends);
    let until = async move { signals.first().await };
    let live = Live { config: Arc::clone(config), days: args.days };
    let started = |at: std::net::SocketAddr| print_message(&format!("dashboard at http://{at}/ (stop with Ctrl-C)"));
    let listening = serve(live, serving, until, started).await;
    let text =
        |error| Failure::not_run(format!("cannot listen at {}: {error}; --listen takes another address", args.listen));
    listening.map_err(text)?;
    Ok(Exit::Passed)
}

/// Reads the token: the file's first line.
fn token(file: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(file).map_err(Failure::reading(file))?;
    let token = text.lines().next().unwrap_or_default().trim();
    if token.len() < TOKEN_BYTES {
        return Err(Failure::usage(format!(
            "{}: expected a token of {TOKEN_BYTES} characters or more in the first line, found {}; `openssl rand -hex 24` makes one",
            file.display(),
            token.len()
        )));
    }
    Ok(Secret::new(token))
}
