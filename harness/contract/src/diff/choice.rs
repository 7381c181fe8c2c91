//! `oneOf` and `anyOf`: which member of one file is which of the other.

use super::{
    differ::Differ,
    rule::{Aspect, Direction, Effect, Level},
    schema::{Sides, list},
    shape::Shape,
    tree::Node,
    types::ANY,
};

type Members<'a> = Vec<&'a Node<'a>>;

impl<'a> Differ<'a> {
    pub(super) fn members(&mut self, sides: &Sides<'a>) {
        let (old, new) = (&sides.old, &sides.new);
        match (old.one_of.is_empty(), new.one_of.is_empty()) {
            // A choice may be written with one word or the other; both lists are there in few schemas.
            (true, false) if old.one_of.is_empty() && new.any_of.is_empty() => {
                self.choices(sides, Aspect::OneOf, "oneOf", (&old.any_of, &new.one_of));
            }
            (false, true) if old.any_of.is_empty() => {
                self.choices(sides, Aspect::AnyOf, "anyOf", (&old.one_of, &new.any_of));
            }
            _ => {
                self.choices(sides, Aspect::OneOf, "oneOf", (&old.one_of, &new.one_of));
                self.choices(sides, Aspect::AnyOf, "anyOf", (&old.any_of, &new.any_of));
            }
        }
    }

    fn choices(&mut self, sides: &Sides<'a>, aspect: Aspect, keyword: &str, (old, new): (&Members<'a>, &Members<'a>)) {
        let (pairs, removed, added) = self.matched(old.clone(), new.clone(), sides.direction);
        for (old, new) in pairs {
            let part = format!("<{}>", name(new));
            self.within(&part, |differ| differ.as_members(|differ| differ.schemas(&[old], &[new], sides.direction)));
        }
        // A member that another one holds whole changes nothing, unless it has a name that callers know it by.
        let is_named = |member: &Node<'_>| member.text("$ref").is_some();
        let removed: Members<'a> = removed
            .into_iter()
            .filter(|member| is_named(member) || !new.iter().any(|other| self.fits(member, other, Direction::Request)))
            .collect();
        let added: Members<'a> = added
            .into_iter()
            .filter(|member| is_named(member) || !old.iter().any(|other| self.fits(other, member, Direction::Response)))
            .collect();
        if !removed.is_empty() {
            let reported = (list(removed.iter().map(|member| name(member))), String::new());
            self.differs(sides, aspect, Effect::Narrowed, keyword, reported);
        }
        if !added.is_empty() {
            let reported = (String::new(), list(added.iter().map(|member| name(member))));
            self.differs(sides, aspect, Effect::Widened, keyword, reported);
        }
    }

    /// Pairs members: by the component that they name, then by what they allow, then what is left in its order.
    fn matched(
        &mut self,
        mut old: Members<'a>,
        mut new: Members<'a>,
        direction: Direction,
    ) -> (Vec<(&'a Node<'a>, &'a Node<'a>)>, Members<'a>, Members<'a>) {
        let mut pairs = Vec::new();
        old.retain(|member| {
            let same = |other: &&Node<'_>| member.text("$ref").is_some() && member.text("$ref") == other.text("$ref");
            let at = new.iter().position(same);
            at.inspect(|at| pairs.push((*member, new.remove(*at)))).is_none()
        });
        old.retain(|member| {
            let at = new
                .iter()
                .position(|other| self.may_be(member, other) && self.worst(member, other, direction).is_none());
            at.inspect(|at| pairs.push((*member, new.remove(*at)))).is_none()
        });
        // One that was changed is still the one; where more are left over, their order tells.
        if old.len() == new.len() {
            let alike = |(a, b): (&&'a Node<'a>, &&'a Node<'a>)| {
                let types = (Shape::of(&self.old, &[*a]).types, Shape::of(&self.new, &[*b]).types);
                self.may_be(a, b) && types.0.unwrap_or(ANY) & types.1.unwrap_or(ANY) != 0
            };
            if old.iter().zip(&new).all(alike) {
                pairs.extend(old.drain(..).zip(new.drain(..)));
            }
        }
        (pairs, old, new)
    }

