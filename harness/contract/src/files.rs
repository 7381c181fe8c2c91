//! A contract in one file or in several: which files it refers to, and how they are called.
//!
//! A name is a path below the release's folder, so that no reference leads out of it; nothing is fetched.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use super::{
    error::Problem,
    format::{Format, is_yaml},
    fragment::percent_decoded,
};

/// The texts of a contract: its document, and the files that this one refers to.
///
/// Whoever has made it reads what [`Files::wanted`] names and hands it to [`Files::add`], until nothing is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The document as a person names it: `api/openapi.yaml`, `git:v1.2:api/openapi.yaml`.
    pub(super) shown: String,
    pub(super) root: String,
    pub(super) texts: BTreeMap<String, Result<String, String>>,
    pub(super) wanted: BTreeSet<String>,
    /// Whether the document refers to anything outside of itself.
    pub(super) refers: bool,
}

impl Files {
    /// Returns the names of the files that are referred to and not there yet.
    #[must_use]
    pub fn wanted(&self) -> Vec<String> {
        self.wanted.iter().cloned().collect()
    }

    /// Returns the document's text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.texts.get(&self.root).and_then(|text| text.as_deref().ok()).unwrap_or_default()
    }

    /// Returns how a person names the document.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Reports how the document is written.
    #[must_use]
    pub fn format(&self) -> Format {
        Format::of(Path::new(&self.shown))
    }

    /// Returns whether the document refers to nothing but itself.
    pub(super) fn is_single(&self) -> bool {
        !self.refers
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// Lists the names of all files with their texts, the document first.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Result<String, String>)> {
        let root = self.texts.get_key_value(&self.root);
        let others = self.texts.iter().filter(|(name, _)| **name != self.root);
        root.into_iter().chain(others).map(|(name, text)| (name.as_str(), text))
    }

    /// Returns a file as the document's own references would name it: `schemas/pet.yaml`, `../common/pet.yaml`.
    pub(super) fn relative(&self, name: &str) -> String {
        let (own, other): (Vec<&str>, Vec<&str>) = (self.root.split('/').collect(), name.split('/').collect());
        let folder = &own[..own.len().saturating_sub(1)];
        let shared = folder.iter().zip(&other).take_while(|(a, b)| a == b).count().min(other.len() - 1);
        let up = std::iter::repeat_n("..", folder.len() - shared);
        up.chain(other[shared..].iter().copied()).collect::<Vec<_>>().join("/")
    }

    /// Returns a file as a person names it, next to the document.
    pub(super) fn shown_as(&self, name: &str) -> String {
        if name == self.root { file_of(&self.shown).to_owned() } else { relative_to(&self.shown, &self.relative(name)) }
    }
}

/// Reports how a file is written; `None` is a text that is no document, as a description in Markdown.
pub(super) fn written(name: &str, text: &str, (root, format): (&str, Format)) -> Option<Format> {
    let is_text = |ending: &str| ["md", "markdown", "txt", "html"].contains(&ending.to_ascii_lowercase().as_str());
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        _ if name == root => Some(format),
        Some(ending) if is_yaml(ending) => Some(Format::Yaml),
        Some("json") => Some(Format::Json),
        Some(ending) if is_text(ending) => None,
        _ if text.trim_start_matches('\u{feff}').trim_start().starts_with('{') => Some(Format::Json),
        _ => Some(Format::Yaml),
    }
}

/// Where a reference leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// Name of the file; none where it is the file that holds the reference.
    pub(super) file: Option<String>,
    /// What stands behind `#`, percent-encoding undone.
    pub(super) fragment: String,
}

/// Finds out which file a reference of the file `from` leads to.
///
/// # Errors
/// [`Problem`] where it leads out of the release or to another host.
// Source: RFC 3986, 4.2 and 5.2.4.
pub(super) fn located(from: &str, reference: &str) -> Result<Located, Problem> {
    let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    let fragment = percent_decoded(fragment);
    if path.is_empty() {
        return Ok(Located { file: None, fragment });
    }
    let scheme = path.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.filter(|scheme| scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b))) {
        Some(scheme) if scheme == "file" || scheme.len() == 1 => return Err(Problem::Absolute),
        Some(_) => return Err(Problem::Url),
        None if path.starts_with("//") => return Err(Problem::Url),
        None if path.starts_with(['/', '\\']) => return Err(Problem::Absolute),
        None => {}
    }
    let path = percent_decoded(path);
    if path.chars().any(char::is_control) || path.starts_with('/') {
        return Err(Problem::Absolute);
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let file = normal(folder.split('/').chain(path.split('/'))).ok_or(Problem::Outside)?;
    if file.is_empty() {
        return Err(Problem::Unreadable("is a folder".to_owned()));
    }
    Ok(Located { file: (file != from).then_some(file), fragment })
}

