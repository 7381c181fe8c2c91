//! Holds the help of every command against its snapshot, and the texts about commands against the commands.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use clap::{Command, CommandFactory};

use crate::Cli;

mod documents;
mod scripts;
mod setup;
mod variables;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn built() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// Returns every command that is shown, with its words: `gate`, `gate schema dump`.
fn all() -> Vec<(String, Command)> {
    fn collect(command: &Command, words: &str, into: &mut Vec<(String, Command)>) {
        into.push((words.to_owned(), command.clone()));
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
            collect(sub, &format!("{words} {}", sub.get_name()), into);
        }
    }
    let mut commands = Vec::new();
    collect(&built(), "gate", &mut commands);
    commands
}

#[test]
fn the_definitions_hold_together() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_of_every_command_is_as_it_was_reviewed() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(root().join("snapshots/help"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (words, _) in all() {
        let args = words.split(' ').chain(["--help"]);
        let help = Cli::command().term_width(100).try_get_matches_from(args).unwrap_err().to_string();
        let help = help.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        settings.bind(|| insta::assert_snapshot!(words.replace(' ', "_"), help));
    }
}

#[test]
fn the_readme_lists_every_command_and_none_besides() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `gate ")).collect();
    let listed: BTreeSet<String> = rows.iter().flat_map(|row| commands_of_row(row)).collect();
    let runs = |command: &Command| !has_subcommands(command) || command.is_args_conflicts_with_subcommands_set();
    let run = all().into_iter().filter(|(words, command)| words != "gate" && runs(command));
    let known: BTreeSet<String> = run.map(|(words, _)| words).collect();
    assert_eq!(listed, known);
}

/// Returns the commands of the first cell of a row: "`gate schema dump`, `diff`" are two.
fn commands_of_row(row: &str) -> Vec<String> {
    let cell = row.split('|').nth(1).unwrap_or_default();
    let spans = cell.split('`').skip(1).step_by(2);
    let mut group = String::new();
    let mut commands = Vec::new();
    for span in spans {
        let words: Vec<&str> = span.split(' ').take_while(|word| is_word(word)).collect();
        if words.first() == Some(&"gate") {
            group = words[..words.len() - 1].join(" ");
            commands.push(words.join(" "));
        } else {
            commands.push(format!("{group} {}", words.join(" ")));
        }
    }
    commands
}

/// Returns whether a word can be a command's name: `schema-json`, and no option or value.
fn is_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

fn has_subcommands(command: &Command) -> bool {
    command.get_subcommands().any(|sub| sub.get_name() != "help")
}

#[test]
fn the_documents_name_commands_and_options_that_exist() {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let markdown = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let files: Vec<PathBuf> = [root().join("README.md")].into_iter().chain(markdown).collect();
    let mut wrong = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy();
        wrong.extend(calls(&text).into_iter().filter_map(|call| Some(format!("{name}: {}", unknown(&call)?))));
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_call_that_does_not_exist_is_found() {
    let text =
        "Run `gate promte`, or `gate up --releas v2`.\n```sh\ngate schema dmp --env x # --no-comment\ngate env\n```\n";
    let wrong: Vec<String> = calls(text).iter().filter_map(|call| unknown(call)).collect();
    assert_eq!(wrong, ["gate promte", "gate up --releas", "gate schema dmp"]);
}

/// Returns what a Markdown text calls of `gate`: spans of code and lines of blocks that begin with it.
fn calls(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, part) in text.split("```").enumerate() {
        let pieces: Vec<&str> =
            if at % 2 == 1 { part.lines().collect() } else { part.split('`').skip(1).step_by(2).collect() };
        for piece in pieces {
            let piece = piece.trim().trim_start_matches("$ ");
            let call = piece.split(['#', '|', '>', ';', '(']).next().unwrap_or_default().trim();
            if call.starts_with("gate ") {
                found.push(call.to_owned());
            }
        }
    }
    found
}

/// Returns the beginning of a call up to the first word that does not exist, or nothing.
fn unknown(call: &str) -> Option<String> {
    let root = built();
    let mut command = &root;
    let mut seen = vec!["gate"];
    let mut words = call.split_whitespace().skip(1).peekable();
    while let Some(word) = words.next_if(|word| is_word(word)) {
        if !has_subcommands(command) {
            break;
        }
        seen.push(word);
        match command.find_subcommand(word) {
            Some(sub) => command = sub,
            None => return Some(seen.join(" ")),
        }
    }
    for word in words.filter(|word| word.starts_with("--")) {
        let option =
            word.trim_start_matches('-').trim_end_matches([',', '.', ']']).split('=').next().unwrap_or_default();
        let exists = command.get_arguments().any(|argument| argument.get_long() == Some(option)) || option == "help";
        if !exists {
            return Some(format!("{} --{option}", seen.join(" ")));
        }
    }
    None
}
