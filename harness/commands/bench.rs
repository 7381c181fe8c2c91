//! `gate bench`: how quick an environment is, and whether it became slower.

use std::{path::PathBuf, sync::Arc, time::Duration};

use serde_json::json;
use stagegate_base::{
    config::{Config, EPHEMERAL, Environment, Probe},
    exit::Exit,
    lifetime::time_to_start,
    release::Release,
};
use stagegate_host::{
    clock,
    engine::Engine,
    paths::StateDir,
    process::Runner,
    project::Project,
    release,
    signal::{self, Again},
};
use stagegate_performance_act::{
    bench::{self, Bench, Measurement, MeasurementLock, Side},
    load,
};
use stagegate_performance_decide::{
    self as performance, Arm, BASELINE_VERSION, Baseline, Block, Compared, median, time,
};

use super::{criterion::Keep, pictures};
use crate::{
    cli, confirm_option,
    failure::{Failure, give_json, print_message, print_result},
    progress,
};

/// How long the end of another measurement is waited for.
const WAIT: Duration = Duration::from_secs(1_800);

pub(super) async fn run(config: &Arc<Config>, args: cli::Bench) -> Result<Exit, Failure> {
    let environment = super::named(config, args.env.as_ref())?;
    if environment.name == EPHEMERAL {
        return Err(Failure::usage("`ephemeral` exists only while `gate test` runs; name another environment"));
    }
    if bench::measurable(config).next().is_none() {
        return Err(Failure::usage("stagegate.toml has no [[performance]] probe to measure; add one"));
    }
    let confirm = args.confirm.as_deref();
    confirm_option::confirmed(environment, confirm)?;
    if args.against.is_none() {
        confirm_option::refuse_if_protected(environment, confirm, "putting full load on it")?;
    }
    let what = format!("gate bench --env {}", environment.name);
    let waiting = |who: &str| print_message(&format!("{who} is measuring on this machine; waiting for it to finish"));
    let alone = MeasurementLock::wait(&what, WAIT, waiting).await;
    let _alone = alone?;
    if let Some(other) = &args.against {
        return against(config, environment, config.environment(other)?, &args).await;
    }
    let requested = BenchTarget::of(config, environment, confirm).await?;
    match (&args.save_baseline, &args.baseline) {
        (_, Some(name)) => requested.compare(name, &args).await,
        (name, None) => requested.measure(name.as_deref(), &args).await,
    }
}

/// Starts what both environments run in throw-away projects and compares.
async fn against(
    config: &Arc<Config>,
    environment: &Environment,
    other: &Environment,
    args: &cli::Bench,
) -> Result<Exit, Failure> {
    let (candidate, control) = (side(config, environment)?, side(config, other)?);
    let engine = Engine::connect().await?;
    let state = StateDir::of(config, &environment.project);
    let runner = Runner::default();
    let bench = Bench {
        engine: &engine,
        runner: &runner,
        config,
        dir: state.root().join("bench").join("last"),
        project: format!("stagegate-bench-{}", environment.project),
        label: format!("bench-{}", environment.project),
        ready_within: longest_start(environment, [&candidate, &control]),
        live: &progress::measuring,
    };
    let signals = signal::listen(Again::Ends);
    print_message(&format!("starting {} and {} side by side", candidate.name, control.name));
    let measured = tokio::select! {
        measured = bench.compare(&candidate, &control, |m| if !args.json { print_measurement(m) }) => measured?,
        () = signals.first() => {
            bench.end().await?;
            return Err(Failure::interrupted("interrupted; the temporary projects are removed"));
        }
    };
    let title = format!("{} against {}", environment.name, other.name);
    progress::clear();
    pictures::write(&title, &measured, args)?;
    if !args.json {
        print_result(&pictures::table(&measured, |_| None));
        print_result(&pictures::costs(&measured));
    }
    Ok(ended(measured, args.json))
}

