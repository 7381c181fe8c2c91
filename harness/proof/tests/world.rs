//! A product of its own for a test: a scratch repository, a staging and a production stack, all under names that
//! no other test uses, and taken away at the end.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use serde_json::Value;
use stagegate_base::{config::Integrity, container::State, redact::Secret};
use stagegate_data_decide::DataFacts;
use stagegate_host::{database::Server, engine::Engine};

use crate::ports::free_port;

/// A password for stacks that live for minutes on this machine's own addresses.
pub(crate) const PASSWORD: &str = "only-for-this-test-run";

/// How a gate command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit code; `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output and error, one after the other.
    pub(crate) text: String,
}

/// A whole environment at one moment: what must be equal before and after.
#[derive(Debug, PartialEq)]
pub(crate) struct Snapshot {
    /// Image ids by service.
    images: BTreeMap<String, String>,
    /// Rows, contents and schema.
    pub(crate) data: DataFacts,
    /// The env file.
    env: String,
    /// The commit of the worktree.
    commit: String,
    /// What the api states it is.
    version: String,
}

impl Snapshot {
    /// Leaves the table out that states when each migration was applied: two runs of one release differ in it.
    pub(crate) fn without_migration_times(mut self) -> Self {
        self.data.tables.remove("public.schema_migrations").expect("the product keeps its migrations there");
        self
    }
}

/// The product.
pub(crate) struct World {
    root: PathBuf,
    name: String,
    variables: Vec<(String, String)>,
}

impl World {
    /// Makes the repository with all releases and brings v1 up in production and staging.
    pub(crate) fn new(name: &str, gate: &str) -> Self {
        let world = Self::empty(name, gate);
        for environment in ["staging", "production"] {
            world.gate_ok(&["up", "--env", environment, "--release", "v1"]);
        }
        world
    }

    /// Makes the repository and brings nothing up.
    pub(crate) fn empty(name: &str, gate: &str) -> Self {
        let name = format!("proof-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(&name);
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        let world = World { root, name, variables: Vec::new() };
        let shop = checkout().join("fixtures/shop");
        run(Command::new(shop.join("releases/make-repo.sh")).arg(world.shop()));
        // Both pass in staging and fail in production, where a variable states so: one at the first question, one
        // since the database server cannot be started any more.
        world.add_release(
            "v3-late",
            "REDIS_URL: ",
            "REDIS_URL: ${LATE_REDIS_URL:-redis://cache:6379}\n      OLD_URL: ",
        );
        world.add_release("v3-server", "  db:\n", "  db:\n    ports: [\"127.0.0.1:${DB_PORT:-0}:5432\"]\n");
        world.write_env("staging", false);
        world.write_env("production", true);
        fs::write(world.shop().join("stagegate.toml"), world.config(gate)).unwrap();
        world
    }

    /// Sets a variable for all further gate commands.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        self.variables.push((key.to_owned(), value.to_owned()));
    }

    /// Takes a variable away again.
    pub(crate) fn unset(&mut self, key: &str) {
        self.variables.retain(|(k, _)| k != key);
    }

    fn config(&self, gate: &str) -> String {
        let images = checkout().join(".stagegate/images.env");
        format!(
            "[project]\nname = \"{name}\"\nstate_dir = \"../state\"\n\
             [environments.staging]\nworkdir = \"../staging\"\nenv_file = [{images:?}, \"../staging.env\"]\n\
             [environments.production]\nworkdir = \"../production\"\nenv_file = [{images:?}, \"../production.env\"]\n\
             protected = true\n\
             [services.web]\nport = 80\nhealth = \"/ping\"\n\
             [services.api]\nport = 8080\nhealth = \"/healthz\"\nversion = \"/version\"\n\
             contract = \"contracts/openapi.json\"\n\
             [services.db]\nkind = \"postgres\"\n[services.cache]\nkind = \"redis\"\n\
             [databases.main]\nservice = \"db\"\nname = \"shop\"\nmigrations = \"migrate\"\n\
             [gate]\nwatchdog = false\n{cross}{gate}\n",
            name = self.name,
            // Two more starts of the stack in each rehearsal; one proof has them.
            cross = if gate.contains("cross_versions") { "" } else { "cross_versions = \"off\"\n" },
        )
    }

