//! The rest of JSON Schema: conditions, tuples, names of properties, what depends on what, what must not be.

use std::collections::BTreeSet;

use super::{
    differ::Differ,
    keywords::{Keywords, TOLD, requires},
    rule::{self, Aspect, Direction, Effect, Level},
    schema::{Sides, keyword_node, list},
    source::View,
    tree::{Datum, Node, Parts},
};

impl<'a> Differ<'a> {
    pub(super) fn keywords(&mut self, sides: &Sides<'a>) {
        self.subs(sides);
        self.prefixes(sides);
        self.contained(sides);
        self.nots(sides);
        self.conditions(sides);
        self.dependent(sides);
        self.extensible(sides);
    }

    fn subs(&mut self, sides: &Sides<'a>) {
        let (old, new) = (&sides.old.keywords.subs, &sides.new.keywords.subs);
        let keys: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
        let none = Vec::new();
        for (key, name) in keys {
            let both = (old.get(&(key, name)).unwrap_or(&none), new.get(&(key, name)).unwrap_or(&none));
            let part = if name.is_empty() { format!("<{key}>") } else { format!("<{key} {name}>") };
            self.within(&part, |differ| differ.sub(sides, Aspect::Other, key, both));
        }
    }

    /// Compares the schemas of a part; where one document has none, the other one is narrower.
    fn sub(&mut self, sides: &Sides<'a>, aspect: Aspect, key: &str, (old, new): (&Parts<'a>, &Parts<'a>)) {
        let effect = match (old.is_empty(), new.is_empty()) {
            (true, true) => return,
            (false, false) => return self.schemas(old, new, sides.direction),
            (true, false) => Effect::Narrowed,
            (false, true) => Effect::Widened,
        };
        self.differs(sides, aspect, effect, key, (text(old), text(new)));
    }

    /// Compares the first elements of lists; where one document has no schema for one, `items` is its schema.
    fn prefixes(&mut self, sides: &Sides<'a>) {
        let (old, new) = (&sides.old.keywords.prefix, &sides.new.keywords.prefix);
        for at in 0..old.len().max(new.len()) {
            let both = (old.get(at).unwrap_or(&sides.old.items), new.get(at).unwrap_or(&sides.new.items));
            self.within(&format!("[{at}]"), |differ| differ.sub(sides, Aspect::Items, "prefixItems", both));
        }
    }

    fn contained(&mut self, sides: &Sides<'a>) {
        let (old, new) = (&sides.old.keywords, &sides.new.keywords);
        let has = |keywords: &Keywords<'_>| keywords.subs.contains_key(&("contains", ""));
        if !has(old) || !has(new) {
            return;
        }
        let least = |keywords: &Keywords<'_>| keywords.least_contained.unwrap_or(1.0);
        let most = |keywords: &Keywords<'_>| keywords.most_contained.unwrap_or(f64::INFINITY);
        let limits = [
            ("minContains", least(old), least(new), least(new) > least(old)),
            ("maxContains", most(old), most(new), most(new) < most(old)),
        ];
        for (key, old, new, is_narrower) in limits.into_iter().filter(|(_, old, new, _)| old.total_cmp(new).is_ne()) {
            let effect = if is_narrower { Effect::Narrowed } else { Effect::Widened };
            self.differs(sides, Aspect::Other, effect, key, (old.to_string(), new.to_string()));
        }
    }

    fn nots(&mut self, sides: &Sides<'a>) {
        let (pairs, removed, added) = paired(&sides.old.keywords.nots, &sides.new.keywords.nots, |node| node);
        for (old, new) in pairs {
            self.below_not(sides, old, new);
        }
        self.left(sides, "not", &removed, &added);
    }

