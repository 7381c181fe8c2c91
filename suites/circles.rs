//! No modules of one crate need each other in a circle: each can be read, moved and tested with what is below it.
//!
//! Read are the `use` paths and the paths in code that begin with `crate`, `super` or `self`. What a module names of
//! its own children without such a beginning counts for nothing: a folder's `mod.rs` is the table of its contents.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A module's path in its crate; empty for the crate's root.
type Module = Vec<String>;
/// The code of a crate's modules.
type Crate = BTreeMap<Module, String>;

/// Returns the circles of a crate, each as its sorted modules, and how many edges were read.
fn circles(modules: &Crate) -> (Vec<Vec<&Module>>, usize) {
    let edges: BTreeMap<&Module, BTreeSet<&Module>> =
        modules.iter().map(|(module, code)| (module, needed(modules, module, code))).collect();
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        edges.keys().map(|module| (*module, reachable(&edges, module))).collect();
    let mut found: Vec<Vec<&Module>> = Vec::new();
    for (module, below) in &reached {
        if below.contains(module) && !found.iter().flatten().any(|known| known == module) {
            found.push(below.iter().copied().filter(|other| reached[other].contains(module)).collect());
        }
    }
    (found, edges.values().map(BTreeSet::len).sum())
}

/// Returns all modules that are needed by one, or by those that it needs.
fn reachable<'a>(edges: &BTreeMap<&'a Module, BTreeSet<&'a Module>>, from: &'a Module) -> BTreeSet<&'a Module> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        open.extend(edges[module].iter().copied().filter(|next| found.insert(*next)));
    }
    found
}

/// Returns the modules that a module's code names.
fn needed<'a>(modules: &'a Crate, module: &Module, code: &str) -> BTreeSet<&'a Module> {
    let (uses, rest) = split(code);
    let paths = uses.into_iter().map(|(path, _)| path).chain(written(&rest));
    let named = paths.filter_map(|path| target(modules, module, &path));
    named.filter(|found| *found != module).collect()
}

/// Returns the module that a path leads to; an item that is handed on by `use` is of the module that it comes from.
fn target<'a>(modules: &'a Crate, module: &Module, path: &[String]) -> Option<&'a Module> {
    let mut base = match path.first()?.as_str() {
        "crate" => Module::new(),
        "self" | "super" => module.clone(),
        _ => return None,
    };
    let beginning = path.iter().take_while(|part| ["crate", "self", "super"].contains(&part.as_str())).count();
    path[..beginning].iter().filter(|part| *part == "super").for_each(|_| drop(base.pop()));
    let whole = [base, path[beginning..].to_vec()].concat();
    let found = nearest(modules, &whole)?;
    let Some(item) = whole.get(found.len()) else { return Some(found) };
    let handed_on = split(&modules[found]).0.into_iter().find(|(_, name)| name == item);
    let origin = handed_on.and_then(|(path, _)| {
        let path: Vec<String> = path.into_iter().skip_while(|part| part == "self").collect();
        nearest(modules, &[found.clone(), path].concat())
    });
    Some(origin.unwrap_or(found))
}

/// Returns the innermost module that a path leads into.
fn nearest<'a>(modules: &'a Crate, path: &[String]) -> Option<&'a Module> {
    (0..=path.len()).rev().find_map(|length| modules.get_key_value(&path[..length])).map(|(module, _)| module)
}

/// Splits code into what its `use` declarations name, with the name that it has here, and the rest.
fn split(code: &str) -> (Vec<(Vec<String>, String)>, String) {
    let (mut uses, mut rest, mut open) = (Vec::new(), String::new(), String::new());
    for line in code.lines() {
        let plain = line.trim_start();
        let begins = plain.starts_with("use ") || plain.starts_with("pub") && plain.contains(" use ");
        if open.is_empty() && !begins {
            rest.extend([line, "\n"]);
            continue;
        }
        open.extend([plain, " "]);
        if let Some((tree, _)) = open.split_once(';') {
            let tree = tree.split_once("use ").map_or("", |(_, tree)| tree);
            expand(tree, &[], &mut uses);
            open.clear();
        }
    }
    (uses, rest)
}

/// Adds the paths of a tree such as `super::{a, b::{C, D as E}}`.
fn expand(tree: &str, before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let parts =
        |text: &str| text.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let Some((head, inner)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias)));
        let own: Vec<String> = parts(path);
        let whole = [before, &own].concat();
        let name = alias.map(|alias| alias.trim().to_owned()).or_else(|| whole.last().cloned());
        return found.extend(name.filter(|_| !own.is_empty()).map(|name| (whole, name)));
    };
    let head: Vec<String> = parts(head);
    let before = [before, &head].concat();
    let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&inner[start..at], &before, found);
                start = (at + 1).min(inner.len());
            }
            _ => {}
        }
    }
}

