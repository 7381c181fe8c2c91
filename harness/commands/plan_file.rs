//! `gate approve`, and the plan files of `gate promote`.

use std::path::{Path, PathBuf};

use stagegate_base::{
    config::{Approval, Config, Environment, Event},
    exit::Exit,
};
use stagegate_gate_act::plan_file::{self, approval_of, approve, basis, origin};
use stagegate_gate_decide::promotion::{Kind, Plan, PlanFile, PlanOrigin, Request};
use stagegate_host::{clock, engine::Engine, release::Snapshot};
use stagegate_watch_decide::notify::Message;

use crate::{
    cli, confirm_option,
    failure::{Failure, print_message, print_result},
    notices,
};

/// A plan file that a run applies.
pub(super) struct Applied {
    path: PathBuf,
    file: PlanFile,
    origin: PlanOrigin,
}

impl Applied {
    /// Reads a plan file and, where the target needs one, its approval.
    pub(super) fn read(config: &Config, path: &Path, approval: Option<&Path>) -> Result<Self, Failure> {
        let file = plan_file::read(path)?;
        let approval = approval.map_or_else(|| approval_of(path), Path::to_path_buf);
        let origin = origin(config, (&file, path), &approval)?;
        Ok(Applied { path: path.to_path_buf(), file, origin })
    }

    /// Returns what its plan was made for.
    pub(super) fn request(&self) -> Request {
        let plan = &self.file.plan;
        Request {
            kind: Kind::Promote,
            from: plan.environments.source.clone(),
            to: plan.environments.target.clone(),
            release: Some(plan.release.commit.clone()),
            accept_caution: plan.accept_caution,
            accept_newer_schema: false,
        }
    }

    /// Returns the plan of this run, which is made of the same things as the file's.
    ///
    /// # Errors
    /// Names what has moved since the file was written; nothing was touched.
    pub(super) async fn same(
        &self,
        config: &Config,
        engine: &Engine,
        now: Plan,
        live: &Snapshot,
    ) -> Result<Plan, Failure> {
        let moved = self.file.moved(&now, &basis(config, engine, &now, live).await?);
        if moved.is_empty() {
            return Ok(Plan { file: Some(self.origin.clone()), ..now });
        }
        let environments = &now.environments;
        Err(Failure::blocked(format!(
            "{} does not fit any more: {}. Nothing was changed; make a new plan: gate promote --from {} --to {} --plan --out FILE",
            self.path.display(),
            moved.join("; "),
            environments.source,
            environments.target
        )))
    }
}

/// Refuses a promotion without a plan file where the target needs an approved one.
pub(super) fn refuse_unapproved(target: &Environment, from: &str) -> Result<(), Failure> {
    if target.approval == Approval::None {
        return Ok(());
    }
    let to = &target.name;
    Err(Failure::blocked(format!(
        "`{to}` needs an approved plan; nothing was changed. Write one with `gate promote --from {from} --to {to} --plan --out FILE`, \
         have it approved with `gate approve FILE`, and apply it with `gate promote --apply FILE`"
    )))
}

/// Writes a plan as a file and prints what to do with it.
pub(super) async fn write(
    config: &Config,
    engine: &Engine,
    plan: Plan,
    live: &Snapshot,
    path: &Path,
) -> Result<(), Failure> {
    let target = config.environment(&plan.environments.target)?;
    let basis = basis(config, engine, &plan, live).await?;
    let file = plan_file::write(path, plan, basis, target.approval, config.gate.plan_expires)?;
    if target.approval != Approval::None {
        notices::put(config, target, &waits(config, &file.plan, path, &file.expires));
    }
    let path = path.display();
    print_message(&format!("wrote {path}, valid until {}", file.expires));
    match target.approval {
        Approval::None => print_message(&format!("next: gate promote --apply {path}")),
        Approval::Required => print_message(&format!("next: another user of this host runs `gate approve {path}`")),
        Approval::OwnAllowed => print_message(&format!("next: gate approve {path}")),
    }
    Ok(())
}

/// Returns the message that a plan waits for its approval.
fn waits(config: &Config, plan: &Plan, path: &Path, expires: &str) -> Message {
    let (target, release, previous) = (&plan.environments.target, &plan.release.name, &plan.previous.name);
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let at = clock::now();
    Message {
        events: vec![Event::Approval],
        environment: target.clone(),
        title: format!(
            "{}: the plan to promote {release} to {target} waits for approval until {expires}; {previous} is live",
            config.name
        ),
        next: vec![format!("gate approve {}", path.display())],
        run: Some(plan.run.clone()),
        ..Message::test(&config.name, format!("{}-approval", plan.run), at)
    }
}

/// Approves a plan file; needs no configuration, which belongs to whoever promotes.
pub(super) fn run(args: &cli::Approve) -> Result<Exit, Failure> {
    let file = plan_file::read(&args.file)?;
    let path = args.out.clone().unwrap_or_else(|| approval_of(&args.file));
    print_message(&file.plan.text());
    print_message(&format!("  made      by {} (uid {}) at {}", file.made.by, file.made.uid, file.made.at));
    confirm_option::confirm("Approve this plan?", args.yes)?;
    let approval = approve(&file, &path)?;
    print_result(&format!("approved by {} until {}: {}", approval.approved.by, approval.expires, path.display()));
    Ok(Exit::Passed)
}
