//! Where in the files a service and its keys stand. The resolved model has no lines, so the text is searched.

use std::{collections::BTreeMap, ops::Range};

use serde_json::Value;

use super::SourceLine;

/// A compose file as it is written.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Its path, as it was given.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl SourceFile {
    /// Reads the file without resolving anything; `None` where this reader cannot (Compose then states why, or can).
    pub(super) fn yaml(&self) -> Option<Value> {
        serde_saphyr::from_str_with_options(&self.text, serde_saphyr::options! { with_snippet: false }).ok()
    }

    /// Returns the files that this one takes services from by `include` and `extends`, as it writes them.
    ///
    /// Those whose name has a variable, and those of a repository or registry, are left out.
    // Source: compose-spec, `include` (a path, or `path` with one or several) and `extends.file`.
    #[must_use]
    pub fn further_files(&self) -> Vec<String> {
        let Some(yaml) = self.yaml() else { return Vec::new() };
        let included = yaml["include"].as_array().into_iter().flatten().flat_map(|entry| match &entry["path"] {
            Value::Null => vec![entry.clone()],
            Value::Array(paths) => paths.clone(),
            path => vec![path.clone()],
        });
        let services = yaml["services"].as_object().into_iter().flatten();
        let extended = services.map(|(_, service)| service["extends"]["file"].clone());
        let named = included.chain(extended).filter_map(|path| path.as_str().map(str::to_owned));
        let is_here = |path: &String| !path.contains(['$', '@']) && !path.contains("://");
        let mut files: Vec<String> = named.filter(is_here).collect();
        files.sort();
        files.dedup();
        files
    }

    /// Reads the lines once, for all that is looked for in them.
    pub(super) fn indexed(&self) -> IndexedFile<'_> {
        let lines: Vec<&str> = self.text.lines().collect();
        let services = below(&lines, 0..lines.len(), "services");
        let inner = services.clone().map(|services| services.start + 1..services.end);
        let blocks = inner.map(|inner| blocks(&lines, inner)).unwrap_or_default();
        IndexedFile { path: &self.path, lines, services, blocks }
    }
}

/// A compose file with the lines of its services.
pub(super) struct IndexedFile<'a> {
    path: &'a str,
    lines: Vec<&'a str>,
    services: Option<Range<usize>>,
    /// The lines of each service, its name's first; from 0.
    blocks: BTreeMap<&'a str, Range<usize>>,
}

impl IndexedFile<'_> {
    /// Returns the line of a variable of a service, from 1.
    pub(super) fn line_of_variable(&self, service: &str, key: &str) -> Option<usize> {
        let block = self.blocks.get(service)?;
        self.lines[block.clone()].iter().position(|line| gives(line, key)).map(|at| block.start + at + 1)
    }

    /// Returns the line of a service that has all of some texts, from 1.
    pub(super) fn line_of_texts(&self, service: &str, texts: &[&str]) -> Option<usize> {
        let block = self.blocks.get(service)?;
        let has_all = |line: &&str| texts.iter().all(|text| !text.is_empty() && line.contains(text));
        let found = self.lines[block.clone()].iter().position(has_all);
        found.map(|at| block.start + at + 1)
    }

    /// Returns the line from which a service has a variable that it does not write itself: of an extension outside of
    /// `services`, else of another service whose anchor it uses; from 1.
    pub(super) fn line_of_shared(&self, service: &str, key: &str, value: &str) -> Option<usize> {
        let lines = &self.lines;
        let services = self.services.clone()?;
        let outside = (0..services.start).chain(services.end..lines.len()).find(|at| gives(lines[*at], key));
        let uses_anchor = |lines: &[&str]| lines.iter().any(|line| line.contains(": *") || line.contains("[*"));
        let of_another = || {
            let own = self.blocks.get(service).filter(|own| uses_anchor(&lines[(*own).clone()]));
            let is_it = |at: &usize| gives(lines[*at], key) && lines[*at].contains(value);
            own.and_then(|_| services.clone().find(is_it))
        };
        outside.or_else(of_another).map(|at| at + 1)
    }

    /// Returns the service in whose lines a line (from 1) stands.
    pub(super) fn service_at(&self, line: usize) -> Option<String> {
        let services = self.services.clone()?;
        let block = services.start + 1..services.end.min(line);
        let first = block.clone().find(|at| is_text(self.lines[*at]))?;
        let depth = indent(self.lines[first]);
        let own = block.rev().find(|at| is_text(self.lines[*at]) && indent(self.lines[*at]) == depth)?;
        name_of(self.lines[own]).map(str::to_owned)
    }

    /// Returns the place of a line, from 0.
    pub(super) fn at(&self, line: usize) -> SourceLine {
        SourceLine { file: self.path.to_owned(), line: line + 1 }
    }
}

