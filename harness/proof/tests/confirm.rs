//! A protected environment is changed only by a command that names it; no container is needed to prove that.

use std::{fs, path::PathBuf, process::Command};

use crate::world::{Ended, ended, gate};

const CONFIG: &str = "[project]\nname = \"PROJECT\"\nstate_dir = \"state\"\n[environments.staging]\n\
                      [environments.production]\nprotected = true\n";
/// What is reported once the environment is confirmed and nobody can be asked.
const PASSED_ON: &str = "add --yes";

/// A folder with a configuration; gone with this value.
pub(crate) struct Folder {
    path: PathBuf,
    /// The product's name: a lock of the machine goes by it, so no two tests share one.
    product: String,
}

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("proof-confirm-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let product = format!("shop-{name}");
        fs::write(path.join("stagegate.toml"), CONFIG.replace("PROJECT", &product)).unwrap();
        Folder { path, product }
    }

    fn gate(&self, args: &[&str]) -> Ended {
        ended(&self.command(args).output().unwrap())
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Returns the compose project of an environment.
    pub(crate) fn project(&self, environment: &str) -> String {
        format!("{}-{environment}", self.product)
    }

    /// Returns a command of the gate that runs in the folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(gate());
        command.args(args).current_dir(&self.path).env_remove("STAGEGATE_ENV");
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[test]
fn a_protected_environment_is_refused_until_it_is_confirmed_by_name() {
    let folder = Folder::new("name");
    let refused = folder.gate(&["down", "--env", "production"]);
    assert_eq!(refused.code, Some(2), "{}", refused.text);
    assert!(refused.text.contains("add --confirm production"), "{}", refused.text);

    let confirmed = folder.gate(&["down", "--env", "production", "--confirm", "production"]);
    assert!(confirmed.text.contains(PASSED_ON) && !confirmed.text.contains("notice"), "{}", confirmed.text);
}

#[test]
fn the_former_option_does_the_same_and_states_how_it_is_written_now() {
    let folder = Folder::new("former");
    for args in [
        ["down", "--env", "production", "--yes-really-production"],
        ["--yes-really-production", "down", "--env", "production"],
    ] {
        let confirmed = folder.gate(&args);
        assert!(confirmed.text.contains(PASSED_ON), "{}", confirmed.text);
        let notices: Vec<&str> = confirmed.text.lines().filter(|line| line.starts_with("notice")).collect();
        assert_eq!(notices, ["notice: --yes-really-production is now written --confirm production"]);
    }
    let nothing_to_confirm = folder.gate(&["config", "--env", "production", "--yes-really-production"]);
    assert!(!nothing_to_confirm.text.contains("--confirm' found"), "{}", nothing_to_confirm.text);
}

#[test]
fn a_name_of_another_environment_is_refused_in_one_sentence() {
    let folder = Folder::new("other");
    let want =
        "error: --confirm names `staging`, and the environment of this command is `production`; nothing was changed";
    for command in ["down", "reset", "up", "test"] {
        for confirm in [&["--confirm", "staging"][..], &["--yes-really-staging"]] {
            let refused = folder.gate(&[&[command, "--env", "production"], confirm].concat());
            assert_eq!(refused.code, Some(2), "{command}: {}", refused.text);
            let errors: Vec<&str> = refused.text.lines().filter(|line| !line.starts_with("notice")).collect();
            assert_eq!(errors, [want], "{command}");
        }
    }
}

#[test]
fn help_knows_the_option() {
    let folder = Folder::new("help");
    for command in ["down", "reset", "up", "test", "bench"] {
        assert!(folder.gate(&[command, "--help"]).text.contains("--confirm <NAME>"), "{command}");
    }
}
