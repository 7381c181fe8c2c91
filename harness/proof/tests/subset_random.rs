//! Random schemas with random rows, and which rows a subset of them has to hold: found by following the references one by one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// Numbers that are the same for the same seed.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn of(seed: u64) -> Self {
        Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // Source: Marsaglia, Xorshift RNGs (2003).
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn place(&mut self, end: usize) -> usize {
        usize::try_from(self.below(u64::try_from(end).unwrap())).unwrap()
    }

    fn one_of(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// How a table's rows are stored.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    Hash,
    Range,
    List,
}

/// What a key references: one column, a unique text, two columns, or the key of a table that is partitioned by a list.
#[derive(Clone, Copy, Debug, PartialEq)]
enum To {
    Id,
    Code,
    Pair,
    Listed,
}

impl To {
    /// Returns the columns with their types.
    fn columns(self) -> &'static [(&'static str, &'static str)] {
        match self {
            To::Id => &[("id", "bigint")],
            To::Code => &[("code", "text")],
            To::Pair => &[("a", "integer"), ("b", "integer")],
            To::Listed => &[("b", "integer"), ("id", "bigint")],
        }
    }
}

#[derive(Clone, Debug)]
struct Table {
    kind: Kind,
    /// What its primary key is; the others are unique.
    primary: To,
    rows: usize,
}

#[derive(Clone, Debug)]
struct Key {
    child: usize,
    parent: usize,
    to: To,
    not_null: bool,
    /// Its first column is the child's own `b`, which other keys use, too.
    shares: bool,
    when: &'static str,
    /// For each row of the child, from 0: the row of the parent, and whether only a part of the key is null where there is none.
    references: Vec<(Option<usize>, bool)>,
}

/// What a file of a subset states.
#[derive(Debug, Default)]
struct File {
    roots: BTreeMap<usize, (u64, u64)>,
    down: BTreeSet<usize>,
    never: BTreeSet<usize>,
    always: BTreeSet<usize>,
    others_empty: bool,
}

/// A schema with rows, a file of a subset, and what that has to hold.
#[derive(Debug)]
pub(crate) struct Random {
    tables: Vec<Table>,
    keys: Vec<Key>,
    file: File,
}

/// What a schema has, for the table that is printed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traits {
    pub(crate) cycle: bool,
    pub(crate) to_itself: bool,
    pub(crate) composite: bool,
    pub(crate) unique: bool,
    pub(crate) partitioned: bool,
    pub(crate) not_null: bool,
}

/// The value of column `b` of row `n`, from 1.
fn b(n: usize) -> usize {
    n % 7
}

