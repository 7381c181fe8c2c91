//! Asks a container's port in its own protocol whether the service is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use futures_util::future::join_all;
use stagegate_base::{
    config::{Config, Kind, Service},
    container::{Container, Health, State},
    readiness::Port,
    redact::Secret,
};
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::Stack;
use crate::{
    error::with_causes,
    http::{Http, Request},
    probe::{
        ProbeError,
        postgres::{self, Login},
        redis,
    },
};

/// So many responses in a row count: a server may listen for a moment and start again, as PostgreSQL does at its first start.
const IN_A_ROW: u32 = 2;
/// How long one question may take.
const ASK_WITHIN: Duration = Duration::from_secs(5);
/// How long a connection must stay open to be taken for the service's: Docker's proxy accepts every one, and closes it
/// at once where nobody listens behind it.
const OPEN_FOR: Duration = Duration::from_millis(300);

/// What a service is asked.
enum Question<'a> {
    /// Of a configured service.
    Configured(&'a Service),
    /// Of a database's service that has no section of its own.
    Postgres,
    /// Any of these ports is to accept a connection.
    Published(Vec<u16>),
}

/// The ports of a stack, and how often each container has answered in a row.
#[derive(Default)]
pub(super) struct Ports {
    answers: BTreeMap<String, u32>,
}

impl Ports {
    /// Asks every running container that has a port to ask at, those at once that have not answered often enough.
    pub(super) async fn probe(&mut self, stack: &Stack<'_>, containers: &[Container]) -> BTreeMap<String, Port> {
        let requested = containers.iter().filter_map(|container| {
            let may_answer =
                container.state == State::Running && matches!(container.health, Health::None | Health::Healthy);
            let question = may_answer.then(|| question(stack, container)).flatten()?;
            // A container that was started again has to answer again.
            let key = format!("{} {}", container.id, container.started_at);
            let done = self.answers.get(&key).is_some_and(|count| *count >= IN_A_ROW);
            Some(async move {
                let reply = if done { Ok(()) } else { response(stack, container, &question).await };
                (container.id.clone(), key, reply)
            })
        });
        let requested = join_all(requested.collect::<Vec<_>>()).await;
        requested
            .into_iter()
            .map(|(id, key, reply)| {
                let count = self.answers.entry(key).or_default();
                *count = if reply.is_ok() { *count + 1 } else { 0 };
                let port = match reply {
                    Ok(()) if *count >= IN_A_ROW => Port::Answers,
                    Ok(()) => Port::Once,
                    Err(reason) => Port::Silent(reason),
                };
                (id, port)
            })
            .collect()
    }
}

fn question<'a>(stack: &Stack<'a>, container: &Container) -> Option<Question<'a>> {
    let Config { services, databases, .. } = stack.config;
    if let Some(service) = services.get(&container.service) {
        return Some(Question::Configured(service));
    }
    if databases.values().any(|database| database.service == container.service) {
        return Some(Question::Postgres);
    }
    let ports: BTreeSet<u16> = container.published.keys().copied().collect();
    (!ports.is_empty()).then(|| Question::Published(ports.into_iter().collect()))
}

/// Asks once; the error states what came instead of a response.
async fn response(stack: &Stack<'_>, container: &Container, question: &Question<'_>) -> Result<(), String> {
    let within = tokio::time::timeout(ASK_WITHIN, async {
        match question {
            Question::Configured(service) => {
                let addresses = container.reach(service.port);
                match service.kind {
                    Kind::Http => http(&addresses, service).await,
                    Kind::Tcp => tcp(&addresses, service.port).await,
                    Kind::Redis => redis(&addresses).await,
                    Kind::Postgres => postgres(stack, container, service.port).await,
                }
            }
            Question::Postgres => postgres(stack, container, 5432).await,
            Question::Published(ports) => any(container, ports).await,
        }
    });
    within.await.unwrap_or_else(|_| Err(format!("its port did not respond within {ASK_WITHIN:?}")))
}

