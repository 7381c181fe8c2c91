//! Looks at a running stack: its compose files as Compose resolves them, TLS, tokens, who reaches whom.

pub mod audit;
pub mod isolation;
pub mod tls;
pub mod token;
