//! All workflow files of a release, read together: logins are shared between them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Known, LONGEST, Login, WITHIN, Workflow, check::Checker, raw::RawFile};
use stagegate_base::{config::ConfigError, units::Span};

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenFile {
    /// Its name without its ending.
    pub name: String,
    /// What is wrong, with line and column.
    pub error: ConfigError,
}

/// The workflows of a release.
#[derive(Clone, Debug, Default)]
pub struct WorkflowFiles {
    /// Those that can be used, by file name.
    pub workflows: Vec<Arc<Workflow>>,
    /// The logins of all files, by name.
    pub logins: BTreeMap<String, Arc<Login>>,
    /// Those that cannot be used.
    pub broken: Vec<BrokenFile>,
}

/// Reads workflow files: `(path, text)` each.
#[must_use]
pub fn read(texts: &[(PathBuf, String)], known: &Known) -> WorkflowFiles {
    let mut files = WorkflowFiles::default();
    let mut parsed = Vec::new();
    for (path, text) in texts {
        match toml::from_str::<RawFile>(text) {
            Ok(raw) => parsed.push((path, text, raw)),
            Err(error) => files.break_off(path, ConfigError::from_toml(path, text, &error)),
        }
    }
    for (path, text, raw) in &mut parsed {
        if let Err(error) = files.take_logins(path, text, raw, known) {
            files.break_off(path, error);
            raw.step.clear();
        }
    }
    for (path, text, raw) in parsed {
        match workflow(&files, path, text, raw, known) {
            Ok(Some(workflow)) => files.workflows.push(Arc::new(workflow)),
            Ok(None) => {}
            Err(error) => files.break_off(path, error),
        }
    }
    files
}

impl WorkflowFiles {
    fn break_off(&mut self, path: &Path, error: ConfigError) {
        self.broken.push(BrokenFile { name: stem(path), error });
    }

    fn take_logins(&mut self, path: &Path, text: &str, raw: &mut RawFile, known: &Known) -> Result<(), ConfigError> {
        let checker = Checker { path, text, known, secrets: &raw.secrets, logins: &BTreeMap::new() };
        let mut own = Vec::new();
        for (name, login) in std::mem::take(&mut raw.login) {
            checker.name_of(&name, "login")?;
            if let Some(other) = self.logins.get(name.get_ref()) {
                let message = format!("login `{}` is already defined in {}", name.get_ref(), other.file.display());
                return Err(checker.error(name.span().start, message, "rename it, or remove one of the two"));
            }
            let steps = checker.steps(login.step)?;
            if steps.iter().all(|step| step.capture.is_empty()) {
                let message = format!("login `{}` captures nothing", name.get_ref());
                return Err(checker.error(
                    name.span().start,
                    message,
                    "add capture = { token = \"$.token\" } to a step",
                ));
            }
            let login =
                Login { name: name.get_ref().clone(), file: path.to_path_buf(), secrets: raw.secrets.clone(), steps };
            own.push(login);
        }
        self.logins.extend(own.into_iter().map(|login| (login.name.clone(), Arc::new(login))));
        Ok(())
    }
}

/// Makes a file's workflow; none where the file holds only logins, or was found broken before.
fn workflow(
    files: &WorkflowFiles,
    path: &Path,
    text: &str,
    raw: RawFile,
    known: &Known,
) -> Result<Option<Workflow>, ConfigError> {
    let checker = Checker { path, text, known, secrets: &raw.secrets, logins: &files.logins };
    let name = stem(path);
    if raw.step.is_empty() {
        let is_broken = files.broken.iter().any(|broken| broken.error.path == path);
        if is_broken || files.logins.values().any(|login| login.file == path) {
            return Ok(None);
        }
        return Err(checker.error(0, "the file has no steps".to_owned(), "add [[step]]"));
    }
    let within = match &raw.within {
        None => Span(WITHIN),
        Some(span) if span.get_ref().0 <= LONGEST => *span.get_ref(),
        Some(span) => {
            let message = format!("{} is longer than the limit of a check", span.get_ref());
            return Err(checker.error(span.span().start, message, format!("at most {}", Span(LONGEST))));
        }
    };
    let mut steps = checker.steps(raw.step)?;
    steps.sort_by_key(|step| step.cleanup);
    if steps.iter().all(|step| step.cleanup) {
        return Err(checker.error(
            0,
            "the file has only clean-up steps".to_owned(),
            "add [[step]] with something to clean up after",
        ));
    }
    let file = path.to_path_buf();
    Ok(Some(Workflow { name, file, title: raw.title, within, severity: raw.severity, secrets: raw.secrets, steps }))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