fn value(column: &str, n: usize) -> String {
    match column {
        "id" => (n * 3 + 1).to_string(),
        "code" => format!("'c{n}'"),
        "a" => (n / 7).to_string(),
        _ => b(n).to_string(),
    }
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut numbers = Numbers::of(seed);
        let tables: Vec<Table> = (0..2 + numbers.place(7)).map(|_| table(&mut numbers)).collect();
        let mut keys = Vec::new();
        for _ in 0..1 + numbers.place(tables.len() * 2) {
            let (child, parent) = (numbers.place(tables.len()), numbers.place(tables.len()));
            keys.push(key(&mut numbers, &tables, child, parent));
        }
        let file = file(&mut numbers, tables.len());
        Random { tables, keys, file }
    }

    /// Returns the names of the tables.
    pub(crate) fn names(&self) -> Vec<String> {
        (0..self.tables.len()).map(|at| format!("t{at}")).collect()
    }

    /// Returns how many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.tables.iter().map(|table| table.rows).sum()
    }

    pub(crate) fn traits(&self) -> Traits {
        let keys = &self.keys;
        let any = |is: &dyn Fn(&Key) -> bool| keys.iter().any(is);
        Traits {
            cycle: (0..self.tables.len()).any(|at| self.reaches(at, at)),
            to_itself: any(&|key| key.child == key.parent),
            composite: any(&|key| matches!(key.to, To::Pair | To::Listed)),
            unique: any(&|key| self.tables[key.parent].primary != key.to),
            partitioned: any(&|key| [key.child, key.parent].iter().any(|at| self.tables[*at].kind != Kind::Plain)),
            not_null: any(&|key| key.not_null),
        }
    }

    /// Returns whether references lead from one table to another over at least one table between them.
    fn reaches(&self, from: usize, to: usize) -> bool {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(at) = next.pop() {
            for key in self.keys.iter().filter(|key| key.child == at && key.parent != at) {
                if key.parent == to {
                    return true;
                }
                if seen.insert(key.parent) {
                    next.push(key.parent);
                }
            }
        }
        false
    }

    /// Returns the statements that make it.
    pub(crate) fn sql(&self) -> String {
        let mut sql = String::new();
        for (at, table) in self.tables.iter().enumerate() {
            self.create(&mut sql, at, table);
        }
        for (number, key) in self.keys.iter().enumerate() {
            let own = own_columns(number, key);
            let to: Vec<&str> = key.to.columns().iter().map(|(name, _)| *name).collect();
            let _ = writeln!(
                sql,
                "alter table t{} add foreign key ({}) references t{} ({}){};",
                key.child,
                own.join(", "),
                key.parent,
                to.join(", "),
                key.when
            );
        }
        sql + "analyze"
    }

    fn create(&self, sql: &mut String, at: usize, table: &Table) {
        let own: Vec<(usize, &Key)> = self.keys.iter().enumerate().filter(|(_, key)| key.child == at).collect();
        let mut columns =
            "n integer not null, id bigint not null, code text not null, a integer not null, b integer not null"
                .to_owned();
        for (number, key) in &own {
            let null = if key.not_null { " not null" } else { "" };
            for (name, (_, kind)) in
                own_columns(*number, key).iter().zip(key.to.columns()).filter(|(name, _)| *name != "b")
            {
                let _ = write!(columns, ", {name} {kind}{null}");
            }
        }
        let unique = |to: To| {
            let columns: Vec<&str> = to.columns().iter().map(|(name, _)| *name).collect();
            format!("{} ({})", if to == table.primary { "primary key" } else { "unique" }, columns.join(", "))
        };
        let name = format!("t{at}");
        match table.kind {
            Kind::Plain => {
                let keys = [To::Id, To::Code, To::Pair].map(unique).join(", ");
                let _ = writeln!(sql, "create table {name} ({columns}, {keys}, check (n > 0));");
            }
            Kind::Hash | Kind::Range | Kind::List => {
                let by = match table.kind {
                    Kind::Hash => "hash (id)",
                    Kind::Range => "range (id)",
                    _ => "list (b)",
                };
                let _ = writeln!(sql, "create table {name} ({columns}, {}) partition by {by};", unique(table.primary));
                let parts: &[&str] = match table.kind {
                    Kind::Hash => &["values with (modulus 2, remainder 0)", "values with (modulus 2, remainder 1)"],
                    Kind::Range => &["values from (minvalue) to (40)", "values from (40) to (maxvalue)"],
                    _ => &["values in (0, 1, 2)", "values in (3)"],
                };
                for (number, part) in parts.iter().enumerate() {
                    let _ = writeln!(sql, "create table {name}_{number} partition of {name} for {part};");
                }
                if table.kind == Kind::List {
                    let _ = writeln!(sql, "create table {name}_2 partition of {name} default partition by hash (id);");
                    let with = "for values with (modulus 1, remainder 0)";
                    let _ = writeln!(sql, "create table {name}_2_0 partition of {name}_2 {with};");
                }
            }
        }
        let row = |n: usize| {
            let mut values: Vec<String> = ["id", "code", "a", "b"].map(|column| value(column, n)).into();
            values.insert(0, n.to_string());
            for (_, key) in &own {
                let skipped = usize::from(key.shares);
                let columns = key.to.columns().iter().enumerate().skip(skipped);
                values.extend(columns.map(|(place, (column, kind))| match key.references[n - 1] {
                    (Some(parent), _) => value(column, parent + 1),
                    // MATCH SIMPLE: a key of which one column is null references nothing, whatever the others hold.
                    (None, true) if place == 0 && *kind == "integer" => "5".to_owned(),
                    (None, _) => "null".to_owned(),
                }));
            }
            format!("({})", values.join(", "))
        };
        let rows: Vec<String> = (1..=table.rows).map(row).collect();
        let _ = writeln!(sql, "insert into {name} values {};", rows.join(", "));
    }

    /// Returns the file of the subset.
    pub(crate) fn file(&self) -> String {
        let names = |all: &BTreeSet<usize>| all.iter().map(|at| format!("\"t{at}\"")).collect::<Vec<_>>().join(", ");
        let file = &self.file;
        let mut text = format!(
            "max_rows = 1000000\nothers = \"{}\"\nalways = [{}]\nfollow = {{ down = [{}], never = [{}] }}\n[roots]\n",
            if file.others_empty { "empty" } else { "whole" },
            names(&file.always),
            names(&file.down),
            names(&file.never)
        );
        for (at, (divisor, rest)) in &file.roots {
            let _ = writeln!(text, "t{at} = \"n % {divisor} = {rest}\"");
        }
        text
    }

    /// Returns the rows of each table that the subset has to hold, by their column `n`.
    pub(crate) fn expected(&self) -> Vec<BTreeSet<i32>> {
        let mut found = Found { needed: BTreeSet::new(), down: BTreeSet::new(), next: Vec::new() };
        for at in self.whole() {
            (0..self.tables[at].rows).for_each(|row| found.add((at, row), false));
        }
        for (at, (divisor, rest)) in &self.file.roots {
            let rows = (0..self.tables[*at].rows).filter(|row| (*row as u64 + 1) % divisor == *rest);
            rows.for_each(|row| found.add((*at, row), true));
        }
        while let Some(((at, row), is_down)) = found.next.pop() {
            for key in &self.keys {
                if let (true, Some(parent)) = (key.child == at, key.references.get(row).and_then(|one| one.0)) {
                    found.add((key.parent, parent), false);
                }
                if key.parent != at || self.file.never.contains(&key.child) {
                    continue;
                }
                let is_followed =
                    self.file.down.contains(&key.child) || (is_down && !self.file.roots.contains_key(&key.child));
                if is_followed {
                    let children = key.references.iter().enumerate().filter(|(_, one)| one.0 == Some(row));
                    children.for_each(|(child, _)| found.add((key.child, child), true));
                }
            }
        }
        let of =
            |at| found.needed.iter().filter(|one| one.0 == at).map(|one| i32::try_from(one.1 + 1).unwrap()).collect();
        (0..self.tables.len()).map(of).collect()
    }

    /// Returns the rows of the roots, by table and column `n`.
    pub(crate) fn roots(&self) -> Vec<(usize, i32)> {
        let of = |(at, (divisor, rest)): (&usize, &(u64, u64))| {
            let rows = (1..=self.tables[*at].rows).filter(|n| *n as u64 % divisor == *rest);
            rows.map(|n| (*at, i32::try_from(n).unwrap())).collect::<Vec<_>>()
        };
        self.file.roots.iter().flat_map(of).collect()
    }

    /// Returns the tables that are copied whole: those that are listed, and those that nothing connects with the roots.
    fn whole(&self) -> BTreeSet<usize> {
        let mut connected: BTreeSet<usize> = self.file.roots.keys().copied().collect();
        for _ in 0..self.tables.len() {
            for key in &self.keys {
                if connected.contains(&key.child) || connected.contains(&key.parent) {
                    connected.extend([key.child, key.parent]);
                }
            }
        }
        let others = (0..self.tables.len()).filter(|at| !self.file.others_empty && !connected.contains(at));
        others.chain(self.file.always.iter().copied()).collect()
    }
}

