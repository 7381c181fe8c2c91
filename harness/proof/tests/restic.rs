//! Volumes in a repository of the real `restic`: proven, restored, removed with their backup, and nothing of a killed one left.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    small::Small,
    world::{gate, run},
};

/// A product whose uploads are kept in a repository.
struct Product {
    small: Small,
    password: PathBuf,
    repository: PathBuf,
    uploads: PathBuf,
}

impl Product {
    fn new(name: &str) -> Self {
        let small = Small::new(name, "shop");
        let (password, repository) = (small.product().join("../password"), small.product().join("../repository"));
        fs::write(&password, "correct horse battery staple\n").unwrap();
        let mut config = OpenOptions::new().append(true).open(small.product().join("stagegate.toml")).unwrap();
        let (file, place) = (password.display(), repository.display());
        write!(
            config,
            "[backup]\nkeep_last = 1\nhourly = 0\ndaily = 0\nmin_keep = 1\n[backup.restic]\nrepository = \"{place}\"\n\
             password_file = \"{file}\"\n[volumes.uploads]\npath = \"uploads\"\n"
        )
        .unwrap();
        small.up("production", "v1");
        let uploads = small.product().join("../production/uploads");
        fs::create_dir_all(&uploads).unwrap();
        Product { small, password, repository, uploads }
    }

    fn restic(&self, args: &[&str]) -> String {
        let mut command = Command::new("restic");
        command.env("RESTIC_PASSWORD_FILE", &self.password).arg("--repo").arg(&self.repository).args(args);
        String::from_utf8(run(&mut command).stdout).unwrap()
    }

    /// Returns the ids of the snapshots; with `tag` of those that have it.
    fn snapshots(&self, tag: Option<&str>) -> Vec<String> {
        let tag = tag.into_iter().flat_map(|tag| ["--tag", tag]);
        let text = self.restic(&["snapshots", "--json"].into_iter().chain(tag).collect::<Vec<_>>());
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        let id = |one: &serde_json::Value| one["id"].as_str().map(str::to_owned);
        all.as_array().into_iter().flatten().filter_map(id).collect()
    }

    fn backups(&self) -> PathBuf {
        self.small.state("production").join("backups")
    }

    /// Runs a command, and expects its exit code and a part of its output.
    fn gate(&self, args: &[&str], code: i32, part: &str) -> String {
        let ended = self.small.gate(args);
        assert!(ended.code == Some(code) && ended.text.contains(part), "{args:?}: {:?}\n{}", ended.code, ended.text);
        ended.text
    }
}

#[test]
fn a_volume_in_a_repository_is_proven_restored_and_goes_with_its_backup() {
    let product = Product::new("restic");
    let backup = ["backup", "--env", "production"];
    fs::write(product.uploads.join("canary-name.txt"), "canary contents").unwrap();
    fs::write(product.uploads.join("big"), vec![7; 5 << 20]).unwrap();
    let text = product.gate(&backup, 2, "there is no restic repository at");
    assert!(text.contains(" init"), "{text}");
    let doctor = product.small.gate(&["doctor", "--env", "production"]);
    assert!(doctor.text.contains("restic repository") && doctor.text.contains(" init"), "{}", doctor.text);
    product.restic(&["init"]);

    product.gate(&backup, 0, "in snapshot");
    assert_eq!(product.snapshots(None).len(), 1);
    let grep = ["--recursive", "--text", "--quiet", "canary contents"];
    let plain = Command::new("grep").args(grep).arg(&product.repository).arg(product.backups()).status().unwrap();
    assert!(!plain.success(), "plain contents are stored");
    product.gate(&["backup", "verify", "--env", "production"], 0, "uploads matches its checksum");
    product.gate(&["backup", "verify", "--env", "production", "--restore"], 0, "uploads unpacked and compared");

    let volume = format!("proof-restic-{}-uploads", std::process::id());
    let restore = ["restore", "--env", "production", "latest", "--volume", "uploads", "--into", &volume];
    product.gate(&restore, 0, "compared");
    let _ = Command::new("docker").args(["volume", "rm", &volume]).output();

    // The second one replaces the first, whose snapshot goes with it; what others keep in the repository stays.
    product.restic(&["backup", "--quiet", product.password.to_str().unwrap()]);
    fs::write(product.uploads.join("more"), "more").unwrap();
    product.gate(&backup, 0, "in snapshot");
    assert_eq!(product.snapshots(None).len(), 3);
    product.gate(&["backup", "prune", "--env", "production", "--yes"], 0, "removed 1 snapshot from");
    assert_eq!(product.snapshots(None).len(), 2);

    fs::write(&product.password, "another\n").unwrap();
    product.gate(&["backup", "verify", "--env", "production"], 2, "does not open repository");
    fs::write(&product.password, "correct horse battery staple\n").unwrap();
    let listed = product.gate(&["backup", "list", "--env", "production"], 0, "verified");
    assert!(!listed.contains("DAMAGED"), "a wrong password is no damage: {listed}");
    for id in product.snapshots(Some("stagegate")) {
        product.restic(&["forget", "--quiet", &id]);
    }
    product.gate(&["backup", "verify", "--env", "production"], 3, "somebody removed it");
    product.gate(&["backup", "list", "--env", "production"], 0, "DAMAGED");
}

#[test]
fn a_backup_that_is_killed_leaves_no_snapshot_that_no_backup_lists() {
    let product = Product::new("restic-killed");
    product.restic(&["init"]);
    for number in 0..20_u8 {
        fs::write(product.uploads.join(format!("file-{number}")), vec![number; 1 << 20]).unwrap();
    }
    let backup = ["backup", "--env", "production", "--volume", "uploads"];
    let begun = Instant::now();
    product.gate(&backup, 0, "in snapshot");
    let whole = begun.elapsed();
    for part in 1..=4_u32 {
        let mut command = Command::new(gate());
        command.args(backup).current_dir(product.small.product()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.env_remove("STAGEGATE_STATE_DIR").env_remove("STAGEGATE_ENV").spawn().unwrap();
        let end = Instant::now() + whole * part / 5;
        while Instant::now() < end && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        child.wait().unwrap();
        product.gate(&["backup", "verify", "--env", "production", "--restore"], 0, "uploads unpacked and compared");
    }
    product.gate(&backup, 0, "in snapshot");
    product.gate(&["backup", "prune", "--env", "production", "--yes"], 0, "");
    let backups = fs::read_dir(product.backups()).unwrap().flatten();
    let backups = backups.filter(|entry| entry.path().join("manifest.json").is_file()).count();
    assert_eq!(product.snapshots(None).len(), backups);
    product.restic(&["check"]);
}
