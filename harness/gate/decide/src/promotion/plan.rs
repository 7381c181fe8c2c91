//! What a run is going to do, frozen in its journal before it begins.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{PlanRollout, PlanVolume, SchemaFit, new_database::NewDatabase, plan_origin::PlanOrigin};
use serde::{Deserialize, Serialize};

use stagegate_base::{
    config::{CrossVersions, Integrity, PortsMode},
    mark::{Mark, Role},
    release::Release,
    subfolder::Subfolder,
    trace_parent::TraceParent,
    units::{Size, Span},
};
use stagegate_data_decide::{RowChange, volume::CopyRecord};

/// Whether a run goes to a newer release or back to an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// A release goes from one environment to the next.
    Promote,
    /// The operator rolls an earlier run back.
    Rollback {
        /// The run that is rolled back.
        run: String,
        /// Whether data is rolled back as well, or only code and configuration.
        data: bool,
    },
}

/// One service of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceService {
    /// The image id that it runs.
    pub image: String,
    /// Compose's hash of its configuration; `None` where the service had no container.
    pub config: Option<String>,
}

/// Source and target by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environments {
    /// Where the release was tested; the target itself in a rollback.
    pub source: String,
    /// Where it goes.
    pub target: String,
}

/// A database of the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanDatabase {
    /// The user's name for it.
    pub id: String,
    /// The compose service that runs the server.
    pub service: String,
    /// The database's name.
    pub name: String,
    /// The role to work as.
    pub role: String,
    /// The variable of the service that holds the role's password.
    pub password_variable: String,
    /// The PEM file that the server's certificate is verified by; none is verified where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Whether the role is no superuser: its data is rolled back by a dump then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_limited: bool,
    /// The one-shot service that migrates it.
    pub migrations: Option<String>,
    /// Tables whose rows may become fewer.
    pub rows_may_fall: Vec<String>,
    /// Its size when the plan was made.
    pub size: Size,
    /// What of it does not come along into its copy, in words.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What becomes of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceChange {
    /// The service.
    pub service: String,
    /// Image id now; `None` where it does not run yet.
    pub from: Option<String>,
    /// Image id or reference then; `None` where it goes away.
    pub to: Option<String>,
}

