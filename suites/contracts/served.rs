//! Does the running service give the document that the repository has? Where the repository has none, does it keep
//! the one that it gives?

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::{StreamExt, stream};
use stagegate_base::{
    config::Service,
    finding::{Finding, Place},
    record::Outcome,
    text::counted,
};
use stagegate_contract::{
    Document, Format, code,
    diff::{Change, Contract, Level, compare},
    hollow,
};
use stagegate_host::{
    clock, contract,
    error::with_causes,
    http::{Http, Request},
};

use super::{document, service_calls::ServiceCalls, wire::Wire};
use crate::{
    run::AT_A_TIME,
    session::Session,
    trial::{Effect, Scope, Trial},
};

/// How long a served document may be.
const DOCUMENT: usize = 16 << 20;
/// How many differences are reported one by one.
const TOLD: usize = 20;

/// A service that gives its document.
pub(super) struct Served {
    pub(super) service: Service,
    pub(super) environment: String,
    /// Where the service gives it.
    pub(super) path: String,
    /// The environment's workdir, and the repository's document in it.
    pub(super) file: Option<(PathBuf, PathBuf)>,
}

/// Lists a trial for each service that gives its document.
pub(super) fn trials(scope: Scope<'_>) -> Vec<Trial> {
    let services = scope.config.services.values();
    services.filter_map(|service| Some(trial(served(scope, service, service.served_contract.as_deref()?)))).collect()
}

pub(super) fn served(scope: Scope<'_>, service: &Service, path: &str) -> Served {
    Served {
        service: service.clone(),
        environment: scope.environment.name.clone(),
        path: path.to_owned(),
        file: service.contract.clone().map(|file| (scope.environment.workdir.clone(), file)),
    }
}

fn trial(served: Served) -> Trial {
    let served = Arc::new(served);
    let name = served.service.name.clone();
    Trial::new("contracts", &name, "served", Effect::Reads, move |session: Arc<Session>| {
        let served = Arc::clone(&served);
        async move {
            match Wire::of(&session, &served.service).await {
                Ok(wire) => run(&served, &wire).await,
                Err(reason) => Outcome::Broken(reason),
            }
        }
    })
}

pub(super) async fn run(served: &Served, wire: &Wire) -> Outcome {
    let text = match fetch(&served.path, wire).await {
        Ok(text) => text,
        Err(reason) => return missing(&served.path, reason),
    };
    match &served.file {
        Some((workdir, file)) => comparison(served, (workdir, file), &text),
        None => call_all(served, wire, &text).await,
    }
}

async fn fetch(path: &str, wire: &Wire) -> Result<String, String> {
    let http = Http::shared().map_err(|error| with_causes(&error))?.body_cap(DOCUMENT);
    let requested =
        http.send_first(&wire.addresses, &Request { headers: wire.headers.clone(), ..Request::get(path) }).await;
    let (_, response) = requested.map_err(|error| with_causes(&error))?;
    if response.status != 200 {
        return Err(format!("GET {path} returned {}", response.status));
    }
    if response.truncated {
        return Err(format!("GET {path} returned more than {} MiB", DOCUMENT >> 20));
    }
    String::from_utf8(response.body).map_err(|_| format!("GET {path} returned invalid UTF-8"))
}

fn missing(path: &str, reason: String) -> Outcome {
    let at = format!("{} {path}", code::SERVED_MISSING.id);
    let finding = Finding::differs(at, "an OpenAPI document", reason.clone());
    let hint = Some(code::SERVED_MISSING.fix.to_owned());
    Outcome::Fail { message: reason, findings: vec![finding], evidence: Vec::new(), hint }
}

/// Reports how a text is written: a document in JSON begins with a brace.
fn format(text: &str) -> Format {
    if text.trim_start_matches('\u{feff}').trim_start().starts_with('{') { Format::Json } else { Format::Yaml }
}

