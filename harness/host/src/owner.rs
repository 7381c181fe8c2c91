//! Whose throw-away thing it is: a process, told apart from a later one with the same id.
//!
//! The owner is written into a label of everything that a throw-away stack or server is made of. A later run takes
//! away what a dead owner left; what belongs to a living process, or to a machine whose processes cannot be seen from
//! here, is left alone.

use std::{fs, io};

/// A process that throw-away things belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pid: u32,
    /// Start time in clock ticks since boot.
    started: u64,
    /// Where the process id means something: the boot and the process namespace.
    space: String,
}

/// A label: the owner, and when the thing is nobody's any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose it is.
    pub owner: Owner,
    /// Seconds since 1970.
    pub expires: i64,
}

const PREFIX: &str = "ephemeral";
/// After this time a thing is nobody's, even where its owner cannot be seen.
const LIFETIME_SECONDS: i64 = 24 * 3_600;

impl Owner {
    /// Returns the living process `pid`.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Some(Owner { pid, started: started(pid)?, space: space() })
    }

    /// Returns the process `pid`, which lives: this one, or its parent.
    ///
    /// # Errors
    /// Where it has ended meanwhile.
    pub fn living(pid: u32) -> io::Result<Self> {
        Self::of(pid).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("process {pid} has ended")))
    }

    /// Returns whether it is this very process that lives, and not a later one with its id.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.space == space() && started(self.pid) == Some(self.started)
    }
}

impl Claim {
    /// Returns the claim of `owner` from now on.
    #[must_use]
    pub fn from_now(owner: Owner) -> Self {
        Claim { owner, expires: jiff::Timestamp::now().as_second() + LIFETIME_SECONDS }
    }

    /// Returns whether the thing was left behind, as seen from this process and now.
    #[must_use]
    pub fn is_abandoned_here(&self) -> bool {
        self.is_abandoned(&space(), jiff::Timestamp::now().as_second(), Owner::is_alive)
    }

    /// Writes the claim as a label's value.
    #[must_use]
    pub fn label(&self) -> String {
        let Owner { pid, started, space } = &self.owner;
        format!("{PREFIX}/{pid}/{started}/{space}/{}", self.expires)
    }

    /// Reads a label's value; `None` where something else of ours wrote it.
    #[must_use]
    pub fn parse(label: &str) -> Option<Self> {
        let mut parts = label.split('/');
        let (prefix, pid, started, space, expires) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let owner = Owner { pid: pid.parse().ok()?, started: started.parse().ok()?, space: space.to_owned() };
        let claim = Claim { owner, expires: expires.parse().ok()? };
        (prefix == PREFIX && parts.next().is_none()).then_some(claim)
    }

    /// Returns whether the stack was left behind: its owner is dead, or cannot be seen from `here` and it has expired.
    #[must_use]
    pub fn is_abandoned(&self, here: &str, now: i64, is_alive: impl Fn(&Owner) -> bool) -> bool {
        if self.owner.space == here { !is_alive(&self.owner) } else { self.expires < now }
    }
}

/// Returns what process ids are relative to: this boot, and the process namespace that this process sees.
#[must_use]
pub fn space() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digits: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    format!("{}-{digits}", boot.trim())
}

/// Returns when a process was started; `None` where it is gone or only waits to be collected.
// Source: proc_pid_stat(5): field 3 is the state, field 22 the start time; field 2 may hold spaces and parentheses.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18)?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn claim(space: &str, expires: i64) -> Claim {
        Claim { owner: Owner { pid: 7, started: 99, space: space.to_owned() }, expires }
    }

    #[rstest]
    #[case::living_here(claim("here", 50), true, false)]
    #[case::living_here_expired(claim("here", 5), true, false)]
    #[case::dead_here(claim("here", 50), false, true)]
    #[case::elsewhere(claim("there", 50), false, false)]
    #[case::elsewhere_expired(claim("there", 5), false, true)]
    fn only_what_nobody_owns_any_more_was_left_behind(#[case] claim: Claim, #[case] alive: bool, #[case] left: bool) {
        assert_eq!(claim.is_abandoned("here", 10, |_| alive), left);
    }

    #[test]
    fn a_label_is_read_as_it_was_written() {
        let claim = claim("boot-4026531836", 1_750_000_000);
        assert_eq!(Claim::parse(&claim.label()), Some(claim));
    }

    #[rstest]
    #[case("production/20250101-1")]
    #[case("ephemeral/x/1/s/2")]
    #[case("ephemeral/1/1/s/2/more")]
    #[case("")]
    fn a_label_of_something_else_is_nobodys_claim(#[case] label: &str) {
        assert_eq!(Claim::parse(label), None);
    }

    #[test]
    fn this_process_is_alive_and_another_start_of_its_id_is_not() {
        let this = Owner::of(std::process::id()).unwrap();
        assert!(this.is_alive());
        assert!(!Owner { started: this.started + 1, ..this }.is_alive());
    }

    #[test]
    fn a_process_that_only_waits_to_be_collected_is_dead() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let begun = std::time::Instant::now();
        while Owner::of(child.id()).is_some() {
            assert!(begun.elapsed().as_secs() < 10, "`true` did not end");
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }
}
