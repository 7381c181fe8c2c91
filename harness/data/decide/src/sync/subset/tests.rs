use std::collections::BTreeSet;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::sync::Table;

fn table(name: &str, rows: u64) -> Table {
    let (schema, name) = ("public".to_owned(), name.to_owned());
    Table { schema, name, rows, bytes: rows * 100, has_blocks: true, ..Table::default() }
}

fn relation(name: &str, leaves: &[usize]) -> Relation {
    let (schema, name) = ("public".to_owned(), name.to_owned());
    Relation { schema, name, leaves: leaves.to_vec(), is_partitioned: leaves.len() > 1, ..Relation::default() }
}

fn key(child: usize, parent: usize) -> ForeignKey {
    ForeignKey { child, parent, columns: vec!["parent".to_owned()], join: "p.id = c.parent".to_owned() }
}

fn place(number: usize) -> RowPlace {
    RowPlace { block: u32::try_from(number / 50).unwrap(), item: u16::try_from(number % 50 + 1).unwrap() }
}

/// A database in memory: for each key, for each row of the child's tables, which row of the parent it references.
#[derive(Clone, Debug)]
struct World {
    relations: Vec<Relation>,
    tables: Vec<Table>,
    keys: Vec<ForeignKey>,
    /// (key, child's table, child's row) to (parent's table, parent's row).
    references: BTreeMap<(usize, usize, RowPlace), (usize, RowPlace)>,
}

impl World {
    /// Finds what a step asks for.
    fn found(&self, step: &Step) -> BTreeMap<usize, Vec<RowPlace>> {
        let rows: Option<BTreeSet<RowPlace>> = step.rows.as_ref().map(|rows| rows.iter().copied().collect());
        let is_in = |row: &RowPlace| rows.as_ref().is_none_or(|rows| rows.contains(row));
        let mut all: BTreeMap<usize, Vec<RowPlace>> = BTreeMap::new();
        for ((key, table, row), (parent, parent_row)) in &self.references {
            match step.direction {
                _ if *key != step.edge => {}
                Direction::Up if *table == step.table && is_in(row) => {
                    all.entry(*parent).or_default().push(*parent_row)
                }
                Direction::Down if *parent == step.table && is_in(parent_row) => {
                    all.entry(*table).or_default().push(*row)
                }
                _ => {}
            }
        }
        all
    }

    fn subset(&self, file: &SubsetFile, roots: &[(usize, RowPlace)]) -> Vec<Selected> {
        let slice = Slice::new(file, &self.tables, self.relations.clone(), &self.keys).unwrap();
        let mut closure = Closure::new(&slice, self.tables.len());
        for (table, row) in roots {
            closure.begin(*table, &[*row]);
        }
        let mut requested = BTreeSet::new();
        while let Some(step) = closure.next_step() {
            for row in step.rows.iter().flatten() {
                let is_up = step.direction == Direction::Up;
                assert!(requested.insert((step.edge, is_up, step.table, *row)), "asked twice: {row} of {step:?}");
            }
            for (table, rows) in self.found(&step) {
                closure.found(&step, table, &rows).unwrap();
            }
        }
        closure.selected()
    }
}

fn holds(selected: &[Selected], table: usize, row: &RowPlace) -> bool {
    match &selected[table] {
        Selected::Whole => true,
        Selected::Rows(rows) => rows.binary_search(row).is_ok(),
    }
}

