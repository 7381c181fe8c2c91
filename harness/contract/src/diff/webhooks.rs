//! Webhooks: the service calls, so what it sends is what comes to those who listen.

use super::{
    differ::Differ,
    operations::{operations, title},
    rule::{self, Direction},
    source::View,
    tree::Node,
};

impl<'a> Differ<'a> {
    pub(super) fn webhooks(&mut self) {
        let (olds, news) = (webhooks(&self.old), webhooks(&self.new));
        let lacking = |view: &View<'a>| view.root.get("webhooks").unwrap_or(view.root);
        let (old_root, new_root) = (lacking(&self.old), lacking(&self.new));
        for (name, before) in &olds {
            let after = news.iter().find(|(other, _)| other == name);
            self.within(name, |differ| match after {
                Some((_, after)) => differ.body_that_comes(before, after),
                None => differ.found(rule::WEBHOOK_REMOVED, (before, new_root), (*name).to_owned(), String::new()),
            });
        }
        for (name, after) in news.iter().filter(|(name, _)| !olds.iter().any(|(other, _)| other == name)) {
            self.within(name, |differ| {
                differ.found(rule::WEBHOOK_ADDED, (old_root, after), String::new(), (*name).to_owned());
            });
        }
    }

    /// Compares the body of a call: a listener reads it as a caller reads an answer.
    fn body_that_comes(&mut self, before: &'a Node<'a>, after: &'a Node<'a>) {
        let (old, new) = (self.old.get(before, "requestBody"), self.new.get(after, "requestBody"));
        let body = || "a body".to_owned();
        match (old, new) {
            (None, None) => {}
            (Some(old), None) => self.found(rule::WEBHOOK_BODY_REMOVED, (old, after), body(), String::new()),
            (None, Some(new)) => self.found(rule::WEBHOOK_BODY_ADDED, (before, new), String::new(), body()),
            (Some(old), Some(new)) => {
                let rules = (rule::WEBHOOK_BODY_BECAME_REQUIRED, rule::WEBHOOK_BODY_BECAME_OPTIONAL);
                self.required_flag((old, new), rules);
                self.within(" webhook", |differ| differ.content((old, new), Direction::Response));
            }
        }
    }
}

/// Lists what the service calls, by the name `POST order.paid`.
fn webhooks<'a>(view: &View<'a>) -> Vec<(String, &'a Node<'a>)> {
    let all = view.root.get("webhooks").map(Node::entries).unwrap_or_default().iter();
    let calls = |(name, item): &'a (std::borrow::Cow<'a, str>, Node<'a>)| {
        let of = operations(view.follow(item)).into_iter();
        of.map(|(method, node)| (title(method, name), node)).collect::<Vec<_>>()
    };
    all.flat_map(calls).collect()
}
