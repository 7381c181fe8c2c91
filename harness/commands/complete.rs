//! What a shell completes: commands, options, and the names of the product. Files only, without Docker.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command, CommandFactory};
use clap_complete::{
    CompleteEnv, Shell,
    engine::{ArgValueCompleter, CompletionCandidate},
    env::Shells,
};
use stagegate_base::config::{Config, EPHEMERAL, Environment};
use stagegate_data_act::backup::store::Store;
use stagegate_gate_act::journal;
use stagegate_host::{paths::StateDir, project::read_config, release};
use stagegate_suites::Scope;

use crate::{cli::Cli, failure::Failure};

/// The variable by which a completion script calls this program, with the shell's name.
const VARIABLE: &str = "COMPLETE";

/// Bash divides words at colons and equals signs, which names of checks and options have: the line is divided anew here.
const BASH: &str = r#"_gate() {
    local line=${COMP_LINE:0:COMP_POINT} words IFS=$' \t\n'
    read -ra words <<<"$line"
    if [[ $line == *[[:space:]] ]]; then words+=(""); fi
    local word=${words[${#words[@]} - 1]}
    IFS=$'\n'
    COMPREPLY=($(_CLAP_IFS=$'\n' _CLAP_COMPLETE_INDEX=$((${#words[@]} - 1)) COMPLETE=bash "${1:-gate}" -- "${words[@]}" 2>/dev/null))
    local divider
    for divider in : =; do
        if [[ $word == *$divider* && $COMP_WORDBREAKS == *$divider* ]]; then
            COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*"$divider"}"}"}")
        fi
    done
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[/:=] ]]; then compopt -o nospace; fi
}
complete -o nosort -o bashdefault -F _gate gate 2>/dev/null || complete -o bashdefault -F _gate gate
"#;

/// Answers a completion script, if one calls; then nothing else is to be done.
pub(crate) fn completed() -> bool {
    let called = std::env::var_os(VARIABLE).is_some_and(|shell| !shell.is_empty() && shell != "0");
    if !called {
        return false;
    }
    let here = std::env::current_dir().ok();
    // Nothing that goes wrong here may be printed into the line that somebody writes.
    drop(
        CompleteEnv::with_factory(completed_command)
            .bin("gate")
            .completer("gate")
            .try_complete(std::env::args_os(), here.as_deref()),
    );
    true
}

/// Returns the completion script of a shell.
pub(super) fn script(shell: Shell) -> Result<String, Failure> {
    if shell == Shell::Bash {
        return Ok(BASH.to_owned());
    }
    let shells = Shells::builtins();
    let name = shell.to_string();
    let completer = shells
        .completer(&name)
        .ok_or_else(|| Failure::usage(format!("no completion script for the shell `{name}`")))?;
    let mut script = Vec::new();
    let written = completer.write_registration(VARIABLE, "gate", "gate", "gate", &mut script);
    written.map_err(Failure::unexpected)?;
    String::from_utf8(script).map_err(Failure::unexpected)
}

/// Returns the commands, each argument that takes a name with what it may be.
fn completed_command() -> Command {
    with_names(Cli::command(), "")
}

fn with_names(command: Command, above: &str) -> Command {
    let path = format!("{above} {}", command.get_name());
    let command = command.mut_args(|arg| match names(&path, &arg) {
        Some(names) => arg.add(ArgValueCompleter::new(move |current: &OsStr| candidates(names, current))),
        None => arg,
    });
    let below: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    below.into_iter().fold(command, |command, sub| command.mut_subcommand(sub, |sub| with_names(sub, &path)))
}

/// What an argument names.
#[derive(Clone, Copy)]
enum Names {
    Environments,
    Services,
    Databases,
    Volumes,
    Checks,
    Tags,
    Runs,
    Backups,
    Receivers,
}

/// Returns what an argument of the command `path` (` gate rollback`) names.
fn names(path: &str, arg: &Arg) -> Option<Names> {
    let is = |command: &str| path == format!(" gate {command}");
    Some(match arg.get_id().as_str() {
        "env" | "confirm" | "against" => Names::Environments,
        "from" | "to" if is("promote") || is("sync") => Names::Environments,
        "from" if is("restore") => Names::Environments,
        "a" | "b" if is("compare") => Names::Environments,
        "old" | "new" if is("schema diff") => Names::Environments,
        "to" if is("rollback") => Names::Tags,
        "services" => Names::Services,
        "database" => Names::Databases,
        "volume" => Names::Volumes,
        "filters" => Names::Checks,
        "name" if is("accept") => Names::Checks,
        "name" if is("notify test") => Names::Receivers,
        "run" | "diff" => Names::Runs,
        "id" | "backup" => Names::Backups,
        _ => return None,
    })
}

fn candidates(names: Names, current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let Ok(config) = read_config(value_of(&words, "--config").map(OsString::from).as_deref().map(AsRef::as_ref)) else {
        return Vec::new();
    };
    let mut all = values(names, &config, &words, &current);
    all.retain(|name| name.starts_with(&*current));
    all.dedup();
    all.into_iter().map(CompletionCandidate::new).collect()
}

/// Returns the value of an option on the line: the word behind it, or what follows its equals sign.
fn value_of(words: &[OsString], option: &str) -> Option<String> {
    let mut words = words.iter().map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if word == option {
            return words.next().map(std::borrow::Cow::into_owned);
        }
        if let Some(value) = word.strip_prefix(option).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value.to_owned());
        }
    }
    None
}

