//! Which files Compose reads: those that are named, and those that it finds by their usual names.

use std::path::{Path, PathBuf};

use stagegate_base::{command::variables, config::Environment};

/// The names that Compose looks for, in its order, and those of the override files.
// Source: compose-go 2.0, cli/options.go: DefaultFileNames, DefaultOverrideFileNames.
const FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
const OVERRIDES: [&str; 4] =
    ["compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml"];

/// Returns the compose files that the configuration or the env files name, in the order in which they count.
#[must_use]
pub fn named_files(environment: &Environment) -> Vec<PathBuf> {
    match environment.compose.as_slice() {
        [] => named_by_variable(&environment.workdir, &environment.env_files),
        files => files.to_vec(),
    }
}

/// Returns the files of `COMPOSE_FILE` of the env files; where there are none, Compose reads the folder's `.env`.
fn named_by_variable(folder: &Path, env_files: &[PathBuf]) -> Vec<PathBuf> {
    let of_folder = [folder.join(".env")];
    let env_files = if env_files.is_empty() { &of_folder[..] } else { env_files };
    let env: Vec<String> = env_files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    let separator = variables::setting(&env, "COMPOSE_PATH_SEPARATOR").unwrap_or(":");
    let named = variables::setting(&env, "COMPOSE_FILE").filter(|files| !files.is_empty());
    named.into_iter().flat_map(|files| files.split(separator)).map(PathBuf::from).collect()
}

/// Returns the compose files that Compose reads in a folder, relative to it; none where it finds none.
#[must_use]
pub fn files_in(folder: &Path, env_files: &[PathBuf]) -> Vec<PathBuf> {
    let named = named_by_variable(folder, env_files);
    let first =
        |names: [&'static str; 4]| names.into_iter().find(|name| folder.join(name).is_file()).map(PathBuf::from);
    match first(FILES) {
        _ if !named.is_empty() => named,
        None => Vec::new(),
        Some(file) => std::iter::once(file).chain(first(OVERRIDES)).collect(),
    }
}

/// Returns the names of files in a folder that are compose files by their names, and that Compose finds only where
/// somebody names them: `docker-compose.prod.yml`.
#[must_use]
pub fn unnamed_files_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_one = |name: &String| name.contains("compose") && (name.ends_with(".yml") || name.ends_with(".yaml"));
    let mut found: Vec<String> = names.filter(is_one).collect();
    found.sort();
    found
}

/// Returns the compose files of an environment, relative to its workdir, as Compose finds them where none are named.
pub(super) fn compose_files(environment: &Environment) -> Vec<PathBuf> {
    let files = match environment.compose.as_slice() {
        [] => files_in(&environment.workdir, &environment.env_files),
        named => named.to_vec(),
    };
    // One of them has to be there; the error names the usual one.
    if files.is_empty() { vec![PathBuf::from(FILES[2])] } else { files }
}

/// Returns the names of override files that Compose would read where no files are named.
#[must_use]
pub fn override_files(environment: &Environment) -> Vec<PathBuf> {
    let names = if named_files(environment).is_empty() { &OVERRIDES[..] } else { &[] };
    names.iter().map(PathBuf::from).collect()
}

/// Env files that a repository keeps as an example, the usual name first.
pub const EXAMPLES: [&str; 7] =
    [".env.example", ".env.sample", ".env.template", ".env.dist", "env.example", "example.env", ".env.local"];

/// Returns what to do where Compose refused files for an env file that is not there: often its example is.
// Source: compose-go, dotenv: `env file PATH not found: stat PATH: no such file or directory`.
#[must_use]
pub fn env_file_hint(reason: &str) -> Option<String> {
    let path = Path::new(reason.split("env file ").nth(1)?.split(" not found").next()?);
    let folder = path.parent()?;
    let example = EXAMPLES.iter().map(|name| folder.join(name)).find(|example| example != path && example.is_file());
    Some(match example {
        Some(example) => format!("cp {} {}, and set its values", example.display(), path.display()),
        None => format!("write {} (one NAME=value a line)", path.display()),
    })
}
