//! Makes the plan of a run from what was found: the request, the configuration, both environments.
//!
//! No clock, no I/O: what a plan holds is in [`PlanFacts`], and the same facts make the same plan.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::{
    Environments, Kind, NewDatabase, Plan, PlanDatabase, SchemaFit, ServiceChange, SourceService, rollback_tag,
    source_services,
};
use stagegate_base::{
    compose::{Model, PROXY_SERVICE},
    config::{self, Config, Database, Environment},
    container::{Container, State},
    lifetime::{Lifetime, one_shots, time_to_start},
    release::Release,
    subfolder::Subfolder,
    units::{Size, Span},
};

/// What the checks of a release may take behind a long start, where `verify_within` leaves them no time.
const CHECKS_WITHIN: Duration = Duration::from_secs(60);

/// What the operator wants.
#[derive(Clone, Debug)]
pub struct Request {
    /// Forward or back.
    pub kind: Kind,
    /// The source environment; the target itself in a rollback.
    pub from: String,
    /// The target environment.
    pub to: String,
    /// The release; what the source runs where `None`.
    pub release: Option<String>,
    /// Continue where the readiness score is in the band of caution.
    pub accept_caution: bool,
    /// Roll code alone back although the release may not work on the current schema.
    pub accept_newer_schema: bool,
}

/// What is known of a run before it begins.
#[derive(Clone, Debug)]
pub struct PlanFacts<'a> {
    /// What the operator wants.
    pub request: &'a Request,
    /// The run's id.
    pub run: &'a str,
    /// The id of the target's state folder.
    pub state: String,
    /// The configuration.
    pub config: &'a Config,
    /// The target.
    pub target: &'a Environment,
    /// The git repository.
    pub repository: PathBuf,
    /// Where the product lies in it.
    pub subfolder: Subfolder,
    /// The release that goes in.
    pub release: Release,
    /// The live release.
    pub live: Release,
    /// The frozen model of the live release.
    pub live_model: &'a Model,
    /// The candidate's model as it would run in the target; the live one where it cannot be resolved, and in a rollback.
    pub candidate_model: &'a Model,
    /// The frozen model of what is deployed in the source; `None` where the gate did not deploy it.
    pub source_model: Option<&'a Model>,
    /// The source's containers.
    pub source_containers: &'a [Container],
    /// In a rollback of code alone: what is known of the release on the schema that it will meet.
    pub schema_fit: Option<SchemaFit>,
    /// The target's databases that could be reached, with their sizes.
    pub databases: Vec<PlanDatabase>,
    /// The databases that the live release does not have.
    pub new_databases: Vec<NewDatabase>,
}

/// Returns the plan of a run.
///
/// Volumes, rows that a rollback would undo, and what is replaced without downtime are not in it yet: they are looked up by
/// what it gives.
#[must_use]
pub fn plan(facts: PlanFacts<'_>) -> Plan {
    let (gate, request, target) = (&facts.config.gate, facts.request, facts.target);
    let source = match request.kind {
        Kind::Promote => source_services(facts.source_model, facts.source_containers),
        Kind::Rollback { .. } => BTreeMap::<String, SourceService>::new(),
    };
    Plan {
        kind: request.kind.clone(),
        run: facts.run.to_owned(),
        environments: Environments { source: request.from.clone(), target: request.to.clone() },
        project: target.project.clone(),
        tag: rollback_tag(facts.run),
        workdir: target.workdir.clone(),
        env_files: target.env_files.clone(),
        services: service_changes(&facts),
        volumes: Vec::new(),
        source,
        rows_since: Vec::new(),
        schema_fit: facts.schema_fit.clone(),
        rehearses_rollback: rehearses_rollback(&facts),
        readiness_needed: readiness_needed(&facts),
        public: closable(&facts),
        reachable: reachable(&facts),
        freeze: freeze(&facts),
        ports: gate.door,
        tier: tier(&facts),
        integrity: gate.integrity,
        stop_grace: stop_grace(&facts),
        verify_within: Span(verify_within(&facts)),
        rollback_within: Some(gate.rollback_within),
        // Either release has to have the time that its own healthchecks need.
        ready_within: Span(time_to_start(target, facts.live_model).max(time_to_start(target, facts.candidate_model))),
        soak: gate.soak,
        confirm_within: confirm_within(target, &request.kind),
        migrate_within: gate.migrate_within,
        backup_within: gate.backup_within,
        keep: gate.keep,
        accept_caution: request.accept_caution,
        watchdog: watchdog(&facts),
        by: None,
        file: None,
        trace_parent: None,
        rollout: None,
        cross_versions: gate.cross_versions,
        longest_stall: gate.longest_stall,
        state: facts.state,
        previous: facts.live,
        repository: facts.repository,
        subfolder: facts.subfolder,
        release: facts.release,
        databases: facts.databases,
        new_databases: facts.new_databases,
    }
}

