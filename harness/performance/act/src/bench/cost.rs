//! What the same load costs two releases: memory and processor time of their services, work of their databases.
//!
//! Each side gets the load alone, one after the other, so that neither's work is taken for the other's.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use stagegate_base::{
    compose::Model,
    config::{Config, Probe, Target},
    container::Container,
};
use stagegate_performance_decide::{Cost, Figures, LockWaits, StatementCost, Usage, database_use, resources::usage};
use tokio_postgres::Client;

use super::BenchError;
use crate::{
    load::{self, Extent, Load, Pace, Subject},
    resources::Watch,
    statistics,
};
use stagegate_host::{database::Server, engine::Engine, probe::postgres::Login};

/// How long each side is asked at once. It is asked twice: long enough that a healthcheck meanwhile is lost in it.
const ASKED_FOR: Duration = Duration::from_secs(1);
/// Fewer requests are mostly healthchecks.
const FEWEST: u64 = 50;
/// So often both are asked where that takes long.
const MOST_TURNS: usize = 5;
/// Requests that make a service's sessions write their counters down, one after the other through its pool.
const NUDGES: u64 = 20;
const APPLICATION: &str = "stagegate/bench";

/// One of two releases, running.
pub(super) struct Running<'a> {
    pub(super) containers: Vec<Container>,
    pub(super) model: &'a Model,
    pub(super) subject: Subject,
}

