//! Changes as findings, and which of them a waiver accepts.

use std::collections::HashMap;

use super::{
    super::files::{file_of, relative_to},
    Change, Level, Location, Rule, rules,
};
use stagegate_base::{
    finding::{self, Finding, Place},
    record::Severity,
    text::{counted, cut, one_line},
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
    let mut findings = grouped(findings);
    findings.sort_by_key(|finding| (!finding.is_open(), finding.severity));
    findings
}

/// How many of the other places are named in a finding's text.
const NAMED: usize = 3;

/// Makes one finding of those about one and the same change of both files, with all its places.
fn grouped(findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    let mut known = HashMap::new();
    for finding in findings {
        let key = (finding.code.clone(), finding.aliases.clone(), finding.aspect.clone(), finding.waived.clone());
        match known.get(&key) {
            // Without a pointer nobody knows whether it is the same.
            Some(at) if !key.1.is_empty() => {
                let first: &mut Finding = &mut kept[*at];
                if finding.found == first.found {
                    first.places.push(finding.place.object);
                } else {
                    kept.push(finding);
                }
            }
            _ => {
                known.insert(key, kept.len());
                kept.push(finding);
            }
        }
    }
    for finding in kept.iter_mut().filter(|finding| !finding.places.is_empty()) {
        let more = finding.places.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {}", counted(more, "more place")) } else { String::new() };
        let named: Vec<&str> = finding.places.iter().take(NAMED).map(String::as_str).collect();
        finding.found = format!("{}; also at {}{more}", finding.found, cut(&named.join(", "), 400));
    }
    kept
}

fn finding(change: &Change, old: &str, new: &str) -> Finding {
    let revision = old.strip_suffix(file_of(old)).unwrap_or_default();
    let was = format!("{revision}{}", path(old, &change.old));
    Finding {
        code: change.id.into(),
        severity: change.level.severity(),
        place: Place::of(one_line(&change.place)).within(path(new, &change.new), change.new.line as usize),
        found: cut(&format!("{}{}; old {}:{}", change.text, sides(change), one_line(&was), change.old.line), 400),
        aspect: change.part.clone(),
        aliases: [&change.old, &change.new].into_iter().flat_map(aliases).collect(),
        ..Finding::default()
    }
}

/// Returns what a waiver may call a place, next to what a caller calls it.
fn aliases(location: &Location) -> Vec<String> {
    let short = location.file.is_none().then(|| location.pointer.clone());
    short.into_iter().chain([location.reference()]).collect()
}

/// Returns the file of a place, of a document that somebody calls `document`.
fn path(document: &str, location: &Location) -> String {
    location.file.as_deref().map_or_else(|| file_of(document).to_owned(), |file| relative_to(document, file))
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
    use std::path::Path;

    use rstest::rstest;

    use super::{super::Location, *};

    const FILE: &str = "[[waiver]]\nfinding = \"path-removed\"\nplace = \"/old\"\nreason = \"nobody calls it\"\nowner = \"ada\"\nexpires = \"2026-03-31\"\n";

    fn change() -> Change {
        let location_of = |pointer: &str| Location { file: None, pointer: pointer.to_owned(), line: 3 };
        Change {
            id: "path-removed",
            level: Level::Error,
            text: "the path is gone",
            place: "/old".to_owned(),
            part: String::new(),
            before: "GET".to_owned(),
            after: String::new(),
            old: location_of("/paths/~1old"),
            new: location_of("/paths"),
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
    fn a_change_of_one_component_is_one_finding_with_its_places() {
        let place = |place: &str| Change { place: place.to_owned(), ..change() };
        let other = Change { part: "b".to_owned(), ..place("/e") };
        let found = judged("", &[place("/a"), place("/b"), place("/c"), place("/d"), place("/f"), other], "2026-03-01");
        assert_eq!(found.iter().map(|f| f.place.object.as_str()).collect::<Vec<_>>(), ["/a", "/e"]);
        assert_eq!(found[0].places, ["/b", "/c", "/d", "/f"]);
        assert!(found[0].found.ends_with("; also at /b, /c, /d and 1 more place"), "{}", found[0].found);
    }

    #[test]
    fn a_waiver_of_one_place_leaves_the_others_open() {
        let changes =
            [change(), Change { place: "/b".to_owned(), ..change() }, Change { place: "/c".to_owned(), ..change() }];
        let found = judged(FILE, &changes, "2026-03-31");
        let open: Vec<_> =
            found.iter().filter(|f| f.is_open()).map(|f| (f.place.object.as_str(), f.places.len())).collect();
        assert_eq!(open, [("/b", 1)]);
        assert!(!blocks(&judged(&FILE.replace("\"/old\"", "\"#/paths/~1old\""), &changes, "2026-03-01")));
    }

    #[test]
    fn a_change_stands_in_the_new_file_and_names_the_old_one() {
        let found = judged("", &[change()], "2026-03-01").remove(0);
        assert_eq!(found.place.to_string(), "/old (api/v2.yaml:3)");
        assert_eq!(found.found, "the path is gone (was GET); old v1.yaml:3");
    }
}