/// Worlds of one to six relations, some of them partitioned, with references of any kind: cycles, to itself, several
/// between the same two.
fn worlds() -> impl Strategy<Value = (World, SubsetFile, Vec<(usize, RowPlace)>)> {
    let shape = (
        prop::collection::vec(1_usize..=3, 1..=6),
        prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..=9),
        prop::collection::vec(any::<(u16, u16)>(), 1..=120),
        any::<(u8, u8, u8, bool)>(),
    );
    shape.prop_map(|(shape, ends, picks, (root, always, down, is_whole))| {
        const ROWS: usize = 20;
        let mut relations = Vec::new();
        let mut tables = Vec::new();
        for (number, leaves) in shape.iter().enumerate() {
            let places: Vec<usize> = (tables.len()..tables.len() + leaves).collect();
            tables.extend(places.iter().map(|place| table(&format!("t{number}_{place}"), ROWS as u64)));
            relations.push(relation(&format!("r{number}"), &places));
        }
        let keys: Vec<ForeignKey> = ends
            .iter()
            .map(|(child, parent)| key(child.index(relations.len()), parent.index(relations.len())))
            .collect();
        let mut references = BTreeMap::new();
        for (number, (child, parent)) in picks.iter().enumerate().filter(|_| !keys.is_empty()) {
            let at = number % keys.len();
            let row = |relation: usize, pick: u16| {
                let leaves = &relations[relation].leaves;
                (leaves[usize::from(pick) % leaves.len()], place(usize::from(pick) / 7 % ROWS))
            };
            let (from, to) = (row(keys[at].child, *child), row(keys[at].parent, *parent));
            references.insert((at, from.0, from.1), to);
        }
        let name = |pick: u8| format!("r{}", usize::from(pick) % relations.len());
        let file = SubsetFile {
            roots: BTreeMap::from([(name(root), "true".to_owned())]),
            always: if always % 3 == 0 { vec![name(always)] } else { Vec::new() },
            follow: Follow { down: if down % 3 == 0 { vec![name(down)] } else { Vec::new() }, never: Vec::new() },
            others: if is_whole { Others::Whole } else { Others::Empty },
            ..SubsetFile::default()
        };
        let leaf = relations[usize::from(root) % relations.len()].leaves[0];
        let roots = (0..3).map(|row| (leaf, place(row * 5))).collect();
        (World { relations, tables, keys, references }, file, roots)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_subset_holds_its_roots_and_whatever_its_rows_reference((world, file, roots) in worlds()) {
        let selected = world.subset(&file, &roots);
        for (table, row) in &roots {
            prop_assert!(holds(&selected, *table, row));
        }
        for ((key, table, row), (parent, parent_row)) in &world.references {
            let is_whole_or_there = holds(&selected, *table, row);
            prop_assert!(
                !is_whole_or_there || holds(&selected, *parent, parent_row),
                "key {key}: row {row} of table {table} references {parent_row} of {parent}"
            );
            // A child of a root row comes too, unless its table is a root itself.
            let is_child = roots.contains(&(*parent, *parent_row));
            let is_root = file.roots.contains_key(&world.relations[world.keys[*key].child].name);
            prop_assert!(!is_child || is_root || holds(&selected, *table, row));
        }
    }
}

/// users <- orders <- items -> products <- texts; items <- audit; lone has no key.
fn shop() -> World {
    let names = ["users", "orders", "items", "products", "texts", "audit", "lone"];
    let relations = names.iter().enumerate().map(|(at, name)| relation(name, &[at])).collect();
    let keys = vec![key(1, 0), key(2, 1), key(2, 3), key(4, 3), key(5, 2), key(0, 0)];
    let mut references = BTreeMap::new();
    for row in 0..40 {
        for (at, key) in keys.iter().enumerate() {
            // Users of other users are a chain.
            let parent = if at == 5 { row / 2 } else { row };
            references.insert((at, key.child, place(row)), (key.parent, place(parent)));
        }
    }
    World { relations, tables: names.iter().map(|name| table(name, 40)).collect(), keys, references }
}

fn file(text: &str) -> SubsetFile {
    SubsetFile::parse(text).unwrap()
}

fn counts(selected: &[Selected]) -> Vec<usize> {
    let count = |one: &Selected| match one {
        Selected::Whole => usize::MAX,
        Selected::Rows(rows) => rows.len(),
    };
    selected.iter().map(count).collect()
}

#[rstest]
#[case::by_default("", &[4, 4, 4, 4, 0, 4, usize::MAX])]
#[case::children_of_what_is_needed("follow = { down = [\"texts\"] }", &[4, 4, 4, 4, 4, 4, usize::MAX])]
#[case::never("follow = { never = [\"public.items\"] }", &[4, 4, 0, 0, 0, 0, usize::MAX])]
#[case::never_by_a_column("follow = { never = [\"audit.parent\"] }", &[4, 4, 4, 4, 0, 0, usize::MAX])]
#[case::whole("always = [\"products\"]", &[4, 4, 4, usize::MAX, 0, 4, usize::MAX])]
#[case::others_empty("others = \"empty\"", &[4, 4, 4, 4, 0, 4, 0])]
#[case::whole_with_children("always = [\"products\"]\nfollow = { down = [\"texts\"] }", &[4, 4, 4, usize::MAX, 40, 4, usize::MAX])]
fn which_rows_come_is_what_the_file_states(#[case] more: &str, #[case] want: &[usize]) {
    // The key of users to users is followed upwards alone: rows of a root are chosen by its condition. 5, 2, 1, 0 are a chain.
    let selected = shop().subset(&file(&format!("{more}\n[roots]\nusers = \"id = 5\"")), &[(0, place(5))]);
    assert_eq!(counts(&selected)[0], 4);
    let mut want = want.to_vec();
    // Users that are only needed bring no orders.
    for one in want.iter_mut().skip(1).filter(|one| **one == 4) {
        *one = 1;
    }
    assert_eq!(counts(&selected), want);
}

#[rstest]
#[case("[roots]\nuser = \"true\"", "`roots` names table user, which does not exist")]
#[case("roots = {}", "`roots` names no table")]
#[case("always = [\"x.users\"]\n[roots]\nusers = \"true\"", "`always` names table x.users")]
#[case(
    "follow = { never = [\"nothing.parent\"] }\n[roots]\nusers = \"true\"",
    "`follow.never` names table nothing.parent"
)]
#[case(
    "[roots]\nusers = \"true\"\n[[keys]]\nchild = \"lone\"\ncolumns = [\"a\", \"b\"]\nparent = \"users\"\nto = [\"id\"]",
    "`columns` has 2 and `to` 1 names"
)]
fn what_the_file_names_wrongly_is_refused(#[case] text: &str, #[case] want: &str) {
    let world = shop();
    let wrong = Slice::new(&file(text), &world.tables, world.relations, &world.keys).unwrap_err();
    assert!(wrong[0].contains(want), "{wrong:?}");
}

