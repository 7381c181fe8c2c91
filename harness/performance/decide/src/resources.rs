//! What services used of the machine while they were under load, and whether that is too much.
//!
//! In: counters of containers at several moments. Out: [`Usage`] for each service, and findings where it is beyond the
//! limits. Counters of a container that was started again begin at 0: what it used before is not counted twice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ResourceLimits;
use stagegate_base::{container::Counters, finding::Finding, units::Size};

/// What a service's containers used together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The compose service.
    pub service: String,
    /// Milliseconds from the first snapshot to the last one.
    pub over_ms: u64,
    /// Processor time a second, in cores, on average.
    pub cpu: f64,
    /// Most memory at a moment, in bytes.
    pub memory: u64,
    /// The memory limit in bytes; `None` where a container has none.
    pub memory_limit: Option<u64>,
    /// Bytes read from block devices.
    pub read: u64,
    /// Bytes written to block devices.
    pub written: u64,
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
}

/// Returns what each service used, by its name; a service with a single moment has memory only.
#[must_use]
pub fn usage(snapshots: &[Counters]) -> Vec<Usage> {
    let mut services: BTreeMap<&str, Vec<&Counters>> = BTreeMap::new();
    for snapshot in snapshots {
        services.entry(&snapshot.service).or_default().push(snapshot);
    }
    services.into_iter().map(|(service, snapshots)| of_service(service, &snapshots)).collect()
}

fn of_service(service: &str, snapshots: &[&Counters]) -> Usage {
    let mut containers: BTreeMap<&str, Vec<&Counters>> = BTreeMap::new();
    let mut memory: BTreeMap<u64, u64> = BTreeMap::new();
    for snapshot in snapshots {
        containers.entry(&snapshot.id).or_default().push(snapshot);
        *memory.entry(snapshot.at_ms).or_default() += snapshot.memory;
    }
    let grown = |of: fn(&Counters) -> u64| containers.values().map(|series| growth(series, of)).sum::<u64>();
    let over_ms = memory.keys().next_back().zip(memory.keys().next()).map_or(0, |(last, first)| last - first);
    #[expect(clippy::cast_precision_loss, reason = "a share that is shown to two digits")]
    let cpu = if over_ms == 0 { 0.0 } else { grown(|s| s.cpu_ns) as f64 / (over_ms as f64 * 1e6) };
    Usage {
        service: service.to_owned(),
        over_ms,
        cpu,
        memory: memory.values().copied().max().unwrap_or_default(),
        memory_limit: containers.values().filter_map(|series| series.last()).map(|s| s.memory_limit).sum(),
        read: grown(|s| s.read),
        written: grown(|s| s.written),
        received: grown(|s| s.received),
        sent: grown(|s| s.sent),
    }
}

/// Returns by how much a counter grew; where it fell, its container was started again and it began at 0.
fn growth(series: &[&Counters], of: fn(&Counters) -> u64) -> u64 {
    series.windows(2).map(|pair| of(pair[1]).checked_sub(of(pair[0])).unwrap_or(of(pair[1]))).sum()
}

/// Returns what of a service is beyond its limits; `queries` are SQL statements a request, where they are known.
#[must_use]
pub fn beyond(usage: &Usage, queries: Option<f64>, limits: &ResourceLimits) -> Vec<Finding> {
    let service = &usage.service;
    let mut findings = Vec::new();
    if let Some(most) = limits.memory.filter(|most| usage.memory > most.0) {
        findings.push(finding(service, "memory", &most.to_string(), &Size(usage.memory).to_string()));
    }
    if let Some(most) = limits.cpu.filter(|most| usage.cpu > *most) {
        findings.push(finding(service, "cpu", &format!("{most} cores"), &format!("{:.2} cores", usage.cpu)));
    }
    if let (Some(most), Some(found)) = (limits.queries_per_request, queries)
        && found > most
    {
        findings.push(finding(service, "queries per request", &format!("{most}"), &format!("{found:.2}")));
    }
    findings
}

fn finding(service: &str, what: &str, most: &str, found: &str) -> Finding {
    Finding::differs(format!("{service}: {what}"), format!("at most {most}"), found.to_owned())
}

