use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use rstest::rstest;
use stagegate_base::{config::Config, record::Severity};

use super::*;
use crate::{fixtures, performance, trial::Effect};

const CONFIG: &str = "[project]\nname = \"shop\"\n[environments.open]\n[environments.shut]\nprotected = true\n\
    [services.web]\nport = 80\nhealth = \"/\"\n";
const SAFE_STEP: &str = "[[step]]\nname = \"look\"\nsafe = true\nhttp = { service = \"web\", path = \"/\" }\n";
const STEP: &str = "[[step]]\nname = \"place\"\nhttp = { service = \"web\", path = \"/\", body = \"x\" }\n";

/// A release with workflow files.
struct Release(PathBuf);

impl Release {
    fn new(files: &[(&str, &[u8])]) -> Self {
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("stagegate-workflows-{}-{number}", std::process::id()));
        std::fs::create_dir_all(folder.join(FOLDER)).unwrap();
        for (name, text) in files {
            std::fs::write(folder.join(FOLDER).join(name), text).unwrap();
        }
        Release(folder)
    }

    fn config(&self, more: &str) -> Config {
        Config::parse(&self.0.join("stagegate.toml"), &format!("{CONFIG}{more}")).unwrap()
    }

    fn trials(&self, environment: &str) -> Vec<(String, Effect, Severity)> {
        let config = self.config("");
        let scope = Scope { config: &config, environment: config.environment(environment).unwrap() };
        trials(scope).into_iter().map(|trial| (trial.name, trial.effect, trial.severity)).collect()
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn each_file_is_a_trial_whatever_is_in_it() {
    let warning = format!("severity = \"warning\"\n{STEP}");
    let release = Release::new(&[
        ("read.toml", SAFE_STEP.as_bytes()),
        ("write.toml", warning.as_bytes()),
        ("broken.toml", b"nope"),
        ("bytes.toml", b"\xff\xfe"),
        ("page.hurl", b"GET {{web_url}}/\n"),
        ("notes.txt", b"not a workflow"),
    ]);
    let required = Severity::Required;
    assert_eq!(
        release.trials("open"),
        [
            ("workflows::broken::completes".to_owned(), Effect::Reads, required),
            ("workflows::bytes::completes".to_owned(), Effect::Reads, required),
            ("workflows::page::hurl".to_owned(), Effect::Writes, required),
            ("workflows::read::completes".to_owned(), Effect::Reads, required),
            ("workflows::write::completes".to_owned(), Effect::Writes, Severity::Warning),
        ]
    );
}

#[rstest]
#[case::safe(SAFE_STEP.to_owned(), Severity::Required)]
#[case::both(format!("{STEP}{SAFE_STEP}"), Severity::Required)]
#[case::only_writing(STEP.to_owned(), Severity::Info)]
fn what_cannot_run_in_a_protected_environment_does_not_hold_a_release(#[case] text: String, #[case] want: Severity) {
    let release = Release::new(&[("a.toml", text.as_bytes())]);
    assert_eq!(release.trials("shut"), [("workflows::a::completes".to_owned(), Effect::Reads, want)]);
}

#[test]
fn a_probe_finds_its_workflow_and_is_reported_why_it_cannot_be_run() {
    let release = Release::new(&[("look.toml", SAFE_STEP.as_bytes()), ("broken.toml", b"nope")]);
    let config = release.config("");
    let found = |file: &str| files::find(&config, config.environment("open").unwrap(), Path::new(file));
    assert_eq!(found("workflows/look.toml").unwrap().name, "look");
    let broken = found("workflows/broken.toml").unwrap_err();
    assert!(broken.contains("workflows/broken.toml:1:"), "{broken}");
    let unknown = found("workflows/gone.toml").unwrap_err();
    assert!(unknown.contains("`workflows/gone.toml` is not a workflow file"), "{unknown}");
    assert!(unknown.contains("(known: workflows/look.toml)"), "{unknown}");
}

#[test]
fn a_probe_of_a_workflow_writes_where_one_of_its_steps_may() {
    let both = format!("{SAFE_STEP}{STEP}");
    let release = Release::new(&[("look.toml", SAFE_STEP.as_bytes()), ("both.toml", both.as_bytes())]);
    let probe =
        |name| format!("[[performance]]\nname = \"{name}\"\nworkflow = \"workflows/{name}.toml\"\nmax = \"5s\"\n");
    let config = release.config(&["look", "both", "gone"].map(probe).concat());
    let scope = Scope { config: &config, environment: config.environment("open").unwrap() };
    let effects: Vec<(String, Effect)> =
        (performance::SUITE.trials)(scope).into_iter().map(|trial| (trial.name, trial.effect)).collect();
    let named = |name: &str| format!("performance::{name}::budget");
    let want = [(named("look"), Effect::Reads), (named("both"), Effect::Writes), (named("gone"), Effect::Writes)];
    assert_eq!(effects, want);
}

#[test]
fn a_release_without_the_folder_has_no_trials() {
    let release = Release::new(&[]);
    std::fs::remove_dir(release.0.join(FOLDER)).unwrap();
    assert_eq!(release.trials("open"), []);
}

#[test]
fn the_sample_stacks_workflows_can_be_read() {
    let shop = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/shop");
    let files = file::all(&shop.join(FOLDER));
    let files = workflow::read(&file::texts(&files, "toml").0, &known());
    assert_eq!(files.broken, []);
    assert_eq!(files.workflows.len(), 2);
}

fn known() -> Known {
    Known {
        services: ["api", "web"].map(str::to_owned).into(),
        caches: ["cache".to_owned()].into(),
        databases: ["main".to_owned()].into(),
    }
}

#[test]
fn files_whose_checks_would_have_one_name_are_reported_together_and_do_not_run() {
    let release = Release::new(&[
        ("a-b.toml", SAFE_STEP.as_bytes()),
        ("a_b.toml", SAFE_STEP.as_bytes()),
        ("a_b.hurl", b"GET {{web_url}}/\n"),
        ("c.toml", SAFE_STEP.as_bytes()),
    ]);
    let names: Vec<String> = release.trials("open").into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["workflows::a_b::completes", "workflows::a_b::hurl", "workflows::c::completes"]);
    let mut files = file::all(&release.0.join(FOLDER));
    let message = file::clashes(&mut files).remove(0).2;
    assert!(message.contains("`workflows/a-b.toml` and `workflows/a_b.toml`"), "{message}");
    assert_eq!(files.len(), 2);
}

