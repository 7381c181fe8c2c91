//! Where findings are written, and in which formats: the same options for every command that reports them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output (`-` as FILE is standard output)")]
pub struct Output {
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
    /// Write JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write Markdown, for example for a CI job summary
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub markdown: Option<PathBuf>,
    /// Write SARIF 2.1.0, for code scanning
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,
    /// Write one HTML page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl Output {
    /// Returns whether standard output is for a format, so that no text for a person may stand there.
    #[must_use]
    pub fn takes_stdout(&self) -> bool {
        let files = [&self.junit, &self.markdown, &self.sarif, &self.html];
        self.json || files.into_iter().flatten().any(|file| file.as_os_str() == "-")
    }
}

/// When colours are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    #[default]
    Auto,
    Always,
    Never,
}
