//! Programs that take long, such as builds: their lines are reported as they come, and kept for the reason.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use stagegate_base::command::Command;
use tokio::io::{AsyncRead, BufReader};

use super::{
    RunError, Runner, code, end,
    family::Family,
    lingering,
    output::{masked_line, next_line},
    reason,
    running::{Extent, Listed},
    waited,
};

/// A line is reported so often at most; where none comes, that the program still runs.
const TELL_EVERY: Duration = Duration::from_secs(3);
/// How many lines are kept for the reason.
const KEPT: usize = 400;
/// How many bytes of a program's lines go to the log.
const LOGGED: usize = 16 << 20;

impl Runner {
    /// Runs a program that takes long: each line of its output goes to the log as it comes, and one every few seconds
    /// to whom [`Runner::with_progress`] names.
    ///
    /// # Errors
    /// As [`Runner::run_ok`]; the reason is taken of both its streams, in the order in which their lines came.
    pub async fn run_aloud(&self, command: &Command, within: Duration) -> Result<(), RunError> {
        let line = self.mask.apply(&command.line());
        self.note(&format!("run {line}"));
        let began = Instant::now();
        let start = |source| RunError::Start { program: command.program.clone(), source };
        let mut family = Family::new();
        let (name, value) = family.variable();
        let mut prepared = self.prepared(command);
        prepared.env(name, value);
        let mut child = prepared.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(start)?;
        let _listed = Listed::new(command, Extent::None);
        let group = child.id();
        let heard = Heard::new(self, began);
        let (out, err) = (child.stdout.take(), child.stderr.take());
        family.writes_to(out.as_ref());
        family.writes_to(err.as_ref());
        let exit = OnceLock::new();
        let all = async { tokio::join!(waited(&mut child, &exit), heard.read(out), heard.read(err)).0 };
        let ended = tokio::select! {
            ended = tokio::time::timeout(within, all) => ended,
            never = heard.remind() => never,
        };
        let Ok(status) = ended else {
            let ended = end(&mut child, (group, exit.get().copied()), &family).await;
            self.note(&format!("end {line}: killed after {within:?}{}", lingering(ended)));
            return Err(RunError::TimedOut { line, within, ended });
        };
        let code = code(status.map_err(|source| RunError::Stream { line: line.clone(), source })?);
        self.note(&format!("end {line}: code {code} after {:.3} s", began.elapsed().as_secs_f64()));
        if code == 0 { Ok(()) } else { Err(RunError::Failed { line, code, reason: reason::of(&heard.text()) }) }
    }
}

/// The lines of a program, and when one was reported last.
struct Heard<'a> {
    runner: &'a Runner,
    began: Instant,
    state: Arc<Mutex<State>>,
}

struct State {
    lines: Vec<String>,
    logged: usize,
    told_at: Instant,
}

impl<'a> Heard<'a> {
    fn new(runner: &'a Runner, began: Instant) -> Self {
        // So that the first line is reported at once.
        let told_at = began.checked_sub(TELL_EVERY).unwrap_or(began);
        Heard { runner, began, state: Arc::new(Mutex::new(State { lines: Vec::new(), logged: 0, told_at })) }
    }

    async fn read<R: AsyncRead + Unpin>(&self, stream: Option<R>) {
        let Some(stream) = stream else { return };
        let (mut reader, mut bytes) = (BufReader::new(stream), Vec::new());
        while next_line(&mut reader, &mut bytes).await.is_ok_and(|is_there| is_there) {
            self.take(masked_line(&bytes, &self.runner.mask));
        }
    }

    fn take(&self, line: String) {
        if line.trim().is_empty() {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.logged < LOGGED {
            self.runner.note(&line);
            state.logged += line.len();
            if state.logged >= LOGGED {
                self.runner.note(&format!("[{LOGGED} bytes of its output are logged; the rest is left out]"));
            }
        }
        if state.told_at.elapsed() >= TELL_EVERY {
            state.told_at = Instant::now();
            self.report(&line);
        }
        state.lines.push(line);
        if state.lines.len() > KEPT {
            state.lines.drain(..KEPT / 2);
        }
    }

    /// Reports for ever that the program still runs, whenever it was silent for long.
    async fn remind(&self) -> ! {
        loop {
            tokio::time::sleep(TELL_EVERY).await;
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if state.told_at.elapsed() >= 2 * TELL_EVERY {
                state.told_at = Instant::now();
                let last = state.lines.last().cloned().unwrap_or_default();
                self.report(&format!("{last} (still running, {} s)", self.began.elapsed().as_secs()));
            }
        }
    }

    fn report(&self, line: &str) {
        if let Some(progress) = &self.runner.progress {
            (progress.0)(line);
        }
    }

    fn text(&self) -> String {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        Command::new("sh").args(["-c", script])
    }

    #[tokio::test]
    async fn the_reason_has_the_lines_of_both_streams_and_the_first_line_is_reported_at_once() {
        let reported = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&reported);
        let runner = Runner::default().with_progress(move |line: &str| tell.lock().unwrap().push(line.to_owned()));
        let script = "echo '#7 pip install left-pad'; echo 'ERROR: No matching distribution' >&2; exit 17";
        let Err(RunError::Failed { code, reason, .. }) =
            runner.run_aloud(&shell(script), Duration::from_secs(10)).await
        else {
            panic!("it did not fail");
        };
        assert_eq!(code, 17);
        assert!(reason.contains("ERROR: No matching distribution"), "{reason}");
        assert_eq!(reported.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_program_whose_time_is_over_is_ended() {
        let run = Runner::default().run_aloud(&shell("sleep 60"), Duration::from_millis(100)).await;
        assert!(matches!(run, Err(RunError::TimedOut { .. })), "{run:?}");
    }
}
