//! One run: how it ended and why, what it was about, how long each step took, and each line of its journal.

use std::fmt::Write;

use stagegate_base::{
    report::html_escaped as inline,
    text::{clean, cut, xml_escaped},
};
use stagegate_gate_decide::promotion::PerformanceReport;

use super::{list, page, plot::performance, when, word};
use crate::{RunFacts, StepFacts, figures::length};

/// Characters of the timeline and of the plan that are kept.
const TEXT: usize = 200_000;

/// What a run's page shows next to its facts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunPage {
    /// The plan in words.
    pub plan: String,
    /// The journal's lines as a person reads them, with the time of day.
    pub timeline: Vec<String>,
    /// What is left to do, a line each.
    pub next: Vec<String>,
    /// How probes compared both releases.
    pub performance: Vec<PerformanceReport>,
}

/// Writes the page.
#[must_use]
pub fn run(facts: &RunFacts, shown: &RunPage) -> String {
    let (class, _) = word(facts);
    let mut body = format!(
        "<nav><a href=\"../index.html\">all runs</a></nav>\n<h1><span class=\"{class}\">{}</span></h1>\n",
        inline(&facts.text)
    );
    if let Some(reason) = &facts.reason {
        let _ = writeln!(body, "<p>{}</p>", inline(reason));
    }
    if !shown.next.is_empty() {
        let _ = writeln!(body, "<h2>next steps</h2>\n<pre>{}</pre>", xml_escaped(&shown.next.join("\n")));
    }
    body.push_str(&about(facts));
    body.push_str(&steps(&facts.steps));
    body.push_str(&performance(&shown.performance));
    let timeline = cut(&clean(&shown.timeline.join("\n")), TEXT);
    let _ = writeln!(body, "<h2>timeline</h2>\n<pre>{}</pre>", xml_escaped(&timeline));
    let plan = cut(&clean(&shown.plan), TEXT);
    let _ = writeln!(body, "<details><summary>the plan</summary><pre>{}</pre></details>", xml_escaped(&plan));
    page(&format!("{}: {}", facts.run, facts.text), &body)
}

fn about(facts: &RunFacts) -> String {
    let release = |release: &stagegate_base::release::Release| {
        let commit: String = release.commit.chars().take(10).collect();
        format!("{} <span class=\"soft\">({})</span>", inline(&release.name), inline(&commit))
    };
    let mut pairs = vec![
        ("run", inline(&facts.run)),
        ("kind", inline(&facts.kind_text())),
        ("environment", format!("{} &rarr; {}", inline(&facts.source), inline(&facts.target))),
        ("release", format!("{} &rarr; {}", release(&facts.previous), release(&facts.release))),
        ("began", when(facts.began)),
        ("took", length(facts.seconds())),
    ];
    if let Some(name) = &facts.by {
        pairs.insert(4, ("by", inline(name)));
    }
    if let Some(frozen) = facts.frozen {
        pairs.push(("writes stopped for", length(frozen)));
    }
    if let Some(exit) = facts.exit {
        pairs.push(("exit code", exit.code().to_string()));
    }
    list(&pairs)
}

fn steps(steps: &[StepFacts]) -> String {
    let longest = steps.iter().filter_map(|step| step.seconds).fold(0.0, f64::max).max(0.001);
    let mut out = String::from(
        "<h2>steps</h2>\n<table>\n<thead><tr><th>step</th><th class=\"n\">time</th><th></th></tr></thead>\n<tbody>\n",
    );
    for step in steps {
        let name = format!("{}{}", if step.is_undo { "undo: " } else { "" }, step.step.title());
        let (class, state) = match (step.is_well, step.is_undo) {
            (Some(true), false) => ("", ""),
            (Some(true), true) => (" undo", ""),
            (Some(false), _) => (" bad", " failed"),
            (None, _) => (" bad", " did not end"),
        };
        let percent = step.seconds.unwrap_or_default() / longest * 100.0;
        let _ = writeln!(
            out,
            "<tr><td>{}{}</td><td class=\"n\">{}</td><td style=\"width:50%\"><span class=\"bar{class}\" \
             style=\"width:{percent:.1}%\"></span></td></tr>",
            inline(&name),
            if state.is_empty() { String::new() } else { format!(" <span class=\"fail\">{}</span>", state.trim()) },
            step.seconds.map(length).unwrap_or_default()
        );
    }
    out.push_str("</tbody>\n</table>\n");
    out
}
