//! The smallest product that has data: one database, its migrations, a web server. For proofs that are about databases
//! and not about the sample stack: its images need no build, and a promotion takes a fraction of the time.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use stagegate_base::{redact::Secret, subfolder::Subfolder};
use stagegate_host::{database::Server, engine::Engine};

use crate::ports::free_port;
use crate::world::{Ended, IDENTITY, PASSWORD, checkout, ended, gate, image_of, run};

const COMPOSE: &str = r#"services:
  db:
    image: POSTGRES
    environment: { POSTGRES_USER: app, POSTGRES_PASSWORD: "${DB_PASSWORD:?}", POSTGRES_DB: 'LIVE_NAME' }
    volumes: ["db-data:/var/lib/postgresql/data"]
    healthcheck: { test: ["CMD-SHELL", "pg_isready -q -h 127.0.0.1 -U app"], interval: 1s, retries: 120 }
  migrate:
    image: POSTGRES
    restart: "no"
    command: ["bash", "/m/up.sh"]
    volumes: ["./m:/m:ro"]
    tmpfs: [/var/lib/postgresql/data]
    environment: { PGHOST: db, PGUSER: app, PGPASSWORD: "${DB_PASSWORD:?}", PGDATABASE: 'LIVE_NAME' }
    depends_on:
      db: { condition: service_healthy }
  web:
    image: NGINX
    ports: ["127.0.0.1:${WEB_PORT:?}:80"]
    depends_on:
      migrate: { condition: service_completed_successfully }
volumes:
  db-data:
"#;

const FIRST: &str = "create table if not exists item (id serial primary key, name text not null);\n\
    insert into item (name) select 'item ' || i from generate_series(1, 100) i where not exists (select from item);\n";

/// The product, in a folder of its own; all of it goes at the end.
pub(crate) struct Small {
    root: PathBuf,
    name: String,
    database: String,
    /// Where the product lies in its repository.
    subfolder: Subfolder,
}

impl Small {
    /// Makes the repository with release v1; `database` is the live database's name.
    pub(crate) fn new(name: &str, database: &str) -> Self {
        Self::within(name, database, Path::new(""))
    }

    /// Makes the repository with release v1 of the product in a folder of it.
    pub(crate) fn within(name: &str, database: &str, subfolder: &Path) -> Self {
        let name = format!("proof-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(&name);
        let _ = fs::remove_dir_all(&root);
        let small = Small { root, name, database: database.to_owned(), subfolder: Subfolder::new(subfolder) };
        let product = small.product();
        fs::create_dir_all(product.join("m")).unwrap();
        let images = fs::read_to_string(checkout().join(".stagegate/images.env")).unwrap();
        let nginx = images.lines().find_map(|line| line.strip_prefix("NGINX_IMAGE=")).expect("setup.sh names nginx");
        let compose = COMPOSE.replace("POSTGRES\n", &format!("{}\n", image_of(17))).replace("NGINX", nginx);
        fs::write(product.join("docker-compose.yml"), compose.replace("LIVE_NAME", database)).unwrap();
        fs::write(product.join("stagegate.toml"), small.config()).unwrap();
        for environment in ["staging", "production"] {
            let port = free_port();
            let bad = if environment == "production" { "LATE=1\n" } else { "" };
            let text = format!("WEB_PORT={port}\nDB_PASSWORD={PASSWORD}\n{bad}");
            fs::write(small.root.join(format!("{environment}.env")), text).unwrap();
        }
        let up = "set -eu\nfor f in /m/*.sql; do psql -qX -v ON_ERROR_STOP=1 -f \"$f\"; done\n";
        fs::write(product.join("m/up.sh"), up).unwrap();
        run(Command::new("git").args(["init", "--quiet"]).arg(small.repository()));
        small.release("v1", FIRST, "");
        small
    }

    fn config(&self) -> String {
        let up = "../".repeat(self.subfolder.path().components().count() + 1);
        let workdir = |name: &str| self.subfolder.within(Path::new(&format!("{up}{name}"))).display().to_string();
        let environment = |name: &str| {
            let workdir = workdir(name);
            format!("[environments.{name}]\nworkdir = \"{workdir}\"\nenv_file = \"{up}{name}.env\"\n")
        };
        format!(
            "[project]\nname = \"{}\"\nstate_dir = \"{up}state\"\n{}{}\
             [services.web]\nport = 80\nhealth = \"/\"\n[services.db]\nkind = \"postgres\"\n\
             [databases.main]\nservice = \"db\"\nname = '{}'\nmigrations = \"migrate\"\n\
             [severity]\npolicy = \"info\"\nsecurity = \"info\"\nisolation = \"info\"\n\
             [gate]\nsoak = \"1s\"\ncross_versions = \"off\"\nwatchdog = false\n",
            self.name,
            environment("staging"),
            environment("production"),
            self.database,
        )
    }

    /// Adds an environment whose workdir is the product's own folder; the next release has it.
    pub(crate) fn add_environment(&self, name: &str) {
        let file = self.product().join("stagegate.toml");
        let section = format!("[environments.{name}]\nenv_file = \"../{name}.env\"\n[services.web]");
        let text = fs::read_to_string(&file).unwrap().replacen("[services.web]", &section, 1);
        fs::write(&file, text).unwrap();
        let port = free_port();
        let text = format!("WEB_PORT={port}\nDB_PASSWORD={PASSWORD}\n");
        fs::write(self.root.join(format!("{name}.env")), text).unwrap();
    }

    /// Adds a release on top of the newest one: one migration more, and `services` below those that are there.
    pub(crate) fn release(&self, tag: &str, migration: &str, services: &str) {
        fs::write(self.product().join(format!("m/{tag}.sql")), migration).unwrap();
        let compose = self.product().join("docker-compose.yml");
        let text = fs::read_to_string(&compose).unwrap();
        fs::write(&compose, text.replacen("volumes:\n  db-data:", &format!("{services}volumes:\n  db-data:"), 1))
            .unwrap();
        self.git(&["add", "--all", ":/"]);
        self.git(&["commit", "--quiet", "--message", tag]);
        self.git(&["tag", tag]);
    }

    /// Runs git in the product's repository.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = run(Command::new("git").arg("-C").arg(self.product()).args(IDENTITY).args(args));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Returns the folder of the product.
    pub(crate) fn product(&self) -> PathBuf {
        self.subfolder.within(&self.repository())
    }

    /// Returns the working copy of the product's repository.
    pub(crate) fn repository(&self) -> PathBuf {
        self.root.join("product")
    }

    /// Returns the top of an environment's worktree.
    pub(crate) fn worktree(&self, environment: &str) -> PathBuf {
        self.root.join(environment)
    }

    /// Returns the state folder of an environment.
    pub(crate) fn state(&self, environment: &str) -> PathBuf {
        self.root.join("state").join(self.project(environment))
    }

    /// Returns an environment's compose project.
    pub(crate) fn project(&self, environment: &str) -> String {
        format!("{}-{environment}", self.name)
    }

    /// Runs a gate command.
    pub(crate) fn gate(&self, args: &[&str]) -> Ended {
        ended(&self.command(args).output().unwrap())
    }

    /// Returns a command of the gate that runs in the product.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(gate());
        command.args(args).current_dir(self.product()).env_remove("STAGEGATE_STATE_DIR").env_remove("STAGEGATE_ENV");
        command
    }

