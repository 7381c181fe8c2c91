//! Hosts over SSH, by a real sshd on this machine: what is refused and why, the copy of the gate there.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    sshd::{self, Sshd},
    world::{Ended, IDENTITY, ended, gate, run},
};

/// A folder with a configuration whose production is on the host.
struct Laptop {
    root: PathBuf,
    sshd: Option<Sshd>,
}

impl Laptop {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("proof-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        let text =
            "[project]\nname = \"shop\"\n[environments.local]\n[environments.production]\nhost = \"ssh://web1\"\n";
        fs::write(root.join("stagegate.toml"), text).unwrap();
        for args in [&["init", "--quiet"][..], &["add", "stagegate.toml"], &["commit", "--quiet", "--message", "first"]]
        {
            run(Command::new("git").arg("-C").arg(&root).args(IDENTITY).args(args));
        }
        let sshd = Some(Sshd::start(&root));
        Laptop { root, sshd }
    }

    fn sshd(&self) -> &Sshd {
        self.sshd.as_ref().unwrap()
    }

    fn restart(&mut self, options: &[&str]) {
        self.sshd = self.sshd.take().map(|sshd| sshd.restarted(options));
    }

    fn gate(&self, args: &[&str]) -> Ended {
        let mut command = Command::new(gate());
        command.args(args).current_dir(&self.root).env_remove("STAGEGATE_ENV");
        command.env("STAGEGATE_SSH_CONFIG", self.sshd().config()).env("STAGEGATE_STATE_DIR", self.root.join("state"));
        ended(&command.output().unwrap())
    }

    fn refused(&self, words: &[&str]) {
        let check = self.gate(&["host", "check", "production"]);
        assert_eq!(check.code, Some(4), "{}", check.text);
        for word in words {
            assert!(check.text.contains(word), "`{word}` is not in: {}", check.text);
        }
    }
}

impl Drop for Laptop {
    fn drop(&mut self) {
        self.sshd = None;
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

#[test]
fn a_host_is_checked_in_one_login_and_what_cannot_be_reached_is_named() {
    if !sshd::is_there() {
        return;
    }
    let mut laptop = Laptop::new("host-check");
    let started = Instant::now();
    let check = laptop.gate(&["host", "check", "production"]);
    assert_eq!(check.code, Some(0), "{}", check.text);
    for word in [
        "ok   machine",
        "ok   docker",
        "ok   compose",
        "ok   git",
        "ok   home",
        "ok   clock",
        "gate host add production",
    ] {
        assert!(check.text.contains(word), "`{word}` is not in: {}", check.text);
    }
    assert_eq!(laptop.sshd().logins(), 1, "after {:?}", started.elapsed());

    laptop.sshd().knows_no_key();
    laptop.refused(&["the host key is not known", "nothing was sent", "ssh -F"]);
    laptop.sshd().knows_another_key();
    laptop.refused(&["the host key has changed", "known_hosts:1", "known_hosts' -R '"]);
    laptop.sshd().knows_its_key();
    assert_eq!(laptop.sshd().logins(), 1);

    let denied = format!("AuthorizedKeysFile={}", laptop.root.join("none").display());
    // The first value of an option counts for sshd: another file is given by its name alone.
    fs::rename(laptop.root.join("sshd/authorized_keys"), laptop.root.join("sshd/kept")).unwrap();
    laptop.restart(&[&denied]);
    laptop.refused(&["login refused", "ssh-copy-id"]);
    fs::rename(laptop.root.join("sshd/kept"), laptop.root.join("sshd/authorized_keys")).unwrap();

    laptop.restart(&["ForceCommand=echo only sftp here"]);
    laptop.refused(&["found `only sftp here`", "ForceCommand"]);

    // A shell that is chatty: the start files of bash, which reads them for a command over SSH.
    fs::write(laptop.sshd().home().join(".bashrc"), "echo Welcome to web1; echo status=1; cat /etc/hostname\n")
        .unwrap();
    fs::write(laptop.root.join("banner"), "authorized use only\n").unwrap();
    let banner = format!("Banner={}", laptop.root.join("banner").display());
    laptop.restart(&[&banner]);
    let check = laptop.gate(&["host", "check", "production"]);
    assert_eq!(check.code, Some(0), "{}", check.text);
    assert!(!check.text.contains("Welcome"), "{}", check.text);

    laptop.sshd.as_mut().unwrap().stop();
    laptop.refused(&["Connection refused", "start sshd there"]);
}

#[test]
fn a_host_that_connects_and_never_responds_is_given_up() {
    if !sshd::is_there() {
        return;
    }
    let mut laptop = Laptop::new("host-silent");
    // Built before the clock runs.
    gate();
    laptop.sshd.as_mut().unwrap().stop();
    let silent = TcpListener::bind(("127.0.0.1", laptop.sshd().port)).unwrap();
    let started = Instant::now();
    laptop.refused(&["timed out", "ssh://web1"]);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    drop(silent);
}

#[test]
fn the_gate_is_copied_to_a_host_once_and_verified_there() {
    if !sshd::is_there() {
        return;
    }
    let laptop = Laptop::new("host-add");
    let bin = laptop.sshd().home().join(".local/share/stagegate/bin");
    let added = laptop.gate(&["host", "add", "production"]);
    assert_eq!(added.code, Some(0), "{}", added.text);
    assert!(added.text.contains("verified there"), "{}", added.text);
    let hash = fs::read_to_string(bin.join("current")).unwrap();
    let copied = bin.join(&hash).join("gate");
    let own = run(Command::new("sha256sum").arg(gate()));
    assert!(String::from_utf8_lossy(&own.stdout).starts_with(&hash));
    let files: Vec<_> =
        fs::read_dir(copied.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["gate"]);

    let again = laptop.gate(&["host", "add", "production"]);
    assert!(again.code == Some(0) && again.text.contains("already"), "{}", again.text);
    let check = laptop.gate(&["host", "check", "production"]);
    assert!(check.text.contains("the same program as here"), "{}", check.text);

    // A copy that was damaged, or is of another day, is found and replaced.
    fs::write(&copied, "#!/bin/sh\nexit 1\n").unwrap();
    let damaged = laptop.gate(&["host", "check", "production"]);
    assert!(damaged.code == Some(3) && damaged.text.contains("gate host upgrade production"), "{}", damaged.text);
    let upgraded = laptop.gate(&["host", "upgrade", "production"]);
    assert_eq!(upgraded.code, Some(0), "{}", upgraded.text);

    // What runs on a host is not looked for on this machine.
    let down = laptop.gate(&["down", "--env", "production", "--yes"]);
    assert_eq!(down.code, Some(2), "{}", down.text);
    assert!(down.text.contains("is on ssh://web1") && down.text.contains("STAGEGATE_HERE"), "{}", down.text);
}
