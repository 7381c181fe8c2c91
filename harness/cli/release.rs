//! Commands that change an environment.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Promote {
    /// Where the release was tested
    #[arg(long, value_name = "NAME")]
    pub(crate) from: String,
    /// Where it goes
    #[arg(long, value_name = "NAME")]
    pub(crate) to: String,
    /// Git revision [default: what the source environment runs]
    #[arg(long, value_name = "REV")]
    pub(crate) release: Option<String>,
    /// Show the plan and what would refuse it, and do nothing
    #[arg(long)]
    pub(crate) plan: bool,
    /// Go on where the readiness score is in the band of caution
    #[arg(long)]
    pub(crate) accept_caution: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print the journal as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// Environment
    #[arg(long, value_name = "NAME")]
    pub(crate) env: String,
    /// List the rollback points and do nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Rollback point [default: the newest]
    #[arg(long, value_name = "TAG")]
    pub(crate) to: Option<String>,
    /// Put the data back too: rows written since are kept beside, and no longer served
    #[arg(long)]
    pub(crate) with_data: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print the journal as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Git revision to check out in the environment's workdir first [default: the workdir as it is]; a protected
    /// environment in which something runs needs --confirm as well
    #[arg(long, value_name = "REV")]
    pub(crate) release: Option<String>,
    /// For a protected environment: the name of the environment, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Down {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Delete the volumes too, and with them all data
    #[arg(long, short = 'v')]
    pub(crate) volumes: bool,
    /// Do not ask (a protected environment needs --confirm as well)
    #[arg(long)]
    pub(crate) yes: bool,
    /// For a protected environment: the name of the environment, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Do not ask (a protected environment needs --confirm as well)
    #[arg(long)]
    pub(crate) yes: bool,
    /// For a protected environment: the name of the environment, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
}
