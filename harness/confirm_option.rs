//! Asking before something is taken away.

use std::{
    ffi::OsString,
    io::{BufRead, IsTerminal, Write},
    path::Path,
};

use clap::CommandFactory;
use stagegate_base::{
    config::Environment,
    report::{Colour, shown},
};

use crate::{
    cli::Cli,
    failure::{Failure, print_message},
    screen,
};

/// What began the confirmation of one protected environment before there was `--confirm`.
const FORMER: &str = "--yes-really-";

/// Writes `--yes-really-NAME` as `--confirm NAME`, and tells that it was there.
///
/// The parser cannot know an option whose name ends with an environment's, and it stood anywhere on the line.
pub(crate) fn with_confirm(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let (former, mut args): (Vec<_>, Vec<_>) = args.partition(|arg| former_name(arg).is_some());
    // The commands are described once more only where somebody wrote it the former way.
    if former.is_empty() {
        return args;
    }
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let program = Cli::command();
    let command = args.iter().skip(1).find_map(|arg| program.find_subcommand(arg));
    let takes_it = command.is_some_and(|command| command.get_arguments().any(|option| option.get_id() == "confirm"));
    for name in former.iter().filter_map(former_name) {
        print_message(&format!("notice: {FORMER}{name} is now written --confirm {name}"));
        // Commands that have nothing to confirm let it pass, and still do.
        if takes_it {
            args.splice(end..end, ["--confirm".into(), name.into()]);
        }
    }
    args
}

fn former_name(arg: &OsString) -> Option<&str> {
    arg.to_str().and_then(|text| text.strip_prefix(FORMER))
}

/// Returns whether the environment was confirmed by its very name.
///
/// # Errors
/// Refuses a name that is not this environment's: whoever wrote it meant another one.
pub(crate) fn confirmed(environment: &Environment, confirm: Option<&str>) -> Result<bool, Failure> {
    let name = &environment.name;
    match confirm {
        None => Ok(false),
        Some(given) if given == name => Ok(true),
        Some(given) => Err(Failure::usage(format!(
            "--confirm names `{given}`, and the environment of this command is `{name}`; nothing was changed"
        ))),
    }
}

/// Refuses what would destroy something in a protected environment, unless its very name was given.
///
/// # Errors
/// As [`confirmed`], protected or not.
pub(crate) fn refuse_if_protected(environment: &Environment, confirm: Option<&str>, what: &str) -> Result<(), Failure> {
    let name = &environment.name;
    if confirmed(environment, confirm)? || !environment.protected {
        return Ok(());
    }
    Err(Failure::usage(format!("`{name}` is protected against {what}; to do it anyway, add --confirm {name}")))
}

/// Asks a yes-or-no question; without a terminal only `--yes` is an answer.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("no terminal to confirm on; check the plan and add --yes"));
    }
    match line(&format!("{question} [y/N] "))?.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::usage("not confirmed; nothing was changed")),
    }
}

/// Returns whether somebody sees questions and can answer them.
pub(crate) fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a question and returns the line that is typed; an empty one at the end of the input.
pub(crate) fn line(question: &str) -> Result<String, Failure> {
    let mut response = String::new();
    screen::without_line(|| {
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "{}", shown(question, Colour::Plain));
        let _ = stderr.flush();
        std::io::stdin().lock().read_line(&mut response)
    })
    .map_err(Failure::reading(Path::new("the answer from standard input")))?;
    Ok(response)
}
