//! Which logs and records of checks go, with the reason of each.
//!
//! Files of one kind are a group: the logs of one task, the records of checks. Never removed: the newest file of a group,
//! what was written within the last day, and nothing at all where the clock was set back.

use std::collections::BTreeMap;

use stagegate_base::units::Size;

use crate::backup::{retention::minute, schedule::length};

const DAY: i64 = 24 * 3_600;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its path, or another name that is its own.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Its size.
    pub bytes: u64,
    /// When it was last written, in seconds since 1970.
    pub written: i64,
}

/// How long files stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What was written longer ago goes; in seconds, 0 is never.
    pub keep: i64,
    /// So many bytes of all files stay; 0 is any number.
    pub max_bytes: u64,
}

/// A file that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Why.
    pub reason: String,
}

/// Returns the files that go, the oldest first.
#[must_use]
pub fn removals(files: &[LogFile], bounds: Bounds, now: i64) -> Vec<Removal> {
    let mut newest: BTreeMap<&str, &LogFile> = BTreeMap::new();
    for file in files {
        let one = newest.entry(&file.group).or_insert(file);
        if (file.written, &file.name) > (one.written, &one.name) {
            *one = file;
        }
    }
    if newest.values().any(|file| file.written > now + DAY) {
        return Vec::new();
    }
    let may_go = |file: &&LogFile| now - file.written >= DAY && newest.get(file.group.as_str()) != Some(file);
    let mut candidates: Vec<&LogFile> = files.iter().filter(may_go).collect();
    candidates.sort_by_key(|file| (file.written, &file.name));
    let all: u64 = files.iter().map(|file| file.bytes).sum();
    let mut left = all;
    let mut removals = Vec::new();
    for file in candidates {
        let reason = if bounds.keep > 0 && now - file.written > bounds.keep {
            let (written, age) = (minute(file.written), length(now - file.written));
            format!("last written {written}, {age} ago; kept for {}", length(bounds.keep))
        } else if bounds.max_bytes > 0 && left > bounds.max_bytes {
            format!("{} in all, {} allowed: the oldest is removed first", Size(all), Size(bounds.max_bytes))
        } else {
            continue;
        };
        left -= file.bytes;
        removals.push(Removal { name: file.name.clone(), bytes: file.bytes, reason });
    }
    removals
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const BOUNDS: Bounds = Bounds { keep: 90 * DAY, max_bytes: 1_000 };

    fn file(name: &str, group: &str, bytes: u64, days: i64) -> LogFile {
        LogFile { name: name.to_owned(), group: group.to_owned(), bytes, written: NOW - days * DAY }
    }

    fn names(files: &[LogFile], bounds: Bounds) -> Vec<String> {
        removals(files, bounds, NOW).into_iter().map(|one| one.name).collect()
    }

    #[test]
    fn what_is_too_old_goes_and_what_is_too_much_from_the_oldest_on() {
        let old = [file("a", "deploy", 10, 120), file("b", "deploy", 10, 91), file("c", "deploy", 10, 89)];
        assert_eq!(names(&old, BOUNDS), ["a", "b"]);
        let reasons: Vec<String> = removals(&old, BOUNDS, NOW).into_iter().map(|one| one.reason).collect();
        assert_eq!(reasons[0], "last written 2026-09-17 08:00 UTC, 120 d ago; kept for 90 d");
        let much = [file("a", "deploy", 600, 3), file("b", "deploy", 600, 2), file("c", "deploy", 600, 1)];
        assert_eq!(names(&much, BOUNDS), ["a", "b"]);
        let reasons: Vec<String> = removals(&much, BOUNDS, NOW).into_iter().map(|one| one.reason).collect();
        assert_eq!(reasons[1], "1.8 KiB in all, 1000 B allowed: the oldest is removed first");
        assert_eq!(names(&much, Bounds { max_bytes: 0, ..BOUNDS }), [] as [&str; 0]);
        assert_eq!(names(&old, Bounds { keep: 0, ..BOUNDS }), [] as [&str; 0]);
    }

    #[test]
    fn the_newest_of_a_group_stays_however_old_and_so_does_what_is_being_written() {
        let files = [file("a", "rollback", 5_000, 400), file("b", "deploy", 5_000, 0), file("c", "deploy", 5_000, 0)];
        assert_eq!(names(&files, BOUNDS), [] as [&str; 0]);
    }

    #[test]
    fn nothing_goes_where_the_clock_was_set_back() {
        let files = [file("a", "deploy", 10, 400), file("b", "deploy", 10, -2)];
        assert_eq!(names(&files, BOUNDS), [] as [&str; 0]);
    }

    fn any_files() -> impl Strategy<Value = Vec<LogFile>> {
        let one = (0_usize..4, 0_u64..2_000, 0_i64..200 * DAY);
        prop::collection::vec(one, 0..40).prop_map(|all| {
            let one = |(number, (group, bytes, age)): (usize, (usize, u64, i64))| LogFile {
                name: format!("{number:02}"),
                group: group.to_string(),
                bytes,
                written: NOW - age,
            };
            all.into_iter().enumerate().map(one).collect()
        })
    }

    proptest! {
        #[test]
        fn what_stays_is_within_the_bounds_or_must_stay(
            files in any_files(), keep in 0_i64..200 * DAY, max_bytes in 0_u64..20_000,
        ) {
            let gone = names(&files, Bounds { keep, max_bytes });
            let left: Vec<&LogFile> = files.iter().filter(|file| !gone.contains(&file.name)).collect();
            let is_newest = |file: &LogFile| {
                files.iter().all(|one| one.group != file.group || (one.written, &one.name) <= (file.written, &file.name))
            };
            let must_stay = |file: &LogFile| is_newest(file) || NOW - file.written < DAY;
            prop_assert!(files.iter().filter(|file| must_stay(file)).all(|file| !gone.contains(&file.name)));
            let bytes: u64 = left.iter().map(|file| file.bytes).sum();
            prop_assert!(max_bytes == 0 || bytes <= max_bytes || left.iter().all(|file| must_stay(file)));
            let is_old = |file: &LogFile| keep > 0 && NOW - file.written > keep;
            prop_assert!(left.iter().all(|file| !is_old(file) || must_stay(file)));
        }
    }
}
