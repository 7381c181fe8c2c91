//! What a place off this host holds: which backups are whole, which are being removed, which are parts of uploads.
//!
//! A backup is `<id>/<file>` for each of its files. Its manifest is written last and removed first, and a marker is written
//! before anything is removed: what has no manifest, or has the marker, is no backup.

use std::collections::BTreeMap;

use super::{MANIFEST, Manifest, SUMS, is_id, is_plain};

/// The marker of a removal.
pub const REMOVED: &str = "REMOVED";
/// How long a part without a manifest stays: another host may be writing it.
pub const PART_STAYS: i64 = 7 * 24 * 3_600;

/// An object, its name being relative to the place of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// `<id>/<file>`.
    pub name: String,
    /// Bytes.
    pub bytes: u64,
    /// When it was written, in seconds since 1970.
    pub written: i64,
}

/// The files that are there of one id, with their bytes.
pub type Files = BTreeMap<String, u64>;

/// What a place holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Backups with their files.
    pub backups: BTreeMap<String, Files>,
    /// What is left of those that were being removed.
    pub removed: BTreeMap<String, Files>,
    /// What uploads left that nobody goes on with.
    pub abandoned: BTreeMap<String, Files>,
}

/// Sorts the objects of a place; what is not of gate is left out. A folder is of gate by its name, which is an id
/// ([`is_id`]): what else lies there is the user's, and would be taken for a part of an upload.
#[must_use]
pub fn contents(objects: &[Object], now: i64) -> Contents {
    let mut all: BTreeMap<&str, (Files, i64)> = BTreeMap::new();
    for object in objects {
        let Some((id, file)) = object.name.split_once('/') else { continue };
        if is_id(id) && is_plain(file) {
            let (files, newest) = all.entry(id).or_insert((Files::new(), i64::MIN));
            files.insert(file.to_owned(), object.bytes);
            *newest = object.written.max(*newest);
        }
    }
    let mut contents = Contents::default();
    for (id, (files, newest)) in all {
        let place = if files.contains_key(REMOVED) {
            &mut contents.removed
        } else if files.contains_key(MANIFEST) {
            &mut contents.backups
        } else if now - newest > PART_STAYS {
            &mut contents.abandoned
        } else {
            continue;
        };
        place.insert(id.to_owned(), files);
    }
    contents
}

/// A line that a `list` program must not print.
#[derive(Debug, thiserror::Error)]
#[error("expected lines `BYTES SECONDS NAME`, found {line:?}")]
pub struct ListError {
    line: String,
}

/// Reads what the `list` program of a place prints: a line `BYTES SECONDS NAME` for each object, SECONDS being the time when it was
/// written, since 1970. NAME is `<project>/<id>/<file>`; other projects' objects are left out, and so are names that are none of
/// gate's: they would become arguments of the other programs.
///
/// # Errors
/// [`ListError`] with the line that is none.
pub fn listed_by_program(text: &str, project: &str) -> Result<Vec<Object>, ListError> {
    let mut objects = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.trim().splitn(3, ' ');
        let number = |word: Option<&str>| word?.split('.').next()?.parse::<i64>().ok();
        let (bytes, written, name) = (number(words.next()), number(words.next()), words.next().map(str::trim));
        let (Some(bytes), Some(written), Some(name)) = (bytes.and_then(|n| u64::try_from(n).ok()), written, name)
        else {
            return Err(ListError { line: line.to_owned() });
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        let of_project = name.trim_start_matches("./").strip_prefix(project).and_then(|rest| rest.strip_prefix('/'));
        if let Some(name) = of_project.filter(|name| name.chars().all(plain)) {
            objects.push(Object { name: name.to_owned(), bytes, written });
        }
    }
    Ok(objects)
}

/// Returns what is missing of a backup, or has another size, by the list alone.
#[must_use]
pub fn missing(manifest: &Manifest, files: &Files) -> Vec<String> {
    let wrong = |(file, _, bytes): (&str, &str, u64)| match files.get(file) {
        None => Some(format!("{file} is missing")),
        Some(found) if *found != bytes => Some(format!("{file}: expected {bytes} bytes, found {found}")),
        Some(_) => None,
    };
    let sums = (!files.contains_key(SUMS)).then(|| format!("{SUMS} is missing"));
    manifest.checksums().filter_map(wrong).chain(sums).collect()
}

