//! `database-bench`: the reading of a schema next to `pg_dump`, the difference of two, the sums of a large table.
//!
//! Rounds take turns on the same server, so that whatever else the machine does falls on both alike. Prints rows of a
//! table in Markdown to standard output; `scripts/bench-database.sh` makes the server and puts them into the docs.

use std::{
    error::Error,
    io::Write,
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use clap::Parser;
use stagegate_migration_act::{
    catalog::schema_by_two,
    integrity::{ReadRequest, content},
};
use stagegate_migration_decide::schema::{Facts, Kind, diff};
use tokio_postgres::{Client, Config, NoTls};

/// The environment variable that holds the server's password.
const PASSWORD: &str = "BENCH_PASSWORD";

/// Measures what reads a database.
#[derive(Debug, Parser)]
#[command(name = "database-bench", max_term_width = 110)]
struct Cli {
    /// Address of the server
    #[arg(long)]
    address: String,
    /// Container of the server, in which `pg_dump` is run
    #[arg(long)]
    container: String,
    /// Rounds
    #[arg(long, default_value = "5")]
    rounds: usize,
    /// Rows of the large table, as they are reported; 0 leaves it out
    #[arg(long, default_value = "0")]
    large: u64,
}

type Done<T = ()> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let mut out = String::new();
    let done = measured(&Cli::parse(), &mut out).await;
    let _ = std::io::stdout().write_all(out.as_bytes());
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measured(cli: &Cli, out: &mut String) -> Done {
    let facts = schemas(cli, out).await?;
    differences(cli, &facts, out);
    if cli.large > 0 {
        sums(cli, out).await?;
    }
    Ok(())
}

async fn session(cli: &Cli, database: &str) -> Done<Client> {
    let mut config = Config::new();
    config.host(&cli.address).user("postgres").password(std::env::var(PASSWORD)?).dbname(database);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Reads the schema and lets `pg_dump` do so, in turns; each with sessions of its own.
async fn schemas(cli: &Cli, out: &mut String) -> Done<Facts> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut facts = Facts::default();
    for _ in 0..cli.rounds {
        let begun = Instant::now();
        let (first, second) = tokio::try_join!(session(cli, "bench"), session(cli, "bench"))?;
        facts = schema_by_two(&first, &second).await?;
        ours.push(begun.elapsed());
        theirs.push(dump(cli)?);
    }
    let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| b.as_secs_f64() / a.as_secs_f64()).collect();
    let count = |kind| facts.iter().filter(|fact| fact.id.kind == kind).count();
    out.push_str(&format!(
        "| schema of {} tables, {} columns ({} facts), sessions included | {} |\n| the same by `pg_dump --schema-only`, \
         within the container | {} |\n| `pg_dump` / stagegate | {:.2} ({:.2} to {:.2}) |\n",
        count(Kind::Table),
        count(Kind::Column),
        facts.len(),
        told(&mut ours),
        told(&mut theirs),
        middle(&ratios),
        ratios.iter().copied().fold(f64::INFINITY, f64::min),
        ratios.iter().copied().fold(0.0, f64::max),
    ));
    Ok(facts)
}

/// Runs `pg_dump` in the container and returns what it took by the container's own clock: the start of `docker exec` is
/// not counted.
fn dump(cli: &Cli) -> Done<Duration> {
    let script = "a=$(date +%s%N); pg_dump --schema-only --host 127.0.0.1 --username postgres bench >/dev/null || exit 1; \
                  echo $(($(date +%s%N) - a))";
    let mut docker = Command::new("docker");
    docker.args(["exec", "--env", "PGPASSWORD", &cli.container, "bash", "-c", script]);
    let result = docker.env("PGPASSWORD", std::env::var(PASSWORD)?).stderr(Stdio::inherit()).output()?;
    if !result.status.success() {
        return Err("pg_dump failed".into());
    }
    Ok(Duration::from_nanos(String::from_utf8(result.stdout)?.trim().parse()?))
}

fn differences(cli: &Cli, facts: &Facts, out: &mut String) {
    let mut changed: Vec<_> = facts.iter().cloned().collect();
    for fact in changed.iter_mut().filter(|fact| fact.id.kind == Kind::Column && fact.id.name.ends_with("note")) {
        fact.payload.insert("type".to_owned(), "text".to_owned());
    }
    let changed = Facts::new(changed, facts.unmodelled().clone());
    for (what, other) in [("two equal ones", facts.clone()), ("two that differ in a column of each table", changed)] {
        let mut took = Vec::new();
        let mut found = 0;
        for _ in 0..cli.rounds {
            let begun = Instant::now();
            found = diff(facts, &other).len();
            took.push(begun.elapsed());
        }
        out.push_str(&format!(
            "| difference of {what} ({found} differences), after they were read | {} |\n",
            told(&mut took)
        ));
    }
}

/// What others do with the same table, alone: how much of our time is the sums' own, and how much the reading's?
const BESIDE: [(&str, &str); 3] = [
    ("read only, by the same server", "select count(*), max(payload ->> 'c') from events"),
    (
        "by one hash of the row as text, pgcopydb's way",
        "select count(*), sum(hashtext(events::text)::bigint) from events",
    ),
    (
        "by `hash_record_extended` with two seeds",
        "select count(*), sum(hash_record_extended(events, 1)::numeric), sum(hash_record_extended(events, 2)::numeric) \
         from events",
    ),
];

/// Counts and sums up the large table, alone and with workers, in turns with what others do.
async fn sums(cli: &Cli, out: &mut String) -> Done {
    let client = session(cli, "large").await?;
    let size: i64 = client.query_one("select pg_total_relation_size('events') / 1048576", &[]).await?.get(0);
    let mut took: [Vec<Duration>; 2] = Default::default();
    let mut alongside: [Vec<Duration>; BESIDE.len()] = Default::default();
    let mut seen = Vec::new();
    for _ in 0..cli.rounds {
        for (workers, took) in [0, 2].into_iter().zip(&mut took) {
            let begun = Instant::now();
            let found = content(&client, &ReadRequest::rows(workers)).await?;
            took.push(begun.elapsed());
            seen.push(found);
        }
        client.batch_execute("set max_parallel_workers_per_gather = 0").await?;
        for ((_, sql), took) in BESIDE.iter().zip(&mut alongside) {
            let begun = Instant::now();
            client.query_one(*sql, &[]).await?;
            took.push(begun.elapsed());
        }
        client.batch_execute("reset max_parallel_workers_per_gather").await?;
    }
    if seen.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err("the sums of one table differ from round to round".into());
    }
    for (what, took) in ["alone", "with two workers"].into_iter().zip(&mut took) {
        out.push_str(&format!(
            "| counts and sums of a table of {} rows, {size} MiB with its key, {what} | {} |\n",
            cli.large,
            told(took)
        ));
    }
    for ((what, _), took) in BESIDE.iter().zip(&mut alongside) {
        out.push_str(&format!("| the same table {what} | {} |\n", told(took)));
    }
    Ok(())
}

/// Returns the median with the least and the most.
fn told(took: &mut [Duration]) -> String {
    took.sort();
    let millis: Vec<f64> = took.iter().map(|took| took.as_secs_f64() * 1000.0).collect();
    let (least, most) = (millis.first().copied().unwrap_or(0.0), millis.last().copied().unwrap_or(0.0));
    format!("{:.1} ms ({least:.1} to {most:.1})", middle(&millis))
}

fn middle(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}
