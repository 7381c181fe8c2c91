//! Is a secret used in one environment only?

use std::{io::Read, sync::Arc};

use stagegate_base::{
    compose::{HeldSecret, Model},
    record::{Outcome, Severity},
    redact::Secret,
    text::counted,
};
use stagegate_policy_decide::isolation;

use super::outcome;
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

const HINT: &str = "generate one for each environment (`openssl rand -base64 24`): otherwise one leak opens both";

pub(super) fn trial(other: &str) -> Trial {
    let name = other.to_owned();
    let ask = move |session| check(session, name.clone());
    Trial::new("isolation", other, "secrets", Effect::Reads, ask).with_severity(Severity::Warning)
}

async fn check(session: Arc<Session>, other: String) -> Outcome {
    let Some(theirs) = session.files().await.of(&other) else {
        return Outcome::Skip(format!("the files of `{other}` are not on this machine: its secrets are unknown"));
    };
    let salt = match salt() {
        Ok(salt) => salt,
        Err(error) => return Outcome::Broken(format!("no random bytes: {error}")),
    };
    let (own, theirs) = (secret_values(&session.project.model), secret_values(&theirs.model));
    let passed = format!("{} here, {} there", counted(own.len(), "secret"), theirs.len());
    outcome("two environments share a secret", isolation::secrets(&own, &theirs, &other, &salt), passed, HINT)
}

/// Returns the secrets of variables and of files; a file that cannot be read here is nothing that can be compared.
fn secret_values(model: &Model) -> Vec<HeldSecret> {
    let of_file = |(variable, path)| {
        let text = std::fs::read_to_string(path).ok()?;
        let value = Secret::new(text.trim());
        (!value.expose().is_empty()).then(|| HeldSecret { service: "secrets".to_owned(), variable, value })
    };
    model.held_secrets().into_iter().chain(model.secret_files().into_iter().filter_map(of_file)).collect()
}

fn salt() -> std::io::Result<[u8; isolation::SALT_BYTES]> {
    let mut salt = [0; isolation::SALT_BYTES];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut salt)?;
    Ok(salt)
}