/// Returns how long a deploy may take until it is verified: `verify_within`, and at least what the longest `start_period` of
/// either release's healthchecks needs.
fn verify_within(facts: &PlanFacts<'_>) -> Duration {
    let gate = &facts.config.gate;
    let longest = |model: &Model| model.services().iter().map(|service| model.start_period(service)).max();
    let period = longest(facts.live_model).max(longest(facts.candidate_model)).unwrap_or_default();
    if period + gate.soak.0 < gate.verify_within.0 {
        return gate.verify_within.0;
    }
    gate.verify_within.0.max(period + gate.soak.0 + CHECKS_WITHIN)
}

/// Returns how long a promotion waits for a confirmation; a rollback waits for nobody.
fn confirm_within(target: &config::Environment, kind: &Kind) -> Option<Span> {
    target.confirm_within.filter(|_| *kind == Kind::Promote)
}

/// Returns how data is rolled back: a role that is no superuser has it restored from a dump, unless the configuration wants
/// another tier.
fn tier(facts: &PlanFacts<'_>) -> config::Tier {
    let is_limited = facts.databases.iter().any(|database| database.is_limited);
    match facts.config.gate.tier {
        config::Tier::Auto if is_limited => config::Tier::Restore,
        tier => tier,
    }
}

/// Returns how much longer than Compose's own time services of either release may take to stop.
fn stop_grace(facts: &PlanFacts<'_>) -> Span {
    Span(facts.live_model.stop_grace().max(facts.candidate_model.stop_grace()))
}

/// What stopping services, starting the release and deciding may take next to the limits that the configuration has: a service
/// gets up to 110 s to stop.
const CUT_OVER: Duration = Duration::from_secs(180);

/// Returns how long the watchdog waits: more than the steps between the cut-over and the point of no return may take, since a
/// release that fails at the end of `verify_within` is the gate's to roll back.
fn watchdog(facts: &PlanFacts<'_>) -> Option<Span> {
    let gate = &facts.config.gate;
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let of_data =
        gate.migrate_within.0.saturating_add(gate.backup_within.0).saturating_mul(count(facts.databases.len()));
    let volumes = facts.config.volumes.values().filter(|volume| volume.rollback).count();
    let of_volumes = gate.backup_within.0.saturating_mul(count(volumes));
    let rollout = &facts.target.rollout;
    let canary = rollout.canary_within.0.saturating_mul(count(rollout.canary.len()));
    // Once where writers are stopped, and once where the release replaces what runs.
    let stops = stop_grace(facts).0.saturating_mul(2);
    let confirmation = facts.target.confirm_within.unwrap_or_default().0;
    let steps = [gate.verify_within.0, of_data, of_volumes, canary, stops, confirmation];
    let all = steps.into_iter().fold(CUT_OVER, Duration::saturating_add);
    gate.watchdog.then(|| gate.commit_within.unwrap_or(Span(all)))
}

/// Returns whether a rollback of code alone is rehearsed: no rehearsal has shown whether the release works on this schema, and
/// whoever rolls back has not accepted that.
fn rehearses_rollback(facts: &PlanFacts<'_>) -> bool {
    let is_unknown = matches!(facts.schema_fit, Some(SchemaFit::Unknown { .. }));
    is_unknown && !facts.request.accept_newer_schema && !facts.databases.is_empty()
}

