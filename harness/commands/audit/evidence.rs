//! Whether the evidence of runs is of their journals, and who signed it.

use std::path::Path;

use stagegate_base::{config::Config, text::counted};
use stagegate_gate_act::evidence::{PublicKey, Signer, of_run};
use stagegate_gate_decide::promotion::{
    AuditMark, Entry,
    evidence::{Evidence, live_snapshot},
    read,
};
use stagegate_host::error::with_causes;

use crate::failure::{Failure, print_message};

/// The keys that signatures are verified with.
#[derive(Clone, Default)]
pub(super) struct Keys {
    /// All evidence has to be signed by it.
    required: Option<PublicKey>,
    /// The key of the configuration.
    own: Option<PublicKey>,
}

impl Keys {
    /// Takes the key that is required, else that of the configuration, which whoever only verifies may be unable to read.
    pub(super) fn of(config: &Config, required: Option<PublicKey>) -> Self {
        let own = match Signer::of(config) {
            _ if required.is_some() => None,
            Ok(signer) => signer.map(|signer| signer.public().clone()),
            Err(error) => {
                print_message(&format!(
                    "signatures are not verified: {}; --key FILE names a public key",
                    with_causes(&error)
                ));
                None
            }
        };
        Keys { required, own }
    }
}

/// What was found of the evidence of runs that have ended.
#[derive(Default)]
pub(super) struct Counts {
    signed: usize,
    /// Signed by a key that is not known here.
    unknown: usize,
    unsigned: usize,
    without: usize,
    key: Option<String>,
}

impl Counts {
    /// Returns it in words, after a semicolon; nothing where no run has evidence.
    pub(super) fn text(&self) -> String {
        if self.signed + self.unknown + self.unsigned == 0 {
            return String::new();
        }
        let mut parts = Vec::new();
        if let Some(key) = self.key.as_ref().filter(|_| self.signed > 0) {
            parts.push(format!("{} signed by key {}", self.signed, key.chars().take(12).collect::<String>()));
        }
        for (count, what) in [(self.unknown, "signed by a key that is not known here"), (self.unsigned, "not signed")] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        if self.without > 0 {
            parts.push(format!("{} without any", counted(self.without, "ended run")));
        }
        format!("; evidence: {}", parts.join(", "))
    }
}

/// Verifies the evidence of one run whose journal is whole, counts it, and returns what is wrong with it.
pub(super) fn verify(
    (dir, text, mark): (&Path, &[u8], &AuditMark),
    keys: &Keys,
    counts: &mut Counts,
) -> Result<Option<String>, Failure> {
    let lines = read(text).map(|chain| chain.lines).unwrap_or_default();
    let (Some(Entry::Started { plan }), Some(Entry::Ended { end, .. })) =
        (lines.first().map(|line| &line.entry), lines.last().map(|line| &line.entry))
    else {
        return Ok(None);
    };
    if live_snapshot(*end).is_none() {
        return Ok(None);
    }
    let Some(found) = of_run(dir)? else {
        counts.without += 1;
        return Ok(None);
    };
    let evidence = match Evidence::read(&found) {
        Ok(evidence) => evidence,
        Err(error) => return Ok(Some(error.to_string())),
    };
    if let Err(error) = evidence.is_of(plan, *end, mark) {
        return Ok(Some(error.to_string()));
    }
    Ok(signature(&evidence, keys, counts))
}

fn signature(evidence: &Evidence, keys: &Keys, counts: &mut Counts) -> Option<String> {
    let key = keys.required.as_ref().or(keys.own.as_ref());
    if let Some(key) = key.filter(|key| key.has_signed(evidence)) {
        counts.signed += 1;
        counts.key = Some(key.id.clone());
        return None;
    }
    let claims = |key: &PublicKey| evidence.signatures.iter().any(|one| one.keyid == key.id);
    let found = match evidence.signatures.first() {
        None => "none".to_owned(),
        Some(_) if key.is_some_and(claims) => "one that does not fit".to_owned(),
        Some(one) => format!("one by key {}", one.keyid.chars().take(12).collect::<String>()),
    };
    // Without a key that is required, an earlier key or none is no contradiction; a signature that does not fit always is.
    if let Some(key) = keys.required.as_ref().or(key.filter(|key| claims(key))) {
        let id: String = key.id.chars().take(12).collect();
        return Some(format!("expected a signature by key {id}, found {found}"));
    }
    if evidence.signatures.is_empty() {
        counts.unsigned += 1
    } else {
        counts.unknown += 1
    }
    None
}
