//! Whether a service that has the image of a data server starts that server, or only uses its client programs.

use super::{Model, storage::is_data_image};

/// Programs that start a data server, or hand over to one.
const SERVERS: [&str; 22] = [
    "docker-entrypoint.sh",
    "docker-ensure-initdb.sh",
    "postgres",
    "postmaster",
    "pg_ctl",
    "pg_ctlcluster",
    "patroni",
    "redis-server",
    "redis-sentinel",
    "valkey-server",
    "valkey-sentinel",
    "keydb-server",
    "dragonfly",
    "mysqld",
    "mysqld_safe",
    "mariadbd",
    "mariadbd-safe",
    "mongod",
    "mongos",
    "clickhouse-server",
    "rabbitmq-server",
    "etcd",
];

/// Programs that use a data server, or only pass the time.
const CLIENTS: [&str; 30] = [
    "psql",
    "pg_dump",
    "pg_dumpall",
    "pg_restore",
    "pg_basebackup",
    "pg_receivewal",
    "pg_isready",
    "pgbench",
    "createdb",
    "dropdb",
    "createuser",
    "vacuumdb",
    "reindexdb",
    "redis-cli",
    "redis-benchmark",
    "valkey-cli",
    "mysql",
    "mysqldump",
    "mysqladmin",
    "mariadb",
    "mariadb-dump",
    "mariadb-admin",
    "mongosh",
    "mongodump",
    "mongorestore",
    "etcdctl",
    "sleep",
    "tail",
    "cron",
    "crond",
];

/// Words that stand before a program in a shell's text.
const BEFORE: [&str; 12] = ["exec", "do", "then", "else", "if", "while", "until", "!", "time", "nohup", "env", "tini"];

/// What is known of a program that a service starts.
enum Starts {
    Server,
    Client,
    Unknown,
}

impl Model {
    /// Returns whether a service is a server that keeps data in files which belong to one process: it has such an image, and
    /// does not start one of the image's client programs instead, as services that back up or prepare a database do.
    ///
    /// Where the program is not known, a folder for the server's files, a port or a healthcheck shows a server.
    #[must_use]
    pub fn is_data_server(&self, service: &str) -> bool {
        is_data_image(&self.image_name(service)) && self.starts_the_server(service)
    }

    /// Returns whether a service has a data server's image for its client programs alone.
    #[must_use]
    pub fn is_data_client(&self, service: &str) -> bool {
        is_data_image(&self.image_name(service)) && !self.starts_the_server(service)
    }

    fn starts_the_server(&self, service: &str) -> bool {
        let json = self.service(service);
        let words = |key: &str| match &json[key] {
            serde_json::Value::Array(words) => words.iter().filter_map(|word| word.as_str()).map(unescaped).collect(),
            serde_json::Value::String(text) => text.split_whitespace().map(unescaped).collect(),
            _ => Vec::<String>::new(),
        };
        let words = [words("entrypoint"), words("command")].concat();
        match starts(&words) {
            Starts::Server => true,
            Starts::Client => false,
            Starts::Unknown => {
                let mounts = json["volumes"].as_array().into_iter().flatten();
                let mut places = mounts.filter_map(|mount| mount["target"].as_str());
                let listens =
                    ["ports", "expose"].iter().any(|key| json[*key].as_array().is_some_and(|all| !all.is_empty()));
                listens
                    || self.has_healthcheck(service)
                    || places.any(|place| place == "/data" || place.starts_with("/var/lib/"))
            }
        }
    }
}

/// `$$` is Compose's `$`.
fn unescaped(word: &str) -> String {
    word.replace("$$", "$")
}

/// Returns what the words of a service's entrypoint and command start.
fn starts(words: &[String]) -> Starts {
    let Some(first) = words.first() else { return Starts::Server };
    // Options alone are for the image's own entrypoint.
    if first.starts_with('-') {
        return Starts::Server;
    }
    let is_shell = ["sh", "bash", "ash", "dash"].contains(&base_name(first));
    let script = words.iter().skip(1).position(|word| word.starts_with('-') && word.ends_with('c'));
    match script.and_then(|at| words.get(at + 2)) {
        Some(text) if is_shell => of_script(text),
        // The file that a shell reads is not known.
        _ if is_shell => Starts::Unknown,
        _ => of_program(words.iter().map(String::as_str)),
    }
}

