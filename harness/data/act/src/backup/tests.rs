use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use stagegate_data_decide::{
    DataFacts,
    backup::{ConfigFile, DatabaseDump, FORMAT, Manifest},
};
use stagegate_host::files;

use super::{
    BackupError,
    journal::{self, Event},
    store::Store,
};

struct Fresh {
    root: PathBuf,
    store: Store,
}

impl Fresh {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("stagegate-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        files::private_dir(&root).unwrap();
        Fresh { store: Store::at(&root), root }
    }

    /// Lists a backup with two dumps and a file of configuration.
    fn publish(&self, id: &str, taken: i64) -> PathBuf {
        let draft = self.store.draft(id).unwrap();
        let write = |file: &str, text: &str| {
            fs::write(draft.join(file), text).unwrap();
            files::hash_file(&draft.join(file)).unwrap()
        };
        let dump = |database: &str, text: &str| {
            let file = format!("{database}.dump");
            let (sha256, bytes) = write(&file, text);
            DatabaseDump {
                database: database.to_owned(),
                name: database.to_owned(),
                file,
                sha256,
                bytes,
                major: 17,
                restored_bytes: 0,
                dump_seconds: 0.0,
                proof_seconds: 0.0,
                locale: None,
                roles: vec![],
                superusers: vec![],
                preload: String::new(),
                facts: DataFacts::default(),
            }
        };
        let objects = vec![dump("main", "PGDMP one"), dump("ledger", "PGDMP two, longer")];
        let (sha256, bytes) = write("config-0", "A=1\n");
        let files = vec![ConfigFile { file: "config-0".into(), path: None, sha256, bytes }];
        let manifest =
            Manifest { v: FORMAT, id: id.to_owned(), taken_unix: taken, objects, files, ..Manifest::default() };
        self.store.publish(&draft, &manifest).unwrap()
    }