    /// Returns whether one member can be the other: a component that is still there is no other component.
    fn may_be(&self, old: &Node<'a>, new: &Node<'a>) -> bool {
        let (Some(was), Some(is)) = (old.text("$ref"), new.text("$ref")) else { return true };
        self.new.target(was).is_none() || self.old.target(is).is_none()
    }

    pub(super) fn worst(&mut self, old: &'a Node<'a>, new: &'a Node<'a>, direction: Direction) -> Option<Level> {
        self.tried((&[old], &[new]), direction, |differ| differ.schemas(&[old], &[new], direction))
    }

    fn fits(&mut self, old: &'a Node<'a>, new: &'a Node<'a>, direction: Direction) -> bool {
        self.worst(old, new, direction).is_none_or(|worst| worst == Level::Info)
    }

    /// Compares a schema with a choice of several, or a choice with a schema.
    pub(super) fn wrapped(&mut self, sides: &Sides<'a>) {
        let was_plain = sides.old.one_of.is_empty() && sides.old.any_of.is_empty();
        let choice = if was_plain { &sides.new } else { &sides.old };
        let (members, aspect, keyword) = if choice.one_of.is_empty() {
            (choice.any_of.clone(), Aspect::AnyOf, "anyOf")
        } else {
            (choice.one_of.clone(), Aspect::OneOf, "oneOf")
        };
        let fits: Vec<bool> = members.iter().map(|member| self.member_fits(sides, member, was_plain)).collect();
        let count = fits.iter().filter(|fits| **fits).count();
        // One member takes all of the plain schema: the set grew. The plain schema takes every member: it shrank.
        let effect = match (was_plain, sides.direction) {
            (true, Direction::Response) if fits.iter().all(|fits| *fits) => Effect::Narrowed,
            (true, Direction::Response) => Effect::Widened,
            // A value of two members of `oneOf` is refused, unless a discriminator states which one is meant.
            (true, _) if keyword == "oneOf" && choice.discriminator.is_none() && count > 1 => Effect::Narrowed,
            (true, _) if count > 0 => Effect::Widened,
            (true, _) => Effect::Narrowed,
            (false, Direction::Response) if fits.contains(&true) => Effect::Narrowed,
            (false, Direction::Response) => Effect::Widened,
            (false, _) if fits.iter().all(|fits| *fits) => Effect::Widened,
            (false, _) => Effect::Narrowed,
        };
        let shapes = list(members.iter().map(|member| name(member)));
        let reported = if was_plain { ("one shape".to_owned(), shapes) } else { (shapes, "one shape".to_owned()) };
        self.differs(sides, aspect, effect, keyword, reported);
    }

    /// Returns whether no caller is hurt where the plain schema and this member meet.
    fn member_fits(&mut self, sides: &Sides<'a>, member: &'a Node<'a>, was_plain: bool) -> bool {
        let with = |parts: &[&'a Node<'a>], is_choice: bool| {
            let mut parts = parts.to_vec();
            if is_choice {
                parts.push(member);
            }
            parts
        };
        let old = with(&sides.parts.0, !was_plain);
        let new = with(&sides.parts.1, was_plain);
        let trial = Sides {
            old: plain(Shape::of(&self.old, &old)),
            new: plain(Shape::of(&self.new, &new)),
            parts: (old.clone(), new.clone()),
            direction: sides.direction,
        };
        let worst = self.tried((&old, &new), sides.direction, |differ| differ.sides(&trial));
        worst.is_none_or(|worst| worst == Level::Info)
    }
}

/// Returns the shape as it is next to its choice; null is compared for the choice as a whole.
fn plain(mut shape: Shape<'_>) -> Shape<'_> {
    shape.null = None;
    shape.one_of.clear();
    shape.any_of.clear();
    shape
}

/// Returns how a member is called: its component, its title, else its type.
fn name(member: &Node<'_>) -> String {
    let component = member.text("$ref").and_then(|reference| reference.rsplit('/').next());
    component.or_else(|| member.text("title")).or_else(|| member.text("type")).unwrap_or("a schema").to_owned()
}