    /// Brings a release up in an environment.
    pub(crate) fn up(&self, environment: &str, release: &str) {
        let up = self.gate(&["up", "--env", environment, "--release", release]);
        assert_eq!(up.code, Some(0), "{}", up.text);
    }

    /// Brings a release up in staging and promotes it; returns how that ended.
    pub(crate) fn promote(&self, release: &str) -> Ended {
        self.up("staging", release);
        self.gate(&["promote", "--from", "staging", "--to", "production", "--yes"])
    }

    /// Returns production's database server.
    pub(crate) async fn server(&self) -> Server {
        self.server_of("production").await
    }

    /// Returns the database server of an environment that runs.
    pub(crate) async fn server_of(&self, environment: &str) -> Server {
        let containers = Engine::connect().await.unwrap().project(&self.project(environment)).await.unwrap();
        let db = containers.iter().find(|c| c.service == "db").expect("it has a database");
        Server::new(db, "app", Secret::new(PASSWORD), "proof")
    }

    /// Does `sql` in the database `postgres` of production's server.
    pub(crate) async fn execute(&self, sql: &str) {
        let client = self.server().await.connect("postgres").await.unwrap();
        // One after the other: a database cannot be made in a transaction, as several at once would be.
        for one in sql.split(';').filter(|one| !one.trim().is_empty()) {
            client.batch_execute(one).await.unwrap();
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        for environment in ["laptop", "staging", "production"] {
            let project = self.project(environment);
            let down =
                ["compose", "--project-name", &project, "down", "--volumes", "--remove-orphans", "--timeout", "1"];
            let _ = Command::new("docker").args(down).output();
        }
        for run in fs::read_dir(self.state("production").join("runs")).into_iter().flatten().flatten() {
            drop_image_names(&run.file_name().to_string_lossy());
        }
        // What a failed test left is worth a look.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(Path::new(&self.root));
        }
    }
}

/// Takes the names away by which a run kept images.
fn drop_image_names(run: &str) {
    let list = ["image", "ls", "--format", "{{.Tag}}", "stagegate/rollback"];
    let tags = Command::new("docker").args(list).output().map(|output| output.stdout).unwrap_or_default();
    for tag in String::from_utf8_lossy(&tags).lines().filter(|tag| tag.starts_with(run)) {
        let _ = Command::new("docker").args(["image", "rm", &format!("stagegate/rollback:{tag}")]).output();
    }
}
