//! The terminal: one text at a time, and below it a line of what goes on, which is written over.

use std::{
    io::{IsTerminal, Write},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use stagegate_base::{
    report::{Colour, ColourChoice, ColourVariables, wanted_colour},
    text::one_line,
    units::Size,
};
use stagegate_host::process::{self, Running};

/// How often the line is drawn.
const EVERY: Duration = Duration::from_millis(250);
/// What takes no longer than this needs no line.
const SHORT: Duration = Duration::from_secs(1);
/// The columns of a terminal that does not report them.
const COLUMNS: usize = 80;

static CHOICE: OnceLock<ColourChoice> = OnceLock::new();
static SCREEN: Mutex<Screen> = Mutex::new(Screen { activity: None, drawn: String::new(), is_off: false });

/// What stands below the texts.
struct Screen {
    activity: Option<Activity>,
    /// The line as it was drawn; empty where there is none.
    drawn: String,
    /// Whether no line is drawn: somebody types, or the command draws by itself.
    is_off: bool,
}

/// What goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Something that takes time: what, since when, and how long it took before.
    Step { what: String, since: Instant, before: Option<Duration> },
    /// A line that shows by itself how far it is.
    Line(String),
}

/// Sets when colours are printed, and begins to show what takes long, where standard error is a terminal.
pub(crate) fn begin(choice: ColourChoice) {
    let _ = CHOICE.set(choice);
    if draws() {
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(EVERY);
                screen().draw();
            }
        });
    }
}

/// Shows what goes on now.
pub(crate) fn show(activity: Activity) {
    let mut screen = screen();
    screen.activity = Some(activity);
    screen.draw();
}

/// Takes the line away: what went on has ended.
pub(crate) fn clear() {
    let mut screen = screen();
    screen.activity = None;
    screen.erase();
}

/// Draws no line from here on.
pub(crate) fn off() {
    let mut screen = screen();
    screen.erase();
    screen.is_off = true;
}

/// Runs what reads of a terminal with no line in its way. Others may print meanwhile, as after Ctrl-C.
pub(crate) fn without_line<T>(read: impl FnOnce() -> T) -> T {
    let was_off = {
        let mut screen = screen();
        screen.erase();
        std::mem::replace(&mut screen.is_off, true)
    };
    let result = read();
    screen().is_off = was_off;
    result
}

/// Runs what writes to a terminal with no line in its way.
pub(crate) fn printing<T>(write: impl FnOnce() -> T) -> T {
    let mut screen = screen();
    screen.erase();
    write()
}

/// Returns whether a stream is for eyes that see colour.
pub(crate) fn colour(stream: &impl IsTerminal) -> Colour {
    wanted_colour(CHOICE.get().copied().unwrap_or_default(), &variables(), stream.is_terminal())
}

/// Returns the columns of the terminal that standard output is; nothing where it is none.
pub(crate) fn columns() -> Option<usize> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    terminal_size::terminal_size_of(stdout).map(|(width, _)| usize::from(width.0)).filter(|columns| *columns > 0)
}

fn variables() -> ColourVariables {
    let text = |value: Option<std::ffi::OsString>| value.map(|value| value.to_string_lossy().into_owned());
    ColourVariables {
        no_color: text(std::env::var_os("NO_COLOR")),
        clicolor_force: text(std::env::var_os("CLICOLOR_FORCE")),
        term: text(std::env::var_os("TERM")),
    }
}

/// Returns whether a line can be drawn and written over.
fn draws() -> bool {
    std::io::stderr().is_terminal() && variables().knows_sequences()
}

fn screen() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Screen {
    fn draw(&mut self) {
        if self.is_off || !draws() {
            return;
        }
        let line = line(self.activity.as_ref(), process::running().as_ref());
        let columns = terminal_size::terminal_size_of(std::io::stderr()).map_or(COLUMNS, |(width, _)| width.0.into());
        // A line that is broken in two would not be written over.
        let line: String = line.chars().take(columns.max(2) - 1).collect();
        if line == self.drawn {
            return;
        }
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "\r\u{1b}[2K{line}");
        let _ = stderr.flush();
        self.drawn = line;
    }

    fn erase(&mut self) {
        if !self.drawn.is_empty() {
            let _ = write!(std::io::stderr(), "\r\u{1b}[2K");
            let _ = std::io::stderr().flush();
            self.drawn.clear();
        }
    }
}

/// Returns the line: what goes on, how long so far and before, and the program that runs, with how far it is.
fn line(activity: Option<&Activity>, running: Option<&Running>) -> String {
    let program = running.filter(|running| running.since.elapsed() >= SHORT).map(program);
    match (activity, program) {
        (Some(Activity::Line(line)), _) => one_line(line),
        (Some(Activity::Step { what, since, before }), program) => {
            let program = program.map(|program| format!("  ({program})")).unwrap_or_default();
            one_line(&format!("...  {what}{}{program}", lasted(since.elapsed(), *before)))
        }
        (None, Some(program)) => one_line(&format!("...  {program}")),
        (None, None) => String::new(),
    }
}

fn lasted(so_far: Duration, before: Option<Duration>) -> String {
    let before = before.filter(|before| *before >= SHORT).map(|before| format!(" of about {} s", before.as_secs()));
    match (so_far.as_secs(), before) {
        (0, None) => String::new(),
        (seconds, before) => format!("  {seconds} s{}", before.unwrap_or_default()),
    }
}

/// Returns what runs: `pg_restore 12 s, 40 % of 1.2 GiB`.
fn program(running: &Running) -> String {
    let extent = match (running.bytes, running.all_bytes) {
        (Some(done), Some(all)) if all > 0 => format!(", {} % of {}", done.min(all) * 100 / all, Size(all)),
        (Some(done), None) if done > 0 => format!(", {}", Size(done)),
        _ => String::new(),
    };
    format!("{} {} s{extent}", running.what, running.since.elapsed().as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ago(seconds: u64) -> Instant {
        Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap()
    }

    fn step(seconds: u64, before: Option<u64>) -> Activity {
        Activity::Step { what: "rehearse".to_owned(), since: ago(seconds), before: before.map(Duration::from_secs) }
    }

    fn restore(seconds: u64, bytes: Option<u64>, all_bytes: Option<u64>) -> Running {
        Running { what: "pg_restore".to_owned(), since: ago(seconds), bytes, all_bytes }
    }

    #[test]
    fn the_line_has_what_goes_on_how_far_and_how_long() {
        let cases: [(Option<Activity>, Option<Running>, &str); 10] = [
            (None, None, ""),
            (Some(step(0, None)), None, "...  rehearse"),
            (Some(step(34, None)), None, "...  rehearse  34 s"),
            (Some(step(34, Some(40))), None, "...  rehearse  34 s of about 40 s"),
            (None, Some(restore(0, None, None)), ""),
            (None, Some(restore(3, None, None)), "...  pg_restore 3 s"),
            (None, Some(restore(3, Some(2 << 20), None)), "...  pg_restore 3 s, 2.0 MiB"),
            (None, Some(restore(3, Some(1 << 20), Some(4 << 20))), "...  pg_restore 3 s, 25 % of 4.0 MiB"),
            (Some(step(9, None)), Some(restore(3, None, None)), "...  rehearse  9 s  (pg_restore 3 s)"),
            (Some(Activity::Line("orders  ▁▂▃  3 ms".to_owned())), Some(restore(3, None, None)), "orders  ▁▂▃  3 ms"),
        ];
        for (activity, running, want) in cases {
            assert_eq!(line(activity.as_ref(), running.as_ref()), want);
        }
    }
}
