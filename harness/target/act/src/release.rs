//! Releases on their way to a host: the git objects that are missing there, in one pack.

use std::{collections::BTreeSet, fs::File, io::Seek, path::Path, time::Duration};

use stagegate_base::config::{Config, Environment};
use stagegate_host::{files, git::Git, process::Runner};
use stagegate_target_decide::{Event, Names, Request, Tag, env_file_path, git as command};

use crate::{Connection, HostError, scratch};

const WITHIN: Duration = Duration::from_secs(300);

/// What a host has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What `--release` is there: a tag of that name, else the commit.
    pub release: Option<String>,
    /// What else there is to report; empty where nothing is.
    pub note: String,
}

/// Sends HEAD, whose `stagegate.toml` is used there, and the commit that `release` names, with their tags; nothing where the
/// host has them. `replace` puts the checkout there to HEAD also where that does not contain its commit.
///
/// # Errors
/// [`HostError`] where git refuses, or the host.
pub async fn send(
    connection: &Connection,
    config: &Config,
    release: Option<&str>,
    replace: bool,
) -> Result<Sent, HostError> {
    let runner = Runner::default();
    let git = Git::open(&runner, config.root()).await?;
    if !git.subfolder().is_top() {
        return Err(HostError::InSubfolder { subfolder: git.subfolder().path().display().to_string() });
    }
    let dir = git.repository().to_path_buf();
    if runner.run_ok(&command::is_shallow(&dir), WITHIN).await?.trim() == "true" {
        return Err(HostError::Shallow);
    }
    let head = git.release("HEAD").await?.commit;
    let wanted = match release {
        Some(revision) => git.release(revision).await?.commit,
        None => head.clone(),
    };
    let commits: BTreeSet<String> = [head.clone(), wanted.clone()].into();
    let mut tags = Vec::new();
    for commit in &commits {
        tags.extend(tags_of(&runner, &dir, commit).await?);
    }
    let named = release.filter(|name| tags.iter().any(|tag| tag.name == *name)).map(str::to_owned);
    let sent = Sent { release: release.map(|_| named.unwrap_or(wanted)), note: String::new() };
    let objects: BTreeSet<String> = commits.iter().cloned().chain(tags.iter().map(|tag| tag.object.clone())).collect();
    let objects: Vec<String> = objects.into_iter().collect();
    let commits: Vec<String> = commits.into_iter().collect();
    let names = Names { commits: commits.clone(), tags: tags.clone(), release: sent.release.clone() };
    let request = Request::Releases { objects, names };
    let (missing, has, is_there) = match connection.talk(&config.name, request, None).await?.only().await? {
        Event::Releases { missing, has, checkout, unnamed } => {
            let is_there = missing.is_empty() && !unnamed && checkout.as_ref() == Some(&head);
            (missing, has, is_there)
        }
        other => return Err(unexpected(connection, &other)),
    };
    if is_there {
        return Ok(sent);
    }
    let pack = if missing.is_empty() { None } else { Some(pack(&runner, &dir, &missing, has).await?) };
    let release = sent.release.clone();
    let request = Request::Receive { pack: pack.is_some(), commits, tags, release, checkout: head, replace };
    match connection.talk(&config.name, request, pack).await?.only().await? {
        Event::Done { note } => Ok(Sent { note: note.replace("NAME", connection.environment()), ..sent }),
        other => Err(unexpected(connection, &other)),
    }
}

async fn tags_of(runner: &Runner, dir: &Path, commit: &str) -> Result<Vec<Tag>, HostError> {
    let text = runner.run_ok(&command::tags_of(dir, commit), WITHIN).await?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    let own = pairs.filter(|(_, name)| !name.starts_with("rollback-"));
    Ok(own.map(|(object, name)| Tag { name: name.to_owned(), object: object.to_owned() }).collect())
}

/// Packs the objects that are missing, without what the commits in `has` contain, as far as they are here too.
async fn pack(runner: &Runner, dir: &Path, missing: &[String], has: Vec<String>) -> Result<File, HostError> {
    let made = || scratch::file().map_err(HostError::file("write a temporary file"));
    let asked = holding(&has.join("\n"))?;
    let mut known = made()?;
    let into = known.try_clone().map_err(HostError::file("write a temporary file"))?;
    runner.run_between(&command::objects(dir), WITHIN, asked, into).await?;
    known.rewind().map_err(HostError::file("read a temporary file"))?;
    let known = std::io::read_to_string(known).map_err(HostError::file("read a temporary file"))?;
    let known = known.lines().filter_map(|line| line.strip_suffix(" commit").or(line.strip_suffix(" tag")));
    let list: Vec<String> = missing.iter().cloned().chain(known.map(|object| format!("^{object}"))).collect();
    let mut packed = made()?;
    let into = packed.try_clone().map_err(HostError::file("write a temporary file"))?;
    runner.run_between(&command::pack(dir), WITHIN, holding(&list.join("\n"))?, into).await?;
    packed.rewind().map_err(HostError::file("read a temporary file"))?;
    Ok(packed)
}

fn holding(text: &str) -> Result<File, HostError> {
    scratch::holding(&format!("{text}\n")).map_err(HostError::file("write a temporary file"))
}

/// Writes an env file of an environment on its host; the product's checkout is sent first where there is none. Returns its
/// place there.
///
/// # Errors
/// [`HostError`] where the file cannot be read, or its place is not clear.
pub async fn push_env_file(
    connection: &Connection,
    config: &Config,
    environment: &Environment,
    file: &Path,
) -> Result<String, HostError> {
    let read = || HostError::file(format!("read {}", file.display()));
    let absolute = std::path::absolute(file).map_err(read())?;
    let place = env_file_path(config.root(), &environment.env_files, &absolute)
        .map_err(|reason| connection.refused(&reason.to_string()))?;
    let (sha256, _) = files::hash_file(file).map_err(read())?;
    let path = place.to_string_lossy().into_owned();
    let request = || Request::EnvFile { path: path.clone(), sha256: sha256.clone() };
    let open = || File::open(file).map_err(read());
    let mut answer = connection.talk(&config.name, request(), Some(open()?)).await?.only().await;
    if matches!(answer, Err(HostError::NoCheckout { .. })) {
        send(connection, config, None, false).await?;
        answer = connection.talk(&config.name, request(), Some(open()?)).await?.only().await;
    }
    match answer? {
        Event::Done { note } => Ok(note),
        other => Err(unexpected(connection, &other)),
    }
}

pub(crate) fn unexpected(connection: &Connection, event: &Event) -> HostError {
    connection.other_gate(serde_json::to_string(event).unwrap_or_default())
}