/// Returns the score that the run needs, which `--accept-caution` lowers.
fn readiness_needed(facts: &PlanFacts<'_>) -> Option<u8> {
    let policy = &facts.config.readiness;
    let needed = if facts.request.accept_caution { policy.caution } else { policy.ready };
    (facts.request.kind == Kind::Promote).then_some(needed)
}

/// Returns whether a service keeps data, so that it runs on while the others are stopped.
fn is_stateful(facts: &PlanFacts<'_>, service: &str) -> bool {
    let is_store = |service: &config::Service| matches!(service.kind, config::Kind::Postgres | config::Kind::Redis);
    facts.databases.iter().any(|database| database.service == service)
        || facts.config.services.get(service).is_some_and(is_store)
}

/// Returns the candidate's services that start by themselves and keep no data.
fn stateless(facts: &PlanFacts<'_>) -> Vec<String> {
    let model = facts.candidate_model;
    let services = model.services().into_iter();
    services.filter(|service| !model.has_profile(service) && !is_stateful(facts, service)).collect()
}

/// Returns the services whose traffic can be turned off.
fn closable(facts: &PlanFacts<'_>) -> Vec<String> {
    stateless(facts).into_iter().filter(|service| facts.candidate_model.can_be_closed(service)).collect()
}

/// Returns the services that stay reachable all the same, each with its network.
fn reachable(facts: &PlanFacts<'_>) -> Vec<(String, String)> {
    let networks = |service: &String| facts.candidate_model.reached_while_closed(service);
    let each = |service: String| networks(&service).into_iter().map(move |network| (service.clone(), network));
    stateless(facts).into_iter().flat_map(each).collect()
}

/// Returns the services that are stopped while data is frozen, in this order.
fn freeze(facts: &PlanFacts<'_>) -> Vec<String> {
    if let Some(services) = &facts.config.gate.freeze {
        return services.clone();
    }
    let model = facts.live_model;
    let stateless = model.services().into_iter().filter(|service| !is_stateful(facts, service));
    // What users reach first, so that requests under way still find what they need.
    let (public, rest): (Vec<String>, Vec<String>) = stateless.partition(|service| model.publishes(service));
    let one_shots = one_shots(facts.config, model);
    let is_running = |service: &String| !one_shots.contains(service) && !model.has_profile(service);
    public.into_iter().chain(rest).filter(is_running).collect()
}

fn service_changes(facts: &PlanFacts<'_>) -> Vec<ServiceChange> {
    let (Kind::Promote, Some(next)) = (&facts.request.kind, facts.source_model) else { return Vec::new() };
    let mut names: Vec<String> = facts.live_model.services();
    names.extend(next.services());
    names.sort();
    names.dedup();
    // The proxy is the environment's, not the release's.
    names.retain(|name| name != PROXY_SERVICE);
    let image = |model: &Model, name: &str| model.has(name).then(|| model.image(name).to_owned());
    let change =
        |service: String| ServiceChange { from: image(facts.live_model, &service), to: image(next, &service), service };
    names.into_iter().map(change).collect()
}

/// Returns a configured database as a plan holds it; its size is not known yet.
#[must_use]
pub fn plan_database(database: &Database, model: &Model) -> PlanDatabase {
    let user = || model.variable(&database.service, "POSTGRES_USER").map(|user| user.expose().to_owned());
    PlanDatabase {
        id: database.id.clone(),
        service: database.service.clone(),
        name: database.name.clone(),
        role: database.role.clone().or_else(user).unwrap_or_else(|| "postgres".to_owned()),
        password_variable: database.password_variable.clone(),
        ca: database.ca.clone(),
        is_limited: false,
        migrations: database.migrations.clone(),
        rows_may_fall: database.rows_may_fall.clone(),
        size: Size(0),
        notes: Vec::new(),
    }
}

