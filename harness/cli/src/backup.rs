//! `gate backup`, `gate restore` and `gate schedule`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Backup {
    #[command(subcommand)]
    pub command: Option<BackupCommand>,
    #[command(flatten)]
    pub make: MakeBackup,
}

#[derive(Debug, Args)]
pub struct MakeBackup {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Database, as named in `[databases]` [default: all]
    #[arg(long, value_name = "NAME")]
    pub database: Vec<String>,
    /// Volume or folder, as named in `[volumes]` [default: all, or none with --database]
    #[arg(long, value_name = "NAME")]
    pub volume: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// List the backups, the newest first
    List(ListStored),
    /// Check a backup's files against their checksums
    Verify(VerifyBackup),
    /// Show whether backups are overdue or failed; exit 3 if so
    Status(ListBackups),
    /// Remove old backups by the rules of `[backup]`
    Prune(PruneBackups),
    /// Copy backups to the place of `[backup.offsite]` and read them back
    Upload(UploadBackups),
    /// Bring a backup from the place of `[backup.offsite]` back to this host
    Import(ImportBackup),
    /// Keep a backup whatever the rules say
    Pin(OneBackup),
    /// Let the rules decide on a backup again
    Unpin(OneBackup),
}

#[derive(Debug, Args)]
pub struct ListBackups {
    /// Environment [default: all]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ListStored {
    /// Environment [default: all]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// List what the place of `[backup.offsite]` holds
    #[arg(long)]
    pub offsite: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct UploadBackups {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Backup [default: all that were not copied yet]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
}

#[derive(Debug, Args)]
pub struct ImportBackup {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Backup [default: the newest one]
    #[arg(value_name = "ID", default_value = "latest")]
    pub id: String,
    /// Bring all of them
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct VerifyBackup {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Backup [default: the newest one]
    #[arg(value_name = "ID", default_value = "latest")]
    pub id: String,
    /// Also restore it into a scratch server and compare
    #[arg(long)]
    pub restore: bool,
    /// Verify the copy in the place of `[backup.offsite]`
    #[arg(long)]
    pub offsite: bool,
    /// File of the age identity that decrypts it [default: `identity` of `[backup]`]
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct PruneBackups {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Print what would be removed; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct OneBackup {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Backup
    #[arg(value_name = "ID")]
    pub id: String,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Backup, as `gate backup list` shows it, or `latest`
    #[arg(value_name = "BACKUP")]
    pub backup: String,
    /// Environment that the backup is of [default: the same one]
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,
    /// Database, as named in `[databases]` [default: all of the backup]
    #[arg(long, value_name = "NAME")]
    pub database: Vec<String>,
    /// Restore a volume or folder instead, into a new volume; the live one is left alone
    #[arg(long, value_name = "NAME", conflicts_with_all = ["database", "config_files"])]
    pub volume: Option<String>,
    /// Restore into a new database (or volume) of this name and leave the live one alone
    #[arg(long, value_name = "NAME", conflicts_with = "config_files")]
    pub into: Option<String>,
    /// Restore the env files and stagegate.toml instead of databases
    #[arg(long = "config-files", conflicts_with = "database")]
    pub config_files: bool,
    /// File of the age identity that decrypts the backup [default: `identity` of `[backup]`]
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// Do not ask for confirmation (a protected environment also needs --confirm)
    #[arg(long)]
    pub yes: bool,
    /// For a protected environment: its name, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Schedule {
    /// Start `gate schedule run` every 15 minutes by a systemd timer or cron
    Install(InstallSchedule),
    /// Remove the systemd timer of `gate schedule install`
    Uninstall(UninstallSchedule),
    /// Do what is due: backups, restore drills, removal of old backups and logs
    Run(RunSchedule),
    /// Show the timer, what was done when, and what is due
    Status(ListBackups),
}

#[derive(Debug, Args)]
pub struct InstallSchedule {
    /// Print the crontab line instead of installing systemd units
    #[arg(long)]
    pub cron: bool,
    /// Write the systemd units into this folder and do not enable them
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct UninstallSchedule {
    /// Folder of the systemd units, if it was named when they were written
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RunSchedule {
    /// Environment [default: those of `[backup]`]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Print what is due; do nothing
    #[arg(long)]
    pub dry_run: bool,
}
