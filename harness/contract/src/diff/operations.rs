//! Paths and operations: what can be called, with what, and what is answered.

use std::collections::{HashMap, HashSet};

use super::{
    differ::Differ,
    lifecycle::{STABILITY, is_day},
    rule::{self, Direction},
    source::View,
    tree::Node,
};

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// A path of one document.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    pub(super) name: &'a str,
    pub(super) item: &'a Node<'a>,
}

/// An operation in both documents, each with its path.
#[derive(Clone, Copy)]
pub(super) struct Operations<'a> {
    pub(super) paths: (Path<'a>, Path<'a>),
    pub(super) old: &'a Node<'a>,
    pub(super) new: &'a Node<'a>,
}

impl<'a> Differ<'a> {
    pub(super) fn documents(&mut self) {
        let (old, new) = (paths(&self.old), paths(&self.new));
        let (old_root, new_root) = (paths_node(&self.old), paths_node(&self.new));
        let by_shape: HashMap<String, Path<'a>> = new.iter().map(|path| (shape(path.name), *path)).collect();
        let by_name: HashMap<&str, Path<'a>> = new.iter().map(|path| (path.name, *path)).collect();
        let mut met = HashSet::new();
        for path in old {
            let other = by_name.get(path.name).or_else(|| by_shape.get(&shape(path.name)));
            match other {
                Some(other) => {
                    met.insert(other.name);
                    self.path_items(path, *other);
                }
                None => self.path_removed(path, new_root),
            }
        }
        for path in new.into_iter().filter(|path| !met.contains(path.name)) {
            for (method, node) in operations(path.item) {
                self.within(&title(method, path.name), |differ| {
                    differ.found(rule::OPERATION_ADDED, (old_root, node), String::new(), title(method, path.name));
                });
            }
        }
    }

    /// Reports a path that is gone: as one change, unless its operations went by different rules.
    fn path_removed(&mut self, path: Path<'a>, gone: &'a Node<'a>) {
        let methods: Vec<_> = operations(path.item);
        let promised = methods.iter().any(|(_, operation)| operation.is_true("deprecated"));
        if methods.is_empty() || promised {
            return methods.into_iter().for_each(|(method, node)| self.operation_removed(method, path, node, gone));
        }
        let told = methods.iter().map(|(method, _)| method.to_uppercase()).collect::<Vec<_>>().join(", ");
        self.within(path.name, |differ| differ.found(rule::PATH_REMOVED, (path.item, gone), told, String::new()));
    }

    fn operation_removed(&mut self, method: &str, path: Path<'a>, node: &'a Node<'a>, gone: &'a Node<'a>) {
        let sunset = node.text("x-sunset");
        let rule = match (node.is_true("deprecated"), sunset) {
            (false, _) => rule::OPERATION_REMOVED,
            (true, None) => rule::OPERATION_REMOVED_WITHOUT_SUNSET,
            (true, Some(day)) if is_day(day) && &day[..10] <= self.today => rule::OPERATION_REMOVED_AFTER_SUNSET,
            (true, Some(_)) => rule::OPERATION_REMOVED_BEFORE_SUNSET,
        };
        let told = sunset.map(|day| format!("sunset {day}")).unwrap_or_default();
        self.within(&title(method, path.name), |differ| differ.found(rule, (node, gone), told, String::new()));
    }

    /// Compares two path items operation by operation.
    fn path_items(&mut self, old: Path<'a>, new: Path<'a>) {
        let (olds, news) = (operations(old.item), operations(new.item));
        if slots(old.name) != slots(new.name) {
            self.within(old.name, |differ| {
                let reported = (old.name.to_owned(), new.name.to_owned());
                differ.found(rule::PATH_PARAMETER_RENAMED, (old.item, new.item), reported.0, reported.1);
            });
        }
        self.servers_of_path(old, new);
        for (method, node) in &olds {
            match news.iter().find(|(other, _)| other == method) {
                Some((_, other)) => self.within(&title(method, old.name), |differ| {
                    differ.operation(&Operations { paths: (old, new), old: node, new: other });
                }),
                None => self.operation_removed(method, old, node, new.item),
            }
        }
        for (method, node) in news {
            if !olds.iter().any(|(other, _)| *other == method) {
                self.within(&title(method, new.name), |differ| {
                    differ.found(rule::OPERATION_ADDED, (old.item, node), String::new(), title(method, new.name));
                });
            }
        }
    }