    /// Compares what must not be: the less of it there is, the more is allowed.
    fn below_not(&mut self, sides: &Sides<'a>, old: &'a Node<'a>, new: &'a Node<'a>) {
        let less = self.worst(old, new, Direction::Request);
        let more = self.worst(old, new, Direction::Response);
        let is_told = |worst: Option<Level>| worst.is_some_and(|level| level > Level::Info);
        let effects: &[Effect] = match (is_told(less), is_told(more)) {
            (true, true) if less == more && less == Some(Level::Error) => &[Effect::Narrowed, Effect::Widened],
            (true, true) => &[Effect::Changed],
            (true, false) => &[Effect::Widened],
            (false, true) => &[Effect::Narrowed],
            (false, false) => &[],
        };
        for effect in effects {
            self.differs(sides, Aspect::Other, *effect, "not", (text(&[old]), text(&[new])));
        }
    }

    /// Compares conditions; they meet by their `if`, and what is left over in its order.
    fn conditions(&mut self, sides: &Sides<'a>) {
        let request_of = |node: &'a Node<'a>| node.get("if").unwrap_or(node);
        let (pairs, removed, added) =
            paired(&sides.old.keywords.conditions, &sides.new.keywords.conditions, request_of);
        let none = Vec::new();
        for (old, new) in pairs {
            let ifs = (request_of(old), request_of(new));
            if plain(ifs.0).canonical() != plain(ifs.1).canonical() {
                self.differs(sides, Aspect::Other, Effect::Changed, "if", (text(&[ifs.0]), text(&[ifs.1])));
            }
            for key in ["then", "else"] {
                let of = |view: &View<'a>, node: &'a Node<'a>| {
                    node.get(key)
                        .filter(|schema| requires(view, schema))
                        .map_or_else(|| none.clone(), |schema| vec![schema])
                };
                let both = (of(&self.old, old), of(&self.new, new));
                self.within(&format!("<{key}>"), |differ| differ.sub(sides, Aspect::Other, key, (&both.0, &both.1)));
            }
        }
        let branches = |nodes: Parts<'a>| -> Parts<'a> {
            nodes.into_iter().filter(|node| node.get("then").or_else(|| node.get("else")).is_some()).collect()
        };
        self.left(sides, "if", &branches(removed), &branches(added));
    }

    /// Reports constraints of which the other document has none.
    fn left(&mut self, sides: &Sides<'a>, key: &str, removed: &[&'a Node<'a>], added: &[&'a Node<'a>]) {
        let text = |node: &&'a Node<'a>| text(&[node.get("if").unwrap_or(node)]);
        if !removed.is_empty() {
            let reported = (list(removed.iter().map(text)), String::new());
            self.differs(sides, Aspect::Other, Effect::Widened, key, reported);
        }
        if !added.is_empty() {
            let reported = (String::new(), list(added.iter().map(text)));
            self.differs(sides, Aspect::Other, Effect::Narrowed, key, reported);
        }
    }

    fn dependent(&mut self, sides: &Sides<'a>) {
        let pairs = |keywords: &Keywords<'a>| -> BTreeSet<String> {
            let all = keywords.dependent.iter();
            all.flat_map(|(name, needs)| needs.iter().map(move |need| format!("{need} with {name}"))).collect()
        };
        let (old, new) = (pairs(&sides.old.keywords), pairs(&sides.new.keywords));
        self.listed_differ(sides, Aspect::Other, "dependentRequired", (&new, &old));
    }

    fn extensible(&mut self, sides: &Sides<'a>) {
        let texts = |keywords: &Keywords<'a>| -> Option<BTreeSet<String>> {
            Some(keywords.extensible.as_ref()?.iter().map(|text| (*text).to_owned()).collect())
        };
        if let (Some(old), Some(new)) = (texts(&sides.old.keywords), texts(&sides.new.keywords)) {
            self.listed_differ(sides, Aspect::Extensible, "x-extensible-enum", (&old, &new));
        }
    }

    /// Compares two lists, of which the longer one allows more.
    fn listed_differ(
        &mut self,
        sides: &Sides<'a>,
        aspect: Aspect,
        key: &str,
        sets: (&BTreeSet<String>, &BTreeSet<String>),
    ) {
        for (effect, (one, other)) in [(Effect::Narrowed, sets), (Effect::Widened, (sets.1, sets.0))] {
            let gone = list(one.difference(other));
            // What is gone from a list of demands is demanded in the other document.
            let is_before = (effect == Effect::Narrowed) == (aspect == Aspect::Extensible);
            if !gone.is_empty() {
                let reported = if is_before { (gone, String::new()) } else { (String::new(), gone) };
                self.differs(sides, aspect, effect, key, reported);
            }
        }
    }

    /// Reports a schema that was added to an `allOf` of a request of which all else stayed as it was.
    ///
    /// A schema that is split in two changes no demand: nothing is reported unless it was an `allOf` before.
    pub(super) fn all_of_added(&mut self, sides: &Sides<'a>) {
        let ([old], [new]) = (sides.parts.0.as_slice(), sides.parts.1.as_slice()) else { return };
        if sides.direction == Direction::Response {
            return;
        }
        let (old, new) = (self.old.follow(old), self.new.follow(new));
        let members = |node: &'a Node<'a>| node.get("allOf").map(Node::items).unwrap_or_default();
        let same = |a: &Node<'_>, b: &Node<'_>| plain(a).canonical() == plain(b).canonical();
        let (olds, news) = (members(old), members(new));
        let stayed = !olds.is_empty() && news.len() > olds.len() && without_members(old) == without_members(new);
        if !stayed || !olds.iter().all(|member| news.iter().any(|other| same(member, other))) {
            return;
        }
        let added = news.iter().filter(|member| !olds.iter().any(|other| same(other, member)));
        let added: Parts<'a> = added.filter(|member| requires(&self.new, member)).collect();
        if let (Some(first), Some(at)) = (added.first(), keyword_node(&self.old, &sides.parts.0, "allOf")) {
            let name = |node: &&Node<'_>| node.text("$ref").map_or_else(|| text(&[node]), ToOwned::to_owned);
            self.found(rule::REQUEST_ALL_OF_ADDED, (at, first), String::new(), list(added.iter().map(name)));
        }
    }
}

