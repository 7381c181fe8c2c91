//! The compose audit on files that real Compose resolves, and on containers that the real Engine made.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use stagegate_base::{command::compose::Source, waiver::Waivers};
use stagegate_host::{engine::Engine, process::Runner};
use stagegate_policy_act::audit;
use stagegate_policy_decide::rules::{self as policy, Facts, Finding, Rule};

use crate::world::checkout;

const TODAY: &str = "2026-06-30";

fn fixture(rule: &str, which: &str) -> PathBuf {
    checkout().join("fixtures/policy").join(rule).join(which)
}

async fn facts(files: &[PathBuf], project: &str) -> Facts {
    let images = checkout().join(".stagegate/images.env");
    let source = Source {
        project: project.to_owned(),
        dir: files[0].parent().unwrap().to_path_buf(),
        files: files.to_vec(),
        env_files: Some(images).filter(|file| file.is_file()).into_iter().collect(),
    };
    audit::of_source(&Runner::default(), "fixture", &source).await.unwrap()
}

/// Audits a folder's compose file, without an Engine: what images declare depends on the machine.
async fn audited(folder: &Path) -> Vec<Finding> {
    let facts = facts(&[folder.join("docker-compose.yml")], "fixture").await;
    policy::audit(&facts, &stagegate_host::waivers::read(folder, &[]).unwrap(), TODAY)
}

/// Returns rule and service of each finding that no waiver covers, and each pair once.
fn reported(findings: &[Finding]) -> Vec<(&str, &str)> {
    let open = findings.iter().filter(|finding| finding.is_open());
    let mut reported: Vec<(&str, &str)> = open.map(|finding| (&*finding.code, policy::service_of(finding))).collect();
    reported.dedup();
    reported
}

fn rules() -> impl Iterator<Item = &'static Rule> {
    policy::rules().into_iter().filter(|rule| rule.id != "drift")
}

#[tokio::test]
async fn each_rule_fires_on_its_bad_file_alone_and_nothing_on_the_good_one() {
    for rule in rules() {
        let bad = audited(&fixture(rule.id, "bad")).await;
        // An expired waiver covers nothing any more, so what it covered is reported again.
        let again: &[_] = if rule.id == "waiver-expired" { &[("user-root", "web")] } else { &[] };
        let want = [again, &[(rule.id, "web")]].concat();
        assert_eq!(reported(&bad), want, "{}/bad", rule.id);
        assert!(bad.iter().all(|finding| finding.place.file.is_some()), "{}/bad has no place", rule.id);
        let good = audited(&fixture(rule.id, "good")).await;
        assert_eq!(reported(&good), [], "{}/good", rule.id);
    }
}

#[tokio::test]
async fn the_lines_to_add_fix_what_they_are_for() {
    let scratch = std::env::temp_dir().join(format!("proof-policy-fix-{}", std::process::id()));
    fs::create_dir_all(&scratch).unwrap();
    let mut mended = 0;
    for rule in rules() {
        let bad = fixture(rule.id, "bad").join("docker-compose.yml");
        let lines = policy::lines_to_add(&audited(&fixture(rule.id, "bad")).await);
        if lines.is_empty() {
            continue;
        }
        let added = scratch.join(format!("{}.yml", rule.id));
        fs::write(&added, &lines).unwrap();
        let facts = facts(&[bad, added], "fixture").await;
        assert_eq!(facts.refusal, None, "{}:\n{lines}", rule.id);
        let left = policy::audit(&facts, &Waivers::default(), TODAY);
        // `security_opt` is a list, to which a merge adds: what is wrong in it stays to be removed.
        assert!(!reported(&left).contains(&(rule.id, "web")), "{}:\n{lines}", rule.id);
        mended += 1;
    }
    fs::remove_dir_all(&scratch).unwrap();
    assert!(mended >= 6, "only {mended} rules have lines to add");
}

#[tokio::test]
async fn a_missing_env_file_of_an_inactive_profile_leaves_the_other_services_checked() {
    let scratch = std::env::temp_dir().join(format!("proof-policy-profile-{}", std::process::id()));
    fs::create_dir_all(&scratch).unwrap();
    let file = scratch.join("docker-compose.yml");
    let debug = "  debug:\n    image: example.org/web:1\n    profiles: [debug]\n    env_file: .env.debug\n";
    fs::write(&file, format!("services:\n  web:\n    image: example.org/web:1\n    privileged: true\n{debug}"))
        .unwrap();
    let facts = facts(&[file], "fixture").await;
    fs::remove_dir_all(&scratch).unwrap();
    assert_eq!(facts.refusal, None);
    assert!(facts.left_out.as_ref().is_some_and(|reason| reason.contains(".env.debug")), "{:?}", facts.left_out);
    let findings = policy::audit(&facts, &Waivers::default(), TODAY);
    assert!(reported(&findings).contains(&("privileged", "web")), "{findings:?}");
}

/// Containers that are made and never started, taken away at the end.
struct Made(String);

impl Drop for Made {
    fn drop(&mut self) {
        let down = ["compose", "--project-name", &self.0, "down", "--volumes", "--remove-orphans"];
        let _ = Command::new("docker").args(down).output();
    }
}

fn make(project: &str, which: &str) -> Made {
    let made = Made(project.to_owned());
    let output = Command::new("docker")
        .args(["compose", "--project-name", project, "--env-file"])
        .arg(checkout().join(".stagegate/images.env"))
        .arg("--file")
        .arg(fixture("drift", which).join("docker-compose.yml"))
        .args(["create", "--pull", "never"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    made
}

#[tokio::test]
async fn a_container_that_is_not_as_the_file_wants_it_is_reported_field_by_field() {
    let project = format!("proof-policy-{}", std::process::id());
    let engine = Engine::connect().await.unwrap();
    let compared = async || {
        let mut facts = facts(&[fixture("drift", "good").join("docker-compose.yml")], &project).await;
        audit::read_images(&mut facts, &engine).await.unwrap();
        audit::read_containers(&mut facts, &engine, &project).await.unwrap();
        policy::audit(&facts, &Waivers::default(), TODAY)
    };
    let made = make(&project, "good");
    let same = compared().await;
    let drift = |all: &[Finding]| -> Vec<String> {
        all.iter()
            .filter(|f| f.code == "drift")
            .map(|f| format!("{} | {} | {}", policy::service_of(f), f.expected, f.found))
            .collect()
    };
    assert_eq!(drift(&same), [""; 0]);
    drop(made);

    let made = make(&project, "bad");
    let other = compared().await;
    drop(made);
    let lines = drift(&other).join("\n");
    for want in [
        "cache | REGION as in the file | another value",
        "cache | ADDED not set | set",
        "cache | `redis-server` and 2 arguments | other arguments",
        "cache | unless-stopped | always",
        "cache | false | true",
        "cache | 67108864 bytes of memory | 33554432",
        "_data:/data | ",
        "forgotten | only containers of services in the files",
    ] {
        assert!(lines.contains(want), "`{want}` is missing in:\n{lines}");
    }
    assert!(!lines.contains("south-of-nowhere"), "a value is told:\n{lines}");
    assert!(!lines.contains("PRICE"), "an escaped value is taken for another one:\n{lines}");
    let privileged = other.iter().find(|finding| finding.code == "privileged").unwrap();
    assert_eq!(privileged.place.object, format!("{project}-cache-1"));
}
