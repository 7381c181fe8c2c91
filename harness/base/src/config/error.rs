//! What is wrong with a configuration, where, and what is known instead.

use std::path::{Path, PathBuf};

use super::Config;
use crate::suggest::{closest, suggestion};

/// A configuration that cannot be used. Nothing was touched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}{}", place(path, *line, *column), hint.as_ref().map(|h| format!("; {h}")).unwrap_or_default())]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What was found and what was expected.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

fn place(path: &Path, line: usize, column: usize) -> String {
    match line {
        0 => format!("{}: ", path.display()),
        _ => format!("{}:{line}:{column}: ", path.display()),
    }
}

impl ConfigError {
    /// Makes an error of what the TOML reader refused, with its line and column.
    #[must_use]
    pub fn from_toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        let message = error.message().trim().to_owned();
        let hint = suggestion(&message);
        Self::at(path, text, offset, message, hint)
    }

    /// Makes an error at a byte offset of `text`.
    #[must_use]
    pub fn at(path: &Path, text: &str, offset: usize, message: String, hint: Option<String>) -> Self {
        let before = &text[..offset.min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        ConfigError { path: path.to_path_buf(), line, column, message, hint }
    }

    pub(super) fn unknown_environment(config: &Config, name: &str) -> Self {
        let known: Vec<&str> = config.environments.keys().map(String::as_str).collect();
        let meant = closest(name, &known).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        ConfigError {
            path: config.path.clone(),
            line: 0,
            column: 0,
            message: format!("unknown environment `{name}` (known: {})", known.join(", ")),
            hint: Some(format!("{meant}add [environments.{name}] or pass another --env")),
        }
    }
}
