//! Facts for the compose audit: files, resolved model, images and containers. Judged in `stagegate_policy_decide::rules`.

use std::path::{Path, PathBuf};

use stagegate_base::{command::compose::Source, compose::Model};
use stagegate_policy_decide::rules::{Facts, Image, Running, SourceFile};

use stagegate_host::{
    engine::{Engine, EngineError},
    process::Runner,
    project::{self, ProjectError},
};

/// Reads compose files as they are written and lets Compose resolve them; what Compose refused is a fact too.
///
/// # Errors
/// [`ProjectError`] where a file cannot be read, or Compose did not answer at all.
pub async fn of_source(runner: &Runner, name: &str, source: &Source) -> Result<Facts, ProjectError> {
    let files = read(&source.files)?;
    let facts = || Facts { further_files: further_files(&source.files), files: files.clone(), ..Facts::default() };
    let refused = match project::resolve(runner, name, source).await {
        Ok(model) => return Ok(Facts { model: Some(model), ..facts() }),
        Err(ProjectError::Refused { reason, .. }) => reason,
        Err(error) => return Err(error),
    };
    // A service that no `up` of these files starts may lack its env file: the others are checked all the same.
    let active = match refused.contains("env file") {
        true => project::resolve_active(runner, name, source).await.ok(),
        false => None,
    };
    Ok(match active {
        Some(model) => Facts { model: Some(model), left_out: Some(refused), ..facts() },
        None => Facts { refusal: Some(refused), ..facts() },
    })
}

/// Returns the facts of a model that is resolved already.
///
/// # Errors
/// [`ProjectError`] where one of its files cannot be read.
pub fn of_model(model: &Model, source: &Source) -> Result<Facts, ProjectError> {
    Ok(Facts {
        model: Some(model.clone()),
        files: read(&source.files)?,
        further_files: further_files(&source.files),
        ..Facts::default()
    })
}

fn read(files: &[PathBuf]) -> Result<Vec<SourceFile>, ProjectError> {
    let one = |path: &PathBuf| {
        let text = stagegate_host::files::text(path)
            .map_err(|source| ProjectError::Unreadable { path: path.clone(), source })?;
        Ok(SourceFile { path: shown(path).display().to_string(), text })
    };
    files.iter().map(one).collect()
}

/// Reads the files that `files` take services from, and those that these do. What cannot be read is left out: Compose
/// has resolved it all the same, or has reported why not.
fn further_files(files: &[PathBuf]) -> Vec<SourceFile> {
    let mut seen: Vec<PathBuf> = files.to_vec();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(path) = seen.get(at).cloned() {
        at += 1;
        let Ok(mut read) = read(std::slice::from_ref(&path)) else { continue };
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        for named in read.iter().flat_map(SourceFile::further_files) {
            let named = folder.join(named.trim_start_matches("./"));
            if !seen.contains(&named) {
                seen.push(named);
            }
        }
        if at > files.len() {
            found.append(&mut read);
        }
    }
    found
}

/// Returns a path as seen from the current folder, as code hosts and editors want it.
fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).to_path_buf()
}

/// Adds what this host knows of the services' images.
///
/// # Errors
/// [`EngineError`] where the Engine does not answer.
pub async fn read_images(facts: &mut Facts, engine: &Engine) -> Result<(), EngineError> {
    let Some(model) = facts.model.clone() else { return Ok(()) };
    for service in model.services() {
        if let Some(image) = engine.image_details(&model.image_name(&service)).await? {
            facts.images.insert(service, Image::of_inspect(&image));
        }
    }
    Ok(())
}

/// Adds the containers of a compose project.
///
/// # Errors
/// [`EngineError`] where the Engine does not answer.
pub async fn read_containers(facts: &mut Facts, engine: &Engine, project: &str) -> Result<(), EngineError> {
    let containers = engine.project_details(project).await?;
    facts.containers = Some(containers.iter().map(Running::of_inspect).collect());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_services_are_taken_from_are_read_once() {
        let folder = std::env::temp_dir().join(format!("stagegate-audit-{}", std::process::id()));
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        };
        let main = write("compose.yml", "include: [./db/compose.yml, missing.yml]\n");
        write("db/compose.yml", "services: {db: {extends: {file: base.yml, service: base}}}\n");
        let base = write("db/base.yml", "include: [compose.yml]\n");
        let found: Vec<String> = further_files(&[main]).into_iter().map(|file| file.path).collect();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, [folder.join("db/compose.yml"), base].map(|path| path.display().to_string()));
    }
}
