//! The proposed file's text.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use stagegate_base::subfolder::Subfolder;

use super::{Database, Facts, Kind, Service, project_name, unique_name};

/// Writes the file.
pub(super) fn render(
    facts: &Facts,
    environment: &str,
    services: &[Service],
    databases: &[Database],
    left_out: &mut Vec<String>,
) -> String {
    let name = project_name(&facts.name);
    let mut text = format!(
        "# Proposed by `gate init` from the compose files and from what runs here. docs/stagegate.toml has every key.\n\n\
         [project]\nname = {}\n",
        quoted(&name)
    );
    environments(&mut text, facts, &name, environment);
    text +=
        "\n# Services that requests are sent to. The others are watched all the same: they must run and not restart.\n";
    for service in services {
        one_service(&mut text, service);
    }
    contracts(&mut text, facts, services);
    for database in databases {
        one_database(&mut text, database);
    }
    volumes(&mut text, facts, services, left_out);
    if let [database] = databases {
        migrations(&mut text, facts, database, left_out);
    }
    text
}

fn environments(text: &mut String, facts: &Facts, name: &str, environment: &str) {
    if let Some(file) = &facts.env_file {
        let _ = write!(
            text,
            "\n# The temporary copy that `gate test` starts when no environment is named.\n[environments.ephemeral]\nenv_file = {}\n",
            quoted(file)
        );
    }
    let own = match facts.running {
        Some(_) => String::new(),
        None => format!(", as compose project {name}-{environment} with containers and volumes of its own"),
    };
    let _ = write!(text, "\n# The stack of this folder{own}.\n[environments.{environment}]\n");
    if let Some(project) = facts.running.as_ref().filter(|project| **project != format!("{name}-{environment}")) {
        let _ = writeln!(text, "project = {}    # the compose project that runs here", quoted(project));
    }
    if let Some(file) = &facts.env_file {
        let _ = writeln!(text, "env_file = {}", quoted(file));
    }
    *text += "\n# A promotion goes from one environment to the next. Each has a folder, which gate creates, and an env file with\n\
              # ports and passwords of its own.";
    let answered = &facts.answers.environments;
    let (names, mark): (Vec<&str>, &str) = match answered.as_slice() {
        [] => (vec!["staging", "production"], "#"),
        names => (names.iter().map(String::as_str).collect(), ""),
    };
    *text += if answered.is_empty() { " Write the env files, then take the `#` away.\n" } else { "\n" };
    if let Some(project) = &facts.running {
        let _ = writeln!(
            text,
            "# If the stack that runs here is one of them, move `project = {}` to it: docs/existing-stack.md.",
            quoted(project)
        );
    }
    for (at, one) in names.iter().enumerate() {
        let gap = if at == 0 { "" } else { "\n" };
        let workdir = quoted(&workdir(&facts.subfolder, &format!("{name}-{one}")));
        let file = quoted(&format!(".env.{one}"));
        let _ = write!(text, "{gap}{mark}[environments.{one}]\n{mark}workdir = {workdir}\n{mark}env_file = {file}\n");
        if at > 0 && at + 1 == names.len() {
            let _ = writeln!(text, "{mark}protected = true");
        }
    }
}

/// Returns the product's folder in a checkout of its repository next to the user's own one, from the product's folder.
fn workdir(subfolder: &Subfolder, name: &str) -> String {
    let up = "../".repeat(subfolder.path().components().count() + 1);
    subfolder.within(Path::new(&format!("{up}{name}"))).display().to_string()
}

fn one_service(text: &mut String, service: &Service) {
    let _ = write!(text, "\n[services.{}]    # {}\n", key(&service.name), service.image);
    match service.kind {
        Kind::Postgres => *text += "kind = \"postgres\"\n",
        Kind::Redis => *text += "kind = \"redis\"\n",
        Kind::Other => {
            if let Some(port) = service.port {
                let _ = writeln!(text, "port = {port}    # {}", service.source);
            }
            match &service.health {
                Some(path) => {
                    let _ = writeln!(text, "health = {}    # {}", quoted(path), service.health_source);
                }
                None => {
                    *text += "#health = \"/healthz\"    # a path that returns 2xx; without it only the port is tested\n"
                }
            }
            if let Some(path) = &service.contract {
                let _ = writeln!(
                    text,
                    "#served_contract = {}    # it publishes an OpenAPI document; with this key every operation of it is called",
                    quoted(path)
                );
            }
        }
    }
}

fn contracts(text: &mut String, facts: &Facts, services: &[Service]) {
    let http: Vec<&Service> = services.iter().filter(|service| service.kind == Kind::Other).collect();
    if facts.contracts.is_empty() || http.is_empty() {
        return;
    }
    let files: Vec<String> = facts.contracts.iter().map(|file| quoted(file)).collect();
    let _ = write!(
        text,
        "\n# OpenAPI documents of this folder: {}. Set `contract` in the table of the service that each describes\n\
         # (its operations are called then, and a release that breaks callers is blocked).\n",
        files.join(", ")
    );
}

