//! Holds `scripts/setup.sh` on a machine without the programs that the sample stack can do without. Nothing is installed: all
//! that it calls are stand-ins.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    process::{Command, Output},
};

use super::root;

/// A folder that is the whole PATH.
struct Machine(PathBuf);

impl Machine {
    /// A machine of an ordinary user with Docker, Compose, a compiler and cargo, and neither openssl nor valgrind.
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("stagegate-setup-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let machine = Machine(dir);
        for tool in ["bash", "cat", "cut", "dirname", "env", "head", "mktemp", "rm", "sort", "tail"] {
            let found = ["/usr/bin", "/bin"].map(|bin| PathBuf::from(bin).join(tool));
            let found = found.into_iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{tool} is missing"));
            symlink(found, machine.0.join(tool)).unwrap();
        }
        machine.stand_in("id", "echo 1000");
        machine.stand_in("docker", "case $1 in version) echo 27.0.0 ;; *) echo 2.30.0 ;; esac");
        machine.stand_in("cargo", "echo cargo 1.99.0");
        for tool in ["git", "cc", "age", "restic", "ssh-keygen"] {
            machine.stand_in(tool, ":");
        }
        machine
    }

    fn stand_in(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::write(&path, format!("#!{}/bash\n{text}\n", self.0.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn set_up(&self) -> Output {
        let mut command = Command::new(self.0.join("bash"));
        command.arg(root().join("scripts/setup.sh")).arg("--no-images").env("PATH", &self.0);
        command.output().unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_the_sample_stack_can_do_without_is_noted_and_fails_nothing() {
    let machine = Machine::new("ordinary");
    machine.stand_in("apt-get", "exit 100");
    // sudo that asks for a password is as good as none.
    machine.stand_in("sudo", "exit 1");
    let end = machine.set_up();
    let text = String::from_utf8_lossy(&end.stderr);
    assert_eq!(end.status.code(), Some(0), "{text}");
    for name in ["openssl", "valgrind"] {
        assert!(text.contains(&format!("{name} is not installed, and not needed for the sample stack")), "{text}");
    }
}

#[test]
fn what_is_missing_is_installed_by_sudo_where_it_requires_no_password() {
    let machine = Machine::new("sudo");
    let calls = machine.0.join("calls");
    machine.stand_in("sudo", &format!("shift; [ \"$*\" = true ] || echo \"$*\" >>{}", calls.display()));
    machine.stand_in("apt-get", "exit 100");
    let end = machine.set_up();
    assert_eq!(end.status.code(), Some(0), "{}", String::from_utf8_lossy(&end.stderr));
    let calls = fs::read_to_string(calls).unwrap();
    let install = "env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends";
    assert_eq!(calls, format!("{install} openssl\n{install} valgrind\n"));
}