    /// Adds a release on top of v2: the first `from` of the compose file becomes `to`, and there is a migration that
    /// is fine, so that data is frozen and copied.
    fn add_release(&self, tag: &str, from: &str, to: &str) {
        let shop = self.shop();
        let git = |args: &[&str]| run(Command::new("git").arg("-C").arg(&shop).args(IDENTITY).args(args));
        git(&["checkout", "--quiet", "v2"]);
        let compose = shop.join("docker-compose.yml");
        let text = fs::read_to_string(&compose).unwrap();
        assert!(text.contains(from), "the compose file has no `{from}` to change");
        fs::write(&compose, text.replacen(from, to, 1)).unwrap();
        fs::write(shop.join("migrations/003_more.up.sql"), "ALTER TABLE orders ADD COLUMN more integer;\n").unwrap();
        fs::write(shop.join("migrations/003_more.down.sql"), "ALTER TABLE orders DROP COLUMN more;\n").unwrap();
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--message", tag]);
        git(&["tag", tag]);
        git(&["checkout", "--quiet", "main"]);
    }

    /// Adds a release on top of v1 in which the first `from` of one file is `to`.
    pub(crate) fn add_change(&self, tag: &str, file: &str, from: &str, to: &str) {
        let shop = self.shop();
        let git = |args: &[&str]| run(Command::new("git").arg("-C").arg(&shop).args(IDENTITY).args(args));
        git(&["checkout", "--quiet", "v1"]);
        let text = fs::read_to_string(shop.join(file)).unwrap();
        assert!(text.contains(from), "{file} has no `{from}` to change");
        fs::write(shop.join(file), text.replacen(from, to, 1)).unwrap();
        git(&["commit", "--quiet", "--all", "--message", tag]);
        git(&["tag", tag]);
        git(&["checkout", "--quiet", "main"]);
    }

    /// Adds a release on top of v1 that is v1 with one migration more.
    pub(crate) fn add_migration(&self, tag: &str, sql: &str) {
        let shop = self.shop();
        let git = |args: &[&str]| run(Command::new("git").arg("-C").arg(&shop).args(IDENTITY).args(args));
        git(&["checkout", "--quiet", "v1"]);
        fs::write(shop.join("migrations/002_more.up.sql"), sql).unwrap();
        fs::write(shop.join("migrations/002_more.down.sql"), "SELECT 1;\n").unwrap();
        git(&["add", "migrations"]);
        git(&["commit", "--quiet", "--message", tag]);
        git(&["tag", tag]);
        git(&["checkout", "--quiet", "main"]);
    }

    fn write_env(&self, environment: &str, legacy: bool) {
        let port = free_port();
        let rest =
            if legacy { "SEED_LEGACY=1\nLATE_REDIS_URL=redis://cache:1\n" } else { "MAIL_FROM=shop@example.org\n" };
        let text = format!(
            "SHOP_ENV={environment}\nWEB_PORT={port}\nPOSTGRES_USER=shop\nPOSTGRES_DB=shop\n\
             POSTGRES_PASSWORD={PASSWORD}\nJWT_SECRET={PASSWORD}-{environment}-long-enough-for-a-key\nSEED_ORDERS=2000\n{rest}"
        );
        fs::write(self.env_file(environment), text).unwrap();
    }

    /// Returns the product's repository.
    pub(crate) fn shop(&self) -> PathBuf {
        self.root.join("shop")
    }

    /// Returns the env file of an environment.
    pub(crate) fn env_file(&self, environment: &str) -> PathBuf {
        self.root.join(format!("{environment}.env"))
    }

    /// Returns the worktree of an environment.
    pub(crate) fn workdir(&self, environment: &str) -> PathBuf {
        self.root.join(environment)
    }

