//! Runs on the host: started detached, followed by their files, interrupted by a signal.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::{Command as Child, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
    process::{Pid, Signal, kill_process},
};
use serde_json::{Value, json};
use stagegate_host::{
    clock, detached, files,
    host::{HERE_VARIABLE, WAITING_VARIABLE},
};
use stagegate_target_decide::{Event, whole_lines};

use super::{Product, SideError, report};

/// Variable by which a command on a host has the id of its run, `<run>@<id of the process that started it>`.
pub const RUN_VARIABLE: &str = "STAGEGATE_HOST_RUN";

const REQUEST: &str = "request.json";
const LOCK: &str = "lock";
const OUTPUT: &str = "output";
const MESSAGES: &str = "messages";
const PROCESS: &str = "process";
const ENDED: &str = "ended";
/// Is there as soon as the run waits for a confirmation.
const WAITING: &str = "waiting";
/// A killed run without an exit code.
const KILLED: &str = "killed";

const STARTS_WITHIN: Duration = Duration::from_secs(15);
const LOOKS: Duration = Duration::from_millis(100);
const BEATS: Duration = Duration::from_secs(5);
/// How much of a file is reported at once, in bytes.
const PART: usize = 64 << 10;

/// Starts a command, detached, and follows it.
pub(super) async fn start(product: &Product, args: Vec<String>, environment: Option<String>) -> Result<(), SideError> {
    product.checked_out()?;
    let id = format!("{}-{:04x}", clock::stamp(), std::process::id() & 0xffff);
    let dir = product.runs().join(&id);
    files::private_dir(&dir).map_err(SideError::file(&dir))?;
    let request = json!({ "args": args, "environment": environment, "checkout": product.checkout() });
    let path = dir.join(REQUEST);
    files::write_whole(&path, request.to_string().as_bytes()).map_err(SideError::file(&path))?;
    for name in [OUTPUT, MESSAGES] {
        let path = dir.join(name);
        files::private_file(&path).map_err(SideError::file(&path))?;
    }
    let supervise = ["host-side".to_owned(), "--supervise".to_owned(), dir.display().to_string()];
    let unit = format!("stagegate-{id}");
    detached::start(&unit, &supervise, (&dir, "supervisor"), &[]).await.map_err(SideError::file(&dir))?;
    let deadline = Instant::now() + STARTS_WITHIN;
    while !dir.join(PROCESS).exists() && !dir.join(ENDED).exists() {
        if Instant::now() > deadline {
            let log = dir.join("supervisor.log");
            let text = format!(
                "the run did not start within {} s; {} has its messages",
                STARTS_WITHIN.as_secs(),
                log.display()
            );
            return Err(SideError::Refused(text));
        }
        tokio::time::sleep(LOOKS).await;
    }
    follow(product, Some(&id), (0, 0)).await
}

