//! `gate audit`: whether the journals and the evidence of runs are those that were written.

mod evidence;

use std::{collections::BTreeMap, path::Path};

use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
    text::counted,
};
use stagegate_gate_act::{evidence::PublicKey, journal};
use stagegate_gate_decide::promotion::{
    AuditFound, AuditMark, Checkpoint,
    evidence::{mark_of_tag, tag_pattern},
    verify_journal,
};
use stagegate_host::{clock, git::Git, paths::StateDir, process::Runner};

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
    evidence: evidence::Counts,
}

/// What is kept elsewhere of one environment's journals.
#[derive(Default)]
struct Elsewhere {
    /// By run, how far it was written, and where that is kept.
    marks: BTreeMap<String, Vec<(AuditMark, String)>>,
    keys: evidence::Keys,
}

pub(super) async fn run(config: &Config, args: &cli::Audit) -> Result<Exit, Failure> {
    match args {
        cli::Audit::Verify(args) => verify(config, args).await,
        cli::Audit::Checkpoint(args) => checkpoint(config, args),
    }
}

async fn verify(config: &Config, args: &cli::VerifyAudit) -> Result<Exit, Failure> {
    let checkpoint = args.checkpoint.as_deref().map(read).transpose()?;
    let required = args.key.as_deref().map(PublicKey::read).transpose()?;
    let keys = evidence::Keys::of(config, required);
    let tags = tags(config).await?;
    let mut is_whole = true;
    for environment in chosen(config, args.env.as_ref())? {
        let known = checkpoint.as_ref().and_then(|checkpoint| checkpoint.environments.get(&environment.name));
        let mut elsewhere = Elsewhere { keys: keys.clone(), ..Elsewhere::default() };
        for (run, mark) in known.into_iter().flatten() {
            elsewhere.keep(run.clone(), mark.clone(), "the checkpoint".to_owned());
        }
        for (name, message) in &tags {
            if let Some((run, mark)) = mark_of_tag(&environment.project, name, message) {
                elsewhere.keep(run, mark, format!("git tag {name}"));
            }
        }
        let verified = of(config, environment, &elsewhere)?;
        is_whole &= verified.wrong.is_empty();
        verified.wrong.iter().for_each(|wrong| print_result(wrong));
        let mut text = format!("{}: {} verified", environment.name, counted(verified.marks.len(), "journal"));
        if verified.without_head > 0 {
            text.push_str(&format!(
                ", {} without journal.head: whether its end is whole is not known",
                verified.without_head
            ));
        }
        text.push_str(&verified.evidence.text());
        print_result(&text);
    }
    if is_whole {
        return Ok(Exit::Passed);
    }
    print_message(
        "a journal or the evidence of a run is not the one that was written; docs/recovery.md describes what to do",
    );
    Ok(Exit::Held)
}

/// Returns the git tags of runs, with their messages.
async fn tags(config: &Config) -> Result<Vec<(String, String)>, Failure> {
    match Git::open(&Runner::default(), config.root()).await {
        Ok(git) => Ok(git.tags_like(&tag_pattern()).await?),
        Err(error) if config.evidence.tags => Err(error.into()),
        // Nobody has set any.
        Err(_) => Ok(Vec::new()),
    }
}

/// Prints how far the journals are written, to be kept where nobody who may change them may write.
fn checkpoint(config: &Config, args: &cli::MakeCheckpoint) -> Result<Exit, Failure> {
    let mut environments = BTreeMap::new();
    for environment in chosen(config, args.env.as_ref())? {
        let verified = of(config, environment, &Elsewhere::default())?;
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

impl Elsewhere {
    fn keep(&mut self, run: String, mark: AuditMark, place: String) {
        self.marks.entry(run).or_default().push((mark, place));
    }
}

/// Verifies all journals of an environment, with their evidence; those that are known elsewhere have to be there.
fn of(config: &Config, environment: &Environment, elsewhere: &Elsewhere) -> Result<Verified, Failure> {
    let state = StateDir::of(config, &environment.project);
    let (mut verified, name) = (Verified::default(), &environment.name);
    for dir in journal::runs(&state.runs()) {
        let run = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (text, head) = journal::files(&dir)?;
        let found = AuditFound { run: &run, text: &text, head: head.as_ref() };
        let marks = elsewhere.marks.get(&run).into_iter().flatten();
        let marks: Vec<(&AuditMark, String)> = marks.map(|(mark, place)| (mark, place.clone())).collect();
        match verify_journal(found, &marks) {
            Ok(mark) => {
                verified.without_head += usize::from(head.is_none());
                if let Some(wrong) = evidence::verify((&dir, &text, &mark), &elsewhere.keys, &mut verified.evidence)? {
                    verified.wrong.push(format!("{name} run {run}: evidence: {wrong}"));
                }
                verified.marks.insert(run, mark);
            }
            Err(wrong) => verified.wrong.push(format!("{name} run {run}: {wrong}")),
        }
    }
    let gone = elsewhere.marks.iter().filter(|(run, _)| !journal::is_run(&state.run(run)));
    for (run, (mark, place)) in gone.filter_map(|(run, marks)| Some((run, marks.first()?))) {
        let lines = counted(mark.lines, "line");
        verified.wrong.push(format!("{name} run {run}: expected {lines} by {place}, found no journal"));
    }
    Ok(verified)
}
