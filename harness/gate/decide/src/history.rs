//! What two runs have and have not in common, and which runs began in time: readings of journals.
//!
//! In: plans and lines. Out: texts. No clock, no I/O.

use std::collections::{BTreeMap, BTreeSet};

use stagegate_base::compose::Model;

use crate::promotion::{Entry, Kind, Line, Plan, Step, checksum, end_text};

/// Returns whether a run began at or after `from`, both as `YYYYMMDD-HHMMSS`; a run's id goes on after that.
#[must_use]
pub fn began_since(run: &str, from: &str) -> bool {
    run.get(..from.len()).is_some_and(|began| began >= from)
}

/// Returns a day written as `YYYY-MM-DD` in the form that a run's id begins with; `None` where it is no day.
#[must_use]
pub fn day(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('-').collect();
    let is_number = |part: &&str, digits| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
    let [year, month, day] = parts[..] else { return None };
    let is_day = is_number(&year, 4) && is_number(&month, 2) && is_number(&day, 2);
    (is_day && ("01"..="12").contains(&month) && ("01"..="31").contains(&day))
        .then(|| format!("{year}{month}{day}-000000"))
}

/// Returns each step that ended with the seconds that it took, in the order of the run; `seconds_between` subtracts two
/// RFC 3339 texts.
#[must_use]
pub fn steps(lines: &[Line], seconds_between: impl Fn(&str, &str) -> Option<f64>) -> Vec<(Step, f64)> {
    let mut began: BTreeMap<Step, &str> = BTreeMap::new();
    let mut steps = Vec::new();
    for line in lines {
        let ended = match &line.entry {
            Entry::Begun { step } => {
                began.insert(*step, &line.wall);
                continue;
            }
            Entry::Done { report } => report.step(),
            Entry::Failed { step, .. } => *step,
            _ => continue,
        };
        let seconds = began.get(&ended).and_then(|from| seconds_between(from, &line.wall));
        steps.push((ended, seconds.unwrap_or_default()));
    }
    steps
}

/// One run of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// Its plan.
    pub plan: &'a Plan,
    /// Its lines.
    pub lines: &'a [Line],
}

/// Returns how two runs differ, one line each: `what  first -> second`; empty where they do not.
#[must_use]
pub fn differences(
    first: Compared<'_>,
    second: Compared<'_>,
    seconds_between: impl Fn(&str, &str) -> Option<f64>,
) -> Vec<String> {
    let mut reported = Vec::new();
    let pairs = [first, second].map(|run| facts(run));
    let names: Vec<&String> = pairs.iter().flat_map(|facts| facts.iter().map(|(name, _)| name)).collect();
    let mut seen = BTreeSet::new();
    for name in names.into_iter().filter(|name| seen.insert(name.as_str())) {
        let [before, after] =
            [0, 1].map(|at| pairs[at].iter().find(|(known, _)| known == name).map(|(_, value)| value));
        if before != after {
            let text = |value: Option<&String>| value.cloned().unwrap_or_else(|| "none".to_owned());
            reported.push(format!("{name:<22} {} -> {}", text(before), text(after)));
        }
    }
    let took = [first, second].map(|run| steps(run.lines, &seconds_between));
    for (step, before) in &took[0] {
        let after = took[1].iter().find(|(other, _)| other == step).map(|(_, seconds)| *seconds);
        match after {
            Some(after) if (after - before).abs() < 0.05 => {}
            Some(after) => reported.push(format!("{:<22} {before:.1} s -> {after:.1} s", step.title())),
            None => reported.push(format!("{:<22} {before:.1} s -> not reached", step.title())),
        }
    }
    let new = took[1].iter().filter(|(step, _)| took[0].iter().all(|(other, _)| other != step));
    reported.extend(new.map(|(step, after)| format!("{:<22} not reached -> {after:.1} s", step.title())));
    reported
}

/// Fields of a service that differ between any two releases, or that are compared by themselves.
const OWN: [&str; 3] = ["environment", "image", "labels"];

/// Returns how the compose models of two runs differ, one line each. Values may be secrets: of variables a hash is shown that `key`
/// goes into, so that nobody can guess a value by it; of other fields that they differ.
#[must_use]
pub fn model_differences(first: &Model, second: &Model, key: &str) -> Vec<String> {
    let models = [first, second];
    let names: BTreeSet<String> = models.iter().flat_map(|model| model.services()).collect();
    let mut reported = Vec::new();
    for name in names {
        let is_there = |model: &Model| if model.has(&name) { "there" } else { "none" };
        if first.has(&name) != second.has(&name) {
            reported.push(format!("{:<22} {} -> {}", format!("service {name}"), is_there(first), is_there(second)));
            continue;
        }
        let fields = models.map(|model| model.json()["services"][&name].as_object().cloned().unwrap_or_default());
        let keys: BTreeSet<&String> = fields.iter().flat_map(|fields| fields.keys()).collect();
        let differ = |field: &&String| !OWN.contains(&field.as_str()) && fields[0].get(*field) != fields[1].get(*field);
        let changed: Vec<&str> = keys.into_iter().filter(differ).map(String::as_str).collect();
        if !changed.is_empty() {
            reported.push(format!("{:<22} {} differ", format!("compose of {name}"), changed.join(", ")));
        }
        let variables = models.map(|model| model.variables(&name));
        let all: BTreeSet<&String> = variables.iter().flat_map(|variables| variables.keys()).collect();
        for variable in all {
            let [before, after] = [0, 1].map(|nth| {
                let value = variables[nth].get(variable);
                value.map_or_else(|| "none".to_owned(), |value| hashed(key, value.expose()))
            });
            if before != after {
                reported.push(format!("{:<22} {before} -> {after}", format!("variable {name} {variable}")));
            }
        }
    }
    reported
}

