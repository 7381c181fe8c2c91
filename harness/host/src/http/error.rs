//! Why there is no answer, told by the side that failed.

use std::{error::Error, io, time::Duration};

use reqwest::Url;

/// Why there is no whole response.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Nobody listens there.
    #[error("cannot connect to {target}: connection refused")]
    Refused {
        /// Host and port.
        target: String,
    },
    /// No connection came about.
    #[error("cannot connect to {target}{}", within.map(|t| format!(" within {t:?}")).unwrap_or_default())]
    NoConnection {
        /// Host and port.
        target: String,
        /// The time that was given, where that is what ran out.
        within: Option<Duration>,
        /// The system's answer.
        #[source]
        source: reqwest::Error,
    },
    /// There was no address to ask.
    #[error("the service has no address to send the request to")]
    NoAddress,
    /// The deadline came first.
    #[error("{target} sent no complete response within {within:?}{}", so_far(*.read))]
    TooSlow {
        /// Host and port.
        target: String,
        /// The deadline.
        within: Duration,
        /// Bytes of the body that were there; `None` where not even the status was.
        read: Option<usize>,
    },
    /// The connection was closed before the status and headers were there, or they were no HTTP.
    #[error("{target} sent no HTTP response")]
    NotHttp {
        /// Host and port.
        target: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The body is shorter than announced, or its chunks are broken.
    #[error("the response of {target} ended early, after {read} bytes of the body")]
    BrokeOff {
        /// Host and port.
        target: String,
        /// Bytes of the body that were there.
        read: usize,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The request itself is wrong: method, URL or a header.
    #[error("`{line}` cannot be sent as a request")]
    Request {
        /// Method and URL.
        line: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// No client could be made.
    #[error("the HTTP client could not be created")]
    Client(#[source] reqwest::Error),
}

impl HttpError {
    /// Returns whether no connection came about, so that another address may be tried.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(self, HttpError::Refused { .. } | HttpError::NoConnection { .. })
    }

    pub(super) fn of(error: reqwest::Error, target: &str, connect_within: Duration) -> Self {
        let source = error.without_url();
        let target = target.to_owned();
        if !source.is_connect() {
            return HttpError::NotHttp { target, source };
        }
        if refused(&source) {
            return HttpError::Refused { target };
        }
        let within = source.is_timeout().then_some(connect_within);
        HttpError::NoConnection { target, within, source }
    }
}

fn so_far(read: Option<usize>) -> String {
    match read {
        None => "; no status was received".to_owned(),
        Some(bytes) => format!("; {bytes} bytes of the body were received"),
    }
}

fn refused(error: &reqwest::Error) -> bool {
    std::iter::successors(error.source(), |cause| (*cause).source())
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::ConnectionRefused)
}

/// Returns host and port: what an operator can look for, and never a password.
pub(super) fn target(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns a URL that did not parse without what stands before its last `@`.
pub(super) fn without_userinfo(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, rest)| rest)
}
