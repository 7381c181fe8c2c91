//! The rehearsal: a server of its own, from the same image, with a copy of the data; the release's migrations run
//! there first. It shares no network, no volume and no port with the target, and has no way to this host.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    time::{Duration, Instant},
};

use stagegate_base::{
    command::compose,
    compose::{Model, RUN_LABEL},
    config::{self, Integrity},
    container::State,
    redact::Secret,
    trace_parent::VARIABLE,
};
use stagegate_data_act::outside;
use stagegate_data_decide::{self as data, DataFacts, outside::server_changes};
use stagegate_gate_decide::promotion::{CrossVersionReport, Kind, PlanDatabase, Rehearsal, StartReport, Tier};

use super::{Run, StepError, on_file, stall_probe::Measured};
use stagegate_host::{
    database::Server, files, probe::postgres::Login, release, secret, sockets, stand_in, tls::Authority,
};

const UP_WITHIN: Duration = Duration::from_secs(180);
/// How long the rehearsal's server may take to be made and to take sessions, on a busy machine too: one that ends is noticed
/// at once.
const SERVER_WITHIN: Duration = Duration::from_secs(300);
/// How often it is looked at whether that server has ended.
const EXIT_POLL: Duration = Duration::from_millis(500);
/// A server that was started anew so often does not start, whatever its files say of restarts.
const RESTARTS: i64 = 3;
const DOWN_WITHIN: Duration = Duration::from_secs(60);

/// What the migrations did to the copies.
struct Changes {
    /// Schema or rows differ from before.
    changed: bool,
    took: Duration,
    cross_versions: Option<CrossVersionReport>,
    /// By the database's id.
    impacts: Vec<(String, Measured)>,
    /// What the candidate's start did.
    start: Option<StartReport>,
    /// What the migrations did to the server.
    server_wide: Vec<String>,
}

impl Run {
    pub(super) fn rehearsal_project(&self) -> String {
        format!("stagegate-rehearsal-{}", self.plan.run)
    }

    pub(super) fn rehearsal_file(&self) -> PathBuf {
        self.dir.join("rehearsal.json")
    }

    /// Starts the database services alone, empty, under a project of their own.
    pub(super) async fn start_rehearsal(&self) -> Result<(), StepError> {
        self.end_rehearsal().await?;
        let model = match self.plan.kind {
            Kind::Promote => release::read_model(&self.dir.join("in-tree.json"))?,
            Kind::Rollback { .. } => self.snapshot("old")?.model,
        };
        let servers: BTreeSet<String> = self.plan.databases.iter().map(|d| d.service.clone()).collect();
        let migrations = self.plan.databases.iter().filter_map(|d| d.migrations.clone()).filter(|m| model.has(m));
        let keep: BTreeSet<String> = servers.iter().cloned().chain(migrations).collect();
        let model = self.with_the_running_servers(&model)?;
        let copy = model.without_binds(&sockets::mounted(&model));
        let copy = stand_in::apart(&self.runner, &copy, &servers).await.reduced(&keep, &servers);
        let copy = copy.enclosed(&self.rehearsal_project(), &servers).labelled(RUN_LABEL, &self.plan.run);
        let file = self.rehearsal_file();
        on_file(&file, files::write_whole(&file, copy.to_json().as_bytes()))?;
        stand_in::fill(&self.gate.engine, &copy).await?;
        let services: Vec<String> = servers.into_iter().collect();
        let up = compose::up_services(&self.rehearsal_project(), &file, &services);
        self.runner.run_ok(&up, UP_WITHIN).await?;
        Ok(())
    }

    /// A dump is proven on the server that it is to be restored on: the image that runs now.
    fn with_the_running_servers(&self, model: &Model) -> Result<Model, StepError> {
        let old = self.snapshot("old")?.model;
        let images =
            self.plan.databases.iter().map(|d| (d.service.clone(), old.image(&d.service).to_owned())).collect();
        Ok(model.pinned(&self.plan.release.commit, &images, &std::collections::BTreeMap::new()))
    }

    pub(super) async fn rehearsal_server(&self, database: &PlanDatabase) -> Result<Server, StepError> {
        let containers = self.gate.engine.project(&self.rehearsal_project()).await?;
        let container = containers.iter().find(|c| c.service == database.service && !c.one_off);
        let container = container.ok_or_else(|| StepError::blocked("the rehearsal's database did not start"))?;
        let login = self.rehearsal_login(database)?;
        let password = login.password.unwrap_or_else(|| Secret::new(""));
        let server = Server::new(container, &login.user, password, &self.application());
        Ok(server.verified_by(database.ca.as_deref()))
    }

