//! Evidence of how a run ended: an in-toto statement, in a DSSE envelope where it is signed, and the git tag with the journal's checksum.
//!
//! It is made of the journal and of what runs, and bound to the journal by its checksum. Signing is done elsewhere.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{AuditMark, End, Entry, Line, Plan, Step, StepReport, reason};

/// What a statement is.
// Source: in-toto attestation framework, spec/v1/statement.md.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What the predicate is, with its version.
pub const PREDICATE: &str = "https://github.com/stagegate/stagegate/promotion/v1";
/// What the payload of an envelope is.
// Source: in-toto attestation framework, spec/v1/envelope.md.
pub const PAYLOAD: &str = "application/vnd.in-toto+json";
/// How the tags of runs begin.
const TAG: &str = "stagegate-run-";
/// What stands before the 32 bytes of a public Ed25519 key in its DER form.
// Source: RFC 8410, section 4 and the example of 10.1.
const PUBLIC_KEY: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Evidence that is none, or not of this run.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// It is no JSON of the wanted form.
    #[error("it is not evidence that gate wrote")]
    Text(#[source] serde_json::Error),
    /// A part of it is not what it has to be.
    #[error("expected {what} {expected}, found {found}")]
    Differs {
        /// Which part.
        what: &'static str,
        /// What the journal has.
        expected: String,
        /// What the evidence has.
        found: String,
    },
}

/// A signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The key's id: [`key_id`].
    pub keyid: String,
    /// The signature, in Base64.
    pub sig: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

/// Evidence as it was read.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The statement as it was signed.
    pub payload: Vec<u8>,
    /// Its signatures; none where it is not signed.
    pub signatures: Vec<Signature>,
}

/// Returns which release is live after a run, as the snapshot's name; `None` where the run has not ended or a person ended it.
#[must_use]
pub fn live_snapshot(end: End) -> Option<&'static str> {
    match end {
        End::Promoted => Some("new"),
        End::Blocked | End::Aborted | End::RolledBack | End::NotVerified => Some("old"),
        End::Stuck | End::Abandoned => None,
    }
}

/// Returns the statement of a run that has ended; `None` where it has not, or nobody knows what is live. `journal` is how far it is
/// written, `images` are services with the ids of the images that are live.
#[must_use]
pub fn statement(product: &str, lines: &[Line], journal: &AuditMark, images: &[(String, String)]) -> Option<Value> {
    let (first, last) = (lines.first()?, lines.last()?);
    let (Entry::Started { plan }, Entry::Ended { end, exit }) = (&first.entry, &last.entry) else { return None };
    let live = match live_snapshot(*end)? {
        "new" => &plan.release,
        _ => &plan.previous,
    };
    let commit = json!({ "name": live.name, "digest": { "gitCommit": live.commit } });
    let image = |(service, id): &(String, String)| {
        let digest = id.strip_prefix("sha256:")?;
        Some(json!({ "name": format!("image of {service}"), "digest": { "sha256": digest } }))
    };
    let subject: Vec<Value> = std::iter::once(commit).chain(images.iter().filter_map(image)).collect();
    Some(json!({
        "_type": STATEMENT,
        "subject": subject,
        "predicateType": PREDICATE,
        "predicate": {
            "product": product,
            "run": plan.run,
            "kind": plan.kind,
            "from": plan.environments.source,
            "to": plan.environments.target,
            "project": plan.project,
            "release": plan.release,
            "previous": plan.previous,
            // The second line carries the checksum of the first one, which is the plan.
            "plan": { "sha256": lines.get(1).map(|line| &line.prev), "file": plan.file },
            "by": plan.by,
            "began": first.wall,
            "ended": last.wall,
            "end": end,
            "exit": exit.code(),
            "reason": reason(lines).filter(|_| *end != End::Promoted),
            "checks": checks(lines),
            "steps": steps(lines),
            "journal": { "lines": journal.lines, "sha256": journal.hash },
        },
    }))
}

