//! Debian's sshd on a high port of this machine: own host key, own user key, own configuration of `ssh`.

use std::{
    fs,
    io::Write,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{ports::free_port, world::run};

/// Where Debian, Fedora and Alpine have it; it has to be called by its whole path.
const SSHD: &str = "/usr/sbin/sshd";

/// A server, and the folder with its keys; both go at the end.
pub(crate) struct Sshd {
    child: Option<Child>,
    root: PathBuf,
    pub(crate) port: u16,
}

/// Returns whether there is an sshd to prove anything with, and why not.
pub(crate) fn is_there() -> bool {
    let there = Path::new(SSHD).is_file();
    if !there {
        let _ = writeln!(std::io::stderr(), "skipped: {SSHD} is not installed (scripts/setup.sh --sshd)");
    }
    there
}

impl Sshd {
    /// Starts a server whose logins have `root/home` as their home; its key is known to `ssh`.
    pub(crate) fn start(root: &Path) -> Self {
        let sshd = Self::stopped(root);
        sshd.write_config(&[]);
        sshd.knows_its_key();
        sshd.restarted(&[])
    }

    /// Makes keys and configuration.
    fn stopped(root: &Path) -> Self {
        let root = root.join("sshd");
        fs::create_dir_all(root.join("home")).unwrap();
        for key in ["host", "other", "user"] {
            let file = root.join(key);
            run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", ""]).arg("-f").arg(file));
        }
        fs::copy(root.join("user.pub"), root.join("authorized_keys")).unwrap();
        fs::write(root.join("known_hosts"), "").unwrap();
        Sshd { child: None, root, port: free_port() }
    }

    /// Returns the home of the logins.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Returns the configuration file of `ssh`, in which the server is `web1`.
    pub(crate) fn config(&self) -> PathBuf {
        self.root.join("config")
    }

    fn write_config(&self, more: &[&str]) {
        let (root, port) = (self.root.display(), self.port);
        let text = format!(
            "Host web1\n  HostName 127.0.0.1\n  Port {port}\n  User {}\n  IdentityFile {root}/user\n  IdentitiesOnly yes\n  \
             IdentityAgent none\n  UserKnownHostsFile {root}/known_hosts\n  GlobalKnownHostsFile none\n{}\n",
            user(),
            more.join("\n")
        );
        fs::write(self.config(), text).unwrap();
    }

    /// Makes the server's key known to `ssh`.
    pub(crate) fn knows_its_key(&self) {
        self.knows("host");
    }

    /// Makes another key known for the server, as if the server's had changed.
    pub(crate) fn knows_another_key(&self) {
        self.knows("other");
    }

    /// Makes no key known.
    pub(crate) fn knows_no_key(&self) {
        fs::write(self.root.join("known_hosts"), "").unwrap();
    }

    fn knows(&self, key: &str) {
        let key = fs::read_to_string(self.root.join(format!("{key}.pub"))).unwrap();
        fs::write(self.root.join("known_hosts"), format!("[127.0.0.1]:{} {key}", self.port)).unwrap();
    }

    /// Starts the server, or starts it anew, with further options of sshd_config.
    pub(crate) fn restarted(mut self, options: &[&str]) -> Self {
        self.stop();
        let (root, port) = (self.root.display(), self.port);
        let _ = fs::create_dir_all("/run/sshd");
        let mut server = Command::new(SSHD);
        server.args(["-D", "-e", "-f", "/dev/null", "-p", &port.to_string()]);
        let fixed = [
            "ListenAddress=127.0.0.1".to_owned(),
            format!("HostKey={root}/host"),
            format!("AuthorizedKeysFile={root}/authorized_keys"),
            format!("PidFile={root}/pid"),
            "UsePAM=no".to_owned(),
            "StrictModes=no".to_owned(),
            "PermitRootLogin=yes".to_owned(),
            "PasswordAuthentication=no".to_owned(),
        ];
        // The first SetEnv counts, with all of its variables.
        let set = options.iter().find(|option| option.starts_with("SetEnv=")).map(|option| (*option).to_owned());
        let home = format!("HOME={root}/home PATH={}", std::env::var("PATH").unwrap());
        let set = format!("{} {home}", set.unwrap_or_else(|| "SetEnv=".to_owned()));
        let options = options.iter().filter(|option| !option.starts_with("SetEnv=")).map(|option| (*option).to_owned());
        for option in fixed.into_iter().chain([set]).chain(options) {
            server.args(["-o", &option]);
        }
        let log = fs::File::create(self.root.join("log")).unwrap();
        self.child = Some(server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = fs::read_to_string(self.root.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "sshd does not listen: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        self
    }

    /// Ends the server; connections that it accepted go on.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Returns how many logins the server has accepted.
    pub(crate) fn logins(&self) -> usize {
        let log = fs::read_to_string(self.root.join("log")).unwrap_or_default();
        log.matches("Accepted publickey").count()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn user() -> String {
    String::from_utf8(run(Command::new("id").arg("-un")).stdout).unwrap().trim().to_owned()
}
