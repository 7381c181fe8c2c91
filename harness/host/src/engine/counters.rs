//! The Engine's counters of a container, as facts.

use bollard::models::{ContainerBlkioStats, ContainerMemoryStats, ContainerStatsResponse};
use stagegate_base::container::Counters;

/// Above this a limit is none: the kernel writes "no limit" as a number of pages that no machine has.
const NO_LIMIT: u64 = 1 << 60;

pub(super) fn snapshot(stats: ContainerStatsResponse) -> Counters {
    let memory = stats.memory_stats.unwrap_or_default();
    let io = stats.blkio_stats.unwrap_or_default();
    let networks = stats.networks.unwrap_or_default();
    Counters {
        id: String::new(),
        service: String::new(),
        at_ms: 0,
        cpu_ns: stats.cpu_stats.and_then(|cpu| cpu.cpu_usage).and_then(|usage| usage.total_usage).unwrap_or_default(),
        memory: memory_in_use(&memory),
        memory_limit: memory.limit.filter(|limit| *limit < NO_LIMIT),
        read: moved(&io, "read"),
        written: moved(&io, "write"),
        received: networks.values().filter_map(|network| network.rx_bytes).sum(),
        sent: networks.values().filter_map(|network| network.tx_bytes).sum(),
        processes: stats.pids_stats.and_then(|pids| pids.current).unwrap_or_default(),
    }
}

/// Returns memory without the file cache that is not in use.
// Source: docker/cli, container/stats_helpers.go: `total_inactive_file` with cgroup v1, `inactive_file` with v2.
fn memory_in_use(memory: &ContainerMemoryStats) -> u64 {
    let stats = memory.stats.as_ref();
    let cache = stats.and_then(|stats| stats.get("total_inactive_file").or_else(|| stats.get("inactive_file")));
    memory.usage.unwrap_or_default().saturating_sub(cache.copied().unwrap_or_default())
}

fn moved(io: &ContainerBlkioStats, way: &str) -> u64 {
    let entries = io.io_service_bytes_recursive.iter().flatten();
    let of_way = entries.filter(|entry| entry.op.as_deref().is_some_and(|op| op.eq_ignore_ascii_case(way)));
    of_way.filter_map(|entry| entry.value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_from_what_the_engine_returns() {
        let response = serde_json::json!({
            "cpu_stats": {"cpu_usage": {"total_usage": 1_234}},
            "memory_stats": {"usage": 1_000, "limit": 5_000, "stats": {"inactive_file": 300}},
            "networks": {"eth0": {"rx_bytes": 1, "tx_bytes": 2}, "eth1": {"rx_bytes": 10, "tx_bytes": 20}},
            "blkio_stats": {"io_service_bytes_recursive": [
                {"major": 8, "minor": 0, "op": "Read", "value": 4}, {"major": 8, "minor": 0, "op": "write", "value": 5},
                {"major": 8, "minor": 16, "op": "read", "value": 6}]},
            "pids_stats": {"current": 7}
        });
        let found = snapshot(serde_json::from_value(response).unwrap());
        assert_eq!((found.cpu_ns, found.memory, found.memory_limit), (1_234, 700, Some(5_000)));
        assert_eq!((found.received, found.sent, found.read, found.written, found.processes), (11, 22, 10, 5, 7));
    }

    #[test]
    fn what_the_engine_does_not_report_is_nothing() {
        assert_eq!(snapshot(ContainerStatsResponse::default()), Counters::default());
        let endless = serde_json::json!({"memory_stats": {"usage": 1, "limit": 9_223_372_036_854_771_712_u64}});
        assert_eq!(snapshot(serde_json::from_value(endless).unwrap()).memory_limit, None);
    }
}
