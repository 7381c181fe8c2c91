use rstest::rstest;

use super::*;
use crate::record::Severity;

const FILE: &str =
    "[[waiver]]\ncode = \"privileged\"\nplace = \"api\"\nreason = \"r\"\nowner = \"ada\"\nexpires = 2026-03-31\n";
const RULE: Rule = Rule { id: "privileged", severity: Severity::Required, title: "t", why: "w", fix: "f" };
const EXPIRED: Rule = Rule { id: "waiver-expired", ..RULE };
const UNUSED: Rule = Rule { id: "waiver-unused", severity: Severity::Warning, ..RULE };

fn parsed(text: &str) -> Result<Waivers, ConfigError> {
    Waivers::parse(Path::new("stagegate-waivers.toml"), text, &["privileged", "path-removed"])
}

fn applied(text: &str, today: &str, mut findings: Vec<Finding>) -> Vec<(String, bool)> {
    let waivers = parsed(text).unwrap();
    waivers.apply(&mut findings, today, (&EXPIRED, &UNUSED), Waiver::covers, |_| true);
    findings.iter().map(|finding| (finding.code.to_string(), finding.is_open())).collect()
}

#[rstest]
#[case::on_its_last_day("2026-03-31", vec![Finding::new(&RULE, "").of("api")], &[("privileged", false)])]
#[case::past("2026-04-01", vec![Finding::new(&RULE, "").of("api")], &[("privileged", true), ("waiver-expired", true)])]
#[case::elsewhere("2026-03-31", vec![Finding::new(&RULE, "").of("web")], &[("privileged", true), ("waiver-unused", true)])]
#[case::past_and_unused("2026-04-01", vec![], &[("waiver-expired", true)])]
fn a_waiver_counts_until_its_day_and_has_to_cover_something(
    #[case] today: &str,
    #[case] findings: Vec<Finding>,
    #[case] want: &[(&str, bool)],
) {
    let want: Vec<(String, bool)> = want.iter().map(|(code, open)| ((*code).to_owned(), *open)).collect();
    assert_eq!(applied(FILE, today, findings), want);
}

#[rstest]
#[case::policy(
    "[[policy]]\nrule = \"privileged\"\nservice = \"api\"\nreason = \"r\"\nowner = \"a\"\nexpires = 2026-03-31\n"
)]
#[case::contract(
    "[[waiver]]\nfinding = \"privileged\"\nplace = \"api\"\nreason = \"r\"\nowner = \"a\"\nexpires = \"2026-03-31\"\n"
)]
#[case::migration(
    "[[waiver]]\ncode = \"privileged\"\nmigration = \"api\"\nreason = \"r\"\nowner = \"a\"\nexpires = 2026-03-31\n"
)]
fn forms_of_earlier_versions_are_read(#[case] text: &str) {
    assert_eq!(
        applied(text, "2026-03-01", vec![Finding::new(&RULE, "").of("api")]),
        [("privileged".to_owned(), false)]
    );
}

#[test]
fn what_is_irreversible_needs_no_day() {
    let all =
        parsed("[[irreversible]]\nmigration = \"47\"\nreason = \"values were merged\"\nowner = \"ada\"\n").unwrap();
    let [one] = all.all() else { panic!("{all:?}") };
    assert_eq!((one.code.as_str(), one.place.as_str()), (IRREVERSIBLE, "47"));
    assert_eq!(one.terms.text(), "values were merged (ada)");
    assert!(one.is_at(&Finding::new(&RULE, "").of("000047")) && !one.is_at(&Finding::new(&RULE, "").of("4")));
}

#[rstest]
#[case::code("\"privileged\"", "\"priviledged\"", "1:1: there is no code `priviledged`; did you mean `privileged`?")]
#[case::no_reason("\"r\"", "\" \"", "`reason` of a waiver is empty")]
#[case::day("2026-03-31", "\"soon\"", "`expires` is `soon`, which is no day; write a day as 2026-12-31")]
#[case::no_day("expires = 2026-03-31\n", "", "`expires` is missing in the waiver of privileged")]
#[case::key("owner", "ownr", "unknown key `ownr`")]
fn a_mistake_is_reported_with_its_line(#[case] from: &str, #[case] to: &str, #[case] want: &str) {
    let error = parsed(&FILE.replacen(from, to, 1)).unwrap_err().to_string();
    assert!(error.starts_with("stagegate-waivers.toml:") && error.contains(want), "{error}");
}