/// Runs the command of a run's folder to its end, in a session of its own.
///
/// # Errors
/// The system's, where the folder cannot be used.
pub fn supervise(dir: &Path) -> io::Result<()> {
    detached::leave_terminal();
    let lock = files::private_file(&dir.join(LOCK))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let request: Value = serde_json::from_slice(&fs::read(dir.join(REQUEST))?).map_err(io::Error::other)?;
    let args = request["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let append = |name: &str| fs::OpenOptions::new().append(true).open(dir.join(name));
    let mut child = Child::new(std::env::current_exe()?);
    child.args(args).stdin(Stdio::null()).stdout(append(OUTPUT)?).stderr(append(MESSAGES)?);
    child.current_dir(request["checkout"].as_str().unwrap_or("/"));
    child.env(HERE_VARIABLE, "1").env_remove("STAGEGATE_ENV");
    // With this process's id: programs that the command starts inherit it, and their runs are other ones.
    let id = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    child.env(RUN_VARIABLE, format!("{id}@{}", std::process::id()));
    child.env(WAITING_VARIABLE, dir.join(WAITING));
    if let Some(environment) = request["environment"].as_str() {
        child.env("STAGEGATE_ENV", environment);
    }
    let ended = match child.spawn() {
        Ok(mut child) => {
            files::write_whole(&dir.join(PROCESS), child.id().to_string().as_bytes())?;
            child.wait()?.code().map_or(KILLED.to_owned(), |code| code.to_string())
        }
        Err(error) => {
            fs::write(dir.join(MESSAGES), format!("error: gate could not be started: {error}\n"))?;
            "4".to_owned()
        }
    };
    files::write_whole(&dir.join(ENDED), ended.as_bytes())
}

/// Reports what a run writes until it has ended.
pub(super) async fn follow(product: &Product, run: Option<&str>, from: (u64, u64)) -> Result<(), SideError> {
    let dir = found(product, run)?;
    let id = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    report(&Event::Run { run: id.clone(), command: command(&dir) })?;
    let (mut output, mut messages) = from;
    let mut beat = Instant::now();
    let mut waits = false;
    loop {
        // Read before the files: what was written before the end is reported before it.
        let ended = ended(&dir);
        let is_last = ended.is_some();
        let more = part(&dir.join(MESSAGES), &mut messages, is_last, |text, next| Event::Message { text, next })?
            | part(&dir.join(OUTPUT), &mut output, is_last, |text, next| Event::Output { text, next })?;
        if more {
            beat = Instant::now();
            continue;
        }
        if let Some(code) = ended {
            return report(&Event::Ended { code });
        }
        // After what it printed before.
        if !waits && dir.join(WAITING).exists() {
            report(&Event::Waits { run: id.clone() })?;
            waits = true;
        }
        if beat.elapsed() > BEATS {
            report(&Event::Beat)?;
            beat = Instant::now();
        }
        tokio::time::sleep(LOOKS).await;
    }
}

/// Reports the next whole lines of a file, and tells whether there were any.
fn part(path: &Path, at: &mut u64, is_last: bool, event: fn(String, u64) -> Event) -> Result<bool, SideError> {
    let file = File::open(path).map_err(SideError::file(path))?;
    let mut bytes = vec![0; PART];
    let read = file.read_at(&mut bytes, *at).map_err(SideError::file(path))?;
    // A part that is full of one line is reported as it is.
    let length = whole_lines(&bytes[..read], is_last || read == PART);
    if length == 0 {
        return Ok(false);
    }
    *at += length as u64;
    report(&event(String::from_utf8_lossy(&bytes[..length]).into_owned(), *at))?;
    Ok(true)
}

/// Returns how a run ended: nothing while it goes on, no code where nobody could write it down.
fn ended(dir: &Path) -> Option<Option<u8>> {
    let written = || fs::read_to_string(dir.join(ENDED)).ok().map(|text| text.trim().parse().ok());
    if let Some(code) = written() {
        return Some(code);
    }
    let lock = File::open(dir.join(LOCK)).ok()?;
    match flock(&lock, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => None,
        // It may have ended between the two looks.
        _ => Some(written().flatten()),
    }
}

fn command(dir: &Path) -> String {
    let request: Value =
        fs::read(dir.join(REQUEST)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let args = request["args"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    stagegate_base::command::Command::new("gate").args(args).line()
}

/// Returns a run's folder: that of the newest one where none is named.
fn found(product: &Product, run: Option<&str>) -> Result<PathBuf, SideError> {
    let runs = product.runs();
    let mut all: Vec<String> = fs::read_dir(&runs)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    all.sort();
    match run {
        None => all
            .last()
            .map(|newest| runs.join(newest))
            .ok_or_else(|| SideError::Refused("nothing has run here yet".to_owned())),
        Some(run) if all.iter().any(|one| one == run) => Ok(runs.join(run)),
        Some(run) => {
            let newest: Vec<&str> = all.iter().rev().take(5).map(String::as_str).collect();
            Err(SideError::Refused(format!("there is no run `{run}` (the newest: {})", newest.join(", "))))
        }
    }
}

/// Sends SIGTERM to the command of a run: a promotion is rolled back, in order.
pub(super) fn interrupt(product: &Product, run: Option<&str>) -> Result<(), SideError> {
    let dir = found(product, run)?;
    let id = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if ended(&dir).is_some() {
        return Err(SideError::Refused(format!("run {id} has ended")));
    }
    let path = dir.join(PROCESS);
    let text = fs::read_to_string(&path).map_err(SideError::file(&path))?;
    let pid = text.trim().parse().ok().and_then(Pid::from_raw);
    // The lock is held, so that the process is the run's.
    let sent = pid.map(|pid| kill_process(pid, Signal::TERM));
    match sent {
        Some(Ok(())) => report(&Event::Done { note: format!("run {id} is interrupted") }),
        _ => Err(SideError::Refused(format!("run {id} has ended"))),
    }
}
