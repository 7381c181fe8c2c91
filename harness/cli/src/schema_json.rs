//! `gate schema-json`.

use clap::{Args, ValueEnum};

/// A file that users write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum UserFile {
    /// stagegate.toml
    #[default]
    Config,
    /// A file of the folder workflows
    Workflow,
    /// stagegate-waivers.toml
    Waivers,
    /// stagegate-sanitize.toml
    Sanitize,
    /// A file of `gate sync --subset`
    Subset,
}

#[derive(Debug, Args)]
pub struct SchemaJson {
    /// The file
    #[arg(value_enum, default_value_t, value_name = "FILE")]
    pub file: UserFile,
}
