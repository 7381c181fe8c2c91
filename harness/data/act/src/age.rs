//! Encrypts what is written and decrypts what is read, by the program `age`. Everything is a stream between programs: no
//! plain text reaches a disk.
//!
//! A backup is proven by reading its own encrypted files back. The identity of its recipients is not on this host, so that
//! each backup is also encrypted to an identity that exists only in this process's memory, and ends with it.

use std::{
    fs::File,
    io::{self, PipeReader, PipeWriter, Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD as BASE64};
use stagegate_base::{
    command::{Command, age},
    redact::Secret,
};
use stagegate_host::{
    files,
    process::{RunError, Runner},
};

/// What a program leaves that wrote to a reader that went away: its own fault is the reader's.
const BROKEN_PIPE: i32 = 128 + 13;
const KEYGEN_WITHIN: Duration = Duration::from_secs(30);
/// How a file that `age` itself encrypted begins.
const SEALED: [&str; 2] = ["age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE"];

/// An identity that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file.
    #[error("cannot read the identity file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// It needs a passphrase.
    #[error(
        "the identity file {} needs a passphrase, which nobody types here; decrypt it into memory first: \
         `age --decrypt --output /dev/shm/identity FILE`, and remove it afterwards", path.display()
    )]
    Passphrase {
        /// The file.
        path: PathBuf,
    },
    /// It holds none.
    #[error(
        "{} holds no identity: expected a line that begins with AGE-SECRET-KEY- (of `age-keygen`) or an SSH private key",
        path.display()
    )]
    None {
        /// The file.
        path: PathBuf,
    },
}

/// What decrypts a backup.
#[derive(Clone, Debug)]
pub enum Identity {
    /// A file of the user's.
    File(PathBuf),
    /// One that only this process has.
    Memory(Secret),
}

impl Identity {
    /// Returns the identity of a file, which is looked at first: `age` would ask a terminal for a passphrase.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn of_file(path: &Path) -> Result<Self, IdentityError> {
        let text = std::fs::read(path).map_err(|source| IdentityError::File { path: path.to_path_buf(), source })?;
        let text = String::from_utf8_lossy(&text);
        let path = path.to_path_buf();
        if SEALED.iter().any(|start| text.starts_with(start)) || has_passphrase(&text) {
            return Err(IdentityError::Passphrase { path });
        }
        let is_key = |line: &str| line.starts_with("AGE-") || line.contains("PRIVATE KEY-----");
        if text.lines().any(is_key) { Ok(Identity::File(path)) } else { Err(IdentityError::None { path }) }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Identity::File(path) => Some(path),
            Identity::Memory(_) => None,
        }
    }
}

/// Returns whether an SSH key is encrypted: the name of its cipher's key derivation is at its beginning, else `none`.
// Source: OpenSSH, PROTOCOL.key.
fn has_passphrase(text: &str) -> bool {
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).take(2).collect();
    let is_ssh = text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----");
    let body = BASE64.decode(&body[..body.len() / 4 * 4]).unwrap_or_default();
    let derived = body.windows(6).take(64).any(|bytes| bytes == b"bcrypt");
    (is_ssh && derived) || text.contains("\nProc-Type: 4,ENCRYPTED") || text.contains("BEGIN ENCRYPTED PRIVATE KEY")
}

/// To whom one backup is encrypted.
#[derive(Clone, Debug)]
pub struct Encryption {
    recipients: Vec<String>,
    /// The recipient of `proof`.
    own: String,
    proof: Identity,
}

impl Encryption {
    /// Makes the identity by which this process reads back what it encrypts to `recipients`.
    ///
    /// # Errors
    /// [`RunError`] where `age-keygen` does not make it.
    pub async fn to(runner: &Runner, recipients: &[String]) -> Result<Self, RunError> {
        let keygen = age::keygen();
        let text = runner.run_ok(&keygen, KEYGEN_WITHIN).await?;
        let line = |start: &str| text.lines().find_map(|line| Some(line.split_once(start)?.1.trim().to_owned()));
        let secret = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-"));
        match (line("public key: "), secret) {
            (Some(own), Some(secret)) => {
                let proof = Identity::Memory(Secret::new(secret));
                Ok(Encryption { recipients: recipients.to_vec(), own, proof })
            }
            _ => Err(RunError::Failed {
                line: keygen.line(),
                code: 0,
                reason: "it printed no identity and recipient".to_owned(),
            }),
        }
    }

    /// Returns the identity by which this process reads back what it wrote.
    #[must_use]
    pub fn proof(&self) -> &Identity {
        &self.proof
    }

    /// Returns the recipients, this process's own left out.
    #[must_use]
    pub fn recipients(&self) -> &[String] {
        &self.recipients
    }

    fn command(&self) -> Command {
        age::encrypt(self.recipients.iter().chain([&self.own]).map(String::as_str))
    }
}

