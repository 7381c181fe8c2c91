//! Registries on addresses of this machine: Debian's docker-registry, and one that fails in the way that a proof needs.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{ports::free_port, world::run};

const PROGRAM: &str = "/usr/bin/docker-registry";
/// `gate` with [`crate::world::PASSWORD`], as htpasswd writes it.
const USERS: &str = "gate:$2y$05$stagegatestagegatesta.dBZf4fhPXDsAM0wlL//GC5Pc.rs8zUq\n";
/// The same for `auths` of Docker's config.json.
pub(crate) const LOGIN: &str = "Z2F0ZTpvbmx5LWZvci10aGlzLXRlc3QtcnVu";

/// Returns whether there is a registry to prove anything with, and reports why not.
pub(crate) fn is_there() -> bool {
    let there = Path::new(PROGRAM).is_file();
    if !there {
        let _ = writeln!(std::io::stderr(), "skipped: {PROGRAM} is not installed (scripts/setup.sh --registry)");
    }
    there
}

/// Whom a registry lets in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Anybody,
    /// The one user.
    Login,
    /// Everybody, over TLS with a certificate that nobody signed.
    SelfSigned,
}

/// A registry, and the folder with its images; both go at the end.
pub(crate) struct Registry {
    child: Option<Child>,
    root: PathBuf,
    address: String,
}

impl Registry {
    /// Starts one at a loopback address, to which Docker Engine needs no TLS.
    pub(crate) fn start(root: &Path) -> Self {
        Self::at(root, "127.0.0.1", Access::Anybody)
    }

    /// Starts one at an address of this machine.
    pub(crate) fn at(root: &Path, host: &str, access: Access) -> Self {
        let root = root.join(format!("registry-{host}"));
        fs::create_dir_all(root.join("data")).unwrap();
        fs::write(root.join("users"), USERS).unwrap();
        let mut registry = Registry { child: None, root, address: format!("{host}:{}", free_port()) };
        registry.restart(access);
        registry
    }

    /// Returns its address, as images name it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Starts it again with the images that it has.
    pub(crate) fn restart(&mut self, access: Access) {
        self.stop();
        let root = self.root.display();
        let more = match access {
            Access::Anybody => String::new(),
            Access::Login => format!("auth: {{htpasswd: {{realm: proof, path: {root}/users}}}}\n"),
            Access::SelfSigned => {
                let subject = ["-subj", "/CN=registry"];
                let mut certificate = Command::new("openssl");
                certificate.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]).args(subject);
                run(certificate.arg("-keyout").arg(self.root.join("key")).arg("-out").arg(self.root.join("cert")));
                String::new()
            }
        };
        let tls = if access == Access::SelfSigned {
            format!(", tls: {{certificate: {root}/cert, key: {root}/key}}")
        } else {
            String::new()
        };
        let config = format!(
            "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {root}/data}}, \
             delete: {{enabled: true}}}}\nhttp: {{addr: \"{}\"{tls}}}\n{more}",
            self.address
        );
        fs::write(self.root.join("config.yml"), config).unwrap();
        let log = fs::File::create(self.root.join("log")).unwrap();
        let mut server = Command::new(PROGRAM);
        server.arg("serve").arg(self.root.join("config.yml")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(server.spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(&self.address).is_err() {
            let log = fs::read_to_string(self.root.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "the registry does not listen: {log}");
            sleep(Duration::from_millis(50));
        }
    }

    /// Ends it.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Pushes an image under a name of this registry, and leaves none of its names on this host; returns its digest.
    pub(crate) fn push(&self, image: &str, name: &str) -> String {
        let target = format!("{}/{name}", self.address);
        run(Command::new("docker").args(["tag", image, &target]));
        let pushed = run(Command::new("docker").args(["push", &target]));
        let text = String::from_utf8_lossy(&pushed.stdout).into_owned();
        let digest =
            text.lines().last().and_then(|line| line.split_whitespace().find(|word| word.starts_with("sha256:")));
        let digest = digest.unwrap_or_else(|| panic!("docker push printed no digest: {text}")).to_owned();
        forget(&target);
        digest
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Removes a name of an image from this host.
pub(crate) fn forget(name: &str) {
    let _ = Command::new("docker").args(["image", "rm", "--force", name]).output();
}

/// What a failing registry does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It responds to everything with a status and a body, as JSON.
    Status(u16, &'static str),
    /// It accepts connections, and closes them in the middle of a response.
    Dies,
    /// It sends its response byte by byte, for ever.
    Drips,
}

/// A registry that fails; it ends with this value.
pub(crate) struct Failing {
    pub(crate) address: String,
    is_over: Arc<AtomicBool>,
}

impl Failing {
    pub(crate) fn start(host: &str, fault: Fault) -> Self {
        let address = format!("{host}:{}", free_port());
        let listener = TcpListener::bind(&address).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let over = Arc::clone(&over);
                std::thread::spawn(move || drop(respond(stream, fault, &over)));
            }
        });
        Failing { address, is_over }
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(&self.address);
    }
}

fn respond(mut stream: TcpStream, fault: Fault, over: &AtomicBool) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let (mut head, mut byte) = (Vec::new(), [0; 1]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
        // The first byte of TLS.
        if head == [0x16] {
            return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    }
    match fault {
        Fault::Status(status, body) => {
            let login = if status == 401 { "WWW-Authenticate: Basic realm=\"x\"\r\n" } else { "" };
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n{login}Content-Length: {length}\r\n\r\n"
            )?;
            if head.starts_with(b"HEAD") { Ok(()) } else { stream.write_all(body.as_bytes()) }
        }
        Fault::Dies => write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{{"),
        Fault::Drips => {
            let kind = "application/vnd.docker.distribution.manifest.v2+json";
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 100000\r\n\r\n")?;
            while !over.load(Ordering::Relaxed) {
                stream.write_all(b" ")?;
                sleep(Duration::from_millis(200));
            }
            Ok(())
        }
    }
}
