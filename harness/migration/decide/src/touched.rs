//! Which tables may a migration's statements change? Rows are made and summed up for those.
//!
//! In: the scripts' texts and what the catalog tells of the tables. Out: the tables by name, or all of them where the
//! texts can't tell. It errs on the side of too many: a name in a comment counts.

use std::collections::{BTreeMap, BTreeSet};

use super::{Migration, Script};

/// A table of the catalog, `schema.table` as the server quotes it.
type Name = String;

/// What the catalog tells of tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// The tables, each with its name without schema and quotes, and whether it has triggers.
    pub all: BTreeMap<Name, (String, bool)>,
    /// Foreign keys: the table that has one, and the one that it points to.
    pub keys: Vec<(Name, Name)>,
    /// Partitions and heirs, with the table above.
    pub heirs: Vec<(Name, Name)>,
    /// Names, without schema and quotes, of views and routines: behind them may be any table.
    pub others: BTreeSet<String>,
}

/// The tables that a migration may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// The texts don't tell.
    All,
    /// These, and those that hang on them.
    Some {
        /// Those whose rows may change: what is named, its partitions, and what points to it by foreign keys.
        watched: BTreeSet<Name>,
        /// Those that need rows: the same, and what they point to.
        seeded: BTreeSet<Name>,
    },
}

/// Reports which tables the scripts of a migration may change.
#[must_use]
pub fn touched(migration: &Migration, tables: &Tables) -> Touched {
    let scripts: Vec<&Script> = [Some(&migration.up), migration.down.as_ref()].into_iter().flatten().collect();
    if scripts.iter().any(|script| script.step.is_some()) {
        return Touched::All;
    }
    let text: String = scripts.iter().map(|script| script.text.to_lowercase() + "\n").collect();
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').collect();
    let is_named = |name: &str| {
        let name = name.to_lowercase();
        words.contains(name.as_str())
            || (name.contains(|c: char| !c.is_alphanumeric() && c != '_') && text.contains(&name))
    };
    // A text that is put together holds no names; `execute function` is a trigger's.
    let is_dynamic = text.match_indices("execute").any(|(at, word)| {
        let rest = text[at + word.len()..].trim_start();
        !rest.starts_with("function") && !rest.starts_with("procedure")
    });
    if is_dynamic || reaches_unnamed_tables(&text) || tables.others.iter().any(|name| is_named(name)) {
        return Touched::All;
    }
    let named = tables.all.iter().filter(|(_, (bare, _))| is_named(bare)).map(|(name, _)| name.clone());
    let watched = closure(named.collect(), |name| {
        let heirs = tables.heirs.iter().flat_map(move |(heir, above)| both(name, heir, above));
        // ON DELETE CASCADE and the like change the rows of who points here.
        let pointing = tables.keys.iter().filter(move |(_, to)| to == name).map(|(from, _)| from);
        heirs.chain(pointing).cloned().collect()
    });
    if watched.iter().any(|name| tables.all.get(name).is_some_and(|(_, has_triggers)| *has_triggers)) {
        return Touched::All;
    }
    let seeded = closure(watched.clone(), |name| {
        let heirs = tables.heirs.iter().flat_map(move |(heir, above)| both(name, heir, above));
        let pointed = tables.keys.iter().filter(move |(from, _)| from == name).map(|(_, to)| to);
        heirs.chain(pointed).cloned().collect()
    });
    Touched::Some { watched, seeded }
}

/// Objects that columns and tables of any name depend on, so that a `DROP .. CASCADE` takes those with it.
const BELOW_TABLES: [&str; 12] = [
    "schema",
    "type",
    "domain",
    "extension",
    "collation",
    "sequence",
    "function",
    "procedure",
    "routine",
    "aggregate",
    "operator",
    "language",
];

/// Returns whether a statement, also one in a body, changes tables by something else than their names: a `DROP .. CASCADE` of
/// what is below them, `DROP OWNED`, or a change of a type that their columns have.
fn reaches_unnamed_tables(text: &str) -> bool {
    text.split(';').any(|statement| {
        let words: Vec<&str> =
            statement.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
        let cascades = words.contains(&"cascade");
        words.windows(2).any(|pair| match pair {
            ["drop", "owned"] | ["alter", "domain"] => true,
            ["drop", kind] => cascades && BELOW_TABLES.contains(kind),
            // A value more changes no row.
            ["alter", "type"] => !words.windows(2).any(|pair| pair == ["add", "value"]),
            _ => false,
        })
    })
}

