//! A plan as a file: what it is made of, what proves that it is whole, and what has moved since it was made.
//!
//! No clock, no I/O. A hash proves only that nothing was damaged; who made a file is reported by its owner on the disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use stagegate_base::config::Approval;

use super::{
    Plan,
    plan_origin::{Signed, short},
};

/// The format of plan files and approvals that is written and read.
pub const PLAN_FORMAT: u32 = 1;
/// How many differences are named.
const NAMED: usize = 8;

/// What a plan was made of, in addition what it holds itself. All are SHA-256, hex; those of files that may hold secrets are
/// keyed with a value that stays on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// The configuration file.
    pub configuration: String,
    /// The target's env files, by path.
    pub env_files: BTreeMap<String, String>,
    /// The schemas of the target's databases, by id.
    pub schemas: BTreeMap<String, String>,
}

/// A plan that was written to be applied later. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// The format, [`PLAN_FORMAT`].
    pub format: u32,
    /// Who made it.
    pub made: Signed,
    /// Until when it may be applied, RFC 3339.
    pub expires: String,
    /// The approval that the target needed when it was made.
    pub approval: Approval,
    /// What it was made of.
    pub basis: Basis,
    /// The plan.
    pub plan: Plan,
    /// SHA-256 (hex) of all the rest.
    pub hash: String,
}

/// A user's approval of one plan file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalFile {
    /// The format, [`PLAN_FORMAT`].
    pub format: u32,
    /// The hash of the plan file.
    pub plan: String,
    /// Who approved it.
    pub approved: Signed,
    /// Until when it counts, RFC 3339.
    pub expires: String,
}

/// Why the text of a plan file or an approval is not used.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It is no such file.
    #[error("it is not a file that gate wrote")]
    Text(#[source] serde_json::Error),
    /// Another version wrote it.
    #[error(
        "it has format {found}, and this version of gate reads format {PLAN_FORMAT}; use the version that wrote it"
    )]
    Format {
        /// The format found.
        found: u32,
    },
    /// It holds what gate does not write.
    #[error("it was edited after it was written; make a new plan")]
    Edited,
    /// It was changed.
    #[error("it was changed after it was written: expected hash {expected}, found {found}; make a new plan")]
    Changed {
        /// The hash that it carries.
        expected: String,
        /// The hash of what it holds.
        found: String,
    },
}

/// Reads the format before anything else: a later one may hold other fields.
fn read<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, PlanFileError> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let found = serde_json::from_slice::<Format>(text).map_err(PlanFileError::Text)?.format;
    if found != PLAN_FORMAT {
        return Err(PlanFileError::Format { found });
    }
    serde_json::from_slice(text).map_err(PlanFileError::Text)
}

impl PlanFile {
    /// Returns the file's text, with the hash of what it holds.
    ///
    /// # Errors
    /// None that a plan of ours can cause; the type is JSON's.
    pub fn text(mut self) -> Result<String, serde_json::Error> {
        self.hash = self.computed()?;
        Ok(serde_json::to_string_pretty(&self)? + "\n")
    }

    /// Reads a plan file's text.
    ///
    /// # Errors
    /// [`PlanFileError`] where it is another file, or was changed.
    pub fn read(text: &[u8]) -> Result<Self, PlanFileError> {
        let file: PlanFile = read(text)?;
        let found = file.computed().map_err(PlanFileError::Text)?;
        if found != file.hash {
            return Err(PlanFileError::Changed { expected: file.hash, found });
        }
        // A field that gate does not know, or a default that is left out, has the same hash.
        let written = file.clone().text().map_err(PlanFileError::Text)?;
        if written.as_bytes() == text { Ok(file) } else { Err(PlanFileError::Edited) }
    }