/// Returns the services that do not run although they should, in words.
#[must_use]
pub fn stopped_services(config: &Config, model: &Model, containers: &[Container]) -> Vec<String> {
    let is_over = |c: &Container| Lifetime::of(config, model, &c.service).is_over(c);
    let stopped = containers.iter().filter(|c| !c.one_off && !is_over(c) && c.state != State::Running);
    stopped.map(stopped_text).collect()
}

fn stopped_text(container: &Container) -> String {
    let (service, state) = (&container.service, format!("{:?}", container.state).to_lowercase());
    match (container.state, container.exit_code) {
        (State::Exited, 0) => format!(
            "{service} exited (code 0). If it is a one-shot job, set `one_shot = true` in [services.{service}], \
             or name it as `migrations` of its database"
        ),
        (State::Exited, code) => format!("{service} exited (code {code})"),
        _ => format!("{service} is {state}"),
    }
}

/// Returns why the configuration does not fit what is deployed.
#[must_use]
pub fn unknown_freeze(config: &Config, model: &Model) -> Option<String> {
    let unknown: Vec<&str> =
        config.gate.freeze.iter().flatten().filter(|name| !model.has(name)).map(String::as_str).collect();
    let (unknown, known) = (unknown.join(", "), model.services().join(", "));
    (!unknown.is_empty())
        .then(|| format!("`freeze` of [gate] names {unknown}, which the target does not have (it has {known})"))
}

