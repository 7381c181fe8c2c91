//! PostgreSQL's own programs, run inside the database's container: their major is then always the server's.
//!
//! A database name is never given with `--dbname`, which reads a name such as `host=elsewhere` as a connection
//! string; it travels in PGDATABASE, which is not expanded. PGAPPNAME marks the sessions, so that those of a dead
//! run can be ended: the programs outlive a killed client.

use std::fmt::Write;

use super::Command;
use crate::redact::Secret;

/// Where the programs run and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// The container's id.
    pub container: String,
    /// The database role.
    pub role: String,
    /// Its password: the server may ask for one at its socket too.
    pub password: Option<Secret>,
    /// The name that sessions carry (`stagegate/<run>`).
    pub application: String,
}

/// Where programs of any kind find a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// A name or address; the folder of a socket where it begins with `/`.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The role.
    pub role: String,
    /// Its password, where it needs one.
    pub password: Option<Secret>,
    /// The database.
    pub database: String,
}

impl Reach {
    /// Returns the URL, as libpq and the drivers of Go, Rust and Python read it.
    ///
    /// It states `sslmode=disable`: some drivers ask for TLS otherwise, which a scratch server has not.
    #[must_use]
    pub fn url(&self) -> Secret {
        let password = self.password.as_ref().map(|password| format!(":{}", encoded(password.expose())));
        let user = format!("{}{}", encoded(&self.role), password.unwrap_or_default());
        let (port, database) = (self.port, encoded(&self.database));
        Secret::new(match self.host.starts_with('/') {
            true => format!("postgresql://{user}@/{database}?host={}&port={port}&sslmode=disable", encoded(&self.host)),
            false => format!("postgresql://{user}@{}:{port}/{database}?sslmode=disable", self.host),
        })
    }

    /// Returns the variables in which libpq's programs and `variable`'s readers find the database.
    #[must_use]
    pub fn variables(&self, variable: &str) -> Vec<(String, Secret)> {
        let mut all = vec![
            (variable.to_owned(), self.url()),
            ("PGHOST".to_owned(), Secret::new(&self.host)),
            ("PGPORT".to_owned(), Secret::new(self.port.to_string())),
            ("PGUSER".to_owned(), Secret::new(&self.role)),
            ("PGDATABASE".to_owned(), Secret::new(&self.database)),
            ("PGSSLMODE".to_owned(), Secret::new("disable")),
        ];
        all.extend(self.password.clone().map(|password| ("PGPASSWORD".to_owned(), password)));
        all
    }
}

/// Writes a text as a part of a URL.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

fn exec(inside: &Inside, database: &str, stdin: bool) -> Command {
    let mut command = Command::new("docker").arg("exec");
    if stdin {
        command = command.arg("--interactive");
    }
    if let Some(password) = &inside.password {
        // Named alone, the value is taken from the client's environment: arguments are seen by every user.
        command = command.args(["--env", "PGPASSWORD"]).env("PGPASSWORD", password.expose());
    }
    command
        .arg("--env")
        .arg(format!("PGDATABASE={database}"))
        .arg("--env")
        .arg(format!("PGUSER={}", inside.role))
        .arg("--env")
        .arg(format!("PGAPPNAME={}", inside.application))
        // A database may have settings of its own for every session.
        .args(["--env", "PGOPTIONS=-c role=none -c default_transaction_read_only=off"])
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

/// Restores a custom-format dump from standard input into `database`, which is fresh; stops at the first error.
#[must_use]
pub fn restore(inside: &Inside, database: &str) -> Command {
    // `--dbname=` is needed for pg_restore to connect at all; an empty one takes PGDATABASE.
    exec(inside, database, true).args(["pg_restore", "--exit-on-error", "--dbname="])
}

/// What a dump of a part holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The schema.
    Schema,
    /// The schema without subscriptions, which hold the passwords of their connections.
    SchemaWithoutSubscriptions,
    /// The large objects.
    LargeObjects,
}

/// Writes a custom-format dump of a part of `database` to standard output, read under an exported snapshot.
#[must_use]
pub fn dump_part(inside: &Inside, database: &str, snapshot: &str, part: Part) -> Command {
    let command = exec(inside, database, false)
        .args(["pg_dump", "--format=custom", "--lock-wait-timeout=10s"])
        .arg(format!("--snapshot={snapshot}"));
    match part {
        Part::Schema => command.arg("--schema-only"),
        Part::SchemaWithoutSubscriptions => command.args(["--schema-only", "--no-subscriptions"]),
        // `-b` has one meaning in every major version; `--large-objects` is newer than 15.
        Part::LargeObjects => command.args(["--data-only", "-b", "--exclude-table-data=*"]),
    }
}

/// Writes roles, memberships and tablespaces of the server as SQL to standard output, without passwords.
#[must_use]
pub fn globals(inside: &Inside, database: &str) -> Command {
    exec(inside, database, false).args(["pg_dumpall", "--globals-only", "--no-role-passwords"])
}

/// Writes the schema of `database` as SQL to standard output.
#[must_use]
pub fn schema_text(inside: &Inside, database: &str) -> Command {
    exec(inside, database, false).args(["pg_dump", "--schema-only", "--lock-wait-timeout=10s"])
}

/// Writes the schema of `database`, read under an exported snapshot, as SQL to standard output.
#[must_use]
pub fn schema_text_at(inside: &Inside, database: &str, snapshot: &str) -> Command {
    schema_text(inside, database).arg(format!("--snapshot={snapshot}"))
}

/// Restores one section (`pre-data`, `data`, `post-data`) of a dump from standard input into `database`.
#[must_use]
pub fn restore_section(inside: &Inside, database: &str, section: &str) -> Command {
    restore(inside, database).arg(format!("--section={section}"))
}

/// Writes one section of a dump from standard input as SQL to standard output; connects with no database.
#[must_use]
pub fn script_of_section(inside: &Inside, section: &str) -> Command {
    exec(inside, "", true).args(["pg_restore", "--file=-"]).arg(format!("--section={section}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_gets_the_password_by_its_environment_and_never_as_an_argument() {
        let inside = Inside {
            container: "db-1".to_owned(),
            role: "shop".to_owned(),
            password: Some(Secret::new("hunter2-hunter2")),
            application: "stagegate/r1".to_owned(),
        };
        let dump = dump(&inside, "shop", None);
        assert!(dump.args.windows(2).any(|pair| pair == ["--env", "PGPASSWORD"]), "{:?}", dump.args);
        assert!(!dump.line().contains("hunter2"));
        assert_eq!(dump.env, [("PGPASSWORD".to_owned(), Secret::new("hunter2-hunter2"))]);
    }

    #[test]
    fn a_url_is_read_alike_by_all_drivers() {
        let reach = Reach {
            host: "127.0.0.1".to_owned(),
            port: 5433,
            role: "post gres".to_owned(),
            password: Some(Secret::new("a/b@c")),
            database: "scratch-1".to_owned(),
        };
        let want = "postgresql://post%20gres:a%2Fb%40c@127.0.0.1:5433/scratch-1?sslmode=disable";
        assert_eq!(reach.url().expose(), want);
        let socket = Reach { host: "/tmp/x y".to_owned(), password: None, ..reach };
        let want = "postgresql://post%20gres@/scratch-1?host=%2Ftmp%2Fx%20y&port=5433&sslmode=disable";
        assert_eq!(socket.url().expose(), want);
        assert!(!socket.variables("URL").iter().any(|(name, _)| name == "PGPASSWORD"));
    }
}
