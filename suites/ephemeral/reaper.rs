//! Outlives the run: takes its stack down where the run was killed and could not.
//!
//! It is this same program, started again with a variable that states whom to watch. A signal that ends the run's
//! process group does not reach it; what ends it too (a reboot, the end of a CI container) is left to the next sweep.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::Duration,
};

use stagegate_host::owner::{Claim, Owner};
use stagegate_migration_act::scratch;

use super::{home, teardown};

/// Variable that makes a program the reaper of a stack: `<claim>:<project>`.
pub const REAP: &str = "STAGEGATE_REAP";
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Compose or the Engine may be at odds with what the killed run left half done.
const TRIES: u32 = 3;

/// Starts the reaper of `project`.
pub(crate) fn start(project: &str, owner: &Owner) -> std::io::Result<Child> {
    let claim = Claim { owner: owner.clone(), expires: 0 };
    Command::new(std::env::current_exe()?)
        .env(REAP, format!("{}:{project}", claim.label()))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

/// Does the reaper's work where this process was started as one, and returns whether it was.
///
/// A program that brings up throw-away stacks calls this first in its `main` and ends where it gives `true`.
#[must_use]
pub fn reap_if_requested() -> bool {
    let Ok(order) = std::env::var(REAP) else { return false };
    if let Some((owner, project)) = read(&order) {
        reap(&owner, &project);
    }
    true
}

fn read(order: &str) -> Option<(Owner, String)> {
    let (claim, project) = order.split_once(':')?;
    let is_ours = project.starts_with(super::NAME) || project.starts_with(scratch::NAME);
    is_ours.then(|| Some((Claim::parse(claim)?.owner, project.to_owned())))?
}

fn reap(owner: &Owner, project: &str) {
    while owner.is_alive() {
        std::thread::sleep(LOOK_EVERY);
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    for _ in 0..TRIES {
        if runtime.block_on(taken_away(project, owner)) {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    if !project.starts_with(scratch::NAME) {
        let _ = home::remove(project);
    }
}

async fn taken_away(name: &str, owner: &Owner) -> bool {
    if name.starts_with(scratch::NAME) {
        return scratch::remove(name, owner).await.is_ok();
    }
    teardown::take_down(name).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_for_anything_but_a_throw_away_project_is_not_followed() {
        let owner = Owner::of(std::process::id()).unwrap();
        let claim = Claim { owner: owner.clone(), expires: 0 }.label();
        assert_eq!(read(&format!("{claim}:stagegate-eph-1")), Some((owner, "stagegate-eph-1".to_owned())));
        assert_eq!(read(&format!("{claim}:shop-production")), None);
        assert_eq!(read("stagegate-eph-1"), None);
    }
}