    fn operation(&mut self, both: &Operations<'a>) {
        self.lifecycle(both);
        self.parameters(both);
        self.body(both);
        self.responses(both);
        self.callbacks(both);
        self.servers_of_operation(both);
        self.security(both);
    }

    fn lifecycle(&mut self, both: &Operations<'a>) {
        let (old, new) = (both.old, both.new);
        let text = |node: &Node<'_>, key: &str| node.text(key).unwrap_or_default().to_owned();
        if let (Some(before), Some(after)) = (old.get("operationId"), new.get("operationId"))
            && before.as_text() != after.as_text()
        {
            let reported = (text(old, "operationId"), text(new, "operationId"));
            self.found(rule::OPERATION_ID_CHANGED, (before, after), reported.0, reported.1);
        }
        let (was, is) = (old.is_true("deprecated"), new.is_true("deprecated"));
        let sunset = (text(old, "x-sunset"), text(new, "x-sunset"));
        if was != is {
            let rule = if is { rule::OPERATION_DEPRECATED } else { rule::OPERATION_REACTIVATED };
            self.found(rule, (old, new), sunset.0.clone(), sunset.1.clone());
        }
        self.stability(old.get(STABILITY), new.get(STABILITY));
        if is {
            self.sunset(&sunset.0, &sunset.1, (old, new));
        }
    }

    fn body(&mut self, both: &Operations<'a>) {
        let (old, new) = (self.old.get(both.old, "requestBody"), self.new.get(both.new, "requestBody"));
        let none = String::new;
        match (old, new) {
            (None, Some(body)) => {
                let is_required = body.is_true("required");
                let rule = if is_required { rule::BODY_ADDED_REQUIRED } else { rule::BODY_ADDED_OPTIONAL };
                self.found(rule, (both.old, body), none(), "a body".to_owned());
            }
            (Some(body), None) => self.found(rule::BODY_REMOVED, (body, both.new), "a body".to_owned(), none()),
            (Some(old), Some(new)) => {
                self.required_flag((old, new), (rule::BODY_BECAME_REQUIRED, rule::BODY_BECAME_OPTIONAL));
                self.within(" request", |differ| differ.content((old, new), Direction::Request));
            }
            (None, None) => {}
        }
    }
}

fn paths_node<'a>(view: &View<'a>) -> &'a Node<'a> {
    view.root.get("paths").unwrap_or(view.root)
}

fn paths<'a>(view: &View<'a>) -> Vec<Path<'a>> {
    let all = view.root.get("paths").map(Node::entries).unwrap_or_default().iter();
    let all = all.filter(|(name, _)| name.starts_with('/'));
    all.map(|(name, item)| Path { name: name.as_ref(), item: view.follow(item) }).collect()
}

pub(super) fn operations<'a>(item: &'a Node<'a>) -> Vec<(&'a str, &'a Node<'a>)> {
    let entries = item.entries().iter().filter(|(method, _)| METHODS.contains(&method.as_ref()));
    entries.map(|(method, node)| (method.as_ref(), node)).collect()
}

pub(super) fn title(method: &str, path: &str) -> String {
    format!("{} {path}", method.to_uppercase())
}

/// Returns the path with its parameters unnamed.
fn shape(path: &str) -> String {
    let mut shape = String::with_capacity(path.len());
    for (at, piece) in path.split('{').enumerate() {
        match piece.split_once('}') {
            Some((_, rest)) if at > 0 => shape.extend(["{}", rest]),
            _ => shape.push_str(piece),
        }
    }
    shape
}

/// Returns the names of the path's parameters, in order.
pub(super) fn slots(path: &str) -> Vec<&str> {
    path.split('{').skip(1).filter_map(|piece| piece.split_once('}')).map(|(name, _)| name).collect()
}