/// Returns the order in which the files of a backup are removed: at each moment what is left is no backup, or marked.
#[must_use]
pub fn removal(files: &Files) -> Vec<&str> {
    let rest = files.keys().map(String::as_str).filter(|file| *file != MANIFEST && *file != REMOVED);
    std::iter::once(MANIFEST).chain(rest).chain([REMOVED]).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::retention::{Listed, Policy, decide},
        *,
    };

    const NOW: i64 = 1_767_225_600;
    const BEGIN: &str = "20260101-000000-000";

    /// Makes objects; `a/..` stands for the backup of that last digit.
    fn objects(names: &[&str], written: i64) -> Vec<Object> {
        let name = |name: &str| match name.split_once('/') {
            Some((id, file)) if id.len() == 1 => format!("{BEGIN}{id}/{file}"),
            _ => name.to_owned(),
        };
        names.iter().map(|one| Object { name: name(one), bytes: 1, written }).collect()
    }

    fn ids(of: &BTreeMap<String, Files>) -> Vec<&str> {
        of.keys().map(|id| id.strip_prefix(BEGIN).unwrap_or(id)).collect()
    }

    #[test]
    fn only_what_has_a_manifest_and_no_marker_is_a_backup() {
        let mut all = objects(&["a/main.dump", "a/manifest.json", "b/main.dump", "c/manifest.json", "c/REMOVED"], NOW);
        all.extend(objects(&["d/main.dump"], NOW - PART_STAYS - 1));
        all.extend(objects(&["readme.txt", "e/../manifest.json", ".f/manifest.json", "f/h/manifest.json"], NOW));
        let found = contents(&all, NOW);
        assert_eq!(
            (ids(&found.backups), ids(&found.removed), ids(&found.abandoned)),
            (vec!["a"], vec!["c"], vec!["d"])
        );
    }

    #[test]
    fn the_list_of_a_program_is_read_and_what_is_no_name_of_gate_is_left_out() {
        let text = "12 1767225600.5000000000 shop/20260101-000000-0001/manifest.json\n0 1 ./shop/x/y\n\n\
                    5 1 other/x/y\n5 1 shopping/x/y\n7 1 shop/x/a b\n7 1 shop/x/$(touch z)\n";
        let found = listed_by_program(text, "shop").unwrap();
        let want = [("20260101-000000-0001/manifest.json", 12, 1_767_225_600), ("x/y", 0, 1)];
        assert_eq!(found, want.map(|(name, bytes, written)| Object { name: name.to_owned(), bytes, written }));
        for wrong in ["total 3", "-1 1 shop/x/y", "1 then shop/x/y", "1 1"] {
            assert!(listed_by_program(wrong, "shop").unwrap_err().to_string().contains(wrong));
        }
    }

    /// A bucket may hold other things of the user's, also where the backups of a project lie.
    #[test]
    fn what_gate_did_not_write_is_never_removed() {
        let names = ["uploads/photo.jpg", "uploads/manifest.json", "uploads/REMOVED", "20260101/a.csv", "2026-01-01/a"];
        for written in [0, NOW - PART_STAYS - 1, NOW] {
            assert_eq!(contents(&objects(&names, written), NOW), Contents::default());
        }
        let ids = ["20260101-000000-00ff", "20260101-000000-1234abcd"];
        assert!(ids.into_iter().all(is_id));
        let others =
            ["", "a", "20260101-000000", "20260101-000000-00fg", "2026010-000000-00ff", "20260101-000000-00ff-a"];
        assert!(!others.into_iter().any(is_id));
    }

    #[test]
    fn a_part_that_grew_lately_is_left_alone() {
        let mut all = objects(&["a/main.dump"], NOW - PART_STAYS - 1);
        all.extend(objects(&["a/config-0"], NOW - 60));
        assert_eq!(contents(&all, NOW), Contents::default());
    }

    #[test]
    fn a_removal_that_is_cut_anywhere_leaves_no_backup() {
        let files: Files = ["main.dump", MANIFEST, SUMS, REMOVED].map(|file| (file.to_owned(), 1)).into();
        let order = removal(&files);
        for done in 0..order.len() {
            let left: Vec<String> = order[done..].iter().map(|file| format!("a/{file}")).collect();
            let left: Vec<&str> = left.iter().map(String::as_str).collect();
            let found = contents(&objects(&left, NOW), NOW);
            assert!(found.backups.is_empty() && ids(&found.removed) == ["a"], "{left:?}");
        }
    }

    /// A generator of numbers that are the same in each run.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % limit
        }

        fn seconds(&mut self, limit: i64) -> i64 {
            i64::try_from(self.below(limit.unsigned_abs())).unwrap()
        }
    }

    const FILES: [&str; 4] = ["main.dump", "config-0", SUMS, MANIFEST];

    /// A place as it is seen by several hosts: uploads, removals, each of which a crash may cut, and a clock that jumps.
    #[derive(Default)]
    struct World {
        objects: BTreeMap<String, i64>,
        listed: BTreeMap<String, Listed>,
        removed: usize,
        cut: usize,
    }

    impl World {
        fn contents(&self, now: i64) -> Contents {
            let object = |(name, written): (&String, &i64)| Object { name: name.clone(), bytes: 1, written: *written };
            contents(&self.objects.iter().map(object).collect::<Vec<_>>(), now)
        }

        /// Writes the files of a backup in their order, or the first of them.
        fn upload(&mut self, one: &Listed, now: i64, random: &mut Random) {
            let done = if random.below(4) == 0 { random.below(4) as usize } else { FILES.len() };
            for file in &FILES[..done] {
                self.objects.insert(format!("{}/{file}", one.id), now);
            }
            self.cut += usize::from(done < FILES.len());
            if done == FILES.len() {
                self.listed.insert(one.id.clone(), one.clone());
            }
        }

        fn remove(&mut self, id: &str, files: &Files, now: i64, random: &mut Random) {
            self.objects.insert(format!("{id}/{REMOVED}"), now);
            let order = removal(files);
            let done = if random.below(4) == 0 { random.below(order.len() as u64) as usize } else { order.len() };
            for file in &order[..done] {
                self.objects.remove(&format!("{id}/{file}"));
            }
            self.cut += usize::from(done < order.len());
        }

        fn prune(&mut self, policy: &Policy, now: i64, random: &mut Random) {
            let found = self.contents(now);
            for (id, files) in found.removed.iter().chain(&found.abandoned) {
                self.remove(id, files, now, random);
            }
            let all: Vec<Listed> = found.backups.keys().map(|id| self.listed[id].clone()).collect();
            for gone in decide(&all, policy, now).into_iter().filter(|one| !one.keep) {
                self.remove(&gone.id, &found.backups[&gone.id], now, random);
                self.removed += 1;
            }
        }

        /// The newest verified one that was ever there whole is there whole.
        fn holds(&self, now: i64, seed: u64) {
            let found = self.contents(now);
            for group in ["database a", "database b"] {
                let of = self.listed.values().filter(|one| one.verified && one.groups.iter().any(|name| name == group));
                if let Some(newest) = of.max_by_key(|one| (one.taken, one.id.clone())) {
                    let files = found.backups.get(&newest.id);
                    let is_whole = files.is_some_and(|files| FILES.iter().all(|file| files.contains_key(*file)));
                    assert!(is_whole, "seed {seed}: {} of {group} is lost", newest.id);
                }
            }
        }
    }

    fn history(seed: u64) -> World {
        let (mut random, mut world, mut now) = (Random(seed), World::default(), NOW);
        let policy =
            Policy { keep_last: 1, hourly: 0, daily: random.below(3) as u32, weekly: 0, monthly: 0, min_keep: 1 };
        for number in 0..24 {
            now += random.seconds(9 * 3_600);
            match random.below(8) {
                0..=3 => {
                    let groups = [vec!["database a"], vec!["database b"], vec!["database a", "database b"]];
                    let one = Listed {
                        id: format!("20260101-000000-{number:04x}"),
                        taken: now,
                        groups: groups[random.below(3) as usize].iter().map(|name| (*name).to_owned()).collect(),
                        verified: random.below(8) > 0,
                        pinned: false,
                        in_use: None,
                    };
                    world.upload(&one, now, &mut random);
                }
                4 => now -= random.seconds(40 * 24 * 3_600),
                5 => now += random.seconds(40 * 24 * 3_600),
                _ => world.prune(&policy, now, &mut random),
            }
            world.holds(now, seed);
        }
        world
    }

    #[test]
    fn in_10_000_histories_of_cut_uploads_and_removals_the_newest_verified_copy_is_never_lost() {
        let (mut removed, mut cut) = (0, 0);
        for seed in 20_260_101..20_270_101 {
            let world = history(seed);
            removed += world.removed;
            cut += world.cut;
        }
        // Without faults and removals the property would hold by itself.
        assert!(removed > 10_000 && cut > 10_000, "only {removed} were removed and {cut} cut");
    }
}
