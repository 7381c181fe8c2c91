//! Changes as findings, and which of them a waiver accepts.

use std::path::Path;

use super::{Change, Level, Rule, rules};
use stagegate_base::{
    finding::{self, Finding, Place},
    record::Severity,
    text::{cut, one_line},
    waiver::{Waiver, Waivers},
};

const EXPIRED: finding::Rule = finding::Rule {
    id: "waiver-expired",
    severity: Severity::Required,
    title: "a waiver has expired",
    why: "what it accepted for a time breaks clients again; somebody has to look at it once more",
    fix: "keep the contract compatible and remove it, or give it a new date with its owner's consent",
};
const UNUSED: finding::Rule = finding::Rule {
    id: "waiver-unused",
    severity: Severity::Warning,
    title: "a waiver covers nothing",
    why: "it would hide the next change of its kind, which nobody has accepted",
    fix: "remove it",
};

impl Level {
    /// Returns how grave a change of this level is for a release.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Level::Error => Severity::Required,
            Level::Warning => Severity::Warning,
            Level::Info => Severity::Info,
        }
    }
}

impl Rule {
    /// Returns the rule as reports describe it.
    #[must_use]
    pub fn described(&self) -> finding::Rule {
        finding::Rule { id: self.id, severity: self.level.severity(), title: self.text, why: "", fix: "" }
    }
}

/// Returns the catalogue of changes, and of what can be wrong with waivers of them.
#[must_use]
pub fn catalogue() -> Vec<finding::Rule> {
    rules().iter().map(Rule::described).chain([EXPIRED, UNUSED]).collect()
}

/// Returns changes as findings, with those marked that a waiver accepts on the day `today` (`2026-01-31`), and adds
/// what is wrong with the waivers of contracts.
///
/// `old` and `new` are the names of the files; a waiver names a change by its code and its place, or by a JSON pointer
/// of it in either file.
#[must_use]
pub fn judge(changes: &[Change], (old, new): (&str, &str), waivers: &Waivers, today: &str) -> Vec<Finding> {
    let known = rules();
    let mut findings: Vec<Finding> = changes.iter().map(|change| finding(change, old, new)).collect();
    let examined = |waiver: &Waiver| known.iter().any(|rule| rule.id == waiver.code);
    waivers.apply(&mut findings, today, (&EXPIRED, &UNUSED), Waiver::covers, examined);
    findings.sort_by_key(|finding| (!finding.is_open(), finding.severity));
    findings
}

fn finding(change: &Change, old: &str, new: &str) -> Finding {
    let pointers = [&change.old.pointer, &change.new.pointer];
    Finding {
        code: change.id.into(),
        severity: change.level.severity(),
        place: Place::of(one_line(&change.place)).within(file_of(new), change.new.line as usize),
        found: cut(&format!("{}{}; old {}:{}", change.text, sides(change), one_line(old), change.old.line), 400),
        aliases: pointers.into_iter().flat_map(|pointer| [pointer.clone(), format!("#{pointer}")]).collect(),
        ..Finding::default()
    }
}

/// Returns the file that a name stands for: of `git:REV:PATH` the path.
fn file_of(name: &str) -> &str {
    match name.strip_prefix("git:").and_then(|rest| rest.split_once(':')) {
        Some((_, path)) if Path::new(path).file_name().is_some() => path,
        _ => name,
    }
}

fn sides(change: &Change) -> String {
    match (change.before.as_str(), change.after.as_str()) {
        ("", "") => String::new(),
        (before, "") => format!(" (was {before})"),
        ("", after) => format!(" (now {after})"),
        (before, after) => format!(" ({before} -> {after})"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::Spot, *};

    const FILE: &str = "[[waiver]]\nfinding = \"path-removed\"\nplace = \"/old\"\nreason = \"nobody calls it\"\nowner = \"ada\"\nexpires = \"2026-03-31\"\n";

    fn change() -> Change {
        let spot = |pointer: &str| Spot { pointer: pointer.to_owned(), line: 3 };
        Change {
            id: "path-removed",
            level: Level::Error,
            text: "the path is gone",
            place: "/old".to_owned(),
            before: "GET".to_owned(),
            after: String::new(),
            old: spot("/paths/~1old"),
            new: spot("/paths"),
        }
    }

    fn judged(file: &str, changes: &[Change], today: &str) -> Vec<Finding> {
        let waivers = Waivers::parse(Path::new("stagegate-waivers.toml"), file, &[]).unwrap();
        judge(changes, ("v1.yaml", "git:v2:api/v2.yaml"), &waivers, today)
    }

    fn blocks(findings: &[Finding]) -> bool {
        findings.iter().any(|finding| finding.is_open() && finding.severity == Severity::Required)
    }

    #[rstest]
    #[case::in_time("2026-03-31", vec![change()], false, &[])]
    #[case::expired("2026-04-01", vec![change()], true, &["waiver-expired"])]
    #[case::unused("2026-03-31", vec![], false, &["waiver-unused"])]
    #[case::expired_and_unused("2026-04-01", vec![], true, &["waiver-expired"])]
    fn a_waiver_covers_its_change_until_its_day(
        #[case] today: &str,
        #[case] changes: Vec<Change>,
        #[case] want: bool,
        #[case] stale: &[&str],
    ) {
        let found = judged(FILE, &changes, today);
        assert_eq!(blocks(&found), want);
        let codes: Vec<&str> = found.iter().map(|f| &*f.code).filter(|code| code.starts_with("waiver")).collect();
        assert_eq!(codes, stale);
    }

    #[rstest]
    #[case::pointer("place = \"/old\"", "place = \"#/paths/~1old\"", true)]
    #[case::elsewhere("place = \"/old\"", "place = \"/other\"", false)]
    #[case::other_rule("path-removed", "operation-removed", false)]
    fn it_names_the_change_by_rule_and_place(#[case] from: &str, #[case] to: &str, #[case] covers: bool) {
        assert_eq!(!blocks(&judged(&FILE.replace(from, to), &[change()], "2026-03-01")), covers);
    }

    #[test]
    fn a_change_stands_in_the_new_file_and_names_the_old_one() {
        let found = judged("", &[change()], "2026-03-01").remove(0);
        assert_eq!(found.place.to_string(), "/old (api/v2.yaml:3)");
        assert_eq!(found.found, "the path is gone (was GET); old v1.yaml:3");
    }
}
