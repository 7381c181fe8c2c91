//! The program `age`, which encrypts and decrypts files. Recipients are public; an identity is a file, or comes from standard
//! input, and is never an argument.

use std::path::Path;

use super::Command;

/// Encrypts standard input to `recipients` and writes it to standard output.
#[must_use]
pub fn encrypt<'a>(recipients: impl IntoIterator<Item = &'a str>) -> Command {
    recipients.into_iter().fold(Command::new("age").arg("--encrypt"), |command, one| command.args(["--recipient", one]))
}

/// Decrypts the file `path` to standard output; the identity is in the file `identity`, or comes from standard input.
#[must_use]
pub fn decrypt(identity: Option<&Path>, path: &Path) -> Command {
    let command = Command::new("age").args(["--decrypt", "--identity"]);
    identity.map_or_else(|| command.clone().arg("-"), |file| command.clone().path(file)).arg("--").path(path)
}

/// Makes an identity and writes it, with its recipient, to standard output.
#[must_use]
pub fn keygen() -> Command {
    Command::new("age-keygen")
}
