//! Encrypted backups with the real `age` and a real server: nothing plain is stored, what lists and prunes needs no identity,
//! and everything comes back with it.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    small::Small,
    world::{PASSWORD, run},
};

/// Makes an identity and returns its file and its recipient.
fn identity(dir: &Path, name: &str) -> (PathBuf, String) {
    let file = dir.join(name);
    run(Command::new("age-keygen").arg("-o").arg(&file));
    let recipient = run(Command::new("age-keygen").arg("-y").arg(&file)).stdout;
    (file, String::from_utf8(recipient).unwrap().trim().to_owned())
}

async fn rows(small: &Small) -> i64 {
    let client = small.server().await.connect("shop").await.unwrap();
    client.query_one("select count(*) from item", &[]).await.unwrap().get(0)
}

/// Returns the files of the newest backup.
fn files(small: &Small) -> Vec<PathBuf> {
    let backups = fs::read_dir(small.state("production").join("backups")).unwrap();
    let mut dirs: Vec<PathBuf> = backups.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    dirs.sort();
    let newest = dirs.iter().rfind(|dir| dir.join("manifest.json").is_file()).unwrap();
    fs::read_dir(newest).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn an_encrypted_backup_holds_nothing_plain_and_comes_back_with_its_identity_alone() {
    let small = Small::new("encrypted", "shop");
    let ((mine, recipient), (other, _)) = (identity(&small.product(), "mine"), identity(&small.product(), "other"));
    let mut config = OpenOptions::new().append(true).open(small.product().join("stagegate.toml")).unwrap();
    write!(config, "[backup]\nencrypt_to = [\"{recipient}\"]\n[volumes.uploads]\npath = \"uploads\"\n").unwrap();
    small.up("production", "v1");
    let uploads = small.product().join("../production/uploads");
    fs::create_dir_all(&uploads).unwrap();
    fs::write(uploads.join("canary-name.txt"), "canary contents").unwrap();

    let made = small.gate(&["backup", "--env", "production"]);
    assert_eq!(made.code, Some(0), "{}", made.text);
    assert!(made.text.contains("restored and compared") && made.text.contains(&recipient), "{}", made.text);
    for path in files(&small) {
        let (bytes, name) = (fs::read(&path).unwrap(), path.file_name().unwrap().to_str().unwrap());
        let is_open = name == "manifest.json" || name == "SHA256SUMS";
        assert!(is_open || bytes.starts_with(b"age-encryption.org/v1\n"), "{name} is not encrypted");
        for text in [PASSWORD, "canary", "create table", "\"rows\": 100"] {
            assert!(!has(&bytes, text), "{name} has {text}");
        }
    }

    // What needs no identity.
    let listed = small.gate(&["backup", "list", "--env", "production"]);
    assert!(listed.code == Some(0) && listed.text.contains("encrypted"), "{}", listed.text);
    let verified = small.gate(&["backup", "verify", "--env", "production"]);
    assert!(verified.code == Some(0) && verified.text.contains("it is not proven that"), "{}", verified.text);
    let pruned = small.gate(&["backup", "prune", "--env", "production", "--dry-run"]);
    assert_eq!(pruned.code, Some(0), "{}", pruned.text);

    // What does.
    let restore = ["restore", "--env", "production", "latest", "--yes"];
    let refused = small.gate(&restore);
    assert!(refused.code == Some(2) && refused.text.contains("--identity"), "{}", refused.text);
    let wrong = small.gate(&[&restore[..], &["--identity", other.to_str().unwrap()]].concat());
    assert!(wrong.code == Some(2) && wrong.text.contains("does not decrypt"), "{}", wrong.text);
    let with = ["--identity", mine.to_str().unwrap()];
    let proven = small.gate(&[&["backup", "verify", "--env", "production"][..], &with].concat());
    assert!(proven.code == Some(0) && proven.text.contains("decrypted"), "{}", proven.text);
    let drilled = small.gate(&[&["backup", "verify", "--env", "production", "--restore"][..], &with].concat());
    assert!(drilled.code == Some(0) && drilled.text.contains("uploads unpacked and compared"), "{}", drilled.text);

    let client = small.server().await.connect("shop").await.unwrap();
    client.batch_execute("delete from item where id <= 40").await.unwrap();
    drop(client);
    let restored = small.gate(&[&restore[..], &with].concat());
    assert_eq!(restored.code, Some(0), "{}", restored.text);
    assert_eq!(rows(&small).await, 100);

    let env = small.product().join("../production.env");
    let before = fs::read(&env).unwrap();
    fs::write(&env, "WEB_PORT=1\n").unwrap();
    let config = small.gate(&[&restore[..], &["--config-files"], &with].concat());
    assert_eq!(config.code, Some(0), "{}", config.text);
    assert_eq!(fs::read(&env).unwrap(), before);

    let volume = format!("proof-encrypted-{}-uploads", std::process::id());
    let into = ["--volume", "uploads", "--into", &volume];
    let restored = small.gate(&[&restore[..], &into, &with].concat());
    let _ = Command::new("docker").args(["volume", "rm", &volume]).output();
    assert!(restored.code == Some(0) && restored.text.contains("compared"), "{}", restored.text);
}