    fn computed(&self) -> Result<String, serde_json::Error> {
        let bare = PlanFile { hash: String::new(), ..self.clone() };
        let digest = Sha256::digest(serde_json::to_vec(&bare)?);
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Returns what has moved since the plan was made: its field, what the file expects, what was found now.
    ///
    /// The run's id and what follows from it, sizes of databases and volumes, and names of commits are no difference.
    #[must_use]
    pub fn moved(&self, now: &Plan, basis: &Basis) -> Vec<String> {
        let mut moved = Vec::new();
        differences("", &comparable(&self.plan, &self.plan), &comparable(now, &self.plan), &mut moved);
        let value = |basis: &Basis| serde_json::to_value(basis).unwrap_or_default();
        differences("", &value(&self.basis), &value(basis), &mut moved);
        let more = moved.len().saturating_sub(NAMED);
        moved.truncate(NAMED);
        if more > 0 {
            moved.push(format!("and {more} more"));
        }
        moved
    }
}

impl ApprovalFile {
    /// Reads an approval's text.
    ///
    /// # Errors
    /// [`PlanFileError`] where it is another file.
    pub fn read(text: &[u8]) -> Result<Self, PlanFileError> {
        read(text)
    }
}

/// Returns why an approval does not let a plan through. `uid` is the approval's owner on the disk, `now` in seconds since
/// 1970, `expires` its end likewise.
#[must_use]
pub fn refuses_approval(
    plan: &PlanFile,
    policy: Approval,
    approval: &ApprovalFile,
    uid: u32,
    (now, expires): (i64, Option<i64>),
) -> Option<String> {
    let (by, maker) = (&approval.approved, &plan.made);
    if approval.plan != plan.hash {
        let (expected, found) = (short(&plan.hash), short(&approval.plan));
        return Some(format!("it approves another plan: expected {expected}, found {found}"));
    }
    if by.uid != uid {
        return Some(format!(
            "it names {} (uid {}) and belongs to uid {uid}: it was not written by its approver",
            by.by, by.uid
        ));
    }
    if expires.is_none_or(|expires| expires <= now) {
        return Some(format!("it expired at {}", approval.expires));
    }
    (policy != Approval::OwnAllowed && by.uid == maker.uid).then(|| {
        format!("{} (uid {}) made the plan and approved it; expected another user of this host", by.by, by.uid)
    })
}

/// Returns a plan as what has to be the same when it is applied.
fn comparable(plan: &Plan, wanted: &Plan) -> Value {
    let mut same = plan.clone();
    for (release, wanted) in [(&mut same.release, &wanted.release), (&mut same.previous, &wanted.previous)] {
        if release.commit == wanted.commit {
            release.name.clone_from(&wanted.name);
        }
    }
    let mut value = serde_json::to_value(&same).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        for field in ["run", "tag", "file"] {
            fields.remove(field);
        }
    }
    for list in ["databases", "volumes"] {
        for one in value.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(fields) = one.as_object_mut() {
                // What users write meanwhile makes it bigger, and a copy slower.
                fields.retain(|field, _| !["size", "entries", "expected"].contains(&field.as_str()));
            }
        }
    }
    value
}

/// Adds the leaves in which two values differ.
fn differences(place: &str, expected: &Value, found: &Value, into: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let one = |of: &serde_json::Map<String, Value>| of.get(key).cloned().unwrap_or(Value::Null);
                differences(format!("{place} {}", label(key)).trim(), &one(a), &one(b), into);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                let name = ["service", "id"].iter().find_map(|key| a.get(key)?.as_str());
                let name = name.map_or_else(|| (at + 1).to_string(), str::to_owned);
                differences(&format!("{place} {name}"), a, b, into);
            }
        }
        (expected, found) if expected != found => {
            into.push(format!("{place}: expected {}, found {}", leaf(expected), leaf(found)));
        }
        _ => {}
    }
}

/// Returns a field of the plan in the words of whoever reads the refusal.
fn label(key: &str) -> String {
    match key {
        "previous" => "live release of the target".to_owned(),
        "services" => "images".to_owned(),
        "schemas" => "schema of database".to_owned(),
        "configuration" => "configuration file".to_owned(),
        "env_files" => "env file".to_owned(),
        other => other.replace('_', " "),
    }
}

