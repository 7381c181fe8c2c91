//! Proofs that a subset is whole: random schemas with cycles, keys of every kind and partitions, on real servers.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use rstest::rstest;
use stagegate_base::units::Size;
use stagegate_data_act::sync::{Sanitising, Side, SyncError, SyncOptions, plan, sync};
use stagegate_data_decide::{
    sanitize::{Key, Rules},
    sync::subset::SubsetFile,
};
use stagegate_host::process::Runner;

use crate::{schema::Scratch, subset_random::Random};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stagegate-proof-subset-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn side(scratch: &Scratch, database: &str) -> Side {
    Side { environment: database.to_owned(), server: scratch.server.clone(), database: database.to_owned() }
}

fn options<'a>(dir: &'a Path, file: &str) -> SyncOptions<'a> {
    SyncOptions {
        run: "20260101-000000-0001-sync".to_owned(),
        state: "0123456789abcdef".to_owned(),
        dir,
        workers: 2,
        with_checksums: true,
        within: Duration::from_secs(300),
        lock_timeout: Duration::from_secs(10),
        max_row: Size(64 << 20),
        pace: None,
        subset: Some(SubsetFile::parse(file).unwrap()),
        sanitising: None,
        keeping: None,
    }
}

/// Foreign keys that hold, and rows of each table, partitions counted as one.
async fn facts(scratch: &Scratch, database: &str) -> (i64, BTreeMap<String, i64>) {
    let client = scratch.server.connect(database).await.unwrap();
    let keys = "select count(*) from pg_constraint where contype = 'f' and convalidated and conparentid = 0";
    let names = "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace \
                 and c.relkind in ('r', 'p') and not c.relispartition";
    let mut rows = BTreeMap::new();
    for row in client.query(names, &[]).await.unwrap() {
        let name: String = row.get(0);
        let count = client.query_one(&format!("select count(*) from {name}"), &[]).await.unwrap().get(0);
        rows.insert(name, count);
    }
    (client.query_one(keys, &[]).await.unwrap().get(0), rows)
}

/// What was found over all schemas.
#[derive(Debug, Default)]
struct Tally {
    schemas: usize,
    with: BTreeMap<&'static str, usize>,
    keys: i64,
    rows: usize,
    copied: usize,
}

/// Copies the subset of one random schema, and compares it with what it has to hold.
async fn one_schema(scratch: &Scratch, folder: &Folder, seed: u64, tally: &mut Tally) {
    let random = Random::new(seed);
    let (live, copy) = (format!("live_{seed}"), format!("copy_{seed}"));
    for database in [&live, &copy] {
        scratch.run("postgres", &format!("create database {database}")).await;
    }
    let client = scratch.server.connect(&live).await.unwrap();
    let made = client.batch_execute(&random.sql()).await;
    made.unwrap_or_else(|error| panic!("seed {seed}: {error:?}\n{}", random.sql()));
    let (from, to) = (side(scratch, &live), side(scratch, &copy));
    let report = sync(&from, &to, &options(&folder.0, &random.file()), &Runner::default()).await;
    let shown = || format!("seed {seed}\n{}\n{}", random.file(), random.sql());
    let report = report.unwrap_or_else(|error| panic!("{error}\n{}", shown()));
    assert!(report.checks.iter().all(|check| check.difference().is_none()), "{:?}\n{}", report.checks, shown());
    let (there, expected) = (scratch.server.connect(&copy).await.unwrap(), random.expected());
    // Rows with a parent are the server's own, one for each partition: of a key to a partitioned table that was added as NOT VALID,
    // servers before 18 never mark them, also where the key itself is validated.
    let constraints = "select count(*), count(*) filter (where contype = 'f') from pg_constraint \
                       where connamespace = 'public'::regnamespace and convalidated and conparentid = 0";
    let (all, copied) =
        (client.query_one(constraints, &[]).await.unwrap(), there.query_one(constraints, &[]).await.unwrap());
    let both = |row: &tokio_postgres::Row| (row.get::<_, i64>(0), row.get::<_, i64>(1));
    assert_eq!(both(&all), both(&copied), "every constraint is there and validated\n{}", shown());
    let mut found = Vec::new();
    for table in random.names() {
        let rows = there.query(&format!("select n from {table}"), &[]).await.unwrap();
        found.push(rows.iter().map(|row| row.get(0)).collect::<BTreeSet<i32>>());
    }
    for (table, n) in random.roots() {
        assert!(found[table].contains(&n), "root t{table} n = {n} is not in the copy\n{}", shown());
    }
    assert_eq!(found, expected, "the copy holds the roots and what they need, and nothing else\n{}", shown());
    let traits = random.traits();
    let has = [
        ("a cycle over tables", traits.cycle),
        ("a key to its own table", traits.to_itself),
        ("a composite key", traits.composite),
        ("a key to unique columns", traits.unique),
        ("a key of or to partitions", traits.partitioned),
        ("a key that is never null", traits.not_null),
    ];
    has.iter().for_each(|(name, has)| *tally.with.entry(name).or_default() += usize::from(*has));
    tally.schemas += 1;
    tally.keys += both(&copied).1;
    tally.rows += random.rows();
    tally.copied += found.iter().map(BTreeSet::len).sum::<usize>();
    drop((client, there));
    for database in [&live, &copy] {
        scratch.run("postgres", &format!("drop database {database} (force)")).await;
    }
    let left = "select string_agg(format('drop database %I (force)', datname), ';') from pg_database where datname like 'copy%'";
    let left: Option<String> =
        scratch.server.connect("postgres").await.unwrap().query_one(left, &[]).await.unwrap().get(0);
    for line in left.iter().flat_map(|all| all.split(';')) {
        scratch.run("postgres", line).await;
    }
}

