//! The one place that runs programs.
//!
//! Each child is the leader of its own process group, so that Ctrl-C reaches the gate and not a half-done
//! `docker compose up`, and so that a deadline ends its whole group. Each carries the mark of the run in its
//! environment: the next run finds and ends what outlived a killed gate.

mod family;
mod live;
mod output;
mod reason;
mod running;

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    future::pending,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use family::Family;
use output::Kept;
use running::Extent;
pub(crate) use running::Listed;
pub use running::{Running, running};
use rustix::process::{Pid, Signal, kill_process_group};
use stagegate_base::{
    command::{Command, Inherits, variables},
    redact::Mask,
};
use tokio::{
    io::BufReader,
    process::{ChildStdin, ChildStdout},
};

/// Variable that marks the children of a run: `<state folder>#<run>`.
pub const MARK: &str = "STAGEGATE_RUN";

/// What a program that ended left.
#[derive(Clone, Debug)]
pub struct Output {
    /// Exit code; 128 + signal where a signal ended it.
    pub code: i32,
    /// Standard output; empty where it went to a file.
    pub stdout: String,
    /// Standard error, masked.
    pub stderr: String,
}

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It is not there or may not be run.
    #[error("cannot run `{program}`; is it installed and on PATH?")]
    Start {
        /// The program.
        program: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// It ended with another code than 0.
    #[error("`{line}` failed with exit code {code}: {reason}")]
    Failed {
        /// The command, masked.
        line: String,
        /// Its exit code.
        code: i32,
        /// The last lines of its standard error, masked.
        reason: String,
    },
    /// It was ended because its time was up, with all that it had started.
    #[error("`{line}` timed out after {within:?}{}", lingering(*ended))]
    TimedOut {
        /// The command, masked.
        line: String,
        /// Its time.
        within: Duration,
        /// Its exit code, where it had ended by itself and something that it started kept its output open.
        ended: Option<i32>,
    },
    /// It was ended because what it was to do had failed already.
    #[error("`{line}` was ended early")]
    Stopped {
        /// The command, masked.
        line: String,
    },
    /// Reading or writing its streams failed.
    #[error("the output of `{line}` could not be read")]
    Stream {
        /// The command, masked.
        line: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

/// A program that runs next to this one; its whole group is killed with this value.
#[derive(Debug)]
pub struct Started(tokio::process::Child);

impl Started {
    /// Returns what it reads and what it writes; nothing the second time.
    pub fn streams(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        self.0.stdin.take().zip(self.0.stdout.take())
    }

    /// Waits until it has ended by itself, and returns its exit code.
    ///
    /// # Errors
    /// The system's.
    pub async fn wait(mut self) -> std::io::Result<i32> {
        self.0.wait().await.map(code)
    }

    /// Kills its group and waits until it is gone.
    pub async fn end(mut self) {
        kill_group(self.0.id());
        let _ = self.0.wait().await;
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        kill_group(self.0.id());
    }
}

/// Runs programs, masks what they say and writes it to the run's log.
#[derive(Clone, Debug, Default)]
pub struct Runner {
    mask: Mask,
    mark: Option<String>,
    log: Option<Arc<Mutex<File>>>,
    progress: Option<Progress>,
}

/// Who is told how a program that takes long gets on.
#[derive(Clone)]
struct Progress(Arc<dyn Fn(&str) + Send + Sync>);

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

impl Runner {
    /// Returns a runner that masks `mask` in all that it hands on.
    #[must_use]
    pub fn with_mask(mut self, mask: Mask) -> Self {
        self.mask = mask;
        self
    }

    /// Returns a runner whose children carry `mark`.
    #[must_use]
    pub fn with_mark(mut self, mark: &str) -> Self {
        self.mark = Some(mark.to_owned());
        self
    }

    /// Returns a runner that writes to the log at `path`, which only its owner may read.
    ///
    /// # Errors
    /// The system's, where the file cannot be opened.
    pub fn with_log(mut self, path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        self.log = Some(Arc::new(Mutex::new(file)));
        Ok(self)
    }

    /// Returns a runner that hands lines of programs that take long to `tell`, masked, one every few seconds.
    #[must_use]
    pub fn with_progress(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.progress = Some(Progress(Arc::new(tell)));
        self
    }

    /// Returns the mask.
    #[must_use]
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Writes lines to the run's log, masked. A log that cannot be written never stops a run.
    pub fn note(&self, text: &str) {
        let Some(log) = &self.log else { return };
        let text = self.mask.apply(text);
        if let Ok(mut file) = log.lock() {
            let now = jiff::Timestamp::now();
            for line in text.lines() {
                let _ = writeln!(file, "{now:.3} {line}");
            }
        }
    }

    /// Runs a program to its end and returns what it left, whatever its exit code.
    ///
    /// # Errors
    /// [`RunError`] where it cannot be started, or its time is up; its process group is killed then.
    pub async fn run(&self, command: &Command, within: Duration) -> Result<Output, RunError> {
        self.run_with(command, within, (Stdio::null(), Stdio::piped(), Extent::None), pending()).await
    }

    /// Runs a program and returns its standard output.
    ///
    /// # Errors
    /// [`RunError`], also where it ends with another code than 0.
    pub async fn run_ok(&self, command: &Command, within: Duration) -> Result<String, RunError> {
        let output = self.run(command, within).await?;
        self.checked(command, output).map(|output| output.stdout)
    }

    /// Runs a program and returns all that it left.
    ///
    /// # Errors
    /// As [`Runner::run_ok`].
    pub async fn run_checked(&self, command: &Command, within: Duration) -> Result<Output, RunError> {
        let output = self.run(command, within).await?;
        self.checked(command, output)
    }

    /// Hands a line to the run's log and to whom [`Runner::with_progress`] names, masked.
    pub fn report(&self, text: &str) {
        self.note(text);
        if let Some(progress) = &self.progress {
            (progress.0)(&self.mask.apply(text));
        }
    }

    /// Runs a program to its end, and kills its process group where `stop` comes first.
    ///
    /// # Errors
    /// As [`Runner::run_ok`], and [`RunError::Stopped`].
    pub async fn run_unless(
        &self,
        command: &Command,
        within: Duration,
        stop: impl Future<Output = ()>,
    ) -> Result<(), RunError> {
        let output = self.run_with(command, within, (Stdio::null(), Stdio::piped(), Extent::None), stop).await?;
        self.checked(command, output).map(drop)
    }

    /// Runs a program with its standard output in `file`.
    ///
    /// # Errors
    /// As [`Runner::run_ok`].
    pub async fn run_to_file(&self, command: &Command, within: Duration, file: File) -> Result<(), RunError> {
        let extent = Extent::written(&file);
        let output = self.run_with(command, within, (Stdio::null(), file.into(), extent), pending()).await?;
        self.checked(command, output).map(drop)
    }

    /// Runs a program with its standard input from `file`.
    ///
    /// # Errors
    /// As [`Runner::run_ok`].
    pub async fn run_from_file(&self, command: &Command, within: Duration, file: File) -> Result<(), RunError> {
        let extent = Extent::read(&file);
        let output = self.run_with(command, within, (file.into(), Stdio::piped(), extent), pending()).await?;
        self.checked(command, output).map(drop)
    }

    /// Runs a program with its standard input from one file and its standard output in another one.
    ///
    /// # Errors
    /// As [`Runner::run_ok`].
    pub async fn run_between(&self, command: &Command, within: Duration, from: File, to: File) -> Result<(), RunError> {
        let extent = Extent::read(&from);
        let output = self.run_with(command, within, (from.into(), to.into(), extent), pending()).await?;
        self.checked(command, output).map(drop)
    }

    /// Runs a program and hands each line of its output to `sink`, masked, as it comes; returns its exit code.
    ///
    /// It stays in this process's group, so that Ctrl-C ends both.
    ///
    /// # Errors
    /// [`RunError`] where it cannot be started or read.
    pub async fn run_through(&self, command: &Command, mut sink: impl FnMut(&str)) -> Result<i32, RunError> {
        let line = self.mask.apply(&command.line());
        let mut prepared = self.prepared(command);
        prepared.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let start = |source| RunError::Start { program: command.program.clone(), source };
        let mut child = prepared.spawn().map_err(start)?;
        let stream = |source| RunError::Stream { line: line.clone(), source };
        if let Some(stdout) = child.stdout.take() {
            let (mut reader, mut text) = (BufReader::new(stdout), Vec::new());
            while output::next_line(&mut reader, &mut text).await.map_err(stream)? {
                sink(&output::masked_line(&text, &self.mask));
            }
        }
        Ok(code(child.wait().await.map_err(stream)?))
    }

    /// Starts a program that runs next to this one and is talked to over its streams.
    ///
    /// # Errors
    /// [`RunError::Start`] where it cannot be started.
    pub fn start(&self, command: &Command) -> Result<Started, RunError> {
        self.start_logged(command, Stdio::null())
    }

    /// Starts a program as [`Self::start`] does, with its standard error in `errors`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_logged(&self, command: &Command, errors: impl Into<Stdio>) -> Result<Started, RunError> {
        self.note(&format!("start {}", self.mask.apply(&command.line())));
        let mut prepared = self.prepared(command);
        prepared.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).kill_on_drop(true);
        let start = |source| RunError::Start { program: command.program.clone(), source };
        prepared.spawn().map(Started).map_err(start)
    }

    fn checked(&self, command: &Command, output: Output) -> Result<Output, RunError> {
        if output.code == 0 {
            return Ok(output);
        }
        let printed = if output.stderr.trim().is_empty() { self.mask.apply(&output.stdout) } else { output.stderr };
        let reason = reason::of(&printed);
        Err(RunError::Failed { line: self.mask.apply(&command.line()), code: output.code, reason })
    }

    async fn run_with(
        &self,
        command: &Command,
        within: Duration,
        (stdin, stdout, extent): (Stdio, Stdio, Extent),
        stop: impl Future<Output = ()>,
    ) -> Result<Output, RunError> {
        let line = self.mask.apply(&command.line());
        self.note(&format!("run {line}"));
        let started = Instant::now();
        let mut family = Family::new();
        let (name, value) = family.variable();
        let mut prepared = self.prepared(command);
        prepared.env(name, value).process_group(0).stdin(stdin).stdout(stdout);
        let start = |source| RunError::Start { program: command.program.clone(), source };
        let mut child = prepared.spawn().map_err(start)?;
        let _listed = Listed::new(command, extent);
        let group = child.id();
        let (out, err) = (child.stdout.take(), child.stderr.take());
        family.writes_to(out.as_ref());
        family.writes_to(err.as_ref());
        let exit = OnceLock::new();
        let whole = async { tokio::join!(waited(&mut child, &exit), Kept::read(out), Kept::read(err)) };
        let ended = tokio::select! {
            ended = tokio::time::timeout(within, whole) => ended.map_err(|_| true),
            () = stop => Err(false),
        };
        let (status, stdout, stderr) = match ended {
            Ok(ended) => ended,
            Err(is_late) => {
                let ended = end(&mut child, (group, exit.get().copied()), &family).await;
                self.note(&format!("end {line}: killed after {:?}{}", started.elapsed(), lingering(ended)));
                let late = |line| RunError::TimedOut { line, within, ended };
                return Err(if is_late { late(line) } else { RunError::Stopped { line } });
            }
        };
        let stream = |source| RunError::Stream { line: line.clone(), source };
        let status = status.map_err(stream)?;
        let stderr = stderr.map_err(stream)?.masked(&self.mask);
        let output = Output { code: code(status), stdout: stdout.map_err(stream)?.into_text(), stderr };
        self.note(&format!("end {line}: code {} after {:.3} s", output.code, started.elapsed().as_secs_f64()));
        if !output.stderr.trim().is_empty() {
            self.note(&output::logged(&output.stderr));
        }
        Ok(output)
    }

    fn prepared(&self, command: &Command) -> tokio::process::Command {
        let mut prepared = tokio::process::Command::new(&command.program);
        prepared.args(&command.args).stderr(Stdio::piped()).kill_on_drop(false);
        if command.inherits == Inherits::DockerOnly {
            prepared.env_clear();
            let passed_on = |(name, _): &(OsString, OsString)| name.to_str().is_some_and(variables::is_passed_on);
            prepared.envs(std::env::vars_os().filter(passed_on));
        }
        if let Some(dir) = &command.dir {
            // A program that reads its folder from PWD must not find the caller's there.
            prepared.current_dir(dir).env("PWD", dir);
        }
        if let Some(mark) = &self.mark {
            prepared.env(MARK, mark);
        }
        for (key, value) in &command.env {
            prepared.env(key, value.expose());
        }
        prepared
    }
}