/// Returns the limits that were set and cannot be checked, with the reason. They make the response inconclusive.
#[must_use]
pub fn unchecked(usage: Option<&Usage>, queries: Option<f64>, limits: &ResourceLimits) -> Vec<String> {
    let mut reasons = Vec::new();
    let wants_usage = limits.memory.is_some() || limits.cpu.is_some();
    if wants_usage && usage.is_none_or(|usage| usage.over_ms == 0) {
        reasons.push("memory and cpu: Docker Engine reported no figures during the load".to_owned());
    }
    if limits.queries_per_request.is_some() && queries.is_none() {
        reasons.push(
            "queries_per_request: the database has no pg_stat_statements; add it to shared_preload_libraries and run \
             CREATE EXTENSION pg_stat_statements"
                .to_owned(),
        );
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(id: &str, service: &str, at_ms: u64, cpu_ns: u64, memory: u64) -> Counters {
        Counters { id: id.into(), service: service.into(), at_ms, cpu_ns, memory, ..Counters::default() }
    }

    #[test]
    fn a_service_uses_what_its_containers_use_together() {
        let series = [
            snapshot("a", "api", 0, 1_000_000_000, 100),
            snapshot("b", "api", 0, 0, 100),
            snapshot("a", "api", 2_000, 2_000_000_000, 300),
            snapshot("b", "api", 2_000, 1_000_000_000, 50),
            snapshot("a", "api", 4_000, 3_000_000_000, 100),
            snapshot("b", "api", 4_000, 2_000_000_000, 50),
            snapshot("c", "db", 0, 0, 7),
        ];
        let used = usage(&series);
        assert_eq!((used[0].service.as_str(), used[0].over_ms, used[0].memory), ("api", 4_000, 350));
        assert!((used[0].cpu - 1.0).abs() < 1e-9, "{}", used[0].cpu);
        assert_eq!((used[1].over_ms, used[1].cpu, used[1].memory), (0, 0.0, 7));
    }

    #[test]
    fn a_container_that_was_started_again_counts_from_nothing() {
        let series =
            [snapshot("a", "api", 0, 500, 1), snapshot("a", "api", 10, 100, 1), snapshot("a", "api", 20, 300, 1)];
        let refs: Vec<&Counters> = series.iter().collect();
        assert_eq!(growth(&refs, |s| s.cpu_ns), 300);
    }

    #[test]
    fn a_memory_limit_is_that_of_all_containers_or_none() {
        let one = Counters { memory_limit: Some(5), ..snapshot("a", "api", 0, 0, 0) };
        let two = Counters { memory_limit: Some(7), ..snapshot("b", "api", 0, 0, 0) };
        assert_eq!(usage(&[one.clone(), two])[0].memory_limit, Some(12));
        assert_eq!(usage(&[one, snapshot("b", "api", 0, 0, 0)])[0].memory_limit, None);
    }

    #[test]
    fn what_is_beyond_a_limit_is_reported_with_both_figures() {
        let used = Usage { service: "api".into(), over_ms: 1, cpu: 1.5, memory: 500 << 20, ..Usage::default() };
        let limits = ResourceLimits { memory: Some(Size(400 << 20)), cpu: Some(1.0), queries_per_request: Some(3.0) };
        let reported: Vec<String> = beyond(&used, Some(11.0), &limits)
            .into_iter()
            .map(|f| format!("{}: {}, {}", f.place.object, f.expected, f.found))
            .collect();
        assert_eq!(
            reported,
            [
                "api: memory: at most 400.0 MiB, 500.0 MiB",
                "api: cpu: at most 1 cores, 1.50 cores",
                "api: queries per request: at most 3, 11.00"
            ]
        );
        assert!(beyond(&used, Some(11.0), &ResourceLimits::default()).is_empty());
        let wide = ResourceLimits { memory: Some(Size(501 << 20)), cpu: Some(1.5), queries_per_request: Some(11.0) };
        assert!(beyond(&used, Some(11.0), &wide).is_empty());
    }

    #[test]
    fn a_limit_that_could_not_be_checked_is_printed() {
        let limits = ResourceLimits { memory: Some(Size(1)), cpu: None, queries_per_request: Some(1.0) };
        let printed = unchecked(None, None, &limits);
        assert_eq!(printed.len(), 2);
        assert!(printed[1].contains("CREATE EXTENSION pg_stat_statements"), "{printed:?}");
        assert!(unchecked(None, None, &ResourceLimits::default()).is_empty());
    }
}
