//! Commands that change an environment.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct Promote {
    /// Environment that the release was tested in
    #[arg(long, value_name = "NAME", required_unless_present = "apply")]
    pub from: Option<String>,
    /// Environment to promote to
    #[arg(long, value_name = "NAME", required_unless_present = "apply")]
    pub to: Option<String>,
    /// Git revision [default: the current release of the source environment]
    #[arg(long, value_name = "REV")]
    pub release: Option<String>,
    /// Show the plan and what blocks it; change nothing
    #[arg(long)]
    pub plan: bool,
    /// With --plan: also write the plan as a new file, to be approved and applied
    #[arg(long, value_name = "FILE", requires = "plan")]
    pub out: Option<PathBuf>,
    /// Promote by a plan file; refused if anything that it was made of has changed since
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to", "release", "plan", "accept_caution"])]
    pub apply: Option<PathBuf>,
    /// With --apply: the approval of the plan file [default: FILE.approval]
    #[arg(long, value_name = "FILE", requires = "apply")]
    pub approval: Option<PathBuf>,
    /// Continue if the readiness score is in the caution band
    #[arg(long)]
    pub accept_caution: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    pub yes: bool,
    /// Print the journal as JSON lines
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Approve {
    /// Plan file of `gate promote --plan --out`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where to write the approval [default: FILE.approval]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Do not ask for confirmation
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct Rollback {
    /// Environment
    #[arg(long, value_name = "NAME")]
    pub env: String,
    /// List the rollback points; change nothing
    #[arg(long)]
    pub list: bool,
    /// Rollback point [default: the latest]
    #[arg(long, value_name = "TAG")]
    pub to: Option<String>,
    /// Also restore the data; newer rows move to database NAME__left_RUN
    #[arg(long)]
    pub with_data: bool,
    /// Show the plan and what blocks it; change nothing
    #[arg(long, conflicts_with_all = ["list", "carry_writes"])]
    pub plan: bool,
    /// Then insert rows written since into the restored database
    #[arg(long, requires = "with_data", conflicts_with = "json")]
    pub carry_writes: bool,
    /// Roll back the code only although the release may not work on the current schema
    #[arg(long, conflicts_with = "with_data")]
    pub accept_newer_schema: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    pub yes: bool,
    /// Print the journal as JSON lines
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Up {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Git revision to check out in the environment's workdir first [default: the workdir as it is]; a protected
    /// environment with running containers also needs --confirm
    #[arg(long, value_name = "REV")]
    pub release: Option<String>,
    /// Also remove containers of the compose project that no service of the release has
    #[arg(long)]
    pub remove_orphans: bool,
    /// For a protected environment: its name, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

#[derive(Debug, Args)]
pub struct Down {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Also delete the volumes, with all data
    #[arg(long, short = 'v')]
    pub volumes: bool,
    /// Do not ask for confirmation (a protected environment also needs --confirm)
    #[arg(long)]
    pub yes: bool,
    /// For a protected environment: its name, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

#[derive(Debug, Args)]
pub struct Purge {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Do not ask for confirmation (a protected environment also needs --confirm)
    #[arg(long)]
    pub yes: bool,
    /// For a protected environment: its name, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

#[derive(Debug, Args)]
pub struct Reset {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Do not ask for confirmation (a protected environment also needs --confirm)
    #[arg(long)]
    pub yes: bool,
    /// For a protected environment: its name, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

#[derive(Debug, Args)]
pub struct VolumeWorker {
    /// What to do, as JSON
    pub jobs: String,
}
