use std::{
    fs,
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink},
    path::PathBuf,
};

use rustix::fs::{CWD, FileType, Mode, XattrFlags, lsetxattr, mknodat};
use stagegate_base::mark::Role;
use stagegate_data_decide::volume::{Copied, CopyRecord, Outcome, SwitchRequest, Switched, differences};

use super::*;

/// A folder with everything that a volume can hold, removed at the end.
struct Volume(PathBuf);

impl Volume {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("stagegate-volume-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let live = folder.join("_data");
        fs::create_dir_all(live.join("inner/empty")).unwrap();
        fs::write(live.join("inner/one"), b"first").unwrap();
        fs::set_permissions(live.join("inner/one"), fs::Permissions::from_mode(0o4640)).unwrap();
        fs::hard_link(live.join("inner/one"), live.join("same")).unwrap();
        symlink("/nowhere/else", live.join("link")).unwrap();
        mknodat(CWD, live.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let sparse = fs::File::create(live.join("sparse")).unwrap();
        sparse.set_len(8 << 20).unwrap();
        sparse.write_all_at(b"data", 4 << 20).unwrap();
        lsetxattr(live.join("inner"), "user.note", b"kept", XattrFlags::empty()).unwrap();
        Volume(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join("_data").join(name)
    }

    fn kept(role: Role) -> CopyRecord {
        CopyRecord::of("_data", role, "20260102-030405-ab12", "aa")
    }

    fn copy(&self) -> Copied {
        copying::copy(&self.0, "_data", &Self::kept(Role::Copy)).unwrap()
    }

    fn request(copied: &Copied) -> SwitchRequest {
        SwitchRequest {
            live: "_data".into(),
            with: Self::kept(Role::Copy),
            root: copied.tree.root,
            stamp: Some(copied.tree.stamp.clone()),
            unchanged: Some(copied.source.clone()),
            aside: Self::kept(Role::Failed),
            contents: true,
        }
    }

    fn switch(&self, wanted: &SwitchRequest) -> Switched {
        switching::switch(&self.0, wanted).unwrap()
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_copy_has_links_holes_modes_times_and_attributes_and_shares_no_file_with_the_original() {
    let volume = Volume::new("copy");
    let copied = volume.copy();
    let live = tree::read(&volume.0.join("_data"), true).unwrap();
    assert_eq!(differences(&live, &copied.tree), [] as [String; 0]);
    assert!(copied.tree.entries["sparse"].sparse && copied.tree.entries["inner"].attributes.contains_key("user.note"));
    let names = ["same", "inner/one"].map(|name| copied.tree.entries[name].same_as.clone());
    assert_eq!(names, [None, Some("same".to_owned())]);
    let copy = volume.0.join(Volume::kept(Role::Copy).path());
    assert!(fs::metadata(copy.join("sparse")).unwrap().blocks() < 1024, "the hole was written");
    fs::write(volume.path("inner/one"), b"FIRST").unwrap();
    assert_eq!(fs::read(copy.join("inner/one")).unwrap(), b"first");
}

#[test]
fn a_switch_restores_the_copy_and_keeps_the_failed_content_and_can_be_done_again() {
    let volume = Volume::new("switch");
    let (copied, before) = (volume.copy(), tree::read(&volume.0.join("_data"), true).unwrap());
    fs::remove_file(volume.path("same")).unwrap();
    fs::write(volume.path("inner/one"), b"failed").unwrap();
    let request = Volume::request(&copied);
    for turn in 0..2 {
        let switched = volume.switch(&request);
        assert_eq!((switched.outcome, differences(&before, &switched.tree)), (Outcome::Switched, vec![]), "{turn}");
    }
    let failed = volume.0.join(Volume::kept(Role::Failed).path());
    assert_eq!(fs::read(failed.join("inner/one")).unwrap(), b"failed");
    assert!(!volume.0.join(Volume::kept(Role::Copy).path()).exists());
}

#[test]
fn a_switch_that_was_killed_between_its_renames_is_finished() {
    let volume = Volume::new("killed");
    let copied = volume.copy();
    fs::write(volume.path("new"), b"failed").unwrap();
    let (live, copy) = (volume.0.join("_data"), volume.0.join(Volume::kept(Role::Copy).path()));
    // The exchange is done, the failed content has the copy's name.
    rustix::fs::renameat_with(CWD, &copy, CWD, &live, rustix::fs::RenameFlags::EXCHANGE).unwrap();
    assert_eq!(volume.switch(&Volume::request(&copied)).outcome, Outcome::Switched);
    let failed = volume.0.join(Volume::kept(Role::Failed).path());
    assert!(failed.join("new").exists() && !volume.path("new").exists() && !copy.exists());
    // On a file system without exchange: nothing is live.
    fs::rename(&live, &copy).unwrap();
    copy_folder::mark(&volume.0, &Volume::kept(Role::Copy)).unwrap();
    assert_eq!(volume.switch(&Volume::request(&copied)).outcome, Outcome::Switched);
    assert!(volume.path("same").exists() && failed.join("new").exists());
}

#[test]
fn nothing_is_switched_where_nothing_was_written_or_where_the_copy_was_changed() {
    let volume = Volume::new("unchanged");
    let copied = volume.copy();
    let request = Volume::request(&copied);
    for _ in 0..2 {
        assert_eq!(volume.switch(&request).outcome, Outcome::Unchanged);
    }
    let request = Volume::request(&volume.copy());
    fs::write(volume.path("new"), b"failed").unwrap();
    fs::write(volume.0.join(Volume::kept(Role::Copy).path()).join("same"), b"changed").unwrap();
    assert_eq!(volume.switch(&request).outcome, Outcome::Stale);
    assert!(volume.path("new").exists());
}

#[test]
fn only_what_carries_the_very_mark_is_removed_and_a_partial_copy_is_made_again() {
    let volume = Volume::new("remove");
    let kept = Volume::kept(Role::Copy);
    let partial = copy_folder::partial(&volume.0, &kept);
    copy_folder::mark(&volume.0, &kept).unwrap();
    fs::create_dir_all(partial.join("left by a killed copy")).unwrap();
    let copied = volume.copy();
    assert!(!copied.tree.entries.contains_key("left by a killed copy") && !partial.exists());
    let found = copy_folder::probe(&volume.0, "_data").unwrap();
    assert_eq!(found.kept, std::slice::from_ref(&kept));
    assert!(found.free > 0 && found.rate > 0 && found.bytes < 1 << 20, "{found:?}");
    let other = CopyRecord { state: "bb".into(), ..kept.clone() };
    assert!(copy_folder::remove(&volume.0, &other).unwrap_err().to_string().contains("not as this run's"));
    copy_folder::remove(&volume.0, &kept).unwrap();
    copy_folder::remove(&volume.0, &kept).unwrap();
    assert_eq!(copy_folder::probe(&volume.0, "_data").unwrap().kept, []);
}

#[test]
fn the_libraries_of_a_program_are_those_that_are_mapped() {
    let maps = "5563-5564 r-xp 00000000 fe:00 1 /opt/with space/gate\n\
        7f01-7f02 r--p 00000000 fe:00 2 /usr/lib/libc.so.6\n7f02-7f03 r-xp 00001000 fe:00 2 /usr/lib/libc.so.6\n\
        7f04-7f05 r-xp 00000000 fe:00 3 /usr/lib/ld-linux-x86-64.so.2\n7f06-7f07 r-xp 00000000 00:00 0 [vdso]\n";
    let program = mapped(Path::new("/opt/with space/gate"), maps);
    assert_eq!(program.loader, Some(PathBuf::from("/usr/lib/ld-linux-x86-64.so.2")));
    assert_eq!(program.libraries, [PathBuf::from("/usr/lib/libc.so.6")]);
}

#[test]
fn what_is_imported_from_another_folder_is_whole_and_the_source_gets_nothing() {
    let (source, target) = (Volume::new("import-from"), Volume::new("import-to"));
    fs::write(source.path("inner/two"), b"second").unwrap();
    let copied = copying::import(&target.0, &source.0.join("_data"), &Volume::kept(Role::Synced)).unwrap();
    let live = tree::read(&source.0.join("_data"), true).unwrap();
    assert_eq!(differences(&live, &copied.tree), [] as [String; 0]);
    assert!(copied.tree.entries.contains_key("inner/two") && !source.0.join(".stagegate").exists());
    assert!(!target.path("inner/two").exists(), "nothing was switched yet");
}

#[test]
fn a_source_that_is_always_written_is_refused_and_no_part_of_it_stays() {
    let (source, target) = (Volume::new("import-written"), Volume::new("import-none"));
    let mut writes = 0_u64;
    let imported = copying::import_while(&target.0, &source.0.join("_data"), &Volume::kept(Role::Synced), &mut || {
        writes += 1;
        fs::write(source.path("grows"), writes.to_string()).unwrap();
    });
    let error = imported.unwrap_err().to_string();
    assert_eq!(writes, 5);
    assert!(error.contains("was changed each of the 5 times"), "{error}");
    let left = fs::read_dir(target.0.join(".stagegate")).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).filter(|name| name != ".gitignore").collect();
    assert!(left.is_empty(), "{left:?}");
}
