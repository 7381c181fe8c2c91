//! Images that only a registry has: what was tested is promoted, whatever a tag names by then; what cannot be pulled blocks
//! before anything is touched; and a rollback needs no registry while this host has the images, and their digests once it
//! has not.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    ports::free_port,
    registry_server::{Access, Failing, Fault, LOGIN, Registry, forget, is_there},
    world::{Ended, IDENTITY, PASSWORD, checkout, ended, gate, run},
};

struct Product {
    root: PathBuf,
    name: String,
}

impl Product {
    fn new(name: &str, gate: &str) -> Self {
        let name = format!("proof-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(&name);
        let _ = fs::remove_dir_all(&root);
        let product = Product { root, name };
        fs::create_dir_all(product.repo()).unwrap();
        let environment =
            |name: &str| format!("[environments.{name}]\nworkdir = \"../{name}\"\nenv_file = \"../{name}.env\"\n");
        let config = format!(
            "[project]\nname = \"{}\"\nstate_dir = \"../state\"\n{}{}[services.web]\nport = 80\nhealth = \"/\"\n\
             [severity]\npolicy = \"info\"\nsecurity = \"info\"\nisolation = \"info\"\n\
             [gate]\nsoak = \"0s\"\ncross_versions = \"off\"\nwatchdog = false\n{gate}",
            product.name,
            environment("staging"),
            environment("production"),
        );
        fs::write(product.repo().join("stagegate.toml"), config).unwrap();
        for environment in ["staging", "production"] {
            product.set(environment, &format!("WEB_PORT={}\n", free_port()));
        }
        product.git(&["init", "--quiet"]);
        product
    }

    fn repo(&self) -> PathBuf {
        self.root.join("repo")
    }

    fn set(&self, environment: &str, variables: &str) {
        fs::write(self.root.join(format!("{environment}.env")), variables).unwrap();
    }

    fn git(&self, args: &[&str]) -> String {
        let output = run(Command::new("git").arg("-C").arg(self.repo()).args(IDENTITY).args(args));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Adds a release whose `web` has these further lines.
    fn release(&self, tag: &str, web: &str, services: &str) {
        let compose = format!(
            "services:\n  web:\n    ports: [\"127.0.0.1:${{WEB_PORT:?}}:80\"]\n    environment: {{ RELEASE: {tag} }}\n{web}{services}"
        );
        fs::write(self.repo().join("docker-compose.yml"), compose).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", tag]);
        self.git(&["tag", tag]);
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(gate());
        command.args(args).current_dir(self.repo()).env_remove("STAGEGATE_STATE_DIR").env_remove("STAGEGATE_ENV");
        command
    }

    fn gate(&self, args: &[&str]) -> Ended {
        ended(&self.command(args).output().unwrap())
    }

    fn gate_ok(&self, args: &[&str]) {
        let ended = self.gate(args);
        assert_eq!(ended.code, Some(0), "gate {args:?}:\n{}", ended.text);
    }

    fn up(&self, environment: &str, release: &str) -> Ended {
        self.gate(&["up", "--env", environment, "--release", release])
    }

    fn promote(&self) -> Ended {
        self.gate(&["promote", "--from", "staging", "--to", "production", "--yes"])
    }

    /// Returns the containers of an environment's services, each with the id of its image.
    fn running(&self, environment: &str) -> Vec<String> {
        let filter = format!("label=com.docker.compose.project={}-{environment}", self.name);
        let list = ["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter];
        let ids = String::from_utf8(run(Command::new("docker").args(list)).stdout).unwrap();
        let show = ["inspect", "--format", "{{.Image}} {{.Id}}"];
        let shown = run(Command::new("docker").args(show).args(ids.split_whitespace())).stdout;
        let mut lines: Vec<String> = String::from_utf8(shown).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    fn runs(&self, environment: &str, image: &str) -> bool {
        self.running(environment).iter().any(|line| line.starts_with(image))
    }

    /// Returns whether a file below the state folder contains a text.
    fn state_has(&self, text: &str) -> bool {
        let mut found = Command::new("grep");
        found.args(["--recursive", "--fixed-strings", "--quiet", text]).arg(self.root.join("state"));
        found.status().unwrap().success()
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        for environment in ["staging", "production"] {
            let project = format!("{}-{environment}", self.name);
            let down =
                ["compose", "--project-name", &project, "down", "--volumes", "--remove-orphans", "--timeout", "1"];
            let _ = Command::new("docker").args(down).output();
            for run in fs::read_dir(self.root.join("state").join(&project).join("runs")).into_iter().flatten().flatten()
            {
                names_of(&format!("stagegate/rollback:{}*", run.file_name().to_string_lossy()))
                    .iter()
                    .for_each(|n| forget(n));
            }
        }
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

fn names_of(reference: &str) -> Vec<String> {
    let list = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter"];
    let listed = Command::new("docker").args(list).arg(format!("reference={reference}")).output().unwrap();
    String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect()
}

/// Makes an image of its own on top of nginx, and returns its id.
fn image(name: &str, of: &str) -> String {
    let images = fs::read_to_string(checkout().join(".stagegate/images.env")).unwrap();
    let nginx = images.lines().find_map(|line| line.strip_prefix("NGINX_IMAGE=")).expect("setup.sh names nginx");
    let container = format!("{name}-{of}");
    run(Command::new("docker").args(["create", "--name", &container, "--pull", "never", nginx]));
    let made = run(Command::new("docker").args(["commit", "--change", &format!("ENV MADE={container}"), &container]));
    run(Command::new("docker").args(["rm", "--force", &container]));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

#[test]
fn production_gets_the_image_that_was_tested_and_a_rollback_its_own_with_or_without_a_registry() {
    if !is_there() {
        return;
    }
    let product = Product::new("registry", "");
    let mut registry = Registry::start(&product.root);
    let app = format!("{}/{}/app", registry.address(), product.name);
    let [first, second, third] = ["a", "b", "c"].map(|of| image(&product.name, of));
    let name = format!("{}/app", product.name);
    let digest = registry.push(&first, &format!("{name}:latest"));
    // The same image by its digest, which is all that nobody can move.
    let pinned = format!("  pinned:\n    image: {app}@{digest}\n");
    product.release("v1", &format!("    image: {app}:latest\n"), &pinned);
    forget(&first);
    for environment in ["staging", "production"] {
        product.gate_ok(&["up", "--env", environment, "--release", "v1"]);
        assert!(product.runs(environment, &first), "{environment} has not got the image of the registry");
    }

    // The tag names another image when staging is deployed, and yet another one before the promotion.
    registry.push(&second, &format!("{name}:latest"));
    product.release("v2", &format!("    image: {app}:latest\n    pull_policy: always\n"), &pinned);
    product.gate_ok(&["up", "--env", "staging", "--release", "v2"]);
    assert!(product.runs("staging", &second), "`pull_policy: always` did not pull");
    registry.push(&third, &format!("{name}:latest"));
    forget(&third);
    let promoted = product.promote();
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    assert!(
        product.runs("production", &second) && !product.runs("production", &third),
        "{:?}",
        product.running("production")
    );

    // Nothing that this host has is pulled: neither for a rollback nor for a promotion.
    registry.stop();
    let rollback = ["rollback", "--env", "production", "--yes"];
    product.gate_ok(&rollback);
    assert!(product.runs("production", &first) && !product.runs("production", &second));
    let promoted = product.promote();
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);

    // A clean-up took the image of the rollback point, whose tag names another one by now.
    product.release("v3", &format!("    image: {app}:latest\n    pull_policy: always\n"), "");
    registry.restart(Access::Anybody);
    registry.push(&second, &format!("{name}:latest"));
    product.gate_ok(&["up", "--env", "staging", "--release", "v3"]);
    let promoted = product.promote();
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    rollback_of_a_removed_image(&product, &mut registry, &first);
    // One that was pulled by its digest has no name.
    let list = ["image", "ls", "--quiet", "--no-trunc", "--filter", &format!("reference={app}")];
    let left = run(Command::new("docker").args(list)).stdout;
    String::from_utf8_lossy(&left).lines().for_each(forget);
}

/// Rolls back to a release of which this host has not all images any more.
fn rollback_of_a_removed_image(product: &Product, registry: &mut Registry, removed: &str) {
    forget(removed);
    let still_there = Command::new("docker").args(["image", "inspect", removed]).output().unwrap().status.success();
    assert!(!still_there, "the image is in use");
    let before = product.running("production");
    let rollback = ["rollback", "--env", "production", "--yes"];
    let address = registry.address().to_owned();
    registry.stop();
    let refused = product.gate(&rollback);
    assert_eq!(refused.code, Some(3), "{}", refused.text);
    for part in [&address, "the registry is not reachable", "`docker pull "] {
        assert!(refused.text.contains(part), "no `{part}` in {}", refused.text);
    }
    registry.restart(Access::Login);
    let refused = product.gate(&rollback);
    assert_eq!(refused.code, Some(3), "{}", refused.text);
    assert!(refused.text.contains(&format!("`docker login {address}`")), "{}", refused.text);
    assert_eq!(product.running("production"), before, "something was touched");
    // What the user's Docker knows is used, and shown nowhere.
    let config = product.root.join("docker");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.json"), format!(r#"{{"auths":{{"{address}":{{"auth":"{LOGIN}"}}}}}}"#)).unwrap();
    let rolled_back = ended(&product.command(&rollback).env("DOCKER_CONFIG", &config).output().unwrap());
    assert_eq!(rolled_back.code, Some(0), "{}", rolled_back.text);
    assert!(product.runs("production", removed), "{:?}", product.running("production"));
    for secret in [PASSWORD, LOGIN] {
        assert!(!rolled_back.text.contains(secret) && !product.state_has(secret), "a password is shown");
    }
}

/// Returns an address of this machine to which Docker Engine expects TLS: none of its loopback.
fn own_address() -> String {
    let addresses = String::from_utf8(run(Command::new("hostname").arg("--all-ip-addresses")).stdout).unwrap();
    addresses.split_whitespace().find(|address| address.contains('.')).expect("it has an IPv4 address").to_owned()
}

#[test]
fn an_image_that_cannot_be_pulled_blocks_by_name_before_anything_is_touched() {
    if !is_there() {
        return;
    }
    let product = Product::new("nopull", "pull_within = \"5s\"\n");
    let registry = Registry::start(&product.root);
    let base = image(&product.name, "base");
    let local = format!("{}:local", product.name);
    run(Command::new("docker").args(["tag", &base, &local]));
    registry.push(&base, &format!("{}/app:1", product.name));
    product.release("v1", &format!("    image: {local}\n"), "");
    product.release(
        "v2",
        &format!("    image: {local}\n"),
        "  more:\n    image: ${MORE:-nothing}\n    pull_policy: ${POLICY:-missing}\n    profiles: [more]\n",
    );
    for environment in ["staging", "production"] {
        product.gate_ok(&["up", "--env", environment, "--release", "v1"]);
    }
    let (staging, production) = (product.running("staging"), product.running("production"));
    let host = own_address();
    let signed = Registry::at(&product.root, &host, Access::SelfSigned);
    let fault = |host: &str, fault: Fault| Failing::start(host, fault);
    let failing = [
        (fault("127.0.0.1", Fault::Status(500, "{}")), "the registry failed"),
        (fault("127.0.0.1", Fault::Status(401, "{}")), "`docker login 127.0.0.1:"),
        (fault("127.0.0.1", Fault::Status(200, "<html>")), "what listens there is no registry"),
        (fault("127.0.0.1", Fault::Dies), "cannot be pulled from 127.0.0.1:"),
        (fault("127.0.0.1", Fault::Drips), "`pull_within` in [gate]"),
        (fault(&host, Fault::Status(200, "{}")), "`insecure-registries`"),
    ];
    let absent = format!("{}/{}/app:2", registry.address(), product.name);
    let self_signed = format!("{}/{}/app:1", signed.address(), product.name);
    let gone = format!("127.0.0.1:{}/app:1", free_port());
    let mut cases: Vec<(String, &str)> =
        vec![(absent, "the registry does not have it"), (self_signed, "/etc/docker/certs.d/"), (gone, "not reachable")];
    cases.extend(failing.iter().map(|(failing, part)| (format!("{}/{}/app:1", failing.address, product.name), *part)));
    let port = free_port();
    let extra = |image: &str, more: &str| format!("WEB_PORT={port}\nCOMPOSE_PROFILES=more\nMORE={image}\n{more}");
    for (image, part) in &cases {
        product.set("staging", &extra(image, ""));
        let refused = product.up("staging", "v2");
        assert_eq!(refused.code, Some(4), "{image}: {}", refused.text);
        assert!(
            refused.text.contains(part) && refused.text.contains(image.as_str()),
            "{image}: no `{part}` in {}",
            refused.text
        );
        assert_eq!(product.running("staging"), staging, "{image}");
    }
    // The files that containers may mount are those of the live release again.
    let workdir = product.root.join("staging");
    let head = run(Command::new("git").arg("-C").arg(&workdir).args(["rev-parse", "HEAD"])).stdout;
    assert_eq!(String::from_utf8_lossy(&head).trim(), product.git(&["rev-parse", "v1^{commit}"]));
    // The registry has it, and the compose file forbids to pull it.
    product.set("staging", &extra(&format!("{}/{}/app:1", registry.address(), product.name), "POLICY=never\n"));
    let refused = product.up("staging", "v2");
    assert!(refused.code == Some(2) && refused.text.contains("`pull_policy`"), "{:?} {}", refused.code, refused.text);

    // What only the target runs is pulled while the live release is untouched.
    product.set("staging", &format!("WEB_PORT={port}\n"));
    product.gate_ok(&["up", "--env", "staging", "--release", "v2"]);
    let before = fs::read_to_string(product.root.join("production.env")).unwrap();
    product.set("production", &format!("{before}COMPOSE_PROFILES=more\nMORE={}\n", cases[2].0));
    let blocked = product.promote();
    assert_eq!(blocked.code, Some(3), "{}", blocked.text);
    assert!(blocked.text.contains("service `more`") && blocked.text.contains("not reachable"), "{}", blocked.text);
    assert_eq!(product.running("production"), production);
    forget(&local);
    forget(&base);
}
