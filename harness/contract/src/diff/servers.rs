//! Servers: where a service can be reached, of the document, of a path and of an operation.

use std::collections::BTreeSet;

use super::{
    differ::Differ,
    operations::{Operations, Path},
    rule,
    schema::list,
    tree::Node,
};

impl<'a> Differ<'a> {
    /// Compares the servers of the documents.
    pub(super) fn servers(&mut self) {
        let (old, new) = (self.old.root, self.new.root);
        self.servers_of(servers(old), servers(new), (old, new));
    }

    /// Compares the servers of a path, where one of the documents names some.
    pub(super) fn servers_of_path(&mut self, old: Path<'a>, new: Path<'a>) {
        let roots = (self.old.root, self.new.root);
        if servers(old.item).is_some() || servers(new.item).is_some() {
            let both = (servers(old.item).or(servers(roots.0)), servers(new.item).or(servers(roots.1)));
            self.within(old.name, |differ| differ.servers_of(both.0, both.1, (old.item, new.item)));
        }
    }

    /// Compares the servers of an operation, where one of the documents names some.
    pub(super) fn servers_of_operation(&mut self, both: &Operations<'a>) {
        let (own_old, own_new) = (servers(both.old), servers(both.new));
        if own_old.is_some() || own_new.is_some() {
            let old = own_old.or(servers(both.paths.0.item)).or(servers(self.old.root));
            let new = own_new.or(servers(both.paths.1.item)).or(servers(self.new.root));
            self.servers_of(old, new, (both.old, both.new));
        }
    }

    fn servers_of(
        &mut self,
        old: Option<&'a [Node<'a>]>,
        new: Option<&'a [Node<'a>]>,
        owners: (&'a Node<'a>, &'a Node<'a>),
    ) {
        let (olds, news) = (by_address(old), by_address(new));
        for (address, before) in &olds {
            let after = news.iter().find(|(other, _)| other == address);
            self.within(&format!(" server {address}"), |differ| match after {
                Some((_, after)) => {
                    if let (Some(before), Some(after)) = (before, after) {
                        differ.server_variables(before, after);
                    }
                }
                None => {
                    let spots = (before.unwrap_or(owners.0), owners.1);
                    differ.found(rule::SERVER_REMOVED, spots, address.clone(), String::new());
                }
            });
        }
        for (address, after) in news.iter().filter(|(address, _)| !olds.iter().any(|(other, _)| other == address)) {
            self.within(&format!(" server {address}"), |differ| {
                let spots = (owners.0, after.unwrap_or(owners.1));
                differ.found(rule::SERVER_ADDED, spots, String::new(), address.clone());
            });
        }
    }

    fn server_variables(&mut self, old: &'a Node<'a>, new: &'a Node<'a>) {
        for (name, before) in old.get("variables").map(Node::entries).unwrap_or_default() {
            let Some(after) = new.get("variables").and_then(|variables| variables.get(name)) else { continue };
            let default = |node: &Node<'_>| node.get("default").map(Node::canonical).unwrap_or_default();
            let text_of = |node: &Node<'_>| format!("{name}: {} of {}", default(node), list(values(node).iter()));
            let (olds, news) = (values(before), values(after));
            // Without a list every value will do.
            let is_narrower = !news.is_empty() && (olds.is_empty() || !olds.is_subset(&news));
            let rule = if is_narrower || default(before) != default(after) {
                rule::SERVER_VARIABLE_NARROWED
            } else if olds != news {
                rule::SERVER_VARIABLE_WIDENED
            } else {
                continue;
            };
            self.found(rule, (before, after), text_of(before), text_of(after));
        }
    }
}

/// Returns the servers that a document, a path or an operation names; an empty list names none.
fn servers<'a>(node: &'a Node<'a>) -> Option<&'a [Node<'a>]> {
    node.get("servers").map(Node::items).filter(|items| !items.is_empty())
}

/// Lists servers by their addresses. Where there is none, it is the address of the document itself.
// Source: OpenAPI 3.1.0, 4.8.1: without servers there is one with the url `/`.
fn by_address<'a>(servers: Option<&'a [Node<'a>]>) -> Vec<(String, Option<&'a Node<'a>>)> {
    let address = |node: &'a Node<'a>| {
        let url = node.text("url").unwrap_or("/");
        (if url.len() > 1 { url.trim_end_matches('/') } else { url }).to_owned()
    };
    match servers {
        None => vec![("/".to_owned(), None)],
        Some(servers) => servers.iter().map(|server| (address(server), Some(server))).collect(),
    }
}

fn values(variable: &Node<'_>) -> BTreeSet<String> {
    variable.get("enum").map(Node::items).unwrap_or_default().iter().map(Node::canonical).collect()
}
