//! Where the tests of crashes kill the gate. Only in builds with debug assertions; a release build has none of it.

/// Variable with the number of the journal line after which the process kills itself, as `kill -9` would.
#[cfg(debug_assertions)]
const KILL_AFTER_LINE: &str = "STAGEGATE_KILL_AFTER_LINE";

/// Kills this process where the test asks for it after journal line `seq`.
#[cfg(debug_assertions)]
pub(crate) fn after_line(seq: u64) {
    let wanted = std::env::var(KILL_AFTER_LINE).ok().and_then(|text| text.parse::<u64>().ok());
    if wanted == Some(seq) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Does nothing.
#[cfg(not(debug_assertions))]
pub(crate) fn after_line(_seq: u64) {}