    /// Returns the folder of the gate's runs in an environment.
    pub(crate) fn runs(&self, environment: &str) -> PathBuf {
        self.root.join("state").join(self.project(environment)).join("runs")
    }

    /// Returns the compose project of an environment.
    pub(crate) fn project(&self, environment: &str) -> String {
        format!("{}-{environment}", self.name)
    }

    /// Returns a gate command that is ready to be started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(gate());
        command.args(args).current_dir(self.shop()).env_remove("STAGEGATE_STATE_DIR").env_remove("STAGEGATE_ENV");
        command.envs(self.variables.iter().cloned());
        command
    }

    /// Runs a gate command.
    pub(crate) fn gate(&self, args: &[&str]) -> Ended {
        ended(&self.command(args).output().unwrap())
    }

    /// Runs a gate command that must end with 0.
    pub(crate) fn gate_ok(&self, args: &[&str]) -> String {
        let ended = self.gate(args);
        assert_eq!(ended.code, Some(0), "gate {args:?}:\n{}", ended.text);
        ended.text
    }

    /// Promotes what staging runs.
    pub(crate) fn promote(&self) -> Ended {
        self.gate(&["promote", "--from", "staging", "--to", "production", "--yes"])
    }

    /// Brings staging from nothing to v2 and then to `release`, as a product's staging would have come to it.
    pub(crate) fn stage(&self, release: &str) {
        self.gate_ok(&["down", "--env", "staging", "--volumes", "--yes"]);
        self.gate_ok(&["up", "--env", "staging", "--release", "v2"]);
        if release != "v2" {
            self.gate_ok(&["up", "--env", "staging", "--release", release]);
        }
    }

    /// Returns the last run's entry of `gate history`.
    pub(crate) fn last_run(&self) -> Value {
        let text = self.command(&["history", "--env", "production", "--json"]).output().unwrap().stdout;
        let text = String::from_utf8(text).unwrap();
        serde_json::from_str(text.lines().last().unwrap_or("null")).unwrap()
    }

    /// Reads all that must be equal before and after.
    pub(crate) async fn state(&self) -> Snapshot {
        let engine = Engine::connect().await.unwrap();
        let containers = engine.project(&self.project("production")).await.unwrap();
        let images = containers.iter().filter(|c| !c.one_off).map(|c| (c.service.clone(), c.image.clone())).collect();
        let api = containers.iter().find(|c| c.service == "api" && c.state == State::Running).expect("the api runs");
        let http = stagegate_host::http::Http::shared().unwrap();
        let (_, response) =
            http.send_first(&api.reach(8080), &stagegate_host::http::Request::get("/version")).await.unwrap();
        let head = run(Command::new("git").arg("-C").arg(self.workdir("production")).args(["rev-parse", "HEAD"]));
        Snapshot {
            images,
            data: stagegate_data_act::facts::facts(&self.server().await, "shop", Integrity::Checksums).await.unwrap(),
            env: fs::read_to_string(self.env_file("production")).unwrap(),
            commit: String::from_utf8(head.stdout).unwrap(),
            version: response.text(),
        }
    }

    /// Returns production's database server.
    pub(crate) async fn server(&self) -> Server {
        let engine = Engine::connect().await.unwrap();
        let containers = engine.project(&self.project("production")).await.unwrap();
        let db = containers.iter().find(|c| c.service == "db").expect("production has a database");
        Server::new(db, "shop", Secret::new(PASSWORD), "proof")
    }

    /// Asserts that no run is open, nothing differs from what was deployed, and a run left nothing behind.
    pub(crate) async fn assert_tidy(&self, when: &str) {
        let text = self.command(&["status", "--env", "production", "--json"]).output().unwrap().stdout;
        let status: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(status["unfinished_run"], Value::Null, "{when}");
        assert_eq!(status["drift"], serde_json::json!([]), "{when}");
        let engine = Engine::connect().await.unwrap();
        for label in ["dev.stagegate.run", "com.docker.compose.oneoff=True"] {
            let left = engine.labelled(label).await.unwrap();
            let own = left.iter().filter(|c| self.is_ours(&c.name)).map(|c| c.name.clone()).collect::<Vec<_>>();
            assert_eq!(own, [] as [String; 0], "{when}: containers are left");
        }
        let client = self.server().await.connect("postgres").await.unwrap();
        let sql = "select count(*) from pg_stat_activity where starts_with(application_name, 'stagegate/')";
        let sessions: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
        assert_eq!(sessions, 0, "{when}: sessions are left");
        let closed = "select count(*) from pg_database where not datallowconn and datname <> 'template0'";
        let closed: i64 = client.query_one(closed, &[]).await.unwrap().get(0);
        assert_eq!(closed, 0, "{when}: a database is shut");
    }

    /// Takes the names away by which its runs kept images of the rollback.
    fn drop_image_names(&self) {
        let list = Command::new("docker").args(["image", "ls", "--format", "{{.Tag}}", "stagegate/rollback"]).output();
        let tags = list.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        let runs = fs::read_dir(self.runs("production")).into_iter().flatten().flatten();
        let runs: Vec<String> = runs.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        for tag in tags.lines().filter(|tag| runs.iter().any(|run| tag.starts_with(run.as_str()))) {
            let _ = Command::new("docker").args(["image", "rm", &format!("stagegate/rollback:{tag}")]).output();
        }
    }

    fn is_ours(&self, container: &str) -> bool {
        let runs = fs::read_dir(self.runs("production")).into_iter().flatten().flatten();
        let ids: Vec<String> = runs.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        container.contains(&self.name) || ids.iter().any(|id| container.contains(id))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for environment in ["staging", "production"] {
            let project = self.project(environment);
            let down =
                ["compose", "--project-name", &project, "down", "--volumes", "--remove-orphans", "--timeout", "1"];
            let _ = Command::new("docker").args(down).output();
        }
        self.drop_image_names();
        // What a failed test left is worth a look.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

pub(crate) const IDENTITY: [&str; 6] =
    ["-c", "user.name=proof", "-c", "user.email=proof@example.org", "-c", "commit.gpgsign=false"];

/// Returns what a program that was run left.
pub(crate) fn ended(output: &Output) -> Ended {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    Ended { code: output.status.code(), text: String::from_utf8_lossy(&text).into_owned() }
}

/// Runs a program that has to succeed.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}:\n{}", ended(&output).text);
    output
}

