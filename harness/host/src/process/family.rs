//! What a program has started, however it left its group: it carries the program's mark in its environment, or keeps the program's
//! output open.

use std::{
    collections::BTreeSet,
    fs,
    os::fd::AsFd,
    path::Path,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::process::{Pid, Signal, kill_process};

/// Variable that marks all that one program starts: `<process id of gate>.<when it began, in ns since 1970>.<number>`, since a process
/// id is given again, in containers soon.
const MARK: &str = "STAGEGATE_CHILD";
/// How often is looked again for what was started meanwhile.
const PASSES: usize = 50;

static NEXT: AtomicU64 = AtomicU64::new(0);
static BEGAN: LazyLock<u128> =
    LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos());

/// The processes that one program starts.
#[derive(Debug)]
pub(super) struct Family {
    mark: String,
    /// Numbers of the pipes that it writes to.
    pipes: Vec<u64>,
}

impl Family {
    pub(super) fn new() -> Self {
        let mark = format!("{}.{}.{}", std::process::id(), *BEGAN, NEXT.fetch_add(1, Ordering::Relaxed));
        Family { mark, pipes: Vec::new() }
    }

    /// Returns the variable that the program is to be started with.
    pub(super) fn variable(&self) -> (&'static str, &str) {
        (MARK, &self.mark)
    }

    /// Takes note of a pipe that the program writes to.
    pub(super) fn writes_to(&mut self, stream: Option<&impl AsFd>) {
        self.pipes.extend(stream.and_then(|stream| rustix::fs::fstat(stream).ok()).map(|found| found.st_ino));
    }

    /// Ends all of them, and returns how many there were. Those of other users are neither seen nor ended.
    pub(super) fn end(&self) -> usize {
        let mut ended = BTreeSet::new();
        for _ in 0..PASSES {
            let members = self.members();
            if members.is_empty() {
                break;
            }
            for pid in members {
                if let Some(process) = Pid::from_raw(pid) {
                    let _ = kill_process(process, Signal::KILL);
                }
                ended.insert(pid);
            }
        }
        ended.len()
    }

    fn members(&self) -> Vec<i32> {
        let own = std::process::id();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let others = numbers.filter(|pid| u32::try_from(*pid).is_ok_and(|pid| pid != own));
        others.filter(|pid| self.is_member(&Path::new("/proc").join(pid.to_string()))).collect()
    }

    fn is_member(&self, process: &Path) -> bool {
        let environ = fs::read(process.join("environ")).unwrap_or_default();
        let marked = format!("{MARK}={}", self.mark);
        environ.split(|byte| *byte == 0).any(|pair| pair == marked.as_bytes()) || self.keeps_a_pipe_open(process)
    }

    /// Returns whether a process can write to a pipe of the program. That it can read from one does not count: a process that this
    /// one is just starting has copies of these ends.
    // Source: proc(5): fd/N is a link to `pipe:[NUMBER]`; fdinfo/N has the flags of open(2) in octal.
    fn keeps_a_pipe_open(&self, process: &Path) -> bool {
        let names: Vec<String> = self.pipes.iter().map(|number| format!("pipe:[{number}]")).collect();
        let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let is_pipe =
            |path: &Path| fs::read_link(path).is_ok_and(|to| names.iter().any(|name| to.as_os_str() == name.as_str()));
        let of_program = descriptors.filter(|entry| is_pipe(&entry.path())).map(|entry| entry.file_name());
        of_program.into_iter().any(|number| {
            let info = fs::read_to_string(process.join("fdinfo").join(number)).unwrap_or_default();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
            flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()).is_some_and(|flags| flags & 0o3 != 0)
        })
    }
}
