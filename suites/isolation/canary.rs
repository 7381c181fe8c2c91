//! Is what one environment writes seen in another?
//!
//! A row is written into each database (the catalog's row of an empty temporary table, which goes with its session)
//! and a key into each Redis; the other environment is only read.

use std::{io::Read, sync::Arc};

use stagegate_base::{
    finding::Finding,
    record::{Outcome, Severity},
};
use stagegate_host::{error::with_causes, project::Project};
use stagegate_policy_act::isolation as act;

use super::{
    Neighbours,
    neighbours::{caches, databases},
    outcome,
};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "the two environments use one server: see `isolation::*::databases` and the env files";

pub(super) fn trial(neighbours: &Arc<Neighbours>, other: &str) -> Trial {
    let (neighbours, name) = (Arc::clone(neighbours), other.to_owned());
    let ask = move |session| check(session, Arc::clone(&neighbours), name.clone());
    Trial::new("isolation", other, "canary", Effect::Writes, ask).with_severity(Severity::Warning)
}

async fn check(session: Arc<Session>, neighbours: Arc<Neighbours>, other: String) -> Outcome {
    let stacks = match neighbours.stacks(&session).await {
        Ok(stacks) => stacks,
        Err(reason) => return Outcome::Broken(reason),
    };
    let runs = stacks.others.get(&other).is_some_and(|stack| stack.is_running());
    let Some(project) = session.files().await.of(&other).filter(|_| runs) else {
        return Outcome::Skip(format!("`{other}` does not run on this machine: nothing could be read there"));
    };
    match read_elsewhere(&session, project, &other).await {
        Ok((findings, marks)) => {
            let passed = format!("{marks} written here, none seen in `{other}`");
            outcome("data written here is visible in another environment", findings, passed, HINT)
        }
        Err(reason) => Outcome::Broken(reason),
    }
}

/// Returns what was seen elsewhere, and how many marks were written.
async fn read_elsewhere(session: &Session, other: &Project, name: &str) -> Result<(Vec<Finding>, usize), String> {
    let mark = format!("stagegate_canary_{}", random().map_err(|error| format!("no random bytes: {error}"))?);
    let mut findings = Vec::new();
    let mut marks = 0;
    for database in databases(&session.project.config) {
        let text = |error| with_causes(&error);
        let own = act::session(&session.project, &session.engine, &database).await.map_err(text)?;
        act::mark(&own, &mark).await.map_err(text)?;
        if !act::is_marked(&own, &mark).await.map_err(text)? {
            return Err(format!("the canary of `{}` cannot be read back where it was written", database.service));
        }
        let theirs = act::session(other, &session.engine, &database).await.map_err(text)?;
        if act::is_marked(&theirs, &mark).await.map_err(text)? {
            findings.push(finding(&database.service, "row", name));
        }
        marks += 1;
    }
    let redis = |error: act::RedisError| with_causes(&error);
    for service in caches(&session.project.config) {
        act::mark_key(&session.project, &session.engine, &service, &mark).await.map_err(redis)?;
        let found = act::command(other, &session.engine, &service, &["EXISTS", &mark]).await;
        // Taken out before the response is looked at: it may be an error.
        act::command(&session.project, &session.engine, &service, &["DEL", &mark]).await.map_err(redis)?;
        if found.map_err(redis)? != "0" {
            findings.push(finding(&service.name, "key", name));
        }
        marks += 1;
    }
    Ok((findings, marks))
}

fn finding(service: &str, what: &str, other: &str) -> Finding {
    Finding::differs(
        service.to_owned(),
        format!("a {what} visible only here"),
        format!("the {what} is also in `{other}`"),
    )
}

fn random() -> std::io::Result<String> {
    let mut bytes = [0_u8; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}
