//! Writes the evidence of a run that has ended, signs it where there is a key, and sets the git tag with the journal's checksum.
//!
//! None of it changes how a run ends: what cannot be done is reported.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use stagegate_base::config::Config;
use stagegate_gate_decide::promotion::{
    AuditMark, End,
    evidence::{self, Evidence, envelope, key_id, live_snapshot, pem, public_key, signed_bytes, statement},
};
use stagegate_host::files;

use super::{Run, StepError, on_file};
use crate::journal;

/// The file's name within a run's folder.
pub const FILE_NAME: &str = "evidence.json";

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file.
    #[error("cannot read the key {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Its rights.
    #[error("{} has mode {mode:o}, and a private key may be read by its owner only: chmod 600 {}", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Its content.
    #[error("{} has no {what}: `{make}` makes one", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// What was expected in it.
        what: &'static str,
        /// The command that makes it.
        make: &'static str,
    },
}

/// A key that evidence is signed with.
#[derive(Debug)]
pub struct Signer {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// A key that signatures are verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its id.
    pub id: String,
    bytes: [u8; 32],
}

impl Signer {
    /// Reads the key of `[evidence]`; `None` where the configuration has none.
    ///
    /// # Errors
    /// [`KeyError`] where it cannot be read, is no private Ed25519 key in PEM, or others may read it.
    pub fn of(config: &Config) -> Result<Option<Self>, KeyError> {
        config.evidence.key_file.as_deref().map(Self::read).transpose()
    }

    fn read(path: &Path) -> Result<Self, KeyError> {
        let text = read(path)?;
        let metadata = fs::metadata(path).map_err(|source| KeyError::File { path: path.to_path_buf(), source })?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Open { path: path.to_path_buf(), mode });
        }
        // A key as openssl writes it does not hold its public half; ring computes it.
        let pair = pem(&text, "PRIVATE KEY").and_then(|der| Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).ok());
        let key = pair.and_then(|pair| Some((<[u8; 32]>::try_from(pair.public_key().as_ref()).ok()?, pair)));
        let (bytes, pair) = key.ok_or_else(|| KeyError::Kind {
            path: path.to_path_buf(),
            what: "private Ed25519 key in PEM",
            make: "openssl genpkey -algorithm ed25519 -out FILE",
        })?;
        Ok(Signer { pair, public: PublicKey { id: key_id(&bytes), bytes } })
    }

    /// Returns the key that verifies what this one signs.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }
}

impl PublicKey {
    /// Reads a public key.
    ///
    /// # Errors
    /// [`KeyError`] where it cannot be read, or is no public Ed25519 key in PEM.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let bytes = public_key(&read(path)?).ok_or_else(|| KeyError::Kind {
            path: path.to_path_buf(),
            what: "public Ed25519 key in PEM",
            make: "openssl pkey -in PRIVATE -pubout -out FILE",
        })?;
        Ok(PublicKey { id: key_id(&bytes), bytes })
    }

    /// Returns whether one of the signatures is of this key.
    #[must_use]
    pub fn has_signed(&self, evidence: &Evidence) -> bool {
        let (key, bytes) = (UnparsedPublicKey::new(&ED25519, self.bytes), signed_bytes(&evidence.payload));
        evidence.signatures.iter().any(|one| key.verify(&bytes, &one.bytes()).is_ok())
    }
}

fn read(path: &Path) -> Result<String, KeyError> {
    fs::read_to_string(path).map_err(|source| KeyError::File { path: path.to_path_buf(), source })
}

impl Run {
    /// Writes what proves how the run ended. What cannot be done is kept in words for whoever reads the run's end.
    pub(super) async fn attest(&mut self, end: End) {
        let Some(snapshot) = live_snapshot(end) else { return };
        if let Err(error) = self.write_evidence(snapshot) {
            self.warn(format!("{FILE_NAME} was not written: {}", error.reason));
        }
        if end == End::Promoted
            && self.gate.config.evidence.tags
            && let Err(error) = self.tag_journal().await
        {
            self.warn(format!("the git tag with the journal's checksum was not set: {}", error.reason));
        }
    }

