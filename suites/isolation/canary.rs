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
    Neighbours, judged,
    neighbours::{caches, databases},
};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "the two environments work on one server: look at `isolation::*::databases` and at the env files";

pub(super) fn trial(neighbours: &Arc<Neighbours>, other: &str) -> Trial {
    let (neighbours, name) = (Arc::clone(neighbours), other.to_owned());
    let ask = move |session| ask(session, Arc::clone(&neighbours), name.clone());
    Trial::new("isolation", other, "canary", Effect::Writes, ask).weighing(Severity::Warning)
}

async fn ask(session: Arc<Session>, neighbours: Arc<Neighbours>, other: String) -> Outcome {
    let stacks = match neighbours.stacks(&session).await {
        Ok(stacks) => stacks,
        Err(reason) => return Outcome::Broken(reason),
    };
    let runs = stacks.others.get(&other).is_some_and(|stack| stack.is_running());
    let Some(project) = session.files().await.of(&other).filter(|_| runs) else {
        return Outcome::Skip(format!("`{other}` does not run on this machine, so that it cannot be looked at"));
    };
    match seen(&session, project, &other).await {
        Ok((findings, marks)) => {
            let sound = format!("{marks} written here, none seen in `{other}`");
            judged("what is written here is seen elsewhere", findings, sound, HINT)
        }
        Err(reason) => Outcome::Broken(reason),
    }
}

/// Returns what was seen elsewhere, and how many marks were written.
async fn seen(session: &Session, other: &Project, name: &str) -> Result<(Vec<Finding>, usize), String> {
    let mark = format!("stagegate_canary_{}", random().map_err(|error| format!("no random bytes: {error}"))?);
    let mut findings = Vec::new();
    let mut marks = 0;
    for database in databases(&session.project.config) {
        let text = |error| with_causes(&error);
        let own = act::session(&session.project, &session.engine, &database).await.map_err(text)?;
        act::mark(&own, &mark).await.map_err(text)?;
        if !act::is_marked(&own, &mark).await.map_err(text)? {
            return Err(format!("the canary of `{}` is not seen where it was written", database.service));
        }
        let theirs = act::session(other, &session.engine, &database).await.map_err(text)?;
        if act::is_marked(&theirs, &mark).await.map_err(text)? {
            findings.push(finding(&database.service, "row", name));
        }
        marks += 1;
    }
    for service in caches(&session.project.config) {
        act::mark_key(&session.project, &session.engine, &service, &mark).await?;
        let found = act::command(other, &session.engine, &service, &["EXISTS", &mark]).await;
        // Taken out before the answer is looked at: it may be an error.
        act::command(&session.project, &session.engine, &service, &["DEL", &mark]).await?;
        if found? != "0" {
            findings.push(finding(&service.name, "key", name));
        }
        marks += 1;
    }
    Ok((findings, marks))
}

fn finding(service: &str, what: &str, other: &str) -> Finding {
    Finding::new(
        service.to_owned(),
        format!("a {what} that is seen here only"),
        format!("the {what} is in `{other}` too"),
    )
}

fn random() -> std::io::Result<String> {
    let mut bytes = [0_u8; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}
