//! Can a service of this environment get to another environment's databases?

use std::sync::Arc;

use stagegate_base::record::Outcome;
use stagegate_policy_decide::isolation::{self, Place, ReachReport};

use super::{
    Neighbours,
    neighbours::{places, stores, vantage_points},
    outcome,
};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "detach one of them from the shared network, and do not publish the database";

pub(super) fn trial(neighbours: &Arc<Neighbours>, other: &str) -> Trial {
    let (neighbours, name) = (Arc::clone(neighbours), other.to_owned());
    let ask = move |session| ask(session, Arc::clone(&neighbours), name.clone());
    Trial::new("isolation", other, "unreachable", Effect::Reads, ask)
}

async fn ask(session: Arc<Session>, neighbours: Arc<Neighbours>, other: String) -> Outcome {
    match check(&session, &neighbours, &other).await {
        Ok(outcome) => outcome,
        Err(reason) => Outcome::Broken(reason),
    }
}

async fn check(session: &Session, neighbours: &Neighbours, other: &str) -> Result<Outcome, String> {
    let stacks = neighbours.stacks(session).await?;
    let theirs = stacks.others.get(other).ok_or_else(|| format!("environment `{other}` was not inspected"))?;
    let looked: &[ReachReport] = neighbours.looked(session).await?;
    let stores = stores(&session.project.config);
    let of = |from| places(theirs, &stores, from);
    let mut sought: Vec<Place> = vantage_points(&stacks.own).into_iter().flat_map(of).collect();
    sought.sort();
    sought.dedup();
    let control = isolation::listeners(&stacks.own, &stores);
    let findings = isolation::reached(looked, &sought, &control, other).map_err(|error| error.to_string())?;
    let rest = if theirs.is_running() { "" } else { "; it does not run here: only its names were tried" };
    let from: Vec<&str> = looked.iter().map(|asked| asked.from.as_str()).collect();
    let passed = format!("{} names and addresses, from {}{rest}", sought.len(), from.join(", "));
    Ok(outcome("another environment's database can be reached", findings, passed, HINT))
}
