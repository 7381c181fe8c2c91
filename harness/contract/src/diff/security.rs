//! Credentials: whoever could call an operation before, can they still?

use std::collections::{BTreeMap, BTreeSet};

use super::{
    differ::Differ,
    operations::Operations,
    rule::{self, Rule},
    source::View,
    tree::Node,
};

/// What has to be sent.
///
/// Two schemes of one document may ask for the same and know other users; one that is renamed stays what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Credential<'a> {
    /// The name of its scheme, where both documents have one of that name.
    shared: Option<&'a str>,
    what: String,
}

impl Credential<'_> {
    fn is(&self, other: &Self) -> bool {
        self.what == other.what && self.shared.zip(other.shared).is_none_or(|(one, other)| one == other)
    }
}

/// One set of credentials that is enough.
#[derive(Clone, Debug, PartialEq)]
struct Alternative<'a> {
    node: &'a Node<'a>,
    /// What has to be sent, with its scopes.
    needs: BTreeMap<Credential<'a>, BTreeSet<&'a str>>,
    names: Vec<&'a str>,
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Alternative<'_> {
    /// Returns whether these credentials are enough for `other`.
    fn serves(&self, other: &Alternative<'_>) -> bool {
        other
            .needs
            .iter()
            .all(|(what, scopes)| self.needs.iter().any(|(mine, held)| mine.is(what) && scopes.is_subset(held)))
    }

    fn has_same_schemes(&self, other: &Alternative<'_>) -> bool {
        let holds = |one: &Alternative<'_>, other: &Alternative<'_>| {
            other.needs.keys().all(|what| one.needs.keys().any(|mine| mine.is(what)))
        };
        holds(self, other) && holds(other, self)
    }

    fn text(&self) -> String {
        let scopes: Vec<&str> = self.needs.values().flatten().copied().collect();
        let scopes = if scopes.is_empty() { String::new() } else { format!(" ({})", scopes.join(", ")) };
        format!("{}{scopes}", self.names.join(" and "))
    }
}

impl<'a> Differ<'a> {
    /// Compares what the schemes of both documents say in addition what has to be sent.
    pub(super) fn security_schemes(&mut self) {
        for (name, old) in schemes(&self.old).map(Node::entries).unwrap_or_default() {
            let old = self.old.follow(old);
            let Some(new) = scheme(&self.new, name) else { continue };
            self.within(&format!("security scheme {name}"), |differ| {
                differ.written_otherwise(rule::BEARER_FORMAT_CHANGED, "bearerFormat", (old, new));
                if old.get("openIdConnectUrl").is_some() && new.get("openIdConnectUrl").is_some() {
                    differ.written_otherwise(rule::SECURITY_URL_CHANGED, "openIdConnectUrl", (old, new));
                }
                if let (Some(old), Some(new)) = (old.get("flows"), new.get("flows")) {
                    differ.flows(old, new);
                }
            });
        }
    }

    fn flows(&mut self, old: &'a Node<'a>, new: &'a Node<'a>) {
        for (name, flow) in old.entries() {
            let Some(other) = new.get(name) else {
                self.found(rule::SECURITY_FLOW_REMOVED, (flow, new), name.to_string(), String::new());
                continue;
            };
            self.within(&format!(" {name}"), |differ| {
                for key in ["authorizationUrl", "tokenUrl", "refreshUrl"] {
                    differ.written_otherwise(rule::SECURITY_URL_CHANGED, key, (flow, other));
                }
            });
        }
        for (name, flow) in new.entries().iter().filter(|(name, _)| old.get(name).is_none()) {
            self.found(rule::SECURITY_FLOW_ADDED, (old, flow), String::new(), name.to_string());
        }
    }

    fn written_otherwise(&mut self, rule: Rule, key: &str, (old, new): (&'a Node<'a>, &'a Node<'a>)) {
        let (before, after) = (old.text(key).unwrap_or_default(), new.text(key).unwrap_or_default());
        if before != after {
            let spots = (old.get(key).unwrap_or(old), new.get(key).unwrap_or(new));
            self.found(rule, spots, before.to_owned(), after.to_owned());
        }
    }

    pub(super) fn security(&mut self, both: &Operations<'a>) {
        let (olds, news) =
            (alternatives((&self.old, &self.new), both.old), alternatives((&self.new, &self.old), both.new));
        let is_open = |all: &[Alternative<'_>]| all.is_empty() || all.iter().any(|one| one.needs.is_empty());
        let at = |all: &[Alternative<'a>], node: &'a Node<'a>| all.first().map_or(node, |one| one.node);
        let text_of = |all: &[Alternative<'_>]| all.iter().map(Alternative::text).collect::<Vec<_>>().join(" or ");
        let whole: Rule = match (is_open(&olds), is_open(&news)) {
            (true, true) => return,
            (true, false) => rule::SECURITY_ADDED,
            (false, true) => rule::SECURITY_REMOVED,
            (false, false) => return self.alternatives(&olds, &news),
        };
        let spots = (at(&olds, both.old), at(&news, both.new));
        self.found(whole, spots, text_of(&olds), text_of(&news));
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
    format!(
        "{}: {}",
        alternative.text(),
        alternative.needs.keys().map(|one| one.what.as_str()).collect::<Vec<_>>().join(" and ")
    )
}

/// Lists the schemes of a document.
fn schemes<'a>(view: &View<'a>) -> Option<&'a Node<'a>> {
    view.root.get("components").and_then(|components| components.get("securitySchemes"))
}

fn scheme<'a>(view: &View<'a>, name: &str) -> Option<&'a Node<'a>> {
    view.get(schemes(view)?, name)
}

/// Lists the credentials that an operation takes: its own, else the document's.
fn alternatives<'a>((view, other): (&View<'a>, &View<'a>), operation: &'a Node<'a>) -> Vec<Alternative<'a>> {
    let listed = operation.get("security").or_else(|| view.root.get("security"));
    let all = listed.map(Node::items).unwrap_or_default().iter();
    all.map(|node| {
        let mut needs: BTreeMap<Credential<'a>, BTreeSet<&'a str>> = BTreeMap::new();
        for (name, list) in node.entries() {
            let shared = scheme(other, name).is_some().then_some(name.as_ref());
            let scopes = list.items().iter().filter_map(Node::as_text);
            needs.entry(Credential { shared, what: identity(view, name) }).or_default().extend(scopes);
        }
        Alternative { node, needs, names: node.entries().iter().map(|(name, _)| name.as_ref()).collect() }
    })
    .collect()
}

/// Returns what a caller has to send: two schemes that require the same are one, whatever their names.
fn identity(view: &View<'_>, name: &str) -> String {
    const BEARER: &str = "HTTP bearer";
    let Some(scheme) = scheme(view, name) else { return name.to_owned() };
    let part = |key: &str| scheme.text(key).unwrap_or_default();
    match part("type") {
        // Source: RFC 9110, 5.1: names of headers have no case.
        "apiKey" if part("in") == "header" => format!("header {}", part("name").to_ascii_lowercase()),
        "apiKey" => format!("{} {}", part("in"), part("name")),
        "http" => format!("HTTP {}", part("scheme").to_ascii_lowercase()),
        // Source: RFC 6750, 2.1: flows and providers get a token in different ways, and it is sent in one.
        "oauth2" | "openIdConnect" => BEARER.to_owned(),
        other => other.to_owned(),
    }
}
