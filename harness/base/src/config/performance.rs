//! `[[performance]]`: what is measured, under which load, for how long, and what is too slow.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{Config, ConfigError, Database, Growth, Kind, Service, WORKFLOW_WITHIN, WORKFLOWS, growth::RawGrowth};
use crate::{
    suggest::closest,
    units::{Share, Size, Span},
};

/// One thing that is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Its name: `a-z`, `0-9`, `-`, `_`. Part of the names of trials, baselines and files.
    pub name: String,
    /// What is asked.
    pub target: Target,
    /// How it is asked where absolute limits are checked.
    pub load: Load,
    /// How long it is asked before anything counts.
    pub warm_up: Span,
    /// When enough was asked for the absolute limits.
    pub budget: Budget,
    /// How long a comparison with another release may take at most.
    pub compare_within: Span,
    /// How long one request may take; what takes longer is a timeout.
    pub timeout: Span,
    /// What is too slow, in absolute figures.
    pub limits: Limits,
    /// What is too much of the machine, for the service that is asked.
    pub resources: ResourceLimits,
    /// A candidate that is slower by less than this is no slower.
    pub minimum_effect: Share,
    /// By how much a request may cost more than with the control.
    pub grow: Growth,
}

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Target {
    /// An HTTP request to a service.
    Http {
        /// The compose service, one of `[services]`.
        service: String,
        /// Method, upper case.
        method: String,
        /// Path and query, from the slash.
        path: String,
        /// Headers.
        headers: BTreeMap<String, String>,
        /// Body.
        body: Option<String>,
    },
    /// An SQL statement on a database.
    Sql {
        /// The database's id in `[databases]`.
        database: String,
        /// One statement.
        sql: String,
    },
    /// A workflow, from its first step to its last.
    Workflow {
        /// Its file, relative to the environment's workdir.
        file: PathBuf,
    },
}

/// How a probe asks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Load {
    /// Open loop: this many requests a second, each at its intended time, whether or not others have been answered.
    Rate(f64),
    /// Closed loop: this many at a time, each sent when the one before it was answered.
    Concurrency(u32),
}

/// When enough was asked; the warm-up is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Budget {
    /// After this many requests.
    Samples(u64),
    /// After this time.
    Time(Span),
}

/// Absolute limits; what is `None` has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// The median.
    pub p50: Option<Span>,
    /// 90 of 100 requests.
    pub p90: Option<Span>,
    /// 95 of 100 requests.
    pub p95: Option<Span>,
    /// 99 of 100 requests.
    pub p99: Option<Span>,
    /// 999 of 1,000 requests.
    pub p999: Option<Span>,
    /// Every request.
    pub max: Option<Span>,
    /// Errors and timeouts, of all requests.
    pub error_rate: Option<Share>,
}

impl Limits {
    /// Returns whether there is any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Limits::default()
    }
}

