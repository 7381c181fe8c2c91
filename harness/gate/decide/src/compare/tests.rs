use std::{collections::BTreeMap, path::Path};

use rstest::rstest;

use super::{services::fits, *};
use crate::{readiness::Band, verdict::verdict};
use stagegate_base::{config::Readiness, record::Status, redact::Secret};
use stagegate_contract::Files;
use stagegate_migration_decide::schema::{Fact, Facts, Id, Kind};

const CONFIG: &str = "[project]\nname = \"shop\"\n[services.api]\nport = 80\ncontract = \"api.json\"\n";

fn config() -> Config {
    Config::parse(Path::new("/p/stagegate.toml"), CONFIG).unwrap()
}

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))).collect()
}

fn side(environment: &str, pairs: &[(&str, &str)]) -> Side {
    let service =
        ServiceSide { image: Some("sha256:abc".to_owned()), variables: variables(pairs), ..Default::default() };
    Side {
        environment: environment.to_owned(),
        services: BTreeMap::from([("api".to_owned(), service)]),
        ..Side::default()
    }
}

fn compared(a: &Side, b: &Side) -> Comparison {
    compare(
        a,
        b,
        Rules { config: &config(), waivers: &stagegate_base::waiver::Waivers::default(), today: "2026-01-02" },
    )
}

fn of<'a>(comparison: &'a Comparison, trial: &str) -> &'a Record {
    comparison.records.iter().find(|record| record.trial == trial).unwrap()
}

#[rstest]
#[case("FEATURE_*", "FEATURE_X", true)]
#[case("*_ENABLED", "A_ENABLED", true)]
#[case("*_ENABLED", "A_ENABLED_", false)]
#[case("A*B*C", "AxByC", true)]
#[case("A*B*C", "AxC", false)]
#[case("a*a", "a", false)]
#[case("EXACT", "EXACT", true)]
#[case("EXACT", "EXACTLY", false)]
fn a_pattern_fits_the_whole_key(#[case] pattern: &str, #[case] key: &str, #[case] want: bool) {
    assert_eq!(fits(pattern, key), want);
}

#[test]
fn a_key_that_the_target_lacks_is_named_and_an_empty_one_counts_as_lacking() {
    let a = side("staging", &[("MAIL_FROM", "x@example.org"), ("LIMIT", "5")]);
    let b = side("production", &[("MAIL_FROM", ""), ("LIMIT", "5")]);
    let compared = compared(&a, &b);
    let record = of(&compared, "compare::api::configuration");
    assert_eq!(record.status, Status::Fail);
    assert_eq!(record.findings.iter().map(|f| f.place.object.as_str()).collect::<Vec<_>>(), ["api MAIL_FROM"]);
}

#[test]
fn a_secret_is_compared_and_not_shown_not_even_inside_of_another_value() {
    let a = side("staging", &[("DB_PASSWORD", "first-secret-1"), ("DSN_OF", "x"), ("LINE", "see first-secret-1")]);
    let b = side("production", &[("DB_PASSWORD", "other-secret-2"), ("DSN_OF", "x"), ("LINE", "see other-secret-2")]);
    let compared = compared(&a, &b);
    let row = compared.rows.iter().find(|row| row.thing == "api DB_PASSWORD").unwrap();
    assert!(row.differs, "{row:?}");
    let verdict = verdict(&compared.records, &[], &Readiness::default());
    let names = ("staging", "production");
    let all = terminal(names, &compared, &verdict)
        + &markdown(names, &compared, &verdict)
        + &json(names, &compared, &verdict).to_string();
    assert!(!all.contains("secret-1") && !all.contains("secret-2"), "{all}");
}

#[test]
fn flags_stand_in_their_own_section_equal_ones_too() {
    let a = side("staging", &[("FEATURE_NOTES", "on"), ("FEATURE_OLD", "on")]);
    let b = side("production", &[("FEATURE_NOTES", "off"), ("FEATURE_OLD", "on")]);
    let rows = compared(&a, &b).rows;
    let flags: Vec<(&str, bool)> =
        rows.iter().filter(|r| r.section == Section::Flags).map(|r| (r.thing.as_str(), r.differs)).collect();
    assert_eq!(flags, [("api FEATURE_NOTES", true), ("api FEATURE_OLD", false)]);
    assert!(!rows.iter().any(|row| row.section == Section::Configuration));
}

