//! Responses: by status, with their bodies and headers.

use std::collections::BTreeMap;

use super::{
    differ::Differ,
    operations::Operations,
    rule::{self, Direction},
    source::View,
    tree::Node,
    written::Written,
};

impl<'a> Differ<'a> {
    pub(super) fn responses(&mut self, both: &Operations<'a>) {
        let (Some(old), Some(new)) = (self.old.get(both.old, "responses"), self.new.get(both.new, "responses")) else {
            return;
        };
        let statuses = |node: &'a Node<'a>| -> BTreeMap<String, &'a Node<'a>> {
            let known = node.entries().iter().filter(|(status, _)| !status.starts_with("x-"));
            known.map(|(status, node)| (status.to_ascii_uppercase(), node)).collect()
        };
        let (olds, news) = (statuses(old), statuses(new));
        for (status, before) in &olds {
            let range = format!("{}XX", &status.get(..1).unwrap_or_default());
            let Some(after) = news.get(status).or_else(|| news.get(&range)) else {
                let is_success = status.starts_with('2');
                let rule = if is_success { rule::RESPONSE_SUCCESS_REMOVED } else { rule::RESPONSE_STATUS_REMOVED };
                self.found(rule, (before, new), status.clone(), String::new());
                continue;
            };
            let (before, after) = (self.old.follow(before), self.new.follow(after));
            if self.is_copy(before, after) {
                continue;
            }
            self.within(&format!(" response {status}"), |differ| {
                differ.content((before, after), Direction::Response);
                differ.headers(before, after);
            });
        }
        for (status, node) in news.iter().filter(|(status, _)| !olds.contains_key(*status)) {
            self.found(rule::RESPONSE_STATUS_ADDED, (old, node), String::new(), status.clone());
        }
    }

    fn headers(&mut self, old: &'a Node<'a>, new: &'a Node<'a>) {
        let headers = |view: &View<'a>, node: &'a Node<'a>| -> BTreeMap<String, &'a Node<'a>> {
            let all = node.get("headers").map(Node::entries).unwrap_or_default().iter();
            let all = all.map(|(name, node)| (name.to_ascii_lowercase(), view.follow(node)));
            // The media type is what `content` states.
            all.filter(|(name, _)| name != "content-type").collect()
        };
        let (olds, news) = (headers(&self.old, old), headers(&self.new, new));
        for (name, before) in &olds {
            let was = before.is_true("required");
            let Some(after) = news.get(name) else {
                let (required, optional) =
                    (rule::RESPONSE_HEADER_REMOVED_REQUIRED, rule::RESPONSE_HEADER_REMOVED_OPTIONAL);
                self.found(if was { required } else { optional }, (before, new), name.clone(), String::new());
                continue;
            };
            self.within(&format!(" header {name}"), |differ| {
                let is = after.is_true("required");
                if was != is {
                    let (required, optional) =
                        (rule::RESPONSE_HEADER_BECAME_REQUIRED, rule::RESPONSE_HEADER_BECAME_OPTIONAL);
                    differ.found(if is { required } else { optional }, (before, after), String::new(), String::new());
                }
                let written = (Written::of(&differ.old, before, "header"), Written::of(&differ.new, after, "header"));
                differ.serialisation(rule::RESPONSE_HEADER_SERIALISATION_CHANGED, (before, after), &written);
                differ.described((before, after), Direction::Response);
            });
        }
        for (name, node) in news.iter().filter(|(name, _)| !olds.contains_key(*name)) {
            self.found(rule::RESPONSE_HEADER_ADDED, (old, node), String::new(), name.clone());
        }
    }
}