/// Returns the root of this checkout.
pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// Returns the image of a major, pulled or built, as `scripts/setup.sh --postgres 15,17,18` wrote it down.
pub(crate) fn image_of(major: u32) -> String {
    let file = checkout().join(".stagegate/images.env");
    let text = std::fs::read_to_string(&file).unwrap();
    let key = format!("POSTGRES_{major}_IMAGE=");
    let image = text.lines().find_map(|line| line.strip_prefix(&key));
    image
        .unwrap_or_else(|| panic!("{} has no {key}; run scripts/setup.sh --postgres 15,17,18", file.display()))
        .to_owned()
}

/// Returns the gate of the sources as they are now, built if need be.
///
/// `cargo test` builds only the programs of the tests' own package: the gate next to them may be of an earlier day.
pub(crate) fn gate() -> PathBuf {
    static GATE: LazyLock<PathBuf> = LazyLock::new(|| {
        let tests = std::env::current_exe().unwrap();
        let folder = tests.ancestors().nth(2).unwrap();
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(checkout()).args(["build", "--workspace", "--bin", "gate", "--locked", "--quiet"]);
        build.arg("--target-dir").arg(folder.parent().unwrap());
        if folder.ends_with("release") {
            build.arg("--release");
        }
        // Cargo set these for this process; build scripts that watch them would run again.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"].iter().any(|p| text.starts_with(p)) {
                build.env_remove(&name);
            }
        }
        run(&mut build);
        folder.join("gate")
    });
    GATE.clone()
}
