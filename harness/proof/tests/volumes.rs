//! Volumes, folders and Redis go back with a release that fails, and with a rollback by hand; whatever is killed.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::ports::free_port;
use crate::world::{Ended, IDENTITY, checkout, ended, gate, run};

const COMPOSE: &str = r#"services:
  web:
    image: NGINX
    command: ["bash", "/site/start.sh"]
    ports: ["127.0.0.1:${WEB_PORT:?}:80"]
    environment: { LATE: "${LATE:-}" }
    volumes: ["./site:/site:ro", "uploads:/uploads", "./data/files:/files"]
    depends_on: [cache]
  cache:
    image: REDIS
    command: ["redis-server", "--appendonly", "yes", "--protected-mode", "no"]
    volumes: ["cache:/data"]
volumes: { uploads: {}, cache: {} }
"#;

const CONFIG: &str = r#"[services.web]
port = 80
health = "/"
[services.cache]
kind = "redis"
[volumes.uploads]
volume = "uploads"
[volumes.cache]
volume = "cache"
[volumes.files]
path = "data/files"
[severity]
policy = "info"
security = "info"
isolation = "info"
[gate]
soak = "1s"
verify_within = "15s"
"#;

const SERVE: &str = "exec nginx -g 'daemon off;'\n";
/// Changes, deletes and adds; in production the page is gone afterwards.
const BAD: &str = "if [ -n \"$LATE\" ]; then\n  rm /uploads/a; echo changed > /uploads/b; echo new > /uploads/new\n  \
    echo changed > /files/f\n  exec 3<>/dev/tcp/cache/6379; printf 'DEL k1\\r\\nSET k2 two\\r\\n' >&3; head -n 2 <&3\n  \
    rm /usr/share/nginx/html/index.html\nfi\n";
const GOOD: &str = "echo good > /uploads/good\n";
/// What is compared: names, contents, modes, owners and times to the nanosecond.
const LOOK: &str = "cd / && find uploads files -exec stat -c '%n %a %u %g %s %y %N' {} + | sort; \
    find uploads files -type f -exec sha256sum {} + | sort";

/// The product, in a folder of its own; all of it goes at the end.
struct Product {
    root: PathBuf,
    name: String,
}

impl Product {
    fn new(name: &str) -> Self {
        Self::with(name, "")
    }