fn both<'a>(name: &str, heir: &'a Name, above: &'a Name) -> Option<&'a Name> {
    match name {
        name if name == heir => Some(above),
        name if name == above => Some(heir),
        _ => None,
    }
}

fn closure(first: BTreeSet<Name>, next: impl Fn(&Name) -> Vec<Name>) -> BTreeSet<Name> {
    let (mut found, mut open) = (first.clone(), first.into_iter().collect::<Vec<_>>());
    while let Some(name) = open.pop() {
        for other in next(&name) {
            if found.insert(other.clone()) {
                open.push(other);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{File, chain};

    fn tables() -> Tables {
        let of = |name: &str, triggers| (format!("public.{name}"), (name.trim_matches('"').to_owned(), triggers));
        let pair = |a: &str, b: &str| (format!("public.{a}"), format!("public.{b}"));
        Tables {
            all: ["a", "b", "c", "d", "part", "\"Odd Name\""]
                .map(|name| of(name, false))
                .into_iter()
                .chain([of("t", true)])
                .collect(),
            keys: vec![pair("b", "a"), pair("c", "b"), pair("b", "d")],
            heirs: vec![pair("part", "d")],
            others: BTreeSet::from(["view_of_a".to_owned(), "work".to_owned()]),
        }
    }

    #[rstest]
    #[case::none("create table new (id int);", "| ")]
    #[case::alone("alter table c add x int;", "c | a b c d part")]
    #[case::pointed_to("delete from A where x = 1;", "a b c | a b c d part")]
    #[case::partition("truncate part;", "b c d part | a b c d part")]
    #[case::quoted("drop table \"Odd Name\";", "\"Odd Name\" | \"Odd Name\"")]
    #[case::value_of_an_enum("alter type lvl add value 'x';", "| ")]
    #[case::drop_without_cascade("drop schema old;", "| ")]
    #[case::cascade_of_a_table("drop table c cascade;", "c | a b c d part")]
    #[case::body("do $$ begin update c set x = 1; end $$;", "c | a b c d part")]
    fn tables_are_reported_with_what_hangs_on_them(#[case] up: &str, #[case] want: &str) {
        let Touched::Some { watched, seeded } = of(up) else { panic!("all") };
        let short =
            |names: &BTreeSet<Name>| names.iter().map(|n| n.replace("public.", "")).collect::<Vec<_>>().join(" ");
        let reported = format!("{} | {}", short(&watched), short(&seeded));
        assert_eq!(reported.trim_start(), want.trim_start());
    }

    #[rstest]
    #[case::view("insert into view_of_a select 1;")]
    #[case::routine("select work();")]
    #[case::dynamic("do $$ begin execute format('drop table %I', 'c'); end $$;")]
    #[case::triggers("update t set x = 1;")]
    #[case::schema("DROP SCHEMA old CASCADE;")]
    #[case::several("drop schema if exists old, older\n  cascade;")]
    #[case::type_("drop type lvl cascade;")]
    #[case::domain("drop domain if exists posint cascade;")]
    #[case::extension("drop extension citext cascade;")]
    #[case::owned("drop owned by app;")]
    #[case::in_a_body("do $$ begin drop schema old cascade; end $$;")]
    #[case::check_of_a_domain("alter domain posint add check (value > 0);")]
    #[case::values_of_an_enum("alter type lvl rename value 'a' to 'b';")]
    fn where_the_text_cannot_tell_it_is_all_of_them(#[case] up: &str) {
        assert_eq!(of(up), Touched::All);
    }

    #[test]
    fn a_trigger_that_is_made_is_no_dynamic_text() {
        let up =
            "create trigger r before insert on c for each row execute function suppress_redundant_updates_trigger();";
        assert_ne!(of(up), Touched::All);
    }

    fn of(up: &str) -> Touched {
        let file = |name: &str, text: &str| File { path: name.to_owned(), bytes: text.as_bytes().to_vec() };
        let chain = chain(&[file("1_x.up.sql", up), file("1_x.down.sql", "select 1;")], None).unwrap();
        touched(&chain.migrations[0], &tables())
    }
}
