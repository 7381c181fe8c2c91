//! Which ports does the host open?

use std::collections::BTreeMap;

use super::{
    Check, Facts, Hit, Rule,
    subject::{Port, Subject},
};
use stagegate_base::record::Severity;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "port-on-all-interfaces",
        severity: Severity::Info,
        title: "a port is open on every address of the host",
        why: "Docker's rules come before the host's firewall: the port is open to whoever reaches the machine",
        fix: "publish on one address: `127.0.0.1:8080:80`; waive it for the service that is meant to be public",
        check: Check::Service(all_interfaces),
    },
    Rule {
        id: "database-port-published",
        severity: Severity::Warning,
        title: "a database or cache is reachable from other machines",
        why: "only a password stands between its data and whoever reaches the port; services do not need it published",
        fix: "remove it from `ports`; for manual access, use `docker compose exec`",
        check: Check::Service(database),
    },
    Rule {
        id: "duplicate-port",
        severity: Severity::Required,
        title: "one port of the host is published twice",
        why: "the second container cannot start: `port is already allocated`",
        fix: "publish one of them on another port; omit the host port if a service has replicas",
        check: Check::Stack(duplicates),
    },
];

/// Returns a finding at the port's own entry of the list.
fn hit(port: &Port, expected: &str, found: String) -> Hit {
    Hit::new("ports", expected, found).at_entry([port.published.clone(), port.target.to_string()])
}

fn all_interfaces(subject: &Subject) -> Vec<Hit> {
    let open = subject.ports.iter().filter(|port| port.is_on_all_addresses());
    open.map(|port| hit(port, "an address of the host before the port", port.shown())).collect()
}

/// Ports of databases, caches and queues that take commands, by what listens there.
#[rustfmt::skip]
const STORES: [(u64, &str); 22] = [
    (5432, "PostgreSQL"), (6432, "PgBouncer"), (3306, "MySQL"), (1433, "SQL Server"), (1521, "Oracle"),
    (27017, "MongoDB"), (6379, "Redis"), (11211, "memcached"), (9200, "Elasticsearch"), (9300, "Elasticsearch"),
    (9042, "Cassandra"), (5984, "CouchDB"), (8086, "InfluxDB"), (2379, "etcd"), (8123, "ClickHouse"),
    (7474, "Neo4j"), (7687, "Neo4j"), (6333, "Qdrant"), (6334, "Qdrant"), (19530, "Milvus"), (28015, "RethinkDB"),
    // Without TLS, whoever reaches it is root on that engine.
    (2375, "Docker Engine"),
];

fn database(subject: &Subject) -> Vec<Hit> {
    let mut hits = Vec::new();
    // Whoever is on the machine already is not kept out by the port's address; `port-on-all-interfaces` advises it.
    for port in subject.ports.iter().filter(|port| port.protocol == "tcp" && !port.is_loopback()) {
        // The port of ClickHouse's own clients is another server's, too.
        let is_clickhouse = port.target == 9000 && subject.image.contains("clickhouse");
        let known = STORES.iter().find(|(number, _)| *number == port.target).map(|(_, name)| *name);
        if let Some(name) = known.or(is_clickhouse.then_some("ClickHouse")) {
            hits.push(hit(port, "not published", format!("{name}: {}", port.shown())));
        }
    }
    hits
}

/// Returns whether two services are started by one `up`: those that have no profile, or one in common. Others may be meant
/// as alternatives, such as a proxy of each environment.
fn may_run_together(a: &Subject, b: &Subject) -> bool {
    match (a.has_profile, b.has_profile) {
        (true, true) => a.profiles.iter().any(|profile| b.profiles.contains(profile)),
        (a, b) => a == b,
    }
}

fn duplicates(facts: &Facts, subjects: &[Subject]) -> Vec<Hit> {
    let open: Vec<(&Subject, &Port)> =
        subjects.iter().flat_map(|subject| subject.ports.iter().map(move |port| (subject, port))).collect();
    let mut hits = Vec::new();
    // Only ports of one number can be in each other's way.
    let mut earlier: BTreeMap<&str, Vec<(&Subject, &Port)>> = BTreeMap::new();
    for (subject, port) in &open {
        let same_number = earlier.entry(&port.published).or_default();
        let rival = same_number.iter().find(|(other, one)| may_run_together(other, subject) && one.collides(port));
        if let Some((other, _)) = rival {
            let found = format!("{}, which `{}` also publishes", port.shown(), other.service);
            hits.push(hit(port, "a port of its own", found).of(&subject.service));
        }
        same_number.push((subject, port));
    }
    let replicas = |subject: &Subject| facts.model.as_ref().map_or(1, |model| model.replicas(&subject.service));
    for (subject, port) in open.iter().filter(|(_, port)| port.is_one()) {
        if replicas(subject) > 1 {
            let found = format!("{} by {} replicas", port.shown(), replicas(subject));
            hits.push(hit(port, "a port for each replica", found).of(&subject.service));
        }
    }
    hits
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;
    use stagegate_base::compose::Model;

    use super::*;

    #[rstest]
    #[case("clickhouse/clickhouse-server:24", 9000, Some("ClickHouse: 0.0.0.0:9000 to 9000/tcp"))]
    #[case("portainer/portainer-ce:2", 9000, None)]
    #[case("qdrant/qdrant:v1", 6333, Some("Qdrant: 0.0.0.0:6333 to 6333/tcp"))]
    #[case("docker:dind", 2375, Some("Docker Engine: 0.0.0.0:2375 to 2375/tcp"))]
    fn a_published_store_is_named(#[case] image: &str, #[case] port: u64, #[case] want: Option<&str>) {
        let ports = json!([{"target": port, "published": port.to_string(), "protocol": "tcp"}]);
        let model = json!({"name": "x", "services": {"it": {"image": image, "ports": ports}}}).to_string();
        let hits = database(&Subject::of_service(&Model::parse(&model).unwrap(), "it", None));
        assert_eq!(hits.first().map(|hit| hit.found.as_str()), want);
    }
}