fn side(config: &Config, environment: &Environment) -> Result<Side, Failure> {
    let deployed = release::deployed(&StateDir::of(config, &environment.project))?;
    let snapshot = deployed.ok_or_else(|| {
        Failure::usage(format!(
            "`{name}` was not started by gate, so its release is unknown; run `gate up --env {name}`",
            name = environment.name
        ))
    })?;
    Ok(Side { name: format!("{} ({})", snapshot.release.name, environment.name), model: snapshot.model })
}

/// Returns how long both releases may take to become ready.
fn longest_start(environment: &Environment, sides: [&Side; 2]) -> Duration {
    sides.map(|side| time_to_start(environment, &side.model)).into_iter().max().unwrap_or_default()
}

fn print_measurement(measurement: &Measurement) {
    progress::clear();
    let Compared { probe, control, seconds, .. } = &measurement.compared;
    let p50 = |arm: Arm| time(median(&measurement.blocks, arm));
    let figures = format!("p50 {}, {control} {}", p50(Arm::Candidate), p50(Arm::Control));
    print_result(&format!("{probe:<20} {}  [{figures}; {seconds:.0} s]", measurement.compared.words()));
}

fn ended(measured: Vec<Measurement>, as_json: bool) -> Exit {
    let compared: Vec<Compared> = measured.iter().map(|measurement| measurement.compared.clone()).collect();
    let exit = performance::exit(&compared);
    if as_json {
        for Measurement { compared, blocks } in &measured {
            give_json(&json!({ "compared": compared, "said": compared.words(), "blocks": blocks }).to_string());
        }
    }
    let count = |exit: Exit| compared.iter().filter(|c| c.exit() == exit).count();
    print_message(&format!(
        "{} of {} probes no slower, {} slower, {} undecided",
        count(Exit::Passed),
        compared.len(),
        count(Exit::Held),
        count(Exit::Inconclusive)
    ));
    exit
}

/// A running environment, ready to be asked.
struct BenchTarget<'a> {
    config: &'a Config,
    environment: &'a Environment,
    project: Project,
    engine: Engine,
    /// Folder of what was measured of it.
    dir: PathBuf,
    confirm: Option<&'a str>,
}

impl<'a> BenchTarget<'a> {
    async fn of(
        config: &'a Arc<Config>,
        environment: &'a Environment,
        confirm: Option<&'a str>,
    ) -> Result<Self, Failure> {
        let engine = Engine::connect().await?;
        let project = Project::load(&Runner::default(), config, &environment.name).await?;
        let dir = StateDir::of(config, &environment.project).root().join("bench");
        Ok(BenchTarget { config, environment, project, engine, dir, confirm })
    }

    async fn subjects(&self) -> Result<Vec<(&'a Probe, load::Subject)>, Failure> {
        let containers = self.project.containers(&self.engine).await?;
        let config = self.config;
        bench::measurable(config)
            .map(|probe| Ok((probe, load::subject(config, probe, &containers, &self.project.model)?)))
            .collect()
    }

    /// Measures every probe, and keeps the blocks where they get a name.
    async fn measure(&self, name: Option<&str>, args: &cli::Bench) -> Result<Exit, Failure> {
        let probes = bench::record(self.subjects().await?, &progress::measuring).await?;
        progress::clear();
        let baseline = self.baseline(probes).await?;
        for (probe, blocks) in &baseline.probes {
            let (now, reference) = (median(blocks, Arm::Candidate), median(blocks, Arm::Reference));
            match args.json {
                true => give_json(&json!({ "probe": probe, "blocks": blocks }).to_string()),
                false => print_result(&format!("{probe:<20} p50 {}  [reference {}]", time(now), time(reference))),
            }
        }
        let unanswered =
            |blocks: &&Vec<Block>| !blocks.iter().any(|b| b.arm == Arm::Candidate && b.latencies.count > 0);
        if let Some(blocks) = baseline.probes.values().find(unanswered) {
            let printed = blocks.first().map(performance::faults).unwrap_or_default();
            return Err(Failure::blocked(format!("a probe got no successful response: {printed}; nothing was saved")));
        }
        if let Some(name) = name {
            let path = bench::write(&self.dir.join("baselines"), name, &baseline)?;
            print_message(&format!("saved as `{name}`: {}", path.display()));
        }
        let keep = name.map_or(Keep::Nothing, Keep::As);
        self.by_criterion(baseline.release.as_ref(), keep, args).await;
        Ok(Exit::Passed)
    }

