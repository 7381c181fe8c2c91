//! The answers that several checks look at, asked for once a run.

use std::{net::SocketAddr, sync::Arc};

use futures_util::{StreamExt, future::join_all, stream};
use stagegate_base::config::{Kind, Service};
use stagegate_contract::{Document, calls};
use stagegate_host::{
    error::with_causes,
    http::{Http, HttpResponse, Request},
};
use stagegate_policy_decide::security::{self, ORIGINS, Response};
use tokio::sync::OnceCell;

use crate::{session::Session, trial::Scope};

/// How many operations of a contract are asked for as they are: one answer is like another here.
const OPERATIONS: usize = 5;
/// How many requests one service gets at a time.
const AT_A_TIME: usize = 4;

/// What one service responded.
pub(super) struct ServiceResponses {
    pub(super) service: String,
    /// Its responses reach browsers.
    pub(super) is_front: bool,
    /// To requests as anybody makes them.
    pub(super) usual: Vec<Response>,
    /// To requests that provoke errors.
    pub(super) provoked: Vec<Response>,
    /// To requests of strange origins.
    pub(super) foreign: Vec<(&'static str, Response)>,
}

/// A service that is to be asked, with what its contract offers.
struct Target {
    service: Service,
    document: Option<Arc<Document>>,
}

/// The HTTP services, and what they answered once somebody has asked.
pub(super) struct ServiceResponsesOnce {
    targets: Vec<Target>,
    asked: OnceCell<Result<Vec<ServiceResponses>, String>>,
}

impl ServiceResponsesOnce {
    pub(super) fn new(scope: Scope<'_>) -> Self {
        let contracts = crate::contracts::documents(scope);
        let document = |service: &Service| {
            contracts.iter().find(|(owner, _)| owner.name == service.name).map(|(_, document)| Arc::clone(document))
        };
        let http = scope.config.services.values().filter(|service| service.kind == Kind::Http);
        let targets = http.map(|service| Target { document: document(service), service: service.clone() }).collect();
        ServiceResponsesOnce { targets, asked: OnceCell::new() }
    }

    /// Returns what the services answered, without those that do not answer at all: health tells of them.
    ///
    /// # Errors
    /// A text, where no service responds.
    pub(super) async fn get(&self, session: &Session) -> Result<&[ServiceResponses], String> {
        let requested = self.asked.get_or_init(|| self.fetch(session)).await;
        requested.as_deref().map_err(Clone::clone)
    }

    async fn fetch(&self, session: &Session) -> Result<Vec<ServiceResponses>, String> {
        let requested = join_all(self.targets.iter().map(|target| of_service(session, target))).await;
        let (answered, errors): (Vec<_>, Vec<_>) = requested.into_iter().partition(Result::is_ok);
        let answered: Vec<ServiceResponses> = answered.into_iter().flatten().collect();
        match errors.into_iter().find_map(Result::err) {
            Some(error) if answered.is_empty() => Err(error),
            _ => Ok(answered),
        }
    }
}

async fn of_service(session: &Session, target: &Target) -> Result<ServiceResponses, String> {
    let Target { service, document } = target;
    let addresses = session.addresses(service).await.map_err(|error| with_causes(&error))?;
    let base = service.base();
    let provoking = security::probes(document.as_deref())
        .into_iter()
        .map(|path| Request { headers: service.headers(), ..Request::get(&format!("{base}{path}")) });
    let foreign = ORIGINS.into_iter().flat_map(|origin| {
        let front = usual(service, None).into_iter().take(2).map(move |request| request.header("origin", origin));
        front.flat_map(move |request| [(origin, preflight(&request)), (origin, request)])
    });
    let (origins, foreign): (Vec<&str>, Vec<Request>) = foreign.unzip();
    let usual = all(&addresses, usual(service, document.as_deref())).await?;
    let provoked = all(&addresses, provoking.collect()).await?;
    let foreign = all(&addresses, foreign).await?;
    Ok(ServiceResponses {
        service: service.name.clone(),
        is_front: is_front(session, service).await,
        usual,
        provoked,
        foreign: origins.into_iter().zip(foreign).collect(),
    })
}

/// Returns whether a service's answers reach browsers: the configuration states so, or it publishes a port.
///
/// The files as they are written are asked: a throw-away copy publishes nothing.
async fn is_front(session: &Session, service: &Service) -> bool {
    match &session.project.config.security.front {
        Some(named) => named.contains(&service.name),
        None => session.files().await.own().is_some_and(|model| model.publishes(&service.name)),
    }
}

/// Lists the requests that anybody makes: the root first, then what the configuration and the contract name.
fn usual(service: &Service, document: Option<&Document>) -> Vec<Request> {
    let named = ["/".to_owned()].into_iter().chain(service.health.clone()).chain(service.version.clone());
    let calls = document.map(|document| calls(document, false)).unwrap_or_default();
    let calls = calls.into_iter().filter_map(|call| call.request.ok()).take(OPERATIONS);
    let mut paths: Vec<String> = named.chain(calls.map(|call| format!("{}{}", service.base(), call.target))).collect();
    let mut seen = std::collections::BTreeSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    paths.iter().map(|path| Request { headers: service.headers(), ..Request::get(path) }).collect()
}

/// Makes the question that a browser asks before it sends another site's request.
fn preflight(request: &Request) -> Request {
    let requested = Request { method: "OPTIONS".to_owned(), ..request.clone() };
    requested.header("access-control-request-method", "POST")
}

/// Sends requests and returns the responses in their order.
async fn all(addresses: &[SocketAddr], requests: Vec<Request>) -> Result<Vec<Response>, String> {
    let http = Http::shared().map_err(|error| with_causes(&error))?;
    let send = |request: Request| {
        let http = http.clone();
        async move {
            let answered = http.send_first(addresses, &request).await;
            answered.map(|(_, reply)| response(&request, &reply)).map_err(|error| with_causes(&error))
        }
    };
    let responses: Vec<_> = stream::iter(requests.into_iter().map(send)).buffered(AT_A_TIME).collect().await;
    responses.into_iter().collect()
}

fn response(request: &Request, reply: &HttpResponse) -> Response {
    Response {
        request: format!("{} {}", request.method, request.path),
        status: reply.status,
        headers: reply.headers.clone(),
        body: reply.text(),
        encrypted: false,
    }
}