    /// Makes the product with `more` at the end of its configuration, in [gate].
    fn with(name: &str, more: &str) -> Self {
        let name = format!("proof-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(&name);
        let _ = fs::remove_dir_all(&root);
        let product = Product { root, name };
        let repository = product.root.join("product");
        fs::create_dir_all(repository.join("site")).unwrap();
        let images = fs::read_to_string(checkout().join(".stagegate/images.env")).unwrap();
        let image = |key: &str| images.lines().find_map(|line| line.strip_prefix(key)).expect("setup.sh names it");
        let compose = COMPOSE.replace("NGINX", image("NGINX_IMAGE=")).replace("REDIS", image("REDIS_IMAGE="));
        fs::write(repository.join("docker-compose.yml"), compose).unwrap();
        fs::write(repository.join(".gitignore"), "data/\n").unwrap();
        let environment =
            |name: &str| format!("[environments.{name}]\nworkdir = \"../{name}\"\nenv_file = \"../{name}.env\"\n");
        let project = format!("[project]\nname = \"{}\"\nstate_dir = \"../state\"\n", product.name);
        let config =
            [project, environment("staging"), environment("production"), CONFIG.to_owned(), more.to_owned()].concat();
        fs::write(repository.join("stagegate.toml"), config).unwrap();
        for (environment, more) in [("staging", ""), ("production", "LATE=1\n")] {
            let text = format!("WEB_PORT={}\n{more}", free_port());
            fs::write(product.root.join(format!("{environment}.env")), text).unwrap();
        }
        product.git(&["init", "--quiet"]);
        for (tag, script) in [("v1", ""), ("bad", BAD), ("good", GOOD)] {
            fs::write(repository.join("site/start.sh"), format!("{script}{SERVE}")).unwrap();
            product.git(&["add", "--all"]);
            product.git(&["commit", "--quiet", "--message", tag]);
            product.git(&["tag", tag]);
        }
        for environment in ["staging", "production"] {
            product.gate_ok(&["up", "--env", environment, "--release", "v1"]);
        }
        product.inside(
            "web",
            "cd /uploads; echo a > a; echo b > b; chown 33:33 a; chmod 640 a; ln -s a l; ln b same; \
                        truncate -s 8M sparse; echo f > /files/f",
        );
        product.inside("cache", "redis-cli set k1 one");
        product
    }

    fn git(&self, args: &[&str]) {
        run(Command::new("git").arg("-C").arg(self.root.join("product")).args(IDENTITY).args(args));
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(gate());
        command.args(args).current_dir(self.root.join("product"));
        command.env_remove("STAGEGATE_STATE_DIR").env_remove("STAGEGATE_ENV");
        command
    }

    fn gate(&self, args: &[&str]) -> Ended {
        ended(&self.command(args).output().unwrap())
    }

    fn gate_ok(&self, args: &[&str]) -> String {
        let ended = self.gate(args);
        assert_eq!(ended.code, Some(0), "gate {args:?}:\n{}", ended.text);
        ended.text
    }

    const PROMOTE: [&str; 6] = ["promote", "--from", "staging", "--to", "production", "--yes"];

    fn promote(&self, release: &str) -> Ended {
        self.gate_ok(&["up", "--env", "staging", "--release", release]);
        self.gate(&Self::PROMOTE)
    }

    /// Runs a script of bash in a service of production.
    fn inside(&self, service: &str, script: &str) -> String {
        let project = format!("{}-production", self.name);
        let exec = ["compose", "--project-name", &project, "exec", "--no-TTY", service, "bash", "-c", script];
        String::from_utf8(run(Command::new("docker").args(exec)).stdout).unwrap()
    }

    /// Returns all that must be the same: entries, contents, keys.
    fn content(&self) -> String {
        let keys = self.inside("cache", "redis-cli --raw keys '*' | sort; redis-cli --raw get k1");
        self.inside("web", LOOK) + &keys
    }

    /// Returns the folders that runs kept of the volumes, by their names, of one role.
    fn kept(&self, role: &str) -> Vec<PathBuf> {
        let volume = |key: &str| {
            let name = format!("{}-production_{key}", self.name);
            let inspect = ["volume", "inspect", "--format", "{{.Mountpoint}}", &name];
            let path = run(Command::new("docker").args(inspect)).stdout;
            PathBuf::from(String::from_utf8(path).unwrap().trim()).parent().unwrap().to_path_buf()
        };
        let parents = [volume("uploads"), volume("cache"), self.root.join("production/data")];
        let entries = parents.iter().flat_map(|parent| fs::read_dir(parent.join(".stagegate")).into_iter().flatten());
        let folders = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
        folders.filter(|path| path.to_string_lossy().contains(&format!(".{role}."))).collect()
    }

    fn last_journal(&self) -> String {
        let runs = self.root.join(format!("state/{}-production/runs", self.name));
        let mut runs: Vec<PathBuf> = fs::read_dir(runs).unwrap().flatten().map(|entry| entry.path()).collect();
        runs.retain(|dir| dir.join("journal.jsonl").is_file());
        runs.sort();
        fs::read_to_string(runs.last().unwrap().join("journal.jsonl")).unwrap()
    }

    /// Returns the number of a line of the last run's journal.
    fn line(&self, entry: &str, step: &str) -> String {
        let journal = self.last_journal();
        let lines = journal.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let mut of_step = lines.filter(|line| line["entry"] == entry && line["step"] == step);
        of_step.next().expect("the run has that line")["seq"].to_string()
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        for environment in ["staging", "production"] {
            let project = format!("{}-{environment}", self.name);
            let down =
                ["compose", "--project-name", &project, "down", "--volumes", "--remove-orphans", "--timeout", "1"];
            let _ = Command::new("docker").args(down).output();
        }
        let list = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "stagegate/rollback"];
        let images = Command::new("docker").args(list).output().map(|output| output.stdout).unwrap_or_default();
        let runs = fs::read_dir(self.root.join(format!("state/{}-production/runs", self.name)));
        let runs: Vec<String> = runs
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        for image in String::from_utf8_lossy(&images).lines().filter(|image| runs.iter().any(|run| image.contains(run)))
        {
            let _ = Command::new("docker").args(["image", "rm", image]).output();
        }
        // What a failed test left is worth a look.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

#[test]
fn volumes_go_back_with_a_failing_release_and_by_hand_and_stay_with_a_good_one() {
    let product = Product::new("volumes");
    let before = product.content();
    let failed = product.promote("bad");
    assert_eq!(failed.code, Some(5), "{}", failed.text);
    assert_eq!(product.content(), before, "{}", failed.text);
    assert!(failed.text.contains("uploads (5 entries as before)"), "{}", failed.text);
    let kept = product.kept("failed");
    assert_eq!(kept.len(), 3, "the failed content of each is kept: {kept:?}");
    let uploads = kept.iter().find(|path| path.join("new").is_file()).expect("the failed release's file is kept");
    assert_eq!(fs::read_to_string(uploads.join("b")).unwrap(), "changed\n");
    assert!(!uploads.join("a").exists() && product.kept("pre").is_empty());

    let promoted = product.promote("good");
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    assert!(product.inside("web", "cat /uploads/good").contains("good") && product.content() != before);
    assert_eq!(product.kept("pre").len(), 3, "the copies are there for a rollback by hand");

    let back = product.gate_ok(&["rollback", "--env", "production", "--with-data", "--yes"]);
    assert_eq!(product.content(), before, "{back}");
    assert_eq!(product.kept("left").len(), 3, "what was replaced is kept");
    // The next good promotion removes what is older, and keeps the newest of each kind.
    let again = product.promote("good");
    assert_eq!(again.code, Some(0), "{}", again.text);
    let left = ["pre", "failed", "left", "restored"].map(|role| product.kept(role).len());
    assert_eq!(left, [3, 3, 3, 0]);
}

#[test]
fn a_promotion_that_is_killed_while_volumes_are_copied_or_exchanged_ends_all_old() {
    // Its watchdog would finish the run before the command that is tried does.
    let product = Product::with("volumes-killed", "watchdog = false\n");
    product.inside("web", "head -c 300M /dev/urandom > /uploads/big");
    let before = product.content();
    let failed = product.promote("bad");
    assert_eq!(failed.code, Some(5), "{}", failed.text);
    let lines = [("begun", "copy_volumes"), ("undo_begun", "copy_volumes")];
    for (entry, step) in lines {
        let seq = product.line(entry, step);
        let killed = product.command(&Product::PROMOTE).env("STAGEGATE_KILL_AFTER_LINE", seq).output().unwrap();
        assert_eq!(killed.status.code(), None, "{entry} {step}: {}", ended(&killed).text);
        product.gate(&["resume", "--env", "production"]);
        assert_eq!(product.content(), before, "killed after {entry} {step}");
        assert_eq!(product.kept("pre").len(), 0, "{entry} {step}: a copy is left");
    }
    // In the middle of the copy: the gate goes, the container that copies would go on.
    let mut gate = product.command(&Product::PROMOTE).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !product.kept("pre").iter().any(|path| path.to_string_lossy().ends_with(".partial")) {
        assert!(Instant::now() < deadline, "no copy was begun");
        sleep(Duration::from_millis(5));
    }
    gate.kill().unwrap();
    gate.wait().unwrap();
    product.gate(&["resume", "--env", "production"]);
    assert_eq!(product.content(), before, "killed in the middle of a copy");
    assert_eq!(product.kept("pre").len(), 0, "a part of a copy is left");
}
