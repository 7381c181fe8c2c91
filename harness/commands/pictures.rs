//! What `gate bench` measured as a table, a page and pictures.

use std::path::Path;

use stagegate_gate_decide::report::html::{self, Plot};
use stagegate_performance_act::bench::Measurement;
use stagegate_performance_decide::{self as performance, Arm, Row, plot};

use crate::{cli, failure::Failure};

/// Writes the table of all probes: baseline, now, ratio with its interval, verdict.
///
/// `baseline` gives a probe's median before, in nanoseconds, where it was not measured next to.
pub(super) fn table(measured: &[Measurement], baseline: impl Fn(&str) -> Option<u64>) -> String {
    let row = |measurement: &Measurement| {
        let median = |arm| Some(performance::median(&measurement.blocks, arm)).filter(|ns| *ns > 0);
        let compared = &measurement.compared;
        Row {
            probe: compared.probe.clone(),
            baseline: median(Arm::Control).or_else(|| baseline(&compared.probe)),
            now: median(Arm::Candidate),
            ratio: compared.comparison.as_ref().and_then(|comparison| comparison.p50),
            words: compared.words(),
        }
    };
    performance::table(&measured.iter().map(row).collect::<Vec<_>>())
}

/// Writes what a request of each probe costs, with the control and now; nothing where that was not asked.
pub(super) fn costs(measured: &[Measurement]) -> String {
    let row = |measurement: &Measurement| {
        let compared = &measurement.compared;
        compared.costs.clone().map(|costs| (compared.probe.clone(), costs))
    };
    performance::cost::table(&measured.iter().filter_map(row).collect::<Vec<_>>())
}

/// Writes the page and the pictures that were asked for.
pub(super) fn write(title: &str, measured: &[Measurement], args: &cli::Bench) -> Result<(), Failure> {
    if args.html.is_none() && args.svg.is_none() {
        return Ok(());
    }
    let plots: Vec<Plot> = measured.iter().map(plot).collect();
    if let Some(path) = &args.html {
        super::output::file(path, &html::plots(title, &plots))?;
    }
    for plot in args.svg.iter().flat_map(|dir| plots.iter().map(move |plot| (dir, plot))) {
        let (dir, plot): (&std::path::PathBuf, &Plot) = plot;
        // A probe's name is one of a-z, 0-9, - and _: the configuration sees to it.
        super::output::file(&Path::new(dir).join(format!("{}.svg", plot.title)), &plot.svg)?;
    }
    Ok(())
}

fn plot(measurement: &Measurement) -> Plot {
    let compared = &measurement.compared;
    Plot {
        title: compared.probe.clone(),
        words: format!("{}; the control is {}", compared.words(), compared.control),
        svg: plot::svg(&compared.probe, &measurement.blocks),
    }
}
