//! The changes between two contracts: for a terminal, for programs, for the summary of a job.

use serde::Serialize;

use crate::diff::{Change, Judged, Judgement, Level, Spot};
use stagegate_base::text::{cut, json_escaped, markdown_escaped, one_line};

/// How many changes a summary shows.
const SHOWN: usize = 200;

/// How many changes a reason names.
const REASONS: usize = 3;

/// Two files and what changed between them.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// How the old file is called.
    pub old: &'a str,
    /// How the new file is called.
    pub new: &'a str,
    /// The changes.
    pub judgement: &'a Judgement,
}

#[derive(Serialize)]
struct Whole<'a> {
    v: u32,
    old: &'a str,
    new: &'a str,
    breaking: bool,
    errors: usize,
    warnings: usize,
    infos: usize,
    waived: usize,
    #[serde(flatten)]
    judgement: &'a Judgement,
}

impl Comparison<'_> {
    /// Writes the changes for a person, those of level info left out, and the counts last.
    #[must_use]
    pub fn text(&self) -> String {
        let judgement = self.judgement;
        let shown = judgement.changes.iter().filter(|judged| judged.change.level > Level::Info);
        let mut text: String = shown.map(|judged| self.entry(judged)).collect();
        for stale in &judgement.stale {
            let waiver = &stale.waiver;
            let told = format!(
                "{} at {} ({}, until {})",
                waiver.finding, waiver.place, waiver.terms.owner, waiver.terms.expires
            );
            text +=
                &format!("{:<8}{}, line {}: {}\n", stale.level.word(), stale.id, waiver.terms.line, one_line(&told));
        }
        text + &self.counts() + "\n"
    }

    fn entry(&self, judged: &Judged) -> String {
        let change = &judged.change;
        let level = if judged.waived.is_some() { "waived" } else { change.level.word() };
        let waived = judged.waived.as_ref().map(|waiver| {
            format!(
                "        waived by {} until {}: {}\n",
                waiver.terms.owner,
                waiver.terms.expires,
                one_line(&waiver.terms.reason)
            )
        });
        format!(
            "{level:<8}{}  {}\n        {}\n        old {}   new {}\n{}",
            change.id,
            one_line(&change.place),
            one_line(&told(change)),
            at(self.old, &change.old),
            at(self.new, &change.new),
            waived.unwrap_or_default()
        )
    }

    fn counts(&self) -> String {
        let judgement = self.judgement;
        let [errors, warnings, infos] = [Level::Error, Level::Warning, Level::Info].map(|level| judgement.count(level));
        let waived = judgement.changes.iter().filter(|judged| judged.waived.is_some()).count();
        format!("{errors} breaking, {warnings} warnings, {infos} compatible, {waived} waived")
    }

    /// Writes everything as one JSON value on one line.
    ///
    /// # Errors
    /// [`serde_json::Error`] never comes from these types, and is handed on all the same.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        let judgement = self.judgement;
        let whole = Whole {
            v: 1,
            old: self.old,
            new: self.new,
            breaking: judgement.holds(Level::Error),
            errors: judgement.count(Level::Error),
            warnings: judgement.count(Level::Warning),
            infos: judgement.count(Level::Info),
            waived: judgement.changes.iter().filter(|judged| judged.waived.is_some()).count(),
            judgement,
        };
        Ok(json_escaped(&serde_json::to_string(&whole)?))
    }

    /// Writes a table in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let all = &self.judgement.changes;
        let rows: String = all.iter().take(SHOWN).map(|judged| self.row(judged)).collect();
        let more = match all.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!("\n{more} more changes are not shown.\n"),
        };
        let stale: String = self
            .judgement
            .stale
            .iter()
            .map(|s| format!("\n- {}: {} at {}", s.id, s.waiver.finding, markdown_escaped(&s.waiver.place)))
            .collect();
        let title = if self.judgement.holds(Level::Error) { "Contract: breaking" } else { "Contract: compatible" };
        format!(
            "## {title}\n\n{}.\n\n| level | change | place | old | new |\n|---|---|---|---|---|\n{rows}{more}{stale}\n",
            self.counts()
        )
    }

    fn row(&self, judged: &Judged) -> String {
        let change = &judged.change;
        let level = if judged.waived.is_some() { "waived" } else { change.level.word() };
        format!(
            "| {level} | {}: {} | {} | {} | {} |\n",
            change.id,
            markdown_escaped(&told(change)),
            markdown_escaped(&change.place),
            markdown_escaped(&at(self.old, &change.old)),
            markdown_escaped(&at(self.new, &change.new))
        )
    }
}

