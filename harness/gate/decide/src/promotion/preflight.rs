//! What must be so before a run may begin.

use stagegate_base::{text::counted, units::Size};

use super::Kind;

/// What has to stay free on a disk that volumes are copied on.
const RESERVE: u64 = 64 << 20;

/// The space on a file system that volumes are copied on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeSpace {
    /// The volumes, by the user's names.
    pub volumes: Vec<String>,
    /// Bytes that the copies take; 0 for those that share their blocks.
    pub needed: u64,
    /// Free bytes.
    pub free: u64,
    /// Whether it is where the Engine keeps volumes, so that copies of databases take space there, too.
    pub has_databases: bool,
}

/// What was found before a run begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The target's name.
    pub target: String,
    /// Uncommitted changes of the target's worktree, one a line.
    pub target_changes: Vec<String>,
    /// Uncommitted changes of the user's working copy, one a line.
    pub repository_changes: Vec<String>,
    /// The target's worktree is the user's own working copy.
    pub workdir_is_working_copy: bool,
    /// The commit that the source environment runs.
    pub source_runs: Option<String>,
    /// The commit to be promoted.
    pub release: String,
    /// What differs between the source's containers and what was deployed there.
    pub source_drift: Vec<String>,
    /// How the source's worktree differs from the release: another commit, uncommitted changes.
    pub source_worktree: Vec<String>,
    /// A run of the source that has not ended.
    pub source_unfinished: Option<String>,
    /// What differs between the target's containers and what was deployed there.
    pub target_drift: Vec<String>,
    /// Services of the target whose container does not run.
    pub target_down: Vec<String>,
    /// Images that a rollback needs and this host does not have.
    pub missing_images: Vec<String>,
    /// An earlier run that has not ended.
    pub unfinished_run: Option<String>,
    /// Free bytes where the Engine keeps volumes; `None` where that cannot be seen from here.
    pub free_volumes: Option<u64>,
    /// Free bytes where dumps are kept.
    pub free_state: u64,
    /// Bytes of all databases.
    pub databases: u64,
    /// By file system: the volumes there, the bytes that their copies take, and how much is free.
    pub volume_space: Vec<VolumeSpace>,
    /// Bytes of write-ahead logs.
    pub wal: u64,
    /// Databases that are there already under a name that the run would give.
    pub taken: Vec<String>,
    /// Two containers or anonymous volumes that hold data, and the like: reported as found.
    pub others: Vec<String>,
}

/// Returns why the run may not begin; empty where it may.
///
/// Free space must be 2.2 times the databases, and their write-ahead logs once: the copy, the dump and what the
/// migration writes. A server whose disk fills up while it restores stops and may not come back.
#[must_use]
pub fn refusals(kind: &Kind, facts: &Facts) -> Vec<String> {
    let mut refusals = facts.others.clone();
    if let Some(run) = &facts.unfinished_run {
        refusals.push(format!("run {run} is unfinished; finish it with `gate resume --env {}`", facts.target));
    }
    if facts.workdir_is_working_copy {
        refusals
            .push("the target's workdir is your own working copy; set a separate `workdir` for the environment".into());
    }
    changes(&mut refusals, "your working copy", &facts.repository_changes, "commit or stash them");
    changes(
        &mut refusals,
        "the target's worktree",
        &facts.target_changes,
        "gate checks out releases there: move the changes elsewhere",
    );
    if *kind == Kind::Promote {
        source(&mut refusals, facts);
    }
    refuse(&mut refusals, "the target has drifted from what was deployed", &facts.target_drift);
    refuse(&mut refusals, &format!("{} is not healthy", facts.target), &facts.target_down);
    for image in &facts.missing_images {
        refusals.push(format!(
            "image {image}, needed for rollback, is missing on this host, and no registry is known to have it; load it (`docker load`)"
        ));
    }
    for name in &facts.taken {
        refusals.push(format!(
            "database `{name}` already exists, and the run would create one of that name; rename it, or start again"
        ));
    }
    space(&mut refusals, facts);
    refusals
}

fn changes(refusals: &mut Vec<String>, place: &str, changes: &[String], way_out: &str) {
    if !changes.is_empty() {
        let shown: Vec<&str> = changes.iter().take(10).map(String::as_str).collect();
        refusals.push(format!(
            "{place} has {} ({}); {way_out}",
            counted(changes.len(), "uncommitted change"),
            shown.join(", ")
        ));
    }
}

fn refuse(refusals: &mut Vec<String>, what: &str, found: &[String]) {
    if !found.is_empty() {
        refusals.push(format!("{what}: {}", found.join("; ")));
    }
}

fn source(refusals: &mut Vec<String>, facts: &Facts) {
    let short = |commit: &str| commit.chars().take(10).collect::<String>();
    match &facts.source_runs {
        None => refusals
            .push("the source environment has no release deployed; deploy and test the release there first".into()),
        Some(running) if *running != facts.release => refusals.push(format!(
            "the source environment runs {}, not {}; only a release that was tested there can be promoted",
            short(running),
            short(&facts.release)
        )),
        Some(_) => {}
    }
    refuse(refusals, "the source has drifted from what was deployed", &facts.source_drift);
    refuse(refusals, "the source's files are not those of the release", &facts.source_worktree);
    if let Some(run) = &facts.source_unfinished {
        refusals.push(format!("run {run} of the source is unfinished; finish it with `gate resume` there"));
    }
}

fn space(refusals: &mut Vec<String>, facts: &Facts) {
    let needed = facts.databases.saturating_mul(11) / 5 + facts.wal;
    if let Some(free) = facts.free_volumes.filter(|free| *free < needed) {
        refusals.push(format!("the disk of Docker's volumes has {} free, but {} is needed", Size(free), Size(needed)));
    }
    for space in &facts.volume_space {
        // A disk that a copy fills up stops whatever else writes there.
        let margin = space.needed / 20 + RESERVE;
        let databases = if space.has_databases { needed } else { 0 };
        if space.needed > 0 && space.free < space.needed + margin + databases {
            refusals.push(format!(
                "the disk of volume {} has {} free, but {} is needed for a copy; free space, or set `rollback = false` in \
                 [volumes.{}]",
                space.volumes.join(", "),
                Size(space.free),
                Size(space.needed + margin + databases),
                space.volumes.first().map_or("", String::as_str)
            ));
        }
    }
    if facts.free_state < facts.databases {
        let (free, needed) = (Size(facts.free_state), Size(facts.databases));
        refusals.push(format!("the disk of the state folder has {free} free, but a dump needs up to {needed}"));
    }
}