#[test]
fn a_large_table_without_a_path_is_copied_only_where_the_file_names_it() {
    let mut world = shop();
    world.tables[6].bytes = 1 << 30;
    let read = |text: &str| Slice::new(&file(text), &world.tables, world.relations.clone(), &world.keys);
    let wrong = read("[roots]\nusers = \"true\"").unwrap_err();
    assert!(wrong[0].contains("public.lone has no foreign key to a table of the subset and is 1024 MiB"), "{wrong:?}");
    assert!(read("others = \"empty\"\n[roots]\nusers = \"true\"").unwrap().whole.is_empty());
    assert!(read("always = [\"lone\"]\n[roots]\nusers = \"true\"").unwrap().whole.contains(&6));
}

#[test]
fn a_logical_key_is_followed_as_one_of_the_schema_for_the_rows_that_it_is_of() {
    let text = "[roots]\nusers = \"true\"\n[[keys]]\nchild = \"lone\"\ncolumns = [\"subject\"]\nparent = \"users\"\nto = [\"id\"]\nwhen = \"kind = 'user'\"";
    let world = shop();
    let slice = Slice::new(&file(text), &world.tables, world.relations, &world.keys).unwrap();
    let edge = slice.edges.last().unwrap();
    assert!(slice.whole.is_empty(), "lone has a path now");
    assert_eq!(
        edge.down(&slice.relations, &world.tables[0], false),
        "select c.tableoid, c.ctid from (select tableoid, ctid, * from only \"public\".\"lone\" where (kind = 'user')) c where \
         exists (select from only \"public\".\"users\" p where p.ctid = any($1) and p.\"id\" = c.\"subject\")"
    );
    assert_eq!(
        edge.up(&slice.relations, &world.tables[6], true),
        "select p.tableoid, p.ctid from only \"public\".\"users\" p where exists (select from (select tableoid, ctid, * from \
         only \"public\".\"lone\" where (kind = 'user')) c where p.\"id\" = c.\"subject\")"
    );
}

#[test]
fn an_explosion_is_refused_with_the_references_that_most_rows_came_by() {
    let world = shop();
    let slice =
        Slice::new(&file("[roots]\nusers = \"true\""), &world.tables, world.relations.clone(), &world.keys).unwrap();
    assert_eq!(slice.limit(10, 1_000, 1_000_000), 50_000, "1 % is expected to bring 1 %");
    assert_eq!(slice.limit(1, 1_000_000, 1_000_000), 10_000);
    let mut closure = Closure::new(&slice, world.tables.len());
    closure.begin(0, &[place(0)]);
    closure.set_limit(30);
    let refused = loop {
        let step = closure.next_step().expect("it ends by the limit");
        // Each user has one order and each order thirty items.
        let child = slice.relations[slice.edges[step.edge].child].leaves[0];
        if step.direction == Direction::Down {
            let rows: Vec<RowPlace> = (0..if child == 2 { 30 } else { 1 }).map(place).collect();
            if let Err(reason) = closure.found(&step, child, &rows) {
                break reason.to_string();
            }
        }
    };
    assert!(
        refused.contains(
            "more than 30 rows; most of them came by public.users <- public.orders (1 rows), public.orders <- \
         public.items (30 rows); add public.items to `follow.never`, narrow"
        ),
        "{refused}"
    );
}
