//! `gate purge`.

use std::sync::Arc;

use stagegate_base::{config::Config, exit::Exit, text::counted};
use stagegate_gate_act::purge::{self, RetainedState};
use stagegate_host::{engine::Engine, paths::StateDir, process::Runner};

use crate::{
    cli, confirm_option,
    failure::{Failure, print_message},
};

pub(super) async fn run(config: &Arc<Config>, args: cli::Purge) -> Result<Exit, Failure> {
    let environment = super::environment::lasting(super::named(config, args.env.as_ref())?)?;
    let what = "deleting its rollback points and history";
    confirm_option::refuse_if_protected(environment, args.confirm.as_deref(), what)?;
    let (engine, runner) = (Engine::connect().await?, Runner::default());
    let state = StateDir::of(config, &environment.project);
    let lock = super::environment::taken(&state, environment, "gate purge")?;
    let kept = purge::retained_state(&runner, &engine, config, environment).await?;
    if kept.is_empty() {
        print_message(&format!("nothing is kept of `{}`", environment.name));
        return Ok(Exit::Passed);
    }
    let what = in_words(&kept).join(", ");
    confirm_option::confirm(&format!("Delete what is kept of `{}`: {what}?", environment.name), args.yes)?;
    purge::purge(&runner, config, environment, &kept, &lock).await?;
    print_message(&format!("deleted of `{}`: {what}", environment.name));
    if let Some(folder) = &kept.stays {
        let folder = folder.display();
        print_message(&format!("not deleted: worktree {folder}, which holds files that git does not have"));
    }
    Ok(Exit::Passed)
}

fn in_words(kept: &RetainedState) -> Vec<String> {
    let mut words = Vec::new();
    if !kept.runs.is_empty() {
        let backups = counted(kept.backups, "backup");
        words.push(format!("{} with {backups} ({})", counted(kept.runs.len(), "run"), kept.size));
    }
    if !kept.images.is_empty() {
        words.push(counted(kept.images.len(), "image name"));
    }
    if !kept.tags.is_empty() {
        words.push(counted(kept.tags.len(), "git tag"));
    }
    if let Some(folder) = &kept.worktree {
        words.push(format!("worktree {}", folder.display()));
    }
    words
}