/// Finds where a service states `key`; the last file that does so counts, else the first that has the service.
///
/// Of a list the entry that has all of `entry` is named, else the key.
pub(super) fn of(files: &[IndexedFile], service: &str, key: &str, entry: &[String]) -> Option<SourceLine> {
    if service.is_empty() {
        return None;
    }
    let lines_of_key = |file: &IndexedFile| {
        let block = file.blocks.get(service)?;
        below(&file.lines, block.start + 1..block.end, key)
    };
    let of_key = files
        .iter()
        .rev()
        .filter(|_| !key.is_empty())
        .find_map(|file| lines_of_key(file).map(|found| file.at(found.start)));
    let of_entry = files
        .iter()
        .rev()
        .filter(|_| !entry.is_empty() && !key.is_empty())
        .find_map(|file| entry_in(&file.lines, &lines_of_key(file)?, entry).map(|line| file.at(line)));
    let of_key = of_entry.or(of_key);
    of_key.or_else(|| files.iter().find_map(|file| file.blocks.get(service).map(|block| file.at(block.start))))
}

/// Returns the lines of each key at the least depth of some lines; the first of two with one name counts.
fn blocks<'a>(lines: &[&'a str], within: Range<usize>) -> BTreeMap<&'a str, Range<usize>> {
    let texts: Vec<usize> = within.clone().filter(|at| is_text(lines[*at])).collect();
    let Some(depth) = texts.first().map(|at| indent(lines[*at])) else { return BTreeMap::new() };
    let starts: Vec<usize> =
        texts.into_iter().filter(|at| indent(lines[*at]) <= depth && !is_item(lines[*at], depth)).collect();
    let ends = starts.iter().skip(1).copied().chain([within.end]);
    let mut found = BTreeMap::new();
    for (start, end) in starts.iter().zip(ends) {
        if let Some(name) = name_of(lines[*start]) {
            found.entry(name).or_insert(*start..end);
        }
    }
    found
}

/// Returns the key that a line begins with.
fn name_of(line: &str) -> Option<&str> {
    let bare = line.trim();
    let quote = bare.chars().next().filter(|first| matches!(first, '"' | '\''));
    match quote {
        Some(quote) => bare[1..].split_once(quote).map(|(name, _)| name),
        None => bare.split_once(':').map(|(name, _)| name.trim_end()),
    }
}

/// Returns the variables of an `environment`, written as a map or as a list.
pub(super) fn variables(environment: &Value) -> Vec<(String, Value)> {
    let of_list = |line: &Value| {
        let (key, value) = line.as_str()?.split_once('=')?;
        Some((key.to_owned(), Value::from(value)))
    };
    match environment {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        Value::Array(list) => list.iter().filter_map(of_list).collect(),
        _ => Vec::new(),
    }
}

/// Finds the entry of a list that has all of some texts, each as a word of its own; `list` begins with the key's line.
fn entry_in(lines: &[&str], list: &Range<usize>, texts: &[String]) -> Option<usize> {
    let starts: Vec<usize> = list.clone().skip(1).filter(|at| lines[*at].trim_start().starts_with("- ")).collect();
    let depth = indent(lines[*starts.first()?]);
    let starts: Vec<usize> = starts.into_iter().filter(|at| indent(lines[*at]) == depth).collect();
    let ends = starts.iter().skip(1).copied().chain([list.end]);
    let has = |range: Range<usize>, text: &String| lines[range].iter().any(|line| has_word(line, text));
    starts.iter().zip(ends).find(|(start, end)| texts.iter().all(|text| has(**start..*end, text))).map(|(at, _)| *at)
}