/// Returns the paths in code that begin with `crate`, `super` or `self`.
fn written(code: &str) -> Vec<Vec<String>> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c| !is_path(c));
    let paths = words.filter(|word| ["crate::", "super::", "self::"].iter().any(|start| word.starts_with(start)));
    paths.map(|word| word.split("::").map(str::to_owned).collect()).collect()
}

/// Returns the code of a text: no comments, no tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Reads the modules of a folder and of those in it, tests left out.
fn read(folder: &Path, module: &Module, modules: &mut Crate) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let inner = [module.clone(), vec![name.clone()]].concat();
        if path.is_dir() && name != "tests" {
            read(&path, &inner, modules);
        } else if path.extension().is_some_and(|ending| ending == "rs") && name != "tests" {
            let is_root = ["lib", "main", "mod"].contains(&name.as_str());
            let module = if is_root { module.clone() } else { inner };
            modules.insert(module, code(&fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Returns the crates of the workspace with their modules; tests and the programs that only tests start have none.
fn crates() -> Vec<(String, Crate)> {
    let root = super::tests::root();
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (_, members) = manifest.split_once("members = [").unwrap();
    let members = members.split(']').next().unwrap().lines().filter_map(|line| line.trim().strip_prefix('"'));
    let members = members.filter_map(|line| line.split('"').next());
    let sources = members.map(|member| (member.to_owned(), root.join(member).join("src")));
    let sources: Vec<(String, PathBuf)> = sources.filter(|(_, folder)| folder.is_dir()).collect();
    let mut crates: Vec<(String, Crate)> = sources.into_iter().map(|(name, folder)| (name, of(&folder))).collect();
    let mut suites = Crate::new();
    read(&root.join("suites"), &Module::new(), &mut suites);
    let lib = fs::read_to_string(root.join("suites/lib.rs")).unwrap();
    suites.insert(Module::new(), code(&lib));
    crates.push(("suites".to_owned(), suites));
    let mut program = Crate::new();
    for folder in ["cli", "commands"] {
        read(&root.join("harness").join(folder), &vec![folder.to_owned()], &mut program);
    }
    for path in fs::read_dir(root.join("harness")).unwrap().map(|entry| entry.unwrap().path()) {
        if let Some(name) = path.file_name().unwrap().to_str().and_then(|name| name.strip_suffix(".rs")) {
            let module = if name == "main" { Module::new() } else { vec![name.to_owned()] };
            program.insert(module, code(&fs::read_to_string(&path).unwrap()));
        }
    }
    crates.push(("gate".to_owned(), program));
    crates
}

fn of(folder: &Path) -> Crate {
    let mut modules = Crate::new();
    read(folder, &Module::new(), &mut modules);
    modules
}

#[test]
fn no_modules_need_each_other_in_a_circle() {
    let crates = crates();
    assert!(crates.len() >= 15, "only {} crates were read", crates.len());
    let mut all = 0;
    let mut reported = Vec::new();
    for (name, modules) in &crates {
        let (found, edges) = circles(modules);
        all += edges;
        reported.extend(found.iter().map(|circle| {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            format!("{name}: {}", names.join(", "))
        }));
    }
    assert!(all > 700, "only {all} edges were read");
    assert!(reported.is_empty(), "modules need each other in a circle:\n{}", reported.join("\n"));
}

#[test]
fn a_circle_is_found_however_its_paths_are_written() {
    let parts = |name: &str| name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<Module>();
    let made =
        |texts: &[(&str, &str)]| -> Crate { texts.iter().map(|(name, text)| (parts(name), code(text))).collect() };
    let found = |texts: &[(&str, &str)]| circles(&made(texts)).0.into_iter().map(|one| one.len()).collect::<Vec<_>>();
    let by_use = ("a", "use crate::{\n    b::{self, X},\n    c,\n};");
    let by_code = ("b", "fn f() { super::a::g() }");
    let by_item = ("b", "use super::A;");
    let root = ("", "pub use a::A;");
    assert_eq!(found(&[by_use, by_code]), [2]);
    assert_eq!(found(&[root, by_use, by_item]), [2]);
    assert_eq!(found(&[root, by_use, ("b", "// super::a\nuse super::other;")]), [0; 0]);
    assert_eq!(found(&[by_use, ("b", "use super::c::X;"), ("c", "pub(crate) use crate::a as b;")]), [3]);
}
