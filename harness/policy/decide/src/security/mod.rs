//! Judges what a stack shows to whoever asks it: headers, cookies, tokens, certificates, texts.
//!
//! In: answers, certificates and texts that `stagegate_policy_act` brought. Out: findings. Requests that a check needs are
//! made here too, as values. What the compose files alone tell is judged in [`crate::rules`], and not again here. No
//! finding holds a secret's value.

mod certificate;
mod cookie;
mod cors;
mod disclosure;
mod header;
mod hmac;
mod leak;
mod request;
mod response;
pub mod token;

pub use certificate::{Certificate, CertificateError, Trust, certificate, expiry};
pub use cookie::cookies;
pub use cors::{ORIGINS, cors};
pub use disclosure::{banners, traces};
pub use header::headers;
pub use leak::{image, log};
pub use request::{Secured, probes, refused, secured};
pub use response::Response;
