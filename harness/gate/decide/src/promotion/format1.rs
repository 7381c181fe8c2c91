//! Format 1 of the journal: the report of a step is an object whose keys depend on the step.
//!
//! Read only. A key that is missing or of another kind is left out, as it was when such a journal was written.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    Backup, Checks, Compatibility, ConfigurationRollback, Confirmed, ContractReport, Copies, CrossVersionReport,
    DataRollback, Deployment, Entry, Freeze, Health, Impact, KeptCopies, Line, Migrations, MovedTraffic,
    PerformanceReport, Ports, Preparation, Pruned, ReadinessReport, Rehearsal, RollbackChecks, Step, StepReport,
    SwitchedDatabase, Tier, TrafficBack, UndoReport, Validation, VolumeCopies, VolumeRollback,
};
use stagegate_base::text::counted;

/// What lines of every kind have.
#[derive(Deserialize)]
struct Frame {
    v: u32,
    seq: u64,
    run: String,
    boot: String,
    wall: String,
    prev: String,
}

/// The lines whose form changed.
#[derive(Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
enum Changed {
    Done {
        step: Step,
        #[serde(default)]
        data: Value,
    },
    Undone {
        step: Step,
        #[serde(default)]
        data: Value,
    },
    #[serde(other)]
    Other,
}

/// Reads a line as today's.
pub(super) fn line(raw: &[u8]) -> Result<Line, serde_json::Error> {
    let entry = match serde_json::from_slice(raw)? {
        Changed::Done { step, data } => Entry::Done { report: report(step, &data) },
        Changed::Undone { step, data } => Entry::Undone { report: undo_report(step, &data) },
        Changed::Other => return serde_json::from_slice(raw),
    };
    let Frame { v, seq, run, boot, wall, prev } = serde_json::from_slice(raw)?;
    Ok(Line { v, seq, run, boot, wall, entry, prev })
}

fn report(step: Step, data: &Value) -> StepReport {
    match step {
        Step::Preflight => StepReport::Preflight,
        Step::Validate => StepReport::Validate(Validation {
            checks: checks(data),
            contracts: contracts(&data["contracts"]),
            readiness: get::<ReadinessReport>(&data["readiness"]),
        }),
        Step::Prepare => StepReport::Prepare(Preparation {
            services: texts(&data["services"]),
            performance: items(&data["performance"]).filter_map(performance).collect(),
        }),
        Step::BackUp => StepReport::BackUp(Backup {
            rows: number(&data["rows"]),
            bytes: number(&data["bytes"]),
            tag: text(&data["tag"]),
        }),
        Step::Rehearse => StepReport::Rehearse(rehearsal(data)),
        Step::Freeze => StepReport::Freeze(Freeze { stopped: texts(&data["stopped"]), watchdog: None }),
        Step::Clone => StepReport::Clone(Copies { tier: tier(data), seconds: seconds(&data["seconds"]) }),
        // Versions that wrote this format knew no volumes.
        Step::CopyVolumes => StepReport::CopyVolumes(VolumeCopies::default()),
        Step::Migrate => StepReport::Migrate(Migrations { seconds: seconds(&data["seconds"]), volumes: None }),
        Step::Deploy => {
            let ports = if data["door"] == "closed" { Ports::Closed } else { Ports::Open };
            StepReport::Deploy(Deployment { ports, reachable: Vec::new(), watchdog: None })
        }
        Step::Verify => StepReport::Verify(checks(data)),
        // Nor a proxy.
        Step::MoveTraffic => StepReport::MoveTraffic(MovedTraffic::default()),
        // Nor confirmations.
        Step::Confirm => StepReport::Confirm(Confirmed::default()),
        Step::OpenPorts => StepReport::OpenPorts,
        Step::StartPrevious => StepReport::StartPrevious,
        Step::VerifyRollback => StepReport::VerifyRollback(RollbackChecks {
            checks: checks(data),
            kept_rows: texts(&data["rows_kept_beside"]),
            volumes: Vec::new(),
            server_wide: Vec::new(),
            late: None,
        }),
        Step::Notify => StepReport::Notify,
        Step::Prune => StepReport::Prune(Pruned {
            rollback_points: texts(&data["rollback_points_removed"]),
            left: items(&data["left"]).filter_map(get).collect(),
        }),
    }
}

