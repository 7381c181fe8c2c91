//! Names of schemas that are no JSON pointers: `$anchor`, `$dynamicAnchor`, `$id`.
//!
//! References that use them are rewritten as pointers, so that everything that reads a document meets one kind of
//! reference. What only a running validator could resolve is refused by name.
// Source: JSON Schema 2020-12 Core, 8.2.

use std::collections::HashMap;

use super::{
    error::ContractError,
    fragment::percent_decoded,
    walk::{Part, Tree, objects, pointer},
};

/// Keywords that name a schema; they count for nothing once the references are pointers.
pub(super) const NAMING: [&str; 3] = ["$id", "$anchor", "$dynamicAnchor"];

/// Returns whether a text may hold any of this, so that most documents are not searched.
pub(super) fn may_be_in(text: &str) -> bool {
    ["$anchor", "$dynamic", "$id", "$recursive"].iter().any(|word| text.contains(word))
}

/// A reference that is to be rewritten.
pub(super) struct Rewrite {
    /// JSON pointer of the object that holds it.
    pub(super) at: String,
    /// Its keyword; `$ref` in the end.
    pub(super) key: &'static str,
    /// Where it leads: `#/components/schemas/Order`.
    pub(super) to: String,
}

/// What was found: the objects that name themselves, and the references to rewrite.
#[derive(Default)]
pub(super) struct Anchors {
    /// JSON pointers of the objects that have one of [`NAMING`].
    pub(super) named: Vec<String>,
    /// The references that lead to them.
    pub(super) rewrites: Vec<Rewrite>,
}

/// Finds what is named so, and where the references lead that use the names.
///
/// # Errors
/// [`ContractError`] of a reference that leads to nothing, or to one of several schemas.
pub(super) fn anchors<T: Tree>(root: &T) -> Result<Anchors, ContractError> {
    let mut names = Names { resources: vec![(String::new(), String::new())], ..Names::default() };
    objects(root, &mut |node, path| names.take(node, path))?;
    let mut found = Anchors { named: std::mem::take(&mut names.named), rewrites: Vec::new() };
    objects(root, &mut |node, path| {
        for key in ["$ref", "$dynamicRef"] {
            let Some(reference) = node.word_at(key) else { continue };
            let at = pointer(path);
            if let Some(to) = names.target(root, (key, reference), &at)? {
                found.rewrites.push(Rewrite { at, key, to: format!("#{to}") });
            }
        }
        Ok::<(), ContractError>(())
    })?;
    Ok(found)
}

/// Everything that has a name.
#[derive(Default)]
struct Names {
    named: Vec<String>,
    /// Schemas with an `$id` and the document itself: JSON pointer and URI.
    resources: Vec<(String, String)>,
    /// By resource and name: JSON pointers.
    anchors: HashMap<(usize, String), String>,
    /// JSON pointers by the names of `$dynamicAnchor`.
    dynamic: HashMap<String, Vec<String>>,
}