async fn random_schemas(major: u32, seeds: std::ops::Range<u64>) -> Tally {
    let scratch = Scratch::start(major).await;
    let folder = Folder::new(&scratch.name);
    let mut tally = Tally::default();
    for seed in seeds {
        one_schema(&scratch, &folder, seed, &mut tally).await;
    }
    assert!(tally.copied < tally.rows, "{tally:?}: no subset");
    tally
}

/// Twenty of them; `scripts/prove-subset.sh` copies two hundred.
#[rstest]
#[case::oldest(15, 1..7)]
#[case::middle(17, 101..108)]
#[case::newest(18, 201..208)]
#[tokio::test(flavor = "multi_thread")]
async fn a_subset_of_a_random_schema_holds_its_roots_and_what_they_need_alone(
    #[case] major: u32,
    #[case] seeds: std::ops::Range<u64>,
) {
    let tally = random_schemas(major, seeds).await;
    assert!(tally.with.values().all(|count| *count > 0), "the sample has schemas of every kind: {tally:?}");
}

/// Run by `scripts/prove-subset.sh`, which names the first seed, how many there are, and the major version.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; the proofs have a sample of it"]
#[expect(clippy::print_stderr, reason = "the table is the product of the run")]
async fn subsets_of_many_random_schemas() {
    let number = |name: &str, or: u64| std::env::var(name).map_or(or, |text| text.parse().unwrap());
    let (seed, count) = (number("STAGEGATE_PROOF_SEED", 1_000), number("STAGEGATE_PROOF_SCHEMAS", 200));
    let major = u32::try_from(number("STAGEGATE_PROOF_MAJOR", 17)).unwrap();
    let begun = std::time::Instant::now();
    let tally = random_schemas(major, seed..seed + count).await;
    eprintln!("| PostgreSQL {major}, seeds {seed} to {} | schemas |\n|---|---|", seed + count - 1);
    eprintln!("| all constraints validated, exactly the rows that were expected | {} |", tally.schemas);
    tally.with.iter().for_each(|(name, count)| eprintln!("| with {name} | {count} |"));
    eprintln!(
        "foreign keys {}, rows {}, copied {}, {:.0} s",
        tally.keys,
        tally.rows,
        tally.copied,
        begun.elapsed().as_secs_f64()
    );
}