    /// Returns the login of a superuser of the rehearsal's fresh server: the configured role's, as far as the image makes that
    /// one, else that of POSTGRES_USER.
    pub(super) fn rehearsal_login(&self, database: &PlanDatabase) -> Result<Login, StepError> {
        let model = release::read_model(&self.rehearsal_file())?;
        let file = database.ca.clone();
        let authority = file.map(|file| Authority { file, name: database.service.clone() });
        let own = Login::of_service(&model, &database.service);
        let is_another = model.variable(&database.service, "POSTGRES_USER").is_some() && own.user != database.role;
        let (user, password) = match database.is_limited || is_another {
            true => (own.user, own.password),
            false => {
                let password = secret::variable(&model, &database.service, &database.password_variable);
                (database.role.clone(), password)
            }
        };
        Ok(Login { user, password, database: database.name.clone(), authority })
    }

    /// Waits until the rehearsal's server takes sessions; one that does not is reported with its last words.
    pub(super) async fn wait_for_rehearsal(&self, database: &PlanDatabase, server: &Server) -> Result<(), StepError> {
        let exited = self.until_it_exits(&database.service);
        let waited = tokio::select! {
            waited = server.wait(SERVER_WITHIN) => waited.map_err(|error| stagegate_host::error::with_causes(&error)),
            code = exited => Err(format!("it exited with code {code}")),
        };
        let Err(error) = waited else { return Ok(()) };
        let containers = self.gate.engine.project(&self.rehearsal_project()).await?;
        let container = containers.iter().find(|c| c.service == database.service);
        let logs = match container {
            Some(container) => self.gate.engine.last_logs(&container.id, 5).await?,
            None => String::new(),
        };
        let last: Vec<&str> = logs.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        Err(StepError::blocked(format!(
            "with the release's settings the server of `{}` does not start on a copy: {}; its last log lines: {}",
            database.service,
            error,
            last.join(" | ")
        )))
    }

    /// Waits until a container of the rehearsal has ended for good, and returns its exit code: nobody needs to wait on.
    async fn until_it_exits(&self, service: &str) -> i64 {
        loop {
            tokio::time::sleep(EXIT_POLL).await;
            let containers = self.gate.engine.project(&self.rehearsal_project()).await.unwrap_or_default();
            let ended = |c: &&stagegate_base::container::Container| {
                c.service == service && (c.state == State::Exited || c.restarts >= RESTARTS)
            };
            if let Some(container) = containers.iter().find(ended) {
                return container.exit_code;
            }
        }
    }

    /// Makes the target's roles on the rehearsal's server, so that owners and rights can be restored.
    pub(super) async fn make_roles(&self, database: &PlanDatabase, rehearsal: &Server) -> Result<(), StepError> {
        let live = self.server(database).await?;
        rehearsal.make_roles(&live.roles().await?, &live.superusers().await?).await?;
        if self.rehearsal_login(database)?.user != database.role {
            let model = release::read_model(&self.rehearsal_file())?;
            let password = secret::variable(&model, &database.service, &database.password_variable);
            let password = password.unwrap_or_else(|| Secret::new(""));
            rehearsal.let_in(&database.role, &password, database.is_limited).await?;
        }
        Ok(())
    }

    /// Removes the rehearsal's project, volumes included; that it is gone already is fine.
    pub(super) async fn end_rehearsal(&self) -> Result<(), StepError> {
        self.runner.run_ok(&compose::remove_copy(&self.rehearsal_project()), DOWN_WITHIN).await?;
        Ok(())
    }

    /// Applies the release's migrations to the restored copies and counts what became of the rows.
    pub(super) async fn rehearse(&mut self) -> Result<Rehearsal, StepError> {
        if self.plan.rehearses_rollback {
            return self.rehearse_earlier().await;
        }
        let rehearsed = self.rehearse_each().await;
        let exchange = match &rehearsed {
            Ok(changes) if self.tier_after(changes) != Tier::Code => self.timed_exchange().await,
            _ => None,
        };
        let removed = self.end_rehearsal().await;
        // Whether the rehearsal succeeded or not: this is worse than whatever else it found.
        self.stop_at_changed_live_data().await?;
        let changes = rehearsed.map_err(with_reach_hint)?;
        removed?;
        // The last look before the target is touched.
        self.stop_at_changed_target().await?;
        // Here, since the disk has more room without the rehearsal.
        let tier = self.tier_after(&changes);
        let Changes { took, cross_versions, impacts, start, server_wide, .. } = changes;
        let impacts = impacts.iter().map(|(database, measured)| measured.impact(database)).collect();
        let expected = self.expected_rollback(tier, exchange)?;
        let migration_seconds = took.as_secs_f64();
        Ok(Rehearsal { tier, migration_seconds, impacts, cross_versions, start, earlier: None, server_wide, expected })
    }

    fn tier_after(&self, changes: &Changes) -> Tier {
        match changes.start {
            // What a start changes, or may change, only the data from before undoes.
            Some(StartReport::Changed | StartReport::Unknown { .. }) => self.tier_for_data(),
            _ if changes.changed => self.tier_after_data_change(changes.cross_versions.as_ref()),
            _ => Tier::Code,
        }
    }

