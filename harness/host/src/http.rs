//! HTTP requests that always end: what a service responded, as facts.
//!
//! Every request has one deadline for all of it, from the first packet to the last byte of the body; a body is
//! cut at a cap, redirects are facts and never followed, and no proxy of the machine is used. What the response
//! means is decided elsewhere.

mod error;

use std::{
    net::SocketAddr,
    sync::OnceLock,
    time::{Duration, Instant},
};

use reqwest::{Client, Method, Response, header::HeaderMap, redirect::Policy};
use tokio::time::{Instant as Moment, timeout_at};

pub use error::HttpError;

/// How much of a body is kept.
pub const BODY_CAP: usize = 1 << 20;
/// How long a request may take, all of it.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// How long a connection may take to be there, so that one dead address leaves time for the next.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How many headers a response may have.
const HEADERS: usize = 128;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method, such as `GET`.
    pub method: String,
    /// Path and query, from the slash; used with an address.
    pub path: String,
    /// Headers, `Host` included where it matters.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// Makes a request without headers or body; `path` may hold a query.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Request { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: None }
    }

    /// Makes a GET request.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }
}

/// What a service responded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Headers in the order in which they came; names in lower case, values decoded lossily.
    pub headers: Vec<(String, String)>,
    /// Body, at most the cap.
    pub body: Vec<u8>,
    /// The body was longer than the cap and was cut there.
    pub truncated: bool,
    /// From the first packet to the last byte that was read.
    pub took: Duration,
}

impl HttpResponse {
    /// Returns the first value of a header, whatever the case of `name`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the body as text; bytes that are no UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends requests. Cheap to copy; one for a process is enough (see [`Http::shared`]).
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    deadline: Duration,
    body_cap: usize,
}

impl Http {
    /// Returns the client of this process, made on first use.
    ///
    /// # Errors
    /// [`HttpError::Client`] where no client can be made.
    pub fn shared() -> Result<Self, HttpError> {
        static SHARED: OnceLock<Http> = OnceLock::new();
        match SHARED.get() {
            Some(http) => Ok(http.clone()),
            None => Self::new().map(|http| SHARED.get_or_init(|| http).clone()),
        }
    }

    /// Makes a client.
    ///
    /// # Errors
    /// [`HttpError::Client`] where no client can be made.
    pub fn new() -> Result<Self, HttpError> {
        install_cryptography();
        // A slim image has no CA certificates, which fails the first build; plain HTTP must work there all the same.
        let client = client().build().or_else(|_| client().tls_certs_only([]).build()).map_err(HttpError::Client)?;
        Ok(Http { client, deadline: DEADLINE, body_cap: BODY_CAP })
    }

    /// Sets how long a request may take, all of it.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets how much of a body is kept, in bytes.
    #[must_use]
    pub fn body_cap(mut self, bytes: usize) -> Self {
        self.body_cap = bytes;
        self
    }

    /// Gets `path` from the service at `address`; `host` is the Host header, the address where `None`.
    ///
    /// # Errors
    /// [`HttpError`] where no whole response came in time.
    pub async fn get(&self, address: SocketAddr, path: &str, host: Option<&str>) -> Result<HttpResponse, HttpError> {
        let request = Request::get(path);
        self.send(address, &host.map_or(request.clone(), |host| request.header("host", host))).await
    }

    /// Sends a request to the service at `address`.
    ///
    /// # Errors
    /// [`HttpError`] where no whole response came in time.
    pub async fn send(&self, address: SocketAddr, request: &Request) -> Result<HttpResponse, HttpError> {
        self.send_until(self.ends(), &url(address, request), request).await
    }

    /// Sends a request to the first address that accepts a connection, and returns that address too.
    ///
    /// The deadline is one for all addresses. Once one has accepted, its response or error stands: a service that
    /// answers badly is not asked elsewhere.
    ///
    /// # Errors
    /// [`HttpError`] of the last address where none accepts, [`HttpError::NoAddress`] where there is none.
    pub async fn send_first(
        &self,
        addresses: &[SocketAddr],
        request: &Request,
    ) -> Result<(SocketAddr, HttpResponse), HttpError> {
        let ends = self.ends();
        let mut last = HttpError::NoAddress;
        for address in addresses {
            match self.send_until(ends, &url(*address, request), request).await {
                Ok(response) => return Ok((*address, response)),
                Err(error) if error.is_connect() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Sends a request to `url`; the request's own path is not looked at.
    ///
    /// # Errors
    /// [`HttpError`] where no whole response came in time.
    pub async fn send_url(&self, url: &str, request: &Request) -> Result<HttpResponse, HttpError> {
        self.send_until(self.ends(), url, request).await
    }

    fn ends(&self) -> Moment {
        Moment::now() + self.deadline
    }

    async fn send_until(&self, ends: Moment, url: &str, request: &Request) -> Result<HttpResponse, HttpError> {
        let built = self.build(url, request)?;
        let target = error::target(built.url());
        let start = Instant::now();
        let slow = |read: Option<usize>| HttpError::TooSlow { target: target.clone(), within: self.deadline, read };
        let mut response = timeout_at(ends, self.client.execute(built))
            .await
            .map_err(|_| slow(None))?
            .map_err(|error| HttpError::of(error, &target, CONNECT_WITHIN))?;
        let mut body = Vec::new();
        let truncated = match timeout_at(ends, self.read(&mut response, &mut body)).await {
            Err(_) => return Err(slow(Some(body.len()))),
            Ok(Err(source)) => return Err(HttpError::BrokeOff { target, read: body.len(), source }),
            Ok(Ok(truncated)) => truncated,
        };
        let headers = headers(response.headers());
        Ok(HttpResponse { status: response.status().as_u16(), headers, body, truncated, took: start.elapsed() })
    }

    fn build(&self, url: &str, request: &Request) -> Result<reqwest::Request, HttpError> {
        let unusable = |source: Box<dyn std::error::Error + Send + Sync>| HttpError::Request {
            line: format!("{} {}", request.method, error::without_userinfo(url)),
            source,
        };
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|e| unusable(e.into()))?;
        let mut built = self.client.request(method, url);
        for (name, value) in &request.headers {
            built = built.header(name, value);
        }
        if let Some(body) = &request.body {
            built = built.body(body.clone());
        }
        built.build().map_err(|e| unusable(e.without_url().into()))
    }

    /// Reads the body up to the cap and returns whether there was more.
    async fn read(&self, response: &mut Response, body: &mut Vec<u8>) -> Result<bool, reqwest::Error> {
        while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
            let room = self.body_cap - body.len();
            body.extend_from_slice(&chunk[..room.min(chunk.len())]);
            if chunk.len() > room {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn url(address: SocketAddr, request: &Request) -> String {
    let slash = if request.path.starts_with('/') { "" } else { "/" };
    format!("http://{address}{slash}{}", request.path)
}

/// Names the cryptography of TLS for every client of this process.
pub fn install_cryptography() {
    // That one is installed already is fine, so the result states nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn client() -> reqwest::ClientBuilder {
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .http1_max_headers(HEADERS)
        .connect_timeout(CONNECT_WITHIN)
        // A kept connection may be closed by a service that restarts, which would then look like its fault.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("stagegate/", env!("CARGO_PKG_VERSION")))
}

fn headers(map: &HeaderMap) -> Vec<(String, String)> {
    map.iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

#[cfg(test)]
mod tests;
