//! The sample stack's images: each one holds the binary of its own sources, whatever time stamps and labels say.
//!
//! The trees are laid as `scripts/demo.sh` lays them, from an archive, whose files are as old as the commit. Compiled
//! dependencies are shared with the other builds of this machine; images have a name of their own.

use std::{fs, path::PathBuf, process::Command};

use crate::world::{Ended, checkout, ended, run};

/// Trees of the releases v1 and v2, and a name for images that nothing else uses.
struct Releases {
    root: PathBuf,
    name: String,
}

impl Releases {
    fn new(test: &str) -> Self {
        let name = format!("stagegate-proof-{test}-{}/api", std::process::id());
        let root = std::env::temp_dir().join(name.replace('/', "-"));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        let releases = Releases { root, name };
        let shop = releases.root.join("shop");
        run(Command::new(checkout().join("fixtures/shop/releases/make-repo.sh"))
            .arg(&shop)
            .env("SHOP_IMAGE", &releases.name));
        for release in ["v1", "v2"] {
            let (tree, archive) = (releases.tree(release), releases.root.join("archive.tar"));
            fs::create_dir_all(&tree).unwrap();
            run(Command::new("git").arg("-C").arg(&shop).args(["archive", release, "--output"]).arg(&archive));
            run(Command::new("tar").arg("-C").arg(&tree).arg("-xf").arg(&archive));
        }
        releases
    }

    fn tree(&self, release: &str) -> PathBuf {
        self.root.join(release)
    }

    fn image(&self, version: &str) -> String {
        format!("{}:{version}", self.name)
    }

    /// Builds the images of some releases, in this order.
    fn build(&self, releases: &[&str]) -> Ended {
        let mut build = Command::new(checkout().join("fixtures/shop/build.sh"));
        build.args(releases.iter().map(|release| self.tree(release))).env("SHOP_IMAGE", &self.name);
        ended(&build.output().unwrap())
    }

    fn build_ok(&self, releases: &[&str]) -> String {
        let built = self.build(releases);
        assert_eq!(built.code, Some(0), "{}", built.text);
        built.text
    }

    /// Returns what a program of an image's container prints.
    fn output(&self, version: &str, program: &str, argument: &str) -> Vec<u8> {
        let image = self.image(version);
        run(Command::new("docker").args([
            "run",
            "--rm",
            "--network",
            "none",
            "--entrypoint",
            program,
            &image,
            argument,
        ]))
        .stdout
    }

    fn revision(&self, version: &str) -> String {
        String::from_utf8(self.output(version, "api", "--revision")).unwrap().trim().to_owned()
    }

    /// True where an image's binary was compiled with the file `VERSION` of that version.
    fn holds(&self, version: &str) -> bool {
        let text = format!("{version}\n");
        self.output(version, "cat", "/usr/local/bin/api").windows(text.len()).any(|bytes| bytes == text.as_bytes())
    }
}

impl Drop for Releases {
    fn drop(&mut self) {
        for version in ["1.0.0", "2.0.0"] {
            let _ = Command::new("docker").args(["image", "rm", "--force", &self.image(version)]).output();
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn releases_with_old_time_stamps_are_compiled_each_from_its_own_sources() {
    let releases = Releases::new("old");
    releases.build_ok(&["v1", "v2"]);
    for version in ["1.0.0", "2.0.0"] {
        assert!(releases.holds(version), "the binary of {version} was compiled from other sources");
    }
    let (first, second) = (releases.revision("1.0.0"), releases.revision("2.0.0"));
    assert_ne!(first, second);
    // Back to the first one, in the same target directory.
    run(Command::new("docker").args(["image", "rm", &releases.image("1.0.0")]));
    releases.build_ok(&["v1"]);
    assert!(releases.holds("1.0.0"));
    assert_eq!(releases.revision("1.0.0"), first);
}

#[test]
fn an_image_with_the_right_labels_and_another_binary_is_built_again() {
    let releases = Releases::new("wrong");
    releases.build_ok(&["v1", "v2"]);
    let right = releases.revision("2.0.0");
    let labels = run(Command::new("docker")
        .args(["image", "inspect", "--format", "{{json .Config.Labels}}"])
        .arg(releases.image("2.0.0")));
    let labels: std::collections::BTreeMap<String, String> = serde_json::from_slice(&labels.stdout).unwrap();
    let dockerfile = releases.root.join("Dockerfile");
    fs::write(&dockerfile, format!("FROM {}\n", releases.image("1.0.0"))).unwrap();
    let mut build = Command::new("docker");
    build.env("DOCKER_BUILDKIT", "0").args(["build", "--tag", &releases.image("2.0.0")]);
    for (label, value) in &labels {
        build.arg("--label").arg(format!("{label}={value}"));
    }
    // The folder of the sources is a context like another one.
    run(build.arg("--file").arg(&dockerfile).arg(releases.root.join("v1")));
    assert_ne!(releases.revision("2.0.0"), right, "the image was to be a wrong one");

    let reported = releases.build_ok(&["v2"]);
    assert!(reported.contains("building"), "{reported}");
    assert_eq!(releases.revision("2.0.0"), right);
    assert!(releases.holds("2.0.0"));
    let reported = releases.build_ok(&["v2"]);
    assert!(reported.contains("is up to date"), "{reported}");
}

#[test]
fn a_binary_that_reports_another_revision_gets_no_image() {
    let releases = Releases::new("other");
    let main = releases.tree("v2").join("api/src/main.rs");
    let text = fs::read_to_string(&main).unwrap();
    assert!(text.contains("config::REVISION"), "{text}");
    fs::write(&main, text.replace("config::REVISION", "\"0123456789ab\"")).unwrap();
    let built = releases.build(&["v2"]);
    assert_eq!(built.code, Some(1), "{}", built.text);
    let printed = format!(
        "error: the binary for {} reports revision `0123456789ab`, and its sources are `",
        releases.image("2.0.0")
    );
    assert_eq!(built.text.lines().filter(|line| line.contains("error")).count(), 1, "{}", built.text);
    assert!(built.text.contains(&printed), "{}", built.text);
    let found = Command::new("docker").args(["image", "inspect", &releases.image("2.0.0")]).output().unwrap();
    assert!(!found.status.success(), "an image was named");
}
