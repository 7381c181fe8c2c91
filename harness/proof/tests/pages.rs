//! Proof that the page of a run can be read on a phone and on a desktop, in light and in dark, by a real browser.

use std::{fs, io::Write, path::Path, process::Command};

use serde_json::Value;
use stagegate_base::{
    config::Readiness,
    finding::Finding,
    record::{Evidence, Outcome, Record, Severity},
};
use stagegate_gate_decide::{
    report::{Run, html},
    verdict::verdict,
};

/// Measures the page in a frame, whose size and colours are those of a reader's window.
const FRAME: &str = include_str!("pages.html");

fn failed(message: &str, at: &str) -> Outcome {
    Outcome::Fail {
        message: message.to_owned(),
        findings: vec![Finding::differs(at.to_owned(), "number".to_owned(), format!("string \"{}\"", "x".repeat(90)))],
        evidence: vec![Evidence { name: "log".to_owned(), text: "a line of a log ".repeat(40) }],
        hint: Some("if the change is meant, change the contract".to_owned()),
    }
}

/// A run with each ending, whose words are as long as those of real products.
fn run() -> Run {
    let long = "contracts::a-service-with-a-long-name::get_api_v1_organisations_by_id_members_by_user_permissions";
    let at = "$.items[0].organisation.members[12].permissions.effective_until";
    let record = |trial: &str, severity, outcome| Record::new("staging", trial, severity, 1234, outcome);
    let pass = || Outcome::Pass("200 in 3 ms, 14 fields as documented".to_owned());
    let records = vec![
        record("health::web::http", Severity::Required, pass()),
        record("health::web::tcp", Severity::Required, pass()),
        record(long, Severity::Required, failed("response 200 does not match contracts/openapi.json", at)),
        record("contracts::api::get_a", Severity::Required, pass()),
        record("security::web::headers", Severity::Warning, failed("no content-security-policy", "/")),
        record("policy::stack::limits", Severity::Info, failed("no limit of memory", "services.web")),
        record("schema::main::drift", Severity::Required, Outcome::Skip("the service is stopped".to_owned())),
    ];
    let verdict = verdict(&records, &[], &Readiness::default());
    Run {
        environment: "staging".to_owned(),
        release: Some("2.15.0".to_owned()),
        started: "2026-01-02T03:04:05Z".to_owned(),
        records,
        verdict,
    }
}

fn chromium() -> Option<&'static str> {
    let is_there = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(is_there)
}

/// Runs the browser on a file, and returns what it prints.
fn browse(browser: &str, file: &Path, arguments: &[String]) -> String {
    let profile = file.with_extension("profile");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=20000"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let _ = fs::remove_dir_all(profile);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Measures a page for a reader with a window of `width` and a system of `scheme` colours; `filter` is clicked first.
fn measured(browser: &str, folder: &Path, page: &str, (width, scheme, filter): (u32, &str, &str)) -> Value {
    let srcdoc = page.replace('&', "&amp;").replace('"', "&quot;");
    let frame = FRAME.replace("WIDTH", &width.to_string()).replace("SCHEME", scheme).replace("FILTER", filter);
    let file = folder.join("frame.html");
    fs::write(&file, frame.replace("PAGE", &srcdoc)).unwrap();
    let dom = browse(browser, &file, &["--dump-dom".to_owned(), "--window-size=1400,1000".to_owned()]);
    let result = dom.rsplit_once("<pre id=\"result\">").unwrap().1.split_once("</pre>").unwrap().0;
    serde_json::from_str(&result.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")).unwrap()
}

#[test]
fn the_page_of_a_run_fits_every_window_and_its_filter_needs_no_script() {
    // Few machines have a browser, and nothing else of these proofs needs one but the workflows' own.
    let Some(browser) = chromium() else {
        let _ = writeln!(std::io::stderr(), "skipped: chromium is not installed (scripts/setup.sh --browser)");
        return;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&folder).unwrap();
    let page = html::text(&run(), &[]);
    for width in [360, 768, 1280] {
        for scheme in ["light", "dark"] {
            let found = measured(browser, &folder, &page, (width, scheme, ""));
            assert_eq!(found["is_dark"], scheme == "dark", "{width} {scheme}: {found}");
            assert_eq!(found["overflow"], 0, "{width} {scheme}: {found}");
            // Source: WCAG 2.2, 1.4.3: a contrast of 4.5 to 1.
            assert!(found["contrast"].as_f64().unwrap() >= 4.5, "{width} {scheme}: {found}");
            assert_eq!(found["suites"], serde_json::json!(["contracts", "security", "policy", "schema", "health"]));
        }
    }
    let visible = |filter: &str| measured(browser, &folder, &page, (1280, "light", filter))["visible"].clone();
    assert_eq!((visible(""), visible("troubles"), visible("failures")), (7.into(), 3.into(), 1.into()));

    // Kept for whoever wants to look at them.
    let file = folder.join("run.html");
    fs::write(&file, &page).unwrap();
    for (name, size) in [("phone", "500,900"), ("desktop", "1280,900")] {
        let picture = folder.join(format!("{name}.png"));
        browse(browser, &file, &[format!("--screenshot={}", picture.display()), format!("--window-size={size}")]);
        assert!(fs::metadata(&picture).unwrap().len() > 5000, "{}", picture.display());
    }
}
