//! Proofs that files of volumes go along with a sync: whole, never without a decision, and whatever is killed.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use crate::world::{Ended, checkout, ended, gate, run};

const COMPOSE: &str = r#"services:
  db:
    image: IMAGE
    environment: { POSTGRES_HOST_AUTH_METHOD: trust, POSTGRES_DB: shop }
    volumes: ["db:/var/lib/postgresql/data"]
  web:
    image: IMAGE
    entrypoint: ["sleep", "infinity"]
    init: true
    volumes: ["uploads:/uploads", "./ENVIRONMENT/files:/files"]
volumes: { uploads: {}, db: {}, later: {} }
"#;

const CONFIG: &str = r#"[services.db]
kind = "postgres"
[databases.main]
service = "db"
name = "shop"
role = "postgres"
[volumes.uploads]
volume = "uploads"
[volumes.files]
path = "files"
[volumes.later]
volume = "later"
[volumes.data]
volume = "db"
"#;

/// What is compared: names, contents, modes, owners and times to the nanosecond.
const LOOK: &str = "cd / && find uploads files -exec stat -c '%n %a %u %g %s %y %N' {} + | sort; \
    find uploads files -type f -exec sha256sum {} + | sort";

/// Two environments of one product; all of it goes at the end.
struct Product {
    root: PathBuf,
    name: String,
}