/// What a run is going to do. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Forward or back.
    pub kind: Kind,
    /// The run's id, `YYYYMMDD-HHMMSS-xxxx` (UTC): the key of all that the run makes.
    pub run: String,
    /// The id of the state folder, part of every mark; empty in a plan of a version that set no marks.
    #[serde(default)]
    pub state: String,
    /// Source and target.
    pub environments: Environments,
    /// The target's compose project.
    pub project: String,
    /// The release that goes in.
    pub release: Release,
    /// The live release.
    pub previous: Release,
    /// The git repository.
    pub repository: PathBuf,
    /// Where the product lies in the repository and in its worktrees.
    #[serde(default, skip_serializing_if = "Subfolder::is_top")]
    pub subfolder: Subfolder,
    /// The product's folder in the target's worktree.
    pub workdir: PathBuf,
    /// The target's env files.
    pub env_files: Vec<PathBuf>,
    /// The git tag of the rollback point.
    pub tag: String,
    /// The target's databases.
    pub databases: Vec<PlanDatabase>,
    /// Databases that the live release does not have: not backed up, and left as they are by a rollback.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new_databases: Vec<NewDatabase>,
    /// The target's volumes and folders of `[volumes]`.
    #[serde(default)]
    pub volumes: Vec<PlanVolume>,
    /// Services that are stopped while data is frozen.
    pub freeze: Vec<String>,
    /// Services with users, whose ports stay unpublished until the point of no return, and that leave the networks of
    /// other stacks. Earlier plans call it `door`.
    #[serde(alias = "door")]
    pub public: Vec<String>,
    /// Services that stay reachable from outside all the same, and by what.
    #[serde(default)]
    pub reachable: Vec<(String, String)>,
    /// Whether their ports are closed at all. Earlier plans call it `door_policy`.
    #[serde(alias = "door_policy")]
    pub ports: PortsMode,
    /// The way back that the configuration asks for.
    pub tier: stagegate_base::config::Tier,
    /// What proves that rows are whole.
    pub integrity: Integrity,
    /// What becomes of each service.
    pub services: Vec<ServiceChange>,
    /// What the source ran when the plan was made: the images that are validated and deployed, and no others.
    #[serde(default)]
    pub source: BTreeMap<String, SourceService>,
    /// In a rollback with data: tables whose rows were added or taken away since, `before` being what comes back.
    #[serde(default)]
    pub rows_since: Vec<RowChange>,
    /// In a rollback of code alone: what is known of the release on the schema that it will meet.
    #[serde(default)]
    pub schema_fit: Option<SchemaFit>,
    /// In a rollback of code alone: whether the release is started on a copy of the data first, since no rehearsal has shown
    /// that it works on the schema that it will meet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehearses_rollback: bool,
    /// The readiness score that the release needs; `None` in a rollback, and in plans of earlier versions.
    #[serde(default)]
    pub readiness_needed: Option<u8>,
    /// How much longer than Compose's own 10 s the services may take to stop, together (`stop_grace_period`): it is added to the
    /// limits of the steps that stop them.
    #[serde(default, skip_serializing_if = "Span::is_zero")]
    pub stop_grace: Span,
    /// A deploy that is not verified within this time is a failure.
    pub verify_within: Span,
    /// How long a rollback may take from the decision on; `None` in plans of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_within: Option<Span>,
    /// How long services may take to become ready.
    pub ready_within: Span,
    /// How long services must stay healthy.
    pub soak: Span,
    /// How long the run then waits for somebody to confirm that the release stays; `None` where nobody has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_within: Option<Span>,
    /// How long migrations may take.
    pub migrate_within: Span,
    /// How long a dump or a restore may take.
    pub backup_within: Span,
    /// How many rollback points are kept.
    pub keep: usize,
    /// What is done with each release's run on the other one's schema.
    #[serde(default)]
    pub cross_versions: CrossVersions,
    /// How long the migrations may stall requests to the copy; only reported where `None`.
    #[serde(default)]
    pub longest_stall: Option<Span>,
    /// Continue where the readiness score is in the band of caution.
    #[serde(default)]
    pub accept_caution: bool,
    /// How long after the cut-over the watchdog waits for the point of no return; `None` where there is none.
    #[serde(default)]
    pub watchdog: Option<Span>,
    /// Which services are replaced without downtime; `None` where the environment wants none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<PlanRollout>,
    /// Who began the run; `None` where nothing names anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The plan file that is applied; `None` where the run made its plan itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PlanOrigin>,
    /// The span of another program that the run is a part of; `None` where it is a trace of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_parent: Option<TraceParent>,
}

impl Plan {
    /// Returns the mark, with the name, of what the run makes of `database` for `role`.
    #[must_use]
    pub fn mark(&self, database: &str, role: Role) -> Mark {
        // A plan of a version that set no marks has no state's id, and names its copies as that version did.
        Mark::of(database, role, &self.run, &self.state)
    }

    /// Returns the name of the copy that is made of `database` before it is migrated.
    #[must_use]
    pub fn copy_of(&self, database: &str) -> String {
        self.mark(database, Role::Copy).name
    }

    /// Returns the name under which a failed `database` is kept.
    #[must_use]
    pub fn failed_of(&self, database: &str) -> String {
        self.mark(database, Role::Failed).name
    }

    /// Returns the names of the plan's databases, which are never dropped.
    #[must_use]
    pub fn live(&self) -> Vec<String> {
        self.databases.iter().map(|database| database.name.clone()).collect()
    }

    /// Returns what the run makes of `volume` for `role`.
    #[must_use]
    pub fn copy_record(&self, volume: &PlanVolume, role: Role) -> CopyRecord {
        CopyRecord::of(&volume.live, role, &self.run, &self.state)
    }

    /// Returns the folder on this host of what the run makes of `volume` for `role`.
    #[must_use]
    pub fn copy_path(&self, volume: &PlanVolume, role: Role) -> PathBuf {
        volume.parent.join(self.copy_record(volume, role).path())
    }