fn leaf(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => short(text).to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promotion::{Kind, ServiceChange, tests::plan};

    fn file() -> PlanFile {
        let change =
            ServiceChange { service: "web".into(), from: None, to: Some(format!("sha256:{}", "a".repeat(64))) };
        let plan = Plan { services: vec![change], ..plan(Kind::Promote) };
        let made = Signed { by: "ada".into(), uid: 1000, at: "2026-01-02T03:04:05Z".into() };
        let basis = Basis {
            configuration: "c".repeat(64),
            env_files: BTreeMap::from([("/srv/.env".to_owned(), "e".repeat(64))]),
            schemas: BTreeMap::from([("main".to_owned(), "5".repeat(64))]),
        };
        let expires = "2026-01-03T03:04:05Z".to_owned();
        let file =
            PlanFile { format: 1, made, expires, approval: Approval::Required, basis, plan, hash: String::new() };
        PlanFile::read(file.text().unwrap().as_bytes()).unwrap()
    }

    fn approval(plan: &PlanFile, uid: u32) -> ApprovalFile {
        let approved = Signed { by: "bob".into(), uid, at: "2026-01-02T04:00:00Z".into() };
        ApprovalFile { format: 1, plan: plan.hash.clone(), approved, expires: plan.expires.clone() }
    }

    #[test]
    fn every_changed_byte_of_a_plan_file_is_found() {
        let text = file().text().unwrap();
        let mut accepted = Vec::new();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            if PlanFile::read(&bytes).is_ok() {
                accepted.push(at);
            }
        }
        assert_eq!(accepted, Vec::<usize>::new());
    }

    #[test]
    fn a_later_format_is_reported_as_such() {
        let text = file().text().unwrap().replace("\"format\": 1", "\"format\": 2");
        assert!(matches!(PlanFile::read(text.as_bytes()), Err(PlanFileError::Format { found: 2 })));
    }

    #[test]
    fn what_another_run_only_calls_otherwise_has_not_moved() {
        let file = file();
        let mut now =
            Plan { run: "20260102-040000-0001".into(), tag: "rollback-20260102-040000".into(), ..file.plan.clone() };
        now.databases[0].size = stagegate_base::units::Size(7);
        now.volumes[0].size = stagegate_base::units::Size(7);
        now.volumes[0].entries += 1;
        now.release.name = "v2-0-gbbbb".into();
        assert_eq!(file.moved(&now, &file.basis), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_moved_is_named_with_what_was_expected_and_found() {
        let file = file();
        let of = |change: fn(&mut Plan, &mut Basis)| {
            let (mut now, mut basis) = (file.plan.clone(), file.basis.clone());
            change(&mut now, &mut basis);
            file.moved(&now, &basis).join("; ")
        };
        let release = of(|plan, _| plan.previous.commit = "c".repeat(40));
        assert_eq!(release, "live release of the target commit: expected aaaaaaaaaaaa, found cccccccccccc");
        let image = of(|plan, _| plan.services[0].to = Some(format!("sha256:{}", "b".repeat(64))));
        assert_eq!(image, "images web to: expected aaaaaaaaaaaa, found bbbbbbbbbbbb");
        let schema = of(|_, basis| drop(basis.schemas.insert("main".into(), "6".repeat(64))));
        assert_eq!(schema, "schema of database main: expected 555555555555, found 666666666666");
        let configuration = of(|_, basis| basis.configuration = "d".repeat(64));
        assert_eq!(configuration, "configuration file: expected cccccccccccc, found dddddddddddd");
        let env = of(|_, basis| basis.env_files.clear());
        assert_eq!(env, "env file /srv/.env: expected eeeeeeeeeeee, found nothing");
        assert_eq!(
            of(|plan, _| plan.freeze = vec!["api".into()]),
            "freeze: expected [\"web\",\"api\"], found [\"api\"]"
        );
        assert_eq!(of(|plan, _| plan.keep = 6), "keep: expected 5, found 6");
    }

    #[test]
    fn an_approval_counts_by_another_user_for_this_plan_and_in_time() {
        let file = file();
        let refused = |policy, uid, owner, now| {
            refuses_approval(&file, policy, &approval(&file, uid), owner, (now, Some(100))).unwrap_or_default()
        };
        assert_eq!(refused(Approval::Required, 1001, 1001, 99), "");
        assert!(refused(Approval::Required, 1001, 1001, 100).starts_with("it expired at"));
        assert!(refused(Approval::Required, 1000, 1000, 0).contains("expected another user"));
        assert_eq!(refused(Approval::OwnAllowed, 1000, 1000, 0), "");
        assert!(refused(Approval::Required, 1001, 1000, 0).contains("was not written by its approver"));
        let other = ApprovalFile { plan: "f".repeat(64), ..approval(&file, 1001) };
        let other = refuses_approval(&file, Approval::Required, &other, 1001, (0, Some(100)));
        assert!(other.unwrap().starts_with("it approves another plan"));
    }
}
