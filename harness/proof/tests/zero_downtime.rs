//! Requests at the published port while a release comes in, goes back, fails, and while the gate is killed: none fails.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{JoinHandle, sleep},
    time::Duration,
};

use crate::ports::free_port;
use crate::world::{Ended, IDENTITY, checkout, ended, gate, run};

const COMPOSE: &str = r#"services:
  web:
    image: NGINX
    ports: ["127.0.0.1:${WEB_PORT:?}:80"]
    volumes: ["./${CONF:-conf}:/etc/nginx/conf.d:ro"]
    environment: { RELEASE: v1 }
    healthcheck: { test: ["CMD", "curl", "-fsS", "http://127.0.0.1/release"], interval: 500ms, timeout: 2s, retries: 20 }
    stop_grace_period: 3s
  mirror:
    image: NGINX
    depends_on: { web: { condition: service_healthy } }
"#;

/// `/slow` takes about two seconds: 615 bytes of the page at 256 a second.
const CONF: &str = r#"server {
  listen 80;
  keepalive_timeout 300s;
  default_type text/plain;
  location = /release { return 200 "v1"; }
  location = /ping { root /usr/share/nginx/html; try_files /index.html =500; }
  location = /slow { root /usr/share/nginx/html; try_files /index.html =500; limit_rate 256; }
}
"#;

struct Product {
    root: PathBuf,
    name: String,
    port: u16,
}

impl Product {
    fn new(name: &str) -> Self {
        Self::replaced(name, "blue-green")
    }

