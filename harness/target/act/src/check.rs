//! `gate host check`: one login.

use std::{
    fs::File,
    io::{self, Read},
    time::Duration,
};

use ring::digest::{Context, SHA256};
use stagegate_target_decide::{Facts, Fit, Here, HostFinding, check_script, facts, findings, libc_needed, machine_of};

use crate::{Connection, HostError};

/// Three programs there may take 10 s each.
const WITHIN: Duration = Duration::from_secs(45);
const PART: usize = 1 << 20;
/// Parts share this much, so that no name of a symbol is cut in both.
const SHARED: usize = 32;

/// What was found on a host.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Everything that the script printed.
    pub facts: Facts,
    /// What follows from it.
    pub findings: Vec<HostFinding>,
    /// What this program needs.
    pub fit: Fit,
    /// The SHA-256 of this program.
    pub hash: String,
}

/// Looks whether a host can run the gate.
///
/// # Errors
/// [`HostError`] where it cannot be reached, or does not run scripts.
pub async fn check(connection: &Connection) -> Result<Checked, HostError> {
    // The program is read while ssh connects.
    let own = tokio::task::spawn_blocking(own);
    let answer = connection.script(&check_script(), None, WITHIN).await?;
    let own = own.await.map_err(|error| HostError::file("read this program")(io::Error::other(error)))?;
    let (hash, libc) = own.map_err(HostError::file("read this program"))?;
    let fit = Fit { machine: machine_of(std::env::consts::ARCH).to_owned(), libc };
    let facts = facts(&answer.text);
    let here = Here {
        fit: fit.clone(),
        hash: hash.clone(),
        now: answer.now,
        took: answer.took,
        environment: connection.environment().to_owned(),
    };
    Ok(Checked { findings: findings(&facts, &here), facts, fit, hash })
}

/// Opens this very program: also where its file was replaced since.
pub(crate) fn own_file() -> io::Result<File> {
    File::open("/proc/self/exe")
}

/// Returns the SHA-256 of this program, and the oldest glibc that it runs with.
fn own() -> io::Result<(String, Option<(u32, u32)>)> {
    let mut file = own_file()?;
    let mut digest = Context::new(&SHA256);
    let mut part = vec![0; SHARED + PART];
    let mut newest = None;
    loop {
        let read = file.read(&mut part[SHARED..])?;
        if read == 0 {
            break;
        }
        digest.update(&part[SHARED..SHARED + read]);
        newest = newest.max(libc_needed(&part[..SHARED + read]));
        part.copy_within(read..SHARED + read, 0);
    }
    Ok((digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect(), newest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_names_the_libc_that_it_needs() {
        let (hash, libc) = own().unwrap();
        assert_eq!(hash.len(), 64);
        if cfg!(target_env = "gnu") {
            let (major, minor) = libc.unwrap();
            assert!(major == 2 && (14..60).contains(&minor), "{major}.{minor}");
        }
    }
}
