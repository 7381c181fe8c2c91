//! Credentials: whoever could call an operation before, can they still?

use std::collections::{BTreeMap, BTreeSet};

use super::{
    differ::Differ,
    operations::Operations,
    rule::{self, Rule},
    source::View,
    tree::Node,
};

/// One set of credentials that is enough.
#[derive(Clone, Debug, PartialEq)]
struct Alternative<'a> {
    node: &'a Node<'a>,
    /// What has to be sent, by what it is and not by its name, with its scopes.
    needs: BTreeMap<String, BTreeSet<&'a str>>,
    names: Vec<&'a str>,
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Alternative<'_> {
    /// Tells whether these credentials are enough for `other`.
    fn serves(&self, other: &Alternative<'_>) -> bool {
        other.needs.iter().all(|(what, scopes)| self.needs.get(what).is_some_and(|held| scopes.is_subset(held)))
    }

    fn has_same_schemes(&self, other: &Alternative<'_>) -> bool {
        self.needs.keys().eq(other.needs.keys())
    }

    fn told(&self) -> String {
        let scopes: Vec<&str> = self.needs.values().flatten().copied().collect();
        let scopes = if scopes.is_empty() { String::new() } else { format!(" ({})", scopes.join(", ")) };
        format!("{}{scopes}", self.names.join(" and "))
    }
}

impl<'a> Differ<'a> {
    pub(super) fn security(&mut self, both: &Operations<'a>) {
        let (olds, news) = (alternatives(&self.old, both.old), alternatives(&self.new, both.new));
        let is_open = |all: &[Alternative<'_>]| all.is_empty() || all.iter().any(|one| one.needs.is_empty());
        let at = |all: &[Alternative<'a>], node: &'a Node<'a>| all.first().map_or(node, |one| one.node);
        let told = |all: &[Alternative<'_>]| all.iter().map(Alternative::told).collect::<Vec<_>>().join(" or ");
        let whole: Rule = match (is_open(&olds), is_open(&news)) {
            (true, true) => return,
            (true, false) => rule::SECURITY_ADDED,
            (false, true) => rule::SECURITY_REMOVED,
            (false, false) => return self.alternatives(&olds, &news),
        };
        let spots = (at(&olds, both.old), at(&news, both.new));
        self.found(whole, spots, told(&olds), told(&news));
    }

    fn alternatives(&mut self, olds: &[Alternative<'a>], news: &[Alternative<'a>]) {
        let Some(first) = news.first() else { return };
        for old in olds.iter().filter(|old| !news.iter().any(|new| old.serves(new))) {
            let same_schemes = news.iter().find(|new| new.has_same_schemes(old));
            let same_names = news.iter().find(|new| new.names == old.names);
            let (rule, new) = match (same_schemes, same_names) {
                (Some(new), _) => (rule::SECURITY_SCOPE_ADDED, new),
                (None, Some(new)) => (rule::SECURITY_SCHEME_CHANGED, new),
                (None, None) => (rule::SECURITY_ALTERNATIVE_REMOVED, first),
            };
            let after = if rule == rule::SECURITY_ALTERNATIVE_REMOVED { String::new() } else { shown(new) };
            self.found(rule, (old.node, new.node), shown(old), after);
        }
        let Some(first) = olds.first() else { return };
        for new in news.iter().filter(|new| !olds.iter().any(|old| new.serves(old))) {
            match olds.iter().find(|old| old.has_same_schemes(new)) {
                Some(old) if old.serves(new) => {
                    self.found(rule::SECURITY_SCOPE_REMOVED, (old.node, new.node), shown(old), shown(new));
                }
                Some(_) => {}
                None if olds.iter().any(|old| old.names == new.names) => {}
                None => {
                    self.found(rule::SECURITY_ALTERNATIVE_ADDED, (first.node, new.node), String::new(), shown(new));
                }
            }
        }
    }
}

fn shown(alternative: &Alternative<'_>) -> String {
    format!("{}: {}", alternative.told(), alternative.needs.keys().cloned().collect::<Vec<_>>().join(" and "))
}

/// Lists the credentials that an operation takes: its own, else the document's.
fn alternatives<'a>(view: &View<'a>, operation: &'a Node<'a>) -> Vec<Alternative<'a>> {
    let listed = operation.get("security").or_else(|| view.root.get("security"));
    let all = listed.map(Node::items).unwrap_or_default().iter();
    all.map(|node| {
        let scopes = |scopes: &'a Node<'a>| scopes.items().iter().filter_map(Node::as_text).collect();
        let needs = node.entries().iter().map(|(name, list)| (identity(view, name), scopes(list)));
        Alternative {
            node,
            needs: needs.collect(),
            names: node.entries().iter().map(|(name, _)| name.as_ref()).collect(),
        }
    })
    .collect()
}

/// Tells what a caller has to send: two schemes that ask for the same are one, whatever their names.
fn identity(view: &View<'_>, name: &str) -> String {
    let schemes = view.root.get("components").and_then(|components| components.get("securitySchemes"));
    let Some(scheme) = schemes.and_then(|schemes| schemes.get(name)) else { return name.to_owned() };
    let part = |key: &str| scheme.text(key).unwrap_or_default();
    match part("type") {
        "apiKey" => format!("{} {}", part("in"), part("name")),
        "http" => format!("HTTP {}", part("scheme").to_ascii_lowercase()),
        "openIdConnect" => format!("OpenID {}", part("openIdConnectUrl")),
        // Flows get the same token in different ways.
        other => other.to_owned(),
    }
}