/// Returns how the suites ended, by the step that ran them.
fn checks(lines: &[Line]) -> Value {
    let of = |line: &Line| match &line.entry {
        Entry::Done { report: StepReport::Validate(found) } => {
            Some(json!({ "step": Step::Validate, "checks": found.checks, "readiness": found.readiness }))
        }
        Entry::Done { report: StepReport::Verify(checks) } => Some(json!({ "step": Step::Verify, "checks": checks })),
        Entry::Done { report: StepReport::MoveTraffic(moved) } => {
            Some(json!({ "step": Step::MoveTraffic, "checks": moved.checks }))
        }
        Entry::Done { report: StepReport::VerifyRollback(found) } => {
            Some(json!({ "step": Step::VerifyRollback, "checks": found.checks }))
        }
        Entry::Failed { step, reason, .. }
            if matches!(step, Step::Validate | Step::Verify | Step::MoveTraffic | Step::VerifyRollback) =>
        {
            Some(json!({ "step": step, "failed": reason }))
        }
        _ => None,
    };
    lines.iter().filter_map(of).collect()
}

/// Returns what became of each step, with the time.
fn steps(lines: &[Line]) -> Value {
    let of = |line: &Line| {
        let (step, result) = match &line.entry {
            Entry::Done { report } => (report.step(), "done"),
            Entry::Failed { step, .. } => (*step, "failed"),
            Entry::Undone { report } => (report.step(), "undone"),
            Entry::UndoFailed { step, .. } => (*step, "undo failed"),
            _ => return None,
        };
        Some(json!({ "step": step, "result": result, "at": line.wall }))
    };
    lines.iter().filter_map(of).collect()
}

/// Returns the bytes that are signed.
// Source: DSSE v1.0.2, protocol.md: PAE(type, body).
#[must_use]
pub fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD} {} ", PAYLOAD.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Returns the text of an envelope with one signature of [`signed_bytes`].
///
/// # Errors
/// [`serde_json::Error`] never, as far as is known.
pub fn envelope(payload: &[u8], keyid: &str, signature: &[u8]) -> Result<String, serde_json::Error> {
    let signatures = vec![Signature { keyid: keyid.to_owned(), sig: BASE64.encode(signature) }];
    let payload = BASE64.encode(payload);
    serde_json::to_string_pretty(&Envelope { payload_type: PAYLOAD.to_owned(), payload, signatures })
}

impl Signature {
    /// Returns the bytes of the signature; empty where it is none.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        BASE64.decode(&self.sig).unwrap_or_default()
    }
}

impl Evidence {
    /// Reads a file of evidence: an envelope, or a statement alone.
    ///
    /// # Errors
    /// [`EvidenceError`] where it is neither.
    pub fn read(text: &[u8]) -> Result<Self, EvidenceError> {
        let value: Value = serde_json::from_slice(text).map_err(EvidenceError::Text)?;
        if value.get("payloadType").is_none() {
            return Ok(Evidence { payload: text.to_vec(), signatures: Vec::new() });
        }
        let envelope: Envelope = serde_json::from_value(value).map_err(EvidenceError::Text)?;
        let differs =
            |what, expected: &str, found| EvidenceError::Differs { what, expected: expected.to_owned(), found };
        if envelope.payload_type != PAYLOAD {
            return Err(differs("a payload of type", PAYLOAD, envelope.payload_type));
        }
        let payload = BASE64.decode(&envelope.payload);
        let payload = payload.map_err(|_| differs("a payload in", "Base64", "something else".to_owned()))?;
        Ok(Evidence { payload, signatures: envelope.signatures })
    }