/// Compares the served document with the repository's, by the rules of `gate contract diff`.
fn comparison(served: &Served, (workdir, path): (&Path, &Path), text: &str) -> Outcome {
    let file = &workdir.join(path);
    let own = match contract::read_in(workdir, path) {
        Ok(own) => own,
        Err(error) => return Outcome::Broken(with_causes(&error)),
    };
    let (old, new) = match (Contract::of(&own), Contract::read(text, format(text))) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(error), _) => return Outcome::Broken(format!("{}: {error}", file.display())),
        (_, Err(error)) => return document::unusable(&served.path, &error.to_string()),
    };
    let today = clock::today();
    let changes = compare(&old, &new, &today);
    // Each environment is served at an address of its own.
    let mut known = BTreeSet::new();
    // A component that changed is one difference, however many operations name it.
    let mut is_first = |change: &Change| {
        known.insert((change.id, change.old.reference(), change.new.reference(), change.part.clone()))
    };
    let changes: Vec<&Change> =
        changes.iter().filter(|change| !change.id.starts_with("server-") && is_first(change)).collect();
    let (open, fine): (Vec<&Change>, Vec<&Change>) = changes.into_iter().partition(|change| change.level > Level::Info);
    if open.is_empty() {
        let more = if fine.is_empty() {
            String::new()
        } else {
            format!(", with {}", counted(fine.len(), "compatible difference"))
        };
        return Outcome::Pass(format!("{} matches the repository's document{more}", served.path));
    }
    Outcome::Fail {
        message: format!("{} differs from the repository's document in {}", served.path, counted(open.len(), "place")),
        findings: open.iter().take(TOLD).map(|change| finding(change)).collect(),
        evidence: Vec::new(),
        hint: Some(format!(
            "{}; to compare them, save the served document and run `gate contract diff {} FILE`",
            code::SERVED_DIFFERS.fix,
            file.display()
        )),
    }
}

fn finding(change: &Change) -> Finding {
    let or = |text: &str| if text.is_empty() { "nothing".to_owned() } else { text.to_owned() };
    Finding::differs(
        format!("{} {} at {}", code::SERVED_DIFFERS.id, change.id, change.place),
        or(&change.before),
        or(&change.after),
    )
}

/// Asks every operation of a document that only the service has.
async fn call_all(served: &Served, wire: &Wire, text: &str) -> Outcome {
    let parsed = match Document::parse(text, format(text)) {
        Ok(parsed) => Arc::new(parsed),
        Err(error) => return document::unusable(&served.path, &error.to_string()),
    };
    let calls = ServiceCalls::new(&served.service, &served.environment, &served.path, parsed);
    let (shared, wire) = (&calls, wire);
    let requested = stream::iter(calls.possible()).map(|index| async move { (index, shared.call(wire, index).await) });
    let mut all: Vec<_> = requested.buffer_unordered(AT_A_TIME).collect().await;
    all.sort_by_key(|(index, _)| *index);
    let statuses: Vec<u16> = all.iter().filter_map(|(_, requested)| requested.status).collect();
    let failed: Vec<(String, &Outcome)> = all
        .iter()
        .filter(|(_, requested)| matches!(requested.outcome, Outcome::Fail { .. }))
        .map(|(index, requested)| (calls.title(*index), &requested.outcome))
        .collect();
    if failed.is_empty() {
        return match hollow(&statuses) {
            Some(reason) => Outcome::Broken(format!("{}: {reason}; {}", code::HOLLOW.id, code::HOLLOW.fix)),
            None => Outcome::Pass(format!(
                "{} of {} called, all as documented",
                all.len(),
                counted(calls.calls.len(), "operation")
            )),
        };
    }
    joined_failure(&served.path, &failed)
}

/// Makes one failure of those of several operations.
fn joined_failure(path: &str, failed: &[(String, &Outcome)]) -> Outcome {
    let (mut all, mut lines) = (Vec::new(), Vec::new());
    for (title, outcome) in failed {
        let Outcome::Fail { findings, evidence, .. } = outcome else { continue };
        let named = findings.iter().map(|finding| Finding {
            place: Place::of(format!("{} of {title}", finding.place.object)),
            ..finding.clone()
        });
        all.extend(named);
        lines.extend(evidence.iter().filter(|evidence| evidence.name == "reproduce").cloned());
    }
    all.truncate(TOLD);
    let titles: Vec<&str> = failed.iter().map(|(title, _)| title.as_str()).collect();
    Outcome::Fail {
        message: format!("{} do not match {path}", titles.join(", ")),
        findings: all,
        evidence: lines,
        hint: None,
    }
}
