//! `cargo bench -- --env staging [--against ENV | --save-baseline NAME | --baseline NAME]`: the probes of an environment.
//!
//! It is `gate bench` under cargo's name for it. Without `--env` it measures nothing: that would be load on something
//! that nobody named.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    // Cargo adds `--bench` for its own harness.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if !arguments.iter().any(|argument| argument == "--env" || argument.starts_with("--env=")) {
        return ExitCode::SUCCESS;
    }
    match Command::new(env!("CARGO_BIN_EXE_gate")).arg("bench").args(&arguments).status() {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => panic!("gate cannot be started: {error}"),
    }
}
