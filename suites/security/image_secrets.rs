//! Does an image hold a secret, in a label, a variable or its command?

use std::sync::Arc;

use stagegate_base::{record::Outcome, text::counted};
use stagegate_host::error::with_causes;
use stagegate_policy_decide::security;

use super::outcome;
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "build without it (`RUN --mount=type=secret`), pass it at run time, and rotate it: it is exposed";

pub(super) fn trial() -> Trial {
    Trial::new("security", "stack", "image_secrets", Effect::Reads, check)
}

async fn check(session: Arc<Session>) -> Outcome {
    let model = &session.project.model;
    let secrets = model.held_secrets();
    let mut findings = Vec::new();
    let mut images = 0;
    let deployed = match session.images().await {
        Ok(deployed) => deployed,
        Err(error) => return Outcome::Broken(with_causes(&error)),
    };
    for (service, image) in deployed {
        match session.engine.image_details(&image).await {
            Ok(Some(inspected)) => {
                images += 1;
                findings.extend(security::image(&service, &inspected, &secrets));
            }
            Ok(None) => {}
            Err(error) => return Outcome::Broken(with_causes(&error)),
        }
    }
    outcome(
        "an image contains a secret",
        findings,
        format!("{}, {}", counted(images, "image"), counted(secrets.len(), "secret")),
        HINT,
    )
}
