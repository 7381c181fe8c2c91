//! Does an image hold a secret, in a label, a variable or its command?

use std::sync::Arc;

use stagegate_base::record::Outcome;
use stagegate_host::error::with_causes;
use stagegate_policy_decide::security;

use super::judged;
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "build without it (`RUN --mount=type=secret`), hand it over at run time, and change it: it is out";

pub(super) fn trial() -> Trial {
    Trial::new("security", "stack", "image_secrets", Effect::Reads, ask)
}

async fn ask(session: Arc<Session>) -> Outcome {
    let model = &session.project.model;
    let secrets = model.held_secrets();
    let mut findings = Vec::new();
    let mut images = 0;
    for service in model.services() {
        match session.engine.image_details(model.image(&service)).await {
            Ok(Some(inspected)) => {
                images += 1;
                findings.extend(security::image(&service, &inspected, &secrets));
            }
            Ok(None) => {}
            Err(error) => return Outcome::Broken(with_causes(&error)),
        }
    }
    judged("an image holds a secret", findings, format!("{images} images, {} secrets", secrets.len()), HINT)
}
