//! `gate compare`.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Environment whose release is to go on
    #[arg(value_name = "A")]
    pub(crate) a: String,
    /// Environment that it would go to
    #[arg(value_name = "B")]
    pub(crate) b: String,
    /// End with 0 where the score is in the band of caution
    #[arg(long)]
    pub(crate) accept_caution: bool,
    /// Do not run the suites; there is seldom enough evidence for a score then
    #[arg(long)]
    pub(crate) no_suites: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    pub(crate) json: bool,
    /// Print Markdown, as for a job summary
    #[arg(long)]
    pub(crate) markdown: bool,
}
