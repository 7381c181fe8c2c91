//! The schedule with a place off this host, end to end: each part fails alone, the others run, status and receivers hear of it.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use crate::{small::Small, world::Ended};

struct World {
    small: Small,
}

impl World {
    /// Brings a product up whose backups are copied to a folder, and whose alerts end in a file.
    fn new() -> Self {
        let small = Small::new("schedule", "shop");
        small.up("production", "v1");
        let world = World { small };
        fs::create_dir(world.path("there")).unwrap();
        let file = world.small.product().join("stagegate.toml");
        let notify = "[gate]\nnotify_command = [\"tee\", \"../heard.json\"]\n";
        let backup = format!(
            "[backup]\nenvironments = [\"production\"]\nkeep_last = 1\nhourly = 0\ndaily = 0\nmin_keep = 1\n\
             [backup.offsite]\nurl = \"file://{}\"\n",
            world.path("there").display()
        );
        let text = fs::read_to_string(&file).unwrap().replace("[gate]\n", notify);
        fs::write(&file, text + &backup).unwrap();
        world
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.small.product().parent().unwrap().join(name)
    }

    fn run(&self) -> Ended {
        self.small.gate(&["schedule", "run", "--env", "production"])
    }

    fn status(&self) -> Ended {
        self.small.gate(&["backup", "status", "--env", "production"])
    }

    /// Makes what was done so far eight days old.
    fn age(&self) {
        for journal in ["backups/journal.jsonl", "schedule/journal.jsonl"] {
            let path = self.small.state("production").join(journal);
            let text = fs::read_to_string(&path).unwrap();
            let older = |line: &str| {
                let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
                value["at"] = (value["at"].as_i64().unwrap() - 8 * 86_400).into();
                format!("{value}\n")
            };
            fs::write(&path, text.lines().map(older).collect::<String>()).unwrap();
        }
    }

    /// Returns what the receiver heard since the last call.
    fn heard(&self) -> Option<serde_json::Value> {
        let path = self.path("heard.json");
        let text = fs::read(&path).ok()?;
        fs::remove_file(path).unwrap();
        Some(serde_json::from_slice(&text).unwrap())
    }

    fn ids(&self, folder: &std::path::Path) -> Vec<String> {
        let names =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let mut ids: Vec<String> = names.filter(|name| name.starts_with('2')).collect();
        ids.sort();
        ids
    }

    fn ids_here(&self) -> Vec<String> {
        self.ids(&self.small.state("production").join("backups"))
    }

    fn ids_there(&self) -> Vec<String> {
        let project = self.small.state("production");
        self.ids(&self.path("there").join(project.file_name().unwrap()))
    }
}

fn docker(args: &[&str]) {
    let done = Command::new("docker").args(args).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn has_session(container: &str) -> bool {
    let ready = ["exec", container, "pg_isready", "--quiet", "--timeout", "1", "--host", "127.0.0.1"];
    Command::new("docker").args(ready).output().unwrap().status.success()
}

#[track_caller]
fn has(ended: &Ended, code: i32, texts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.text);
    for text in texts {
        assert!(ended.text.contains(text), "no {text:?} in: {}", ended.text);
    }
}

#[test]
fn the_schedule_backs_up_copies_drills_prunes_and_what_fails_alone_leaves_the_others_running() {
    let world = World::new();
    has(&world.run(), 0, &["backup 2", "read back in", "restored and compared", "removed 0 old backups"]);
    has(&world.status(), 0, &["backups OK", "RTO if this host is lost"]);
    assert!(world.heard().is_none(), "all is well");

    // The place is away: the backup is made and pruned here; the drill would only report the same again.
    world.age();
    fs::rename(world.path("there"), world.path("away")).unwrap();
    let away = world.run();
    has(
        &away,
        4,
        &["upload failed: ", "is it mounted?", "restore drill not run", "off-site prune failed", "removed 1 old"],
    );
    has(&world.status(), 3, &["the last upload failed", "the last off-site prune failed"]);
    let heard = world.heard().expect("an alert");
    assert_eq!((heard["backups"].as_str(), heard["environment"].as_str()), (Some("failing"), Some("production")));
    // The next tick finds the same, tries again, and alerts nobody twice.
    has(&world.run(), 4, &["upload failed: "]);
    assert!(world.heard().is_none(), "the receiver knows");

    // It is back: what was not copied is, and the older copy goes.
    fs::rename(world.path("away"), world.path("there")).unwrap();
    has(&world.run(), 0, &["read back in", "restored and compared"]);
    has(&world.status(), 0, &["backups OK"]);
    assert_eq!(world.heard().expect("an alert")["backups"], "recovered");
    assert_eq!(world.ids_here(), world.ids_there());

    // The database is down: the copies are drilled and pruned nevertheless.
    world.age();
    let container = format!("{}-db-1", world.small.state("production").file_name().unwrap().to_string_lossy());
    docker(&["stop", "--time", "5", &container]);
    has(&world.run(), 4, &["backup failed: ", "restored and compared"]);
    has(&world.status(), 3, &["the last backup failed"]);
    docker(&["start", &container]);
    let end = Instant::now() + Duration::from_secs(60);
    while !has_session(&container) {
        assert!(Instant::now() < end, "the database does not come back");
    }

    // A copy that was changed there: the drill finds it, and what is newer is backed up and copied.
    let id = world.ids_there().remove(0);
    let project = world.small.state("production");
    let dump = world.path("there").join(project.file_name().unwrap()).join(&id).join("main.dump");
    let mut bytes = fs::read(&dump).unwrap();
    bytes[100] ^= 1;
    fs::write(&dump, bytes).unwrap();
    let verified = world.small.gate(&["backup", "verify", "--env", "production", "--offsite", "--restore"]);
    has(&verified, 3, &["its contents changed"]);
    has(&world.status(), 3, &["the copy of", "is damaged"]);
    world.age();
    has(&world.run(), 0, &["backup 2", "read back in", "restored and compared", "removed 1 backup from"]);
    has(&world.status(), 0, &["backups OK"]);
}