const SHOP: &str =
    "create table users (id integer primary key, email text not null, referrer integer references users);
    create table orders (id bigint primary key, user_id integer not null references users);
    create table notes (id integer primary key, kind text not null, subject bigint not null);
    create table countries (code text primary key);
    create table logins (at timestamptz, user_id integer references users);
    insert into users select n, 'person' || n || '@corp.example', nullif(n / 10, 0) from generate_series(1, 20000) n;
    insert into orders select n, 1 + n % 20000 from generate_series(1, 40000) n;
    insert into notes select n, case n % 2 when 0 then 'order' else 'user' end, n from generate_series(1, 20000) n;
    insert into countries values ('de'), ('fr');
    insert into logins select now(), n from generate_series(1, 20000) n;
    analyze";
const FILE: &str = "follow = { never = [\"logins\"] }\n[roots]\nusers = \"id % 100 = 7\"\n[[keys]]\nchild = \"notes\"\n\
    columns = [\"subject\"]\nparent = \"orders\"\nto = [\"id\"]\nwhen = \"kind = 'order'\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_subset_is_sanitised_compared_and_shown_before_and_an_explosion_is_refused() {
    let scratch = Scratch::start(17).await;
    let folder = Folder::new(&scratch.name);
    scratch.run("postgres", "create database live").await;
    scratch.run("postgres", "create database copy").await;
    scratch.run("live", SHOP).await;
    scratch.run("copy", "create table of_before (id integer)").await;
    let (from, to) = (side(&scratch, "live"), side(&scratch, "copy"));
    let error = sync(&from, &to, &options(&folder.0, &format!("max_rows = 700\n{FILE}")), &Runner::default()).await;
    let Err(SyncError::Refused { reasons }) = error else { panic!("{error:?}") };
    assert!(
        reasons[0].contains("more than 700 rows; most of them came by public.users <- public.orders"),
        "{reasons:?}"
    );
    scratch.run("copy", "select * from of_before").await;
    let rules = "[databases.main.\"public.notes\"]\nkind = { rule = \"keep\", reason = \"ours\" }\n\
                 [databases.main.\"public.countries\"]\ncode = { rule = \"keep\", reason = \"public\" }";
    let sanitising =
        Some(Sanitising { key: Key::new(*b"0123456789abcdef"), rules: Rules::parse(rules, "main").unwrap() });
    let options = SyncOptions { sanitising, ..options(&folder.0, FILE) };
    let plan = plan(&from, &to, &options).await.unwrap();
    assert_eq!(plan.refusals, Vec::<String>::new());
    let report = sync(&from, &to, &options, &Runner::default()).await.unwrap();
    let (_, rows) = facts(&scratch, "copy").await;
    // 200 users, and 20 + 2 that referred these; each of the 200 has two orders; every second order has a note of it.
    let expected = scratch.server.connect("live").await.unwrap();
    let sql = "with recursive u as (select id, referrer from users where id % 100 = 7 \
                   union select p.id, p.referrer from users p join u on u.referrer = p.id), \
               o as (select id from orders where user_id % 100 = 7) \
               select (select count(*) from u), (select count(*) from o), \
                      (select count(*) from notes where kind = 'order' and subject in (select id from o))";
    let expected = expected.query_one(sql, &[]).await.unwrap();
    let want: [i64; 3] = [expected.get(0), expected.get(1), expected.get(2)];
    assert_eq!([rows["users"], rows["orders"], rows["notes"]], want);
    assert_eq!((rows["countries"], rows["logins"]), (2, 0), "whole without a path, empty where never followed");
    for (at, table) in plan.tables.iter().enumerate() {
        assert_eq!(plan.part(at).0, u64::try_from(rows[&table.name]).unwrap(), "the dry run shows {}", table.name);
    }
    assert!(report.subset.as_ref().is_some_and(|share| share.empty == ["public.logins"]), "{:?}", report.subset);
    let client = scratch.server.connect("copy").await.unwrap();
    let real = "select count(*) from users where email !~ '^user-[0-9a-f]+@example.test$'";
    assert_eq!(client.query_one(real, &[]).await.unwrap().get::<_, i64>(0), 0);
}