/// Tells the first changes that break a caller, and expired waivers, one text each; the last says how many more.
#[must_use]
pub fn reasons(judgement: &Judgement, file: &str) -> Vec<String> {
    let broken = judgement
        .open(Level::Error)
        .map(|change| format!("{} at {} ({})", change.id, one_line(&change.place), at(file, &change.new)));
    let expired = judgement.stale.iter().filter(|stale| stale.level == Level::Error).map(|stale| {
        let waiver = &stale.waiver;
        format!("the waiver of {} at {} expired on {}", waiver.finding, one_line(&waiver.place), waiver.terms.expires)
    });
    let all: Vec<String> = broken.chain(expired).collect();
    let more = all.len().saturating_sub(REASONS);
    let more = (more > 0).then(|| format!("and {more} more"));
    all.into_iter().take(REASONS).chain(more).collect()
}

fn told(change: &Change) -> String {
    let sides = match (change.before.as_str(), change.after.as_str()) {
        ("", "") => String::new(),
        (before, "") => format!(" (was {before})"),
        ("", after) => format!(" (now {after})"),
        (before, after) => format!(" ({before} -> {after})"),
    };
    cut(&format!("{}{sides}", change.text), 300)
}

fn at(file: &str, spot: &Spot) -> String {
    one_line(&format!("{file}:{}", spot.line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, diff};

    fn judged() -> Judgement {
        let file = |values: &str| {
            format!(
                "openapi: 3.1.0\npaths:\n  /a|b:\n    get:\n      parameters:\n      - name: q\n        in: query\n        schema:\n          enum: [{values}]\n      responses: {{}}\n"
            )
        };
        let (old, new) = (file("a, \"b\\e[31m\""), file("a, c"));
        let read = |text| diff::Contract::read(text, Format::Yaml).unwrap();
        diff::judge(diff::compare(&read(&old), &read(&new), "2026-03-01"), &[], "2026-03-01")
    }

    #[test]
    fn a_person_reads_what_where_and_from_what_to_what() {
        let judgement = judged();
        let text = Comparison { old: "v1.yaml", new: "v2.yaml", judgement: &judgement }.text();
        insta::assert_snapshot!(text, @r#"
        error   request-enum-narrowed  GET /a|b query parameter q
                accepts fewer values: allowed values (was "b\u001b[31m")
                old v1.yaml:9   new v2.yaml:9
        1 breaking, 0 warnings, 1 compatible, 0 waived
        "#);
    }

    #[test]
    fn a_reason_names_the_first_changes_and_their_lines() {
        let reason = "request-enum-narrowed at GET /a|b query parameter q (api.yaml:9)";
        assert_eq!(reasons(&judged(), "api.yaml"), [reason]);
        let one = judged().changes.remove(0);
        let many = Judgement { changes: vec![one; 5], stale: Vec::new() };
        assert_eq!(reasons(&many, "api.yaml"), [reason, reason, reason, "and 2 more"]);
    }

    #[test]
    fn a_table_is_not_broken_by_what_stands_in_it() {
        let judgement = judged();
        let text = Comparison { old: "v1.yaml", new: "v2.yaml", judgement: &judgement }.markdown();
        insta::assert_snapshot!(text, @r#"
        ## Contract: breaking

        1 breaking, 0 warnings, 1 compatible, 0 waived.

        | level | change | place | old | new |
        |---|---|---|---|---|
        | error | request-enum-narrowed: accepts fewer values: allowed values (was "b\\u001b\[31m") | GET /a\|b query parameter q | v1.yaml:9 | v2.yaml:9 |
        | info | request-enum-widened: accepts more values: allowed values (now "c") | GET /a\|b query parameter q | v1.yaml:9 | v2.yaml:9 |
        "#);
    }

    #[test]
    fn a_program_reads_one_value() {
        let judgement = judged();
        let text = Comparison { old: "v1.yaml", new: "v2.yaml", judgement: &judgement }.json().unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["breaking"], &value["errors"], &value["infos"]), (&true.into(), &1.into(), &1.into()));
        assert_eq!(value["changes"][0]["id"], "request-enum-narrowed");
        assert_eq!(value["changes"][0]["old"]["line"], 9);
    }
}
