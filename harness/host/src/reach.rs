//! Which uncommitted changes of a checkout a product reads. In a larger repository those of other products are none of its
//! own, but what its compose files, build contexts and symbolic links lead to counts, wherever it lies.

use std::{fs, path::Path, path::PathBuf, time::Duration};

use stagegate_base::{
    command::git as command,
    config::Environment,
    subfolder::{Reach, changes_in_reach},
};

use crate::{
    git::{Git, GitError},
    process::Runner,
    project,
};

const LIST_WITHIN: Duration = Duration::from_secs(30);

/// Returns the uncommitted changes of the checkout around `folder`, the product's, that the environment's files reach; one a
/// line, with paths from the checkout's top. Where the reach cannot be reported, all count.
///
/// # Errors
/// [`GitError`] where `folder` is in no checkout.
pub async fn changes(
    runner: &Runner,
    git: &Git,
    environment: &Environment,
    folder: &Path,
) -> Result<Vec<String>, GitError> {
    let all = git.changes(folder).await?;
    let own = changes_in_reach(&all, git.subfolder(), &Reach::Paths(Vec::new()));
    if own.len() == all.len() {
        return Ok(all);
    }
    let reach = reach(runner, git, environment, folder).await.unwrap_or(Reach::Everything);
    Ok(changes_in_reach(&all, git.subfolder(), &reach))
}

/// Returns what the environment's files in `folder` lead to; `None` where they cannot be read.
async fn reach(runner: &Runner, git: &Git, environment: &Environment, folder: &Path) -> Option<Reach> {
    let top = git.top_of(folder).ok()?;
    let environment = Environment { workdir: folder.to_path_buf(), ..environment.clone() };
    let source = project::source(&environment).ok()?;
    let model = project::whole(runner, &environment.name, &source).await.ok()?;
    let files = source.files.iter().chain(&source.env_files).cloned();
    let read = |path: PathBuf| fs::read_to_string(path).ok();
    // Compose reads this one where no other is named; that it is not there is fine.
    let usual = read(folder.join(".env"));
    let texts: Vec<String> = files.map(read).collect::<Option<Vec<_>>>()?.into_iter().chain(usual).collect();
    let links = links(runner, folder, &top).await?;
    Some(Reach::of(git.subfolder(), &top, model.json(), &texts, &links))
}

/// Returns what the tracked symbolic links of a folder lead to in the checkout at `top`, as far as it exists.
async fn links(runner: &Runner, folder: &Path, top: &Path) -> Option<Vec<PathBuf>> {
    let real = top.canonicalize().ok()?;
    let output = runner.run(&command::tracked(folder, Path::new(".")), LIST_WITHIN).await.ok()?;
    let files = output.stdout.split('\0').filter(|name| !name.is_empty()).map(|name| folder.join(name));
    let links = files.filter(|path| path.is_symlink()).filter_map(|path| path.canonicalize().ok());
    let inside = links.filter_map(|path| path.strip_prefix(&real).map(|path| top.join(path)).ok());
    (output.code == 0).then(|| inside.collect())
}
