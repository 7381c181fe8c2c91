//! Does an error show a stack trace, or what a database said?

use std::sync::Arc;

use stagegate_base::{record::Outcome, text::counted};
use stagegate_policy_decide::security;

use super::{outcome, responses::Answers};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "log the cause and return a short message; switch the framework's debug mode off";

pub(super) fn trial(answers: &Arc<Answers>) -> Trial {
    let answers = Arc::clone(answers);
    Trial::new("security", "stack", "traces", Effect::Reads, move |session| ask(session, Arc::clone(&answers)))
}

async fn ask(session: Arc<Session>, answers: Arc<Answers>) -> Outcome {
    let answered = match answers.get(&session).await {
        Ok(answered) => answered,
        Err(reason) => return Outcome::Broken(reason),
    };
    let mut findings = Vec::new();
    let mut provoked = 0;
    for answered in answered {
        provoked += answered.provoked.len();
        for seen in answered.provoked.iter().chain(&answered.usual) {
            if let Some(mut finding) = security::traces(seen) {
                finding.place.object = format!("{} {}", answered.service, finding.place.object);
                findings.push(finding);
            }
        }
    }
    outcome("an error response reveals internals", findings, format!("{} provoked", counted(provoked, "error")), HINT)
}