    /// Returns the volumes that are copied, or exchanged in a rollback.
    pub fn copied_volumes(&self) -> impl Iterator<Item = &PlanVolume> {
        self.volumes.iter().filter(|volume| volume.stays.is_none())
    }

    /// Returns whether requests are moved by the proxy where no data is frozen.
    #[must_use]
    pub fn moves_traffic(&self) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| !rollout.services.is_empty())
    }

    /// Returns whether volumes are copied, or exchanged in a rollback.
    #[must_use]
    pub fn copies_volumes(&self) -> bool {
        self.copied_volumes().next().is_some()
    }

    /// Returns the services that a rollback of code alone does not start, since a newer release changed the schema: the
    /// earlier one's migrations, most of which end with an error on a schema that is newer than their files.
    #[must_use]
    pub fn resting(&self) -> BTreeSet<String> {
        match &self.schema_fit {
            None | Some(SchemaFit::Unchanged) => BTreeSet::new(),
            Some(_) => self.databases.iter().filter_map(|database| database.migrations.clone()).collect(),
        }
    }

    /// Returns whether code of the release runs on copies of the data before the target is touched.
    #[must_use]
    pub fn is_rehearsed(&self) -> bool {
        self.kind == Kind::Promote || self.rehearses_rollback
    }

    /// Returns the message of the rollback point's git tag, by which it is known as this run's.
    #[must_use]
    pub fn tag_message(&self) -> String {
        format!("{} before run {}", self.environments.target, self.run)
    }

    /// Returns the plan as the operator reads it before the confirmation.
    #[must_use]
    pub fn text(&self) -> String {
        let mut lines = vec![self.headline()];
        lines.push(format!("  release   {} -> {}", self.previous.name, self.release.name));
        lines.extend(self.by.as_ref().map(|name| format!("  by        {}", stagegate_base::text::one_line(name))));
        for change in &self.services {
            lines.push(format!("  service   {:<12} {}", change.service, change_text(change)));
        }
        for database in &self.databases {
            lines.push(format!("  database  {:<12} {}", database.name, database.size));
            lines.extend(database.notes.iter().map(|note| format!("  note      {note}")));
        }
        lines.extend(self.new_databases.iter().map(|database| format!("  database  {}", database.text())));
        lines.extend(self.volumes.iter().map(|volume| format!("  volume    {}", volume.text(self.rolled_back()))));
        for change in &self.rows_since {
            let now = change.after.map_or_else(|| "gone".to_owned(), |rows| rows.to_string());
            lines.push(format!("  rows      {}: {now} now, {} after the rollback", change.table, change.before));
        }
        lines.extend(self.freeze_lines());
        lines.extend(self.rollout.iter().flat_map(PlanRollout::lines));
        for (service, network) in self.reachable.iter().filter(|_| self.ports == PortsMode::Closed) {
            lines.push(format!(
                "  traffic   {service} stays reachable through {network} (rows written before verification are counted \
                 on a rollback)"
            ));
        }
        let (rows, volumes) = (self.rollback(), self.volume_rollback());
        lines.push(format!("  rollback  {rows}{volumes} (git tag {})", self.tag));
        if let Some(fit) = &self.schema_fit {
            lines.push(format!("  schema    {}", fit.text(&self.release.name)));
            let resting: Vec<String> = self.resting().into_iter().collect();
            if !resting.is_empty() {
                lines.push(format!("  resting   {} is not run on the newer schema", resting.join(", ")));
            }
        }
        if self.rehearses_rollback {
            lines.push(format!(
                "  rehearsal {} is started on a copy of the data first; if it is not healthy there, nothing is changed",
                self.release.name
            ));
        }
        if let Some(needed) = self.readiness_needed {
            let Environments { source, target } = &self.environments;
            lines.push(format!("  readiness {needed} needed (gate compare {source} {target} prints the score)"));
        }
        let stops = match self.stop_grace.is_zero() {
            true => String::new(),
            false => format!(", up to {} more where services take that long to stop", self.stop_grace),
        };
        lines.push(format!("  verify    within {}{stops}, then healthy for {}", self.verify_within, self.soak));
        lines.extend(self.confirm_line());
        if let (Kind::Promote, Some(within)) = (&self.kind, self.rollback_within) {
            lines.push(format!("  limit     blocked if the rehearsal expects a rollback to take more than {within}"));
        }
        lines.push(self.watchdog.map_or_else(
            || "  watchdog  off: what a killed gate leaves waits for the next command".to_owned(),
            |within| format!("  watchdog  rolls back alone if gate dies, or {within} after the cut-over"),
        ));
        lines.extend(self.file.iter().map(|file| format!("  plan      {}", file.text())));
        lines.join("\n")
    }

    /// Returns who has to confirm, and until when.
    fn confirm_line(&self) -> Option<String> {
        let target = &self.environments.target;
        self.confirm_within.map(|within| {
            format!("  confirm   within {within} by `gate confirm --env {target}`, else it is rolled back")
        })
    }

    /// Returns what is stopped, and for how long users are out.
    fn freeze_lines(&self) -> Vec<String> {
        let only_if = match self.kind {
            Kind::Rollback { data: false, .. } => {
                return vec!["  freeze    nothing: the data stays as it is".to_owned()];
            }
            Kind::Rollback { data: true, .. } => "",
            Kind::Promote => " (only if data changes)",
        };
        let traffic = match self.ports {
            PortsMode::Closed => format!("{} offline from migration to verification{only_if}", are(&self.public)),
            PortsMode::Open => "stays on: rows written before verification are counted on a rollback".to_owned(),
        };
        vec![
            format!("  freeze    {} stopped while data is copied and migrated", list(&self.freeze)),
            format!("  traffic   {traffic}"),
        ]
    }

    fn headline(&self) -> String {
        let Environments { source, target } = &self.environments;
        match &self.kind {
            Kind::Promote => format!("promote {source} -> {target} (run {})", self.run),
            Kind::Rollback { run, data: true } => format!("roll back {target} with data to the state before run {run}"),
            Kind::Rollback { run, data: false } => {
                format!("roll back {target}, code only, to the state before run {run}")
            }
        }
    }

    /// Returns the run that is rolled back by hand.
    fn rolled_back(&self) -> Option<&str> {
        match &self.kind {
            Kind::Promote => None,
            Kind::Rollback { run, .. } => Some(run),
        }
    }

    /// Returns how volumes go back, as an addition to how rows do.
    fn volume_rollback(&self) -> &'static str {
        if self.copies_volumes() { ", volumes exchanged with their copies" } else { "" }
    }

    fn rollback(&self) -> &'static str {
        match self.tier {
            _ if matches!(self.kind, Kind::Rollback { data: false, .. }) => "the current release is started again",
            stagegate_base::config::Tier::Auto if matches!(self.kind, Kind::Rollback { .. }) => "instant database swap",
            stagegate_base::config::Tier::Auto => "code only if data stays unchanged, else instant database swap",
            stagegate_base::config::Tier::Swap => "instant database swap",
            stagegate_base::config::Tier::Restore => "restore of a dump made during the freeze, then a database swap",
        }
    }
}

fn change_text(change: &ServiceChange) -> String {
    let short = |id: &str| id.strip_prefix("sha256:").map_or(id, |hex| &hex[..12.min(hex.len())]).to_owned();
    match (&change.from, &change.to) {
        (Some(from), Some(to)) if from == to => format!("{} (same image)", short(from)),
        (Some(from), Some(to)) => format!("{} -> {}", short(from), short(to)),
        (None, Some(to)) => format!("new: {}", short(to)),
        (Some(from), None) => format!("{} is removed", short(from)),
        (None, None) => "does not exist".to_owned(),
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn are(names: &[String]) -> String {
    match names {
        [] => "nothing is".to_owned(),
        [one] => format!("{one} is"),
        several => format!("{} are", several.join(", ")),
    }
}

/// Returns the git tag of a rollback point from a run's id, whose first parts are date and time.
#[must_use]
pub fn rollback_tag(run: &str) -> String {
    let stamp: Vec<&str> = run.splitn(3, '-').take(2).collect();
    format!("rollback-{}", stamp.join("-"))
}

/// Returns the git tag of a rollback point where the repository has another one of the same second.
#[must_use]
pub fn rollback_tag_of_run(run: &str) -> String {
    format!("rollback-{run}")
}