/// Returns what a probe costs the candidate and the control.
///
/// Where a database does not answer, or counts no statements, these figures are `None`; the Engine has to answer.
pub(super) async fn costs(
    engine: &Engine,
    config: &Config,
    probe: &Probe,
    sides: [Running<'_>; 2],
) -> Result<[Cost; 2], BenchError> {
    let [candidate, control] = &sides;
    let clients = [clients(config, candidate).await, clients(config, control).await];
    // What was asked before must not be counted now.
    written_down(probe, &sides).await?;
    let before = [figures(&clients[0]).await, figures(&clients[1]).await];
    let mut used = [Used::default(), Used::default()];
    for _ in 0..MOST_TURNS {
        // Each once first and once last: what else begins to run meanwhile falls on both.
        for side in [0, 1, 1, 0] {
            used[side].add(watched(engine, probe, &sides[side]).await?);
        }
        if used.iter().all(|used| used.sent >= FEWEST) {
            break;
        }
    }
    let nudges = written_down(probe, &sides).await?;
    let after = [figures(&clients[0]).await, figures(&clients[1]).await];
    let asked = service(config, probe);
    let cost = |side: usize| {
        let databases = before[side].as_ref().zip(after[side].as_ref()).filter(|_| used[side].sent >= FEWEST);
        cost(&used[side], used[side].sent + nudges[side], asked, databases)
    };
    Ok([cost(0), cost(1)])
}

/// Makes the sessions of both sides write their counters down; returns how many requests that took.
///
/// A session does so when it falls idle, once a second at most, and what is left over only 10 s later. So it is asked
/// once more when a second is over.
// Source: PostgreSQL 15 and later, pgstat.c: PGSTAT_MIN_INTERVAL, PGSTAT_IDLE_INTERVAL.
async fn written_down(probe: &Probe, sides: &[Running<'_>; 2]) -> Result<[u64; 2], BenchError> {
    statistics::settle(Instant::now()).await;
    let load = Load { pace: Pace::Concurrency(1), extent: Extent::Requests(NUDGES), timeout: probe.timeout.0 };
    let nudged = [load::run(&sides[0].subject, load, 1).await?, load::run(&sides[1].subject, load, 1).await?];
    Ok(nudged.map(|measured| measured.sent))
}

/// What the services of one side used.
#[derive(Default)]
struct Used {
    /// Requests that were sent.
    sent: u64,
    /// Processor time of all services in nanoseconds; `None` where the Engine gave no figures.
    cpu_ns: Option<f64>,
    /// Most memory of each service.
    memory: BTreeMap<String, u64>,
}

impl Used {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a few seconds")]
    fn add(&mut self, (sent, usages): (u64, Vec<Usage>)) {
        self.sent += sent;
        for usage in usages.into_iter().filter(|usage| usage.over_ms > 0) {
            *self.cpu_ns.get_or_insert(0.0) += usage.cpu * usage.over_ms as f64 * 1e6;
            let memory = self.memory.entry(usage.service).or_default();
            *memory = usage.memory.max(*memory);
        }
    }
}

async fn watched(engine: &Engine, probe: &Probe, side: &Running<'_>) -> Result<(u64, Vec<Usage>), BenchError> {
    let watch = Watch::start(engine, &side.containers).await?;
    let load = Load { pace: Pace::Concurrency(1), extent: Extent::For(ASKED_FOR), timeout: probe.timeout.0 };
    let measured = load::run(&side.subject, load, 1).await?;
    Ok((measured.sent, usage(&watch.stop().await?)))
}

/// Makes a cost of counters; `sent` are the requests between the looks at the databases.
#[expect(clippy::cast_precision_loss, reason = "counts that are shown to one digit")]
fn cost(used: &Used, sent: u64, requested: Option<&str>, databases: Option<(&Vec<Figures>, &Vec<Figures>)>) -> Cost {
    let requests = sent.max(1) as f64;
    let mut cost = Cost {
        requests: used.sent,
        memory: requested.and_then(|service| used.memory.get(service)).copied(),
        cpu_ns: used.cpu_ns.map(|ns| ns / used.sent.max(1) as f64),
        ..Cost::default()
    };
    let Some((before, after)) = databases.filter(|(_, after)| !after.is_empty()) else { return cost };
    let by_database =
        || before.iter().zip(after).map(|(before, after)| database_use(before, after, sent, LockWaits::default()));
    cost.transactions = Some(by_database().map(|used| used.transactions_per_request).sum());
    cost.queries = by_database().map(|used| used.queries_per_request).sum();
    let blocks: u64 = before.iter().zip(after).map(|(before, after)| blocks(before, after)).sum();
    cost.blocks = Some(blocks as f64 / requests);
    cost.statements = statements(before, after, requests);
    // Without pg_stat_statements nobody counts a statement's rows.
    cost.rows = cost.queries.map(|_| cost.statements.values().map(|statement| statement.rows).sum());
    cost
}

fn blocks(before: &Figures, after: &Figures) -> u64 {
    let all = |figures: &Figures| figures.blocks_read + figures.blocks_hit;
    all(after).saturating_sub(all(before))
}

/// Returns what each statement of all databases did, a request.
#[expect(clippy::cast_precision_loss, reason = "counts that are shown to one digit")]
fn statements(before: &[Figures], after: &[Figures], requests: f64) -> BTreeMap<String, StatementCost> {
    let mut all: BTreeMap<String, StatementCost> = BTreeMap::new();
    for (before, after) in before.iter().zip(after) {
        for (id, now) in after.statements.iter().flatten() {
            let was = before.statements.as_ref().and_then(|before| before.get(id)).cloned().unwrap_or_default();
            let per = |now: u64, was: u64| now.saturating_sub(was) as f64 / requests;
            if now.calls > was.calls {
                let statement = all.entry(now.text.clone()).or_default();
                statement.calls += per(now.calls, was.calls);
                statement.rows += per(now.rows, was.rows);
                statement.blocks += per(now.blocks, was.blocks);
            }
        }
    }
    all
}

/// Returns the service that a probe asks.
fn service<'a>(config: &'a Config, probe: &'a Probe) -> Option<&'a str> {
    match &probe.target {
        Target::Http { service, .. } => Some(service),
        Target::Sql { database, .. } => config.databases.get(database).map(|database| database.service.as_str()),
        Target::Workflow { .. } => None,
    }
}

/// Connects to each database of a copy; `None` where one does not answer.
///
/// The copies are ours and go away: they are made to count statements where their server can.
async fn clients(config: &Config, side: &Running<'_>) -> Option<Vec<Client>> {
    let mut all = Vec::new();
    for database in config.databases.values() {
        let container = side.containers.iter().find(|c| c.service == database.service && !c.one_off)?;
        let login = Login::of(side.model, database);
        let server = Server::new(container, &login.user, login.password?, APPLICATION);
        let server = server.verified_by(database.ca.as_deref());
        let client = server.connect(&database.name).await.ok()?;
        // Refused where the server has no such extension: then statements are not known, and are reported so.
        let _ = client.batch_execute("create extension if not exists pg_stat_statements").await;
        all.push(client);
    }
    Some(all)
}

async fn figures(clients: &Option<Vec<Client>>) -> Option<Vec<Figures>> {
    let mut all = Vec::new();
    for client in clients.as_ref()? {
        all.push(statistics::figures(client).await.ok()?);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use stagegate_performance_decide::StatementFigures;

    use super::*;

    fn figures(calls: u64) -> Figures {
        let statement =
            StatementFigures { text: "SELECT a".into(), calls, total_ms: 1.0, rows: 3 * calls, blocks: 2 * calls };
        Figures {
            commits: calls,
            blocks_hit: 10 * calls,
            statements: Some([(1, statement)].into()),
            ..Figures::default()
        }
    }

    fn used() -> Used {
        let usage = |service: &str, cpu| Usage {
            service: service.into(),
            over_ms: 1_000,
            cpu,
            memory: 7 << 20,
            ..Usage::default()
        };
        let mut used = Used::default();
        used.add((50, vec![usage("api", 0.4), usage("db", 0.1)]));
        used.add((50, vec![usage("api", 0.4), Usage { memory: 9 << 20, ..usage("db", 0.1) }]));
        used
    }

    #[test]
    fn a_cost_is_what_was_used_divided_by_the_requests() {
        let (before, after) = (vec![figures(5)], vec![figures(205)]);
        let cost = cost(&used(), 100, Some("api"), Some((&before, &after)));
        assert_eq!((cost.requests, cost.memory, cost.cpu_ns), (100, Some(7 << 20), Some(10_000_000.0)));
        let databases = (cost.queries, cost.transactions, cost.rows, cost.blocks);
        assert_eq!(databases, (Some(2.0), Some(2.0), Some(6.0), Some(20.0)));
        assert_eq!(cost.statements["SELECT a"], StatementCost { calls: 2.0, rows: 6.0, blocks: 4.0 });
    }

    #[test]
    fn what_nobody_counted_is_unknown_and_not_nothing() {
        let blind = vec![Figures::default()];
        let cost_of = |databases| cost(&Used::default(), 120, Some("api"), databases);
        let without = cost_of(Some((&blind, &blind)));
        assert_eq!((without.memory, without.cpu_ns, without.queries, without.rows), (None, None, None, None));
        assert_eq!(without.transactions, Some(0.0));
        let none = cost_of(None);
        assert_eq!((none.transactions, none.blocks), (None, None));
    }
}
