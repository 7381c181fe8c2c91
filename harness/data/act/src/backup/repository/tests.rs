use std::{
    fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use stagegate_data_decide::backup::restic::Unsettled;

use super::*;

const WITHIN: Duration = Duration::from_secs(120);

/// A store with a repository in it; both go at the end.
struct Fresh(PathBuf);

impl Fresh {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("stagegate-repository-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("password"), "correct horse\n").unwrap();
        let fresh = Fresh(root);
        assert!(fresh.restic(&["init"]).wait().unwrap().success(), "restic init");
        fresh
    }

    /// Starts restic on the repository, apart from the code under test.
    fn restic(&self, args: &[&str]) -> std::process::Child {
        let mut command = Command::new("restic");
        command.env("RESTIC_PASSWORD_FILE", self.0.join("password")).arg("--repo").arg(self.0.join("repo")).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("restic is installed")
    }

    fn settings(&self) -> Restic {
        Restic {
            repository: self.0.join("repo").to_string_lossy().into_owned(),
            password_file: self.0.join("password"),
            credentials: None,
        }
    }

    async fn open(&self) -> Repository {
        Repository::open(&self.settings(), &Runner::default(), WITHIN).await.unwrap()
    }

    fn intend(&self, id: &str, tag: &str, is_draft: bool) {
        let repository = self.settings().repository;
        intend(&self.0, id, Unsettled { tag: tag.to_owned(), repository, is_draft }).unwrap();
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Bytes that nothing compresses, the same in each run.
fn bytes(count: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u8::try_from(state >> 56).unwrap()
    };
    std::iter::repeat_with(next).take(count).collect()
}

async fn save(repository: &Repository, tag: &str, bytes: Vec<u8>) -> Snapshot {
    let write =
        async |mut file: File| crate::age::blocking(move || file.write_all(&bytes)).await.map_err(BackupError::pipe);
    repository.save(("uploads.tar", "production", tag), write).await.unwrap().1
}

async fn load(repository: &Repository, snapshot: &Snapshot) -> Result<Vec<u8>, BackupError> {
    let read = async |mut file: File| {
        let all = move || {
            let mut all = Vec::new();
            file.read_to_end(&mut all).map(|_| all)
        };
        crate::age::blocking(all).await.map_err(BackupError::pipe)
    };
    repository.load((snapshot, "uploads.tar"), read).await
}

#[tokio::test]
async fn what_is_saved_is_read_and_goes_with_its_backup_alone() {
    let fresh = Fresh::new("saved");
    let repository = fresh.open().await;
    let all = bytes(3 << 20);
    let (first, second) = (save(&repository, "t-1", all.clone()).await, save(&repository, "t-2", all.clone()).await);
    assert_ne!(first.id, second.id);
    assert!(load(&repository, &first).await.unwrap() == all);

    // A killed backup's, a listed one's, a removed one's that has a copy, and a removed one's.
    save(&repository, "t-3", b"part".to_vec()).await;
    save(&repository, "t-4", b"copied".to_vec()).await;
    for (id, tag, is_draft) in [("1", "t-1", true), ("2", "t-2", false), ("3", "t-3", true), ("4", "t-4", false)] {
        fresh.intend(id, tag, is_draft);
    }
    fs::create_dir(fresh.0.join("1")).unwrap();
    let copies = ["4".to_owned()].into();
    let open = async || Ok(Some(repository.clone()));
    let removed = settle(&fresh.0, Some(&copies), open).await.unwrap();
    assert_eq!((removed.snapshots, removed.given_up), (2, vec![]));
    assert!(load(&repository, &first).await.unwrap() == all, "what is listed stays");
    let gone = load(&repository, &second).await.unwrap_err();
    assert!(matches!(gone, BackupError::Repository(RepositoryError::NoSnapshot { .. })), "{gone:?}");
    assert_eq!(unsettled(&fresh.0).unwrap().keys().collect::<Vec<_>>(), ["4"]);
    // A second time nothing is left to do but what has a copy.
    assert_eq!(settle(&fresh.0, Some(&copies), open).await.unwrap().snapshots, 0);
    assert_eq!(settle(&fresh.0, Some(&[].into()), open).await.unwrap().snapshots, 1);
}

#[tokio::test]
async fn each_fault_is_one_sentence_with_the_next_command() {
    let fresh = Fresh::new("faults");
    let refused = async |settings: &Restic| {
        let opened = Repository::open(settings, &Runner::default(), WITHIN).await;
        opened.map(drop).unwrap_err().to_string()
    };
    let settings = fresh.settings();
    let elsewhere = Restic { repository: fresh.0.join("none").to_string_lossy().into_owned(), ..settings.clone() };
    let text = refused(&elsewhere).await;
    assert!(text.contains("there is no restic repository at") && text.contains("init"), "{text}");
    fs::write(fresh.0.join("other"), "incorrect horse\n").unwrap();
    let other = Restic { password_file: fresh.0.join("other"), ..settings.clone() };
    let text = refused(&other).await;
    assert!(text.contains("does not open repository") && !text.contains("incorrect horse"), "{text}");
    let text = refused(&Restic { password_file: fresh.0.join("nothing"), ..settings.clone() }).await;
    assert!(text.contains("password_file"), "{text}");
    fs::write(fresh.0.join("variables"), "# of the bucket\nLD_PRELOAD=/x\n").unwrap();
    let text = refused(&Restic { credentials: Some(fresh.0.join("variables")), ..settings.clone() }).await;
    assert!(text.contains("sets `LD_PRELOAD`"), "{text}");

    // Another program at work: it saves what comes from a pipe that stays open.
    let repository = fresh.open().await;
    save(&repository, "t-1", b"one".to_vec()).await;
    let mut at_work = fresh.restic(&["backup", "--stdin"]);
    let locks = fresh.0.join("repo/locks");
    let end = std::time::Instant::now() + WITHIN;
    while fs::read_dir(&locks).unwrap().count() == 0 {
        assert!(std::time::Instant::now() < end, "restic takes no lock");
        std::thread::yield_now();
    }
    let text = repository.forget(["t-1"]).await.unwrap_err().to_string();
    assert!(text.contains("is locked") && text.contains("unlock"), "{text}");
    at_work.kill().unwrap();
    at_work.wait().unwrap();
    // Its lock stays, and is removed as the repository is opened.
    assert_eq!(fresh.open().await.forget(["t-1"]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_snapshot_with_a_changed_byte_is_damaged_and_one_of_another_repository_is_not_read() {
    let fresh = Fresh::new("damaged");
    let repository = fresh.open().await;
    let snapshot = save(&repository, "t-1", bytes(3 << 20)).await;
    let packs = walk(&fresh.0.join("repo/data")).unwrap();
    let pack = packs.iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut changed = fs::read(pack).unwrap();
    changed[1000] ^= 1;
    fs::set_permissions(pack, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(pack, changed).unwrap();
    let error = load(&repository, &snapshot).await.unwrap_err();
    let BackupError::Repository(RepositoryError::Damaged { .. }) = &error else { panic!("{error:?}") };
    assert!(error.to_string().contains("check --read-data"), "{error}");
    let other = Snapshot { repository: "rclone:evil:b".to_owned(), ..snapshot };
    let error = load(&repository, &other).await.unwrap_err();
    assert!(matches!(error, BackupError::Repository(RepositoryError::Another { .. })), "{error:?}");
}

fn walk(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { all.extend(walk(&path)?) } else { all.push(path) }
    }
    Ok(all)
}
