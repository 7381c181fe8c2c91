//! Everything here runs the real program: CI and `scripts/setup.sh` install it.

use std::{fs, path::PathBuf, process::Command as Program};

use rstest::rstest;

use super::*;

const WITHIN: Duration = Duration::from_secs(60);

/// A folder that goes with this value.
struct Dir(PathBuf);

impl Dir {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("stagegate-age-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        files::private_dir(&path).unwrap();
        Dir(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes an identity file and returns its recipient.
    fn identity(&self, name: &str) -> (PathBuf, String) {
        let path = self.path(name);
        let made = Program::new("age-keygen").arg("-o").arg(&path).output().unwrap();
        assert!(made.status.success());
        let recipient = Program::new("age-keygen").arg("-y").arg(&path).output().unwrap().stdout;
        (path, String::from_utf8(recipient).unwrap().trim().to_owned())
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn input<'a>(path: &'a Path, identity: &'a Identity) -> Input<'a> {
    Input { path, identity: Some(identity), within: WITHIN }
}

#[tokio::test]
async fn what_was_encrypted_is_read_by_the_recipient_and_by_the_process_that_wrote_it_and_by_nobody_else() {
    let dir = Dir::new("round-trip");
    let ((mine, recipient), (other, _)) = (dir.identity("mine"), dir.identity("other"));
    let runner = Runner::default();
    let encryption = Encryption::to(&runner, &[recipient]).await.unwrap();
    let path = dir.path("dump.age");
    // More than a pipe holds, and no multiple of the blocks of age.
    let plain: Vec<u8> = (0..3_000_001_u32).map(|n| n.to_le_bytes()[0]).collect();
    let output = Output { path: &path, encryption: Some(&encryption), within: WITHIN };
    output.write(&runner, plain.clone()).await.unwrap();
    let stored = fs::read(&path).unwrap();
    assert!(stored.starts_with(b"age-encryption.org/v1\n") && !stored.windows(64).any(|part| part == &plain[..64]));
    for identity in [encryption.proof(), &Identity::of_file(&mine).unwrap()] {
        assert!(input(&path, identity).read(&runner).await.unwrap() == plain, "{identity:?}");
    }
    let other = Identity::of_file(&other).unwrap();
    let error = input(&path, &other).read(&runner).await.unwrap_err();
    assert!(stagegate_host::error::with_causes(&error).contains("no identity matched"), "{error}");
}

#[tokio::test]
async fn a_changed_byte_and_a_missing_end_are_found_by_reading() {
    let dir = Dir::new("changed");
    let runner = Runner::default();
    let encryption = Encryption::to(&runner, &[dir.identity("mine").1]).await.unwrap();
    let path = dir.path("dump.age");
    let output = Output { path: &path, encryption: Some(&encryption), within: WITHIN };
    output.write(&runner, vec![7; 200_000]).await.unwrap();
    let good = fs::read(&path).unwrap();
    for at in [0, 30, good.len() / 2, good.len() - 1] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        assert!(input(&path, encryption.proof()).drain(&runner).await.is_err(), "byte {at}");
    }
    // Also at the border of two blocks of age.
    for length in [0, good.len() - 1, good.len() - 200_000 % 65_536 - 16] {
        fs::write(&path, &good[..length]).unwrap();
        assert!(input(&path, encryption.proof()).drain(&runner).await.is_err(), "{length} bytes");
    }
    fs::write(&path, &good).unwrap();
    assert_eq!(input(&path, encryption.proof()).drain(&runner).await.unwrap(), 200_000);
}

#[tokio::test]
async fn the_fault_of_a_reader_that_stops_is_its_own_and_not_that_of_age() {
    let dir = Dir::new("reader");
    let runner = Runner::default();
    let encryption = Encryption::to(&runner, &[dir.identity("mine").1]).await.unwrap();
    let path = dir.path("dump.age");
    let output = Output { path: &path, encryption: Some(&encryption), within: WITHIN };
    output.write(&runner, vec![7; 2_000_000]).await.unwrap();
    let input = input(&path, encryption.proof());
    let stops = input.feed(&runner, async |file| {
        drop(file);
        Err::<(), _>(io::Error::other("full"))
    });
    assert!(matches!(stops.await, Err(StreamError::Other(error)) if error.to_string() == "full"));
}

#[tokio::test]
async fn a_recipient_that_age_does_not_take_ends_the_writing() {
    let dir = Dir::new("recipient");
    let runner = Runner::default();
    let encryption = Encryption::to(&runner, &["age1nonsense".to_owned()]).await.unwrap();
    let path = dir.path("dump.age");
    let output = Output { path: &path, encryption: Some(&encryption), within: WITHIN };
    let error = output.write(&runner, vec![7; 2_000_000]).await.unwrap_err();
    assert!(matches!(&error, StreamError::Age(_)), "{error:?}");
    assert!(stagegate_host::error::with_causes(&error).contains("age1nonsense"), "{error}");
}

#[rstest]
#[case::none("# nothing\n", "holds no identity")]
#[case::recipient("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\n", "holds no identity")]
#[case::sealed("age-encryption.org/v1\n-> scrypt x 18\n", "needs a passphrase")]
#[case::armoured("-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n", "needs a passphrase")]
fn an_identity_file_that_cannot_be_used_is_refused_before_age_requires_a_terminal(
    #[case] text: &str,
    #[case] want: &str,
) {
    let dir = Dir::new(&format!("identity-{}", text.len()));
    fs::write(dir.path("file"), text).unwrap();
    let error = Identity::of_file(&dir.path("file")).unwrap_err().to_string();
    assert!(error.contains(want), "{error}");
}

#[rstest]
#[case::with("secret phrase", false)]
#[case::without("", true)]
fn an_ssh_key_serves_unless_it_has_a_passphrase(#[case] passphrase: &str, #[case] want: bool) {
    let dir = Dir::new(&format!("ssh-{}", passphrase.len()));
    let key = dir.path("id");
    let made = Program::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", passphrase, "-f"]).arg(&key).output();
    assert!(made.unwrap().status.success());
    assert_eq!(Identity::of_file(&key).is_ok(), want);
    assert!(Identity::of_file(&dir.path("absent")).unwrap_err().to_string().contains("cannot read the identity file"));
}