    fn warn(&mut self, text: String) {
        self.runner.note(&text);
        self.warnings.push(text);
    }

    fn write_evidence(&self, snapshot: &str) -> Result<(), StepError> {
        let model = self.snapshot(snapshot)?.model;
        let image = |name: String| {
            let id = model.image(&name).to_owned();
            (name, id)
        };
        let images: Vec<(String, String)> = model.with_images().into_iter().map(image).collect();
        let mark = self.mark_of_journal();
        let Some(statement) = statement(&self.gate.config.name, self.lines(), &mark, &images) else { return Ok(()) };
        let path = self.dir.join(FILE_NAME);
        let text = match Signer::of(&self.gate.config)? {
            None => serde_json::to_string_pretty(&statement)?,
            Some(signer) => {
                let payload = serde_json::to_vec(&statement)?;
                let signature = signer.pair.sign(&signed_bytes(&payload));
                envelope(&payload, &signer.public.id, signature.as_ref())?
            }
        };
        on_file(&path, files::write_whole(&path, text.as_bytes()))
    }

    async fn tag_journal(&self) -> Result<(), StepError> {
        let (name, message) = evidence::tag(&self.plan, &self.mark_of_journal());
        Ok(self.git().await?.tag(&name, &self.plan.release.commit, &message).await?)
    }

    fn mark_of_journal(&self) -> AuditMark {
        AuditMark { lines: self.lines().len(), hash: self.journal.head().to_owned() }
    }
}

/// Reads the evidence in a run's folder; `None` where there is none.
///
/// # Errors
/// The system's.
pub fn of_run(dir: &Path) -> Result<Option<Vec<u8>>, journal::StoreError> {
    let path = dir.join(FILE_NAME);
    match fs::read(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(journal::StoreError::Io { path, what: "read the evidence next to it", source }),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Keys as a user makes them.
    fn keys(name: &str) -> (PathBuf, PathBuf) {
        let dir = std::env::temp_dir().join(format!("stagegate-evidence-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (private, public) = (dir.join("key.pem"), dir.join("key.pub"));
        let openssl = |args: &[&str], out: &Path| {
            let status = Command::new("openssl").args(args).arg("-out").arg(out).status().unwrap();
            assert!(status.success());
        };
        openssl(&["genpkey", "-algorithm", "ed25519"], &private);
        openssl(&["pkey", "-pubout", "-in", &private.display().to_string()], &public);
        fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
        (private, public)
    }

    #[test]
    fn what_a_key_of_openssl_has_signed_only_its_public_half_verifies() {
        let ((private, public), (_, other)) = (keys("signed"), keys("other"));
        let signer = Signer::read(&private).unwrap();
        let public = PublicKey::read(&public).unwrap();
        assert_eq!(signer.public(), &public);
        let signature = signer.pair.sign(&signed_bytes(b"{}"));
        let text = envelope(b"{}", &public.id, signature.as_ref()).unwrap();
        let evidence = Evidence::read(text.as_bytes()).unwrap();
        assert!(public.has_signed(&evidence));
        assert!(!PublicKey::read(&other).unwrap().has_signed(&evidence));
        let edited = Evidence { payload: b"{ }".to_vec(), ..evidence };
        assert!(!public.has_signed(&edited));
    }

    #[test]
    fn a_key_that_others_may_read_and_what_is_no_key_is_refused_with_the_way_out() {
        let (private, public) = keys("refused");
        fs::set_permissions(&private, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Signer::read(&private).unwrap_err().to_string();
        assert!(refused.contains("has mode 640") && refused.contains("chmod 600"), "{refused}");
        fs::set_permissions(&public, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = Signer::read(&public).unwrap_err().to_string();
        assert!(refused.contains("no private Ed25519 key") && refused.contains("openssl genpkey"), "{refused}");
        assert!(PublicKey::read(&private).unwrap_err().to_string().contains("-pubout"));
    }
}
