//! Processes that outlive the one that starts them: a transient unit of systemd where that runs and lets us, else a process
//! that leaves the terminal by itself ([`leave_terminal`]).

use std::{
    ffi::OsString,
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    path::Path,
    process::{Command as Child, Stdio},
    time::Duration,
};

use stagegate_base::command::Command;

use crate::{files, process::Runner};

/// Is there where systemd is the first process.
// Source: sd_booted(3).
const BOOTED: &str = "/run/systemd/system";
const WITHIN: Duration = Duration::from_secs(10);

/// How a detached process was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detached {
    /// As this transient unit.
    Unit(String),
    /// As a process with this id.
    Process(u32),
}

/// Starts this very program with `args`, so that it outlives the terminal and this process. `files` is a folder of this run:
/// its log is kept there as `NAME.log`, and for systemd its environment lies there as `NAME.env` until it runs.
///
/// Variables in `without` are not handed on.
///
/// # Errors
/// The system's, where neither way works.
pub async fn start(
    unit: &str,
    args: &[String],
    (files, name): (&Path, &str),
    without: &[&str],
) -> io::Result<Detached> {
    let program = std::env::current_exe()?;
    let variables = || std::env::vars_os().filter(|(name, _)| !without.iter().any(|other| name == other));
    if Path::new(BOOTED).is_dir() && rustix::process::geteuid().is_root() {
        let file = files.join(format!("{name}.env"));
        files::private_file(&file)?.write_all(environment_file(variables()).as_bytes())?;
        let command = transient(unit, &file, &program.display().to_string(), args);
        let started = Runner::default().run_ok(&command, WITHIN).await;
        // The unit has read it once it runs its program; it may hold secrets.
        let _ = std::fs::remove_file(&file);
        if started.is_ok() {
            return Ok(Detached::Unit(unit.to_owned()));
        }
    }
    let log = files::private_file(&files.join(format!("{name}.log")))?;
    let child = Child::new(program)
        .args(args)
        .env_clear()
        .envs(variables())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::from(log.try_clone()?))
        .stderr(Stdio::from(log))
        .spawn()?;
    Ok(Detached::Process(child.id()))
}

/// Makes this process the first of a session of its own: no terminal's signal or end reaches it. Nothing is done where it is
/// that already.
pub fn leave_terminal() {
    let _ = rustix::process::setsid();
}

/// The variables are in a file, since arguments can be read by every user of the host.
fn transient(unit: &str, environment: &Path, program: &str, args: &[String]) -> Command {
    let file = format!("EnvironmentFile={}", environment.display());
    let options = ["--unit", unit, "--collect", "--quiet", "--property", "Type=exec", "--property", &file];
    let command = Command::new("systemd-run").args(options).args(["--working-directory", "/", "--", program]);
    command.args(args.iter().map(String::as_str))
}

/// Returns variables as systemd reads them; what it could not read is left out.
// Source: systemd.exec(5), EnvironmentFile=: within double quotes a backslash stands in front of `"`, `\`, `` ` `` and `$`.
fn environment_file(variables: impl Iterator<Item = (OsString, OsString)>) -> String {
    let is_name = |name: &[u8]| {
        name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
            && name.first().is_some_and(|byte| !byte.is_ascii_digit())
    };
    let mut text = String::new();
    for (name, value) in variables.filter(|(name, _)| is_name(name.as_bytes())) {
        let Some(value) = value.to_str().filter(|value| !value.chars().any(char::is_control)) else { continue };
        let quoted: String = value
            .chars()
            .flat_map(|c| matches!(c, '"' | '\\' | '`' | '$').then_some('\\').into_iter().chain([c]))
            .collect();
        text.push_str(&format!("{}=\"{quoted}\"\n", name.to_string_lossy()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_gets_its_variables_by_a_file_and_none_by_an_argument() {
        let args = ["recover".to_owned(), "watch".to_owned()];
        let command = transient("stagegate-watchdog-a", Path::new("/state/watchdog.env"), "/opt/gate", &args);
        assert_eq!(
            command.line(),
            "systemd-run --unit stagegate-watchdog-a --collect --quiet --property Type=exec --property \
             EnvironmentFile=/state/watchdog.env --working-directory / -- /opt/gate recover watch"
        );
    }

    #[test]
    fn variables_are_quoted_for_systemd_and_those_it_cannot_read_are_left_out() {
        let of = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        let variables =
            [of("A", "x y"), of("B", "a\"b\\c$d`e"), of("BASH_FUNC_x%%", "()"), of("C", "a\nb"), of("1", "x")];
        assert_eq!(environment_file(variables.into_iter()), "A=\"x y\"\nB=\"a\\\"b\\\\c\\$d\\`e\"\n");
    }
}
