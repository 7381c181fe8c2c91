//! Is one secret used in two environments?

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::rules::is_from_an_example;
use stagegate_base::{compose::HeldSecret, finding::Finding, redact::Secret};

/// How long the salt is that secrets are hashed with.
pub const SALT_BYTES: usize = 16;

/// Returns the secrets that `other` uses too, each value once.
///
/// Values are compared by their hashes with `salt`, which is made for one run: neither a value nor anything that it
/// could be guessed from leaves this function. Well-known values are policy's to tell.
#[must_use]
pub fn secrets(own: &[HeldSecret], other: &[HeldSecret], environment: &str, salt: &[u8; SALT_BYTES]) -> Vec<Finding> {
    let theirs: BTreeMap<_, _> = other.iter().rev().map(|secret| (hash(salt, &secret.value), secret)).collect();
    let mut reported = std::collections::BTreeSet::new();
    let mut findings = Vec::new();
    for secret in own.iter().filter(|secret| !is_from_an_example(secret.value.expose())) {
        let hash = hash(salt, &secret.value);
        if let Some(theirs) = theirs.get(&hash).filter(|_| reported.insert(hash)) {
            let same = theirs.service == secret.service && theirs.variable == secret.variable;
            let place = if same { String::new() } else { format!(" as {} of {}", theirs.variable, theirs.service) };
            findings.push(Finding::differs(
                format!("{} of {}", secret.variable, secret.service),
                "a value of its own",
                format!("the value of `{environment}`{place}"),
            ));
        }
    }
    findings
}

fn hash(salt: &[u8], secret: &Secret) -> Vec<u8> {
    Sha256::new().chain_update(salt).chain_update(secret.expose()).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(service: &str, variable: &str, value: &str) -> HeldSecret {
        HeldSecret { service: service.to_owned(), variable: variable.to_owned(), value: Secret::new(value) }
    }

    #[test]
    fn a_value_that_both_have_is_reported_once_by_name() {
        let own =
            [held("api", "PGPASSWORD", "kT9fQ2"), held("db", "POSTGRES_PASSWORD", "kT9fQ2"), held("api", "JWT", "a")];
        let other = [held("db", "POSTGRES_PASSWORD", "kT9fQ2"), held("api", "JWT", "b")];
        let found = secrets(&own, &other, "production", &[7; SALT_BYTES]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place.object, "PGPASSWORD of api");
        assert_eq!(found[0].found, "the value of `production` as POSTGRES_PASSWORD of db");
        assert!(!format!("{found:?}").contains("kT9fQ2"));
    }

    #[test]
    fn one_value_under_two_salts_has_two_hashes() {
        assert_ne!(hash(&[1; SALT_BYTES], &Secret::new("x")), hash(&[2; SALT_BYTES], &Secret::new("x")));
    }
}