#[test]
fn every_kind_of_step_is_in_the_good_files_and_they_can_be_read() {
    let files = file::all(&fixtures::folder("workflows").join("good"));
    let files = workflow::read(&file::texts(&files, "toml").0, &known());
    assert_eq!(files.broken, []);
    let kinds: BTreeSet<&str> =
        files.workflows.iter().flat_map(|flow| &flow.steps).map(|step| step.action.kind()).collect();
    assert_eq!(kinds, BTreeSet::from(["browser", "exec", "http", "redis", "sql"]));
    assert!(files.logins.contains_key("owner"));
}

/// The first line of each bad file is what has to be reported of it: `# line: text`.
#[test]
fn each_bad_file_is_reported_with_its_line() {
    let files = file::all(&fixtures::folder("workflows").join("bad"));
    assert!(files.len() > 10, "{}", files.len());
    for (path, text) in file::texts(&files, "toml").0 {
        let (line, reported) = text.lines().next().unwrap().trim_start_matches("# ").split_once(": ").unwrap();
        let (line, reported) = (line.parse::<usize>().unwrap(), reported.to_owned());
        let files = workflow::read(&[(path.clone(), text)], &known());
        let [broken] = files.broken.as_slice() else { panic!("{}: {:?}", path.display(), files.broken) };
        assert_eq!(broken.error.line, line, "{}", broken.error);
        assert!(broken.error.to_string().contains(&reported), "{}", broken.error);
    }
}
