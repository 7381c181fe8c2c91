//! Can a service of this environment get to another environment's databases?

use std::sync::Arc;

use stagegate_base::record::Outcome;
use stagegate_policy_decide::isolation::{self, ReachReport, ServerAddress};

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
    let ask = move |session| check(session, Arc::clone(&neighbours), name.clone());
    Trial::new("isolation", other, "unreachable", Effect::Reads, ask)
}

async fn check(session: Arc<Session>, neighbours: Arc<Neighbours>, other: String) -> Outcome {
    match look(&session, &neighbours, &other).await {
        Ok(first @ Outcome::Fail { .. }) => confirmed(first, look(&session, &Neighbours::default(), &other).await),
        Ok(outcome) => outcome,
        Err(reason) => Outcome::Broken(reason),
    }
}

/// Returns what a second look found, with everything read anew: networks that come and go next to a look, other products'
/// too, move addresses, and what lasts is there both times. What cannot be looked at again stays a failure.
fn confirmed(first: Outcome, second: Result<Outcome, String>) -> Outcome {
    match (first, second) {
        (Outcome::Fail { message, .. }, Ok(Outcome::Pass(text))) => {
            Outcome::Pass(format!("{text}; what a first look found was not there at a second one ({message})"))
        }
        (_, Ok(second @ Outcome::Fail { .. })) => second,
        (first, _) => first,
    }
}

async fn look(session: &Session, neighbours: &Neighbours, other: &str) -> Result<Outcome, String> {
    let stacks = neighbours.stacks(session).await?;
    let theirs = stacks.others.get(other).ok_or_else(|| format!("environment `{other}` was not inspected"))?;
    let looked: &[ReachReport] = neighbours.reach_reports(session).await?;
    let stores = stores(&session.project.config);
    let of = |from| places(theirs, &stores, from);
    let mut sought: Vec<ServerAddress> = vantage_points(&stacks.own).into_iter().flat_map(of).collect();
    sought.sort();
    sought.dedup();
    let control = isolation::listeners(&stacks.own, &stores);
    let findings = isolation::reached(looked, &sought, &control, other).map_err(|error| error.to_string())?;
    let rest = if theirs.is_running() { "" } else { "; it does not run here: only its names were tried" };
    let from: Vec<&str> = looked.iter().map(|requested| requested.from.as_str()).collect();
    let passed = format!("{} names and addresses, from {}{rest}", sought.len(), from.join(", "));
    Ok(outcome("another environment's database can be reached", findings, passed, HINT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_at_both_looks_is_a_failure() {
        let seen = || Outcome::fail("cache of `production` can be reached");
        let text_of = |outcome: Outcome| match outcome {
            Outcome::Pass(text) => text,
            Outcome::Fail { message, .. } => format!("FAIL {message}"),
            _ => String::new(),
        };
        assert_eq!(text_of(confirmed(seen(), Ok(Outcome::fail("db")))), "FAIL db");
        let first = "FAIL cache of `production` can be reached";
        assert_eq!(text_of(confirmed(seen(), Err("the Engine does not answer".to_owned()))), first);
        assert_eq!(text_of(confirmed(seen(), Ok(Outcome::Broken("not proven".to_owned())))), first);
        let gone = text_of(confirmed(seen(), Ok(Outcome::Pass("4 names and addresses".to_owned()))));
        assert!(
            gone.starts_with("4 names and addresses; what a first look found") && gone.contains("cache of"),
            "{gone}"
        );
    }
}