/// Puts the parts of a path together; `None` where it leads above the folder that it begins in.
pub(super) fn normal<'a>(parts: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut whole: Vec<&str> = Vec::new();
    for part in parts {
        match part {
            "" | "." => {}
            ".." => drop(whole.pop()?),
            part => whole.push(part),
        }
    }
    Some(whole.join("/"))
}

/// Returns the file that a name stands for: of `git:REV:PATH` the path.
pub(super) fn file_of(name: &str) -> &str {
    match name.strip_prefix("git:").and_then(|rest| rest.split_once(':')) {
        Some((_, path)) if Path::new(path).file_name().is_some() => path,
        _ => name,
    }
}

/// Returns the path of a file that the document `shown` names as `relative`.
pub(super) fn relative_to(shown: &str, relative: &str) -> String {
    let document = file_of(shown);
    let mut folder: Vec<&str> = document.split('/').collect();
    folder.pop();
    let mut rest = relative;
    while let Some(further) = rest.strip_prefix("../")
        && folder.last().is_some_and(|part| !matches!(*part, "" | "." | ".."))
    {
        folder.pop();
        rest = further;
    }
    folder.push(rest);
    folder.join("/")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn file(from: &str, reference: &str) -> Result<(Option<String>, String), String> {
        let found = located(from, reference).map_err(|problem| problem.to_string())?;
        Ok((found.file, found.fragment))
    }

    #[rstest]
    #[case::inside("a.yaml", "#/x", None, "/x")]
    #[case::next_to_it("api/a.yaml", "b.yaml", Some("api/b.yaml"), "")]
    #[case::below("api/a.yaml", "./s/b.yaml#/x", Some("api/s/b.yaml"), "/x")]
    #[case::above_and_in_the_release("api/v1/a.yaml", "../common/b.yaml", Some("api/common/b.yaml"), "")]
    #[case::encoded("a.yaml", "my%20pet.yaml#/a%20b", Some("my pet.yaml"), "/a b")]
    #[case::itself("api/a.yaml", "../api/a.yaml#/x", None, "/x")]
    #[case::a_colon_in_a_folder("a.yaml", "s/a:b.yaml", Some("s/a:b.yaml"), "")]
    fn a_reference_leads_to_a_file(
        #[case] from: &str,
        #[case] reference: &str,
        #[case] name: Option<&str>,
        #[case] fragment: &str,
    ) {
        assert_eq!(file(from, reference), Ok((name.map(str::to_owned), fragment.to_owned())));
    }

    #[rstest]
    #[case::above("a.yaml", "../b.yaml", "leads out of the release")]
    #[case::above_by_encoded_dots("api/a.yaml", "%2e%2e/%2e%2e/b.yaml", "leads out of the release")]
    #[case::absolute("a.yaml", "/etc/passwd", "absolute path")]
    #[case::absolute_when_decoded("a.yaml", "%2Fetc/passwd", "absolute path")]
    #[case::a_drive("a.yaml", "C:\\a.yaml", "absolute path")]
    #[case::a_file_url("a.yaml", "file:///etc/passwd", "absolute path")]
    #[case::another_host("a.yaml", "//example.org/b.yaml", "nothing is fetched")]
    #[case::a_url("a.yaml", "https://example.org/b.yaml#/x", "nothing is fetched")]
    #[case::a_name("a.yaml", "urn:example:b", "nothing is fetched")]
    #[case::a_folder("a/a.yaml", "..", "is a folder")]
    fn a_reference_that_leads_out_is_refused(#[case] from: &str, #[case] reference: &str, #[case] why: &str) {
        let found = file(from, reference).unwrap_err();
        assert!(found.contains(why), "{found}");
    }

    #[rstest]
    #[case("openapi.yaml", "openapi.yaml", "s/pet.yaml", "s/pet.yaml", "s/pet.yaml")]
    #[case("git:v1:api/a.yaml", "api/a.yaml", "api/s/pet.yaml", "s/pet.yaml", "api/s/pet.yaml")]
    #[case("../new/api/a.yaml", "api/a.yaml", "common/pet.yaml", "../common/pet.yaml", "../new/common/pet.yaml")]
    #[case("a.yaml", "api/a.yaml", "common/pet.yaml", "../common/pet.yaml", "../common/pet.yaml")]
    #[case("/tmp/api/a.yaml", "api/a.yaml", "pet.yaml", "../pet.yaml", "/tmp/pet.yaml")]
    fn a_file_is_named_from_where_the_document_is(
        #[case] shown: &str,
        #[case] root: &str,
        #[case] name: &str,
        #[case] relative: &str,
        #[case] path: &str,
    ) {
        let files = Files {
            shown: shown.to_owned(),
            root: root.to_owned(),
            texts: BTreeMap::new(),
            wanted: BTreeSet::new(),
            refers: false,
        };
        assert_eq!((files.relative(name).as_str(), files.shown_as(name).as_str()), (relative, path));
    }
}