/// The rows found so far, by table and row.
struct Found {
    needed: BTreeSet<(usize, usize)>,
    down: BTreeSet<(usize, usize)>,
    next: Vec<((usize, usize), bool)>,
}

impl Found {
    fn add(&mut self, row: (usize, usize), is_down: bool) {
        let is_new = self.needed.insert(row) | (is_down && self.down.insert(row));
        if is_new {
            self.next.push((row, self.down.contains(&row)));
        }
    }
}

fn own_columns(number: usize, key: &Key) -> Vec<String> {
    let name = |place| if place == 0 && key.shares { "b".to_owned() } else { format!("f{number}_{place}") };
    (0..key.to.columns().len()).map(name).collect()
}

fn table(numbers: &mut Numbers) -> Table {
    let kind = [Kind::Plain, Kind::Plain, Kind::Plain, Kind::Hash, Kind::Range, Kind::List][numbers.place(6)];
    let primary = match kind {
        Kind::Plain => [To::Id, To::Code, To::Pair][numbers.place(3)],
        Kind::Hash | Kind::Range => To::Id,
        Kind::List => To::Listed,
    };
    Table { kind, primary, rows: 1 + numbers.place(60) }
}

fn key(numbers: &mut Numbers, tables: &[Table], child: usize, parent: usize) -> Key {
    let to = match tables[parent].kind {
        Kind::Plain => [To::Id, To::Code, To::Pair][numbers.place(3)],
        _ => tables[parent].primary,
    };
    let shares = to == To::Listed && numbers.one_of(2);
    // The own `b` may have no partner, so that the other column must be allowed to be null.
    let not_null = !shares && numbers.one_of(3);
    let whens = ["", " deferrable", " deferrable initially deferred", " on delete cascade", " match full"];
    let when = whens[numbers.place(if shares { 4 } else { 5 })];
    let partial = to == To::Pair && when != " match full";
    let mut reference = |row: usize| {
        if !not_null && numbers.one_of(4) {
            return (None, partial && numbers.one_of(2));
        }
        let rows = (0..tables[parent].rows).filter(|at| !shares || b(at + 1) == b(row + 1)).collect::<Vec<_>>();
        if rows.is_empty() { (None, false) } else { (Some(rows[numbers.place(rows.len())]), false) }
    };
    let references = (0..tables[child].rows).map(&mut reference).collect();
    Key { child, parent, to, not_null, shares, when, references }
}

fn file(numbers: &mut Numbers, tables: usize) -> File {
    let mut file = File { others_empty: numbers.one_of(2), ..File::default() };
    for _ in 0..1 + numbers.place(2) {
        let divisor = 2 + numbers.below(11);
        file.roots.insert(numbers.place(tables), (divisor, numbers.below(divisor)));
    }
    for at in 0..tables {
        match numbers.below(12) {
            0 | 1 => file.down.insert(at),
            2 => file.never.insert(at),
            3 => file.always.insert(at),
            _ => false,
        };
    }
    file
}