impl Product {
    fn new(name: &str, sync: &str) -> Self {
        let name = format!("proof-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(&name);
        let _ = fs::remove_dir_all(&root);
        let product = Product { root, name };
        let images = fs::read_to_string(checkout().join(".stagegate/images.env")).unwrap();
        let image = images.lines().find_map(|line| line.strip_prefix("POSTGRES_IMAGE=")).expect("setup.sh names it");
        for environment in ["production", "staging"] {
            fs::create_dir_all(product.root.join(environment).join("files")).unwrap();
            let compose = COMPOSE.replace("IMAGE", image).replace("./ENVIRONMENT/", "./");
            fs::write(product.root.join(environment).join("docker-compose.yml"), compose).unwrap();
        }
        product.configure(sync);
        for environment in ["production", "staging"] {
            let folder = product.root.join(environment);
            let project = product.project(environment);
            let up = ["compose", "--project-name", &project, "up", "--detach", "--quiet-pull"];
            run(Command::new("docker").args(up).current_dir(folder));
            product.ready(environment);
        }
        product.inside(
            "production",
            "web",
            "cd /uploads; echo a > a; echo b > b; chown 33:33 a; chmod 640 a; ln -s a l; ln b same; mkdir d; \
                chmod 2770 d; truncate -s 8M sparse; echo f > /files/f",
        );
        product.inside("staging", "web", "echo testers > /uploads/own; echo testers > /files/own");
        product.inside("production", "db", "psql -U postgres shop -qc 'create table t as select 7 as n'");
        product
    }

    fn configure(&self, sync: &str) {
        let environment = |name: &str, more: &str| {
            format!("[environments.{name}]\nworkdir = \"{name}\"\nproject = \"{}\"\n{more}", self.project(name))
        };
        let text = [
            format!("[project]\nname = \"{}\"\nstate_dir = \"state\"\n", self.name),
            environment("production", "protected = true\n"),
            environment("staging", ""),
            format!("{CONFIG}[sync]\n{sync}\n"),
        ];
        fs::write(self.root.join("stagegate.toml"), text.concat()).unwrap();
    }

    fn project(&self, environment: &str) -> String {
        format!("{}-{environment}", self.name)
    }

    fn ready(&self, environment: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let project = self.project(environment);
        let script = "psql -h 127.0.0.1 -U postgres shop -qAtc 'select 1'";
        let exec = ["compose", "--project-name", &project, "exec", "--no-TTY", "db", "sh", "-c", script];
        while !Command::new("docker").args(exec).output().unwrap().status.success() {
            assert!(Instant::now() < deadline, "{environment} takes no sessions");
            sleep(Duration::from_millis(200));
        }
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(gate());
        command.args(["sync", "--from", "production", "--to", "staging", "--yes"]).args(more);
        command.current_dir(&self.root).env_remove("STAGEGATE_STATE_DIR").env_remove("STAGEGATE_ENV");
        command
    }

    fn sync(&self, more: &[&str]) -> Ended {
        ended(&self.command(more).output().unwrap())
    }

    fn inside(&self, environment: &str, service: &str, script: &str) -> String {
        let project = self.project(environment);
        let exec = ["compose", "--project-name", &project, "exec", "--no-TTY", service, "bash", "-c", script];
        String::from_utf8(run(Command::new("docker").args(exec)).stdout).unwrap()
    }

    fn look(&self, environment: &str) -> String {
        self.inside(environment, "web", LOOK)
    }

    /// Returns the folders that syncs left next to an environment's volumes.
    fn kept(&self, environment: &str) -> Vec<PathBuf> {
        let name = format!("{}_uploads", self.project(environment));
        let inspect = ["volume", "inspect", "--format", "{{.Mountpoint}}", &name];
        let path = String::from_utf8(run(Command::new("docker").args(inspect)).stdout).unwrap();
        let parents = [PathBuf::from(path.trim()).parent().unwrap().to_path_buf(), self.root.join(environment)];
        let entries = parents.iter().flat_map(|parent| fs::read_dir(parent.join(".stagegate")).into_iter().flatten());
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        for environment in ["staging", "production"] {
            let project = self.project(environment);
            let down = ["compose", "--project-name", &project, "down", "--volumes", "--timeout", "1"];
            let _ = Command::new("docker").args(down).current_dir(self.root.join(environment)).output();
        }
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

#[test]
fn files_go_along_whole_only_by_decision_and_the_former_ones_are_kept() {
    let product = Product::new("sync-files", "");
    let (source, before) = (product.look("production"), product.look("staging"));
    let undecided = product.sync(&["--files"]);
    assert_eq!(undecided.code, Some(2), "{}", undecided.text);
    assert!(undecided.text.contains("files = [..] (known: data, files, later, uploads)"), "{}", undecided.text);
    for (files, want) in [
        ("[\"later\"]", "volume `later` is not in the compose files of `production`"),
        ("[\"data\"]", "volume `data` is the data of db"),
    ] {
        product.configure(&format!("files = {files}"));
        let refused = product.sync(&["--files"]);
        assert_eq!(refused.code, Some(3), "{files}: {}", refused.text);
        assert!(refused.text.contains(want), "{}", refused.text);
    }
    let tables = "psql -U postgres shop -qAtc \"select count(*) from pg_tables where tablename = 't'\"";
    assert_eq!(product.inside("staging", "db", tables), "0\n", "refused before a database was copied");

    product.configure("files = [\"uploads\", \"files\"]");
    let plan = product.sync(&["--files", "--dry-run"]);
    assert_eq!(plan.code, Some(0), "{}", plan.text);
    assert!(plan.text.contains("files of uploads: production -> staging, 4 files, 8.0 MiB"), "{}", plan.text);
    assert_eq!((product.look("staging"), product.kept("staging").len()), (before.clone(), 0));

    let done = product.sync(&["--files"]);
    assert_eq!(done.code, Some(0), "{}", done.text);
    assert_eq!(product.look("staging"), source, "{}", done.text);
    assert_eq!(product.look("production"), source, "the source is only read");
    assert_eq!(product.inside("staging", "db", tables), "1\n");
    let kept = product.kept("staging");
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept.iter().all(|path| fs::read_to_string(path.join("own")).unwrap() == "testers\n"), "{kept:?}");
    assert_eq!(product.kept("production"), [] as [PathBuf; 0], "something was made in the source");

    // The next one replaces what testers wrote, and keeps only that.
    product.inside("staging", "web", "rm /uploads/a; echo again > /uploads/own");
    let again = product.sync(&["--files"]);
    assert_eq!((again.code, product.look("staging")), (Some(0), source), "{}", again.text);
    let kept = product.kept("staging");
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept.iter().any(|path| path.join("own").exists() && !path.join("a").exists()), "{kept:?}");
}

#[test]
fn a_sync_of_files_that_is_killed_leaves_each_volume_as_before_or_complete() {
    let product = Product::new("sync-files-killed", "real_data = [\"staging\"]\nfiles = [\"uploads\", \"files\"]");
    product.inside("production", "web", "head -c 200M /dev/urandom > /uploads/big");
    let (source, before) = (product.look("production"), product.look("staging"));
    let mut gate = product.command(&["--files"]).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !product.kept("staging").iter().any(|path| path.to_string_lossy().ends_with(".partial")) {
        assert!(Instant::now() < deadline, "no copy was begun");
        sleep(Duration::from_millis(5));
    }
    gate.kill().unwrap();
    gate.wait().unwrap();
    assert_eq!(product.look("staging"), before);
    // Another command that finishes what is open; it copies no files itself.
    let next = product.sync(&[]);
    assert_eq!(next.code, Some(0), "{}", next.text);
    assert!(next.text.contains("each volume is as before, or complete"), "{}", next.text);
    assert_eq!((product.look("staging"), product.kept("staging").len()), (before, 0), "{}", next.text);
    // While folders are exchanged: the containers are stopped then.
    let mut gate = product.command(&["--files"]).spawn().unwrap();
    let intent = product.root.join(format!("state/{}/sync-files.json", product.project("staging")));
    while !fs::read_to_string(&intent).is_ok_and(|text| text.contains("\"root\"")) {
        assert!(Instant::now() < deadline + Duration::from_secs(60), "nothing was exchanged");
        sleep(Duration::from_millis(2));
    }
    gate.kill().unwrap();
    gate.wait().unwrap();
    let next = product.sync(&[]);
    assert_eq!(next.code, Some(0), "{}", next.text);
    let partial = product.kept("staging").into_iter().filter(|path| !path.to_string_lossy().contains(".presync."));
    assert_eq!(partial.collect::<Vec<_>>(), [] as [PathBuf; 0]);
    assert!(!intent.exists());
    let done = product.sync(&["--files"]);
    assert_eq!((done.code, product.look("staging")), (Some(0), source), "{}", done.text);
}
