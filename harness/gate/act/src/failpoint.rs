//! Where the tests of crashes kill the gate, and where tests of what others do meanwhile let them do it. Only in builds
//! with debug assertions; a release build has none of it.

#[cfg(debug_assertions)]
use stagegate_gate_decide::promotion::{Entry, Line};

/// Variable with the number of the journal line after which the process kills itself, as `kill -9` would.
#[cfg(debug_assertions)]
const KILL_AFTER_LINE: &str = "STAGEGATE_KILL_AFTER_LINE";

/// Variable with an entry of the journal, such as `done validate`, after which a command is run to its end.
#[cfg(debug_assertions)]
const RUN_AFTER: &str = "STAGEGATE_RUN_AFTER";
/// Variable with that command, for `sh -c`.
#[cfg(debug_assertions)]
const RUN_COMMAND: &str = "STAGEGATE_RUN_COMMAND";

/// All of them: what belongs to one process is not handed on to another one that it starts.
pub(crate) const VARIABLES: [&str; 3] = ["STAGEGATE_KILL_AFTER_LINE", "STAGEGATE_RUN_AFTER", "STAGEGATE_RUN_COMMAND"];

/// Kills this process where the test asks for it after a journal line, or runs what the test wants to happen there.
#[cfg(debug_assertions)]
pub(crate) fn after_line(line: &Line) {
    let wanted = std::env::var(KILL_AFTER_LINE).ok().and_then(|text| text.parse::<u64>().ok());
    if wanted == Some(line.seq) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
    let (Ok(wanted), Ok(command)) = (std::env::var(RUN_AFTER), std::env::var(RUN_COMMAND)) else { return };
    let reached = match &line.entry {
        Entry::Begun { step } => format!("begun {step:?}"),
        Entry::Done { report } => format!("done {:?}", report.step()),
        _ => return,
    };
    if reached.eq_ignore_ascii_case(&wanted) {
        let mut meanwhile = std::process::Command::new("sh");
        // What the command runs is a process of its own, without these variables.
        let _ = meanwhile.args(["-c", &command]).env_remove(RUN_AFTER).env_remove(RUN_COMMAND).status();
    }
}

/// Does nothing.
#[cfg(not(debug_assertions))]
pub(crate) fn after_line(_line: &stagegate_gate_decide::promotion::Line) {}
