//! PostgreSQL's own programs, run inside the database's container: their major is then always the server's.
//!
//! A database name is never given with `--dbname`, which reads a name such as `host=elsewhere` as a connection
//! string; it travels in PGDATABASE, which is not expanded. PGAPPNAME marks the sessions, so that those of a dead
//! run can be ended: the programs outlive a killed client.

use super::Command;

/// Where the programs run and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// The container's id.
    pub container: String,
    /// The database role.
    pub role: String,
    /// The name that sessions carry (`stagegate/<run>`).
    pub application: String,
}

fn exec(inside: &Inside, database: &str, stdin: bool) -> Command {
    let mut command = Command::new("docker").arg("exec");
    if stdin {
        command = command.arg("--interactive");
    }
    command
        .arg("--env")
        .arg(format!("PGDATABASE={database}"))
        .arg("--env")
        .arg(format!("PGUSER={}", inside.role))
        .arg("--env")
        .arg(format!("PGAPPNAME={}", inside.application))
        .arg(&inside.container)
}

/// Writes a custom-format dump of `database` to standard output, read under an exported snapshot where one is given.
#[must_use]
pub fn dump(inside: &Inside, database: &str, snapshot: Option<&str>) -> Command {
    let command = exec(inside, database, false).args(["pg_dump", "--format=custom", "--lock-wait-timeout=10s"]);
    match snapshot {
        Some(snapshot) => command.arg(format!("--snapshot={snapshot}")),
        None => command,
    }
}

/// Writes the roles of the server, without their passwords, to standard output.
#[must_use]
pub fn dump_roles(inside: &Inside) -> Command {
    exec(inside, "postgres", false).args(["pg_dumpall", "--roles-only", "--no-role-passwords"])
}

/// Restores a custom-format dump from standard input into `database`, which is fresh; stops at the first error.
#[must_use]
pub fn restore(inside: &Inside, database: &str) -> Command {
    // `--dbname=` is needed for pg_restore to connect at all; an empty one takes PGDATABASE.
    exec(inside, database, true).args(["pg_restore", "--exit-on-error", "--dbname="])
}
