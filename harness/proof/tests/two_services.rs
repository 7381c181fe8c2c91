//! A small product of its own for a test: PostgreSQL, a migrations service and a web server, in two environments.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use crate::ports::free_port;
use crate::world::{Ended, ended, gate};

const WEB_BASE: &str = "stagegate/nginx:1";
const UP: &str = "set -eu\nfor f in /m/*.sql; do psql -qX -v ON_ERROR_STOP=1 -f \"$f\"; done\n";
const FIRST: &str = "create table if not exists item (id serial primary key, name text not null);\n\
     insert into item (name) select 'item ' || i from generate_series(1, 5000) i where not exists (select from item);\n";

/// The product; releases are commits with tags, each with an image of its own.
pub(crate) struct Small {
    root: PathBuf,
    name: String,
}

impl Small {
    /// Makes the repository with its first release, `r1`; nothing is brought up.
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("proof-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(&name);
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("repo/m")).unwrap();
        let small = Small { root, name };
        for environment in ["staging", "production"] {
            let text = format!("DB_PASSWORD=only-for-this-test\nWEB_PORT={}\nDB_PORT={}\n", free_port(), free_port());
            fs::write(small.env_file(environment), text).unwrap();
        }
        fs::write(small.repo().join("m/1.sql"), FIRST).unwrap();
        fs::write(small.repo().join("m/up.sh"), UP).unwrap();
        fs::write(small.repo().join("stagegate.toml"), small.config()).unwrap();
        run(Command::new("git").args(["init", "--quiet", "--initial-branch", "main"]).arg(small.repo()));
        small.release("r1", &[]);
        small
    }

    /// Adds a release: writes `files` and the image of its web service, and commits it with a tag.
    pub(crate) fn release(&self, tag: &str, files: &[(&str, &str)]) {
        let (image, label) = (self.image(tag), format!("LABEL release={tag}"));
        let made = run(Command::new("docker").args(["create", WEB_BASE]));
        let container = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        run(Command::new("docker").args(["commit", "--change", &label, &container, &image]));
        run(Command::new("docker").args(["rm", &container]));
        fs::write(self.repo().join("docker-compose.yml"), compose(&image)).unwrap();
        for (file, text) in files {
            fs::write(self.repo().join(file), text).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", tag]);
        self.git(&["tag", tag]);
    }

    fn config(&self) -> String {
        format!(
            "[project]\nname = \"{}\"\nstate_dir = \"../state\"\n\
             [environments.staging]\nworkdir = \"../staging\"\nenv_file = \"../staging.env\"\n\
             [environments.production]\nworkdir = \"../production\"\nenv_file = \"../production.env\"\n\
             [services.web]\nport = 80\nhealth = \"/\"\n[services.db]\nkind = \"postgres\"\n\
             [databases.main]\nservice = \"db\"\nname = \"shop\"\nmigrations = \"migrate\"\nrows_may_fall = [\"public.item\"]\n\
             [severity]\npolicy = \"info\"\nsecurity = \"info\"\nisolation = \"info\"\n\
             [gate]\nsoak = \"1s\"\ncross_versions = \"off\"\nwatchdog = false\n",
            self.name
        )
    }

    fn git(&self, args: &[&str]) {
        let identity = ["-c", "user.name=proof", "-c", "user.email=proof@example.org", "-c", "commit.gpgsign=false"];
        run(Command::new("git").arg("-C").arg(self.repo()).args(identity).args(args));
    }

    fn repo(&self) -> PathBuf {
        self.root.join("repo")
    }

    /// Returns a file of the test's own, next to the repository.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Returns the env file of an environment.
    pub(crate) fn env_file(&self, environment: &str) -> PathBuf {
        self.root.join(format!("{environment}.env"))
    }

    /// Returns the value of a variable of an env file.
    pub(crate) fn variable(&self, environment: &str, key: &str) -> String {
        let text = fs::read_to_string(self.env_file(environment)).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
        value.expect("the variable is there").to_owned()
    }

    /// Sets a variable in an env file.
    pub(crate) fn set_variable(&self, environment: &str, key: &str, value: &str) {
        let text = fs::read_to_string(self.env_file(environment)).unwrap();
        fs::write(self.env_file(environment), format!("{text}{key}={value}\n")).unwrap();
    }

    /// Returns the image of a release's web service.
    pub(crate) fn image(&self, tag: &str) -> String {
        format!("{}-web:{tag}", self.name)
    }

    /// Returns the id of that image.
    pub(crate) fn image_id(&self, tag: &str) -> String {
        inspect(&["image", "inspect", "--format", "{{.Id}}", &self.image(tag)])
    }

    /// Returns the compose project of an environment.
    pub(crate) fn project(&self, environment: &str) -> String {
        format!("{}-{environment}", self.name)
    }

    /// Returns the image id that an environment's web service runs.
    pub(crate) fn running(&self, environment: &str) -> String {
        inspect(&["inspect", "--format", "{{.Image}}", &format!("{}-web-1", self.project(environment))])
    }

    /// Returns what a query states of an environment's database.
    pub(crate) fn query(&self, environment: &str, sql: &str) -> String {
        let container = format!("{}-db-1", self.project(environment));
        inspect(&["exec", &container, "psql", "-U", "shop", "-d", "shop", "-XAtc", sql])
    }

    /// Returns a gate command that is ready to be started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(gate());
        command.args(args).current_dir(self.repo()).env_remove("STAGEGATE_STATE_DIR").env_remove("STAGEGATE_ENV");
        command
    }

    /// Brings an environment up with a release.
    pub(crate) fn up(&self, environment: &str, tag: &str) {
        let up = ended(&self.command(&["up", "--env", environment, "--release", tag]).output().unwrap());
        assert_eq!(up.code, Some(0), "{}", up.text);
    }

    /// Returns the command that promotes what staging runs.
    pub(crate) fn promotion(&self) -> Command {
        self.command(&["promote", "--from", "staging", "--to", "production", "--yes"])
    }

    /// Promotes what staging runs.
    pub(crate) fn promote(&self) -> Ended {
        ended(&self.promotion().output().unwrap())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        for environment in ["staging", "production"] {
            let project = self.project(environment);
            let down = ["compose", "--project-name", &project, "down", "--volumes", "--timeout", "1"];
            let _ = Command::new("docker").args(down).output();
        }
        let list = Command::new("docker").args(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).output();
        let all = list.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let runs = fs::read_dir(self.root.join("state").join(self.project("production")).join("runs"));
        let runs: Vec<String> =
            runs.into_iter().flatten().flatten().map(|run| run.file_name().to_string_lossy().into_owned()).collect();
        let is_ours = |image: &&str| {
            image.starts_with(&format!("{}-web:", self.name)) || runs.iter().any(|run| image.contains(run.as_str()))
        };
        for image in all.lines().filter(is_ours) {
            let _ = Command::new("docker").args(["image", "rm", image]).output();
        }
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

fn compose(image: &str) -> String {
    format!(
        r#"services:
  db:
    image: stagegate/postgres:17
    environment: {{POSTGRES_USER: shop, POSTGRES_PASSWORD: "${{DB_PASSWORD}}", POSTGRES_DB: shop}}
    ports: ["${{DB_PORT}}:5432"]
    volumes: ["db-data:/var/lib/postgresql/data"]
    healthcheck: {{test: ["CMD-SHELL", "pg_isready -q -h 127.0.0.1 -U shop -d shop"], interval: 1s, retries: 120}}
  migrate:
    image: stagegate/postgres:17
    restart: "no"
    command: ["bash", "/m/up.sh"]
    volumes: ["./m:/m:ro"]
    tmpfs: [/var/lib/postgresql/data]
    extra_hosts: ["host.docker.internal:host-gateway"]
    environment:
      PGHOST: ${{MIGRATE_HOST:-db}}
      PGPORT: ${{MIGRATE_PORT:-5432}}
      PGUSER: shop
      PGPASSWORD: ${{DB_PASSWORD}}
      PGDATABASE: shop
      TRY: ${{TRY:-}}
      TRY_PORTS: ${{TRY_PORTS:-}}
    depends_on: {{db: {{condition: service_healthy}}}}
  web:
    image: {image}
    ports: ["127.0.0.1:${{WEB_PORT}}:80"]
    depends_on: {{migrate: {{condition: service_completed_successfully}}}}
volumes:
  db-data:
"#
    )
}

fn inspect(args: &[&str]) -> String {
    String::from_utf8(run(Command::new("docker").args(args)).stdout).unwrap().trim().to_owned()
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}:\n{}", ended(&output).text);
    output
}
