//! Which findings about migrations a waiver accepts.

use super::{Code, Finding, codes};
use stagegate_base::waiver::{IRREVERSIBLE, Waiver, Waivers};

/// What `irreversible` covers: each states that the down migration does not restore what was there. Rows that the up
/// migration loses are not covered: who accepts them names their code.
const OF_IRREVERSIBLE: [Code; 10] = [
    codes::DOWN_MISSING,
    codes::DOWN_EMPTY,
    codes::round_trip::SCHEMA_NOT_RESTORED,
    codes::round_trip::ENUM_VALUE_LEFT,
    codes::round_trip::SECOND_UP_FAILS,
    codes::round_trip::NAME_NOT_RESTORED,
    codes::DATA_NOT_RESTORED,
    codes::SECOND_UP_OTHER_DATA,
    codes::COLUMN_DROPPED_WITH_DATA,
    codes::DOWN_FAILS_WITH_ROWS,
];

/// How much was examined: what nobody looked for can't make a waiver unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Only the files.
    Files,
    /// The files, and the migrations were run.
    Run,
    /// The tool's history table.
    Applied,
}

/// Marks the findings that a waiver accepts on the day `today` (`2026-01-31`), and adds what is wrong with the waivers
/// of migrations. Waivers of other kinds of findings are left alone.
pub fn apply(waivers: &Waivers, findings: &mut Vec<Finding>, today: &str, extent: Extent) {
    let faults = (&codes::WAIVER_EXPIRED, &codes::WAIVER_UNUSED);
    waivers.apply(findings, today, faults, covers, |waiver| is_examined(waiver, extent));
}

fn covers(waiver: &Waiver, finding: &Finding) -> bool {
    let is_meant = match waiver.code.as_str() {
        IRREVERSIBLE => OF_IRREVERSIBLE.iter().any(|code| code.id == finding.code),
        code => finding.code == code,
    };
    is_meant && waiver.is_at(finding)
}

fn is_examined(waiver: &Waiver, extent: Extent) -> bool {
    let code = waiver.code.as_str();
    let is_of_migrations = code == IRREVERSIBLE || codes::code(code).is_some();
    is_of_migrations
        && match extent {
            Extent::Files => codes::is_of_files(code),
            Extent::Run => !codes::is_of_applied(code),
            Extent::Applied => codes::is_of_applied(code),
        }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;

    use super::*;

    const FILE: &str = "[[irreversible]]\nmigration = \"47\"\nreason = \"values were merged\"\nowner = \"ada\"\n\n[[waiver]]\ncode = \"byte-order-mark\"\nplace = \"9_x.sql\"\nreason = \"it is in use\"\nowner = \"ada\"\nexpires = 2026-12-31\n\n[[waiver]]\ncode = \"privileged\"\nplace = \"api\"\nreason = \"a rule of another kind\"\nowner = \"ada\"\nexpires = 2026-12-31\n";

    fn findings() -> Vec<Finding> {
        vec![
            Finding::new(&codes::DOWN_EMPTY, "").of("000047").at("000047_a.down.sql", 1),
            Finding::new(&codes::BYTE_ORDER_MARK, "").at("9_x.sql", 1),
            Finding::new(&codes::round_trip::DOWN_FAILS, "").of("000047"),
        ]
    }

    fn applied(mut findings: Vec<Finding>, today: &str, extent: Extent) -> Vec<(String, bool)> {
        let waivers = Waivers::parse(Path::new("x.toml"), FILE, &[]).unwrap();
        apply(&waivers, &mut findings, today, extent);
        findings.iter().map(|finding| (finding.code.to_string(), finding.waived.is_some())).collect()
    }

    fn of(want: &[(&str, bool)]) -> Vec<(String, bool)> {
        want.iter().map(|(code, waived)| ((*code).to_owned(), *waived)).collect()
    }

    #[test]
    fn irreversible_covers_data_that_no_down_migration_restores_but_not_lost_rows() {
        let reported = [&codes::DATA_NOT_RESTORED, &codes::SECOND_UP_OTHER_DATA, &codes::ROWS_LOST];
        let mut findings = findings();
        findings.extend(reported.map(|code| Finding::new(code, "").of("47")));
        let found = applied(findings, "2026-12-31", Extent::Run);
        assert_eq!(
            found[3..],
            of(&[("data-not-restored", true), ("second-up-other-data", true), ("rows-lost", false)])
        );
    }

    #[test]
    fn a_waiver_covers_its_finding_and_no_other() {
        let want = of(&[("down-empty", true), ("byte-order-mark", true), ("down-fails", false)]);
        assert_eq!(applied(findings(), "2026-12-31", Extent::Run), want);
    }

    #[test]
    fn an_expired_one_covers_nothing_and_is_reported() {
        let found = applied(findings(), "2027-01-01", Extent::Run);
        assert!(found.contains(&("byte-order-mark".to_owned(), false)), "{found:?}");
        assert!(found.contains(&("waiver-expired".to_owned(), false)), "{found:?}");
    }

    #[rstest]
    #[case::run(Extent::Run, 2)]
    #[case::files(Extent::Files, 1)]
    #[case::applied(Extent::Applied, 0)]
    fn an_unused_one_is_reported_where_somebody_looked(#[case] extent: Extent, #[case] want: usize) {
        let found = applied(Vec::new(), "2026-12-31", extent);
        assert_eq!(found.iter().filter(|(code, _)| code == "waiver-unused").count(), want, "{found:?}");
    }
}
