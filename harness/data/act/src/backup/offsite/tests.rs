use std::{fs, path::PathBuf};

use stagegate_data_decide::backup::{ConfigFile, FORMAT};

use super::*;
use crate::backup::store::Store;

/// A store and a folder off this host; both go with this value.
struct World {
    dir: PathBuf,
    store: Store,
    offsite: Offsite,
}

impl World {
    fn new(test: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("stagegate-offsite-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        files::private_dir(&dir.join("here")).unwrap();
        files::private_dir(&dir.join("there")).unwrap();
        let settings = Settings { place: Place::Folder(dir.join("there")), credentials: None };
        let offsite = Offsite::open(&settings, "shop", None).unwrap();
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

#[tokio::test]
async fn a_copy_comes_back_as_it_was_also_where_it_took_several_parts() {
    let world = World::new("round-trip");
    world.offsite.upload(&world.publish("20260101-000000-0001", 1, 3 * PART as usize + 17)).await.unwrap();
    world.offsite.upload(&world.publish("20260101-000000-0002", 2, 0)).await.unwrap();
    assert_eq!(world.ids().await, ["20260101-000000-0002", "20260101-000000-0001"]);
    world.back("20260101-000000-0001").await.unwrap();
    world.back("latest").await.unwrap();
}

#[tokio::test]
async fn an_upload_that_is_done_again_changes_nothing_and_another_file_there_is_never_overwritten() {
    let world = World::new("again");
    let stored = world.publish("20260101-000000-0001", 1, 100);
    world.offsite.upload(&stored).await.unwrap();
    world.offsite.upload(&stored).await.unwrap();
    let foreign = world.there("20260101-000000-0001/config-0");
    fs::write(&foreign, "somebody else's").unwrap();
    let error = world.offsite.upload(&stored).await.unwrap_err().to_string();
    assert!(error.contains("expected 100 bytes") && error.contains("found 15 bytes"), "{error}");
    assert_eq!(fs::read(&foreign).unwrap(), b"somebody else's");
}

#[tokio::test]
async fn an_upload_that_was_cut_before_its_manifest_is_no_backup_and_is_gone_on_with() {
    let world = World::new("cut");
    let stored = world.publish("20260101-000000-0001", 1, 100);
    world.offsite.upload(&stored).await.unwrap();
    fs::remove_file(world.there("20260101-000000-0001/manifest.json")).unwrap();
    assert!(world.ids().await.is_empty());
    world.offsite.sweep().await.unwrap();
    assert!(world.there("20260101-000000-0001/config-0").is_file(), "another host may be writing it");
    world.offsite.upload(&stored).await.unwrap();
    world.back("20260101-000000-0001").await.unwrap();
}

#[tokio::test]
async fn a_removal_that_was_cut_is_gone_on_with_and_blocks_an_upload_meanwhile() {
    let world = World::new("removal");
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
    assert!(!world.there("20260101-000000-0001").exists(), "an empty folder is left");
}

#[tokio::test]
async fn what_is_missing_or_changed_there_is_found() {
    let world = World::new("changed");
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
    let world = World::new("mount");
    let settings = Settings { place: Place::Folder(world.dir.join("absent")), credentials: None };
    let error = Offsite::open(&settings, "shop", None).unwrap_err().to_string();
    assert!(error.contains("is it mounted?") && !world.dir.join("absent").exists(), "{error}");
}