    /// Makes the product, whose service is replaced in production by `strategy`.
    fn replaced(name: &str, strategy: &str) -> Self {
        let name = format!("proof-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(&name);
        let _ = fs::remove_dir_all(&root);
        let product = Product { root, name, port: free_port() };
        for folder in ["conf", "conf-production"] {
            fs::create_dir_all(product.repo().join(folder)).unwrap();
            fs::write(product.repo().join(folder).join("default.conf"), CONF).unwrap();
        }
        let images = fs::read_to_string(checkout().join(".stagegate/images.env")).unwrap();
        let image = |key: &str| {
            let found = images.lines().find_map(|line| line.strip_prefix(key));
            found.unwrap_or_else(|| panic!("images.env has no {key}; run scripts/setup.sh")).to_owned()
        };
        let compose = COMPOSE.replace("NGINX", &image("NGINX_IMAGE="));
        fs::write(product.repo().join("docker-compose.yml"), compose).unwrap();
        fs::write(product.repo().join("stagegate.toml"), product.config(strategy, &image("HAPROXY_IMAGE="))).unwrap();
        fs::write(product.root.join("staging.env"), format!("WEB_PORT={}\n", free_port())).unwrap();
        fs::write(product.root.join("production.env"), format!("WEB_PORT={}\nCONF=conf-production\n", product.port))
            .unwrap();
        product.git(&["init", "--quiet"]);
        product.commit("v1");
        product
    }

    fn config(&self, strategy: &str, proxy: &str) -> String {
        format!(
            "[project]\nname = \"{}\"\nstate_dir = \"../state\"\n\
             [environments.staging]\nworkdir = \"../staging\"\nenv_file = \"../staging.env\"\n\
             [environments.production]\nworkdir = \"../production\"\nenv_file = \"../production.env\"\n\
             rollout = {{ web = \"{strategy}\" }}\n[rollout]\nimage = \"{proxy}\"\ndrain = \"10s\"\n\
             [services.web]\nport = 80\nhealth = \"/ping\"\n\
             [severity]\npolicy = \"info\"\nsecurity = \"info\"\nisolation = \"info\"\n\
             [gate]\nsoak = \"1s\"\ncross_versions = \"off\"\nwatchdog = false\n",
            self.name
        )
    }

    fn repo(&self) -> PathBuf {
        self.root.join("repo")
    }

    fn git(&self, args: &[&str]) {
        run(Command::new("git").arg("-C").arg(self.repo()).args(IDENTITY).args(args));
    }

    fn commit(&self, tag: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", tag]);
        self.git(&["tag", tag]);
    }

    /// Adds a release: v1 with its own name, and `changes` (file, from, to).
    fn release(&self, tag: &str, changes: &[(&str, &str, &str)]) {
        self.git(&["checkout", "--quiet", "v1"]);
        let own = [
            ("docker-compose.yml", "RELEASE: v1", "RELEASE: NEW"),
            ("conf/default.conf", "200 \"v1\"", "200 \"NEW\""),
            ("conf-production/default.conf", "200 \"v1\"", "200 \"NEW\""),
        ];
        for (file, from, to) in own.iter().chain(changes) {
            let path = self.repo().join(file);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{file} has no `{from}`");
            fs::write(&path, text.replacen(from, &to.replace("NEW", tag), 1)).unwrap();
        }
        self.commit(tag);
        self.git(&["checkout", "--quiet", "-"]);
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(gate());
        command.args(args).current_dir(self.repo()).env_remove("STAGEGATE_STATE_DIR").env_remove("STAGEGATE_ENV");
        command
    }

    fn gate(&self, args: &[&str]) -> Ended {
        ended(&self.command(args).output().unwrap())
    }

    fn gate_ok(&self, args: &[&str]) -> String {
        let ended = self.gate(args);
        assert_eq!(ended.code, Some(0), "gate {args:?}:\n{}", ended.text);
        ended.text
    }

    /// Promotes a release, while `meanwhile` (`done verify`, a command) happens.
    fn promote(&self, release: &str, meanwhile: Option<(&str, &str)>) -> Ended {
        self.gate_ok(&["up", "--env", "staging", "--release", release]);
        let mut command = self.command(&["promote", "--from", "staging", "--to", "production", "--yes"]);
        if let Some((after, what)) = meanwhile {
            command.env("STAGEGATE_RUN_AFTER", after).env("STAGEGATE_RUN_COMMAND", what);
        }
        ended(&command.output().unwrap())
    }

    fn live(&self) -> String {
        let mut stream = connect(self.port).unwrap();
        get(&mut stream, "/release").unwrap()
    }

    /// Returns the names of production's containers without the project's.
    fn containers(&self) -> Vec<String> {
        let project = format!("{}-production", self.name);
        let filter = format!("label=com.docker.compose.project={project}");
        let listed = run(Command::new("docker").args(["ps", "--all", "--format", "{{.Names}}", "--filter", &filter]));
        let names = String::from_utf8(listed.stdout).unwrap();
        names.lines().map(|name| name.replacen(&format!("{project}-"), "", 1)).collect()
    }

    /// Asserts that one container of the service is left, as the gate and Compose see it.
    fn assert_tidy(&self, release: &str) {
        assert_eq!(self.live(), release);
        let containers = self.containers();
        let web: Vec<&String> = containers.iter().filter(|name| name.starts_with("web-")).collect();
        assert!(web.len() == 1 && !web[0].ends_with(".retired"), "{containers:?}");
        let status = self.command(&["status", "--env", "production", "--json"]).output().unwrap().stdout;
        let status: serde_json::Value = serde_json::from_slice(&status).unwrap();
        assert_eq!((&status["drift"], &status["unfinished_run"]), (&serde_json::json!([]), &serde_json::Value::Null));
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        for environment in ["staging", "production"] {
            let project = format!("{}-{environment}", self.name);
            let down =
                ["compose", "--project-name", &project, "down", "--volumes", "--remove-orphans", "--timeout", "1"];
            let _ = Command::new("docker").args(down).output();
        }
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Requests a path on an open connection and returns the body; anything but 200 is an error.
fn get(stream: &mut TcpStream, path: &str) -> std::io::Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n")?;
    let (mut bytes, mut one) = (Vec::new(), [0; 1]);
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut one)?;
        bytes.push(one[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    let mut body = vec![0; length.ok_or_else(|| std::io::Error::other(head.clone()))?];
    stream.read_exact(&mut body)?;
    match head.starts_with("http/1.1 200") {
        true => Ok(String::from_utf8_lossy(&body).into_owned()),
        false => Err(std::io::Error::other(head)),
    }
}

/// Clients that keep their connections: none is ever closed by the other side, and each request gets its response.
struct Load {
    ended: Arc<AtomicBool>,
    requests: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    const CLIENTS: u64 = 15;

    /// 15 clients with some 8 requests a second each, every fiftieth one slow.
    fn start(port: u16) -> Self {
        let (ended, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |number: u64| {
            let (ended, requests) = (Arc::clone(&ended), Arc::clone(&requests));
            std::thread::spawn(move || {
                let (mut failures, mut sent) = (Vec::new(), number * 3);
                let mut stream = connect(port).unwrap();
                while !ended.load(Ordering::Relaxed) {
                    sent += 1;
                    requests.fetch_add(1, Ordering::Relaxed);
                    if let Err(error) = get(&mut stream, if sent % 50 == 0 { "/slow" } else { "/release" }) {
                        failures.push(error.to_string());
                        let Ok(again) = connect(port) else { break };
                        stream = again;
                    }
                    sleep(Duration::from_millis(125));
                }
                failures
            })
        };
        let clients = (0..Self::CLIENTS).map(client).collect();
        Load { ended, requests, clients }
    }

    /// Ends it and returns how many requests there were, and which failed.
    fn end(self) -> (u64, Vec<String>) {
        self.ended.store(true, Ordering::Relaxed);
        let failures = self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        (self.requests.load(Ordering::Relaxed), failures)
    }
}

#[test]
fn no_request_fails_while_releases_come_in_go_back_and_fail() {
    let product = Product::new("zero");
    product.release("v2", &[]);
    // Passes in staging, and lacks a path in production.
    product.release("v3", &[("conf-production/default.conf", "/ping {", "/pong {")]);
    for environment in ["staging", "production"] {
        product.gate_ok(&["up", "--env", environment, "--release", "v1"]);
    }
    product.assert_tidy("v1");
    let load = Load::start(product.port);

    let promoted = product.promote("v2", None);
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    assert!(promoted.text.contains("rollout   web without downtime"), "{}", promoted.text);
    assert!(promoted.text.contains("web moved, drained in"), "{}", promoted.text);
    product.assert_tidy("v2");

    let back = product.gate_ok(&["rollback", "--env", "production", "--yes"]);
    assert!(back.contains("web moved, drained in"), "{back}");
    product.assert_tidy("v1");

    let undone = product.promote("v3", None);
    assert_eq!(undone.code, Some(5), "{}", undone.text);
    assert!(undone.text.contains("verify failed") && !undone.text.contains("moved back"), "{}", undone.text);
    product.assert_tidy("v1");

    // Its health path fails once it has the requests, which it still answers.
    let project = format!("{}-production", product.name);
    let newest = format!(
        "docker ps --quiet --filter label=com.docker.compose.project={project} \
         --filter label=com.docker.compose.service=web"
    );
    let spoil = format!("docker exec $({newest} | head -n 1) rm /usr/share/nginx/html/index.html");
    let undone = product.promote("v2", Some(("begun MoveTraffic", &spoil)));
    assert_eq!(undone.code, Some(5), "{}", undone.text);
    assert!(
        undone.text.contains("move traffic failed") && undone.text.contains("web moved back in"),
        "{}",
        undone.text
    );
    product.assert_tidy("v1");

    let (requests, failures) = load.end();
    assert!(requests > 1_000, "only {requests} requests");
    // The spoiled container has no page for slow requests, which is its own failure.
    let own = |failure: &String| failure.starts_with("http/1.1 500");
    let failed: Vec<&String> = failures.iter().filter(|failure| !own(failure)).collect();
    assert!(failed.is_empty(), "{} of {requests} failed: {:?}", failed.len(), failed.first());
}

#[test]
fn a_gate_that_is_killed_leaves_the_earlier_or_the_new_release_and_no_request_fails() {
    let product = Product::new("zerokill");
    product.release("v2", &[]);
    for environment in ["staging", "production"] {
        product.gate_ok(&["up", "--env", environment, "--release", "v1"]);
    }
    let load = Load::start(product.port);
    for (after, live) in [("done Deploy", "v1"), ("done MoveTraffic", "v1"), ("begun OpenPorts", "v2")] {
        let killed = product.promote("v2", Some((after, "kill -9 $PPID")));
        assert_eq!(killed.code, None, "{after}: {}", killed.text);
        assert!(product.containers().iter().any(|name| name.ends_with(".retired")), "{after}");
        let resumed = product.gate(&["resume", "--env", "production"]);
        assert!(resumed.code == Some(if live == "v1" { 5 } else { 0 }), "{after}: {}", resumed.text);
        product.assert_tidy(live);
    }
    let (requests, failures) = load.end();
    assert!(requests > 1_000, "only {requests} requests");
    assert!(failures.is_empty(), "{} of {requests} failed: {:?}", failures.len(), failures.first());
}

#[test]
fn what_cannot_run_twice_is_refused_before_anything_is_touched() {
    let product = Product::new("zerorefused");
    let named = format!("    container_name: {}-one\n    environment:", product.name);
    product.release("v2", &[("docker-compose.yml", "    environment:", &named)]);
    for environment in ["staging", "production"] {
        product.gate_ok(&["up", "--env", environment, "--release", "v1"]);
    }
    let before = product.containers();
    let refused = product.promote("v2", None);
    assert_eq!(refused.code, Some(3), "{}", refused.text);
    let wanted = format!("`container_name: {}-one`", product.name);
    assert!(refused.text.contains(&wanted), "{}", refused.text);
    assert_eq!((product.containers(), product.live().as_str()), (before, "v1"));
    let up = product.gate(&["up", "--env", "production", "--release", "v2"]);
    assert!(up.code == Some(2) && up.text.contains(&wanted), "{:?}: {}", up.code, up.text);
    assert_eq!(product.live(), "v1");
}

#[test]
fn a_canary_that_fails_now_and_then_is_stopped_and_one_that_is_as_good_gets_all_requests() {
    let product = Product::replaced("canary", "canary");
    for release in ["v2", "v4"] {
        product.release(release, &[]);
    }
    // Five requests in 256 fail, which no check finds.
    let failing = "location = /release { if ($request_id ~ \"^0[0-4]\") { return 500; }";
    product.release("v3", &[("conf-production/default.conf", "location = /release {", failing)]);
    for environment in ["staging", "production"] {
        product.gate_ok(&["up", "--env", environment, "--release", "v1"]);
    }
    let load = Load::start(product.port);
    let stopped = product.promote("v3", None);
    let (requests, failures) = load.end();
    assert_eq!(stopped.code, Some(5), "{}", stopped.text);
    assert!(
        stopped.text.contains("canary of `web` at ") && stopped.text.contains("web moved back in"),
        "{}",
        stopped.text
    );
    product.assert_tidy("v1");
    // 2,000 requests to the new container would have met 40 of them; the live one fails none.
    assert!((2..=40).contains(&failures.len()), "{} of {requests} failed", failures.len());

    let load = Load::start(product.port);
    let promoted = product.promote("v2", None);
    let (requests, failures) = load.end();
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    assert!(promoted.text.contains("canary web: 0 of "), "{}", promoted.text);
    assert!(failures.is_empty(), "{} of {requests} failed: {:?}", failures.len(), failures.first());
    product.assert_tidy("v2");

    // Nobody uses it: the gate makes the requests.
    let promoted = product.promote("v4", None);
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    assert!(promoted.text.contains("canary web: 0 of "), "{}", promoted.text);
    product.assert_tidy("v4");
}
