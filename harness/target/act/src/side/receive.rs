//! Releases and env files that arrive.

use std::{
    fs::{self, File},
    io,
    path::Path,
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use stagegate_base::command::git::{add_worktree, commit_of};
use stagegate_host::{files, process::Runner};
use stagegate_target_decide::{Event, Names, Tag, git as command};

use super::{Product, SideError, report};

const WITHIN: Duration = Duration::from_secs(300);

/// What is to be there after a pack was taken.
pub(super) struct Wanted {
    pub(super) commits: Vec<String>,
    pub(super) tags: Vec<Tag>,
    pub(super) release: Option<String>,
    pub(super) checkout: String,
    pub(super) replace: bool,
}

/// Reports which objects are missing.
pub(super) async fn releases(product: &Product, objects: &[String], names: &Names) -> Result<(), SideError> {
    objects.iter().try_for_each(|object| is_object(object))?;
    let (runner, repository) = (Runner::default(), product.repository());
    if !repository.is_dir() {
        let missing = objects.to_vec();
        return report(&Event::Releases { missing, has: Vec::new(), checkout: None, unnamed: true });
    }
    let mut missing = Vec::new();
    for object in objects {
        let there = runner.run(&command::at(&repository, &format!("{object}^{{}}")), WITHIN).await?;
        if there.code != 0 {
            missing.push(object.clone());
        }
    }
    let has = runner.run_ok(&command::named(&repository), WITHIN).await?;
    let has = has.lines().map(str::to_owned).collect();
    let unnamed = is_unnamed(&runner, &repository, names).await?;
    report(&Event::Releases { missing, has, checkout: head(&runner, product).await?, unnamed })
}

/// Returns whether a name is missing, or that of the release is another object's.
async fn is_unnamed(runner: &Runner, repository: &Path, names: &Names) -> Result<bool, SideError> {
    let kept = names.commits.iter().map(|commit| (kept_as(commit), commit, true));
    let tags = names.tags.iter().map(|tag| {
        let is_release = names.release.as_ref() == Some(&tag.name);
        (format!("refs/tags/{}", tag.name), &tag.object, is_release)
    });
    for (name, object, must_be_it) in kept.chain(tags) {
        let found = runner.run(&command::at(repository, &name), WITHIN).await?;
        if found.code != 0 || (must_be_it && found.stdout.trim() != object) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the name by which a commit is kept.
fn kept_as(commit: &str) -> String {
    format!("refs/stagegate/{commit}")
}

async fn head(runner: &Runner, product: &Product) -> Result<Option<String>, SideError> {
    if product.checked_out().is_err() {
        return Ok(None);
    }
    let found = runner.run(&commit_of(&product.checkout(), "HEAD"), WITHIN).await?;
    Ok((found.code == 0).then(|| found.stdout.trim().to_owned()))
}

/// Takes a pack and names what is in it; then puts the checkout to the wanted commit.
pub(super) async fn receive(product: &Product, has_pack: bool, wanted: &Wanted) -> Result<(), SideError> {
    let objects = wanted.commits.iter().chain([&wanted.checkout]).chain(wanted.tags.iter().map(|tag| &tag.object));
    objects.into_iter().try_for_each(|object| is_object(object))?;
    let root = product.make()?;
    // Two machines may send at once.
    let lock = root.join("receiving.lock");
    let lock = File::create(&lock).map_err(SideError::file(&lock))?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| SideError::file(root)(error.into()))?;
    let (runner, repository) = (Runner::default(), product.repository());
    if !repository.is_dir() {
        runner.run_ok(&command::make(&repository), WITHIN).await?;
    }
    if has_pack {
        let path = root.join("incoming.pack");
        let taken = take(&path);
        let unpacked = match taken {
            Ok(_) => {
                let file = File::open(&path).map_err(SideError::file(&path))?;
                runner.run_from_file(&command::unpack(&repository), WITHIN, file).await.map_err(SideError::from)
            }
            Err(error) => Err(SideError::file(&path)(error)),
        };
        let _ = fs::remove_file(&path);
        unpacked?;
    }
    runner.run_ok(&command::is_whole(&repository, &wanted.commits), WITHIN).await?;
    for commit in &wanted.commits {
        runner.run_ok(&command::keep(&repository, &kept_as(commit), commit), WITHIN).await?;
    }
    let mut notes = Vec::new();
    for tag in &wanted.tags {
        notes.extend(set_tag(&runner, &repository, tag, wanted.release.as_ref()).await?);
    }
    notes.extend(Some(check_out(&runner, product, wanted).await?).filter(|note| !note.is_empty()));
    report(&Event::Done { note: notes.join("; ") })
}

/// Writes what is left of standard input into a private file, synced; returns its size in bytes.
fn take(path: &Path) -> io::Result<u64> {
    let mut file = files::private_file(path)?;
    let size = io::copy(&mut io::stdin().lock(), &mut file)?;
    file.sync_all()?;
    Ok(size)
}

/// Sets a tag; returns a note where it is another one on the host and stays that, which the release's own must not be.
async fn set_tag(
    runner: &Runner,
    repository: &Path,
    tag: &Tag,
    release: Option<&String>,
) -> Result<Option<String>, SideError> {
    let name = format!("refs/tags/{}", tag.name);
    let found = runner.run(&command::at(repository, &name), WITHIN).await?;
    let found = found.stdout.trim();
    if found.is_empty() {
        runner.run_ok(&command::keep(repository, &name, &tag.object), WITHIN).await?;
    } else if found != tag.object {
        let text = format!(
            "tag `{}` is another one on the host ({found}) than here ({}): releases keep their names",
            tag.name, tag.object
        );
        if release == Some(&tag.name) {
            return Err(SideError::Refused(format!("{text}; choose a new tag")));
        }
        return Ok(Some(format!("{text}; the host's stays")));
    }
    Ok(None)
}

/// Puts the checkout to the wanted commit, if that contains the one it is at; returns a note where it stays.
async fn check_out(runner: &Runner, product: &Product, wanted: &Wanted) -> Result<String, SideError> {
    let (checkout, repository) = (product.checkout(), product.repository());
    let Some(head) = head(runner, product).await? else {
        runner.run_ok(&add_worktree(&repository, &checkout, &wanted.checkout), WITHIN).await?;
        return Ok(String::new());
    };
    if head == wanted.checkout {
        return Ok(String::new());
    }
    let contains = runner.run(&command::contains(&repository, &wanted.checkout, &head), WITHIN).await?.code == 0;
    if contains || wanted.replace {
        runner.run_ok(&command::move_to(&checkout, &wanted.checkout), WITHIN).await?;
        return Ok(String::new());
    }
    Ok(format!(
        "the host's stagegate.toml stays that of commit {}, which this machine's HEAD ({}) does not contain; `gate host upgrade \
         NAME` replaces it",
        short(&head),
        short(&wanted.checkout)
    ))
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// Refuses what is no object's name: it would be read as an option or another revision.
fn is_object(text: &str) -> Result<(), SideError> {
    let is_one = [40, 64].contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_one.then_some(()).ok_or_else(|| SideError::Refused(format!("`{text}` is no object of git")))
}

/// Writes an env file, readable by its owner only, whole or not at all.
pub(super) fn env_file(product: &Product, path: &Path, sha256: &str) -> Result<(), SideError> {
    let target = product.checked_out()?.join(path);
    let (Some(dir), Some(name)) = (target.parent(), target.file_name()) else {
        return Err(SideError::Refused(format!("{} is no file", path.display())));
    };
    files::private_dir(dir).map_err(SideError::file(dir))?;
    let draft = dir.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let written =
        take(&draft).and_then(|_| files::hash_file(&draft)).map_err(SideError::file(&draft)).and_then(|(found, _)| {
            if found != sha256 {
                return Err(SideError::Refused(format!(
                    "{} did not arrive whole; it is as it was before",
                    path.display()
                )));
            }
            fs::rename(&draft, &target).and_then(|()| files::sync_dir(dir)).map_err(SideError::file(&target))
        });
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written?;
    report(&Event::Done { note: target.display().to_string() })
}
