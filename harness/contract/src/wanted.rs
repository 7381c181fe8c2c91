//! The files that a contract wants, found out text by text.
//!
//! In: texts, which somebody else reads. Out: the names of the files that are still wanted.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    diff::references,
    files::{Files, Located, located, normal, written},
};

/// How many files a contract may have.
const FILES: usize = 20_000;

impl Files {
    /// Begins with the document.
    ///
    /// `shown` is how a person names it, `root` its path below the release's folder; no reference may leave this folder.
    #[must_use]
    pub fn new(shown: &str, root: &str, text: String) -> Self {
        let refers = refers(&text);
        let root = normal(root.split('/')).unwrap_or_else(|| root.to_owned());
        let mut files = Files {
            shown: shown.to_owned(),
            root: root.clone(),
            texts: BTreeMap::new(),
            wanted: BTreeSet::new(),
            refers,
        };
        if refers {
            files.want(&root, &text);
        }
        files.texts.insert(root, Ok(text));
        files
    }

    /// Adds a file that was wanted, or the reason why it cannot be read; a reference to it is refused then.
    pub fn add(&mut self, name: &str, text: Result<String, String>) {
        self.wanted.remove(name);
        if let Ok(text) = &text {
            self.want(name, text);
        }
        self.texts.insert(name.to_owned(), text);
    }

    fn want(&mut self, from: &str, text: &str) {
        let Some(format) = written(from, text, (&self.root, self.format())) else { return };
        for reference in references(text, format) {
            let Ok(Located { file: Some(name), .. }) = located(from, &reference) else { continue };
            if !self.texts.contains_key(&name) && name != self.root && self.texts.len() + self.wanted.len() < FILES {
                self.wanted.insert(name);
            }
        }
    }
}

/// Returns whether a text may hold a reference that leads out of it; most documents have none and are read as they are.
fn refers(text: &str) -> bool {
    text.match_indices("$ref").any(|(at, word)| {
        let rest = text[at + word.len()..].trim_start_matches(['"', '\'']).trim_start();
        let value = rest.strip_prefix(':').map(|rest| rest.trim_start().trim_start_matches(['"', '\'']));
        value.is_some_and(|value| !value.starts_with('#'))
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn files_are_wanted_until_all_are_there() {
        let mut files = Files::new("a.yaml", "a.yaml", "x: {$ref: 'b.yaml#/y'}\nz: {$ref: 'c.json'}".to_owned());
        assert_eq!(files.wanted(), ["b.yaml", "c.json"]);
        files.add("b.yaml", Ok("y: {$ref: 'a.yaml'}\nz: {$ref: 'd/e.yaml'}".to_owned()));
        files.add("c.json", Err("does not exist".to_owned()));
        assert_eq!(files.wanted(), ["d/e.yaml"]);
        files.add("d/e.yaml", Ok("$ref: ../b.yaml".to_owned()));
        assert!(files.wanted().is_empty());
    }

    #[rstest]
    #[case::local("a: {$ref: '#/x'}\nb: {\"$ref\": \"#/y\"}", false)]
    #[case::none("a: 1", false)]
    #[case::file("a: {$ref: b.yaml}", true)]
    #[case::quoted("{\"$ref\" : \"b.json\"}", true)]
    #[case::in_a_line_of_its_own("$ref:\n  b.yaml", true)]
    fn a_document_refers_to_others_or_does_not(#[case] text: &str, #[case] does: bool) {
        assert_eq!(!Files::new("a.yaml", "a.yaml", text.to_owned()).is_single(), does);
    }
}