    /// Returns whether the list and the check let everything through.
    fn passes(&self) -> bool {
        let (all, unreadable) = self.store.list().unwrap();
        let clean = |stored| self.store.check(stored).unwrap().is_empty();
        unreadable.is_empty() && all.len() == 1 && all.iter().all(clean)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// A generator of numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Damages a backup in one way, and returns which.
fn mutate(random: &mut Random, dir: &Path) -> String {
    let mut names: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let path = &names[random.below(names.len())];
    let bytes = fs::read(path).unwrap();
    let kind = random.below(8);
    match kind {
        0 | 1 => {
            let (mut bytes, at) = (bytes, random.below(usize::MAX));
            let at = at % bytes.len();
            bytes[at] ^= 1 << random.below(8);
            fs::write(path, bytes).unwrap();
        }
        2 => fs::write(path, &bytes[..random.below(bytes.len())]).unwrap(),
        3 => fs::write(path, [bytes.as_slice(), b"\n"].concat()).unwrap(),
        4 => fs::remove_file(path).unwrap(),
        5 => fs::write(dir.join("extra"), "x").unwrap(),
        6 => fs::rename(path, dir.join("other-name")).unwrap(),
        _ => {
            let aside = dir.parent().unwrap().join(".aside");
            fs::rename(path, &aside).unwrap();
            symlink(&aside, path).unwrap();
        }
    }
    format!("mutation {kind} of {}", path.display())
}

#[test]
fn each_of_10_000_damaged_backups_is_found_and_no_good_one_is_refused() {
    let fresh = Fresh::new("mutated");
    let dir = fresh.publish("20260101-000000-0001", 1);
    let good: Vec<(PathBuf, Vec<u8>)> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect();
    let seed = 14;
    let mut random = Random(seed);
    for number in 0..10_000 {
        let what = mutate(&mut random, &dir);
        assert!(!fresh.passes(), "seed {seed}, {number}: {what} was not found");
        fs::remove_dir_all(&dir).unwrap();
        fs::create_dir(&dir).unwrap();
        good.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
        assert!(number % 10 != 0 || fresh.passes(), "seed {seed}, {number}: a good backup was refused");
    }
}

#[test]
fn a_draft_and_a_removed_backup_are_not_listed_and_the_next_lock_takes_them_away() {
    let fresh = Fresh::new("draft");
    fresh.publish("20260101-000000-0001", 1);
    let draft = fresh.store.draft("20260101-000000-0002").unwrap();
    let left = fresh.root.join(".removed-20260101-000000-0003");
    fs::create_dir(&left).unwrap();
    assert_eq!(fresh.store.list().unwrap().0.len(), 1);
    drop(fresh.store.lock("shop", "test").unwrap());
    assert!(!draft.exists() && !left.exists());
    fresh.store.remove("20260101-000000-0001").unwrap();
    assert_eq!(fresh.store.list().unwrap().0.len(), 0);
}

#[test]
fn a_draft_whose_file_changed_on_the_way_is_not_listed() {
    let fresh = Fresh::new("changed");
    let draft = fresh.store.draft("20260101-000000-0001").unwrap();
    fs::write(draft.join("config-0"), "A=2\n").unwrap();
    let file = ConfigFile { file: "config-0".into(), path: None, sha256: "0".repeat(64), bytes: 4 };
    let manifest = Manifest { v: FORMAT, id: "20260101-000000-0001".into(), files: vec![file], ..Manifest::default() };
    let error = fresh.store.publish(&draft, &manifest).unwrap_err().to_string();
    assert!(error.contains("config-0: its contents changed"), "{error}");
    assert_eq!(fresh.store.list().unwrap().0.len(), 0);
}

#[test]
fn the_newest_verified_backup_is_the_latest_and_an_unknown_one_is_refused_with_those_that_are_there() {
    let fresh = Fresh::new("find");
    fresh.publish("20260101-000000-0001", 1);
    fresh.publish("20260101-000000-0002", 2);
    fresh.store.note_verified("20260101-000000-0002", Some("main.dump is missing".into())).unwrap();
    assert_eq!(fresh.store.find("latest").unwrap().manifest.id, "20260101-000000-0001");
    // A clock ran ahead: that one is found by its name alone.
    fresh.publish("20900101-000000-0003", stagegate_host::clock::unix_seconds() + 86_400);
    assert_eq!(fresh.store.find("latest").unwrap().manifest.id, "20260101-000000-0001");
    assert!(fresh.store.find("20900101-000000-0003").is_ok());
    fresh.store.remove("20900101-000000-0003").unwrap();
    let other = fresh.store.find_with("latest", |manifest| manifest.id.ends_with('9'));
    assert!(other.is_err(), "the latest one has to have what is wanted");
    let error = fresh.store.find("x").unwrap_err().to_string();
    assert!(error.contains("20260101-000000-0002, 20260101-000000-0001"), "{error}");
    fresh.store.remove("20260101-000000-0002").unwrap();
    assert_eq!(fs::read_to_string(fresh.root.join("notes.json")).unwrap(), "{}");
}

#[test]
fn a_backup_of_a_newer_format_is_named_and_hides_no_other() {
    let fresh = Fresh::new("newer");
    fresh.publish("20260101-000000-0001", 1);
    let newer = fresh.root.join("20270101-000000-0001");
    fs::create_dir(&newer).unwrap();
    fs::write(newer.join("manifest.json"), r#"{"v":9}"#).unwrap();
    let (all, unreadable) = fresh.store.list().unwrap();
    assert_eq!((all.len(), unreadable.len()), (1, 1));
    assert!(matches!(fresh.store.find("20270101-000000-0001"), Err(BackupError::Manifest { .. })));
}

#[test]
fn a_line_that_a_crash_cut_swallows_no_other() {
    let fresh = Fresh::new("journal");
    let path = fresh.root.join("journal.jsonl");
    fs::write(&path, r#"{"at":1,"event":"bac"#).unwrap();
    journal::append(&fresh.root, Event::Backup, Some("a"), None, 1.0).unwrap();
    journal::append(&fresh.root, Event::Backup, Some("b"), Some("no server".into()), 1.0).unwrap();
    let lines = journal::lines(&fresh.root);
    assert_eq!(lines.len(), 2);
    assert!(journal::last_well(&lines, Event::Backup).is_some() && journal::last_well(&lines, Event::Drill).is_none());
    assert_eq!(journal::last_failure(&lines, Event::Backup).unwrap().id.as_deref(), Some("b"));
}

#[test]
fn a_copy_takes_the_place_of_a_damaged_backup_and_of_one_without_a_manifest_only_if_it_is_whole() {
    let (fresh, other) = (Fresh::new("adopt"), Fresh::new("adopted"));
    let id = "20260101-000000-0001";
    let copy = other.publish(id, 1_767_225_600);
    let brought = |break_it: bool| {
        let draft = fresh.store.draft(id).unwrap();
        for file in fs::read_dir(&copy).unwrap().flatten() {
            fs::copy(file.path(), draft.join(file.file_name())).unwrap();
        }
        if break_it {
            fs::write(draft.join("main.dump"), "PGDMP two").unwrap();
        }
        draft
    };
    let dir = fresh.publish(id, 1_767_225_600);
    for damage in ["main.dump", "manifest.json"] {
        fs::write(dir.join(damage), "").unwrap();
        fresh.store.note_verified(id, Some("main.dump: other bytes".into())).unwrap();
        let refused = fresh.store.adopt(&brought(true), id).unwrap_err();
        assert!(matches!(refused, BackupError::Damaged { .. }), "{refused}");
        assert_eq!(fs::read(dir.join(damage)).unwrap(), b"", "what was there stays");
        fresh.store.adopt(&brought(false), id).unwrap();
        assert!(fresh.passes() && fresh.store.find(id).unwrap().is_verified(), "{damage}");
    }
    let names: Vec<String> =
        fs::read_dir(&fresh.root).unwrap().flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    assert!(names.iter().all(|name| !name.starts_with(".removed")), "{names:?}");
}
