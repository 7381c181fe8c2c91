//! Was more seen of a service than refusals? A run in which nearly all responses refuse is not green.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use stagegate_base::{record::Outcome, text::counted};
use stagegate_contract::{code, hollow};

use super::{service_calls::ServiceCalls, wire::Wire};
use crate::{
    run::AT_A_TIME,
    trial::{Effect, Trial},
};

pub(super) fn trial(calls: &Arc<ServiceCalls>) -> Trial {
    let shared = Arc::clone(calls);
    Trial::new("contracts", &calls.service.name, "coverage", Effect::Reads, move |session| {
        let calls = Arc::clone(&shared);
        async move {
            match calls.wire(&session).await {
                Ok(wire) => outcome(&calls, wire).await,
                Err(reason) => Outcome::Broken(reason),
            }
        }
    })
}

pub(super) async fn outcome(calls: &ServiceCalls, wire: &Wire) -> Outcome {
    let requested = stream::iter(calls.possible()).map(|index| async move { calls.call(wire, index).await.status });
    let all: Vec<Option<u16>> = requested.buffer_unordered(AT_A_TIME).collect().await;
    let statuses: Vec<u16> = all.iter().flatten().copied().collect();
    if let Some(reason) = hollow(&statuses) {
        return Outcome::Broken(format!("{}: {reason}; {}", code::HOLLOW.id, code::HOLLOW.fix));
    }
    let seen = statuses.iter().filter(|status| (200..400).contains(*status)).count();
    Outcome::Pass(format!("{seen} of {} returned a documented success", counted(calls.calls.len(), "operation")))
}