/// Waits for a program and keeps its exit code, which is known then where its output is still open.
async fn waited(child: &mut tokio::process::Child, exit: &OnceLock<i32>) -> std::io::Result<std::process::ExitStatus> {
    let status = child.wait().await?;
    let _ = exit.set(code(status));
    Ok(status)
}

/// Ends a program with all that it started, and returns its exit code where it had ended by itself: not where it ended since
/// nobody reads its output any more.
async fn end(
    child: &mut tokio::process::Child,
    (group, ended): (Option<u32>, Option<i32>),
    family: &Family,
) -> Option<i32> {
    // Its number may be that of another group by now.
    if ended.is_none() {
        kill_group(group);
    }
    family.end();
    let _ = child.wait().await;
    ended
}

fn lingering(ended: Option<i32>) -> String {
    ended.map_or_else(String::new, |code| {
        format!(
            ": it had ended with exit code {code}, and a process that it started kept its output open and was ended; such a \
             process needs `> /dev/null 2>&1`"
        )
    })
}

fn kill_group(group: Option<u32>) {
    let pid = group.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

fn code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// Ends every process that carries one of the marks that `is_old` accepts, and returns how many there were.
///
/// Only processes of this user are seen, which is whom a run of this user left behind.
#[must_use]
pub fn end_marked(is_old: impl Fn(&str) -> bool) -> usize {
    let own = std::process::id();
    let mut ended = 0;
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        if pid == own {
            continue;
        }
        let Ok(environ) = std::fs::read(entry.path().join("environ")) else { continue };
        let marked = environ
            .split(|byte| *byte == 0)
            .filter_map(|pair| std::str::from_utf8(pair).ok()?.strip_prefix(MARK)?.strip_prefix('='))
            .any(&is_old);
        if marked
            && let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw)
            && rustix::process::kill_process(pid, Signal::KILL).is_ok()
        {
            ended += 1;
        }
    }
    ended
}

#[cfg(test)]
mod tests;
