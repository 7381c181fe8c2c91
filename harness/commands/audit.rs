//! `gate audit`: whether the journals are those that were written.

use std::{collections::BTreeMap, path::Path};

use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
    text::counted,
};
use stagegate_gate_act::journal;
use stagegate_gate_decide::promotion::{AuditFound, AuditMark, Checkpoint, verify_journal};
use stagegate_host::{clock, paths::StateDir};

use super::runs::chosen;
use crate::{
    cli,
    failure::{Failure, print_message, print_result},
};

/// What was found of one environment's journals.
#[derive(Default)]
struct Verified {
    marks: BTreeMap<String, AuditMark>,
    wrong: Vec<String>,
    without_head: usize,
}

pub(super) fn run(config: &Config, args: &cli::Audit) -> Result<Exit, Failure> {
    match args {
        cli::Audit::Verify(args) => verify(config, args),
        cli::Audit::Checkpoint(args) => checkpoint(config, args),
    }
}

fn verify(config: &Config, args: &cli::VerifyAudit) -> Result<Exit, Failure> {
    let checkpoint = args.checkpoint.as_deref().map(read).transpose()?;
    let mut is_whole = true;
    for environment in chosen(config, args.env.as_ref())? {
        let known = checkpoint.as_ref().and_then(|checkpoint| checkpoint.environments.get(&environment.name));
        let verified = of(config, environment, known)?;
        is_whole &= verified.wrong.is_empty();
        verified.wrong.iter().for_each(|wrong| print_result(wrong));
        let mut text = format!("{}: {} verified", environment.name, counted(verified.marks.len(), "journal"));
        if verified.without_head > 0 {
            text.push_str(&format!(
                ", {} without journal.head: whether its end is whole is not known",
                verified.without_head
            ));
        }
        print_result(&text);
    }
    if is_whole {
        return Ok(Exit::Passed);
    }
    print_message("a journal is not the one that was written; docs/recovery.md describes what to do");
    Ok(Exit::Held)
}

/// Prints how far the journals are written, to be kept where nobody who may change them may write.
fn checkpoint(config: &Config, args: &cli::MakeCheckpoint) -> Result<Exit, Failure> {
    let mut environments = BTreeMap::new();
    for environment in chosen(config, args.env.as_ref())? {
        let verified = of(config, environment, None)?;
        if let Some(wrong) = verified.wrong.first() {
            return Err(Failure::blocked(format!("{wrong}; no checkpoint was made of a journal that is not whole")));
        }
        environments.insert(environment.name.clone(), verified.marks);
    }
    print_result(&serde_json::to_string_pretty(&Checkpoint::of(&clock::now(), environments))?);
    Ok(Exit::Passed)
}

fn read(path: &Path) -> Result<Checkpoint, Failure> {
    let bytes = std::fs::read(path).map_err(Failure::reading(path))?;
    Checkpoint::read(&bytes).map_err(|error| Failure::usage(error).context(format!("{} is not used", path.display())))
}

/// Verifies all journals of an environment; those of `known` have to be there.
fn of(
    config: &Config,
    environment: &Environment,
    known: Option<&BTreeMap<String, AuditMark>>,
) -> Result<Verified, Failure> {
    let state = StateDir::of(config, &environment.project);
    let mut verified = Verified::default();
    for dir in journal::runs(&state.runs()) {
        let run = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (text, head) = journal::files(&dir)?;
        let found = AuditFound { run: &run, text: &text, head: head.as_ref() };
        match verify_journal(found, known.and_then(|known| known.get(&run))) {
            Ok(mark) => {
                verified.without_head += usize::from(head.is_none());
                verified.marks.insert(run, mark);
            }
            Err(wrong) => verified.wrong.push(format!("{} run {run}: {wrong}", environment.name)),
        }
    }
    for (run, mark) in known.into_iter().flatten() {
        if !journal::is_run(&state.run(run)) {
            let name = &environment.name;
            verified.wrong.push(format!(
                "{name} run {run}: expected {} by the checkpoint, found no journal",
                counted(mark.lines, "line")
            ));
        }
    }
    Ok(verified)
}
