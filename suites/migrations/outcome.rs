//! What a proof lets each question answer.

use stagegate_base::{
    config::Migrations,
    record::{Evidence, Outcome, Severity},
    report::finding_text,
    text::counted,
};
use stagegate_migration_act::ServerFindings;
use stagegate_migration_decide::{
    Finding, codes,
    locks::{Sizes, Thresholds},
    round_trip::{Counts, least, summary, whole_line},
};

use super::{pipeline::OnServer, proof::Proof};

/// How many findings are reported one by one; the evidence has all.
const FINDINGS: usize = 20;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Do the files say anything that is wrong?
    Files,
    /// Does each migration lead there, back and there again?
    RoundTrip,
    /// Does the whole chain?
    Chain,
    /// Do rows and their values stay?
    Integrity,
    /// Could rows be made for every table?
    Seeds,
    /// What is locked and rewritten that is large on the target?
    Locks,
}

/// The questions by the last part of their trials' names.
pub(super) const QUESTIONS: [(&str, Question, Severity); 6] = [
    ("files", Question::Files, Severity::Required),
    ("round_trip", Question::RoundTrip, Severity::Required),
    ("chain", Question::Chain, Severity::Required),
    ("integrity", Question::Integrity, Severity::Required),
    ("seeds", Question::Seeds, Severity::Warning),
    ("locks", Question::Locks, Severity::Warning),
];

pub(super) fn outcome(proof: &Proof, migrations: &Migrations, question: Question, target: &Sizes) -> Outcome {
    let mut messages = Vec::new();
    let mut all = Vec::new();
    for on in &proof.servers {
        let limits = Thresholds::from(&migrations.locks);
        let today = stagegate_host::clock::today();
        let found = on.proven.findings(&proof.chain, (&proof.waivers, &today), Some((target, &limits)));
        let ServerFindings { files, trips, chain, integrity, seeds, locks } = found;
        let rows = &on.proven.rows;
        let (message, found) = match question {
            Question::Files => {
                (format!("{} of {}", counted(proof.chain.migrations.len(), "migration"), proof.chain.tool), files)
            }
            Question::RoundTrip => (format!("{}: {}", on.server, summary(&Counts::of(&on.proven.trips))), trips),
            Question::Chain => (format!("{}: {}", on.server, whole_line(&on.proven.whole)), chain),
            Question::Integrity if rows.tried + rows.untouched == 0 && !on.proven.trips.is_empty() => {
                return Outcome::Broken(without_rows(on));
            }
            Question::Integrity => (with_rows(on, &seeds), integrity),
            Question::Seeds => (format!("{}: {} tested with rows", on.server, counted(rows.tried, "migration")), seeds),
            Question::Locks => {
                let stall =
                    on.proven.trips.iter().filter_map(|round_trip| round_trip.longest_stall).max().unwrap_or_default();
                let watched = format!(
                    "{}: locks of {} recorded, longest stall of a probe {} ms",
                    on.server,
                    counted(rows.locks.len(), "up migration"),
                    stall.as_millis()
                );
                (watched, locks)
            }
        };
        if !messages.contains(&message) {
            messages.push(message);
            all.extend(found);
        }
    }
    if question == Question::RoundTrip {
        let tried: Vec<_> = proof.servers.iter().map(|on| (on.major, on.proven.trips.as_slice())).collect();
        messages.extend(least(&tried));
    }
    let message = messages.join("; ");
    match question {
        Question::Seeds => seeds_outcome(message, &all),
        Question::Locks => outcome_from(message, &all, migrations, Severity::Warning),
        _ => outcome_from(message, &all, migrations, Severity::Required),
    }
}

/// States why nothing is known of rows: no migration was run on tables that have some.
fn without_rows(on: &OnServer) -> String {
    let several = on.proven.trips.iter().filter(|trip| trip.label.contains(" .. ")).count();
    let why = if several > 0 {
        "one command applied several migrations on an empty database; let `up` in [migrations] apply one at a time"
    } else {
        "none of them could be run on tables with rows; see `round_trip`"
    };
    let all = counted(on.proven.trips.len(), "migration");
    format!("{}: row counts and checksums were compared around none of {all}: {why}", on.server)
}

/// States on how many tables and migrations it rests.
fn with_rows(on: &OnServer, seeds: &[Finding]) -> String {
    let rows = &on.proven.rows;
    let alongside = if seeds.is_empty() { String::new() } else { format!(", {} not: see `seeds`", seeds.len()) };
    format!(
        "{}: row counts and checksums compared around {} of {}, {} more cannot change an existing table{alongside}",
        on.server,
        rows.tried,
        counted(on.proven.trips.len(), "migration"),
        rows.untouched
    )
}

