//! Does each environment have databases and Redis servers of its own?

use std::sync::Arc;

use stagegate_base::{record::Outcome, text::counted};
use stagegate_host::{engine::Engine, error::with_causes, project::Project};
use stagegate_policy_act::isolation as act;
use stagegate_policy_decide::isolation::{self, Identity};

use super::{
    Neighbours,
    neighbours::{caches, databases, stores},
    outcome,
};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "give each environment a database service of its own, with a volume of its own";
const MESSAGE: &str = "two environments use one database";

pub(super) fn trial(neighbours: &Arc<Neighbours>, other: &str) -> Trial {
    let (neighbours, name) = (Arc::clone(neighbours), other.to_owned());
    let ask = move |session| check(session, Arc::clone(&neighbours), name.clone());
    Trial::new("isolation", other, "databases", Effect::Reads, ask)
}

/// Compares where the data lies, and where both run, who the servers are.
async fn check(session: Arc<Session>, neighbours: Arc<Neighbours>, other: String) -> Outcome {
    let stacks = match neighbours.stacks(&session).await {
        Ok(stacks) => stacks,
        Err(reason) => return Outcome::Broken(reason),
    };
    let Some(theirs) = stacks.others.get(&other) else {
        return Outcome::Broken(format!("environment `{other}` was not inspected"));
    };
    let services: Vec<String> = stores(&session.project.config).into_iter().map(|(service, _)| service).collect();
    let mut findings = isolation::data(&stacks.own, theirs, &services);
    let runs = theirs.is_running();
    let project = session.files().await.of(&other).filter(|_| runs);
    let Some(project) = project else {
        return outcome(MESSAGE, findings, format!("data is in different volumes; {}", theirs.examined_text()), HINT);
    };
    let (own, others) =
        tokio::join!(identities(&session.project, &session.engine), identities(project, &session.engine));
    match (own, others) {
        (Ok(own), Ok(others)) => {
            findings.extend(isolation::stores(&own, &others, &other));
            outcome(MESSAGE, findings, summary(&own, &others, &other), HINT)
        }
        // That it does not answer is health's to tell; where the data lies is known all the same.
        (Err(reason), _) | (_, Err(reason)) => outcome(
            MESSAGE,
            findings,
            format!("data is in different volumes; the identity of the servers is unknown: {reason}"),
            HINT,
        ),
    }
}

async fn identities(project: &Project, engine: &Engine) -> Result<Vec<Identity>, String> {
    let mut all = Vec::new();
    for database in databases(&project.config) {
        all.push(act::database(project, engine, &database).await.map_err(|error| with_causes(&error))?);
    }
    for service in caches(&project.config) {
        all.push(act::redis(project, engine, &service).await.map_err(|error| with_causes(&error))?);
    }
    Ok(all)
}

fn summary(own: &[Identity], others: &[Identity], other: &str) -> String {
    let copies = own.iter().filter(|mine| others.iter().any(|theirs| theirs.server == mine.server)).count();
    let copied = if copies > 0 { "; one was created from a copy of the other's files" } else { "" };
    format!("{} here, {} in `{other}`, all different{copied}", counted(own.len(), "server"), others.len())
}