    async fn by_criterion(&self, release: Option<&Release>, keep: Keep<'_>, args: &cli::Bench) {
        let dir = bench::criterion::dir(&self.dir, release);
        let BenchTarget { config, environment, confirm, .. } = *self;
        super::criterion::Run { config, environment, dir: &dir, keep, confirm, json: args.json }.print_notes().await;
    }

    async fn baseline(&self, probes: std::collections::BTreeMap<String, Vec<Block>>) -> Result<Baseline, Failure> {
        let containers = self.project.containers(&self.engine).await?;
        Ok(Baseline {
            v: BASELINE_VERSION,
            environment: self.environment.name.clone(),
            release: self.release()?,
            images: release::images_of(&containers),
            host: bench::host(),
            taken: clock::now(),
            probes,
        })
    }

    fn release(&self) -> Result<Option<Release>, Failure> {
        let deployed = release::deployed(&StateDir::of(self.config, &self.environment.project))?;
        Ok(deployed.map(|snapshot| snapshot.release))
    }

    /// Measures every probe until it is decided against a baseline; one of another machine is only shown.
    async fn compare(&self, name: &str, args: &cli::Bench) -> Result<Exit, Failure> {
        let baseline = bench::read(&self.dir.join("baselines"), name, &self.environment.name)?;
        if let Some(reason) = baseline.foreign(&bench::host()) {
            for (probe, blocks) in &baseline.probes {
                print_result(&format!("{probe:<20} p50 {} at that time", time(median(blocks, Arm::Candidate))));
            }
            let text = format!("baseline `{name}` cannot be compared: {reason}; save a baseline on this machine");
            return Err(Failure::not_run(text));
        }
        let control = format!("`{name}` of {}{}", baseline.taken, release_of(&baseline));
        let mut measured: Vec<Measurement> = Vec::new();
        for (probe, subject) in self.subjects().await? {
            let found = measured.iter().filter(|measurement| measurement.compared.is_slower()).count();
            let then = baseline.probes.get(&probe.name).map_or(&[][..], Vec::as_slice);
            let against = (then, control.as_str());
            let measurement =
                bench::against(self.config, (probe, &subject), against, found, &progress::measuring).await?;
            if !args.json {
                print_stored(&measurement, then);
            }
            measured.push(measurement);
        }
        pictures::write(&format!("{} against `{name}`", self.environment.name), &measured, args)?;
        if !args.json {
            print_result(&pictures::table(&measured, |probe| {
                baseline.probes.get(probe).map(|blocks| median(blocks, Arm::Candidate))
            }));
        }
        let from = bench::criterion::dir(&self.dir, baseline.release.as_ref());
        self.by_criterion(self.release()?.as_ref(), Keep::Compared(name, &from), args).await;
        Ok(ended(measured, args.json))
    }
}

fn release_of(baseline: &Baseline) -> String {
    baseline.release.as_ref().map(|release| format!(" ({})", release.name)).unwrap_or_default()
}

fn print_stored(measurement: &Measurement, then: &[Block]) {
    progress::clear();
    let Compared { probe, control, seconds, .. } = &measurement.compared;
    let (now, was) = (median(&measurement.blocks, Arm::Candidate), median(then, Arm::Candidate));
    let figures = format!("p50 {}, {control} {}, corrected by the reference", time(now), time(was));
    print_result(&format!("{probe:<20} {}  [{figures}; {seconds:.0} s]", measurement.compared.words()));
}