/// Reports what no rows could be made for: nothing is known of it, which is no pass and no failure.
fn seeds_outcome(message: String, found: &[Finding]) -> Outcome {
    let open: Vec<String> =
        found.iter().filter(|f| f.waived.is_none()).map(|f| format!("{}{}", at(f), f.found)).collect();
    match open.as_slice() {
        [] => Outcome::Pass(format!("{message}, with rows in every table")),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!("; {} more", rest.len()) };
            Outcome::Skip(format!("{message}; not proven for: {first}{more}"))
        }
    }
}

/// Judges what the tool noted.
pub(super) fn history_outcome(message: String, found: &[Finding], migrations: &Migrations) -> Outcome {
    outcome_from(message, found, migrations, Severity::Required)
}

/// Judges by the findings from a weight on: what could not be tried is no pass and no failure.
fn outcome_from(message: String, found: &[Finding], migrations: &Migrations, from: Severity) -> Outcome {
    let is_grave = |f: &&Finding| match from {
        Severity::Required => f.severity == Severity::Required,
        _ => f.severity != Severity::Info,
    };
    let grave: Vec<&Finding> = found.iter().filter(is_grave).filter(|f| f.waived.is_none()).collect();
    let Some(first) = grave.iter().find(|finding| finding.code != "not-run").or(grave.first()) else {
        let others = found.len();
        let alongside =
            if others > 0 { format!("; {} of lower severity", counted(others, "finding")) } else { String::new() };
        return Outcome::Pass(format!("{message}{alongside}"));
    };
    let headline = format!("{}{}: {}", at(first), first.code, first.found);
    if grave.iter().all(|finding| finding.code == "not-run") {
        return Outcome::Broken(format!("{message}; {headline}"));
    }
    let all: Vec<String> = found.iter().map(|f| format!("{} {}", f.severity.label(), full_text(f))).collect();
    Outcome::Fail {
        message: format!("{message}; {headline}"),
        findings: grave.into_iter().take(FINDINGS).cloned().collect(),
        evidence: vec![Evidence { name: "findings".to_owned(), text: all.join("") }],
        hint: Some(hint(migrations, found)),
    }
}

fn hint(migrations: &Migrations, found: &[Finding]) -> String {
    let explained = "docs/migrations.md explains each code";
    let is_noted = found.iter().any(|finding| codes::is_of_applied(&finding.code));
    if migrations.commands.is_some() || is_noted {
        return format!("{explained}; the evidence lists all findings");
    }
    let source = migrations.source.display();
    format!(
        "{explained}; to see each migration: `gate migrations check {source} --verbose` in the environment's workdir"
    )
}

fn at(finding: &Finding) -> String {
    let place = finding.place.position();
    if place.is_empty() { String::new() } else { format!("{place} ") }
}

/// Returns a finding with its code, its place, its statement and why it is accepted.
fn full_text(finding: &Finding) -> String {
    let waived = finding.waived.as_ref().map(|reason| format!("    waived: {reason}\n")).unwrap_or_default();
    format!("{}\n{}{waived}", finding.code, finding_text(finding))
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use stagegate_base::config::Config;
    use stagegate_migration_act::{OnRows, Proven};
    use stagegate_migration_decide::{
        Route, of_steps,
        round_trip::{Down, RoundTrip},
    };

    use super::*;

    fn integrity(names: &[&str], rows: OnRows) -> Outcome {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let chain = of_steps(&[names], false);
        let round_trip = RoundTrip {
            version: chain.migrations[0].version.clone(),
            label: chain.migrations[0].label(),
            route: Route::Session,
            up: None,
            down: Down::Ran(Vec::new()),
            left_open: Vec::new(),
            second_up: None,
            second_differs: Vec::new(),
            longest_stall: None,
            took: Duration::ZERO,
        };
        let proven = Proven { trips: vec![round_trip], rows, ..Proven::default() };
        let servers = vec![OnServer { server: "PostgreSQL 17".to_owned(), major: 17, proven }];
        let text = "[project]\nname = \"shop\"\n[databases.main]\nservice = \"db\"\nname = \"shop\"\n\
                    [migrations.main]\nsource = \"migrations\"\n";
        let config = Config::parse(Path::new("/srv/stagegate.toml"), text).unwrap();
        let proof = Proof { chain, waivers: stagegate_base::waiver::Waivers::default(), servers };
        outcome(&proof, &config.migrations["main"], Question::Integrity, &Sizes::new())
    }

    #[test]
    fn no_migration_on_tables_with_rows_is_no_pass() {
        let Outcome::Broken(reason) = integrity(&["0001_initial", "0002_clean_up"], OnRows::default()) else {
            panic!("what was not tried passed");
        };
        assert!(reason.contains("none of 1 migration") && reason.contains("one at a time"), "{reason}");
        let tried = OnRows { tried: 1, ..OnRows::default() };
        assert!(matches!(integrity(&["0001_initial"], tried), Outcome::Pass(_)));
        let first = OnRows { untouched: 1, ..OnRows::default() };
        assert!(matches!(integrity(&["0001_initial"], first), Outcome::Pass(_)), "there was no table before it");
    }
}
