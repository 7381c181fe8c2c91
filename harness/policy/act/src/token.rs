//! Key pairs that sign tokens: one that is given, and a stranger's.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};
use stagegate_base::config::Algorithm;

/// A private key that everybody has: no service may believe what it signs.
const STRANGER: &[u8] = include_bytes!("token/stranger.der");

/// Why a key cannot sign. No text of it holds the key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is no private key in PEM.
    #[error("not a private key in PEM (which begins with `-----BEGIN PRIVATE KEY-----`)")]
    NoPem,
    /// The key is written in a way that is not read.
    #[error("an `EC PRIVATE KEY` is not supported; convert it with `openssl pkcs8 -topk8 -nodes`")]
    Sec1,
    /// The key is of another kind, or damaged.
    #[error("the key cannot sign with {algorithm}: {reason}")]
    Refused {
        /// The algorithm's name.
        algorithm: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

/// A key pair that signs with one algorithm.
pub struct Pair {
    algorithm: Algorithm,
    key: Key,
}

enum Key {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// The kinds of key pairs.
enum Kind {
    Rsa(&'static dyn signature::RsaEncoding),
    Ecdsa(&'static signature::EcdsaSigningAlgorithm),
    Ed25519,
}

/// Returns what an algorithm signs with; `None` for a shared key.
fn kind(algorithm: Algorithm) -> Option<Kind> {
    Some(match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => return None,
        Algorithm::RS256 => Kind::Rsa(&signature::RSA_PKCS1_SHA256),
        Algorithm::RS384 => Kind::Rsa(&signature::RSA_PKCS1_SHA384),
        Algorithm::RS512 => Kind::Rsa(&signature::RSA_PKCS1_SHA512),
        Algorithm::PS256 => Kind::Rsa(&signature::RSA_PSS_SHA256),
        Algorithm::PS384 => Kind::Rsa(&signature::RSA_PSS_SHA384),
        Algorithm::PS512 => Kind::Rsa(&signature::RSA_PSS_SHA512),
        Algorithm::ES256 => Kind::Ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::ES384 => Kind::Ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::EdDSA => Kind::Ed25519,
    })
}

fn refused(algorithm: Algorithm, reason: &dyn std::fmt::Display) -> KeyError {
    KeyError::Refused { algorithm: algorithm.name(), reason: reason.to_string() }
}

fn shared(algorithm: Algorithm) -> KeyError {
    refused(algorithm, &"it has one shared key, and no key pair")
}

impl Pair {
    /// Reads a private key in PEM (PKCS #8, or PKCS #1 for RSA); `\n` may stand for line ends.
    ///
    /// # Errors
    /// [`KeyError`] where it is no such key, or one of another kind than the algorithm's.
    pub fn read(algorithm: Algorithm, pem: &str) -> Result<Self, KeyError> {
        let (label, der) = unwrapped(pem).ok_or(KeyError::NoPem)?;
        match (label.as_str(), kind(algorithm).ok_or_else(|| shared(algorithm))?) {
            ("PRIVATE KEY", kind) => Self::of_pkcs8(algorithm, kind, &der),
            ("RSA PRIVATE KEY", Kind::Rsa(_)) => {
                let key = RsaKeyPair::from_der(&der).map_err(|error| refused(algorithm, &error))?;
                Ok(Pair { algorithm, key: Key::Rsa(Box::new(key)) })
            }
            ("EC PRIVATE KEY", _) => Err(KeyError::Sec1),
            _ => Err(KeyError::NoPem),
        }
    }

    /// Makes a key pair that no service knows.
    ///
    /// # Errors
    /// [`KeyError`] for an algorithm with a shared key, and where this machine gives no random numbers.
    pub fn stranger(algorithm: Algorithm) -> Result<Self, KeyError> {
        let (random, failed) = (SystemRandom::new(), |error: ring::error::Unspecified| refused(algorithm, &error));
        let kind = kind(algorithm).ok_or_else(|| shared(algorithm))?;
        let made = match &kind {
            // To make one of RSA takes seconds, and this library makes none.
            Kind::Rsa(_) => STRANGER.to_vec(),
            Kind::Ecdsa(curve) => EcdsaKeyPair::generate_pkcs8(curve, &random).map_err(failed)?.as_ref().to_vec(),
            Kind::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random).map_err(failed)?.as_ref().to_vec(),
        };
        Self::of_pkcs8(algorithm, kind, &made)
    }

    fn of_pkcs8(algorithm: Algorithm, kind: Kind, der: &[u8]) -> Result<Self, KeyError> {
        let rejected = |error: ring::error::KeyRejected| refused(algorithm, &error);
        let key = match kind {
            Kind::Rsa(_) => Key::Rsa(Box::new(RsaKeyPair::from_pkcs8(der).map_err(rejected)?)),
            Kind::Ecdsa(curve) => {
                Key::Ecdsa(EcdsaKeyPair::from_pkcs8(curve, der, &SystemRandom::new()).map_err(rejected)?)
            }
            Kind::Ed25519 => Key::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(rejected)?),
        };
        Ok(Pair { algorithm, key })
    }

    /// Signs a text.
    ///
    /// # Errors
    /// [`KeyError`] where this machine gives no random numbers.
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (random, failed) = (SystemRandom::new(), |error: ring::error::Unspecified| refused(self.algorithm, &error));
        match (&self.key, kind(self.algorithm)) {
            (Key::Rsa(key), Some(Kind::Rsa(encoding))) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(encoding, &random, text, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            (Key::Ecdsa(key), _) => Ok(key.sign(&random, text).map_err(failed)?.as_ref().to_vec()),
            (Key::Ed25519(key), _) => Ok(key.sign(text).as_ref().to_vec()),
            (Key::Rsa(_), _) => Err(shared(self.algorithm)),
        }
    }

    /// Returns the public key as a service holds it: PEM, with its DER.
    #[must_use]
    pub fn public(&self) -> (String, Vec<u8>) {
        // Source: RFC 3279, 2.3.1 (rsaEncryption) and RFC 5480 (id-ecPublicKey, prime256v1, secp384r1); RFC 8410.
        let (algorithm, key): (&[u8], &[u8]) = match &self.key {
            Key::Rsa(key) => {
                (b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", key.public_key().as_ref())
            }
            Key::Ecdsa(key) if self.algorithm == Algorithm::ES384 => {
                (b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22", key.public_key().as_ref())
            }
            Key::Ecdsa(key) => (
                b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
                key.public_key().as_ref(),
            ),
            Key::Ed25519(key) => (b"\x30\x05\x06\x03\x2b\x65\x70", key.public_key().as_ref()),
        };
        let bits = [&[0], key].concat();
        let der = element(0x30, &[algorithm, &element(0x03, &bits)].concat());
        let body: Vec<String> =
            BASE64_STANDARD.encode(&der).as_bytes().chunks(64).map(|l| String::from_utf8_lossy(l).into()).collect();
        (format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", body.join("\n")), der)
    }
}

/// Writes an element of DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let long = if content.len() < 0x80 { None } else { u8::try_from(length.len()).ok().map(|count| 0x80 | count) };
    [vec![tag], long.into_iter().collect(), length, content.to_vec()].concat()
}

/// Takes the first block out of a text in PEM: its label and its bytes.
#[must_use]
pub fn unwrapped(pem: &str) -> Option<(String, Vec<u8>)> {
    let text = pem.replace("\\n", "\n");
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let body: String = body.split_whitespace().collect();
    Some((label.to_owned(), BASE64_STANDARD.decode(body).ok()?))
}

#[cfg(test)]
mod tests;
