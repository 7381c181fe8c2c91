//! `gate compare`: two environments side by side, and how ready the first one's release is for the second.

use std::sync::Arc;

use stagegate_base::{config::Config, exit::Exit};
use stagegate_gate_act::{Examine, compare as read};
use stagegate_gate_decide::{
    compare::{Rules, Side, compare, json, markdown, terminal},
    readiness::Band,
    report,
    verdict::{Verdict, verdict},
};
use stagegate_host::{clock, engine::Engine};

use super::{output, waivers};
use crate::{
    cli,
    examine::Suites,
    failure::{Failure, give_json, print_message, print_result},
};

pub(super) async fn run(config: &Arc<Config>, args: cli::Compare) -> Result<Exit, Failure> {
    let (a, b) = (config.environment(&args.a)?.name.clone(), config.environment(&args.b)?.name.clone());
    if a == b {
        return Err(Failure::usage(format!("both sides are `{a}`; name two environments")));
    }
    output::writable(&args.output)?;
    let engine = Engine::connect().await?;
    let mut left = read::side(&engine, config, &a).await?;
    let mut right = read::side(&engine, config, &b).await?;
    read::time(&engine, config, &mut left, &mut right).await?;
    // Checks that are not run are missing all the same: too little evidence makes no score.
    let mut planned = required_evidence(config, &a)?;
    if !args.no_suites {
        let suites = Suites { config: Arc::clone(config) };
        print_message(&format!("running the suites against `{a}` and `{b}`"));
        planned = examined(&suites, config, &mut left).await;
        examined(&suites, config, &mut right).await;
    }
    let today = clock::today();
    let waivers = waivers::read(None, config.root())?;
    let compared = compare(&left, &right, Rules { config, waivers: &waivers, today: &today });
    let records: Vec<_> = left.records.iter().chain(&compared.records).cloned().collect();
    let verdict = verdict(&records, &planned, &config.readiness);
    let names = (a.as_str(), b.as_str());
    let of_both = report::Run {
        environment: format!("{a} and {b}"),
        release: None,
        started: clock::now(),
        records,
        verdict: verdict.clone(),
    };
    if args.output.json {
        give_json(&serde_json::to_string_pretty(&json(names, &compared, &verdict))?);
    } else if !args.output.takes_stdout() {
        print_result(&terminal(names, &compared, &verdict));
    }
    output::to(args.output.markdown.as_deref(), &markdown(names, &compared, &verdict))?;
    output::to(args.output.junit.as_deref(), &report::junit::text(&of_both))?;
    output::to(args.output.html.as_deref(), &report::html::text(&of_both, &[]))?;
    output::to(args.output.sarif.as_deref(), &report::findings(&of_both).sarif(env!("CARGO_PKG_VERSION")))?;
    Ok(ended(&verdict, args.accept_caution))
}

/// Returns the checks that a score of an environment rests on.
fn required_evidence(config: &Config, environment: &str) -> Result<Vec<stagegate_base::record::Planned>, Failure> {
    let environment = config.environment(environment)?;
    Ok(stagegate_suites::suite_run::planned(
        config,
        &stagegate_suites::trials(stagegate_suites::Scope { config, environment }),
    ))
}

/// Runs the suites of one side, keeps what they found there, and returns what should have run.
async fn examined(suites: &Suites, config: &Config, side: &mut Side) -> Vec<stagegate_base::record::Planned> {
    let found = suites.examine(&side.environment, config.gate.soak.0.min(crate::examine::SHORT_SOAK), None).await;
    side.records = found.records;
    side.verdict = Some(found.verdict);
    found.planned
}

fn ended(verdict: &Verdict, accept_caution: bool) -> Exit {
    match verdict.band {
        Some(Band::Ready) => Exit::Passed,
        Some(Band::Caution) if accept_caution => Exit::Passed,
        Some(Band::Caution | Band::NotReady) => Exit::Held,
        None => Exit::Inconclusive,
    }
}