fn facts(tables: &[&str]) -> Result<Facts, String> {
    let fact = |name: &&str| Fact { id: Id::new(Kind::Table, *name), parent: None, payload: BTreeMap::new() };
    Ok(Facts::new(tables.iter().map(fact).collect(), BTreeMap::new()))
}

#[rstest]
#[case::equal(&["public.a"], &["public.a"], Status::Pass)]
#[case::source_ahead(&["public.a", "public.b"], &["public.a"], Status::Pass)]
#[case::target_ahead(&["public.a"], &["public.a", "public.b"], Status::Fail)]
fn a_target_may_be_behind_and_not_ahead(#[case] source: &[&str], #[case] target: &[&str], #[case] want: Status) {
    let (mut a, mut b) = (side("staging", &[]), side("production", &[]));
    a.schemas.insert("main".to_owned(), facts(source));
    b.schemas.insert("main".to_owned(), facts(target));
    assert_eq!(of(&compared(&a, &b), "compare::main::schema").status, want);
}

#[test]
fn a_schema_that_could_not_be_read_is_not_equal() {
    let (mut a, mut b) = (side("staging", &[]), side("production", &[]));
    a.schemas.insert("main".to_owned(), facts(&["public.a"]));
    b.schemas.insert("main".to_owned(), Err("connection refused".to_owned()));
    assert_eq!(of(&compared(&a, &b), "compare::main::schema").status, Status::Broken);
}

fn contract(paths: &str) -> Result<Files, String> {
    let text =
        format!("{{\"openapi\":\"3.0.3\",\"info\":{{\"title\":\"t\",\"version\":\"1\"}},\"paths\":{{{paths}}}}}");
    Ok(Files::new("api.json", "api.json", text))
}

#[test]
fn a_contract_that_breaks_callers_vetoes() {
    let get = "\"/x\":{\"get\":{\"responses\":{\"200\":{\"description\":\"ok\"}}}}";
    let (mut a, mut b) = (side("staging", &[]), side("production", &[]));
    a.contracts.insert("api".to_owned(), contract(""));
    b.contracts.insert("api".to_owned(), contract(get));
    let compared = compared(&a, &b);
    assert_eq!(of(&compared, "compare::api::contract").status, Status::Fail);
    let verdict = verdict(&compared.records, &[], &Readiness::default());
    assert_eq!(verdict.band, Some(Band::NotReady));
    assert!(terminal(("staging", "production"), &compared, &verdict).contains("not ready"));
}

#[test]
fn a_service_that_only_the_target_has_was_not_tested() {
    let (mut a, b) = (side("staging", &[]), side("production", &[]));
    a.services.clear();
    assert_eq!(of(&compared(&a, &b), "compare::stack::services").status, Status::Fail);
}

#[test]
fn a_comparison_reads_as_reviewed() {
    let mut a = side("staging", &[("LIMIT", "5"), ("MAIL_FROM", "a@example.org"), ("FEATURE_NOTES", "on")]);
    let mut b = side("production", &[("LIMIT", "7"), ("FEATURE_NOTES", "off")]);
    a.times.insert("api /readyz".to_owned(), Ok(Times { count: 40, p50_ms: 1.25, p95_ms: 3.5 }));
    b.times.insert("api /readyz".to_owned(), Err("connection refused".to_owned()));
    a.schemas.insert("main".to_owned(), facts(&["public.a", "public.b"]));
    b.schemas.insert("main".to_owned(), facts(&["public.a"]));
    if let Some(api) = a.services.get_mut("api") {
        api.version = Some(Ok("2.0.0 | x".to_owned()));
        api.cpu_percent = Some(12.34);
        api.memory_bytes = Some(5 << 20);
    }
    let compared = compared(&a, &b);
    let verdict = verdict(&compared.records, &[], &Readiness::default());
    let names = ("staging", "production");
    let text = terminal(names, &compared, &verdict) + "----\n" + &markdown(names, &compared, &verdict);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("compare", text));
}

#[test]
fn times_are_nearest_ranks() {
    let times = Times::of((1..=100).rev().map(f64::from).collect()).unwrap();
    assert_eq!((times.p50_ms, times.p95_ms, times.count), (50.0, 95.0, 100));
    assert_eq!(Times::of(Vec::new()), None);
}
