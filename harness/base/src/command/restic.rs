//! The program `restic`, which keeps snapshots in a repository that it encrypts and deduplicates.
//!
//! What is stored comes from standard input under a fixed name, so that no temporary path is part of a snapshot. The password is
//! in a file; it is never an argument, and neither are the keys of the place that the repository is in.

use std::path::Path;

use super::Command;
use crate::redact::Secret;

/// Where a repository is and what opens it.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// The repository, as restic names it.
    pub repository: &'a str,
    /// The file of its password.
    pub password_file: &'a Path,
    /// Further variables, such as the access key of a bucket.
    pub variables: &'a [(String, Secret)],
}

fn restic(access: Access<'_>) -> Command {
    let mut command = Command::new("restic");
    command.env.extend(access.variables.iter().cloned());
    let command = command.env("RESTIC_REPOSITORY", access.repository);
    let command = command.env("RESTIC_PASSWORD_FILE", access.password_file.to_string_lossy());
    // Those of the caller would name another repository or password.
    command.env("RESTIC_REPOSITORY_FILE", "").env("RESTIC_PASSWORD_COMMAND", "")
}

/// Reads the repository's configuration, which needs its password, and changes nothing.
#[must_use]
pub fn open(access: Access<'_>) -> Command {
    restic(access).args(["cat", "config", "--no-lock"])
}

/// Removes the locks of programs that do not run any more, and no others.
#[must_use]
pub fn unlock(access: Access<'_>) -> Command {
    restic(access).args(["unlock", "--quiet"])
}

/// Stores standard input as the file `name` of a new snapshot with `tag`, under the name of a host that never changes.
#[must_use]
pub fn save(access: Access<'_>, name: &str, host: &str, tag: &str) -> Command {
    let command = restic(access).args(["backup", "--quiet", "--stdin", "--stdin-filename", name]);
    command.args(["--host", host, "--tag", "stagegate", "--tag", tag])
}

/// Writes the file `name` of a snapshot to standard output.
#[must_use]
pub fn load(access: Access<'_>, snapshot: &str, name: &str) -> Command {
    restic(access).args(["dump", "--quiet", snapshot]).arg(format!("/{name}"))
}

/// Lists, as JSON, the snapshots that have one of `tags`.
#[must_use]
pub fn find<'a>(access: Access<'_>, tags: impl IntoIterator<Item = &'a str>) -> Command {
    let command = restic(access).args(["snapshots", "--json"]);
    tags.into_iter().fold(command, |command, tag| command.args(["--tag", tag]))
}

/// Removes snapshots, and the data that no other one needs; those that are gone already are no error.
#[must_use]
pub fn forget<'a>(access: Access<'_>, snapshots: impl IntoIterator<Item = &'a str>) -> Command {
    restic(access).args(["forget", "--quiet", "--prune"]).args(snapshots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_names_its_snapshot_and_neither_password_nor_key() {
        let variables = [("AWS_SECRET_ACCESS_KEY".to_owned(), Secret::new("s3cret"))];
        let access =
            Access { repository: "s3:https://s3/b", password_file: Path::new("/etc/pw"), variables: &variables };
        let commands = [
            open(access),
            unlock(access),
            save(access, "uploads.tar", "production", "stagegate-1"),
            load(access, "0a1b", "uploads.tar"),
            find(access, ["stagegate-1", "stagegate-2"]),
            forget(access, ["0a1b", "0a1c"]),
        ];
        assert_eq!(
            commands.each_ref().map(Command::line),
            [
                "restic cat config --no-lock",
                "restic unlock --quiet",
                "restic backup --quiet --stdin --stdin-filename uploads.tar --host production --tag stagegate --tag stagegate-1",
                "restic dump --quiet 0a1b /uploads.tar",
                "restic snapshots --json --tag stagegate-1 --tag stagegate-2",
                "restic forget --quiet --prune 0a1b 0a1c",
            ]
        );
        for command in commands {
            let value = |name: &str| command.env.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.expose());
            assert_eq!(value("RESTIC_PASSWORD_FILE"), Some("/etc/pw"));
            assert_eq!(value("AWS_SECRET_ACCESS_KEY"), Some("s3cret"));
            assert_eq!((value("RESTIC_REPOSITORY_FILE"), value("RESTIC_PASSWORD_COMMAND")), (Some(""), Some("")));
        }
    }
}
