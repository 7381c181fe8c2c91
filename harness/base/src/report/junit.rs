//! Findings for CI servers: JUnit XML, one test case for each finding.
//!
//! JUnit knows no severity, and a server makes a job red for any failure: what blocks nothing is a skipped case with
//! its message.

use quick_junit::{NonSuccessKind, Report as Whole, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::{Report, differing, inert};
use crate::{
    finding::Finding,
    severity::Severity,
    text::{clean, markup_inert, one_line},
};

pub(super) fn text(report: &Report) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new(one_line(&report.title));
    suite.add_test_cases(report.findings.iter().map(|finding| case(report, finding)));
    if report.findings.is_empty() {
        let mut case = TestCase::new("no findings", TestCaseStatus::success());
        case.set_classname(&report.command);
        suite.add_test_case(case);
    }
    let mut whole = Whole::new("stagegate");
    whole.add_test_suite(suite);
    Ok(markup_inert(&whole.to_string()?))
}

fn case(report: &Report, finding: &Finding) -> TestCase {
    let message = match &finding.waived {
        Some(reason) => format!("waived: {}", one_line(reason)),
        None if finding.severity == Severity::Required => differing(finding),
        None => format!("{}: {}", finding.severity.word(), differing(finding)),
    };
    let mut status = match finding.severity {
        Severity::Required if finding.is_open() => TestCaseStatus::non_success(NonSuccessKind::Failure),
        _ => TestCaseStatus::skipped(),
    };
    status.set_message(message);
    if matches!(status, TestCaseStatus::NonSuccess { .. }) {
        status.set_type("required");
        let parts = [&*finding.excerpt, &finding.why, &finding.fix];
        let text: Vec<String> = parts.iter().filter(|part| !part.is_empty()).map(|part| clean(part)).collect();
        status.set_description(text.join("\n").lines().map(inert).collect::<Vec<_>>().join("\n"));
    }
    let mut case = TestCase::new(one_line(&format!("{} {}", finding.code, finding.place)), status);
    case.set_classname(&report.command);
    case
}