/// Returns the report of an undo. Steps after the point of no return were never undone; one that is there all the same
/// left nothing.
fn undo_report(step: Step, data: &Value) -> UndoReport {
    match step {
        Step::Validate => UndoReport::Validate,
        Step::Prepare => UndoReport::Prepare,
        Step::BackUp => UndoReport::BackUp,
        Step::Rehearse => UndoReport::Rehearse,
        Step::Freeze => UndoReport::Freeze,
        Step::Clone => UndoReport::Clone(KeptCopies { left: items(&data["left"]).filter_map(get).collect() }),
        Step::CopyVolumes => UndoReport::CopyVolumes(VolumeRollback::default()),
        Step::Migrate => UndoReport::Migrate(DataRollback {
            databases: items(&data["databases"]).map(switched).collect(),
            switch_seconds: seconds(&data["exchange_s"]),
        }),
        Step::Deploy => UndoReport::Deploy(ConfigurationRollback {
            env_files: texts(&data["env_files_put_back"]).into_iter().map(PathBuf::from).collect(),
        }),
        Step::Verify => UndoReport::Verify,
        Step::MoveTraffic => UndoReport::MoveTraffic(TrafficBack::default()),
        Step::Confirm => UndoReport::Confirm,
        Step::Preflight | Step::OpenPorts | Step::StartPrevious | Step::VerifyRollback | Step::Notify | Step::Prune => {
            UndoReport::Preflight
        }
    }
}

/// The first reason counted the required checks, each further one was a warning.
fn checks(data: &Value) -> Checks {
    let mut reasons = texts(&data["checks"]).into_iter();
    let summary = reasons.next().unwrap_or_default();
    let warnings: Vec<String> = reasons.collect();
    let summary =
        if warnings.is_empty() { summary } else { format!("{summary}, {}", counted(warnings.len(), "warning")) };
    Checks { summary, warnings, log_errors: Vec::new() }
}

fn contracts(data: &Value) -> BTreeMap<String, ContractReport> {
    let services = data.as_object().into_iter().flatten();
    services.map(|(service, found)| (service.clone(), contract(found))).collect()
}

fn contract(found: &Value) -> ContractReport {
    let count = |key: &str| usize::try_from(number(&found[key])).unwrap_or(usize::MAX);
    match found["not_compared"].as_str() {
        Some(reason) => ContractReport::NotCompared { reason: reason.to_owned() },
        None => ContractReport::Compared {
            breaking: count("breaking"),
            warnings: count("warnings"),
            compatible: count("compatible"),
            first: texts(&found["first"]),
        },
    }
}

fn performance(probe: &Value) -> Option<PerformanceReport> {
    Some(PerformanceReport {
        probe: get(&probe["probe"])?,
        result: get(&probe["said"])?,
        seconds: seconds(&probe["seconds"]),
        costs: get(&probe["costs"]),
    })
}

fn rehearsal(data: &Value) -> Rehearsal {
    let fields = data.as_object().into_iter().flatten();
    let impacts = fields.filter_map(|(key, value)| {
        let database = key.strip_prefix("felt_of_")?.to_owned();
        let longest_stall_ms = data[format!("longest_stall_ms_of_{database}")].as_u64();
        Some(Impact { database, summary: get(value)?, longest_stall_ms })
    });
    let cross_versions = compatibility(data, "old_on_new").zip(compatibility(data, "new_on_old"));
    Rehearsal {
        tier: tier(data),
        migration_seconds: seconds(&data["migrations_s"]),
        impacts: impacts.collect(),
        cross_versions: cross_versions
            .map(|(live_on_new, candidate_on_old)| CrossVersionReport { live_on_new, candidate_on_old }),
        start: None,
        earlier: None,
        server_wide: Vec::new(),
        expected: None,
    }
}

fn compatibility(data: &Value, key: &str) -> Option<Compatibility> {
    let health = match data[key].as_str()? {
        "sound" => Health::Healthy,
        "unsound" => Health::Unhealthy,
        _ => Health::Unknown,
    };
    Some(Compatibility { health, only_ports: false, reasons: texts(&data[format!("{key}_because")]["reasons"]) })
}

/// Returns the tier; where it is missing, the one that keeps a copy of everything.
fn tier(data: &Value) -> Tier {
    get(&data["tier"]).unwrap_or(Tier::Swap)
}

fn switched(database: &Value) -> SwitchedDatabase {
    let (name, kept_as) = (text(&database["database"]), text(&database["kept"]));
    SwitchedDatabase { database: name, kept_as, emptied: Vec::new(), differs: Vec::new() }
}

fn get<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> Vec<String> {
    items(value).filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}