/// Any status line is a response, but for a health path that states that what is behind it does not answer yet.
async fn http(addresses: &[SocketAddr], service: &Service) -> Result<(), String> {
    let path = service.health.as_deref().unwrap_or("/");
    let request = match &service.host {
        Some(host) => Request::get(path).header("host", host),
        None => Request::get(path),
    };
    let sent = match Http::shared() {
        Ok(http) => http.deadline(ASK_WITHIN).send_first(addresses, &request).await,
        Err(error) => Err(error),
    };
    let at = format!("GET {path} at port {}", service.port);
    match sent {
        Ok((_, answer)) if service.health.is_some() && (502..=504).contains(&answer.status) => {
            Err(format!("{at}: {}", answer.status))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{at}: {}", with_causes(&error))),
    }
}

/// A server that refuses the login is there; what is wrong with it is for the suites to say.
// Source: PostgreSQL manual, appendix A: 57P03 cannot_connect_now, 57P01 admin_shutdown.
async fn postgres(stack: &Stack<'_>, container: &Container, port: u16) -> Result<(), String> {
    let own = stack.config.databases.values().filter(|database| database.service == container.service);
    let mut logins: Vec<Login> = own.map(|database| Login::of(stack.model, database)).collect();
    if logins.is_empty() {
        logins.push(Login::of_service(stack.model, &container.service));
    }
    for login in &logins {
        // Without a password the client would give up before the server has reported anything.
        let login = Login { password: login.password.clone().or_else(|| Some(Secret::new(""))), ..login.clone() };
        match postgres::version(&container.reach(port), &login).await {
            Ok(_) => {}
            Err(ProbeError::Server { code, .. }) if !matches!(code.as_str(), "57P03" | "57P01") => {}
            Err(error) => return Err(format!("database `{}`: {}", login.database, with_causes(&error))),
        }
    }
    Ok(())
}

async fn redis(addresses: &[SocketAddr]) -> Result<(), String> {
    match redis::ping(addresses, None).await {
        Ok(_) => Ok(()),
        Err(error) => Err(with_causes(&error)),
    }
}

async fn any(container: &Container, ports: &[u16]) -> Result<(), String> {
    let requested = ports.iter().map(|port| async move { tcp(&container.reach(*port), *port).await });
    let responses = join_all(requested).await;
    if responses.iter().any(Result::is_ok) {
        return Ok(());
    }
    let all: Vec<String> = ports.iter().map(ToString::to_string).collect();
    Err(format!("nothing listens at port {}", all.join(", ")))
}

async fn tcp(addresses: &[SocketAddr], port: u16) -> Result<(), String> {
    for address in addresses {
        if stays_open(*address).await {
            return Ok(());
        }
    }
    Err(format!("nothing listens at port {port}"))
}

/// Returns whether a connection is accepted, and is not closed at once without a word.
async fn stays_open(address: SocketAddr) -> bool {
    let connected = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address)).await;
    let Ok(Ok(mut stream)) = connected else { return false };
    let mut byte = [0; 1];
    match tokio::time::timeout(OPEN_FOR, stream.read(&mut byte)).await {
        Ok(Ok(read)) => read > 0,
        Ok(Err(_)) => false,
        // It waits for us to speak.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt, net::TcpListener};

    use super::*;

    /// What a listener does with each connection.
    #[derive(Clone, Copy)]
    enum Manners {
        Close,
        Greet,
        Listen,
    }

    async fn listener(manners: Manners) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                match manners {
                    Manners::Close => drop(stream),
                    Manners::Greet => {
                        let _ = stream.write_all(b"220 ready\r\n").await;
                    }
                    Manners::Listen => open.push(stream),
                }
            }
        });
        address
    }

    #[tokio::test]
    async fn a_connection_that_a_proxy_accepts_and_closes_is_no_response() {
        assert!(!stays_open(listener(Manners::Close).await).await);
        assert!(stays_open(listener(Manners::Greet).await).await);
        assert!(stays_open(listener(Manners::Listen).await).await);
    }

    #[tokio::test]
    async fn any_status_line_is_a_response_and_silence_is_none() {
        use stagegate_base::config::Config;

        let text = "[project]\nname = \"x\"\n[services.web]\nport = 80\nhealth = \"/\"\n";
        let service = Config::parse(std::path::Path::new("/x/stagegate.toml"), text).unwrap().services["web"].clone();
        for (line, want) in [("200 OK", true), ("404 Not Found", true), ("500 Oh", true), ("502 Bad Gateway", false)] {
            let served = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = served.local_addr().unwrap();
            tokio::spawn(async move {
                let (mut stream, _) = served.accept().await.unwrap();
                let mut read = [0; 1024];
                let _ = stream.read(&mut read).await;
                let _ = stream.write_all(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
            });
            assert_eq!(http(&[address], &service).await.is_ok(), want, "{line}");
        }
        assert!(http(&[listener(Manners::Close).await], &service).await.is_err());
    }
}