    async fn rehearse_each(&self) -> Result<Changes, StepError> {
        let (mut changed, mut took, mut impacts, mut server_wide) = (false, Duration::ZERO, Vec::new(), Vec::new());
        for database in &self.plan.databases {
            let Some(service) = &database.migrations else { continue };
            let server = self.rehearsal_server(database).await?;
            // Always with contents: a migration that only changes values must not look like one that changes nothing.
            let before = stagegate_data_act::facts::facts(&server, &database.name, Integrity::Checksums).await?;
            let outside_before = outside::contents(&server, &database.name).await?;
            let server_before = outside::server_wide(&server).await?;
            self.keep_before(database).await?;
            let started = Instant::now();
            let (project, model) = (self.rehearsal_project(), self.rehearsal_file());
            let migrations = self.run_migrations(&project, &model, service);
            let measured = self.migrate_under_load(database, &server, migrations).await?;
            took += started.elapsed();
            self.stop_at_stall(database, &measured)?;
            impacts.push((database.id.clone(), measured));
            let after = stagegate_data_act::facts::facts(&server, &database.name, Integrity::Checksums).await?;
            self.stop_at_losses(database, &before, &after)?;
            let outside_after = outside::contents(&server, &database.name).await?;
            server_wide.extend(server_changes(&server_before, &outside::server_wide(&server).await?));
            changed |= before != after || outside_before.is_changed_by(&outside_after);
        }
        let start = self.rehearse_start().await?;
        let cross_versions = if changed { self.cross_version_report().await } else { None };
        Ok(Changes { changed, took, cross_versions, impacts, start, server_wide })
    }

    /// Runs a one-shot migrations service of a model under a name of this run.
    pub(super) async fn run_migrations(
        &self,
        project: &str,
        model: &std::path::Path,
        service: &str,
    ) -> Result<(), StepError> {
        let name = self.migrations_container();
        self.remove_migrations().await?;
        let run = compose::run_once(project, model, service, &name, &[VARIABLE]);
        self.runner.run_ok(&self.traced(run), self.plan.migrate_within.0).await?;
        Ok(())
    }

    /// Removes the container of migrations that a killed run left in the rehearsal or in the target.
    pub(super) async fn remove_migrations(&self) -> Result<(), StepError> {
        let projects = [self.rehearsal_project(), self.plan.project.clone()];
        let projects: Vec<&str> = projects.iter().map(String::as_str).collect();
        Ok(self.gate.engine.remove_one_off(&self.migrations_container(), &projects).await?)
    }

    fn migrations_container(&self) -> String {
        format!("stagegate-migrate-{}", self.plan.run)
    }

    pub(super) fn stop_at_losses(
        &self,
        database: &PlanDatabase,
        before: &DataFacts,
        after: &DataFacts,
    ) -> Result<(), StepError> {
        let losses = data::losses(before, after, &database.rows_may_fall);
        if losses.is_empty() {
            return Ok(());
        }
        let (what, verb) =
            if database.migrations.is_some() { ("the migrations of", "lose") } else { ("the start of", "loses") };
        let tables: Vec<String> =
            database.rows_may_fall.iter().cloned().chain(losses.iter().map(|loss| loss.table.clone())).collect();
        Err(StepError::blocked(format!(
            "{what} {} {verb} rows of database `{}`: {}; if that is meant, write into [databases.{}]: rows_may_fall = {tables:?}",
            self.plan.release.name,
            database.name,
            data::losses_text(&losses),
            database.id
        )))
    }

    /// A copy on the server is quickest; where its disk has no room for one, a dump is made instead.
    pub(super) fn tier_for_data(&self) -> Tier {
        match self.plan.tier {
            config::Tier::Swap => Tier::Swap,
            config::Tier::Restore => Tier::Restore,
            config::Tier::Auto => {
                let needed: u64 = self.plan.databases.iter().map(|database| database.size.0).sum();
                let free = self.volumes_free();
                if free.is_some_and(|free| free < needed.saturating_mul(6) / 5) { Tier::Restore } else { Tier::Swap }
            }
        }
    }

    pub(super) fn volumes_free(&self) -> Option<u64> {
        let root: String = self.load("volumes-root.json").ok()?;
        files::free_space(std::path::Path::new(&root))
    }

    pub(super) async fn undo_rehearse(&mut self) -> Result<(), StepError> {
        self.remove_migrations().await?;
        self.end_rehearsal().await
    }
}

/// What programs print that could not reach another host.
const UNREACHED: [&str; 12] = [
    "could not connect",
    "connection to server",
    "could not translate host",
    "no route to host",
    "network is unreachable",
    "connection refused",
    "timed out",
    "timeout",
    "name resolution",
    "name or service not known",
    "getaddrinfo",
    "enotfound",
];

/// Adds what a rehearsal cannot reach where that may be why it failed.
pub(super) fn with_reach_hint(error: StepError) -> StepError {
    let text = error.reason.to_lowercase();
    if !UNREACHED.iter().any(|word| text.contains(word)) {
        return error;
    }
    let hint = "a rehearsal reaches nothing but its own copy, neither this host nor any other: let migrations use the \
                database by its service's name and port";
    StepError { reason: format!("{}; {hint}", error.reason), ..error }
}
