//! Responses: by status, with their bodies and headers.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    differ::Differ,
    operations::Operations,
    parameters::Parameters,
    rule::{self, Direction},
    source::View,
    tree::Node,
    written::Written,
};

impl<'a> Differ<'a> {
    pub(super) fn responses(&mut self, both: &Operations<'a>) {
        let (old, new) = (self.old.get(both.old, "responses"), self.new.get(both.new, "responses"));
        let (olds, news) = (statuses(old), statuses(new));
        let at = (old.unwrap_or(both.old), new.unwrap_or(both.new));
        let codes: BTreeSet<&str> = olds.keys().chain(news.keys()).map(String::as_str).collect();
        let mut compared = HashSet::new();
        for code in codes {
            let (before, after) = (described(&olds, code), described(&news, code));
            if let (Some(before), Some(after)) = (before, after)
                && compared.insert((before.id, after.id))
            {
                self.response(code, (self.old.follow(before), self.new.follow(after)));
            }
            match (olds.get(code), news.get(code)) {
                (Some(gone), None) => self.status_removed(code, gone, (&news, after), at.1),
                (None, Some(node)) => {
                    self.found(rule::RESPONSE_STATUS_ADDED, (at.0, node), String::new(), code.to_owned());
                }
                _ => {}
            }
        }
    }

    /// Compares two responses to one status.
    fn response(&mut self, code: &str, (before, after): (&'a Node<'a>, &'a Node<'a>)) {
        if !self.is_copy(before, after) {
            self.within(&format!(" response {code}"), |differ| {
                differ.content((before, after), Direction::Response);
                differ.headers(before, after);
            });
        }
    }

    /// Reports a status that is gone; `after` is what describes it now, or nothing.
    fn status_removed(
        &mut self,
        code: &str,
        gone: &'a Node<'a>,
        (news, after): (&Statuses<'a>, Option<&'a Node<'a>>),
        lacking: &'a Node<'a>,
    ) {
        let is_range = code.ends_with(RANGE);
        // A range of which only single statuses are left became narrower.
        let is_narrowed = is_range && news.keys().any(|other| range(other) == code);
        // The default states nothing of a success that was named.
        let is_described = after.is_some_and(|after| news.get(DEFAULT).is_none_or(|default| default.id != after.id));
        let rule = match code.starts_with('2') {
            _ if is_described => return,
            true if is_narrowed => return,
            true => rule::RESPONSE_SUCCESS_REMOVED,
            false => rule::RESPONSE_STATUS_REMOVED,
        };
        self.found(rule, (gone, lacking), code.to_owned(), String::new());
    }

    fn headers(&mut self, old: &'a Node<'a>, new: &'a Node<'a>) {
        let headers = |view: &View<'a>, node: &'a Node<'a>| -> Parameters<'a> {
            let all = node.get("headers").map(Node::entries).unwrap_or_default().iter();
            let all = all.map(|(name, node)| (("header", name.to_ascii_lowercase()), view.follow(node)));
            // The media type is what `content` states.
            all.filter(|((_, name), _)| name != "content-type").collect()
        };
        self.sent_values((&headers(&self.old, old), &headers(&self.new, new)), (old, new));
    }

    /// Compares values that a client receives next to a body; `lacking` is what lacks those of one document only.
    pub(super) fn sent_values(
        &mut self,
        (olds, news): (&Parameters<'a>, &Parameters<'a>),
        lacking: (&'a Node<'a>, &'a Node<'a>),
    ) {
        for ((place, name), before) in olds {
            let Some(after) = news.get(&(*place, name.clone())) else {
                let is_optional = !before.is_true("required");
                let rules = [rule::RESPONSE_HEADER_REMOVED_REQUIRED, rule::RESPONSE_HEADER_REMOVED_OPTIONAL];
                self.found(rules[usize::from(is_optional)], (before, lacking.1), name.clone(), String::new());
                continue;
            };
            self.within(&format!(" {place} {name}"), |differ| {
                let rules = (rule::RESPONSE_HEADER_BECAME_REQUIRED, rule::RESPONSE_HEADER_BECAME_OPTIONAL);
                differ.required_flag((before, after), rules);
                let written = (Written::of(&differ.old, before, place), Written::of(&differ.new, after, place));
                differ.serialisation(rule::RESPONSE_HEADER_SERIALISATION_CHANGED, (before, after), &written);
                differ.described((before, after), Direction::Response);
            });
        }
        for ((_, name), node) in news.iter().filter(|(key, _)| !olds.contains_key(*key)) {
            self.found(rule::RESPONSE_HEADER_ADDED, (lacking.0, node), String::new(), name.clone());
        }
    }
}

/// The response to every status that has none of its own.
const DEFAULT: &str = "DEFAULT";
/// The end of a range of statuses: `4XX`.
const RANGE: &str = "XX";

/// Responses by status, in upper case.
type Statuses<'a> = BTreeMap<String, &'a Node<'a>>;

fn statuses<'a>(responses: Option<&'a Node<'a>>) -> Statuses<'a> {
    let all = responses.map(Node::entries).unwrap_or_default().iter();
    let known = all.filter(|(status, _)| !status.starts_with("x-"));
    known.map(|(status, node)| (status.to_ascii_uppercase(), node)).collect()
}

/// Returns the range of a status: `4XX` of `404`.
fn range(code: &str) -> String {
    format!("{}{RANGE}", code.get(..1).unwrap_or_default())
}

/// Returns the response that describes a status: its own, that of its range, or the default.
///
/// The default of an operation that names a success describes what is none.
// Source: OpenAPI 3.1.0, 4.8.16: an explicit status goes before its range, and the default is for all others.
fn described<'a>(responses: &Statuses<'a>, code: &str) -> Option<&'a Node<'a>> {
    let has_success = responses.keys().any(|status| status.starts_with('2'));
    let own = responses.get(code).or_else(|| responses.get(&range(code)));
    let default = || responses.get(DEFAULT).filter(|_| !(has_success && code.starts_with('2')));
    own.or_else(default).copied()
}