fn one_database(text: &mut String, database: &Database) {
    let _ = write!(
        text,
        "\n# Data that is backed up, rehearsed on and restored.\n[databases.{}]\nservice = {}\nname = {}{}\n",
        key(&database.key),
        quoted(&database.service),
        quoted(&database.name),
        if database.is_a_guess { "    # a guess: no file names it" } else { "" }
    );
    if let Some(service) = &database.migrations {
        let _ = writeln!(text, "migrations = {}    # runs once, and applies the migrations", quoted(service));
    }
}

/// Proposes the volumes in which services keep files. Databases have their own backups.
fn volumes(text: &mut String, facts: &Facts, services: &[Service], left_out: &mut Vec<String>) {
    let is_server = |name: &str| services.iter().any(|service| service.name == name && service.kind == Kind::Postgres);
    let writers = |key: &String| -> Vec<String> {
        let mounting = facts.model.mounting_volume(key).into_iter();
        mounting.filter(|one| one.writes && !is_server(&one.service)).map(|one| one.service).collect()
    };
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut names = BTreeSet::new();
    for volume in facts.model.volume_keys().into_iter().filter(|key| !is_in_memory(facts, key)) {
        match data_server(facts, &volume) {
            None => found.push((volume.clone(), writers(&volume))),
            Some(server) => left_out.push(format!(
                "data of `{server}` in the volume {volume}: files of a running server are no backup; stagegate backs up \
                 PostgreSQL only"
            )),
        }
    }
    for (at, (volume, services)) in found.iter().filter(|(_, services)| !services.is_empty()).enumerate() {
        if at == 0 {
            *text += "\n# Files that backups include. With `rollback = true` a promotion stops their services to copy them, and a\n\
                      # rollback with data restores them.\n";
        }
        let gap = if at == 0 { "" } else { "\n" };
        let _ = write!(
            text,
            "{gap}[volumes.{}]    # of {}\nvolume = {}\nrollback = false\n",
            key(&unique_name(volume, &mut names)),
            services.join(", "),
            quoted(volume)
        );
    }
    for (service, source) in facts.folders.iter().filter(|(service, _)| !is_server(service)) {
        left_out.push(format!(
            "files of `{service}` in {source}: if they are data, a `path` in [volumes] lets backups include them"
        ));
    }
}

/// Returns whether a volume is memory, which nothing keeps.
fn is_in_memory(facts: &Facts, volume: &str) -> bool {
    facts.model.json()["volumes"][volume]["driver_opts"]["type"] == "tmpfs"
}

/// Folders in which servers of other databases keep their data.
// Sources: the official images of MySQL and MariaDB, MongoDB, Elasticsearch and ClickHouse, and Bitnami's.
const DATA: [&str; 8] = [
    "/var/lib/mysql",
    "/bitnami/mysql",
    "/bitnami/mariadb",
    "/data/db",
    "/bitnami/mongodb",
    "/var/lib/clickhouse",
    "/usr/share/elasticsearch/data",
    "/var/opt/mssql",
];

/// Returns the service of another database server that keeps its data in a volume.
fn data_server(facts: &Facts, volume: &str) -> Option<String> {
    let is_data = |mount: &serde_json::Value| {
        let target = mount["target"].as_str().unwrap_or_default();
        mount["source"] == volume && DATA.iter().any(|folder| Path::new(target).starts_with(folder))
    };
    let has_it = |service: &String| {
        facts.model.json()["services"][service]["volumes"].as_array().into_iter().flatten().any(is_data)
    };
    facts.model.mounting_volume(volume).into_iter().filter(|one| one.writes).map(|one| one.service).find(has_it)
}

fn migrations(text: &mut String, facts: &Facts, database: &Database, left_out: &mut Vec<String>) {
    let [(folder, tool)] = facts.migrations.as_slice() else {
        if facts.migrations.len() > 1 {
            let all: Vec<String> =
                facts.migrations.iter().map(|(folder, tool)| format!("`{folder}` ({tool})")).collect();
            left_out.push(format!(
                "tests of migrations: {} may each be the folder; name it in `source` of [migrations.{}]",
                all.join(", "),
                database.key
            ));
        }
        return;
    };
    let table = key(&database.key);
    let _ = write!(
        text,
        "\n# Each migration is tested up, down and up again on a scratch server.\n[migrations.{table}]\ntool = {}\n",
        quoted(&tool.to_string())
    );
    // The tool's program and the product's packages are in the image of the service that migrates.
    match database.migrations.as_ref().filter(|_| tool.driver().is_some()) {
        Some(service) => {
            let _ = writeln!(text, "service = {}    # {tool} runs in its image", quoted(service));
        }
        None if folder != "." => {
            let _ = writeln!(text, "source = {}", quoted(folder));
        }
        None => {}
    }
}

/// Writes a text as TOML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// Writes a key as TOML.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if is_bare { name.to_owned() } else { quoted(name) }
}
