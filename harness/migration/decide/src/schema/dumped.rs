//! What `pg_dump` writes of a schema.

use super::{Fact, Facts, Kind};

/// Returns the facts that a dump of one database carries to the database that it is restored into.
///
/// Left out is what `pg_dump` does not write: the database itself with its settings and those of roles, which version of
/// an extension is installed, whether a subscription is enabled, indexes that were never built to their end, and, as that
/// comes with the rows, whether a materialized view was filled.
// Source: pg_dump.c of 15 to 18: getIndexes leaves invalid indexes out, dumpExtension writes no version,
// dumpSubscription neither `enabled`, dumpDatabase is called with --create only.
#[must_use]
pub fn dumped(facts: &Facts) -> Facts {
    let is_written = |fact: &&Fact| {
        let parent = fact.parent.as_ref().and_then(|parent| facts.get(parent));
        let is_of_database = matches!(facts.object(&fact.id).kind, Kind::Database | Kind::Setting);
        !is_of_database && !is_invalid(fact) && !parent.is_some_and(is_invalid)
    };
    Facts::new(facts.iter().filter(is_written).map(written).collect(), facts.unmodelled().clone())
}

/// An index of a constraint is built with it, so only one that stands alone can be left out.
fn is_invalid(fact: &Fact) -> bool {
    fact.id.kind == Kind::Index && fact.payload.contains_key("invalid")
}

fn written(fact: &Fact) -> Fact {
    let mut fact = fact.clone();
    let unwritten = match fact.id.kind {
        Kind::Extension => "version",
        Kind::Subscription => "enabled",
        Kind::MaterializedView => "populated",
        _ => return fact,
    };
    fact.payload.remove(unwritten);
    fact
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{diff, parse};

    const HEAD: &str = "# schema snapshot of stagegate, format 1\n";

    fn facts(text: &str) -> Facts {
        parse(&format!("{HEAD}{text}")).unwrap()
    }

    #[test]
    fn what_a_dump_does_not_write_is_no_difference_of_its_restore() {
        let live = "[database itself]\n  encoding: UTF8\n  [owner database itself]\n    role: a\n[setting this database]\n  timezone: UTC\n\
            [extension citext]\n  schema: public\n  version: 1.5\n[subscription s]\n  enabled: yes\n[materialized view public.m]\n  \
            definition: SELECT 1\n[table public.t]\n  [index public.t_idx]\n    definition: USING btree (id)\n    invalid: yes\n    \
            [comment index public.t_idx]\n      text: x\n";
        let restored = "[extension citext]\n  schema: public\n  version: 1.6\n[subscription s]\n  enabled: no\n\
            [materialized view public.m]\n  definition: SELECT 1\n  populated: no\n[table public.t]\n";
        assert_eq!(diff(&dumped(&facts(live)), &dumped(&facts(restored))), []);
    }

    #[test]
    fn what_a_dump_writes_is_compared() {
        let live = "[extension citext]\n  schema: public\n[table public.t]\n  [index public.t_idx]\n    definition: USING btree (id)\n";
        let found =
            diff(&dumped(&facts(live)), &dumped(&facts("[extension citext]\n  schema: other\n[table public.t]\n")));
        let reported: Vec<String> = found.iter().map(|difference| difference.id.to_string()).collect();
        assert_eq!(reported, ["extension citext", "index public.t_idx"]);
    }
}