/// Returns whether a line gives a variable a value, in a map or in a list.
fn gives(line: &str, key: &str) -> bool {
    let bare = line.trim_start().trim_start_matches("- ").trim_start_matches(['"', '\'']);
    bare.strip_prefix(key).is_some_and(|rest| rest.starts_with(['=', ':', '"', '\'']))
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.');
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + word.len()..].chars().next());
        // `8080:80/tcp` has the port 80, and `./data:/data/` the path /data.
        !before.is_some_and(is_part) && !after.is_some_and(|c| c != '/' && is_part(c))
    })
}

/// Finds `key:` among the least indented of some lines, with all that is indented below it.
fn below(lines: &[&str], within: Range<usize>, key: &str) -> Option<Range<usize>> {
    let first = within.clone().find(|at| is_text(lines[*at]))?;
    let depth = indent(lines[first]);
    let start = within.clone().find(|at| indent(lines[*at]) == depth && names(lines[*at], key))?;
    let ends = |at: &usize| is_text(lines[*at]) && indent(lines[*at]) <= depth && !is_item(lines[*at], depth);
    let end = (start + 1..within.end).find(ends).unwrap_or(within.end);
    Some(start..end)
}

/// A list may stand at the depth of its key.
fn is_item(line: &str, depth: usize) -> bool {
    indent(line) == depth && line.trim_start().starts_with("- ")
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn is_text(line: &str) -> bool {
    let bare = line.trim();
    !bare.is_empty() && !bare.starts_with('#') && bare != "---"
}

fn names(line: &str, key: &str) -> bool {
    let bare = line.trim();
    let rest = bare.strip_prefix(key).or_else(|| {
        let inner = bare.strip_prefix(['"', '\''])?.strip_prefix(key)?;
        inner.strip_prefix(['"', '\''])
    });
    rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TEXT: &str = "# shop\nx-a: &a\n  image: no\nservices:\n\n  # front\n  web:\n    image: nginx\n    environment:\n    - A=1\n    ports: []\n  \"api\":\n    image: api\n    environment:\n      PW: x\nvolumes:\n  web:\n";

    fn files() -> Vec<SourceFile> {
        let second = "services:\n  web:\n    ports: [\"80:80\"]\n";
        vec![
            SourceFile { path: "a.yml".into(), text: TEXT.into() },
            SourceFile { path: "b.yml".into(), text: second.into() },
        ]
    }

    #[rstest]
    #[case("web", "", Some(("a.yml", 7)))]
    #[case("web", "image", Some(("a.yml", 8)))]
    #[case("web", "ports", Some(("b.yml", 3)))]
    #[case("web", "restart", Some(("a.yml", 7)))]
    #[case("api", "image", Some(("a.yml", 13)))]
    #[case("db", "image", None)]
    fn a_key_is_found_in_the_file_that_counts(
        #[case] service: &str,
        #[case] key: &str,
        #[case] want: Option<(&str, usize)>,
    ) {
        let files = files();
        let files: Vec<IndexedFile> = files.iter().map(SourceFile::indexed).collect();
        let found = of(&files, service, key, &[]);
        assert_eq!(found.as_ref().map(|place| (place.file.as_str(), place.line)), want);
    }

    #[rstest]
    #[case::a_path("include: [a.yml, \"oci://r/x\", \"${X}.yml\"]\n", &["a.yml"])]
    #[case::several("include:\n- path: [a.yml, b.yml]\n- path: c/d.yml\n", &["a.yml", "b.yml", "c/d.yml"])]
    #[case::extended("services:\n  a: {extends: {file: base.yml, service: b}}\n  c: {extends: {service: a}}\n", &["base.yml"])]
    #[case::none("services: {}\n", &[])]
    fn files_that_services_are_taken_from_are_named(#[case] text: &str, #[case] want: &[&str]) {
        assert_eq!(SourceFile { path: "compose.yml".into(), text: text.into() }.further_files(), want);
    }

    #[test]
    fn variables_and_services_are_found_by_line() {
        let files = files();
        let files: Vec<IndexedFile> = files.iter().map(SourceFile::indexed).collect();
        assert_eq!(files[0].line_of_variable("web", "A"), Some(10));
        assert_eq!(files[0].line_of_variable("api", "PW"), Some(15));
        assert_eq!(files[0].service_at(13).as_deref(), Some("api"));
        assert_eq!(files[0].service_at(8).as_deref(), Some("web"));
    }
}
