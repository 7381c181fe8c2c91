//! Puts a copy in the place of the live folder: one rename that exchanges both.
//!
//! Which of the two is live is known by the inode, so that a switch that was killed anywhere is finished by doing it again.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Instant,
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use stagegate_data_decide::volume::{Outcome, SwitchRequest, Switched, Tree};

use super::{at, copy_folder, errno, tree};

/// Exchanges the live folder with another one.
pub(super) fn switch(folder: &Path, wanted: &SwitchRequest) -> io::Result<Switched> {
    let begun = Instant::now();
    let (live, with) = (folder.join(&wanted.live), folder.join(wanted.with.path()));
    let aside = folder.join(wanted.aside.path());
    let ended = |outcome| {
        let seconds = begun.elapsed().as_secs_f64();
        Ok(Switched { outcome, seconds, kept: false, tree: Tree::default() })
    };
    if inode(&live)? != Some(wanted.root) {
        let is_there = inode(&live)?.is_some();
        if is_there && wanted.unchanged.is_some() && Some(tree::stamp(&tree::walk(&live)?)) == wanted.unchanged {
            copy_folder::remove(folder, &wanted.with)?;
            return ended(Outcome::Unchanged);
        }
        if inode(&with)? != Some(wanted.root) {
            let text = format!("neither {} nor {} is the copy that was made", live.display(), with.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        if let Some(stamp) = &wanted.stamp
            && tree::stamp(&tree::walk(&with)?) != *stamp
        {
            return ended(Outcome::Stale);
        }
        copy_folder::mark(folder, &wanted.aside)?;
        exchange(&live, &with, &aside)?;
    }
    // The name under which the earlier content is kept: it has that of the copy where the exchange was one call.
    if with.symlink_metadata().is_ok() {
        copy_folder::mark(folder, &wanted.aside)?;
        fs::rename(&with, &aside).map_err(at(&aside))?;
    }
    copy_folder::remove(folder, &wanted.with)?;
    copy_folder::sync(folder)?;
    let seconds = begun.elapsed().as_secs_f64();
    let kept = aside.symlink_metadata().is_ok();
    Ok(Switched { outcome: Outcome::Switched, seconds, kept, tree: tree::read(&live, wanted.contents)? })
}

fn exchange(live: &Path, with: &PathBuf, aside: &Path) -> io::Result<()> {
    if live.symlink_metadata().is_err() {
        return fs::rename(with, live).map_err(at(live));
    }
    match renameat_with(CWD, with, CWD, live, RenameFlags::EXCHANGE) {
        // A file system that knows no exchange: two renames. A kill between them leaves no live folder, which the next
        // try finds.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            fs::rename(live, aside).map_err(at(aside))?;
            fs::rename(with, live).map_err(at(live))
        }
        done => done.map_err(errno(live)),
    }
}

fn inode(path: &Path) -> io::Result<Option<u64>> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(Some(meta.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path)(error)),
    }
}
