//! `gate backup`: makes backups, lists and verifies them, removes old ones.

mod make;
pub(super) mod offsite;
mod print;
mod proof;
mod retention;
mod snapshots;
mod state;

use std::{path::Path, sync::Arc};

use stagegate_base::{
    config::{Backup, Config, EPHEMERAL, Environment},
    exit::Exit,
};
use stagegate_data_act::{
    age::{Identity, IdentityError},
    backup::{BackupError, RepositoryError, store::Store},
};
use stagegate_data_decide::backup::retention::Policy;

use crate::{cli, failure::Failure};

pub(super) use make::{Wanted, make};
pub(super) use retention::{drill, prune_now};
pub(super) use snapshots::{archive_source, repository_of};
pub(super) use state::{has_databases, newest_age, rotation_state, rotations, state_of};

pub(super) async fn run(config: &Arc<Config>, args: cli::Backup) -> Result<Exit, Failure> {
    match args.command {
        None => make::run(config, args.make).await,
        Some(cli::BackupCommand::List(args)) if args.offsite => offsite::list(config, &args).await,
        Some(cli::BackupCommand::List(args)) => print::list(config, &args),
        Some(cli::BackupCommand::Upload(args)) => offsite::upload(config, args).await,
        Some(cli::BackupCommand::Import(args)) => offsite::import(config, args).await,
        Some(cli::BackupCommand::Status(args)) => print::status(config, &args),
        Some(cli::BackupCommand::Verify(args)) => retention::verify(config, args).await,
        Some(cli::BackupCommand::Prune(args)) => retention::prune(config, args).await,
        Some(cli::BackupCommand::Pin(args)) => retention::pin(config, args, true),
        Some(cli::BackupCommand::Unpin(args)) => retention::pin(config, args, false),
    }
}

/// Returns the environment that was named, or all of the configuration that last.
fn chosen<'a>(config: &'a Config, option: Option<&String>) -> Result<Vec<&'a Environment>, Failure> {
    match option {
        Some(_) => Ok(vec![super::named(config, option)?]),
        None => Ok(config.environments_here().filter(|one| one.name != EPHEMERAL).collect()),
    }
}

fn store_of(config: &Config, environment: &Environment) -> Store {
    Store::of(config, &environment.project)
}

/// Returns the identity that decrypts backups: the one that was named, or that of the configuration.
pub(super) fn identity(config: &Config, named: Option<&Path>) -> Result<Option<Identity>, Failure> {
    let file = named.or(config.backup.identity.as_deref());
    Ok(file.map(Identity::of_file).transpose()?)
}

fn policy(backup: &Backup) -> Policy {
    Policy {
        keep_last: backup.keep_last,
        hourly: backup.hourly,
        daily: backup.daily,
        weekly: backup.weekly,
        monthly: backup.monthly,
        min_keep: backup.min_keep,
    }
}

/// Returns seconds of a configured length of time.
pub(super) fn seconds(span: stagegate_base::units::Span) -> i64 {
    i64::try_from(span.0.as_secs()).unwrap_or(i64::MAX)
}

impl crate::failure::Classify for BackupError {
    fn class(&self) -> stagegate_base::exit::Cause {
        use stagegate_base::exit::Cause;
        match self {
            BackupError::Database(error) => error.class(),
            BackupError::Engine(error) => error.class(),
            BackupError::File { .. } => Cause::File,
            BackupError::Program { source, .. } | BackupError::Age { source, .. } => source.class(),
            BackupError::Manifest { .. }
            | BackupError::Differs { .. }
            | BackupError::ArchiveDiffers { .. }
            | BackupError::Damaged { .. } => Cause::Blocked,
            BackupError::Json(_) => Cause::Unexpected,
            BackupError::Scratch(_) => Cause::NotRun,
            BackupError::Identity(error) => error.class(),
            BackupError::Repository(error) => error.class(),
            BackupError::Refused(_) | BackupError::Encrypted { .. } | BackupError::WrongIdentity { .. } => Cause::Usage,
        }
    }
}

impl crate::failure::Classify for RepositoryError {
    fn class(&self) -> stagegate_base::exit::Cause {
        use stagegate_base::exit::Cause;
        match self {
            RepositoryError::PasswordFile { .. } | RepositoryError::Credentials { .. } => Cause::File,
            RepositoryError::Variable { .. }
            | RepositoryError::Password { .. }
            | RepositoryError::Missing { .. }
            | RepositoryError::Another { .. }
            | RepositoryError::NotConfigured { .. } => Cause::Configuration,
            RepositoryError::NoSnapshot { .. } | RepositoryError::Damaged { .. } => Cause::Blocked,
            RepositoryError::Locked { .. } | RepositoryError::List { .. } => Cause::NotRun,
            RepositoryError::Program { source, .. } => source.class(),
        }
    }
}

impl crate::failure::Classify for IdentityError {
    fn class(&self) -> stagegate_base::exit::Cause {
        stagegate_base::exit::Cause::Usage
    }
}