/// Returns why a release cannot be restored from git: it was deployed with uncommitted changes.
#[must_use]
pub fn uncommitted(release: &Release) -> Option<String> {
    release.commit.ends_with("-changed").then(|| {
        format!("the target runs {}, which is no commit; deploy one with `gate up --release REV`", release.name)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CONFIG: &str = "[project]\nname = \"shop\"\n[environments.staging]\n[environments.production]\n\
        [services.web]\nport = 80\n[services.cache]\nkind = \"redis\"\n[databases.main]\nservice = \"db\"\nname = \"shop\"\n";

    const MODEL: &str = r#"{"services":{
        "db":{"image":"sha256:aa","ports":[{"target":5432,"published":"5432"}],"environment":{"POSTGRES_USER":"app"}},
        "cache":{"image":"sha256:bb"},
        "tool":{"image":"sha256:cc","profiles":["by-hand"]},
        "migrate":{"image":"sha256:dd"},
        "worker":{"image":"sha256:ee"},
        "web":{"image":"sha256:ff","ports":[{"target":80,"published":"80"}],
               "depends_on":{"migrate":{"condition":"service_completed_successfully"}}}}}"#;

    fn config(more: &str) -> Config {
        Config::parse(Path::new("/srv/shop/stagegate.toml"), &format!("{CONFIG}{more}")).unwrap()
    }

    fn request(kind: Kind, accept_newer_schema: bool) -> Request {
        Request {
            kind,
            from: "staging".into(),
            to: "production".into(),
            release: None,
            accept_caution: true,
            accept_newer_schema,
        }
    }

    fn plan_with(config: &Config, kind: Kind, next: Option<&Model>) -> Plan {
        plan_of(config, &request(kind, false), next, None)
    }

    fn plan_of(config: &Config, request: &Request, next: Option<&Model>, schema_fit: Option<SchemaFit>) -> Plan {
        let live_model = Model::parse(MODEL).unwrap();
        let release = |name: &str| Release { commit: name.repeat(20), name: name.to_owned() };
        plan(PlanFacts {
            request,
            run: "20260102-030405-ab12",
            state: "00112233445566aa".into(),
            config,
            target: config.environment("production").unwrap(),
            repository: "/srv/shop".into(),
            subfolder: Subfolder::default(),
            release: release("v2"),
            live: release("v1"),
            live_model: &live_model,
            candidate_model: &live_model,
            source_model: next,
            source_containers: &[],
            schema_fit,
            databases: config.databases.values().map(|database| plan_database(database, &live_model)).collect(),
            new_databases: Vec::new(),
        })
    }

    #[test]
    fn a_rollback_of_code_alone_is_rehearsed_where_nothing_is_known_and_nothing_was_accepted() {
        let config = config("");
        let unknown = || Some(SchemaFit::Unknown { reason: "a later release changed the schema".to_owned() });
        for (schema_fit, accept_newer_schema, expected) in [
            (unknown(), false, true),
            (unknown(), true, false),
            (Some(SchemaFit::Healthy), false, false),
            (Some(SchemaFit::Unchanged), false, false),
            (None, false, false),
        ] {
            let kind = Kind::Rollback { run: "20260101-000000-aaaa".to_owned(), data: false };
            let request = request(kind, accept_newer_schema);
            let plan = plan_of(&config, &request, None, schema_fit.clone());
            assert_eq!(plan.rehearses_rollback, expected, "{schema_fit:?}");
            assert_eq!(plan.text().contains("is started on a copy of the data first"), expected);
        }
    }

    #[test]
    fn what_keeps_data_runs_on_and_what_users_reach_is_stopped_first() {
        let plan = plan_with(&config(""), Kind::Promote, None);
        assert_eq!(plan.freeze, ["web", "worker"]);
        assert_eq!(plan.public, ["web"], "a database's port is no way in for users");
        assert_eq!(plan_with(&config("[gate]\nfreeze = [\"worker\"]\n"), Kind::Promote, None).freeze, ["worker"]);
    }

    #[test]
    fn a_plan_holds_the_names_of_the_run_and_the_role_of_the_server() {
        let plan = plan_with(&config(""), Kind::Promote, None);
        assert_eq!((plan.tag.as_str(), plan.previous.name.as_str()), ("rollback-20260102-030405", "v1"));
        assert_eq!((plan.databases[0].role.as_str(), plan.accept_caution), ("app", true));
        let own = config("role = \"owner\"\n");
        assert_eq!(plan_with(&own, Kind::Promote, None).databases[0].role, "owner");
    }

    #[test]
    fn each_service_of_both_releases_is_in_the_plan_of_a_promotion_and_none_in_that_of_a_rollback() {
        let next = r#"{"services":{"web":{"image":"sha256:11"},"new":{"image":"sha256:22"}}}"#;
        let next = Model::parse(next).unwrap();
        let changes = plan_with(&config(""), Kind::Promote, Some(&next)).services;
        let of = |name: &str| changes.iter().find(|change| change.service == name).unwrap();
        assert_eq!(changes.len(), 7);
        assert_eq!((of("web").from.as_deref(), of("web").to.as_deref()), (Some("sha256:ff"), Some("sha256:11")));
        assert_eq!((of("new").from.as_deref(), of("worker").to.as_deref()), (None, None));
        assert_eq!(plan_with(&config(""), Kind::Promote, None).readiness_needed, Some(75), "caution is accepted");
        let back = plan_with(&config(""), Kind::Rollback { run: "r".into(), data: false }, Some(&next));
        assert!(back.services.is_empty() && back.source.is_empty() && back.readiness_needed.is_none());
    }

    #[test]
    fn a_service_that_is_frozen_must_be_there() {
        let unknown = unknown_freeze(&config("[gate]\nfreeze = [\"web\", \"wrker\"]\n"), &Model::parse(MODEL).unwrap());
        assert!(unknown.unwrap().starts_with("`freeze` of [gate] names wrker, which the target does not have"));
        assert_eq!(unknown_freeze(&config(""), &Model::parse(MODEL).unwrap()), None);
    }

    #[test]
    fn the_watchdog_waits_longer_than_a_failing_release_may_take() {
        let within = |more: &str| plan_with(&config(more), Kind::Promote, None);
        let (plain, with) = (within(""), within("[volumes.files]\nvolume = \"files\"\n"));
        assert!(plain.watchdog.unwrap().0 >= plain.verify_within.0 + CUT_OVER, "{:?}", plain.watchdog);
        assert_eq!(with.watchdog.unwrap().0 - plain.watchdog.unwrap().0, plain.backup_within.0);
        assert_eq!(within("[gate]\ncommit_within = \"20s\"\n").watchdog.unwrap().0, Duration::from_secs(20));
    }
}
