//! Plan files and approvals on the disk: who owns one decides who made it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use stagegate_base::{
    config::{Approval, Config, ConfigError},
    units::Span,
};
use stagegate_gate_decide::promotion::{
    ApprovalFile, Basis, PLAN_FORMAT, Plan, PlanFile, PlanFileError, PlanOrigin, Signed, refuses_approval,
};
use stagegate_host::{
    clock,
    engine::Engine,
    files,
    guarded::{self, GuardError, Owned},
    paths::StateDir,
    release::Snapshot,
};

use crate::{PlanError, facts::schema_hashes};

/// What a plan file's approval is called where nobody states otherwise: the plan file's name and this.
pub const APPROVAL_ENDING: &str = "approval";

/// Why a plan file, or its approval, is not used. Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum UseError {
    /// The file.
    #[error(transparent)]
    File(#[from] GuardError),
    /// Its text.
    #[error("{} is not used", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: PlanFileError,
    },
    /// What it states does not count any more, or does not count here.
    #[error("{} is not used: {reason}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Nobody approved it.
    #[error(
        "a promotion into `{environment}` needs an approved plan, and {} does not exist: another user of this host runs `gate \
         approve {}`", path.display(), plan.display()
    )]
    Unapproved {
        /// The target.
        environment: String,
        /// The approval.
        path: PathBuf,
        /// The plan file.
        plan: PathBuf,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Reads what a plan is made of in addition what it holds.
///
/// # Errors
/// [`PlanError`] where a database or a file cannot be read.
pub async fn basis(config: &Config, engine: &Engine, plan: &Plan, live: &Snapshot) -> Result<Basis, PlanError> {
    let state = StateDir::of(config, &plan.project);
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| PlanError::State { path: path.clone(), source }
    };
    let key = state.key().map_err(failed(state.root()))?;
    let keyed = |path: &Path| -> Result<String, PlanError> {
        let (hash, _) = files::hash_file(path).map_err(failed(path))?;
        Ok(files::hash_text(&format!("{key} {hash}")))
    };
    let mut env_files = BTreeMap::new();
    for path in plan.env_files.iter().filter(|path| path.exists()) {
        env_files.insert(path.display().to_string(), keyed(path)?);
    }
    Ok(Basis {
        configuration: keyed(&config.path)?,
        env_files,
        schemas: schema_hashes(engine, plan, &live.model).await?,
    })
}

/// Writes a plan as a new file, to be applied within `expires`.
///
/// # Errors
/// [`GuardError`] where the file is there already or cannot be written.
pub fn write(path: &Path, plan: Plan, basis: Basis, approval: Approval, expires: Span) -> Result<PlanFile, UseError> {
    let file = PlanFile {
        format: PLAN_FORMAT,
        made: signed(),
        expires: clock::after(expires.0),
        approval,
        basis,
        plan,
        hash: String::new(),
    };
    let wrong = |source| UseError::Text { path: path.to_path_buf(), source };
    let text = file.text().map_err(PlanFileError::Text).map_err(wrong)?;
    guarded::write_new(path, text.as_bytes())?;
    PlanFile::read(text.as_bytes()).map_err(wrong)
}

/// Reads a plan file that its maker owns and that has not expired.
///
/// # Errors
/// [`UseError`] with what is wrong.
pub fn read(path: &Path) -> Result<PlanFile, UseError> {
    let Owned { bytes, uid } = guarded::read(path)?;
    let file = PlanFile::read(&bytes).map_err(|source| UseError::Text { path: path.to_path_buf(), source })?;
    let refused = |reason: String| Err(UseError::Refused { path: path.to_path_buf(), reason });
    if uid != file.made.uid {
        return refused(format!(
            "it was made by {} (uid {}) and belongs to uid {uid}; use the file itself, not a copy",
            file.made.by, file.made.uid
        ));
    }
    if clock::unix_seconds_of(&file.expires).is_none_or(|expires| expires <= clock::unix_seconds()) {
        return refused(format!("it expired at {}; make a new plan", file.expires));
    }
    Ok(file)
}

/// Returns where a plan file's approval is.
#[must_use]
pub fn approval_of(plan: &Path) -> PathBuf {
    let mut name = plan.as_os_str().to_owned();
    name.push(".");
    name.push(APPROVAL_ENDING);
    PathBuf::from(name)
}

/// Writes this user's approval of a plan as a new file.
///
/// # Errors
/// [`UseError`] where this user made the plan and that does not count, or where the file cannot be written.
pub fn approve(plan: &PlanFile, path: &Path) -> Result<ApprovalFile, UseError> {
    let approval = ApprovalFile {
        format: PLAN_FORMAT,
        plan: plan.hash.clone(),
        approved: signed(),
        expires: plan.expires.clone(),
    };
    // Where no approval is needed one is no harm.
    let policy = if plan.approval == Approval::None { Approval::OwnAllowed } else { plan.approval };
    refuse(plan, policy, &approval, approval.approved.uid, path)?;
    let text = serde_json::to_string_pretty(&approval).map_err(PlanFileError::Text);
    let text = text.map_err(|source| UseError::Text { path: path.to_path_buf(), source })?;
    guarded::write_new(path, format!("{text}\n").as_bytes())?;
    Ok(approval)
}

/// Returns where a plan comes from that the target's configuration lets through; `approval` is its approval's file.
///
/// # Errors
/// [`UseError`] where the target needs an approval, and there is none that counts.
pub fn origin(config: &Config, plan: (&PlanFile, &Path), approval: &Path) -> Result<PlanOrigin, UseError> {
    let (file, path) = plan;
    let target = config.environment(&file.plan.environments.target)?;
    let made = file.made.clone();
    if target.approval == Approval::None {
        return Ok(PlanOrigin { hash: file.hash.clone(), made, approved: None });
    }
    if approval.symlink_metadata().is_err() {
        let (environment, plan) = (target.name.clone(), path.to_path_buf());
        return Err(UseError::Unapproved { environment, path: approval.to_path_buf(), plan });
    }
    let Owned { bytes, uid } = guarded::read(approval)?;
    let wrong = |source| UseError::Text { path: approval.to_path_buf(), source };
    let found = ApprovalFile::read(&bytes).map_err(wrong)?;
    refuse(file, target.approval, &found, uid, approval)?;
    Ok(PlanOrigin { hash: file.hash.clone(), made, approved: Some(found.approved) })
}

fn refuse(plan: &PlanFile, policy: Approval, approval: &ApprovalFile, uid: u32, path: &Path) -> Result<(), UseError> {
    let time = (clock::unix_seconds(), clock::unix_seconds_of(&approval.expires));
    match refuses_approval(plan, policy, approval, uid, time) {
        None => Ok(()),
        Some(reason) => Err(UseError::Refused { path: path.to_path_buf(), reason }),
    }
}

fn signed() -> Signed {
    let (uid, by) = guarded::user();
    Signed { by, uid, at: clock::now() }
}
