//! Have answers the shapes that were accepted for this environment? Said, and never held against a release by default.
//!
//! What was seen is kept in the state folder, so that `gate accept` keeps what somebody looked at.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use stagegate_base::{
    config::Config,
    finding::{Finding, Place},
    record::{Outcome, Severity},
};
use stagegate_contract::{Shape, code, shape_path};
use stagegate_host::{paths::StateDir, shapes};

use super::{book::Book, operation, wire::Wire};
use crate::trial::{Effect, Trial};

/// How many differences are told one by one.
const TOLD: usize = 20;

pub(super) fn trial(book: &Arc<Book>) -> Trial {
    let shared = Arc::clone(book);
    let trial = Trial::new("contracts", &book.service.name, "shapes", Effect::Reads, move |session| {
        let book = Arc::clone(&shared);
        async move {
            match book.wire(&session).await {
                Ok(wire) => asked(&book, wire, &session.project.config).await,
                Err(reason) => Outcome::Broken(reason),
            }
        }
    });
    trial.weighing(Severity::Info)
}

pub(super) async fn asked(book: &Book, wire: &Wire, config: &Config) -> Outcome {
    let mut seen = BTreeMap::new();
    for (index, name) in operation::names(book) {
        if let Some(shape) = &book.ask(wire, index).await.shape {
            seen.insert(name, (book.title(index), shape));
        }
    }
    if let Some(environment) = config.environments.get(&book.environment) {
        let state = StateDir::of(config, &environment.project);
        for (name, (title, shape)) in &seen {
            let text = shape.snapshot(&format!("contracts::{}::{name}", book.service.name), title);
            if let Err(error) = shapes::keep(&state, &book.service.name, name, &text) {
                return Outcome::Broken(format!("cannot keep what was seen in {}: {error}", state.root().display()));
            }
        }
    }
    compared(book, config.root(), &seen)
}

fn compared(book: &Book, root: &Path, seen: &BTreeMap<String, (String, &Shape)>) -> Outcome {
    let (mut findings, mut alike, mut without) = (Vec::new(), 0, 0);
    for (name, (title, shape)) in seen {
        let path = shape_path(root, &book.environment, &book.service.name, name);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                without += 1;
                continue;
            }
            Err(error) => return Outcome::Broken(format!("cannot read {}: {error}", path.display())),
        };
        let accepted = match Shape::parse(&text) {
            Ok(accepted) => accepted,
            Err(error) => return Outcome::Broken(format!("{}: {error}", path.display())),
        };
        let found = accepted.differences(shape);
        alike += usize::from(found.is_empty());
        let named = |f: Finding| Finding {
            place: Place::of(format!("{} {title} {}", code::SHAPE_CHANGED.id, f.place.object)),
            ..f
        };
        findings.extend(found.into_iter().map(named));
    }
    told(book, findings, alike, without)
}

fn told(book: &Book, mut findings: Vec<Finding>, alike: usize, without: usize) -> Outcome {
    let accept = format!("`gate accept contracts::{} --env {}`", book.service.name, book.environment);
    if !findings.is_empty() {
        let places = counted(findings.len(), "place differs", "places differ");
        findings.truncate(TOLD);
        return Outcome::Fail {
            message: format!("{places} from the accepted shapes"),
            findings,
            evidence: Vec::new(),
            hint: Some(format!("where they are meant, keep them with {accept}")),
        };
    }
    let fine = counted(alike, "answer is as it was accepted", "answers are as they were accepted");
    let open = counted(without, "answer has no accepted shape yet", "answers have no accepted shape yet");
    match (alike, without) {
        (0, 0) => Outcome::Skip("no answer of success was seen".to_owned()),
        (0, _) => Outcome::Skip(format!("{open}; keep them with {accept}")),
        (_, 0) => Outcome::Pass(fine),
        _ => Outcome::Pass(format!("{fine}, {open} ({accept})")),
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
