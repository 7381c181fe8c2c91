//! Commands for environments on a host, by a real sshd on this machine: they run there, detached, whatever becomes of the
//! machine that started them.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    small::Small,
    sshd::{self, Sshd},
    world::{Ended, ended},
};

/// How long a promotion of the small product may take on a machine that is busy.
const WITHIN: Duration = Duration::from_secs(240);

/// The product, whose environments are both on the host.
struct Remote {
    small: Small,
    sshd: Sshd,
}

impl Remote {
    fn new(name: &str) -> Self {
        let small = Small::new(name, "app");
        let root = small.product().parent().unwrap().to_path_buf();
        let file = small.product().join("stagegate.toml");
        let text = fs::read_to_string(&file).unwrap();
        let text = text.replace("workdir = ", "host = \"ssh://web1\"\nworkdir = ");
        // The same folder on both machines, since both are this one: `Small` removes what is left.
        fs::write(&file, text.replace("../state", &root.join("state").to_string_lossy())).unwrap();
        small.release("v1a", "select 1;\n", "");
        let sshd = Sshd::start(&root);
        Remote { small, sshd }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.small.command(args);
        command.env("STAGEGATE_SSH_CONFIG", self.sshd.config());
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

    fn prepare(&self) {
        self.gate_ok(&["host", "add", "production"]);
        for environment in ["staging", "production"] {
            let file = format!("../{environment}.env");
            self.gate_ok(&["host", "env", "push", environment, &file]);
            self.gate_ok(&["up", "--env", environment, "--release", "v1a"]);
        }
    }

    /// Returns the product's folder on the host.
    fn there(&self) -> PathBuf {
        let products = self.sshd.home().join(".local/share/stagegate/products");
        fs::read_dir(products).unwrap().next().unwrap().unwrap().path()
    }

    fn promotion(&self) -> Child {
        let mut command = self.command(&["promote", "--from", "staging", "--to", "production", "--yes"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Waits until the newest promotion has done a step, by its journal.
    fn wait_for(&self, step: &str, nth: usize) {
        let deadline = Instant::now() + WITHIN;
        loop {
            let runs = fs::read_dir(self.small.state("production").join("runs")).into_iter().flatten().flatten();
            let mut journals: Vec<PathBuf> =
                runs.map(|run| run.path().join("journal.jsonl")).filter(|path| path.exists()).collect();
            journals.sort();
            let text = journals.get(nth).map(|path| fs::read_to_string(path).unwrap()).unwrap_or_default();
            let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if lines.into_iter().any(|line| line["entry"] == "begun" && line["step"] == step) {
                return;
            }
            assert!(Instant::now() < deadline, "no step {step}: {text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_promotion_on_a_host_outlives_the_machine_that_started_it() {
    if !sshd::is_there() {
        return;
    }
    let remote = Remote::new("host-runs");
    let early = remote.gate(&["status", "--env", "production"]);
    assert!(early.code == Some(4) && early.text.contains("gate host add production"), "{}", early.text);
    remote.prepare();
    let file = remote.there().join("production.env");
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        fs::read_to_string(remote.small.product().join("../production.env")).unwrap()
    );
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    // Standard output is the command's own.
    let output = remote.command(&["status", "--env", "production", "--json"]).output().unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(status.to_string().contains("v1a"), "{status}");
    let before = remote.sshd.logins();
    remote.gate_ok(&["status", "--env", "production"]);
    assert_eq!(remote.sshd.logins() - before, 1);

    remote.small.release("v2", "alter table item add column if not exists note text;\n", "");
    remote.gate_ok(&["up", "--env", "staging", "--release", "v2"]);
    let before = remote.sshd.logins();
    let mut laptop = remote.promotion();
    remote.wait_for("rehearse", 0);
    laptop.kill().unwrap();
    laptop.wait().unwrap();
    let attached = remote.gate(&["attach", "--env", "production"]);
    assert_eq!(attached.code, Some(0), "{}", attached.text);
    assert!(attached.text.contains("point of no return passed"), "{}", attached.text);
    assert!(remote.sshd.logins() - before <= 6, "{} logins", remote.sshd.logins() - before);
    let history = remote.gate_ok(&["history", "--env", "production"]);
    assert!(history.contains("v2"), "{history}");

    // One that is interrupted from another terminal ends in order, and its exit code comes here: production was not touched.
    remote.small.release("v3", "alter table item add column if not exists more text;\n", "");
    remote.gate_ok(&["up", "--env", "staging", "--release", "v3"]);
    let mut laptop = remote.promotion();
    remote.wait_for("rehearse", 1);
    let interrupted = remote.gate_ok(&["attach", "--env", "production", "--interrupt"]);
    assert!(interrupted.contains("is interrupted"), "{interrupted}");
    assert_eq!(laptop.wait().unwrap().code(), Some(3));

    let refused = remote.gate(&["promote", "--from", "staging", "--to", "production"]);
    assert!(refused.code == Some(2) && refused.text.contains("no terminal to confirm on"), "{}", refused.text);
    let file = remote.gate(&["test", "--env", "staging", "--junit", "x.xml"]);
    assert!(file.code == Some(2) && file.text.contains("--junit names a file"), "{}", file.text);
}

#[test]
fn a_promotion_on_a_host_is_confirmed_over_a_new_connection_and_goes_back_where_none_can_be_made() {
    if !sshd::is_there() {
        return;
    }
    let mut remote = Remote::new("host-confirms");
    let file = remote.small.product().join("stagegate.toml");
    let text = fs::read_to_string(&file).unwrap();
    let own = "workdir = \"../production\"\n";
    assert!(text.contains(own), "{text}");
    fs::write(&file, text.replace(own, &format!("{own}confirm_within = \"10s\"\n"))).unwrap();
    remote.small.release("v1b", "select 1;\n", "");
    remote.prepare();
    remote.small.release("v2", "alter table item add column if not exists note text;\n", "");
    remote.gate_ok(&["up", "--env", "staging", "--release", "v2"]);
    let promoted = remote.gate_ok(&["promote", "--from", "staging", "--to", "production", "--yes"]);
    assert!(promoted.contains("confirming over a new connection to ssh://web1"), "{promoted}");
    assert!(promoted.contains("is confirmed: its release stays"), "{promoted}");

    // What cuts the way to the host leaves the connection that is there, and lets no new one come.
    remote.small.release("v3", "alter table item add column if not exists more text;\n", "");
    remote.gate_ok(&["up", "--env", "staging", "--release", "v3"]);
    let laptop = remote.promotion();
    remote.wait_for("verify", 1);
    remote.sshd.stop();
    let cut = laptop.wait_with_output().unwrap();
    assert_eq!(cut.status.code(), Some(5));
    remote.sshd = remote.sshd.restarted(&[]);
    let status = remote.gate_ok(&["status", "--env", "production"]);
    assert!(status.contains("v2"), "{status}");
}
