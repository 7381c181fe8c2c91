//! How long 1,000 HTTP checks take next to `curl` and `hurl`, how long a list of 2,000 trials takes, and how much memory
//! hostile responses take. `scripts/bench-http.sh` runs it; each measurement is a process of its own.

mod checks;
mod hostile;
mod list;
mod server;

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["serve"] => server::serve(),
        ["checks", address, "shared"] => checks::run(address, checks::Schemas::Shared),
        ["checks", address, "own"] => checks::run(address, checks::Schemas::Own),
        ["hostile", address, kind] => hostile::request(address, kind),
        ["race", "hurl", hurl] => checks::race(Some(hurl)),
        ["race"] => checks::race(None),
        ["list", gate] => list::run(gate),
        ["memory"] => hostile::all(),
        // `cargo bench` runs every bench without a word.
        [] => {
            print_line("not measured; run scripts/bench-http.sh");
            Ok(())
        }
        _ => Err("usage: http serve | race [hurl PROGRAM] | list GATE | memory; see scripts/bench-http.sh".into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_line(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// What a measurement ends with.
type Ended = Result<(), Box<dyn std::error::Error>>;

/// Writes a line of the result.
fn print_line(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Returns a command that runs this program.
fn own(words: &[&str]) -> Result<Command, std::io::Error> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(words);
    Ok(command)
}

/// Returns the median of some measurements.
fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}