fn hashed(key: &str, value: &str) -> String {
    checksum(format!("{key}\n{value}").as_bytes()).chars().take(8).collect()
}

/// What is compared of a run, in the order of reading.
fn facts(run: Compared<'_>) -> Vec<(String, String)> {
    let plan = run.plan;
    let kind = match &plan.kind {
        Kind::Promote => "promotion".to_owned(),
        Kind::Rollback { run, data } => format!("rollback to before {run}{}", if *data { ", with data" } else { "" }),
    };
    let commit = |commit: &str| commit.chars().take(10).collect::<String>();
    let mut facts = vec![
        ("kind".to_owned(), kind),
        ("source".to_owned(), plan.environments.source.clone()),
        ("target".to_owned(), plan.environments.target.clone()),
        ("release".to_owned(), format!("{} ({})", plan.release.name, commit(&plan.release.commit))),
        ("previous release".to_owned(), format!("{} ({})", plan.previous.name, commit(&plan.previous.commit))),
    ];
    for service in &plan.services {
        let image = service.to.as_deref().map_or("none", |image| image.strip_prefix("sha256:").unwrap_or(image));
        facts.push((format!("image of {}", service.service), image.chars().take(12).collect()));
    }
    for database in &plan.databases {
        facts.push((format!("database {}", database.name), database.size.to_string()));
    }
    facts.push(("frozen services".to_owned(), plan.freeze.join(", ")));
    facts.push(("end".to_owned(), end(plan, run.lines)));
    facts
}

fn end(plan: &Plan, lines: &[Line]) -> String {
    match lines.last().map(|line| &line.entry) {
        Some(Entry::Ended { end, exit }) => end_text(plan, *end, *exit),
        _ => "unfinished".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promotion::read;

    const PROMOTED: &[u8] = include_bytes!("../../../../fixtures/journals/format-1/promoted.jsonl");
    const ROLLED_BACK: &[u8] = include_bytes!("../../../../fixtures/journals/format-1/rolled-back.jsonl");

    /// The seconds of two times of one minute: enough for an order.
    fn seconds(from: &str, to: &str) -> Option<f64> {
        let of = |text: &str| -> Option<f64> {
            let (_, time) = text.trim_end_matches('Z').split_once('T')?;
            let parts: Vec<f64> = time.split(':').filter_map(|part| part.parse().ok()).collect();
            parts.iter().copied().reduce(|all, part| all * 60.0 + part)
        };
        Some(of(to)? - of(from)?)
    }

    #[test]
    fn a_run_is_shown_from_a_day_or_a_moment_on() {
        assert_eq!(day("2026-01-31").as_deref(), Some("20260131-000000"));
        assert_eq!((day("2026-13-01"), day("yesterday"), day("2026-1-1")), (None, None, None));
        assert!(began_since("20260131-000001-ab12", "20260131-000000"));
        assert!(!began_since("20260130-235959-ab12", "20260131-000000"));
    }

    #[test]
    fn two_runs_differ_in_what_they_promoted_and_how_they_ended() {
        let (a, b) = (read(PROMOTED).unwrap().lines, read(ROLLED_BACK).unwrap().lines);
        let plan = |lines: &[Line]| match &lines[0].entry {
            Entry::Started { plan } => plan.clone(),
            _ => panic!("no plan"),
        };
        let (of_a, of_b) = (plan(&a), plan(&b));
        let (first, second) = (Compared { plan: &of_a, lines: &a }, Compared { plan: &of_b, lines: &b });
        let reported = differences(first, second, seconds).join("\n");
        assert!(reported.contains("release                v2 (") && reported.contains("-> v3 ("), "{reported}");
        assert!(reported.contains("promoted: v2 is live in production -> rolled back and verified"), "{reported}");
        assert!(reported.contains("not reached"), "{reported}");
        assert!(!reported.contains("target "), "{reported}");
        assert_eq!(differences(first, first, seconds), Vec::<String>::new());
    }

    #[test]
    fn two_models_differ_by_services_fields_and_hashes_of_variables() {
        let model = |text: &str| Model::parse(text).unwrap();
        let first = model(
            r#"{"services":{"api":{"image":"a:1","command":["x"],"environment":{"PASSWORD":"hush-canary","SAME":"1","GONE":"2"}},
                "old":{"image":"b"}}}"#,
        );
        let second = model(
            r#"{"services":{"api":{"image":"a:2","command":["y"],"environment":{"PASSWORD":"other-canary","SAME":"1","NEW":"3"}}}}"#,
        );
        let reported = model_differences(&first, &second, "0011223344556677").join("\n");
        for line in [
            "service old            there -> none",
            "compose of api         command differ",
            "variable api GONE",
            "variable api NEW       none -> ",
        ] {
            assert!(reported.contains(line), "{line}: {reported}");
        }
        assert!(
            reported.contains("variable api PASSWORD") && !reported.contains("canary") && !reported.contains("SAME"),
            "{reported}"
        );
        assert!(!reported.contains("image"), "{reported}");
        let other = model_differences(&first, &second, "another key").join("\n");
        assert!(other != reported && model_differences(&first, &first, "k").is_empty());
    }

    #[test]
    fn each_step_has_the_time_since_it_began() {
        let lines = read(PROMOTED).unwrap().lines;
        let steps = steps(&lines, seconds);
        assert!(steps.iter().any(|(step, _)| *step == Step::Migrate), "{steps:?}");
        assert!(steps.iter().all(|(_, seconds)| *seconds >= 0.0) && steps.iter().any(|(_, s)| *s > 0.0), "{steps:?}");
    }
}
