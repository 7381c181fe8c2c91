use std::path::Path;

use rstest::rstest;
use stagegate_base::{
    record::{Severity, Status},
    redact::Secret,
};

use super::*;

const TOML: &str =
    "[project]\nname = \"shop\"\n[environments.production]\nprotected = true\n[severity]\n\"a::b\" = \"info\"\n";

fn config() -> Config {
    Config::parse(Path::new("/srv/shop/stagegate.toml"), TOML).unwrap()
}

fn trial(name: &str, effect: Effect) -> Trial {
    let parts: Vec<&str> = name.split("::").collect();
    Trial::new(parts[0], parts[1], parts[2], effect, async |_| Outcome::Pass(String::new()))
}

#[rstest]
#[case::all("ephemeral", &[], &["health::api::http", "contracts::api::post", "health::db::state", "contracts::api::health"])]
#[case::protected("production", &[], &["health::api::http", "health::db::state"])]
#[case::one("ephemeral", &["db"], &["health::db::state"])]
#[case::any_of_two("ephemeral", &["db", "post"], &["contracts::api::post", "health::db::state"])]
#[case::none("ephemeral", &["nothing"], &[])]
#[case::a_suite("ephemeral", &["health"], &["health::api::http", "health::db::state"])]
#[case::whole_segments("ephemeral", &["api"], &["health::api::http", "contracts::api::post", "contracts::api::health"])]
#[case::two_segments("ephemeral", &["health::api"], &["health::api::http"])]
#[case::a_part_of_a_segment("ephemeral", &["stat"], &["health::db::state"])]
fn trials_are_chosen_by_name_and_by_what_they_may_do(
    #[case] environment: &str,
    #[case] filters: &[&str],
    #[case] want: &[&str],
) {
    let all = vec![
        trial("health::api::http", Effect::Reads),
        trial("contracts::api::post", Effect::Writes),
        trial("health::db::state", Effect::Reads),
        trial("contracts::api::health", Effect::Writes),
    ];
    let config = config();
    let filters: Vec<String> = filters.iter().map(|f| (*f).to_owned()).collect();
    let chosen = select(all, config.environment(environment).unwrap(), &filters);
    assert_eq!(chosen.iter().map(|trial| trial.name.as_str()).collect::<Vec<_>>(), want);
}

#[test]
fn a_trial_without_a_session_is_broken_and_keeps_its_severity() {
    let requested = trial("a::b::c", Effect::Reads);
    let record = broken(&config(), "ephemeral", &requested, "Docker does not answer");
    assert_eq!((record.status, record.severity), (Status::Broken, Severity::Info));
    let other = trial("a::x::c", Effect::Reads).with_severity(Severity::Warning);
    assert_eq!(broken(&config(), "ephemeral", &other, "").severity, Severity::Warning);
    assert_eq!(record.message, "Docker does not answer");
}

#[test]
fn every_text_of_a_record_is_masked() {
    let secret = "hunter2-hunter2";
    let outcome = Outcome::Fail {
        message: secret.into(),
        findings: vec![Finding::differs(secret, secret, secret)],
        evidence: vec![Evidence { name: "log".into(), text: secret.into() }],
        hint: Some(secret.into()),
    };
    let record = Record::new("staging", "a::b::c", Severity::Required, 1, outcome);
    let text = serde_json::to_string(&masked(record, &Mask::new([Secret::new(secret)]))).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_panic_is_reported_with_its_text() {
    let caught = std::panic::catch_unwind(|| panic!("no row {}", 7)).unwrap_err();
    assert_eq!(panic_text(caught.as_ref()), "no row 7");
}

#[rstest]
#[case::cause("health::stack::running", true, "Fail")]
#[case::effect("contracts::api::GET /orders", true, "Skip")]
#[case::files("policy::stack::user_root", true, "Fail")]
#[case::runs("contracts::api::GET /orders", false, "Fail")]
fn one_check_reports_that_nothing_runs(#[case] trial: &str, #[case] is_down: bool, #[case] want: &str) {
    let got = format!("{:?}", in_its_place("staging", trial, is_down, Outcome::fail("no container".to_owned())));
    assert!(got.starts_with(want), "{got}");
}
