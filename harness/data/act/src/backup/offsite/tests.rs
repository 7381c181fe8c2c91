use std::{fs, path::PathBuf};

use rstest::rstest;
use stagegate_base::config::{OffsiteTarget, PlacePrograms};
use stagegate_data_decide::backup::{ConfigFile, FORMAT};

use super::{objects::PART, *};
use crate::backup::store::Store;

/// A store and a folder off this host; both go with this value.
struct World {
    dir: PathBuf,
    store: Store,
    offsite: Offsite,
}

/// How the folder off this host is reached.
#[derive(Clone, Copy, Debug)]
enum By {
    Folder,
    Programs,
}

fn words(of: &[&str]) -> Vec<String> {
    of.iter().map(|word| (*word).to_owned()).collect()
}

fn programs(dir: PathBuf) -> OffsiteTarget {
    OffsiteTarget::Programs(PlacePrograms {
        put: words(&["sh", "-c", "mkdir -p \"$(dirname \"$1\")\" && cat >\"$1\"", "sh", "{name}"]),
        get: words(&["cat", "{name}"]),
        list: words(&["find", "{prefix}", "-type", "f", "-printf", "%s %T@ %p\\n"]),
        delete: words(&["rm", "{name}"]),
        dir,
    })
}

impl World {
    fn new(test: &str, by: By) -> Self {
        let dir = std::env::temp_dir().join(format!("stagegate-offsite-{test}-{by:?}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        files::private_dir(&dir.join("here")).unwrap();
        files::private_dir(&dir.join("there/shop")).unwrap();
        let place = match by {
            By::Folder => OffsiteTarget::Folder(dir.join("there")),
            By::Programs => programs(dir.join("there")),
        };
        let settings = Settings { place, credentials: None };
        let runner = ByPrograms { within: Duration::from_secs(60), ..ByPrograms::default() };
        let offsite = Offsite::open(&settings, "shop", None, runner).unwrap();
        World { store: Store::at(&dir.join("here")), dir, offsite }
    }

    /// Lists a backup here with one file of `bytes`.
    fn publish(&self, id: &str, taken: i64, bytes: usize) -> Stored {
        let draft = self.store.draft(id).unwrap();
        let contents: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
        fs::write(draft.join("config-0"), contents).unwrap();
        let (sha256, bytes) = files::hash_file(&draft.join("config-0")).unwrap();
        let all = vec![ConfigFile { file: "config-0".into(), path: None, sha256, bytes }];
        let manifest = Manifest { v: FORMAT, id: id.into(), taken_unix: taken, files: all, ..Manifest::default() };
        self.store.publish(&draft, &manifest).unwrap();
        self.store.find(id).unwrap()
    }

    fn there(&self, name: &str) -> PathBuf {
        self.dir.join("there/shop").join(name)
    }

    async fn ids(&self) -> Vec<String> {
        self.offsite.list().await.unwrap().0.into_iter().map(|copy| copy.manifest.id).collect()
    }

    /// Brings a copy back and verifies it.
    async fn back(&self, id: &str) -> Result<(), String> {
        let copy = self.offsite.find(id).await.map_err(|error| error.to_string())?;
        let draft = self.store.draft(&format!("back-{id}")).unwrap();
        self.offsite.download(&copy, &draft).await.map_err(|error| error.to_string())?;
        let stored = Stored { dir: draft, manifest: copy.manifest, note: Default::default(), of_promotion: false };
        let problems = self.store.check(&stored).unwrap();
        if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[rstest]
#[case::folder(By::Folder)]
#[case::programs(By::Programs)]
#[tokio::test]
async fn a_copy_comes_back_as_it_was_also_where_it_took_several_parts(#[case] by: By) {
    let world = World::new("round-trip", by);
    world.offsite.upload(&world.publish("20260101-000000-0001", 1, 3 * PART as usize + 17)).await.unwrap();
    world.offsite.upload(&world.publish("20260101-000000-0002", 2, 0)).await.unwrap();
    assert_eq!(world.ids().await, ["20260101-000000-0002", "20260101-000000-0001"]);
    world.back("20260101-000000-0001").await.unwrap();
    world.back("latest").await.unwrap();
}

#[rstest]
#[case::folder(By::Folder)]
#[case::programs(By::Programs)]
#[tokio::test]
async fn an_upload_that_is_done_again_changes_nothing_and_another_file_there_is_never_overwritten(#[case] by: By) {
    let world = World::new("again", by);
    let stored = world.publish("20260101-000000-0001", 1, 100);
    world.offsite.upload(&stored).await.unwrap();
    world.offsite.upload(&stored).await.unwrap();
    let foreign = world.there("20260101-000000-0001/config-0");
    fs::write(&foreign, "somebody else's").unwrap();
    let error = world.offsite.upload(&stored).await.unwrap_err().to_string();
    assert!(error.contains("expected 100 bytes") && error.contains("found 15 bytes"), "{error}");
    assert_eq!(fs::read(&foreign).unwrap(), b"somebody else's");
}

#[rstest]
#[case::folder(By::Folder)]
#[case::programs(By::Programs)]
#[tokio::test]
async fn an_upload_that_was_cut_before_its_manifest_is_no_backup_and_is_gone_on_with(#[case] by: By) {
    let world = World::new("cut", by);
    let stored = world.publish("20260101-000000-0001", 1, 100);
    world.offsite.upload(&stored).await.unwrap();
    fs::remove_file(world.there("20260101-000000-0001/manifest.json")).unwrap();
    assert!(world.ids().await.is_empty());
    world.offsite.sweep().await.unwrap();
    assert!(world.there("20260101-000000-0001/config-0").is_file(), "another host may be writing it");
    world.offsite.upload(&stored).await.unwrap();
    world.back("20260101-000000-0001").await.unwrap();
}

#[rstest]
#[case::folder(By::Folder)]
#[case::programs(By::Programs)]
#[tokio::test]
async fn a_removal_that_was_cut_is_gone_on_with_and_blocks_an_upload_meanwhile(#[case] by: By) {
    let world = World::new("removal", by);
    let stored = world.publish("20260101-000000-0001", 1, 100);
    world.offsite.upload(&stored).await.unwrap();
    let copy = world.offsite.find("latest").await.unwrap();
    fs::write(world.there("20260101-000000-0001/REMOVED"), "").unwrap();
    assert!(world.ids().await.is_empty());
    let error = world.offsite.upload(&stored).await.unwrap_err().to_string();
    assert!(error.contains("is being removed"), "{error}");
    world.offsite.sweep().await.unwrap();
    assert!(world.offsite.contents().await.unwrap() == Contents::default());
    world.offsite.upload(&stored).await.unwrap();
    world.offsite.remove(&copy).await.unwrap();
    assert!(world.offsite.contents().await.unwrap() == Contents::default());
    let is_left = world.there("20260101-000000-0001").exists();
    assert!(!is_left || matches!(by, By::Programs), "an empty folder is left");
}

#[rstest]
#[case::folder(By::Folder)]
#[case::programs(By::Programs)]
#[tokio::test]
async fn what_is_missing_or_changed_there_is_found(#[case] by: By) {
    let world = World::new("changed", by);
    world.offsite.upload(&world.publish("20260101-000000-0001", 1, 100)).await.unwrap();
    world.offsite.upload(&world.publish("20260101-000000-0002", 2, 100)).await.unwrap();
    fs::write(world.there("20260101-000000-0001/config-0"), [0; 100]).unwrap();
    fs::write(world.there("20260101-000000-0002/config-0"), [0; 99]).unwrap();
    let (all, _) = world.offsite.list().await.unwrap();
    assert_eq!(all[0].problems, ["config-0: expected 100 bytes, found 99"]);
    // The list of sizes shows nothing, the contents do; and the newest one that is whole by its list is the latest.
    assert_eq!(world.back("latest").await.unwrap_err(), "config-0: its contents changed");
    fs::write(world.there("20260101-000000-0001/manifest.json"), "{}").unwrap();
    assert_eq!(world.offsite.list().await.unwrap().1.len(), 1);
}

#[tokio::test]
async fn a_folder_that_is_not_mounted_is_not_filled() {
    let world = World::new("mount", By::Folder);
    let settings = Settings { place: OffsiteTarget::Folder(world.dir.join("absent")), credentials: None };
    let error = Offsite::open(&settings, "shop", None, ByPrograms::default()).unwrap_err().to_string();
    assert!(error.contains("is it mounted?") && !world.dir.join("absent").exists(), "{error}");
}

/// A service has whole objects or none; a program that is killed leaves the beginning of a file under its name.
#[rstest]
#[case::of_a_file("config-0")]
#[case::of_the_manifest(MANIFEST)]
#[tokio::test]
async fn what_a_killed_program_left_of_a_file_is_written_again(#[case] file: &str) {
    let world = World::new(&format!("torn-{}", &file[..6]), By::Programs);
    let stored = world.publish("20260101-000000-0001", 1, 100);
    let whole = fs::read(stored.dir.join(file)).unwrap();
    let there = world.there("20260101-000000-0001");
    fs::create_dir(&there).unwrap();
    fs::write(there.join(file), &whole[..50]).unwrap();
    assert!(world.ids().await.is_empty(), "half a copy is listed");
    world.offsite.upload(&stored).await.unwrap();
    assert_eq!(fs::read(there.join(file)).unwrap(), whole);
    world.back("latest").await.unwrap();
}

#[tokio::test]
async fn a_program_that_fails_is_reported_with_its_object_and_what_it_printed() {
    let mut world = World::new("fails", By::Programs);
    let OffsiteTarget::Programs(mut programs) = programs(world.dir.join("there")) else { unreachable!() };
    programs.put = words(&["sh", "-c", "echo no room on the tape >&2; exit 9", "{name}"]);
    let settings = Settings { place: OffsiteTarget::Programs(programs), credentials: None };
    let by = ByPrograms { within: Duration::from_secs(60), ..ByPrograms::default() };
    world.offsite = Offsite::open(&settings, "shop", None, by).unwrap();
    let error = world.offsite.upload(&world.publish("20260101-000000-0001", 1, 9)).await.unwrap_err().to_string();
    assert!(error.contains("cannot write command:sh/shop/20260101-000000-0001/config-0"), "{error}");
    assert!(error.contains("no room on the tape"), "{error}");
}
