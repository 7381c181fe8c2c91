//! Which backups stay, and which may go, with the reason of each.
//!
//! Buckets are hours, days, ISO weeks and months in UTC; of a bucket within its rule's window the newest backup stays. A
//! window ends at the newest backup of the group, not at the present: where no backup was made for long, none goes for it.
//! A group is a database or a volume of an environment. Never removed: the newest verified one of a group, what `min_keep`
//! covers, what is pinned or in use; and nothing at all where the clock was set back.

use std::collections::{BTreeMap, BTreeSet};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// How many backups stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The newest ones.
    pub keep_last: usize,
    /// One of each hour, for so many hours.
    pub hourly: u32,
    /// One of each day, for so many days.
    pub daily: u32,
    /// One of each ISO week, for so many weeks.
    pub weekly: u32,
    /// One of each month, for so many months of 31 days.
    pub monthly: u32,
    /// So many verified ones stay whatever the rules say; at least 1.
    pub min_keep: usize,
}

/// One backup, as the rules see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// When it was taken, in seconds since 1970.
    pub taken: i64,
    /// Its groups: databases and volumes.
    pub groups: Vec<String>,
    /// It was proven, and nothing found it damaged since.
    pub verified: bool,
    /// Somebody pinned it.
    pub pinned: bool,
    /// What needs it now, such as a restore.
    pub in_use: Option<String>,
}

/// What becomes of one backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Its id.
    pub id: String,
    /// It stays.
    pub keep: bool,
    /// Why.
    pub reason: String,
}

/// A rule of buckets.
struct Rule {
    word: &'static str,
    window: i64,
    bucket: fn(i64) -> i64,
    name: fn(i64) -> String,
}

fn rules(policy: &Policy) -> [Rule; 4] {
    let span = |count: u32, length: i64| i64::from(count) * length;
    [
        Rule { word: "hourly", window: span(policy.hourly, HOUR), bucket: |t| t.div_euclid(HOUR), name: hour },
        Rule { word: "daily", window: span(policy.daily, DAY), bucket: |t| t.div_euclid(DAY), name: day },
        Rule {
            word: "weekly",
            window: span(policy.weekly, 7 * DAY),
            bucket: week,
            name: |t| format!("week of {}", day(monday(t))),
        },
        Rule {
            word: "monthly",
            window: span(policy.monthly, 31 * DAY),
            bucket: month,
            name: |t| day(t)[..7].to_owned(),
        },
    ]
}

/// Decides on each backup, the newest first. `now` is in seconds since 1970.
#[must_use]
pub fn decide(backups: &[Listed], policy: &Policy, now: i64) -> Vec<Decision> {
    let mut newest: Vec<&Listed> = backups.iter().collect();
    newest.sort_by(|a, b| (b.taken, &b.id).cmp(&(a.taken, &a.id)));
    let decision = |one: &Listed, keep, reason| Decision { id: one.id.clone(), keep, reason };
    if let Some(future) = newest.first().filter(|one| one.taken > now) {
        let reason = format!(
            "{} was taken at {}, later than the present time: the clock was set back, so nothing is removed",
            future.id,
            minute(future.taken)
        );
        return newest.iter().map(|one| decision(one, true, reason.clone())).collect();
    }
    let groups: BTreeSet<&String> = newest.iter().flat_map(|one| &one.groups).collect();
    let mut kept: BTreeMap<&str, String> = BTreeMap::new();
    for one in newest.iter() {
        let special = one.in_use.clone().or_else(|| one.pinned.then(|| "pinned".to_owned()));
        // What belongs to no group is nothing that a rule knows.
        let special = special.or_else(|| one.groups.is_empty().then(|| "it belongs to no database".to_owned()));
        special.map(|reason| kept.entry(&one.id).or_insert(reason));
    }
    for group in groups {
        let of_group: Vec<&Listed> = newest.iter().filter(|one| one.groups.contains(group)).copied().collect();
        for (id, reason) in of_one_group(group, &of_group, policy) {
            kept.entry(id).or_insert(reason);
        }
    }
    let one = |one: &&Listed| match kept.get(one.id.as_str()) {
        Some(reason) => decision(one, true, reason.clone()),
        None => decision(one, false, why_removed(one, &newest, policy)),
    };
    newest.iter().map(one).collect()
}