/// Returns the environments that the line is about: the one that it names, else all that last.
fn environments<'a>(config: &'a Config, words: &[OsString]) -> Vec<&'a Environment> {
    let named = value_of(words, "--env").or_else(|| std::env::var("STAGEGATE_ENV").ok());
    match named.and_then(|name| config.environment(&name).ok()) {
        Some(environment) => vec![environment],
        None => config.environments_here().filter(|one| one.name != EPHEMERAL).collect(),
    }
}

fn values(names: Names, config: &Config, words: &[OsString], current: &str) -> Vec<String> {
    let chosen = environments(config, words);
    match names {
        Names::Environments => config.environments.keys().cloned().collect(),
        Names::Databases => config.databases.keys().cloned().collect(),
        Names::Volumes => config.volumes.keys().cloned().collect(),
        Names::Receivers => config.notify.iter().map(|receiver| receiver.name.clone()).collect(),
        Names::Services => services(config, &chosen),
        Names::Checks => checks(config, chosen.first().copied(), current),
        Names::Tags => newest_first(chosen.iter().flat_map(|one| tags(config, one)).collect()),
        Names::Runs => newest_first(chosen.iter().flat_map(|one| runs(config, one)).collect()),
        Names::Backups => newest_first(chosen.iter().flat_map(|one| backups(config, one)).collect()),
    }
}

fn newest_first(mut all: Vec<String>) -> Vec<String> {
    all.sort_unstable_by(|a, b| b.cmp(a));
    all
}

/// Returns the services that the configuration names and those of the deployed release.
fn services(config: &Config, environments: &[&Environment]) -> Vec<String> {
    let mut all: Vec<String> = config.services.keys().chain(config.one_shot.keys()).cloned().collect();
    for environment in environments {
        let deployed = release::deployed(&StateDir::of(config, &environment.project)).ok().flatten();
        all.extend(deployed.map(|deployed| deployed.model.services()).unwrap_or_default());
    }
    all.sort_unstable();
    all
}

/// Returns the suites, and once a suite is written its checks.
fn checks(config: &Config, environment: Option<&Environment>, current: &str) -> Vec<String> {
    let Some(environment) = environment.or_else(|| config.environments.get(EPHEMERAL)) else { return Vec::new() };
    let all = stagegate_suites::trials(Scope { config, environment });
    let mut names: Vec<String> = match current.contains("::") {
        true => all.into_iter().map(|trial| trial.name).collect(),
        false => all.iter().filter_map(|trial| trial.name.split("::").next()).map(str::to_owned).collect(),
    };
    names.retain(|name| name.starts_with(current));
    names.sort_unstable();
    names.dedup();
    if let [only] = names.as_slice()
        && current == only
    {
        return vec![format!("{only}::")];
    }
    names
}

fn tags(config: &Config, environment: &Environment) -> Vec<String> {
    let points = super::history::points(config, environment);
    points.into_iter().flatten().map(|point| point.tag).collect()
}

fn runs(config: &Config, environment: &Environment) -> Vec<String> {
    let dirs = journal::runs(&StateDir::of(config, &environment.project).runs());
    dirs.iter().filter_map(|dir| Some(dir.file_name()?.to_string_lossy().into_owned())).collect()
}

fn backups(config: &Config, environment: &Environment) -> Vec<String> {
    let stored = Store::of(config, &environment.project).list();
    let mut all: Vec<String> =
        stored.map(|(all, _)| all.iter().map(|one| one.manifest.id.clone()).collect()).unwrap_or_default();
    all.push("latest".to_owned());
    all
}
