//! A page for strangers: whether an environment's release was verified, and when it changed last. It names no release, no
//! host, no service and no reason.

use std::fmt::Write;

use stagegate_base::report::html_escaped as inline;
use stagegate_gate_decide::promotion::End;

use super::{Shown, list, page, when};

/// Writes the page; `made` is when, in seconds since 1970.
#[must_use]
pub fn public(title: &str, environments: &[Shown], made: f64) -> String {
    let mut body = format!("<h1>{}</h1>\n", inline(title));
    for shown in environments {
        let _ = writeln!(body, "<h2>{}</h2>", inline(&shown.environment));
        let mut pairs = vec![("state", state(shown))];
        let changed = shown.runs.iter().rev().find(|run| run.touched.is_some());
        if let Some(run) = changed {
            pairs.push(("last change", when(run.last)));
        }
        body.push_str(&list(&pairs));
    }
    let _ = writeln!(body, "<p class=\"soft\">As of {}.</p>", when(made));
    page(title, &body)
}

/// Returns what may be said: only what was verified is called good.
fn state(shown: &Shown) -> String {
    let (class, text) = match shown.runs.iter().rev().find(|run| run.touched.is_some() || run.end.is_none()) {
        _ if shown.at_work.is_some() => ("warn", "maintenance in progress".to_owned()),
        Some(run) => match run.end {
            Some(End::Promoted | End::RolledBack) => ("pass", format!("verified at {}", when(run.last))),
            Some(End::NotVerified | End::Stuck) => ("fail", "disturbed; being looked at".to_owned()),
            None => ("warn", "maintenance was interrupted".to_owned()),
            Some(_) => ("warn", "not verified by the last change".to_owned()),
        },
        None => ("warn", "not known".to_owned()),
    };
    format!("<span class=\"end {class}\">{}</span>", inline(&text))
}