/// A script starts a server if one of its commands does, and else is a client if one of its commands is.
fn of_script(text: &str) -> Starts {
    let mut found = Starts::Unknown;
    for command in text.split([';', '&', '|', '\n', '(', ')', '{', '}', '`']) {
        match of_program(command.split_whitespace()) {
            Starts::Server => return Starts::Server,
            Starts::Client => found = Starts::Client,
            Starts::Unknown => {}
        }
    }
    found
}

fn of_program<'a>(words: impl Iterator<Item = &'a str>) -> Starts {
    let mut words =
        words.skip_while(|word| BEFORE.contains(&base_name(word)) || word.starts_with('-') || word.contains('='));
    let Some(first) = words.next() else { return Starts::Unknown };
    let program = match base_name(first) {
        // `gosu USER PROGRAM`
        "gosu" | "su-exec" => words.nth(1).map_or("", base_name),
        // The images' entrypoint starts whatever it is given.
        "docker-entrypoint.sh" => match words.next() {
            Some(word) if !word.starts_with('-') => base_name(word),
            _ => return Starts::Server,
        },
        name => name,
    };
    if SERVERS.contains(&program) {
        Starts::Server
    } else if CLIENTS.contains(&program) {
        Starts::Client
    } else {
        Starts::Unknown
    }
}

fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn is_server(mut service: Value) -> bool {
        service["image"] = json!("docker.io/library/postgres:17");
        Model::parse(&json!({"services": {"db": service}}).to_string()).unwrap().is_data_server("db")
    }

    #[rstest]
    #[case::of_the_image(json!({}), true)]
    #[case::options(json!({"command": ["-c", "wal_level=logical"]}), true)]
    #[case::itself(json!({"command": ["postgres", "-c", "fsync=off"]}), true)]
    #[case::its_entrypoint(json!({"entrypoint": ["docker-entrypoint.sh"], "command": ["postgres"]}), true)]
    #[case::prepared(json!({"command": ["bash", "-c", "chown postgres /x && exec docker-entrypoint.sh postgres -c a=b"]}), true)]
    #[case::as_a_user(json!({"entrypoint": ["sh", "-ec"], "command": ["exec gosu postgres postgres -D /d"]}), true)]
    #[case::own_script_with_data(
        json!({"command": ["/start.sh"], "volumes": [{"type": "volume", "target": "/var/lib/postgresql/data"}]}), true)]
    #[case::own_script_with_a_port(json!({"entrypoint": ["/start.sh"], "expose": ["5432"]}), true)]
    #[case::own_script(json!({"command": ["/scripts/backup.sh"], "volumes": [{"type": "bind", "target": "/backups"}]}), false)]
    #[case::script_with_a_usual_name(json!({"entrypoint": ["/run.sh"]}), false)]
    #[case::script_of_a_shell(json!({"command": ["sh", "/app/init.sh"]}), false)]
    #[case::dumps(json!({"command": ["bash", "-c", "while true; do pg_dump postgres://u@db/postgres > /b/x; sleep 86400; done"]}), false)]
    #[case::waits_then_prepares(json!({"command": ["sh", "-c", "until pg_isready -U postgres; do sleep 1; done\npsql -f /x.sql"]}), false)]
    #[case::entrypoint_of_a_client(json!({"entrypoint": ["psql", "-h", "db"], "command": ["-c", "select 1"]}), false)]
    #[case::by_the_images_entrypoint(json!({"entrypoint": ["/usr/local/bin/docker-entrypoint.sh"], "command": ["pg_dump", "x"]}), false)]
    #[case::idle(json!({"entrypoint": ["sleep", "infinity"], "volumes": [{"type": "volume", "target": "/var/lib/backups"}]}), false)]
    #[case::variables_of_compose(json!({"command": ["sh", "-c", "PGPASSWORD=$$P psql -c 'select 1'"]}), false)]
    fn a_server_is_known_by_what_it_starts(#[case] service: Value, #[case] want: bool) {
        assert_eq!(is_server(service), want);
    }
}