/// Returns what stays of one group, and why.
fn of_one_group<'a>(group: &str, newest: &[&'a Listed], policy: &Policy) -> Vec<(&'a str, String)> {
    let verified: Vec<&&Listed> = newest.iter().filter(|one| one.verified).collect();
    let mut kept: Vec<(&str, String)> = Vec::new();
    let Some(first) = verified.first() else {
        // Nothing better is there.
        return newest.iter().map(|one| (one.id.as_str(), format!("{group} has no verified backup"))).collect();
    };
    kept.push((&first.id, format!("newest verified backup of {group}")));
    let last = verified.iter().take(policy.keep_last);
    kept.extend(last.map(|one| (one.id.as_str(), format!("keep_last = {}", policy.keep_last))));
    for rule in rules(policy) {
        let mut seen = BTreeSet::new();
        for one in verified.iter().filter(|one| first.taken - one.taken < rule.window) {
            if seen.insert((rule.bucket)(one.taken)) {
                kept.push((&one.id, format!("{}: newest of {}", rule.word, (rule.name)(one.taken))));
            }
        }
    }
    let least = policy.min_keep.max(1);
    kept.extend(verified.iter().take(least).map(|one| (one.id.as_str(), format!("min_keep = {least}"))));
    // A damaged one tells something as long as nothing newer is known to be good.
    let unproven = newest.iter().filter(|one| !one.verified && one.taken > first.taken);
    kept.extend(unproven.map(|one| (one.id.as_str(), "newer than the newest verified backup".to_owned())));
    kept
}

fn why_removed(one: &Listed, newest: &[&Listed], policy: &Policy) -> String {
    if !one.verified {
        return "damaged, and a newer backup is verified".to_owned();
    }
    let newer = |rule: &Rule| {
        let same = |other: &&&Listed| {
            other.verified
                && (other.taken, &other.id) > (one.taken, &one.id)
                && (rule.bucket)(other.taken) == (rule.bucket)(one.taken)
                && one.groups.iter().all(|group| other.groups.contains(group))
        };
        newest.iter().rfind(same).map(|other| format!("{} has the newer {}", (rule.name)(one.taken), other.id))
    };
    let newest_taken = newest.first().map_or(one.taken, |first| first.taken);
    let within = |rule: &&Rule| newest_taken - one.taken < rule.window;
    let replaced = rules(policy).iter().rev().filter(within).find_map(newer);
    replaced.unwrap_or_else(|| "older than every rule's window".to_owned())
}

/// Returns the Monday 00:00 of a time's ISO week.
// 1970-01-01 was a Thursday.
fn monday(time: i64) -> i64 {
    week(time) * 7 * DAY - 3 * DAY
}

fn week(time: i64) -> i64 {
    (time.div_euclid(DAY) + 3).div_euclid(7)
}

fn month(time: i64) -> i64 {
    let (year, month, _) = civil(time.div_euclid(DAY));
    year * 12 + month
}

fn day(time: i64) -> String {
    let (year, month, day) = civil(time.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

fn hour(time: i64) -> String {
    format!("{} {:02}h", day(time), time.rem_euclid(DAY) / HOUR)
}

/// Writes a time in UTC, to the minute.
#[must_use]
pub fn minute(time: i64) -> String {
    let of_day = time.rem_euclid(DAY);
    format!("{} {:02}:{:02} UTC", day(time), of_day / HOUR, of_day % HOUR / 60)
}

/// Returns year, month and day of a number of days since 1970-01-01, in the Gregorian calendar.
// Source: the calendar repeats each 400 years = 146,097 days; a year that begins in March has its leap day at its end.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}
