//! What a proof lets each question answer.

use stagegate_decide::{
    config::Migrations,
    migration::Finding,
    record::{self, Evidence, Outcome, Severity},
    round_trip::{Counts, least, of_chain, of_files, of_trips, summary, told_finding, whole_line},
};

use super::proof::{On, Proof};

/// How many findings are told one by one; the evidence has all.
const FINDINGS: usize = 20;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Do the files say anything that is wrong?
    Files,
    /// Does each migration lead there, back and there again?
    RoundTrip,
    /// Does the whole chain?
    Chain,
}

/// The questions by the last part of their trials' names.
pub(super) const QUESTIONS: [(&str, Asked); 3] =
    [("files", Asked::Files), ("round_trip", Asked::RoundTrip), ("chain", Asked::Chain)];

pub(super) fn outcome(proof: &Proof, migrations: &Migrations, asked: Asked) -> Outcome {
    let told: Vec<(String, Vec<Finding>)> = match asked {
        Asked::Files => {
            let message = format!("{} migrations of {}", proof.chain.migrations.len(), proof.chain.tool);
            vec![(message, of_files(&proof.chain))]
        }
        Asked::RoundTrip => proof.servers.iter().map(|on| round_trip(proof, on)).collect(),
        Asked::Chain => proof.servers.iter().map(chain).collect(),
    };
    let mut messages: Vec<String> = told.iter().map(|(message, _)| message.clone()).collect();
    if asked == Asked::RoundTrip {
        let tried: Vec<_> = proof.servers.iter().map(|on| (on.major, on.proven.trips.as_slice())).collect();
        messages.extend(least(&tried));
    }
    let message = messages.join("; ");
    let all: Vec<Finding> = told.into_iter().flat_map(|(_, found)| found).collect();
    judged(message, &all, migrations)
}

fn round_trip(proof: &Proof, on: &On) -> (String, Vec<Finding>) {
    let trips = &on.proven.trips;
    (format!("{}: {}", on.server, summary(&Counts::of(trips))), of_trips(&proof.chain, trips))
}

fn chain(on: &On) -> (String, Vec<Finding>) {
    (format!("{}: {}", on.server, whole_line(&on.proven.whole)), of_chain(&on.proven.whole))
}

/// Judges: what could not be tried is no pass and no failure.
fn judged(message: String, found: &[Finding], migrations: &Migrations) -> Outcome {
    let grave: Vec<&Finding> =
        found.iter().filter(|f| f.severity == Severity::Required && f.waived.is_none()).collect();
    let Some(first) = grave.iter().find(|finding| finding.code != "not-run").or(grave.first()) else {
        let others = found.len();
        let beside = if others > 0 { format!("; {others} findings of less weight") } else { String::new() };
        return Outcome::Pass(format!("{message}{beside}"));
    };
    let headline = format!("{}{}: {}", at(first), first.code, first.message);
    if grave.iter().all(|finding| finding.code == "not-run") {
        return Outcome::Broken(format!("{message}; {headline}"));
    }
    let all: Vec<String> = found.iter().map(told_finding).collect();
    Outcome::Fail {
        message: format!("{message}; {headline}"),
        findings: grave.iter().take(FINDINGS).map(|finding| told(finding)).collect(),
        evidence: vec![Evidence { name: "findings".to_owned(), text: all.join("\n") }],
        hint: Some(format!(
            "each code is explained in docs/migrations.md; to see each migration: `gate migrations check {} --verbose` \
             in the environment's workdir",
            migrations.source.display()
        )),
    }
}

fn at(finding: &Finding) -> String {
    let place = finding.place();
    if place.is_empty() { String::new() } else { format!("{place} ") }
}

fn told(finding: &Finding) -> record::Finding {
    let title = finding.code().map_or("", |code| code.title);
    let statement = if finding.statement.is_empty() { String::new() } else { format!(": {}", finding.statement) };
    record::Finding {
        at: format!("{}{statement}", finding.place()),
        expected: format!("no {}", finding.code),
        found: format!("{title}: {}", finding.message),
    }
}