/// What is too much of the machine during the load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceLimits {
    /// Most memory of the service's containers, together.
    pub memory: Option<Size>,
    /// Most processor time a second, in cores, on average over the load.
    pub cpu: Option<f64>,
    /// Most SQL statements a request.
    pub queries_per_request: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPerformance {
    name: Spanned<String>,
    service: Option<String>,
    method: Option<String>,
    path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    database: Option<String>,
    sql: Option<String>,
    workflow: Option<PathBuf>,
    rate: Option<f64>,
    concurrency: Option<u32>,
    warm_up: Option<Span>,
    samples: Option<u64>,
    duration: Option<Span>,
    compare_within: Option<Span>,
    timeout: Option<Span>,
    minimum_effect: Option<Share>,
    p50: Option<Span>,
    p90: Option<Span>,
    p95: Option<Span>,
    p99: Option<Span>,
    p999: Option<Span>,
    max: Option<Span>,
    error_rate: Option<Share>,
    memory: Option<MostSize>,
    cpu: Option<Most>,
    queries_per_request: Option<Most>,
    #[serde(default)]
    grow: RawGrowth,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MostSize {
    max: Size,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Most {
    max: f64,
}

/// What a probe may name.
pub(super) struct Known<'a> {
    pub(super) services: &'a BTreeMap<String, Service>,
    pub(super) databases: &'a BTreeMap<String, Database>,
}

/// What is wrong with one probe: the message, and what to write instead.
type Wrong = (String, String);

/// Reads the probes in the order of the file; `error` puts a message to a place of the text.
pub(super) fn probes(
    raw: &[Spanned<RawPerformance>],
    known: &Known<'_>,
    error: impl Fn(usize, String, String) -> ConfigError,
) -> Result<Vec<Probe>, ConfigError> {
    let mut probes: Vec<Probe> = Vec::with_capacity(raw.len());
    for entry in raw {
        let read = probe(entry.get_ref(), known).and_then(|probe| match probes.iter().any(|p| p.name == probe.name) {
            true => {
                Err((format!("two probes have the name `{}`", probe.name), "give each probe its own `name`".to_owned()))
            }
            false => Ok(probe),
        });
        probes.push(read.map_err(|(message, hint)| error(entry.get_ref().name.span().start, message, hint))?);
    }
    Ok(probes)
}

fn probe(raw: &RawPerformance, known: &Known<'_>) -> Result<Probe, Wrong> {
    let name = raw.name.get_ref();
    let is_good = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
    if !is_good {
        return Err((format!("probe name `{name}` cannot be used in a file name"), "use a-z, 0-9, - and _".into()));
    }
    let seconds = |span: Option<Span>, or: u64| span.unwrap_or(Span(Duration::from_secs(or)));
    let timeout = if raw.workflow.is_some() { WORKFLOW_WITHIN } else { Duration::from_secs(5) };
    Ok(Probe {
        name: name.clone(),
        target: target(raw, known)?,
        load: load(raw)?,
        warm_up: seconds(raw.warm_up, 1),
        budget: budget(raw)?,
        compare_within: seconds(raw.compare_within, 60),
        timeout: raw.timeout.unwrap_or(Span(timeout)),
        limits: limits(raw)?,
        resources: resources(raw)?,
        minimum_effect: raw.minimum_effect.unwrap_or(Share(0.02)),
        grow: raw.grow.read().ok_or_else(|| {
            (
                format!("probe `{name}`: grow.queries must be a number of statements, 0 or more"),
                "write 0 or a higher number".to_owned(),
            )
        })?,
    })
}

fn target(raw: &RawPerformance, known: &Known<'_>) -> Result<Target, Wrong> {
    let name = raw.name.get_ref();
    match (&raw.service, &raw.database, &raw.workflow) {
        (Some(service), None, None) => http(raw, service, known),
        (None, Some(database), None) => sql(raw, database, known),
        (None, None, Some(file)) => workflow(raw, file),
        (None, None, None) => Err((
            format!("probe `{name}` has nothing to measure"),
            "add `service` and `path`, or `database` and `sql`, or `workflow`".to_owned(),
        )),
        _ => Err((
            format!("probe `{name}` names more than one of `service`, `database` and `workflow`"),
            "keep one of them, and add a second [[performance]] for the other".to_owned(),
        )),
    }
}

fn http(raw: &RawPerformance, service: &str, known: &Known<'_>) -> Result<Target, Wrong> {
    let name = raw.name.get_ref();
    let names: Vec<&str> =
        known.services.values().filter(|s| s.kind == Kind::Http).map(|service| service.name.as_str()).collect();
    if !names.contains(&service) {
        let message = format!("probe `{name}`: `{service}` is not an HTTP service (known: {})", names.join(", "));
        return Err((message, near(service, &names, &format!("add [services.{service}] with kind = \"http\""))));
    }
    let Some(path) = &raw.path else {
        return Err((
            format!("probe `{name}`: `service` is set and `path` is not"),
            "add `path = \"/...\"`".to_owned(),
        ));
    };
    if !path.starts_with('/') {
        let message = format!("probe `{name}`: path `{path}` does not begin with `/`");
        return Err((message, format!("write \"/{path}\"")));
    }
    Ok(Target::Http {
        service: service.to_owned(),
        method: raw.method.as_deref().unwrap_or("GET").to_ascii_uppercase(),
        path: path.clone(),
        headers: raw.headers.clone(),
        body: raw.body.clone(),
    })
}

fn sql(raw: &RawPerformance, database: &str, known: &Known<'_>) -> Result<Target, Wrong> {
    let name = raw.name.get_ref();
    let names: Vec<&str> = known.databases.keys().map(String::as_str).collect();
    if !names.contains(&database) {
        let message = format!("probe `{name}`: unknown database `{database}` (known: {})", names.join(", "));
        return Err((message, near(database, &names, &format!("add [databases.{database}]"))));
    }
    match &raw.sql {
        Some(sql) => Ok(Target::Sql { database: database.to_owned(), sql: sql.clone() }),
        None => Err((
            format!("probe `{name}`: `database` is set and `sql` is not"),
            "add `sql = \"SELECT ...\"`".to_owned(),
        )),
    }
}

fn workflow(raw: &RawPerformance, file: &Path) -> Result<Target, Wrong> {
    let name = raw.name.get_ref();
    let is_one = file.parent() == Some(Path::new(WORKFLOWS)) && file.extension().is_some_and(|ending| ending == "toml");
    if !is_one {
        let message = format!("probe `{name}`: `{}` is not a workflow file", file.display());
        return Err((message, format!("write \"{WORKFLOWS}/<name>.toml\"")));
    }
    if raw.memory.is_some() || raw.cpu.is_some() || raw.queries_per_request.is_some() {
        let message = format!("probe `{name}` is a workflow, and its limits on resources apply to one service");
        return Err((message, "move these limits to a probe of the service".to_owned()));
    }
    Ok(Target::Workflow { file: file.to_owned() })
}

fn near(found: &str, known: &[&str], otherwise: &str) -> String {
    closest(found, known).map_or_else(|| otherwise.to_owned(), |name| format!("did you mean `{name}`?"))
}

fn load(raw: &RawPerformance) -> Result<Load, Wrong> {
    let name = raw.name.get_ref();
    match (raw.rate, raw.concurrency) {
        (Some(_), Some(_)) => Err((
            format!("probe `{name}` sets both `rate` and `concurrency`"),
            "keep `rate` for requests at fixed times, or `concurrency` for the next request after each response"
                .to_owned(),
        )),
        (Some(rate), None) if !(rate.is_finite() && rate > 0.0) => Err((
            format!("probe `{name}`: rate must be above 0, found {rate}"),
            "write requests per second, such as 20".into(),
        )),
        (Some(rate), None) => Ok(Load::Rate(rate)),
        (None, Some(0)) => {
            Err((format!("probe `{name}`: concurrency must be above 0, found 0"), "write a number above 0".into()))
        }
        (None, Some(concurrency)) => Ok(Load::Concurrency(concurrency)),
        (None, None) => Ok(Load::Concurrency(1)),
    }
}

fn budget(raw: &RawPerformance) -> Result<Budget, Wrong> {
    let name = raw.name.get_ref();
    match (raw.samples, raw.duration) {
        (Some(_), Some(_)) => {
            Err((format!("probe `{name}` sets both `samples` and `duration`"), "keep one of them".to_owned()))
        }
        (Some(0), None) => {
            Err((format!("probe `{name}`: samples must be above 0, found 0"), "write a number above 0".into()))
        }
        (Some(samples), None) => Ok(Budget::Samples(samples)),
        (None, Some(Span(Duration::ZERO))) => Err((
            format!("probe `{name}`: duration must be above 0s, found 0s"),
            "write a duration such as \"30s\"".to_owned(),
        )),
        (None, duration) => Ok(Budget::Time(duration.unwrap_or(Span(Duration::from_secs(5))))),
    }
}

fn limits(raw: &RawPerformance) -> Result<Limits, Wrong> {
    let name = raw.name.get_ref();
    let (p50, p90, p95) = (raw.p50, raw.p90, raw.p95);
    let limits = Limits { p50, p90, p95, p99: raw.p99, p999: raw.p999, max: raw.max, error_rate: raw.error_rate };
    let ordered = [("p50", p50), ("p90", p90), ("p95", p95), ("p99", raw.p99), ("p999", raw.p999), ("max", raw.max)];
    let set: Vec<(&str, Span)> = ordered.iter().filter_map(|(key, span)| span.map(|span| (*key, span))).collect();
    match set.windows(2).find(|pair| pair[0].1 > pair[1].1) {
        Some(pair) => Err((
            format!("probe `{name}`: {} = \"{}\" is above {} = \"{}\"", pair[0].0, pair[0].1, pair[1].0, pair[1].1),
            "a higher percentile needs a limit at least as high".to_owned(),
        )),
        None => Ok(limits),
    }
}

fn resources(raw: &RawPerformance) -> Result<ResourceLimits, Wrong> {
    let limits = ResourceLimits {
        memory: raw.memory.as_ref().map(|most| most.max),
        cpu: raw.cpu.as_ref().map(|most| most.max),
        queries_per_request: raw.queries_per_request.as_ref().map(|most| most.max),
    };
    let is_wrong = |most: Option<f64>| most.is_some_and(|most| !(most.is_finite() && most > 0.0));
    match is_wrong(limits.cpu) || is_wrong(limits.queries_per_request) {
        true => Err((
            format!("probe `{}`: limits must be above 0", raw.name.get_ref()),
            "write a number above 0".to_owned(),
        )),
        false => Ok(limits),
    }
}

impl Config {
    /// Returns a probe by name.
    #[must_use]
    pub fn probe(&self, name: &str) -> Option<&Probe> {
        self.performance.iter().find(|probe| probe.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const GOOD: &str = r#"
[project]
name = "shop"
[services.api]
port = 8080
health = "/readyz"
[databases.main]
service = "db"
name = "shop"

[[performance]]
name = "orders"
service = "api"
path = "/orders"
rate = 50
samples = 500
p50 = "20ms"
p95 = "2s"
error_rate = "0.1%"
memory.max = "400MiB"

[[performance]]
name = "newest"
database = "main"
sql = "SELECT 1"

[[performance]]
name = "checkout"
workflow = "workflows/checkout.toml"
"#;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new("/srv/shop/stagegate.toml"), text)
    }

    #[test]
    fn a_probe_has_a_target_a_load_a_budget_and_limits() {
        let config = parse(GOOD).unwrap();
        let orders = config.probe("orders").unwrap();
        assert_eq!(orders.load, Load::Rate(50.0));
        assert_eq!(orders.budget, Budget::Samples(500));
        assert_eq!(orders.limits.error_rate, Some(Share(0.001)));
        assert_eq!(orders.resources.memory, Some(Size(400 << 20)));
        assert!(matches!(&orders.target, Target::Http { method, .. } if method == "GET"));
        let newest = config.probe("newest").unwrap();
        assert_eq!((newest.load, newest.minimum_effect), (Load::Concurrency(1), Share(0.02)));
        assert!(newest.limits.is_empty());
        let checkout = config.probe("checkout").unwrap();
        assert!(matches!(&checkout.target, Target::Workflow { file } if file == Path::new("workflows/checkout.toml")));
        assert_eq!((newest.timeout.0, checkout.timeout.0), (Duration::from_secs(5), WORKFLOW_WITHIN));
    }

    #[rstest]
    #[case::name("\"orders\"", "\"GET /orders\"", ":12:8: probe name `GET /orders`", "a-z")]
    #[case::twice("\"newest\"", "\"orders\"", ":23:8: two probes have the name `orders`", "its own `name`")]
    #[case::service("service = \"api\"", "service = \"apo\"", "`apo` is not an HTTP service", "did you mean `api`?")]
    #[case::database("database = \"main\"", "database = \"x\"", "unknown database `x` (known: main)", "[databases.x]")]
    #[case::path("\"/orders\"", "\"orders\"", "does not begin with `/`", "\"/orders\"")]
    #[case::nothing("service = \"api\"\n", "", "probe `orders` has nothing to measure", "`service` and `path`")]
    #[case::both("rate = 50", "rate = 50\nconcurrency = 2", "both `rate` and `concurrency`", "keep `rate`")]
    #[case::still("rate = 50", "rate = 0", "rate must be above 0, found 0", "such as 20")]
    #[case::budget("samples = 500", "samples = 0", "samples must be above 0, found 0", "above 0")]
    #[case::order("p50 = \"20ms\"", "p50 = \"3s\"", "p50 = \"3s\" is above p95 = \"2s\"", "higher percentile")]
    #[case::share("\"0.1%\"", "0.1", ":19:14: ", "a text with a number and a unit")]
    #[case::size("\"400MiB\"", "\"400\"", "`400` is not a size", "\"400MiB\"")]
    #[case::workflow(
        "\"workflows/checkout",
        "\"checkout",
        "`checkout.toml` is not a workflow file",
        "workflows/<name>.toml"
    )]
    #[case::used("workflow =", "cpu.max = 1.0\nworkflow =", "apply to one service", "to a probe of the service")]
    #[case::key("samples", "sampels", "unknown key `sampels`", "did you mean `samples`?")]
    fn a_mistake_in_a_probe_is_reported_with_its_place_and_the_way_out(
        #[case] good: &str,
        #[case] bad: &str,
        #[case] place: &str,
        #[case] way_out: &str,
    ) {
        assert!(GOOD.contains(good), "the case must change the text");
        let error = parse(&GOOD.replacen(good, bad, 1)).unwrap_err().to_string();
        assert!(error.contains(place), "{error}");
        assert!(error.contains(way_out), "{error}");
    }
}
