//! How a document is written, as its name tells.

use std::path::Path;

use super::error::ContractError;

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

impl Format {
    /// Returns the format that a file's name reports; JSON unless it ends in `.yaml` or `.yml`, in any case.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(extension) if is_yaml(extension) => Format::Yaml,
            _ => Format::Json,
        }
    }
}

/// Returns whether a file with this ending is read as YAML.
pub(super) fn is_yaml(extension: &str) -> bool {
    ["yaml", "yml"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// Reports why a text is no JSON, and of one that may be YAML what its name has to be.
pub(super) fn not_json(text: &str, error: &serde_json::Error) -> ContractError {
    let whole = error.to_string();
    let message = whole.split(" at line ").next().unwrap_or(&whole);
    let text = text.trim_start();
    let is_meant = text.is_empty() || text.starts_with(['{', '[']);
    let hint = if is_meant { "" } else { "; a file is read as YAML if its name ends in `.yaml` or `.yml`" };
    let message = format!("{message}{hint}");
    ContractError::Syntax { line: error.line() as u64, column: error.column() as u64, message }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::yaml("api.yaml", Format::Yaml)]
    #[case::in_capitals("api.YAML", Format::Yaml)]
    #[case::short("api.Yml", Format::Yaml)]
    #[case::json("api.json", Format::Json)]
    #[case::without_an_ending("yaml", Format::Json)]
    fn a_name_decides_the_format(#[case] name: &str, #[case] want: Format) {
        assert_eq!(Format::of(Path::new(name)), want);
    }
}