    /// Compares it with the journal of its run.
    ///
    /// # Errors
    /// [`EvidenceError`] for the first part that differs.
    pub fn is_of(&self, plan: &Plan, end: End, journal: &AuditMark) -> Result<(), EvidenceError> {
        let statement: Value = serde_json::from_slice(&self.payload).map_err(EvidenceError::Text)?;
        let live = if live_snapshot(end) == Some("new") { &plan.release } else { &plan.previous };
        let predicate = &statement["predicate"];
        for (what, expected, found) in [
            ("a statement", json!(STATEMENT), &statement["_type"]),
            ("a predicate", json!(PREDICATE), &statement["predicateType"]),
            ("run", json!(plan.run), &predicate["run"]),
            ("environment", json!(plan.environments.target), &predicate["to"]),
            ("end", json!(end), &predicate["end"]),
            ("commit", json!(live.commit), &statement["subject"][0]["digest"]["gitCommit"]),
            ("lines of the journal", json!(journal.lines), &predicate["journal"]["lines"]),
            ("the journal's checksum", json!(journal.hash), &predicate["journal"]["sha256"]),
        ] {
            if expected != *found {
                return Err(EvidenceError::Differs { what, expected: plain(&expected), found: plain(found) });
            }
        }
        Ok(())
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the bytes of the first block with a label in a PEM file.
// Source: RFC 7468.
#[must_use]
pub fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    BASE64.decode(body.split_whitespace().collect::<String>()).ok()
}

/// Returns the 32 bytes of a public Ed25519 key in a PEM file.
#[must_use]
pub fn public_key(text: &str) -> Option<[u8; 32]> {
    pem(text, "PUBLIC KEY")?.strip_prefix(&PUBLIC_KEY[..])?.try_into().ok()
}

/// Returns the id of a public key: the SHA-256 of its DER form, hex, as `openssl pkey -pubout -outform DER | sha256sum` prints it.
#[must_use]
pub fn key_id(public: &[u8; 32]) -> String {
    let digest = Sha256::digest([&PUBLIC_KEY[..], &public[..]].concat());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the pattern of the names of all tags of runs.
#[must_use]
pub fn tag_pattern() -> String {
    format!("{TAG}*")
}

/// Returns the git tag of a run that went live: its name and its message.
#[must_use]
pub fn tag(plan: &Plan, journal: &AuditMark) -> (String, String) {
    let message = format!(
        "stagegate: run {} of {}, journal with {} lines up to {}",
        plan.run, plan.project, journal.lines, journal.hash
    );
    (format!("{TAG}{}", plan.run), message)
}

/// Returns the run of a compose project that a tag is of, with how far its journal was written; `None` where the tag is none of
/// [`tag`], or of another project.
#[must_use]
pub fn mark_of_tag(project: &str, name: &str, message: &str) -> Option<(String, AuditMark)> {
    let run = name.strip_prefix(TAG)?;
    let rest = message.strip_prefix(&format!("stagegate: run {run} of {project}, journal with "))?;
    let (lines, hash) = rest.split_once(" lines up to ")?;
    Some((run.to_owned(), AuditMark { lines: lines.parse().ok()?, hash: hash.trim().to_owned() }))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use stagegate_base::exit::Exit;

    use super::*;
    use crate::promotion::{Kind, VERSION, tests::plan};

    fn lines(end: End, exit: Exit) -> Vec<Line> {
        let entries = [
            Entry::Started { plan: Box::new(plan(Kind::Promote)) },
            Entry::Begun { step: Step::Verify },
            Entry::Done { report: StepReport::Verify(super::super::Checks::default()) },
            Entry::Ended { end, exit },
        ];
        let line = |(seq, entry)| Line {
            v: VERSION,
            seq,
            run: "20260102-030405-ab12".to_owned(),
            boot: "b".to_owned(),
            wall: format!("2026-01-02T03:04:0{seq}Z"),
            entry,
            prev: format!("hash{seq}"),
        };
        (0..).zip(entries).map(line).collect()
    }

    fn mark() -> AuditMark {
        AuditMark { lines: 4, hash: "a".repeat(64) }
    }

    fn images() -> Vec<(String, String)> {
        vec![("web".to_owned(), format!("sha256:{}", "1".repeat(64)))]
    }

    #[rstest]
    #[case::promoted(End::Promoted, "b")]
    #[case::rolled_back(End::RolledBack, "a")]
    #[case::blocked(End::Blocked, "a")]
    fn the_subjects_are_what_is_live(#[case] end: End, #[case] commit: &str) {
        let statement = statement("shop", &lines(end, Exit::Passed), &mark(), &images()).unwrap();
        assert_eq!(statement["subject"][0]["digest"]["gitCommit"], commit.repeat(40));
        assert_eq!(statement["subject"][1]["digest"]["sha256"], "1".repeat(64));
        let predicate = &statement["predicate"];
        assert_eq!((&predicate["plan"]["sha256"], &predicate["end"]), (&json!("hash1"), &json!(end)));
        assert_eq!(predicate["checks"][0]["step"], "verify");
        let read = Evidence::read(statement.to_string().as_bytes()).unwrap();
        read.is_of(&plan(Kind::Promote), end, &mark()).unwrap();
    }

    #[test]
    fn where_nobody_knows_what_is_live_there_is_no_statement() {
        for end in [End::Stuck, End::Abandoned] {
            assert_eq!(statement("shop", &lines(end, Exit::PersonNeeded), &mark(), &images()), None);
        }
        let mut open = lines(End::Promoted, Exit::Passed);
        open.pop();
        assert_eq!(statement("shop", &open, &mark(), &images()), None);
    }

    #[test]
    fn evidence_of_another_journal_end_or_commit_is_refused_by_what_differs() {
        let text = statement("shop", &lines(End::Promoted, Exit::Passed), &mark(), &images()).unwrap().to_string();
        let refused = |text: &str, end, mark: &AuditMark| {
            let evidence = Evidence::read(text.as_bytes()).unwrap();
            evidence.is_of(&plan(Kind::Promote), end, mark).unwrap_err().to_string()
        };
        let longer = AuditMark { lines: 5, ..mark() };
        assert_eq!(refused(&text, End::Promoted, &longer), "expected lines of the journal 5, found 4");
        let other = AuditMark { hash: "c".repeat(64), ..mark() };
        assert!(refused(&text, End::Promoted, &other).starts_with("expected the journal's checksum ccc"));
        assert!(refused(&text, End::Blocked, &mark()).contains("end"));
        let edited = text.replace(&"b".repeat(40), &"d".repeat(40));
        assert!(refused(&edited, End::Promoted, &mark()).contains("commit"));
        assert!(matches!(Evidence::read(b"no json"), Err(EvidenceError::Text(_))));
    }

    #[test]
    fn an_envelope_is_read_as_it_was_written_and_names_what_is_signed() {
        // Source: DSSE v1.0.2, protocol.md, the example of PAE, with this payload type.
        assert_eq!(signed_bytes(b"hello world"), b"DSSEv1 28 application/vnd.in-toto+json 11 hello world");
        let text = envelope(b"hello world", "id", &[1, 2, 3]).unwrap();
        let read = Evidence::read(text.as_bytes()).unwrap();
        assert_eq!((read.payload.as_slice(), read.signatures[0].bytes()), (&b"hello world"[..], vec![1, 2, 3]));
        assert_eq!(read.signatures[0].keyid, "id");
        assert!(Evidence::read(text.replace("in-toto", "other").as_bytes()).is_err());
    }

    #[test]
    fn a_public_key_is_read_and_has_the_id_of_openssl() {
        // Source: RFC 8410, section 10.1.
        let text = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        let key = public_key(text).unwrap();
        assert_eq!(&key[..4], &[0x19, 0xbf, 0x44, 0x09]);
        assert_eq!(key_id(&key).len(), 64);
        assert_eq!(public_key("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----"), None);
    }

    #[test]
    fn a_tag_is_read_as_it_was_set_and_one_of_another_project_or_a_person_is_none() {
        let (name, message) = tag(&plan(Kind::Promote), &mark());
        assert_eq!(name, "stagegate-run-20260102-030405-ab12");
        let read = mark_of_tag("shop-production", &name, &message);
        assert_eq!(read, Some(("20260102-030405-ab12".to_owned(), mark())));
        assert_eq!(mark_of_tag("shop-staging", &name, &message), None);
        assert_eq!(mark_of_tag("shop-production", &name, "my own note"), None);
        assert_eq!(mark_of_tag("shop-production", "stagegate-run-other", &message), None);
    }
}
