//! What is wrong with a configuration, where, and what is known instead.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Config, SshHost, explain::Explained};
use crate::suggest::closest;

/// A configuration that cannot be used. Nothing was touched.
///
/// As one line it is the first mistake of the file; [`ConfigError::rendered`] shows all of them with their lines.
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
    detail: Box<Detail>,
}

/// What is shown of the file, and the other mistakes in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Detail {
    text: Arc<str>,
    span: Range<usize>,
    /// What stands at the place.
    label: Option<String>,
    more: Vec<ConfigError>,
}

fn place(path: &Path, line: usize, column: usize) -> String {
    match line {
        0 => format!("{}: ", path.display()),
        _ => format!("{}:{line}:{column}: ", path.display()),
    }
}

impl ConfigError {
    /// Makes an error of what the TOML reader refused, with its line and column, in the words of whoever wrote the file.
    #[must_use]
    pub fn from_toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let span = error.span().unwrap_or_default();
        let Explained { message, label, hint } = Explained::of(text, &span, error.message().trim());
        let mut made = Self::at(path, text, span.start, message, hint);
        made.detail.label = label;
        made.detail.span = span;
        made
    }

    /// Makes an error at a byte offset of `text`; what is marked is the word there.
    #[must_use]
    pub fn at(path: &Path, text: &str, offset: usize, message: String, hint: Option<String>) -> Self {
        let offset = offset.min(text.len());
        let before = &text[..offset];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        let rest = text[offset..].lines().next().unwrap_or_default().trim_end();
        let detail = Detail { text: text.into(), span: offset..offset + rest.len(), ..Detail::default() };
        ConfigError { path: path.to_path_buf(), line, column, message, hint, detail: Box::new(detail) }
    }

    /// Makes one error of all mistakes of a file, the first one in front; `None` where there are none.
    #[must_use]
    pub fn all(errors: Vec<ConfigError>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut first = errors.next()?;
        first.detail.more.extend(errors);
        Some(first)
    }

    /// Returns the mistakes of the file, this one first.
    pub fn each(&self) -> impl Iterator<Item = &ConfigError> {
        std::iter::once(self).chain(&self.detail.more)
    }

    /// Returns every mistake with its line of the file, what is marked there, and what to write instead.
    #[must_use]
    pub fn rendered(&self) -> String {
        self.each().map(ConfigError::one_rendered).collect::<Vec<_>>().join("\n\n")
    }

    fn one_rendered(&self) -> String {
        let path = self.path.to_string_lossy();
        let title = Level::ERROR.no_name().primary_title(self.message.as_str());
        let mut group = match self.line {
            0 => Group::with_title(title),
            _ => {
                let mark = AnnotationKind::Primary.span(self.detail.span.clone()).label(self.detail.label.as_deref());
                title.element(Snippet::source(&*self.detail.text).path(&*path).annotation(mark))
            }
        };
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        Renderer::plain().render(&[group])
    }

    pub(super) fn on_a_host(config: &Config, name: &str, host: &SshHost) -> Self {
        ConfigError {
            path: config.path.clone(),
            line: 0,
            column: 0,
            message: format!("environment `{name}` is on {host}, and this command does not run on a host yet"),
            hint: Some(format!(
                "`ssh {}` and run it there with STAGEGATE_HERE=1 set; docs/remote.md lists the commands that need no login",
                host.typed()
            )),
            detail: Box::default(),
        }
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
            detail: Box::default(),
        }
    }
}
