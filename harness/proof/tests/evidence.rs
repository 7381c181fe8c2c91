//! The evidence of runs: openssl verifies its signature, it names what runs, and what somebody changed afterwards is found, by the git
//! tag also where everything in the state folder was made anew.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use stagegate_gate_decide::promotion::{Line, chained, read};

use crate::{small::Small, world::image_of};

struct Keys {
    private: PathBuf,
    public: PathBuf,
}

fn openssl(args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is there");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {args:?}");
    output.stdout
}

fn keys(root: &Path, name: &str) -> Keys {
    let keys = Keys { private: root.join(format!("{name}.pem")), public: root.join(format!("{name}.pub")) };
    fs::write(&keys.private, openssl(&["genpkey", "-algorithm", "ed25519"], b"")).unwrap();
    fs::write(&keys.public, openssl(&["pkey", "-pubout"], &fs::read(&keys.private).unwrap())).unwrap();
    keys
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Returns the folder of the newest run.
fn newest(small: &Small) -> PathBuf {
    let runs = fs::read_dir(small.state("production").join("runs")).unwrap().map(|entry| entry.unwrap().path());
    runs.filter(|dir| dir.join("journal.jsonl").is_file()).max().unwrap()
}

/// Verifies an envelope with openssl alone, and returns its statement.
fn verified(dir: &Path, public: &Path) -> Value {
    let envelope: Value = serde_json::from_slice(&fs::read(dir.join("evidence.json")).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let payload = openssl(&["base64", "-d", "-A"], text(&envelope["payload"]).as_bytes());
    let signature = openssl(&["base64", "-d", "-A"], text(&envelope["signatures"][0]["sig"]).as_bytes());
    // Source: DSSE v1.0.2, protocol.md.
    let kind = "application/vnd.in-toto+json";
    assert_eq!(envelope["payloadType"], kind);
    let signed = [format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).as_bytes(), &payload].concat();
    let (file, sig) = (public.with_extension("signed"), public.with_extension("sig"));
    fs::write(&file, signed).unwrap();
    fs::write(&sig, signature).unwrap();
    let [public, file, sig] = [public, &file, &sig].map(|path| path.display().to_string());
    openssl(&["pkeyutl", "-verify", "-pubin", "-inkey", &public, "-rawin", "-in", &file, "-sigfile", &sig], b"");
    serde_json::from_slice(&payload).unwrap()
}

/// Writes a journal of other lines, with a chain and a head that fit: what somebody who may write the folder can do.
fn forge(dir: &Path, change: impl Fn(&mut Vec<Line>)) {
    let mut lines = read(&fs::read(dir.join("journal.jsonl")).unwrap()).unwrap().lines;
    change(&mut lines);
    let (mut text, mut prev, count) = (String::new(), String::new(), lines.len());
    for line in lines {
        let (one, hash) = chained(&Line { prev, ..line }).unwrap();
        (text, prev) = (text + &one, hash);
    }
    fs::write(dir.join("journal.jsonl"), text).unwrap();
    fs::write(dir.join("journal.head"), format!("{count:>10} {prev}\n")).unwrap();
}

/// A product whose evidence is signed and tagged, and its audit.
struct Audited {
    small: Small,
    root: PathBuf,
    own: Keys,
}

impl Audited {
    fn new() -> Self {
        let small = Small::new("evidence", "app");
        let root = small.product().parent().unwrap().to_path_buf();
        let own = keys(&root, "own");
        let file = small.product().join("stagegate.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}[evidence]\nkey_file = \"../own.pem\"\ntags = true\n")).unwrap();
        small.release("v1a", "select 1;\n", "");
        small.up("production", "v1a");
        small.release("v2", "alter table item add column if not exists price int not null default 1;\n", "");
        Audited { small, root, own }
    }

    /// Asserts that the audit finds something wrong and reports it with these words.
    fn finds(&self, what: &str, words: &[&str]) {
        let audit = self.small.gate(&["audit", "verify", "--env", "production"]);
        assert_eq!(audit.code, Some(3), "{what}: {}", audit.text);
        for word in words {
            assert!(audit.text.contains(word), "{what}: no {word} in {}", audit.text);
        }
    }

    fn verify_with(&self, public: &Path) -> crate::world::Ended {
        self.small.gate(&["audit", "verify", "--env", "production", "--key", &public.display().to_string()])
    }

    fn commit(&self, revision: &str) -> String {
        self.small.git(&["rev-parse", &format!("{revision}^{{}}")]).trim().to_owned()
    }
}

/// The statement of a promotion names what runs, and holds no secret.
fn assert_promoted(audited: &Audited, statement: &Value) {
    assert_eq!(statement["subject"][0]["digest"]["gitCommit"], audited.commit("v2"));
    let web = format!("{}-web-1", audited.small.project("production"));
    let image = Command::new("docker").args(["inspect", "--format", "{{.Image}}", &web]).output().unwrap();
    let image = String::from_utf8_lossy(&image.stdout).trim().replace("sha256:", "");
    let subjects = statement["subject"].as_array().unwrap();
    let of_web = subjects.iter().find(|one| one["name"] == "image of web").expect("it is named");
    assert_eq!(of_web["digest"]["sha256"], image);
    let predicate = &statement["predicate"];
    assert_eq!((&predicate["end"], &predicate["to"]), (&"promoted".into(), &"production".into()));
    assert!(predicate["checks"].as_array().unwrap().iter().any(|one| one["step"] == "verify"), "{predicate}");
    assert!(!statement.to_string().contains(crate::world::PASSWORD));
}

