//! What a killed run left of its scratch server: found by its claim, taken away.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use stagegate_host::{
    engine::Engine,
    owner::{Claim, Owner},
};

/// How the names begin.
pub const NAME: &str = "stagegate-scratch-";
/// The label of a container; its value is the claim.
pub(super) const LABEL: &str = "dev.stagegate.scratch";
/// The file of a folder that holds the claim.
pub(super) const CLAIM: &str = "claim";
const END_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn folder(name: &str) -> PathBuf {
    std::env::temp_dir().join(name)
}

/// Takes away the servers that killed runs left, and returns their names. That Docker is not there is fine.
pub async fn sweep() -> Vec<String> {
    let mut left = Vec::new();
    if let Ok(engine) = Engine::connect().await {
        for container in engine.labelled(LABEL).await.unwrap_or_default() {
            let claim = container.labels.get(LABEL).and_then(|label| Claim::parse(label));
            if claim.is_some_and(|claim| claim.is_abandoned_here())
                && engine.remove_with_volumes(&container.id).await.is_ok()
            {
                left.push(container.name);
            }
        }
    }
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let claim = fs::read_to_string(entry.path().join(CLAIM)).ok();
        let claim = claim.filter(|_| name.starts_with(NAME)).and_then(|label| Claim::parse(&label));
        if claim.is_some_and(|claim| claim.is_abandoned_here()) {
            remove_folder(&entry.path());
            left.push(name);
        }
    }
    left
}

/// Takes one server of `owner` away by its name; that it is gone already is fine. What carries no claim of that owner
/// stays.
///
/// # Errors
/// [`stagegate_host::engine::EngineError`] where the Engine refused.
pub async fn remove(name: &str, owner: &Owner) -> Result<(), stagegate_host::engine::EngineError> {
    if !name.starts_with(NAME) || name.contains('/') {
        return Ok(());
    }
    let is_theirs = |label: &str| Claim::parse(label).is_some_and(|claim| claim.owner == *owner);
    let dir = folder(name);
    if fs::read_to_string(dir.join(CLAIM)).is_ok_and(|label| is_theirs(&label)) {
        remove_folder(&dir);
    }
    let Ok(engine) = Engine::connect().await else { return Ok(()) };
    match engine.inspect(name).await? {
        Some(found) if found.labels.get(LABEL).is_some_and(|label| is_theirs(label)) => {
            engine.remove_with_volumes(&found.id).await
        }
        _ => Ok(()),
    }
}

/// Ends the server of a folder, if there is one, and removes the folder.
pub(super) fn remove_folder(dir: &Path) {
    if let Some(pid) = postmaster(dir) {
        let _ = kill_process(pid, Signal::QUIT);
        let begun = std::time::Instant::now();
        while postmaster(dir).is_some() && begun.elapsed() < END_WITHIN {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let _ = fs::remove_dir_all(dir);
}

/// Returns the process of a folder's server, where it lives.
// Source: PostgreSQL, `postmaster.pid`: the first line is its process id. The command line is looked at as well: the
// id may be somebody else's by now.
pub(super) fn postmaster(dir: &Path) -> Option<Pid> {
    let text = fs::read_to_string(dir.join("data/postmaster.pid")).ok()?;
    let id: i32 = text.lines().next()?.trim().parse().ok()?;
    let command = fs::read(format!("/proc/{id}/cmdline")).ok()?;
    let ours = String::from_utf8_lossy(&command).contains(&*dir.to_string_lossy());
    if ours { Pid::from_raw(id) } else { None }
}
