//! Reads a TOML file and finds all of its mistakes, not the first one alone.
//!
//! The reader stops at a mistake. So what it refused is blanked out and the rest is read again, as long as that leaves a
//! file of TOML. What is found is what stands in the file; that something is missing is believed only where nothing was
//! blanked out.

use std::{ops::Range, path::Path};

use serde::de::DeserializeOwned;

use super::ConfigError;
use crate::json_schema::place_of;

/// Most mistakes that are reported of one file.
const MOST: usize = 20;

/// Reads a file's text.
///
/// # Errors
/// [`ConfigError`] with every mistake that can be found.
pub(super) fn read<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ConfigError> {
    let mut rest = text.to_owned();
    let mut errors: Vec<ConfigError> = Vec::new();
    loop {
        let error = match toml::from_str::<T>(&rest) {
            Ok(read) if errors.is_empty() => return Ok(read),
            Ok(_) => break,
            Err(error) => error,
        };
        if !errors.is_empty() && error.message().starts_with("missing field") {
            break;
        }
        errors.push(explained::<T>(path, text, &error));
        let is_blanked = error.span().is_some_and(|span| blank(&mut rest, &span));
        if !is_blanked || errors.len() == MOST || toml::from_str::<toml::Table>(&rest).is_err() {
            break;
        }
    }
    match ConfigError::all(errors) {
        Some(error) => Err(error),
        None => Err(ConfigError::at(path, text, 0, "the file cannot be read".to_owned(), None)),
    }
}

/// Explains a mistake; of a key that is unknown where it stands, and near to none there, where it belongs.
fn explained<T: DeserializeOwned>(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let mut made = ConfigError::from_toml(path, text, error);
    let unknown = error.message().strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    let is_near = made.hint.as_ref().is_some_and(|hint| hint.starts_with("did you mean"));
    if let Some(place) = unknown.filter(|_| !is_near).and_then(place_of::<T>) {
        made.hint = Some(place);
    }
    made
}

/// Overwrites the statement that a span is in by blanks, so that all places stay; `false` where it is none of one line.
fn blank(text: &mut String, span: &Range<usize>) -> bool {
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[span.end.max(start)..].find('\n').map_or(text.len(), |at| span.end.max(start) + at);
    let statement = &text[start..end];
    if statement.trim_start().starts_with('[') || !statement.contains('=') {
        return false;
    }
    let blanks: String = statement.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    text.replace_range(start..end, &blanks);
    true
}
