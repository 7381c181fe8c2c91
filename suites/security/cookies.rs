//! Are cookies kept from scripts, from plain HTTP and from other sites?

use std::sync::Arc;

use stagegate_base::record::{Outcome, Severity};
use stagegate_policy_decide::security;

use super::{answers::Answers, judged};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "set `Secure; HttpOnly; SameSite=Lax` where the service makes the cookie";

pub(super) fn trial(answers: &Arc<Answers>) -> Trial {
    let answers = Arc::clone(answers);
    let ask = move |session| ask(session, Arc::clone(&answers));
    Trial::new("security", "stack", "cookies", Effect::Reads, ask).weighing(Severity::Warning)
}

async fn ask(session: Arc<Session>, answers: Arc<Answers>) -> Outcome {
    let answered = match answers.get(&session).await {
        Ok(answered) => answered,
        Err(reason) => return Outcome::Broken(reason),
    };
    let mut findings = Vec::new();
    let mut looked_at = 0;
    for answered in answered {
        for seen in answered.usual.iter().chain(&answered.provoked) {
            looked_at += 1;
            for mut finding in security::cookies(seen) {
                finding.place.object = format!("{} {}", answered.service, finding.place.object);
                findings.push(finding);
            }
        }
    }
    judged("a cookie lacks a flag", findings, format!("{looked_at} answers"), HINT)
}