impl Names {
    fn take<T: Tree>(&mut self, node: &T, path: &[Part<'_>]) -> Result<(), ContractError> {
        let at = || pointer(path);
        if node.member("$recursiveRef").is_some() {
            return Err(ContractError::Keyword { at: format!("#{}", at()), keyword: "$recursiveRef" });
        }
        if node.word_at("$ref").is_some() && node.word_at("$dynamicRef").is_some() {
            return Err(ContractError::Keyword { at: format!("#{}", at()), keyword: "$dynamicRef" });
        }
        if NAMING.iter().any(|key| node.word_at(key).is_some()) {
            self.named.push(at());
        }
        if let Some(id) = node.word_at("$id") {
            let uri = joined(&self.resources[self.resource(&at())].1, id.trim_end_matches('#'));
            self.resources.push((at(), uri));
        }
        for key in ["$anchor", "$dynamicAnchor"] {
            if let Some(name) = node.word_at(key) {
                self.anchors.insert((self.resource(&at()), name.to_owned()), at());
            }
        }
        if let Some(name) = node.word_at("$dynamicAnchor") {
            self.dynamic.entry(name.to_owned()).or_default().push(at());
        }
        Ok(())
    }

    /// Returns the innermost resource that holds a pointer.
    fn resource(&self, at: &str) -> usize {
        let holds = |own: &str| at.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let holding = self.resources.iter().enumerate().filter(|(_, (own, _))| holds(own));
        holding.max_by_key(|(_, (own, _))| own.len()).map_or(0, |(index, _)| index)
    }

    /// Returns the pointer that a reference stands for; `None` if it is one already, or leads out of the document.
    fn target<T: Tree>(
        &self,
        root: &T,
        (key, reference): (&str, &str),
        at: &str,
    ) -> Result<Option<String>, ContractError> {
        let here = self.resource(at);
        let (uri, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let resource = match uri {
            "" => here,
            uri => {
                let whole = joined(&self.resources[here].1, uri);
                let known = self.resources.iter().skip(1).position(|(_, own)| *own == whole);
                let Some(known) = known else { return outside(key, at) };
                known + 1
            }
        };
        let dangling = || ContractError::Dangling { at: format!("#{at}"), reference: reference.to_owned() };
        if fragment.is_empty() || fragment.starts_with('/') {
            let own = format!("{}{}", self.resources[resource].0, percent_decoded(fragment));
            // Many write pointers from the document's top below an `$id`, and mean that.
            let top = percent_decoded(fragment);
            let is_there = |pointer: &String| found(root, pointer);
            let target = [own, top].into_iter().find(is_there).ok_or_else(dangling)?;
            return Ok((resource != 0 || key != "$ref").then_some(target));
        }
        let name = percent_decoded(fragment);
        let target = self.anchors.get(&(resource, name.clone())).ok_or_else(dangling)?;
        let several = self.dynamic.get(&name).filter(|all| key == "$dynamicRef" && all.contains(target));
        match several {
            Some(all) if all.len() > 1 => Err(ContractError::Dynamic {
                at: format!("#{at}"),
                reference: reference.to_owned(),
                targets: all.iter().map(|target| format!("#{target}")).collect::<Vec<_>>().join(", "),
            }),
            _ => Ok(Some(target.clone())),
        }
    }
}

/// Leaves a `$ref` to what is none of the document's own schemas: whoever follows it reads the file, or refuses it. Nobody
/// follows a `$dynamicRef`, and without it a schema would allow anything.
fn outside(key: &str, at: &str) -> Result<Option<String>, ContractError> {
    match key {
        "$dynamicRef" => Err(ContractError::Keyword { at: format!("#{at}"), keyword: "$dynamicRef" }),
        _ => Ok(None),
    }
}

fn found<T: Tree>(root: &T, pointer: &str) -> bool {
    let parts = pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~"));
    let mut node = root;
    for part in parts {
        let element = || node.elements().get(part.parse::<usize>().ok()?);
        let Some(next) = node.member(&part).or_else(element) else { return false };
        node = next;
    }
    true
}

/// Resolves a reference to a URI against that of the schema around it.
// Source: RFC 3986, 5.2, as far as schemas use it: whole URIs, absolute paths, names next to the last one.
fn joined(base: &str, reference: &str) -> String {
    let scheme = reference.split_once(':').map(|(scheme, _)| scheme);
    if scheme.is_some_and(|scheme| !scheme.is_empty() && !scheme.contains('/')) {
        return reference.to_owned();
    }
    let authority = base.find("://").map_or(0, |at| at + 3);
    let path = base[authority..].find('/').map_or(base.len(), |at| authority + at);
    if reference.starts_with('/') {
        return format!("{}{reference}", &base[..path]);
    }
    let folder = base.rfind('/').filter(|at| *at >= path).map_or(path, |at| at + 1);
    let mark = if folder == path && authority > 0 { "/" } else { "" };
    format!("{}{mark}{}", &base[..folder], reference.trim_start_matches("./"))
}
