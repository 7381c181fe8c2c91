//! Can a service of one environment get to the databases of another?

use std::{collections::BTreeSet, net::IpAddr};

use super::{Contained, Stack};
use stagegate_base::finding::Finding;

/// Where a server may be found: a name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerAddress {
    /// The service that listens there.
    pub service: String,
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What was asked from inside of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachReport {
    /// The container whose network was used.
    pub from: String,
    /// Hosts whose names were resolved, or that accepted a connection, one line each (see [`script`]).
    pub output: String,
}

/// Returns where the servers of `services` (name and port) listen: by the names of their containers, and by their
/// addresses where they run.
#[must_use]
pub fn listeners(stack: &Stack, services: &[(String, u16)]) -> Vec<ServerAddress> {
    let mut places = Vec::new();
    for (service, port) in services {
        let own: Vec<&Contained> = stack.containers.iter().filter(|c| c.service == *service).collect();
        let place = |host: String| ServerAddress { service: service.clone(), host, port: *port };
        if own.is_empty() {
            // Source: Compose 2.26: containers are called <project>-<service>-<number>.
            places.push(place(format!("{}-{service}-1", stack.project)));
        }
        for container in own {
            places.push(place(container.name.clone()));
            let addresses = container.networks.values().filter_map(|end| end.address);
            places.extend(addresses.map(|address| place(address.to_string())));
        }
    }
    places
}

/// Returns where the servers of `services` may be found on the host itself, seen from `from`: at its gateways, where
/// a port is published on every address.
#[must_use]
pub fn doors(stack: &Stack, services: &[(String, u16)], from: &Contained) -> Vec<ServerAddress> {
    let gateways: BTreeSet<IpAddr> = from.networks.values().filter_map(|end| end.gateway).collect();
    let mut places = Vec::new();
    for held in stack.ports().iter().filter(|held| held.what.is_on_all_addresses()) {
        let known = services.iter().find(|(_, port)| held.what.target == u64::from(*port));
        if let (Some((service, _)), Ok(port)) = (known, held.what.published.parse()) {
            places.extend(gateways.iter().map(|ip| ServerAddress {
                service: service.clone(),
                host: ip.to_string(),
                port,
            }));
        }
    }
    places
}

/// What runs inside: it writes `known HOST` for each host that has an address, `open HOST PORT` for each port that
/// accepts a connection, and `asked` at the end. Its arguments are hosts and ports in turn.
#[must_use]
pub fn script() -> &'static str {
    r#"ask() {
  case $1 in
    *[!0-9.:a-f]*) timeout 2 getent hosts "$1" >/dev/null 2>&1 || return 0; echo "known $1" ;;
  esac
  timeout 1 bash -c '</dev/tcp/"$0"/"$1"' "$1" "$2" 2>/dev/null && echo "open $1 $2"
  return 0
}
while [ $# -gt 1 ]; do ask "$1" "$2" & shift 2; done
wait
echo asked"#
}

/// Why a look from inside proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// The script did not end.
    #[error("nothing could be checked from inside of {from}")]
    NotRun {
        /// The container.
        from: String,
    },
    /// What must be found was not found either.
    #[error("not even its own databases can be reached from inside, so the check proves nothing")]
    NoControl,
}

/// Returns which of `places` were found from inside, by name or by a connection.
///
/// # Errors
/// [`NotProven`] where a report is not whole, or `control` (this environment's own servers) was not found from anywhere.
pub fn reached(
    reports: &[ReachReport],
    places: &[ServerAddress],
    control: &[ServerAddress],
    environment: &str,
) -> Result<Vec<Finding>, NotProven> {
    if let Some(broken) = reports.iter().find(|report| !report.output.lines().any(|line| line == "asked")) {
        return Err(NotProven::NotRun { from: broken.from.clone() });
    }
    let is_open =
        |report: &ReachReport, place: &ServerAddress| has_line(report, &format!("open {} {}", place.host, place.port));
    if !control.is_empty() && !reports.iter().any(|report| control.iter().any(|place| is_open(report, place))) {
        return Err(NotProven::NoControl);
    }
    let mut findings = Vec::new();
    for report in reports {
        for place in places {
            let found = match (is_open(report, place), has_line(report, &format!("known {}", place.host))) {
                (true, _) => format!("{}:{} accepts a connection", place.host, place.port),
                (false, true) => format!("{} has an address", place.host),
                (false, false) => continue,
            };
            findings.push(Finding::differs(
                format!("{} of `{environment}`, from {}", place.service, report.from),
                "unreachable",
                found,
            ));
        }
    }
    Ok(findings)
}

fn has_line(requested: &ReachReport, line: &str) -> bool {
    requested.output.lines().any(|found| found == line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn production() -> Stack {
        let container = Contained::of_inspect(&json!({
            "Name": "/shop-production-db-1", "State": { "Running": true },
            "Config": { "Labels": { "com.docker.compose.service": "db" } },
            "NetworkSettings": { "Networks": { "shop-production_back": { "IPAddress": "172.20.0.2" } } } }));
        Stack {
            environment: "production".to_owned(),
            project: "shop-production".to_owned(),
            model: None,
            containers: vec![container],
        }
    }

    fn report(output: &str) -> ReachReport {
        ReachReport { from: "shop-staging-api-1".to_owned(), output: output.to_owned() }
    }

    fn own() -> Vec<ServerAddress> {
        vec![ServerAddress { service: "db".to_owned(), host: "shop-staging-db-1".to_owned(), port: 5432 }]
    }

    #[test]
    fn a_database_is_looked_for_by_name_and_by_address() {
        let services = [("db".to_owned(), 5432), ("cache".to_owned(), 6379)];
        let hosts: Vec<String> = listeners(&production(), &services).into_iter().map(|place| place.host).collect();
        assert_eq!(hosts, ["shop-production-db-1", "172.20.0.2", "shop-production-cache-1"]);
    }

    #[test]
    fn what_is_found_from_inside_is_reported_with_where_from() {
        let places = listeners(&production(), &[("db".to_owned(), 5432)]);
        let output = "open shop-staging-db-1 5432\nopen 172.20.0.2 5432\nknown shop-production-db-1\nasked\n";
        let found = reached(&[report(output)], &places, &own(), "production").unwrap();
        let reported: Vec<&str> = found.iter().map(|finding| finding.found.as_str()).collect();
        assert_eq!(reported, ["shop-production-db-1 has an address", "172.20.0.2:5432 accepts a connection"]);
        assert_eq!(found[0].place.object, "db of `production`, from shop-staging-api-1");
    }

    #[test]
    fn a_response_that_proves_nothing_is_no_pass() {
        let places = listeners(&production(), &[("db".to_owned(), 5432)]);
        assert!(reached(&[report("open shop-staging-db-1 5432\n")], &places, &own(), "production").is_err());
        assert!(reached(&[report("asked\n")], &places, &own(), "production").is_err());
    }
}
