//! Why a repository cannot be used.

use std::path::PathBuf;

use stagegate_host::process::RunError;

/// Why a repository cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The file of the password.
    #[error("cannot read {}, the file of the repository's password (`password_file` of [backup.restic])", path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The file of the variables.
    #[error("cannot read the credentials file {}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// A variable that no place needs.
    #[error(
        "the credentials file {} sets `{start}`, which is not a variable of a place; write lines such as AWS_ACCESS_KEY_ID=..",
        path.display()
    )]
    Variable {
        /// The file.
        path: PathBuf,
        /// How the variable's name begins.
        start: String,
    },
    /// Another password.
    #[error(
        "the password in {} does not open repository {repository}; name the file of its own one by `password_file` of \
         [backup.restic]", password_file.display()
    )]
    Password {
        /// The repository.
        repository: String,
        /// The file of the password.
        password_file: PathBuf,
    },
    /// No repository.
    #[error(
        "there is no restic repository at {repository}; make one: restic --repo {repository} --password-file {} init",
        password_file.display()
    )]
    Missing {
        /// Where it was expected.
        repository: String,
        /// The file of its password.
        password_file: PathBuf,
    },
    /// A lock.
    #[error(
        "repository {repository} is locked ({reason}); run the command again once that program has ended, or, if none runs any \
         more: restic --repo {repository} unlock --remove-all"
    )]
    Locked {
        /// The repository.
        repository: String,
        /// Whose lock it is.
        reason: String,
    },
    /// No snapshot.
    #[error(
        "snapshot {id} is not in repository {repository}, somebody removed it; restore another backup (`gate backup list`)"
    )]
    NoSnapshot {
        /// The repository.
        repository: String,
        /// The snapshot.
        id: String,
    },
    /// Damage.
    #[error(
        "snapshot {id} in repository {repository} is damaged ({reason}); restore another backup (`gate backup list`), and find \
         out what else is: restic --repo {repository} check --read-data"
    )]
    Damaged {
        /// The repository.
        repository: String,
        /// The snapshot.
        id: String,
        /// What was found.
        reason: String,
    },
    /// The backup's repository is not that of the configuration, which alone is read: a backup may come from anywhere.
    #[error("the volume is in repository {wanted}, and [backup.restic] names {known}; set `repository` to the former")]
    Another {
        /// That of the backup.
        wanted: String,
        /// That of the configuration.
        known: String,
    },
    /// None is configured.
    #[error(
        "volume `{volume}` is in repository {repository}; add [backup.restic] with it and the file of its password"
    )]
    NotConfigured {
        /// The volume.
        volume: String,
        /// That of the backup.
        repository: String,
    },
    /// The program failed.
    #[error("cannot {what} repository {repository}")]
    Program {
        /// What was tried.
        what: &'static str,
        /// The repository.
        repository: String,
        /// Why.
        #[source]
        source: RunError,
    },
    /// Output that is no list.
    #[error("restic printed no list of the snapshots in {repository}")]
    List {
        /// The repository.
        repository: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}