type Paired<'a> = (Vec<(&'a Node<'a>, &'a Node<'a>)>, Parts<'a>, Parts<'a>);

/// Pairs schemas that are written alike by `key`, then, where as many are left on both sides, in their order.
fn paired<'a>(old: &Parts<'a>, new: &Parts<'a>, key: impl Fn(&'a Node<'a>) -> &'a Node<'a>) -> Paired<'a> {
    let (mut olds, mut news, mut pairs) = (old.clone(), new.clone(), Vec::new());
    let text = |node| plain(key(node)).canonical();
    olds.retain(|member| {
        let at = news.iter().position(|other| text(member) == text(other));
        at.inspect(|at| pairs.push((*member, news.remove(*at)))).is_none()
    });
    if olds.len() == news.len() {
        pairs.extend(olds.drain(..).zip(news.drain(..)));
    }
    (pairs, olds, news)
}

fn text(parts: &[&Node<'_>]) -> String {
    list(parts.iter().map(|part| plain(part).canonical()))
}

fn without_members(node: &Node<'_>) -> String {
    let own = plain(node);
    let members = own.entries().iter().filter(|(key, _)| key != "allOf");
    list(members.map(|(key, node)| format!("{key} {}", node.canonical())))
}

/// Returns a schema without what only describes it.
fn plain<'a>(node: &Node<'a>) -> Node<'a> {
    let value = match &node.value {
        Datum::Map(entries) => {
            let kept = entries.iter().filter(|(key, node)| !TOLD.contains(&key.as_ref()) || node.is_map());
            Datum::Map(kept.map(|(key, node)| (key.clone(), plain(node))).collect())
        }
        Datum::List(items) => Datum::List(items.iter().map(plain).collect()),
        other => other.clone(),
    };
    Node { id: node.id, line: node.line, value }
}
