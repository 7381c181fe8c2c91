//! The copy of this program on a host.

use std::{fs::File, io::Seek, time::Duration};

use stagegate_base::command::Command;
use stagegate_target_decide::{Facts, receive_binary};

use crate::{Checked, Connection, HostError, check::own_file, scratch};

/// At 1 Mbit/s 17 MB take 140 s.
const WITHIN: Duration = Duration::from_secs(1_800);
const PACK_WITHIN: Duration = Duration::from_secs(300);

/// Copies this program to a host, verified there before it takes its place; returns how many bytes were sent.
///
/// # Errors
/// [`HostError::Unfit`] where it cannot run there, [`HostError::Copy`] where it did not arrive whole.
pub async fn copy(connection: &Connection, checked: &Checked) -> Result<u64, HostError> {
    let host = connection.name();
    if let Some((reason, fix)) = checked.fit.refuses(&checked.facts) {
        return Err(HostError::Unfit { host, reason, fix });
    }
    if !checked.facts.has("sha256sum") {
        let fix = "install coreutils there".to_owned();
        return Err(HostError::Unfit { host, reason: "it has no sha256sum to verify the copy with".to_owned(), fix });
    }
    let (packed, unpack) = packed(connection, &checked.facts).await?;
    let size = packed.metadata().map_err(HostError::file("read the packed program"))?.len();
    let answer = connection.script(&receive_binary(&checked.hash, unpack), Some(packed), WITHIN).await?;
    let mut lines: Vec<&str> = answer.text.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.pop() {
        Some("status=0") => Ok(size),
        _ => Err(HostError::Copy { host, reason: lines.join(" "), environment: connection.environment().to_owned() }),
    }
}

/// Returns this program packed with what both machines have, and the command that unpacks it.
async fn packed(connection: &Connection, facts: &Facts) -> Result<(File, &'static str), HostError> {
    for (program, level, unpack) in [("zstd", "-3", "zstd -dcq"), ("gzip", "-1", "gzip -dc")] {
        if !facts.has(program) {
            continue;
        }
        let pack = Command::new(program).args([level, "-c"]);
        let mut made = scratch::file().map_err(HostError::file("write a temporary file"))?;
        let into = made.try_clone().map_err(HostError::file("write a temporary file"))?;
        let from = own_file().map_err(HostError::file("read this program"))?;
        if connection.runner.run_between(&pack, PACK_WITHIN, from, into).await.is_ok() {
            made.rewind().map_err(HostError::file("read a temporary file"))?;
            return Ok((made, unpack));
        }
    }
    Ok((own_file().map_err(HostError::file("read this program"))?, "cat"))
}
