//! Figures as pictures within a page: SVG in the text, which loads nothing and runs nothing.

use std::fmt::Write;

use stagegate_base::report::html_escaped as inline;
use stagegate_gate_decide::promotion::{Cost, PerformanceReport};

use super::{when, word};
use crate::{RunFacts, figures::length};

/// So many of the newest runs are drawn.
const RUNS: usize = 60;
const HEIGHT: f64 = 60.0;

/// Draws how long the newest runs took, and within it for how long writes were stopped; nothing where there are too few.
pub(super) fn durations(runs: &[RunFacts]) -> String {
    let ended: Vec<&RunFacts> = runs.iter().filter(|run| run.end.is_some()).collect();
    let shown = &ended[ended.len().saturating_sub(RUNS)..];
    if shown.len() < 2 {
        return String::new();
    }
    let longest = shown.iter().map(|run| run.seconds()).fold(0.001, f64::max);
    let mut out = format!(
        "<h3>how long runs took</h3>\n<p class=\"soft\">The last {} that ended, the newest on the right; the longest took {}. \
         The darker part is the time in which writes were stopped.</p>\n<svg class=\"plot\" role=\"img\" aria-label=\"how long runs \
         took\" viewBox=\"0 0 {} {HEIGHT}\" preserveAspectRatio=\"none\">\n",
        shown.len(),
        length(longest),
        shown.len() * 10,
    );
    for (nth, run) in shown.iter().enumerate() {
        let (class, word) = word(run);
        let height = |seconds: f64| (seconds / longest * HEIGHT).clamp(0.5, HEIGHT);
        let title = format!(
            "{}: {} -> {}: {word}, {}",
            when(run.began),
            run.previous.name,
            run.release.name,
            length(run.seconds())
        );
        let mut bar = |class: &str, height: f64| {
            let (x, y) = (nth * 10 + 1, HEIGHT - height);
            let _ = write!(
                out,
                "<rect class=\"{class}\" x=\"{x}\" y=\"{y:.1}\" width=\"8\" height=\"{height:.1}\"><title>{}</title></rect>",
                inline(&title)
            );
        };
        bar(class, height(run.seconds()));
        if let Some(frozen) = run.frozen {
            bar("part", height(frozen.min(run.seconds())));
        }
        out.push('\n');
    }
    out.push_str("</svg>\n");
    out
}

/// Draws what the same load cost with the live release and with the candidate, by probe; nothing where nothing was compared.
pub(super) fn performance(reports: &[PerformanceReport]) -> String {
    if reports.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<h2>performance</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>probe</th><th>result</th><th>a request costs</th>\
         <th class=\"n\">live</th><th class=\"n\">candidate</th><th></th></tr></thead>\n<tbody>\n",
    );
    for report in reports {
        let costs = report.costs.as_ref().map(|[candidate, live]| rows(live, candidate)).unwrap_or_default();
        let span = costs.len().max(1);
        let head = format!(
            "<td rowspan=\"{span}\"><code>{}</code></td><td rowspan=\"{span}\">{}</td>",
            inline(&report.probe),
            inline(&report.result)
        );
        if costs.is_empty() {
            let _ = writeln!(out, "<tr>{head}<td colspan=\"4\" class=\"soft\">not measured</td></tr>");
        }
        for (nth, cost) in costs.iter().enumerate() {
            let _ = writeln!(out, "<tr>{}{}</tr>", if nth == 0 { head.as_str() } else { "" }, cost.cells());
        }
    }
    out.push_str("</tbody>\n</table></div>\n");
    out
}

/// One cost of both releases.
struct Pair {
    name: &'static str,
    live: f64,
    candidate: f64,
    text: fn(f64) -> String,
}

impl Pair {
    fn cells(&self) -> String {
        let most = self.live.max(self.candidate).max(f64::MIN_POSITIVE);
        let bar = |class: &str, value: f64| {
            let percent = value / most * 100.0;
            format!("<span class=\"bar{class}\" style=\"width:{percent:.1}%\"></span>")
        };
        let is_more = self.candidate > self.live * 1.1;
        format!(
            "<td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td style=\"min-width:8rem\">{}<br>{}</td>",
            self.name,
            (self.text)(self.live),
            (self.text)(self.candidate),
            bar("", self.live),
            bar(if is_more { " undo" } else { "" }, self.candidate)
        )
    }
}

fn rows(live: &Cost, candidate: &Cost) -> Vec<Pair> {
    let pair = |name, of: fn(&Cost) -> Option<f64>, text| {
        of(live).zip(of(candidate)).map(|(live, candidate)| Pair { name, live, candidate, text })
    };
    #[expect(clippy::cast_precision_loss, reason = "memory is exact up to 2^53 bytes")]
    let memory = |cost: &Cost| cost.memory.map(|bytes| bytes as f64 / f64::from(1 << 20));
    [
        pair("processor time", |cost| cost.cpu_ns, |ns| format!("{:.2} ms", ns / 1e6)),
        pair("statements", |cost| cost.queries, |count| format!("{count:.1}")),
        pair("rows", |cost| cost.rows, |count| format!("{count:.1}")),
        pair("memory (of the service)", memory, |mib| format!("{mib:.0} MiB")),
    ]
    .into_iter()
    .flatten()
    .collect()
}
