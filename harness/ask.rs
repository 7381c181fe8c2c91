//! Asking before something is taken away.

use std::{
    ffi::OsString,
    io::{BufRead, IsTerminal, Write},
};

use stagegate_base::config::Environment;

use crate::failure::Failure;

/// What begins a consent for one protected environment, as `--yes-really-production`.
pub(crate) const CONSENT: &str = "--yes-really-";

/// Takes the consents out of the arguments: their names end with an environment's, which the parser cannot know.
pub(crate) fn without_consents(args: impl Iterator<Item = OsString>) -> (Vec<OsString>, Vec<String>) {
    let (mut rest, mut consents) = (Vec::new(), Vec::new());
    for arg in args {
        match arg.to_str().and_then(|text| text.strip_prefix(CONSENT)) {
            Some(name) => consents.push(name.to_owned()),
            None => rest.push(arg),
        }
    }
    (rest, consents)
}

/// Refuses what would destroy something in a protected environment, unless its very name was given as consent.
pub(crate) fn refuse_if_protected(environment: &Environment, consents: &[String], what: &str) -> Result<(), Failure> {
    let name = &environment.name;
    if !environment.protected || consents.contains(name) {
        return Ok(());
    }
    Err(Failure::usage(format!("`{name}` is protected: {what} is refused; if you are sure, add {CONSENT}{name}")))
}

/// Asks a yes-or-no question; without a terminal only `--yes` is an answer.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("nobody can be asked here; look at the plan and add --yes"));
    }
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{question} [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::usage("not confirmed; nothing was changed")),
    }
}