/// A release that is rolled back: what is live is the earlier one.
fn roll_back(audited: &Audited) {
    let late = "  late:\n    image: POSTGRES\n    restart: \"no\"\n    command: [\"bash\", \"-c\", \"[ $${LATE:-0} = 0 ] && exec sleep infinity; exit 1\"]\n    \
                environment: { LATE: \"${LATE:-0}\" }\n    tmpfs: [/var/lib/postgresql/data]\n";
    let late = late.replace("POSTGRES", &image_of(17));
    audited.small.release("v3", "alter table item drop column price;\n", &late);
    let undone = audited.small.promote("v3");
    assert_eq!(undone.code, Some(5), "{}", undone.text);
    let statement = verified(&newest(&audited.small), &audited.own.public);
    assert_eq!(statement["predicate"]["end"], "rolled_back");
    assert_eq!(statement["subject"][0]["digest"]["gitCommit"], audited.commit("v2"));
}

/// What somebody who may write the state folder can do is found.
fn assert_changes_are_found(audited: &Audited, run: &Path, tag: &str) {
    let id = run.file_name().unwrap().to_str().unwrap();
    let paths = ["journal.jsonl", "journal.head", "evidence.json"].map(|name| run.join(name));
    let kept: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    let restore = || paths.iter().zip(&kept).for_each(|(path, text)| fs::write(path, text).unwrap());
    let restamp = |lines: &mut Vec<Line>| lines[2].wall = "2020-01-01T00:00:00.000Z".to_owned();
    let by_tag = format!("by git tag {tag}");

    let mut edited: Value = serde_json::from_slice(&kept[2]).unwrap();
    let payload = openssl(&["base64", "-d", "-A"], edited["payload"].as_str().unwrap().as_bytes());
    let changed = String::from_utf8(payload).unwrap().replacen("\"project\":", "\"project_\":", 1);
    edited["payload"] = String::from_utf8(openssl(&["base64", "-A"], changed.as_bytes())).unwrap().trim().into();
    fs::write(&paths[2], edited.to_string()).unwrap();
    audited.finds("an edited payload", &[id, "expected a signature by key", "found one that does not fit"]);
    restore();

    // Made anew as a whole, with no evidence left: chain and head fit, and only the tag knows better.
    forge(run, restamp);
    fs::remove_file(&paths[2]).unwrap();
    audited.finds("restamped", &[id, &by_tag, "found another line"]);
    restore();
    forge(run, |lines| drop(lines.pop()));
    fs::remove_file(&paths[2]).unwrap();
    audited.finds("cut", &[id, &by_tag]);
    restore();

    // Without the tag the evidence shows it.
    audited.small.git(&["tag", "--delete", tag]);
    forge(run, restamp);
    audited.finds("restamped without a tag", &[id, "evidence: expected the journal's checksum"]);
    restore();
}

#[test]
fn evidence_is_signed_names_what_runs_and_shows_what_was_changed() {
    let audited = Audited::new();
    let (small, own) = (&audited.small, &audited.own);
    // A key that others may read is refused before anything is done.
    mode(&own.private, 0o644);
    let refused = small.promote("v2");
    assert_eq!(refused.code, Some(2), "{}", refused.text);
    assert!(refused.text.contains("has mode 644") && refused.text.contains("chmod 600"), "{}", refused.text);
    mode(&own.private, 0o600);

    let promoted = small.promote("v2");
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    let run = newest(small);
    let tag = format!("stagegate-run-{}", run.file_name().unwrap().to_string_lossy());
    assert_promoted(&audited, &verified(&run, &own.public));
    // The tag is on the live commit, and is no name of a release.
    assert_eq!(audited.commit(&tag), audited.commit("v2"));
    let status = small.gate(&["status", "--env", "production"]);
    assert!(!status.text.contains("stagegate-run") && status.text.contains("v2"), "{}", status.text);
    roll_back(&audited);

    let well = audited.verify_with(&own.public);
    assert_eq!(well.code, Some(0), "{}", well.text);
    assert!(well.text.contains("evidence: 2 signed by key "), "{}", well.text);
    let by_other = audited.verify_with(&keys(&audited.root, "other").public);
    assert_eq!(by_other.code, Some(3), "{}", by_other.text);
    assert!(by_other.text.contains("expected a signature by key"), "{}", by_other.text);

    assert_changes_are_found(&audited, &run, &tag);
    let id = run.file_name().unwrap().to_string_lossy();
    let until = format!("{} lines up to {}", 9, "a".repeat(64));
    let message = format!("stagegate: run {id} of {}, journal with {until}", small.project("production"));
    small.git(&["tag", "--annotate", "--message", &message, &tag, "v2"]);
    fs::rename(&run, audited.root.join("aside")).unwrap();
    audited.finds("a journal that is gone", &[&format!("expected 9 lines by git tag {tag}, found no journal")]);
}
