//! Every check on its fixtures: what is in `good` passes, what is in `bad` gives the code that its name begins with.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use rstest::rstest;
use stagegate_base::{config::Config, record::Outcome};
use stagegate_contract::{Document, Format, Shape, code};

use super::{
    authorization, changes, coverage, document, limits, probe, served, service_calls::ServiceCalls, shapes, source,
    wire::Wire,
};
use crate::{
    fixtures::{files, folder, served_by},
    trial::Scope,
};

fn of(check: &str) -> PathBuf {
    folder("contracts").join(check)
}

fn calls(check: &str) -> ServiceCalls {
    let config =
        Config::parse(Path::new("/srv/stagegate.toml"), "[project]\nname = \"shop\"\n[services.api]\nport = 80\n");
    let text = std::fs::read_to_string(of(check).join("openapi.json")).unwrap();
    let document = Document::parse(&text, Format::Json).unwrap();
    ServiceCalls::new(&config.unwrap().services["api"], "staging", "openapi.json", Arc::new(document))
}

async fn outcome(check: &str, file: &Path) -> Outcome {
    if check == "document" {
        return of_document(file);
    }
    let wire = Wire { addresses: vec![served_by(file)], ..Wire::default() };
    let calls = calls(check);
    match check {
        "operation" => calls.call(&wire, 0).await.outcome.clone(),
        "coverage" => coverage::outcome(&calls, &wire).await,
        "limits" => limits::run(&calls, &wire, 0).await,
        "authorization" => authorization::run(&calls, &wire).await,
        "changes" => changes::run(&calls, &wire, 0).await,
        "probe" => probe::run(&calls, &wire, 0).await,
        "refusals" => probe::run_refusals(&calls, &wire).await,
        "shapes" => of_shapes(&calls, &wire).await,
        "served" => {
            let (service, environment) = (calls.service.clone(), "staging".to_owned());
            let file = Some(of(check).join("openapi.json"));
            served::run(
                &served::Served {
                    service,
                    environment,
                    path: "/openapi.json".to_owned(),
                    file: file.map(|file| ("/".into(), file)),
                },
                &wire,
            )
            .await
        }
        other => panic!("no check `{other}`"),
    }
}

fn of_document(file: &Path) -> Outcome {
    let text = format!(
        "[project]\nname = \"shop\"\n[environments.staging]\n[services.api]\nport = 80\ncontract = {:?}\n",
        file.file_name().unwrap()
    );
    let config = Config::parse(&file.with_file_name("stagegate.toml"), &text).unwrap();
    let scope = Scope { config: &config, environment: config.environment("staging").unwrap() };
    document::outcome(&source::all(scope)[0])
}

/// Asks in a folder of its own, which has the accepted shape.
async fn of_shapes(calls: &ServiceCalls, wire: &Wire) -> Outcome {
    let root =
        std::env::temp_dir().join(format!("stagegate-shapes-{}-{}", std::process::id(), wire.addresses[0].port()));
    let accepted = root.join("snapshots/staging/contracts/api");
    std::fs::create_dir_all(&accepted).unwrap();
    std::fs::copy(of("shapes").join("accepted.snap"), accepted.join("get_order.snap")).unwrap();
    let text = "[project]\nname = \"shop\"\nstate_dir = \"state\"\n[environments.staging]\n";
    let config = Config::parse(&root.join("stagegate.toml"), text).unwrap();
    let outcome = shapes::run(calls, wire, &config).await;
    std::fs::remove_dir_all(&root).unwrap();
    outcome
}

/// Reports the codes of an outcome: of its findings, or of its reason.
fn codes(outcome: &Outcome) -> BTreeSet<String> {
    let first = |text: &String| text.split([' ', ':']).next().unwrap_or_default().to_owned();
    match outcome {
        Outcome::Fail { findings, .. } => findings.iter().map(|finding| first(&finding.place.object)).collect(),
        Outcome::Broken(reason) => BTreeSet::from([first(reason)]),
        Outcome::Pass(_) | Outcome::Skip(_) => BTreeSet::new(),
    }
}

#[rstest]
#[tokio::test]
async fn a_check_tells_good_from_bad(
    #[values(
        "document",
        "operation",
        "limits",
        "authorization",
        "changes",
        "coverage",
        "served",
        "probe",
        "refusals",
        "shapes"
    )]
    check: &str,
) {
    let (good, bad) = (files(&of(check).join("good")), files(&of(check).join("bad")));
    assert!(!good.is_empty() && !bad.is_empty());
    for file in good {
        let outcome = outcome(check, &file).await;
        assert!(matches!(outcome, Outcome::Pass(_)), "{}: {outcome:?}", file.display());
    }
    for file in bad {
        let outcome = outcome(check, &file).await;
        let want = &file.file_name().unwrap().to_str().unwrap()[..6];
        assert!(codes(&outcome).contains(want), "{}: {outcome:?}", file.display());
    }
}

#[test]
fn an_accepted_shape_is_a_snapshot_that_insta_reads() {
    let text = std::fs::read_to_string(of("shapes").join("accepted.snap")).unwrap();
    let shape = Shape::parse(&text).unwrap();
    assert_eq!(shape.snapshot("contracts::api::get_order", "GET /order"), text);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(of("shapes"));
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!("accepted", shape.to_string()));
}

#[test]
fn every_code_has_a_bad_fixture() {
    let checks = [
        "document",
        "operation",
        "limits",
        "authorization",
        "changes",
        "coverage",
        "served",
        "probe",
        "refusals",
        "shapes",
    ];
    let names = checks.iter().flat_map(|check| files(&of(check).join("bad")));
    let shown: BTreeSet<String> =
        names.map(|file| file.file_name().unwrap().to_str().unwrap()[..6].to_owned()).collect();
    let missing: Vec<&str> = code::all().iter().map(|code| code.id).filter(|id| !shown.contains(*id)).collect();
    assert!(missing.is_empty(), "no fixture for {missing:?}");
}