/// Why a file of a backup was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError<E> {
    /// The file, or a pipe.
    #[error(transparent)]
    File(io::Error),
    /// `age`.
    #[error(transparent)]
    Age(RunError),
    /// What produced or consumed the contents.
    #[error(transparent)]
    Other(E),
}

/// A file of a backup that is written.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// The file.
    pub path: &'a Path,
    /// To whom it is encrypted; plain where `None`.
    pub encryption: Option<&'a Encryption>,
    /// How long writing it may take.
    pub within: Duration,
}

impl Output<'_> {
    /// Lets `produce` write the contents to the file that it is given, encrypts them on the way, and makes them last.
    ///
    /// # Errors
    /// [`StreamError`]; the file is incomplete then.
    pub async fn receive<T, E>(
        &self,
        runner: &Runner,
        produce: impl AsyncFnOnce(File) -> Result<T, E>,
    ) -> Result<T, StreamError<E>> {
        let file = files::private_file(self.path).map_err(StreamError::File)?;
        let lasting = file.try_clone().map_err(StreamError::File)?;
        let produced = match self.encryption {
            None => produce(file).await.map_err(StreamError::Other),
            Some(encryption) => {
                let (reader, writer) = pipe().map_err(StreamError::File)?;
                let command = encryption.command();
                let encrypt = runner.run_between(&command, self.within, reader, file);
                // What went wrong downstream comes first: upstream only finds that nobody reads.
                match tokio::join!(encrypt, produce(writer)) {
                    (Err(error), _) => Err(StreamError::Age(error)),
                    (Ok(()), produced) => produced.map_err(StreamError::Other),
                }
            }
        }?;
        lasting.sync_all().map_err(StreamError::File)?;
        Ok(produced)
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// As [`Output::receive`].
    pub async fn write(&self, runner: &Runner, bytes: Vec<u8>) -> Result<(), StreamError<io::Error>> {
        self.receive(runner, async |mut file| blocking(move || file.write_all(&bytes)).await).await
    }
}

/// A file of a backup that is read.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The file.
    pub path: &'a Path,
    /// What decrypts it; plain where `None`.
    pub identity: Option<&'a Identity>,
    /// How long reading it may take.
    pub within: Duration,
}

impl Input<'_> {
    /// Lets `consume` read the contents from the file that it is given, decrypted on the way.
    ///
    /// # Errors
    /// [`StreamError`], also where the file was changed since it was encrypted.
    pub async fn feed<T, E>(
        &self,
        runner: &Runner,
        consume: impl AsyncFnOnce(File) -> Result<T, E>,
    ) -> Result<T, StreamError<E>> {
        let Some(identity) = self.identity else {
            let file = File::open(self.path).map_err(StreamError::File)?;
            return consume(file).await.map_err(StreamError::Other);
        };
        let (reader, writer) = pipe().map_err(StreamError::File)?;
        let stdin = secret_input(identity).map_err(StreamError::File)?;
        let command = age::decrypt(identity.path(), self.path);
        let decrypt = runner.run_between(&command, self.within, stdin, writer);
        match tokio::join!(decrypt, consume(reader)) {
            (Err(ended), Err(error)) if is_broken_pipe(&ended) => Err(StreamError::Other(error)),
            (Err(error), _) => Err(StreamError::Age(error)),
            (Ok(()), consumed) => consumed.map_err(StreamError::Other),
        }
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// As [`Input::feed`].
    pub async fn read(&self, runner: &Runner) -> Result<Vec<u8>, StreamError<io::Error>> {
        let whole = |mut file: File| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map(|_| bytes)
        };
        self.feed(runner, async |file| blocking(move || whole(file)).await).await
    }

    /// Reads all of it and keeps nothing.
    ///
    /// # Errors
    /// As [`Input::feed`].
    pub async fn drain(&self, runner: &Runner) -> Result<u64, StreamError<io::Error>> {
        self.feed(runner, async |mut file| blocking(move || io::copy(&mut file, &mut io::sink())).await).await
    }
}

/// Makes a pipe of two files, as programs take them.
pub(crate) fn pipe() -> io::Result<(File, File)> {
    let (reader, writer): (PipeReader, PipeWriter) = io::pipe()?;
    Ok((OwnedFd::from(reader).into(), OwnedFd::from(writer).into()))
}

/// Returns what `age` reads on its standard input: the identity, where it is in no file.
fn secret_input(identity: &Identity) -> io::Result<File> {
    match identity {
        Identity::File(_) => File::open("/dev/null"),
        Identity::Memory(secret) => {
            let (reader, mut writer) = pipe()?;
            // Far less than a pipe holds.
            writeln!(writer, "{}", secret.expose())?;
            Ok(reader)
        }
    }
}

/// Returns whether a program ended because nobody read what it wrote.
pub(crate) fn is_broken_pipe(error: &RunError) -> bool {
    matches!(error, RunError::Failed { code: BROKEN_PIPE, .. })
}

/// Does what blocks on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests;
