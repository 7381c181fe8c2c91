//! Webhooks and callbacks: the service calls, so what it sends is what comes to those who listen.

use super::{
    differ::Differ,
    operations::{Operations, Path, operations, title},
    parameters::parameters,
    rule::{self, Direction, Rule},
    source::View,
    tree::Node,
};

/// The rules of requests that the service sends.
struct Rules {
    removed: Rule,
    added: Rule,
    body_removed: Rule,
    body_added: Rule,
    /// Of a body that became required, and of one that became optional.
    body_required: (Rule, Rule),
}

const WEBHOOK: Rules = Rules {
    removed: rule::WEBHOOK_REMOVED,
    added: rule::WEBHOOK_ADDED,
    body_removed: rule::WEBHOOK_BODY_REMOVED,
    body_added: rule::WEBHOOK_BODY_ADDED,
    body_required: (rule::WEBHOOK_BODY_BECAME_REQUIRED, rule::WEBHOOK_BODY_BECAME_OPTIONAL),
};
const CALLBACK: Rules = Rules {
    removed: rule::CALLBACK_REMOVED,
    added: rule::CALLBACK_ADDED,
    body_removed: rule::CALLBACK_BODY_REMOVED,
    body_added: rule::CALLBACK_BODY_ADDED,
    body_required: (rule::CALLBACK_BODY_BECAME_REQUIRED, rule::CALLBACK_BODY_BECAME_OPTIONAL),
};

/// Requests that the service sends: their names, each with its operation and what holds it.
type Sent<'a> = Vec<(String, Path<'a>, &'a Node<'a>)>;

impl<'a> Differ<'a> {
    pub(super) fn webhooks(&mut self) {
        let lacking = |view: &View<'a>| view.root.get("webhooks").unwrap_or(view.root);
        let (old, new) = (webhooks(&self.old), webhooks(&self.new));
        let locations = (lacking(&self.old), lacking(&self.new));
        self.sent(&WEBHOOK, " webhook", (&old, &new), locations);
    }

    /// Compares what the service sends to the addresses that a request of this operation names.
    pub(super) fn callbacks(&mut self, both: &Operations<'a>) {
        let (old, new) = (callbacks(&self.old, both.old), callbacks(&self.new, both.new));
        self.within(" callback ", |differ| differ.sent(&CALLBACK, "", (&old, &new), (both.old, both.new)));
    }

    /// Compares requests that are sent; `lacking` is what lacks those that only one document has.
    fn sent(
        &mut self,
        rules: &Rules,
        part: &str,
        (olds, news): (&Sent<'a>, &Sent<'a>),
        lacking: (&'a Node<'a>, &'a Node<'a>),
    ) {
        for (name, item, before) in olds {
            let after = news.iter().find(|(other, ..)| other == name);
            self.within(name, |differ| match after {
                Some((_, other, after)) => {
                    let parameters = (parameters(&differ.old, *item, before), parameters(&differ.new, *other, after));
                    differ.sent_values((&parameters.0, &parameters.1), (before, after));
                    differ.body_that_comes(rules, part, (before, after));
                }
                None => differ.found(rules.removed, (before, lacking.1), name.clone(), String::new()),
            });
        }
        for (name, _, after) in news.iter().filter(|(name, ..)| !olds.iter().any(|(other, ..)| other == name)) {
            self.within(name, |differ| differ.found(rules.added, (lacking.0, after), String::new(), name.clone()));
        }
    }

    /// Compares the body of a call: a listener reads it as a caller reads a response.
    fn body_that_comes(&mut self, rules: &Rules, part: &str, (before, after): (&'a Node<'a>, &'a Node<'a>)) {
        let (old, new) = (self.old.get(before, "requestBody"), self.new.get(after, "requestBody"));
        let body = || "a body".to_owned();
        match (old, new) {
            (None, None) => {}
            (Some(old), None) => self.found(rules.body_removed, (old, after), body(), String::new()),
            (None, Some(new)) => self.found(rules.body_added, (before, new), String::new(), body()),
            (Some(old), Some(new)) => {
                self.required_flag((old, new), rules.body_required);
                self.within(part, |differ| differ.content((old, new), Direction::Response));
            }
        }
    }
}

/// Lists what the service calls, by the name `POST order.paid`.
fn webhooks<'a>(view: &View<'a>) -> Sent<'a> {
    let all = view.root.get("webhooks").map(Node::entries).unwrap_or_default().iter();
    all.flat_map(|(name, item)| calls(view, name, item)).collect()
}

/// Lists what the service calls for one operation, by the name `POST paid {$request.body#/url}`.
fn callbacks<'a>(view: &View<'a>, operation: &'a Node<'a>) -> Sent<'a> {
    let all = view.get(operation, "callbacks").map(Node::entries).unwrap_or_default().iter();
    let of = |(name, callback): &'a (std::borrow::Cow<'a, str>, Node<'a>)| {
        let addresses = view.follow(callback).entries().iter().filter(|(address, _)| !address.starts_with("x-"));
        addresses.flat_map(|(address, item)| calls(view, &format!("{name} {address}"), item)).collect::<Vec<_>>()
    };
    all.flat_map(of).collect()
}

fn calls<'a>(view: &View<'a>, name: &str, item: &'a Node<'a>) -> Sent<'a> {
    let item = view.follow(item);
    let path = Path { name: "", item };
    operations(item).into_iter().map(|(method, node)| (title(method, name), path, node)).collect()
}
